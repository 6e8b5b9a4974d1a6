"""The boundary of the trainer: rows as a user gives them, checked for a network."""

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

Rows = tuple[check.Matrix, Labels]


def check_rows(network: Network, X: Any, y: ArrayLike, sample_weight: ArrayLike | None) -> Rows:
    """Rows to train a network on, and their labels.

    Raises
    ------
    TypeError, ValueError
        If there are none, or they do not fit the network, or are not finite.
    """
    X = network.check_rows("X", X)
    if X.shape[0] == 0:
        raise ValueError(f"X must have at least 1 row, got shape {X.shape}")
    labels = network.check_labels(y, sample_weight, X.shape[0])
    # Targets have been checked; label rows, whose loss may be wanted nevertheless, have not.
    if network.output == "softmax" and labels.L is not None and not all_finite(labels.L):
        raise ValueError("y must be finite")
    return X, labels


class CheckedBlocks:
    """Blocks of rows as a user gives them; iteration gives them checked for a network.

    Parameters
    ----------
    network : Network
    blocks : iterable
        Of (X, y) or (X, y, sample_weight); see :class:`dnncore._data.blocks.Blocks`.
    """

    def __init__(self, network: Network, blocks: Iterable[Any]) -> None:
        self._network, self._blocks = network, Blocks(blocks)

    def __iter__(self) -> Iterator[Rows]:
        for block in self._blocks:
            yield self._check(block)

    def _check(self, block: Block) -> Rows:
        try:
            with block.faults():
                X, labels = check_rows(self._network, block.X, block.y, None)
        except (TypeError, ValueError):
            # If X is not finite, that is the news, told by the place in the user's file.
            block.check_finite(may_miss=self._network.missing is not None)
            raise
        if block.sample_weight is None:
            return X, labels
        with block.faults():
            # All zero in this block is no error: other blocks may have weights.
            weight = weights(block.sample_weight, block.n_rows, X.dtype, may_be_zero=True)
        return X, replace(labels, weight=weight)
