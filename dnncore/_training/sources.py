"""The sources of training rows: arrays in memory, or blocks that are read one by one."""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from collections.abc import Generator, Iterable, Iterator
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from .._core.checks import Matrix
from .._core.labels import Labels
from .._data.blocks import permutation, read_ahead, rechunk


class Piece(NamedTuple):
    """Rows to train on, in a given order.

    Attributes
    ----------
    X : array or CSR matrix of shape (n, n_features)
        Rows in memory.
    label, L, weight : arrays or None
        As in :class:`dnncore._core.labels.Labels`.
    order : intp array of shape (n_rows,) or None
        Indices of the rows to train on; None for all rows from the first to the last.
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
        """Iterate over chunks of `rows` rows of X, in order, and their labels.

        Chunks with a total weight of zero are skipped.
        """
        labels = Labels(self.label, self.L, self.weight, 0.0)
        for start in range(0, self.n_rows, rows):
            chunk: Any = slice(start, start + rows)
            if self.order is not None:
                chunk = self.order[chunk]
            part = labels.take(chunk)
            if part.total > 0.0:
                yield self.X[chunk], part


Pieces = Generator[Piece, None, None]


class Source(Protocol):
    """Interface of a source of training rows.

    Attributes
    ----------
    max_rows : int
        Upper limit of the number of rows.
    n_rows : int or None
        Number of rows, if it is known yet.
    """

    max_rows: int

    @property
    def n_rows(self) -> int | None: ...

    def pieces(self, multiple: int, rng: np.random.Generator | None) -> Pieces:
        """Iterate over all rows once, in pieces.

        The number of rows of each piece but the last is a multiple of `multiple`. With `rng`, rows
        that are in memory together are shuffled.
        """
        ...


class RemoteRows(ABC):
    """Training rows that are not in this process, such as those on the workers of a cluster.

    They are a source for the loop over epochs too, but train on themselves.

    Attributes
    ----------
    n_steps : int
        Number of steps of an epoch.
    """

    n_steps: int

    @abstractmethod
    def train_epoch(
        self, optimizer: Any, end: float, rates: NDArray[np.float64] | None
    ) -> tuple[float, int]:
        """Train for one epoch, as :meth:`dnncore._training.optimizer.Optimizer._train_epoch`."""

    @abstractmethod
    def gradient_sums(self, optimizer: Any, parameters: NDArray[Any]) -> Any:
        """Return the :class:`~dnncore._training.gradients.GradientSums` of all rows."""

    @abstractmethod
    def loss(self, optimizer: Any) -> float:
        """Return the loss of the current parameters on all rows, including the penalty."""


class ArraySource:
    """Source of rows that are all in memory.

    Parameters
    ----------
    X, labels
        Checked rows and labels; see :meth:`dnncore.Network.check_rows` and ``check_labels``.
    rows : intp array of shape (n_rows,), default=None
        Indices of the rows to train on; by default all. Several sources share X in this way.
    """

    def __init__(self, X: Matrix, labels: Labels, rows: NDArray[np.intp] | None = None) -> None:
        self.X, self.labels, self._rows = X, labels, rows
        self.max_rows: int = X.shape[0] if rows is None else len(rows)
        self.n_rows = self.max_rows

    def pieces(self, multiple: int, rng: np.random.Generator | None) -> Pieces:
        order = permutation(self.max_rows, rng)
        if self._rows is not None:
            order = self._rows if order is None else self._rows[order]
        yield Piece(self.X, *_arrays(self.labels), order)


class BlockSource:
    """Source of rows in blocks; the next block is read while the current one is trained on.

    Parameters
    ----------
    blocks : iterable of (X, labels)
        Checked blocks. Every iteration must give the same rows; the iterable checks them again
        each time. It may have an attribute `n_rows`: their number, or None before it is known.
    """

    max_rows = sys.maxsize

    def __init__(self, blocks: Iterable[tuple[Matrix, Labels]]) -> None:
        self._blocks = blocks

    @property
    def n_rows(self) -> int | None:
        return getattr(self._blocks, "n_rows", None)

    def pieces(self, multiple: int, rng: np.random.Generator | None) -> Pieces:
        arrays = ((X, *_arrays(labels)) for X, labels in self._blocks)
        for rows, order in rechunk(read_ahead(arrays), multiple, rng):
            X, label, L, weight = rows
            yield Piece(X, label, L, weight, order)


def _arrays(labels: Labels) -> tuple[Any, Any, Any]:
    return labels.label, labels.L, labels.weight
