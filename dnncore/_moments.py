"""Mean and scale of features, updated as rows arrive: what norm learns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

BLOCK_ROWS = 4096  # rows converted to float64 at a time


@dataclass
class Moments:
    """Weighted mean and variance of each feature over all rows seen, in float64.

    Attributes
    ----------
    count : float
        Sum of the weights of the rows.
    mean, variance : array (n_features,)
    """

    count: float
    mean: NDArray[np.float64]
    variance: NDArray[np.float64]

    @classmethod
    def empty(cls, n_features: int) -> Moments:
        return cls(0.0, np.zeros(n_features), np.zeros(n_features))

    def update(self, X: NDArray[Any], sample_weight: NDArray[Any] | None = None) -> None:
        """Take in the rows of X (n, n_features), a block at a time.

        Blocks are merged by the formula of Chan, Golub and LeVeque (1983), which does not
        cancel as the difference of two large sums would.
        """
        for start in range(0, X.shape[0], BLOCK_ROWS):
            rows = slice(start, start + BLOCK_ROWS)
            x = X[rows].astype(np.float64)
            w = np.ones(len(x)) if sample_weight is None else sample_weight[rows].astype(float)
            count = float(w.sum())
            if count == 0.0:
                continue
            mean = w @ x / count
            x -= mean
            variance = w @ np.square(x, out=x) / count
            total = self.count + count
            shift, part = mean - self.mean, count / total
            self.variance += part * (variance - self.variance + (1.0 - part) * shift**2)
            self.mean += part * shift
            self.count = total

    def scale(self, dtype: DTypeLike) -> NDArray[Any]:
        """Standard deviations as `dtype`; 1 for a constant feature.

        A feature is constant if its variance is within the rounding error of computing it.
        """
        eps = np.finfo(np.float64).eps
        rounding = self.count * eps * self.variance + (self.count * eps * self.mean) ** 2
        scale = np.sqrt(self.variance).astype(dtype)
        scale[(self.variance <= rounding) | (scale < np.finfo(scale.dtype).tiny)] = 1.0
        return scale
