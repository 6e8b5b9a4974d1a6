"""Central differences in float64, each with the error that it can be expected to have.

The quotient ``D(h) = (f(x + h) - f(x - h)) / 2h`` has two errors. Truncation: for a smooth f,
``D(h)`` differs from the derivative by a third of what it differs from ``D(2h)``. At a kink between
x - h and x + h, such as that of relu, this is not so, but then the second difference
``S(h) = f(x + h) - 2 f(x) + f(x - h)`` does not grow fourfold from h to 2h. For a single kink, at
any place, ``|D(2h) - D(h)| + |4 S(h) - S(2h)| / 2h`` is at least the error of ``D(h)``; for a
smooth f, the second term is of the order of h^3. Rounding: the noise of f, divided by h. The noise
is measured: it is the spread of f at points that differ from x by one rounding of each element,
where the rounding errors inside f are different ones.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

EPS = float(np.finfo(np.float64).eps)
# h = eps^(1/3) balances the errors of a function whose derivatives are all of its own size.
STEP = EPS ** (1 / 3)
FACTORS = (1.0, 1 / 32, 32.0)  # other steps are tried where that one is not accurate
ACCURATE = 1e-6  # expected error, relative to the largest element of the gradient
SAMPLES = 8  # points at which noise is measured
SAFETY = 8.0  # the spread of a few samples against the largest of thousands of errors
NOISY = 1e-6  # noise, relative to the loss, of a function that is not computed in float64
UNCLEAR = 0.1  # a truncation error, relative to the largest element, that decides nothing


@dataclass(frozen=True)
class Candidate:
    """A gradient to be checked.

    Attributes
    ----------
    name : str
        Name of the gradient.
    gradient : array
        What was derived, with the shape of `x`.
    rounding : array
        Its own rounding error, as :func:`spread` measures it.
    f : callable
        The loss as a function of `x`, in float64.
    x : float64 array
        Where; elements that are NaN have no influence on f.
    formula, kernel : str
        How the gradient was computed, if known.
    scale : array or None
        Size of the changes of `x` over which f changes its shape; by default, the size of `x`. NaN
        for elements that are not to be checked.
    """

    name: str
    gradient: NDArray[Any]
    rounding: NDArray[Any]
    f: Callable[[NDArray[np.float64]], float]
    x: NDArray[np.float64]
    formula: str = ""
    kernel: str = ""
    scale: NDArray[np.float64] | None = None


class Quotient(NamedTuple):
    """A central difference, with bounds of its errors."""

    value: float
    step: float
    truncation: float
    rounding: float

    @property
    def expected(self) -> float:
        """Expected error."""
        return self.truncation + self.rounding


NOTHING = Quotient(np.nan, 0.0, np.inf, 0.0)  # where f has no value, or is not accurate


def sizes(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the size of each element, but at least the root mean square of its column."""
    known = np.nan_to_num(x)
    column: Any = np.sqrt(np.mean(known**2, axis=0 if x.ndim > 1 else None))
    size = np.maximum(np.abs(known), column)
    return np.where(size > 0, size, 1.0)


def one_rounding_away(x: NDArray[Any], rng: np.random.Generator) -> NDArray[Any]:
    """Return a copy of which each element is changed by one rounding or not at all."""
    eps = np.finfo(x.dtype).eps
    return np.asarray(x * (1 + eps * rng.integers(-1, 2, x.shape)).astype(x.dtype))


def spread(values: list[Any]) -> NDArray[Any]:
    """Return the range of each element of repeated computations, and at least one rounding."""
    samples = np.array(values)
    least = np.finfo(samples.dtype).eps * np.abs(samples).max(axis=0)
    return np.asarray(np.maximum(samples.max(axis=0) - samples.min(axis=0), least))


def noise(
    f: Callable[[NDArray[np.float64]], float],
    x: NDArray[np.float64],
    rng: np.random.Generator,
) -> float:
    """Measure the rounding error of a function near x."""
    return float(spread([f(one_rounding_away(x, rng)) for _ in range(SAMPLES)]))


def quotient(
    candidate: Candidate, index: tuple[int, ...], step: float, noise: float, value: float
) -> Quotient:
    """Return the central difference with a step; `value` is that of f at x."""
    moved, values = [], []
    for k in (-2, -1, 1, 2):
        x = candidate.x.copy()
        x[index] += k * step
        moved.append(float(x[index]))  # divided by the steps that are left after rounding
        values.append(candidate.f(x))
    is_noisy = not noise <= NOISY * max(map(abs, values))
    if is_noisy or moved[1] == moved[2]:  # or the step is less than a rounding of x
        return NOTHING
    wide = (values[3] - values[0]) / (moved[3] - moved[0])
    narrow = (values[2] - values[1]) / (moved[2] - moved[1])
    second = (values[2] - 2 * value + values[1], values[3] - 2 * value + values[0])
    truncation = abs(wide - narrow) + abs(4 * second[0] - second[1]) / (2 * step)
    if not np.isfinite(truncation):
        return NOTHING
    return Quotient(narrow, step, truncation, SAFETY * noise / step)


def most_accurate(
    candidate: Candidate, index: tuple[int, ...], scale: float, noise: float, value: float
) -> Quotient:
    """Return the central difference with the smallest expected error of a few steps."""
    # There is no use in less than the rounding error of the gradient.
    own = float(candidate.rounding[index])
    enough = max(ACCURATE * float(np.abs(candidate.gradient).max()), own)
    best = NOTHING
    for factor in FACTORS:
        found = quotient(candidate, index, STEP * scale * factor, noise, value)
        if found.expected < best.expected:
            best = found
        if best.expected <= enough:
            break
    return best


def measured(
    f: Callable[[NDArray[np.float64]], float], x: NDArray[np.float64], rng: np.random.Generator
) -> NDArray[np.float64]:
    """Return all central differences of a function, of the shape of x."""
    candidate = Candidate("", np.zeros(x.shape), np.zeros(x.shape), f, x)
    scale, loss_noise, value = sizes(x), noise(f, x, rng), f(x)
    result = np.empty(x.shape)
    for index in np.ndindex(x.shape):
        result[index] = most_accurate(
            candidate, index, float(scale[index]), loss_noise, value
        ).value
    return result
