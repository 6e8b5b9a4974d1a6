"""The recipe of a network for tables: its form, its initial weights, and how it is trained.

The ingredients are those of RealMLP (Holzmueller, Grinsztajn and Steinwart 2024) that pay for an
ensemble (`benchmarks/ablation.py`): learning rates that follow from the width of a layer, a
learnt scale of every input, 'coslog4', decoupled weight decay; and a piecewise-linear embedding
of the numbers (Gorishniy, Rubachev and Babenko 2022).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._core.piecewise_linear import PiecewiseLinear
from ..network import Network
from .solvers import AdamW
from .trainer import Trainer

# Factors of the learning rate.
BIAS_RATE = 0.1
SCALE_RATE = 6.0
SCHEDULE = "coslog4"
BETA_2 = 0.95  # the rate changes quickly, and so must the estimate of the squared gradient

# Fractions of a fit at which 'coslog4' has a rate of 0: the ends of its cycles.
CYCLE_ENDS = tuple((2**k - 1) / 15 for k in (1, 2, 3))


@dataclass(frozen=True)
class Recipe:
    """A network for tables, and the settings of its training.

    Attributes
    ----------
    hidden_layer_sizes : tuple of int
    activation : str
    n_bins : int
        Number of bins of the embedding of a number; 0: numbers are not embedded.
    embedding_size : int
        Number of outputs of the embedding of a number.
    learning_rate : float
        Largest learning rate of a weight, times the square root of the inputs of its layer.
    weight_decay : float
        Decoupled weight decay.
    dropout : float
        Probability that an output of a hidden layer is dropped.
    max_grad_norm : float or None
        Largest norm of the gradient of a step.
    batch_size : int
        Number of rows per mini-batch.
    """

    hidden_layer_sizes: tuple[int, ...]
    activation: str
    n_bins: int
    embedding_size: int
    learning_rate: float
    weight_decay: float
    dropout: float
    max_grad_norm: float | None
    batch_size: int

    def network(
        self, X: NDArray[Any], n_numeric: int, n_outputs: int, output: str, seed: int
    ) -> Network:
        """Return a network for rows like those of X, of which the first columns are numbers."""
        embedding = PiecewiseLinear.from_rows(
            X, n_numeric if self.n_bins else 0, max(1, self.n_bins), self.embedding_size
        )
        sizes = (embedding.n_outputs, *self.hidden_layer_sizes, n_outputs)
        network = Network(
            sizes, dtype=X.dtype, seed=seed, activation=self.activation, output=output,
            embedding=embedding,
        )  # fmt: skip
        random = np.random.RandomState(seed)
        for W, b in zip(network.coefs_, network.intercepts_, strict=True):
            W[...] = random.standard_normal(W.shape) / np.sqrt(W.shape[0])
            b[...] = random.standard_normal(b.shape)
        network.intercepts_[-1][...] = 0.0
        return network

    def trainer(self, network: Network, seed: int) -> Trainer:
        """Return a trainer of a network that :meth:`network` has created."""
        solver = AdamW(
            self.learning_rate,
            beta_2=BETA_2,
            schedule=SCHEDULE,
            weight_decay=self.weight_decay,
        )
        trainer = Trainer(
            network, solver, alpha=0.0, batch_size=self.batch_size, seed=seed, n_threads=1,
            engine="builtin",
        )  # fmt: skip
        # The weight decay is relative to the rate of the solver, not to that of the layer.
        widths = [np.sqrt(W.shape[0]) for W in network.coefs_]
        trainer.configure(
            solver, alpha=0.0, batch_size=self.batch_size, n_threads=1, engine="builtin",
            dropout=self.dropout, max_grad_norm=self.max_grad_norm,
            layer_factors=[
                (SCALE_RATE, 1.0, 0.0), *((1.0 / width, BIAS_RATE, width) for width in widths)
            ],
        )  # fmt: skip
        return trainer
