"""Going through all blocks before training: to check them, and to learn of their targets."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._core.checks import Matrix, features_with_nan
from .._core.labels import weights
from .._core.moments import MOMENTS_ROWS, Moments
from .._data.blocks import Arrays, Block, Blocks, read_ahead, rechunk


class Survey:
    """What is learnt of targets that come in blocks, before training.

    Attributes
    ----------
    moments : Moments or None
        Of the numbers that `add` returns.
    weighs : bool
        Whether what is learnt changes the weights of the rows.
    """

    moments: Moments | None = None
    weighs: bool = False

    def add(self, y: Any, weight: NDArray[Any] | None) -> NDArray[Any] | None:
        """Take in the targets of a block; returns numbers whose moments are wanted, if any are."""
        raise NotImplementedError

    def row_weight(self, y: Any) -> NDArray[np.float64] | None:
        """What the sample weights of rows are to be multiplied by."""
        return None


class CheckedBlocks:
    """Blocks as an estimator takes them: X, labels and weights as its trainer takes them.

    Parameters
    ----------
    estimator : DNNEstimator
    blocks : iterable
        Of (X, y) or (X, y, sample_weight).
    survey : Survey
    resume : bool
        Whether the estimator has been fitted before and goes on.

    Attributes
    ----------
    dtype : numpy.dtype
        Of the network; known once a block has been read.
    n_features : int
        Known then too.
    """

    def __init__(self, estimator: Any, blocks: Iterable[Any], survey: Survey, resume: bool) -> None:
        self._estimator, self._blocks, self._survey = estimator, Blocks(blocks), survey
        self._resume = resume
        self._may_miss = estimator.missing_values != "error"
        self._with_nan: NDArray[np.intp] = np.zeros(0, np.intp)
        self.dtype: Any = estimator.network_.dtype if resume else None

    @property
    def n_features(self) -> int:
        return int(self._estimator.n_features_in_)

    def features_with_nan(self) -> NDArray[np.intp]:
        """Of all rows; known once they have been read."""
        return self._with_nan

    def learn(self, norm: bool) -> Moments | None:
        """Read all rows for what the survey is to learn and, if asked for, the moments of X."""
        moments = None
        for (X, numbers, weight), _ in rechunk(read_ahead(self._surveyed()), MOMENTS_ROWS):
            if norm:
                moments = moments or self._no_moments()
                moments.update(X, weight)
            if self._survey.moments is not None:
                self._survey.moments.update(numbers, weight)
        return moments

    def moments(self) -> Moments:
        """Read all rows for the moments of X, under the weights that the rows have in the end."""
        moments = self._no_moments()
        for (X, _, weight), _ in rechunk(read_ahead(self), MOMENTS_ROWS):
            moments.update(X, weight)
        return moments

    def _no_moments(self) -> Moments:
        return Moments.empty(self.n_features, missing=self._may_miss)

    def _surveyed(self) -> Iterator[Arrays]:
        for block, X, y in self._read():
            if self._may_miss:
                self._with_nan = np.union1d(self._with_nan, features_with_nan(X))
            weight = self._weight(block, None)
            with block.faults():
                numbers = self._survey.add(y, weight)
            yield X, numbers, weight

    def __iter__(self) -> Iterator[Arrays]:
        for block, X, y in self._read():
            with block.faults():
                labels = self._estimator._encode("y", y, self.dtype, smoothed=True)
                weight = self._weight(block, self._survey.row_weight(y))
            yield X, labels, weight

    def _read(self) -> Iterator[tuple[Block, Matrix, Any]]:
        for block in self._blocks:
            block.check_finite(may_miss=self._may_miss)
            new = block.first_row == 0 and self._blocks.n_rows is None and not self._resume
            with block.faults():
                X, y = self._estimator._check_X_y(block.X, block.y, self.dtype, reset=new)
            self.dtype = X.dtype
            yield block, X, y

    def _weight(self, block: Block, factor: NDArray[np.float64] | None) -> NDArray[Any] | None:
        weight: NDArray[Any] | None = block.sample_weight
        if weight is not None:
            weight = weights(weight, block.n_rows, self.dtype, may_be_zero=True)
        if factor is not None:
            weight = factor if weight is None else weight * factor
            weight = weights(weight, block.n_rows, self.dtype, may_be_zero=True)
        return weight
