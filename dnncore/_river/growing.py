"""A network and its trainer that grow with a stream."""

from __future__ import annotations

import math
import warnings
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._core import checks as check
from ..network import Network
from ..training import SGD, Adam, DivergenceWarning, Trainer
from .rows import no_moments, read_row, standardise, update_moments


class GrowingNetwork:
    """A network of float32 whose inputs and outputs grow with the features and targets of a stream.

    A new feature takes a column that is still free. If there is none, the network is replaced by
    one with twice the number of columns, so that this is rare. Weights that are new are initial
    weights, and the solver's state of these is 0; all others are kept. A missing value, or one of a
    free column, is 0 after standardisation: such an input contributes nothing and learns nothing.

    Parameters
    ----------
    hidden_layer_sizes : int or sequence of int
        Number of units in each hidden layer.
    activation, output : str
        Activation function of the hidden layers, and output function.
    solver : SGD or Adam
        Solver for the weights.
    norm : bool
        Whether to standardise the features by their running moments.
    max_grad_norm : float or None
        Largest norm of the gradient of a step.
    seed : int or None
        Seed of the initial weights.

    Attributes
    ----------
    columns : dict from feature to int
        Columns of the features.
    moments : array of shape (n_columns, 6)
        Running moments of the columns; see :mod:`dnncore._river.rows`.
    trainer : Trainer or None
        Trainer of the network; None before the first row.
    """

    def __init__(
        self,
        hidden_layer_sizes: int | Sequence[int],
        *,
        activation: str,
        output: str,
        solver: SGD | Adam,
        norm: bool,
        max_grad_norm: float | None,
        seed: int | None,
    ) -> None:
        self._hidden = check.hidden_sizes("hidden_layer_sizes", hidden_layer_sizes)
        self._norm = norm
        self._activation, self._output = activation, output
        self._solver, self._max_grad_norm = solver, max_grad_norm
        self._random = np.random.RandomState(seed)
        self.columns: dict[Hashable, int] = {}
        self.trainer: Trainer | None = None
        self._set_columns(no_moments(0))

    def learn_row(self, x: Mapping[Any, Any], n_outputs: int) -> NDArray[np.float32]:
        """Return a row for a step, after learning its features and moments.

        The network then has `n_outputs` outputs. The row is valid until the next call.
        """
        if not read_row(x, self.columns, self._values) or self.n_outputs != n_outputs:
            self._grow(x, n_outputs)
            read_row(x, self.columns, self._values)
        if self._norm:
            update_moments(self._values, self.moments)
        standardise(self._values, self.moments, self._row)
        return self._row

    def outputs(self, x: Mapping[Any, Any]) -> NDArray[np.float32]:
        """Return the outputs (n_outputs,) for a row, whose unknown features are ignored."""
        assert self.trainer is not None
        read_row(x, self.columns, self._values)
        standardise(self._values, self.moments, self._row)
        outputs: NDArray[np.float32] = self.trainer.forward(self._row)
        return outputs

    def learn_rows(
        self, features: Sequence[Hashable], X: NDArray[np.float64], n_outputs: int
    ) -> NDArray[np.float32]:
        """Return rows (n, n_columns) for a step, as :meth:`learn_row` does for one."""
        _check_finite(X)
        self._grow(features, n_outputs)
        values = self._with_columns(features, X)
        if self._norm:
            update_moments(values, self.moments)
        return self._standardised(values)

    def logits(self, features: Sequence[Hashable], X: NDArray[np.float64]) -> NDArray[np.float32]:
        """Return the logits (n, n_outputs) for rows, whose unknown features are ignored."""
        assert self.trainer is not None
        _check_finite(X)
        rows = self._standardised(self._with_columns(features, X))
        return self.trainer.network.logits(rows, n_threads=1, engine="builtin")

    def step(self, rows: NDArray[np.float32], y: Any) -> None:
        """Make one step on learnt rows: one, or a mini-batch.

        A step to a network, or to a state of the solver, that is not finite is undone, with a
        warning: no later row would mend it.
        """
        trainer = self.trainer
        assert trainer is not None
        before = trainer.snapshot()
        loss = trainer.learn_one(rows, y) if rows.ndim == 1 else trainer.step(rows, y)
        if not (math.isfinite(loss) and trainer.is_finite()):
            trainer.restore(before)
            advice = "max_grad_norm" if self._norm else "norm=True, max_grad_norm"
            warnings.warn(
                "training diverged: the loss or a parameter is not finite. The step is undone. "
                f"Try {advice} or a learning rate below {trainer.learning_rate:g}.",
                DivergenceWarning,
                stacklevel=3,
            )

    @property
    def n_outputs(self) -> int:
        """Number of outputs; 0 before the first row."""
        return 0 if self.trainer is None else self.trainer.network.layer_sizes[-1]

    # --------------------------------------------------------------------------------------

    def _with_columns(
        self, features: Sequence[Hashable], X: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Return the values of n rows in their columns, as one vector (n n_columns,)."""
        known = [i for i, feature in enumerate(features) if feature in self.columns]
        values = np.full((len(X), len(self.moments)), np.nan)
        values[:, [self.columns[features[i]] for i in known]] = X[:, known]
        return values.reshape(-1)

    def _standardised(self, values: NDArray[np.float64]) -> NDArray[np.float32]:
        rows = np.empty(values.size, np.float32)
        standardise(values, self.moments, rows)
        return rows.reshape(-1, len(self.moments))

    def _set_columns(self, moments: NDArray[np.float64]) -> None:
        self.moments = moments
        self._values = np.empty(len(moments))
        self._row = np.empty(len(moments), np.float32)

    def _grow(self, features: Iterable[Hashable], n_outputs: int) -> None:
        """Give a column to each feature, and the network its outputs."""
        # In an order that does not depend on that of the features in the row.
        for feature in sorted(set(features) - self.columns.keys(), key=repr):
            self.columns[feature] = len(self.columns)
        n_columns, needed = len(self.moments), max(1, len(self.columns))
        if needed > n_columns:
            moments = no_moments(max(needed, 2 * n_columns))
            moments[:n_columns] = self.moments
            self._set_columns(moments)
        if n_columns != len(self.moments) or n_outputs != self.n_outputs:
            self.trainer = self._larger_trainer(n_outputs)

    def _larger_trainer(self, n_outputs: int) -> Trainer:
        network = Network(
            (len(self.moments), *self._hidden, n_outputs), dtype=np.float32, seed=self._random,
            activation=self._activation, output=self._output,
        )  # fmt: skip
        # With the engine 'builtin', a row has the same outputs alone and among others.
        trainer = Trainer(
            network, self._solver, alpha=0.0, seed=0, n_threads=1, engine="builtin",
            max_grad_norm=self._max_grad_norm,
        )  # fmt: skip
        if self.trainer is not None:
            old, state = self.trainer.network, self.trainer.state_dict()
            _copy_parameters(old, old.parameters, network, network.parameters)
            vectors = [np.zeros_like(network.parameters) for _ in state["vectors"]]
            for smaller, larger in zip(state["vectors"], vectors, strict=True):
                _copy_parameters(old, smaller, network, larger)
            trainer.load_state_dict(state | {"vectors": vectors})
        return trainer


def _check_finite(X: NDArray[np.float64]) -> None:
    if (np.abs(X) > np.finfo(np.float32).max).any():
        raise ValueError("X must be finite in float32")


def _copy_parameters(
    old: Network, old_vector: NDArray[Any], new: Network, new_vector: NDArray[Any]
) -> None:
    """Copy a vector with the layout of one network's parameters to that of a larger one."""
    for smaller, larger in zip(old.views(old_vector), new.views(new_vector), strict=True):
        for source, target in zip(smaller, larger, strict=True):
            target[tuple(map(slice, source.shape))] = source
