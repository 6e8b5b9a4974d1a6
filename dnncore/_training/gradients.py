"""Loss and gradient of many rows: sums in a binary tree.

The rows are divided into blocks. An aligned part of the blocks, from k 2^j to (k + 1) 2^j, is a
subtree, so that sums of such parts give the same bits as the sum of all rows.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from .._core.checks import Matrix
from .._core.labels import Labels
from .._core.threads import blas_for, threads_for_training
from .optimizer import Optimizer

MAX_ELEMENTS = 2**20  # of the activations of a block of rows


T = TypeVar("T")


def tree_sum(n: int, value: Callable[[int], T], add: Callable[[T, T], T] = operator.add) -> T:
    """Return ``value(0) + ... + value(n - 1)``, added in a binary tree, for n > 0."""

    def total(first: int, size: int) -> T:
        if size == 1:
            return value(first)
        half = size // 2
        left = total(first, half)
        return left if first + half >= n else add(left, total(first + half, half))

    return total(0, 1 << (n - 1).bit_length())


@dataclass(frozen=True)
class GradientSums:
    """Sums over rows.

    Attributes
    ----------
    loss : float
        Sum of the weighted losses, without the L2 penalty.
    gradient : float64 array of shape (n_parameters,)
        Its gradient.
    weight : float
        Sum of the weights.
    n_rows : int
        Number of rows.
    """

    loss: float
    gradient: NDArray[np.float64]
    weight: float
    n_rows: int

    def __add__(self, other: GradientSums) -> GradientSums:
        return GradientSums(
            self.loss + other.loss,
            self.gradient + other.gradient,
            self.weight + other.weight,
            self.n_rows + other.n_rows,
        )


def rows_of_a_block(layer_sizes: tuple[int, ...]) -> int:
    """Return the number of rows of a block: a power of two."""
    return 1 << (max(1, MAX_ELEMENTS // sum(layer_sizes)).bit_length() - 1)


class RowGradients:
    """Loss and gradient of rows in memory as a function of the parameters.

    Parameters
    ----------
    optimizer : Optimizer
        Optimizer with the network, the loss and the engine.
    X, labels
        Checked rows and labels; there is at least one row.
    """

    def __init__(self, optimizer: Optimizer, X: Matrix, labels: Labels) -> None:
        network = self._network = optimizer.network
        self._X, self._labels, self._engine_name = X, labels, optimizer.engine
        self._rows = min(rows_of_a_block(network.layer_sizes), X.shape[0])
        n_threads = threads_for_training(optimizer._n_threads, self._rows, network.n_parameters)
        # With momentum 0 and rate -1, the velocity that a step leaves is the gradient.
        self._velocity = np.zeros_like(network.parameters)
        csr = optimizer._multiplies_stored(X)
        self._engine = optimizer._bare_engine(self._rows, n_threads, csr=csr)
        self._engine.prepare(
            "momentum", self._velocity, network.parameters, alpha=0.0, loss=optimizer.loss,
            loss_parameters=optimizer._loss_parameters,
        )  # fmt: skip

    def __call__(self, parameters: NDArray[Any]) -> GradientSums:
        """Return the sums for these parameters, which the network then has."""
        n_blocks = -(-self._X.shape[0] // self._rows)
        sums = tree_sum(n_blocks, lambda i: self._of_block(i, parameters))
        self._network.parameters[...] = parameters
        return sums

    def _of_block(self, i: int, parameters: NDArray[Any]) -> GradientSums:
        block = slice(i * self._rows, (i + 1) * self._rows)
        whole = self._rows == self._X.shape[0]
        X, part = (self._X, self._labels) if whole else (self._X[block], self._labels.take(block))
        if part.total == 0.0:
            return GradientSums(0.0, np.zeros(parameters.size), 0.0, X.shape[0])
        self._network.parameters[...] = parameters
        self._velocity[...] = 0.0
        with blas_for(self._engine_name):
            summed, n_rows = self._engine.train_epoch(
                X, part.label, part.L, part.weight, None, rate=-1.0, steps_before=0
            )
        gradient = part.total * self._velocity.astype(np.float64)
        return GradientSums(part.total * (summed / n_rows), gradient, part.total, n_rows)
