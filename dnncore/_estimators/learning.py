"""Learning from the rows before training: their targets, and the moments of X.

Rows in memory are a single block. A first pass over all rows learns the targets. A second pass over
the training rows, with their final weights, learns the class totals and the moments of X. For
blocks without class weights, one pass does both.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from copy import copy
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._core.checks import Matrix, features_with_nan
from .._core.labels import check_total
from .._core.moments import MOMENTS_ROWS, Moments
from .._data.blocks import Arrays, read_ahead, rechunk
from .rows import CheckedRows, LabelledRows
from .targets import TargetLearner
from .validation import may_overflow


class RowsLearner:
    """Learner from rows in memory, which are a single block, or from several blocks.

    Parameters
    ----------
    targets : TargetLearner
        Learner of the targets.
    norm : bool
        Whether to compute the moments of X.
    missing_values : {'error', 'mean', 'indicator'}
        Treatment of NaN in X; 'indicator' requires the features that contain it.
    in_blocks : bool
        Whether the rows come in several blocks that are read.

    Attributes
    ----------
    targets : TargetLearner
        Learner of the targets.
    moments : Moments or None
        Moments of X over the training rows, once these have been read; None without `norm`.
    features_with_nan : intp array
        Features that contain NaN, once all rows have been read.
    dtype : numpy.dtype
        Dtype of X, once all rows have been read.
    n_features : int
        Number of columns of X, once all rows have been read.
    has_large_blocks : bool
        Whether a block that is not standardised has numbers so large that a network may overflow.
    """

    def __init__(
        self,
        targets: TargetLearner,
        *,
        norm: bool,
        missing_values: str,
        in_blocks: bool = False,
    ) -> None:
        self.targets = targets
        self.moments: Moments | None = None
        self.features_with_nan: NDArray[np.intp] = np.zeros(0, np.intp)
        self.dtype: Any = None
        self.n_features = 0
        self.has_large_blocks = False
        self._norm, self._in_blocks = norm, in_blocks
        self._may_miss, self._seeks_nan = missing_values != "error", missing_values == "indicator"

    def learn(self, rows: Iterable[CheckedRows]) -> NDArray[Any] | None:
        """Learn the targets of all rows.

        Returns the checked targets of the last block, which are all targets for rows in memory.

        For blocks without class weights, learning is then complete. Rows in memory may still be
        split.
        """
        y = self.add(rows)
        self.targets.finish()
        return y

    def add(self, rows: Iterable[CheckedRows]) -> NDArray[Any] | None:
        """Learn the targets of some rows, as `learn` does of all."""
        y = None
        at_once = self._learns_at_once

        def parts() -> Iterator[Arrays]:
            nonlocal y
            for part in rows:
                with part.faults():
                    y = self.targets.learn(part.y)
                self.dtype, self.n_features = part.X.dtype, part.X.shape[1]
                if self._seeks_nan:
                    self.features_with_nan = np.union1d(
                        self.features_with_nan, features_with_nan(part.X)
                    )
                if self._in_blocks and not self._norm:
                    self.has_large_blocks = self.has_large_blocks or may_overflow(part.X)
                if at_once:
                    self.targets.add_totals(y, part.sample_weight)
                numbers = None if self.targets.moments is None else y.reshape(len(y), -1)
                yield part.X, numbers, part.sample_weight

        for X, numbers, weight in self._pieces(parts()):
            if at_once:
                self._add_moments(X, weight)
            if self.targets.moments is not None:
                self.targets.moments.update(numbers, weight)
        return y

    def merge(self, other: RowsLearner) -> None:
        """Add what a learner of further rows has learned."""
        self.targets.merge(other.targets)
        if other.n_features == 0:  # of no rows
            return
        if self.n_features not in (0, other.n_features):
            raise ValueError(
                f"X must have {self.n_features} features as before, got {other.n_features}"
            )
        self.n_features = other.n_features
        dtype = other.dtype if self.dtype is None else self.dtype
        self.dtype = np.promote_types(dtype, other.dtype)
        self.features_with_nan = np.union1d(self.features_with_nan, other.features_with_nan)
        if other.moments is not None:
            before = self.moments
            self.moments = other.moments if before is None else before.merged(other.moments)

    def for_part(self) -> RowsLearner:
        """Return a learner of the weighted rows of a part, to be merged; after `learn`."""
        part = copy(self)
        part.targets, part.moments = self.targets.for_part(), None
        return part

    @property
    def _learns_at_once(self) -> bool:
        """Whether one pass suffices: all rows are training rows, and their weights are known."""
        return self._in_blocks and not self.targets.weighs

    def learn_weighted(self, rows: Iterable[LabelledRows]) -> None:
        """Learn what remains to be learned, from the training rows with their final weights."""
        if self._learns_at_once:
            return
        total = 0.0

        def parts() -> Iterator[Arrays]:
            nonlocal total
            for part in rows:
                self.targets.add_totals(part.y, part.weight)
                if self._in_blocks and part.weight is not None:
                    with np.errstate(over="ignore"):  # an infinite total is an error below
                        total += float(part.weight.sum(dtype=np.float64))
                yield part.X, part.weight

        for X, weight in self._pieces(parts()):
            self._add_moments(X, weight)
        if self._in_blocks:
            check_total(total)

    def _pieces(self, parts: Iterable[Arrays]) -> Iterable[Arrays]:
        """Divide blocks into pieces that give the same moments as all rows at once.

        The next block is read meanwhile.
        """
        if not self._in_blocks:
            return parts
        return (piece for piece, _ in rechunk(read_ahead(parts), MOMENTS_ROWS))

    def _add_moments(self, X: Matrix, weight: NDArray[Any] | None) -> None:
        if not self._norm:
            return
        if self.moments is None:
            self.moments = Moments.empty(X.shape[1], missing=self._may_miss, ranges=True)
        self.moments.update(X, weight)
