"""The comparison of the elements of a gradient with central differences."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .differences import SAFETY, UNCLEAR, Candidate, Quotient, most_accurate, noise, sizes
from .result import Comparison, ratio


@dataclass(frozen=True)
class Element:
    """An element of a gradient, and its central difference."""

    index: tuple[int, ...]
    derived: float
    measured: Quotient
    own_rounding: float  # that of the gradient

    @property
    def error(self) -> float:
        """Difference of the two; 0 if the loss has no finite value beside the element."""
        return abs(self.derived - self.measured.value) if np.isfinite(self.measured.value) else 0.0

    @property
    def rounding(self) -> float:
        return self.measured.rounding + self.own_rounding

    @property
    def ratio(self) -> float:
        """Error, relative to the expected one."""
        return ratio(self.error, self.measured.truncation + self.rounding)

    def is_unclear(self, largest: float) -> bool:
        """Return whether the difference decides nothing; `largest` is the size of the gradient."""
        enough = max(UNCLEAR * max(largest, abs(self.measured.value)), self.measured.rounding)
        return not self.measured.truncation <= enough


def compared(candidate: Candidate, rng: np.random.Generator, max_elements: int) -> Comparison:
    """Compare a gradient with central differences, in at most `max_elements` random elements."""
    elements = _elements(candidate, rng, max_elements)
    largest = float(np.abs(candidate.gradient).max())
    n_unclear = sum(element.is_unclear(largest) for element in elements)
    worst = max(elements, key=lambda element: element.ratio)
    return Comparison(
        name=candidate.name,
        shape=candidate.gradient.shape,
        ok=worst.ratio <= 1 and 2 * n_unclear <= len(elements),
        index=worst.index,
        derived=worst.derived,
        measured=worst.measured.value,
        error=worst.error,
        truncation_error=worst.measured.truncation,
        rounding_error=worst.rounding,
        step=worst.measured.step,
        n_checked=len(elements),
        n_unclear=n_unclear,
        formula=candidate.formula,
        kernel=candidate.kernel,
    )


def _elements(candidate: Candidate, rng: np.random.Generator, max_elements: int) -> list[Element]:
    x, f = candidate.x, candidate.f
    loss_noise, value = noise(f, x, rng), f(x)
    scale = sizes(x) if candidate.scale is None else candidate.scale
    own = np.nan_to_num(SAFETY * candidate.rounding.astype(np.float64), nan=np.inf)
    own = np.where(np.isfinite(candidate.gradient), own, 0.0)  # no rounding makes an infinity
    elements = []
    for flat in sorted(rng.permutation(np.flatnonzero(np.isfinite(scale)))[:max_elements]):
        index = tuple(int(i) for i in np.unravel_index(flat, x.shape))
        if np.isnan(x[index]):  # a missing value, on which the loss does not depend
            measured = Quotient(0.0, 0.0, 0.0, 0.0)
        else:
            measured = most_accurate(candidate, index, float(scale[index]), loss_noise, value)
        derived = float(candidate.gradient[index])
        elements.append(Element(index, derived, measured, float(own[index])))
    return elements
