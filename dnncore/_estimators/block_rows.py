"""Blocks of rows, checked as they are read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._core.checks import Matrix
from .._core.labels import Labels, weights
from .._data.blocks import Block, Blocks
from .rows import CheckedRows, LabelledRows, RowChecker, labelled
from .targets import TargetLearner, Targets


class BlockRows:
    """The blocks given by the user as checked rows; every iteration reads them again.

    Parameters
    ----------
    blocks : iterable of (X, y) or (X, y, sample_weight)
        Blocks of rows.
    checker : RowChecker
        Checker of each block.
    """

    def __init__(self, blocks: Iterable[Any], checker: RowChecker) -> None:
        self._blocks, self._checker = Blocks(blocks), checker

    @property
    def n_rows(self) -> int | None:
        """Number of rows, once they have been read."""
        return self._blocks.n_rows

    def __iter__(self) -> Iterator[CheckedRows]:
        for block in self._blocks:
            yield checked_block(block, self._checker)


def checked_block(block: Block, checker: RowChecker) -> CheckedRows:
    """Return the checked rows of a block."""
    # Arrays of floats are checked for NaN and infinity here, so that the error names the row.
    ours = isinstance(block.X, np.ndarray) and block.X.dtype.kind == "f"
    with block.checks(may_miss=checker.may_miss):
        X, y = checker.X_y(block.X, block.y, finite=not ours)
        weight = _weight(block, X.dtype)
    if ours:
        block._replace(X=X).check_finite(may_miss=checker.may_miss)
    return CheckedRows(X, y, weight, block)


def _weight(block: Block, dtype: np.dtype[Any]) -> NDArray[Any] | None:
    if block.sample_weight is None:
        return None
    return weights(block.sample_weight, block.n_rows, dtype, may_be_zero=True)


class LabelledBlocks:
    """Blocks of training rows with encoded targets: a source of pairs of X and labels.

    Parameters
    ----------
    rows : BlockRows
        Checked rows.
    targets : Targets
        Encoding of the targets.
    learner : TargetLearner
        Source of the class weights.
    """

    def __init__(self, rows: BlockRows, targets: Targets, learner: TargetLearner) -> None:
        self._rows, self._targets, self._learner = rows, targets, learner

    @property
    def n_rows(self) -> int | None:
        return self._rows.n_rows

    def rows(self) -> Iterator[LabelledRows]:
        """Read the blocks once more."""
        for rows in self._rows:
            with rows.faults():
                y = self._targets.check("y", rows.y)
            yield labelled(replace(rows, y=y), self._targets, self._learner)

    def __iter__(self) -> Iterator[tuple[Matrix, Labels]]:
        for rows in self.rows():
            yield rows.X, Labels.of(rows.labels, rows.weight, scaled=False)
