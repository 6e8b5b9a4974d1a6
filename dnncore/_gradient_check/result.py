"""The result of a comparison of gradients with central differences."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from .._core.public import set_module
from .._core.text_table import text_table

LEGEND = """\
error: difference of derived and measured, expected to be at most truncation + rounding.
measured: the central difference, (loss(x + step) - loss(x - step)) / (2 step).
truncation, rounding: bounds of the error of this formula, and of all rounding errors."""


def ratio(error: float, expected: float) -> float:
    """Return an error relative to the expected one; infinite if one is not a number."""
    if error == 0:
        return 0.0
    found = error / expected if expected > 0 else np.inf
    return found if found == found else np.inf


@set_module("dnncore.gradient_check")
@dataclass(frozen=True)
class Comparison:
    """A gradient, compared with central differences; the numbers are those of its worst element.

    Attributes
    ----------
    name : str
        Name of the gradient, such as ``dW_1``.
    shape : tuple of int
        Shape of the gradient.
    ok : bool
        Whether every element that was checked differs from its central difference by at most the
        expected error, and the central differences of at least half of them are accurate.
    index : tuple of int
        Index of the worst element: that with the largest error, relative to the expected one.
    derived : float
        The element of the gradient.
    measured : float
        The central difference.
    error : float
        Difference of these two.
    truncation_error, rounding_error : float
        Bounds of the truncation error of the central difference, and of the rounding errors of the
        central difference and of the gradient.
    expected_error : float
        Sum of these two.
    step : float
        Step h of the central difference.
    n_checked : int
        Number of elements that were checked.
    n_unclear : int
        Number of those whose central difference decides nothing: the loss has a kink there, or no
        finite value, or differs from call to call.
    formula, kernel : str
        Formula of the gradient and kernel that computed it; empty if they are not known.
    """

    name: str
    shape: tuple[int, ...]
    ok: bool
    index: tuple[int, ...]
    derived: float
    measured: float
    error: float
    truncation_error: float
    rounding_error: float
    step: float
    n_checked: int
    n_unclear: int
    formula: str
    kernel: str

    @property
    def expected_error(self) -> float:
        return self.truncation_error + self.rounding_error

    @property
    def element(self) -> str:
        """Name of the worst element, such as ``dW_1[0, 2]``."""
        name = self.name.split()[0]  # without " from dp"
        return f"{name}[{', '.join(map(str, self.index))}]" if self.index else name

    @property
    def is_wrong(self) -> bool:
        """Whether an element differs by more than the expected error."""
        return not self.error <= self.expected_error

    @property
    def verdict(self) -> str:
        """'right', 'WRONG' or 'unclear'."""
        return "right" if self.ok else "WRONG" if self.is_wrong else "unclear"

    def __str__(self) -> str:
        return (
            f"{self.element}: derived {self.derived:.6g}, measured {self.measured:.6g}, error "
            f"{self.error:.1e} (expected: at most {self.expected_error:.1e}), {self.verdict}"
        )


@set_module("dnncore.gradient_check")
class GradientCheck:
    """The result of :func:`dnncore.gradcheck`: true if all gradients are right.

    Print it to see the verdict and a table of the worst elements.

    Attributes
    ----------
    comparisons : list of Comparison
        One for each gradient, in the order of back-propagation.
    loss : str
        What the loss is, if it was made for the comparison; otherwise empty.
    """

    def __init__(self, comparisons: list[Comparison], loss: str = "") -> None:
        self.comparisons, self.loss = comparisons, loss

    @property
    def ok(self) -> bool:
        """Whether all gradients agree with central differences."""
        return all(comparison.ok for comparison in self.comparisons)

    @property
    def wrong(self) -> list[str]:
        """Names of the gradients that are wrong, in the order of back-propagation."""
        return [comparison.name for comparison in self.comparisons if comparison.is_wrong]

    @property
    def worst(self) -> Comparison:
        """The comparison with the largest error, relative to the expected one."""
        return max(self.comparisons, key=lambda c: ratio(c.error, c.expected_error))

    def __bool__(self) -> bool:
        return self.ok

    def __iter__(self) -> Iterator[Comparison]:
        return iter(self.comparisons)

    def __getitem__(self, name: str) -> Comparison:
        for comparison in self.comparisons:
            if comparison.name == name:
                return comparison
        names = ", ".join(comparison.name for comparison in self.comparisons)
        raise KeyError(f"the gradients are {names}, got {name!r}")

    def __repr__(self) -> str:
        return f"<GradientCheck: {self._verdict().splitlines()[0]}>"

    def __str__(self) -> str:
        header = (
            "gradient", "shape", "checked", "worst element", "derived", "measured", "error",
            "truncation", "rounding", "step", "verdict",
        )  # fmt: skip
        rows = [
            (
                c.name,
                str(c.shape),
                str(c.n_checked),
                c.element,
                f"{c.derived:.6g}",
                f"{c.measured:.6g}",
                f"{c.error:.1e}",
                f"{c.truncation_error:.1e}",
                f"{c.rounding_error:.1e}",
                f"{c.step:.1e}",
                c.verdict,
            )
            for c in self.comparisons
        ]
        loss = f"\n(the loss: {self.loss})" if self.loss else ""
        return f"{self._verdict()}{loss}\n\n{text_table(header, rows)}\n\n{LEGEND}"

    def _verdict(self) -> str:
        if self.ok:
            n = len(self.comparisons)
            return f"{n} gradient{'s agree' if n != 1 else ' agrees'} with central differences."
        if not self.wrong:
            names = ", ".join(c.name for c in self.comparisons if not c.ok)
            return f"Unclear: the loss has kinks, or is not finite, or not accurate: {names}."
        first = self[self.wrong[0]]
        lines = [
            f"{first.name} is wrong: {first.element} is {first.derived:.6g}, but the loss changes "
            f"by {first.measured:.6g} per unit (within {first.expected_error:.1e})."
        ]
        if first.formula:
            lines.append(f"It is computed as {first.formula}" + (
                f", by {first.kernel}." if first.kernel else "."
            ))  # fmt: skip
        if self.wrong[1:]:
            lines.append(f"Also wrong, perhaps because of that: {', '.join(self.wrong[1:])}.")
        return "\n".join(lines)
