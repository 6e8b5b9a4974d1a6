"""What is learnt of rows before training: their targets, and the moments of X.

Rows in memory are one block of rows. A reading of all rows learns what targets there are. With
the weights that the rows to train on have in the end, another learns the totals of the classes
and the moments of X. Blocks without class weights are read once for both.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._core.checks import Matrix, features_with_nan
from .._core.labels import check_total
from .._core.moments import MOMENTS_ROWS, Moments
from .._data.blocks import Arrays, read_ahead, rechunk
from .rows import CheckedRows, LabelledRows
from .targets import TargetLearner


class RowsLearner:
    """Learns from rows in memory, which are one block, or from blocks that are read.

    Parameters
    ----------
    targets : TargetLearner
    norm : bool
        Whether the moments of X are wanted.
    missing_values : {'error', 'mean', 'indicator'}
        What NaN in X is; for indicators the features that have it are sought.
    in_blocks : bool
        Whether the rows are read, and come in several blocks.

    Attributes
    ----------
    targets : TargetLearner
    moments : Moments or None
        Of X, once the rows to train on have been read; None if they are not wanted.
    features_with_nan : intp array
        Of all rows, known once these have been read, as is `dtype`.
    dtype : numpy.dtype
        Of X.
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
        self._norm, self._in_blocks = norm, in_blocks
        self._may_miss, self._seeks_nan = missing_values != "error", missing_values == "indicator"

    def learn(self, rows: Iterable[CheckedRows]) -> NDArray[Any] | None:
        """Learn what targets there are in all rows.

        Returns those of the last block, checked: of rows in memory, which are one block, all.

        Of blocks without class weights all is then learnt. Rows in memory may yet be split.
        """
        y = None
        at_once = self._learns_at_once

        def parts() -> Iterator[Arrays]:
            nonlocal y
            for part in rows:
                with part.faults():
                    y = self.targets.learn(part.y)
                self.dtype = part.X.dtype
                if self._seeks_nan:
                    self.features_with_nan = np.union1d(
                        self.features_with_nan, features_with_nan(part.X)
                    )
                if at_once:
                    self.targets.add_totals(y, part.sample_weight)
                numbers = None if self.targets.moments is None else y.reshape(len(y), -1)
                yield part.X, numbers, part.sample_weight

        for X, numbers, weight in self._pieces(parts()):
            if at_once:
                self._add_moments(X, weight)
            if self.targets.moments is not None:
                self.targets.moments.update(numbers, weight)
        self.targets.finish()
        return y

    @property
    def _learns_at_once(self) -> bool:
        """Whether all is learnt in one reading: the rows are those to train on, and their weights
        are known."""
        return self._in_blocks and not self.targets.weighs

    def learn_weighted(self, rows: Iterable[LabelledRows]) -> None:
        """Learn from the rows to train on, with the weights that they have in the end, what has not
        been learnt yet."""
        if self._learns_at_once:
            return
        total = 0.0

        def parts() -> Iterator[Arrays]:
            nonlocal total
            for part in rows:
                self.targets.add_totals(part.y, part.weight)
                if part.weight is not None:
                    total += float(part.weight.sum(dtype=np.float64))
                yield part.X, part.weight

        for X, weight in self._pieces(parts()):
            self._add_moments(X, weight)
        if self._in_blocks:
            check_total(total)

    def _pieces(self, parts: Iterable[Arrays]) -> Iterable[Arrays]:
        """In pieces that give the moments of all rows at once, while the next block is read."""
        if not self._in_blocks:
            return parts
        return (piece for piece, _ in rechunk(read_ahead(parts), MOMENTS_ROWS))

    def _add_moments(self, X: Matrix, weight: NDArray[Any] | None) -> None:
        if not self._norm:
            return
        if self.moments is None:
            self.moments = Moments.empty(X.shape[1], missing=self._may_miss)
        self.moments.update(X, weight)
