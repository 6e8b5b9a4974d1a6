"""Mean and scale of features, updated as rows arrive: what norm learns."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from .checks import Matrix, is_sparse
from .csrc import MOMENTS_ROWS, add_moments

__all__ = ["MOMENTS_ROWS", "Moments"]

DENSE_FEATURES = 8192  # of a chunk of a sparse matrix that are made dense together


@dataclass
class Moments:
    """Weighted mean and variance of each feature over all rows seen, in float64.

    Attributes
    ----------
    count : float, or array (n_features,)
        Sum of the weights of the rows; an array, of those with a value, where NaN stands for a
        missing one.
    mean, variance : array (n_features,)
    """

    count: float | NDArray[np.float64]
    mean: NDArray[np.float64]
    variance: NDArray[np.float64]

    @classmethod
    def empty(cls, n_features: int, *, missing: bool = False) -> Moments:
        """Of no rows; `missing` says whether NaN may come."""
        count = np.zeros(n_features) if missing else 0.0
        return cls(count, np.zeros(n_features), np.zeros(n_features))

    def update(self, X: Matrix, sample_weight: NDArray[Any] | None = None) -> None:
        """Take in the rows of X (n, n_features), of float32 or float64.

        They are merged in chunks of MOMENTS_ROWS rows, from the first one on. So calls with
        pieces of so many rows, or a multiple, give the same bits as one call with all; and a
        sparse X, which is made dense a chunk at a time, the same as a dense one.
        """
        missing = isinstance(self.count, np.ndarray)
        count = np.full(self.mean.shape, self.count, np.float64)
        weight = None
        if sample_weight is not None:
            weight = np.ascontiguousarray(sample_weight, np.float64)
        for x, rows, features in _dense_parts(X):
            w = None if weight is None else weight[rows]
            add_moments(
                x, w, missing, count[features], self.mean[features], self.variance[features]
            )
        self.count = count if missing else float(count[0])

    def scale(self, dtype: DTypeLike) -> NDArray[Any]:
        """Standard deviations as `dtype`; 1 for a constant feature.

        A feature is constant if its variance is within the rounding error of computing it.
        """
        eps = np.finfo(np.float64).eps
        rounding = self.count * eps * self.variance + (self.count * eps * self.mean) ** 2
        scale = np.sqrt(self.variance).astype(dtype)
        scale[(self.variance <= rounding) | (scale < np.finfo(scale.dtype).tiny)] = 1.0
        return scale


def _dense_parts(X: Matrix) -> Iterator[tuple[NDArray[Any], slice, slice]]:
    """X in dense parts, and which rows and features each one is."""
    if not is_sparse(X):
        yield np.require(X, requirements=("C", "A")), slice(None), slice(None)
        return
    for start in range(0, X.shape[0], MOMENTS_ROWS):
        rows = slice(start, start + MOMENTS_ROWS)
        chunk = X[rows].tocsc()
        for first in range(0, X.shape[1], DENSE_FEATURES):
            features = slice(first, first + DENSE_FEATURES)
            yield chunk[:, features].toarray(order="C"), rows, features
