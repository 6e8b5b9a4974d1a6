"""Where the trainer takes its rows from: arrays in memory, or blocks that are read one by one."""

from __future__ import annotations

import sys
from collections.abc import Generator, Iterable, Iterator
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from .._core.checks import Matrix
from .._core.labels import Labels
from .._data.blocks import permutation, read_ahead, rechunk


class Piece(NamedTuple):
    """Rows to go through, in an order.

    Attributes
    ----------
    X : array or CSR matrix (n, n_features)
    label, L, weight : arrays or None
        As in :class:`dnncore._core.labels.Labels`.
    order : intp array (n_rows,) or None
        Which rows, one after another; None: all, from the first to the last.
    """

    X: Matrix
    label: NDArray[np.intp] | None
    L: NDArray[Any] | None
    weight: NDArray[Any] | None
    order: NDArray[np.intp] | None

    @property
    def n_rows(self) -> int:
        return int(self.X.shape[0] if self.order is None else self.order.shape[0])

    def chunks(self, rows: int) -> Iterator[tuple[Matrix, Labels]]:
        """Rows of X from the first to the last, so many at a time, and their labels; passing over
        those that have no weight."""
        labels = Labels(self.label, self.L, self.weight, 0.0)
        for start in range(0, self.X.shape[0], rows):
            chunk = slice(start, start + rows)
            part = labels.take(chunk)
            if part.total > 0.0:
                yield self.X[chunk], part


Pieces = Generator[Piece, None, None]


class Source(Protocol):
    """Rows to train on.

    Attributes
    ----------
    most_rows : int
        How many there can be.
    """

    most_rows: int

    def pieces(self, multiple: int, rng: np.random.Generator | None) -> Pieces:
        """All rows once, in pieces that are a multiple of so many rows, but for the last.

        With `rng` the rows that lie together in memory are shuffled.
        """
        ...


class ArraySource:
    """All rows at once, in memory.

    Parameters
    ----------
    X, labels
        Checked; see :meth:`dnncore.Network.check_rows` and ``check_labels``.
    """

    def __init__(self, X: Matrix, labels: Labels) -> None:
        self.X, self.labels = X, labels
        self.most_rows: int = X.shape[0]

    def pieces(self, multiple: int, rng: np.random.Generator | None) -> Pieces:
        yield Piece(self.X, *_arrays(self.labels), permutation(self.most_rows, rng))


class BlockSource:
    """Rows that come in blocks, the next of which is read while one is trained on.

    Parameters
    ----------
    blocks : iterable
        Each iteration gives ``(X, labels)``, checked, block by block, the same rows every time.
        What goes through them again and again is the source; what checks them is the iterable.
    """

    most_rows = sys.maxsize

    def __init__(self, blocks: Iterable[tuple[Matrix, Labels]]) -> None:
        self._blocks = blocks

    def pieces(self, multiple: int, rng: np.random.Generator | None) -> Pieces:
        arrays = ((X, *_arrays(labels)) for X, labels in self._blocks)
        for rows, order in rechunk(read_ahead(arrays), multiple, rng):
            X, label, L, weight = rows
            yield Piece(X, label, L, weight, order)


def _arrays(labels: Labels) -> tuple[Any, Any, Any]:
    return labels.label, labels.L, labels.weight
