"""Incremental mean and scale of features, for input standardisation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from .checks import Matrix, contiguous, is_sparse
from .csrc import MOMENTS_ROWS, add_moments, all_finite, scales
from .public import set_module

__all__ = ["MOMENTS_ROWS", "Moments"]

EPSILON = float(np.finfo(np.float64).eps)
DENSE_FEATURES = 8192  # features of a sparse matrix that are made dense at a time


@set_module("dnncore.network")
@dataclass
class Moments:
    """Weighted mean and variance, and range, of each feature over all rows seen so far.

    Attributes
    ----------
    count : float or array (n_features,)
        Sum of the weights of the rows. If NaN denotes missing values, an array: for each
        feature, the sum of the weights of the rows where it is not missing.
    mean, variance : array (n_features,) of float64
        Weighted mean and variance.
    low, high : array (n_features,) of float64, or None
        Smallest and largest value in the rows with a weight; infinity and its negative without
        any. None if they are not known, as in files of models that were trained without them.
    n_rows : int
        Number of rows, whatever their weights.
    """

    count: float | NDArray[np.float64]
    mean: NDArray[np.float64]
    variance: NDArray[np.float64]
    low: NDArray[np.float64] | None = None
    high: NDArray[np.float64] | None = None
    n_rows: int = 0

    def __setstate__(self, state: dict[str, Any]) -> None:
        # Arrays of a file that is mapped into memory cannot be updated.
        for name, value in state.items():
            setattr(self, name, np.array(value) if isinstance(value, np.ndarray) else value)

    @classmethod
    def empty(cls, n_features: int, *, missing: bool = False, ranges: bool = False) -> Moments:
        """Return the moments of zero rows.

        `missing` allows NaN in the rows to come, `ranges` computes their smallest and largest
        values.
        """
        count = np.zeros(n_features) if missing else 0.0
        moments = cls(count, np.zeros(n_features), np.zeros(n_features))
        if ranges:
            moments.low, moments.high = np.full((2, n_features), np.inf)
            np.negative(moments.high, out=moments.high)
        return moments

    def update(self, X: Matrix, sample_weight: NDArray[Any] | None = None) -> None:
        """Update the moments with the rows of X (n, n_features), of float32 or float64.

        Rows are merged in chunks of MOMENTS_ROWS, starting at the first row. Several calls with
        multiples of MOMENTS_ROWS rows therefore agree bit for bit with one call with all rows. A
        sparse X is made dense one chunk at a time, and gives the same bits as a dense X.
        """
        missing = isinstance(self.count, np.ndarray)
        count = np.array(self.count) if missing else np.full(self.mean.shape, self.count)
        weight = None
        if sample_weight is not None:
            weight = contiguous(sample_weight, np.float64)
            weight = weight if weight.flags.writeable else weight.copy()
        columns = count, self.mean, self.variance, self.low, self.high
        if is_sparse(X):
            for x, rows, part in _dense_parts(X):
                w = None if weight is None else weight[rows]
                of_part: Any = (None if column is None else column[part] for column in columns)
                add_moments(x, w, missing, *of_part)
        else:
            add_moments(contiguous(X), weight, missing, *columns)
        self.count = count if missing else count.item(0)
        self.n_rows += X.shape[0]

    def merged(self, other: Moments) -> Moments:
        """Return the moments of the rows of both (Chan, Golub and LeVeque 1979).

        Those of no rows change nothing.
        """
        count = np.add(self.count, other.count)
        share = np.divide(other.count, count, out=np.zeros(self.mean.shape), where=count > 0)
        with np.errstate(over="ignore", invalid="ignore"):  # `check` finds it
            difference = other.mean - self.mean
            mean = self.mean + share * difference
            variance = self.variance + share * (other.variance - self.variance)
            variance += (share * (1.0 - share) * difference) * difference
        low, high = self.low, self.high
        if low is not None and high is not None:
            assert other.low is not None and other.high is not None
            low, high = np.minimum(low, other.low), np.maximum(high, other.high)
        plain = count if isinstance(self.count, np.ndarray) else float(count)
        return Moments(plain, mean, variance, low, high, self.n_rows + other.n_rows)

    def copy(self) -> Moments:
        """Return a copy that is updated on its own."""
        arrays: Any = {k: x.copy() for k, x in vars(self).items() if isinstance(x, np.ndarray)}
        return replace(self, **arrays)

    def check(self, dtype: DTypeLike, names: Sequence[object] | None = None) -> None:
        """Raise ValueError if a feature is too large to be standardised in `dtype`.

        `names` are the names of the features, for the error.
        """
        if self._are_ordinary(dtype):
            return
        good = np.isfinite(self.mean) & np.isfinite(self.variance)
        values = ""
        if self.low is not None and self.high is not None:
            with np.errstate(over="ignore", invalid="ignore"):
                widest = np.maximum(self.high - self.mean, self.mean - self.low)
            good &= ~(widest > np.finfo(np.dtype(dtype)).max)
        if good.all():
            return
        feature = int(np.argmin(good))
        if self.low is not None and self.high is not None:
            values = f" with values from {self.low[feature]:g} to {self.high[feature]:g}"
        name = "" if names is None else f" ({names[feature]!r})"
        raise ValueError(
            f"X must have a variance in the range of float64, and differences in that of "
            f"{np.dtype(dtype)}, got feature {feature}{name}{values}: divide it by a constant"
        )

    def _are_ordinary(self, dtype: DTypeLike) -> bool:
        """Return whether the moments are finite, and differences of any two values too."""
        if not (all_finite(self.mean) and all_finite(self.variance)):
            return False
        if self.low is None or self.high is None:
            return True
        half = 0.5 * float(np.finfo(np.dtype(dtype)).max)
        return bool(self.low.min() >= -half and self.high.max() <= half)

    def scale(self, dtype: DTypeLike) -> NDArray[Any]:
        """Return the scales as `dtype`, with 1 for constant features.

        The scale is the standard deviation, times the asymmetry if the range is known: the
        arithmetic over the geometric mean of the distances of mean and extremes. That is 1 for a
        symmetric feature, and large for one that rarely differs from its most common value, such
        as the indicator of a rare category or a pixel at the edge of an image. The scale is then at
        most half the range (Bhatia and Davis 2000), and just that if there are two values only,
        whatever their frequencies.

        A feature counts as constant if its variance does not exceed its own rounding error. Where
        the squares of the deviations underflow, the scale is half the range.
        """
        scale = np.empty(len(self.mean), dtype)
        error = self.n_rows * EPSILON
        scales(self.mean, self.variance, self.low, self.high, error, scale)
        return scale


def _dense_parts(X: Matrix) -> Iterator[tuple[NDArray[Any], slice, slice]]:
    """Yield dense parts of a sparse X, each with its slices of rows and features."""
    for start in range(0, X.shape[0], MOMENTS_ROWS):
        rows = slice(start, start + MOMENTS_ROWS)
        chunk = X[rows].tocsc()
        for first in range(0, X.shape[1], DENSE_FEATURES):
            features = slice(first, first + DENSE_FEATURES)
            yield chunk[:, features].toarray(order="C"), rows, features
