"""Checks of the rows that a user passes to the trainer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from numpy.typing import ArrayLike

from .._core import checks as check
from .._core.csrc import all_finite
from .._core.labels import Labels, weights
from .._data.blocks import Block, Blocks
from ..network import Network

RowsAndLabels = tuple[check.Matrix, Labels]


def check_rows(
    network: Network, X: Any, y: ArrayLike, sample_weight: ArrayLike | None
) -> RowsAndLabels:
    """Check training rows and their labels.

    Raises
    ------
    TypeError, ValueError
        If there are no rows, or they do not fit the network or are not finite.
    """
    X = network.check_rows(X)
    if X.shape[0] == 0:
        raise ValueError(f"X must have at least 1 row, got shape {X.shape}")
    labels = network.check_labels(y, sample_weight, X.shape[0])
    # check_labels has checked targets, but not label rows: their loss may be wanted in any case.
    if network.output == "softmax" and labels.L is not None and not all_finite(labels.L):
        raise ValueError("y must be finite")
    return X, labels


class CheckedBlocks:
    """Blocks of rows given by the user, checked for a network as they are iterated.

    Parameters
    ----------
    network : Network
        Network to train.
    blocks : iterable of (X, y) or (X, y, sample_weight)
        Blocks of rows; see :class:`dnncore._data.blocks.Blocks`.
    """

    def __init__(self, network: Network, blocks: Iterable[Any]) -> None:
        self._network, self._blocks = network, Blocks(blocks)

    @property
    def n_rows(self) -> int | None:
        return self._blocks.n_rows

    def __iter__(self) -> Iterator[RowsAndLabels]:
        for block in self._blocks:
            yield self._check(block)

    def _check(self, block: Block) -> RowsAndLabels:
        with block.checks(may_miss=self._network.missing is not None):
            X, labels = check_rows(self._network, block.X, block.y, None)
            if block.sample_weight is None:
                return X, labels
            # The weights of a block may all be zero: other blocks may have positive ones.
            weight = weights(block.sample_weight, block.n_rows, X.dtype, may_be_zero=True)
            return X, replace(labels, weight=weight)
