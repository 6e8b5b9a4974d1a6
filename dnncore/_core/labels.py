"""Validation of labels, targets and sample weights at the Python boundary."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from .checks import array_like, check_interval, contiguous, floating_array
from .csrc import all_finite

# Sums of weights in a usable range: neither their reciprocals nor their products with squares of
# numbers overflow, and an L2 penalty that is divided by them is not out of all proportion.
MIN_TOTAL, MAX_TOTAL = 1e-30, 1e30
# The range of sums that are accumulated over several calls or blocks, and cannot be scaled.
MIN_SUM, MAX_SUM = 1e-300, 1e300


@dataclass(frozen=True)
class Labels:
    """Validated labels and weights of n samples.

    Attributes
    ----------
    label : intp array (n,) or None
        Class indices.
    L : array (n, m) or None
        Soft labels or targets, if `label` is None.
    weight : array (n,) or None
        Sample weights; None means equal weights of 1.
    inverse_total : float
        Reciprocal of the sum of the weights; 0 if there are no samples.
    """

    label: NDArray[np.intp] | None
    L: NDArray[Any] | None
    weight: NDArray[Any] | None
    inverse_total: float

    @classmethod
    def of(cls, y: NDArray[Any], weight: NDArray[Any] | None, *, scaled: bool = True) -> Labels:
        """Return checked class indices (n,) or label rows (n, m), with their checked weights.

        If the sum of the weights is not in a usable range, they are scaled: only their ratios
        matter. Without `scaled`, they stay as they are because they belong to a part of the rows.
        """
        n = y.shape[0]
        total = float(n)
        if weight is not None:
            with np.errstate(over="ignore"):
                total = float(weight.sum(dtype=np.float64))
            if scaled and n and not MIN_TOTAL < total < MAX_TOTAL:
                weight = usable(weight)
                total = float(weight.sum(dtype=np.float64))
        label, L = (y, None) if y.ndim == 1 else (None, y)
        return cls(label, L, weight, 1.0 / total if total else 0.0)

    @property
    def total(self) -> float:
        """Sum of the weights."""
        return 1.0 / self.inverse_total if self.inverse_total > 0.0 else 0.0

    def take(self, rows: slice | NDArray[np.intp]) -> Labels:
        """Return the labels and weights of some of the rows."""
        y = self.L if self.label is None else self.label
        assert y is not None
        weight = None if self.weight is None else self.weight[rows]
        return Labels.of(y[rows], weight, scaled=False)

    @property
    def arrays(self) -> tuple[NDArray[Any], ...]:
        return tuple(x for x in (self.label, self.L, self.weight) if x is not None)


def labels(
    name: str,
    y: ArrayLike | Labels,
    sample_weight: ArrayLike | None,
    shape: tuple[int, int],
    other: str,
    dtype: DTypeLike,
) -> Labels:
    """Return validated class indices (n,) or soft labels (n, m).

    `shape` is (n, m), the shape of the matrix that error messages call `other`. Labels that are
    validated already are returned as they are.
    """
    if isinstance(y, Labels):
        return y
    y = np.asarray(y)
    if y.ndim == 2:
        y = array_like(name, y, shape, other, dtype)
    else:
        y = _class_indices(name, y, shape)
    return Labels.of(y, _optional_weights(sample_weight, shape[0], dtype))


def targets(
    name: str,
    y: ArrayLike,
    sample_weight: ArrayLike | None,
    shape: tuple[int, int],
    other: str,
    dtype: DTypeLike,
    *,
    interval: tuple[float, float] | None = None,
    shared: bool = False,
) -> Labels:
    """Return validated targets (n, m): finite, and in the closed `interval` if there is one.

    `shape` is (n, m), the shape of the matrix that error messages call `other`. If m is 1, or all
    outputs share one target, `y` may have shape (n,).
    """
    y = floating_array(name, y)
    if y.ndim == 1 and (shape[1] == 1 or shared):
        y = np.repeat(y[:, None], shape[1], axis=1)
    L = array_like(name, y, shape, other, dtype)
    if not all_finite(L):
        raise ValueError(f"{name} must be finite")
    if interval is not None:
        check_interval(name, L, *interval)
    return Labels.of(L, _optional_weights(sample_weight, shape[0], dtype))


def _optional_weights(
    sample_weight: ArrayLike | None, n: int, dtype: DTypeLike
) -> NDArray[Any] | None:
    return None if sample_weight is None else weights(sample_weight, n, dtype)


def _class_indices(name: str, y: NDArray[Any], shape: tuple[int, int]) -> NDArray[np.intp]:
    n, m = shape
    if y.dtype.kind not in "iu":
        raise TypeError(
            f"{name} must be integer class indices of shape {(n,)} or soft labels of shape "
            f"{shape}, got {y.dtype} of shape {y.shape}"
        )
    if y.shape != (n,):
        raise ValueError(f"{name} must have shape {(n,)} or {shape}, got {y.shape}")
    if n and (y.min() < 0 or y.max() >= m):
        bad = np.flatnonzero((y < 0) | (y >= m))
        raise ValueError(f"{name} must lie in [0, {m}), got {y[bad[0]]} in row {bad[0]}")
    return contiguous(y, np.intp)


def weights(
    sample_weight: ArrayLike, n: int, dtype: DTypeLike, *, may_be_zero: bool = False
) -> NDArray[Any]:
    """Return the weights of n samples, converted to `dtype` and checked to be finite, non-negative
    and, unless `may_be_zero` is true, not all zero."""
    weight = np.asarray(sample_weight)
    if weight.dtype.kind not in "fiub":
        raise TypeError(f"sample_weight must be real numbers, got {weight.dtype}")
    if weight.shape != (n,):
        raise ValueError(f"sample_weight must have shape {(n,)}, got {weight.shape}")
    with np.errstate(over="ignore"):
        weight = contiguous(weight, dtype)
    if not ((weight >= 0) & np.isfinite(weight)).all():
        raise ValueError("sample_weight must be finite and non-negative")
    if n > 0 and not may_be_zero and not weight.any():
        raise ValueError("sample_weight must not be all zero")
    return weight


def usable(weight: NDArray[Any]) -> NDArray[Any]:
    """Return checked weights of all rows, scaled if their sum is not in a usable range.

    Only their ratios matter.
    """
    with np.errstate(over="ignore"):
        total = float(weight.sum(dtype=np.float64))
    if MIN_TOTAL < total < MAX_TOTAL or not total > 0.0:
        return weight
    scaled: NDArray[Any] = weight / weight.max()
    return scaled


def check_total(total: float) -> None:
    """Raise ValueError if the sum of the sample weights is zero, too small or too large to be added
    to others."""
    if total == 0.0:
        raise ValueError("sample_weight must not be all zero")
    if not MIN_SUM < total < MAX_SUM:
        raise ValueError(
            f"sample_weight must have a sum between {MIN_SUM} and {MAX_SUM}, got {total}"
        )
