"""What is timed: networks, data and initial weights, the same for every contender."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby, pairwise

import numpy as np
from numpy.typing import NDArray

LEARNING_RATE = {"momentum": 0.01, "adam": 0.001}
MOMENTUM = 0.9
# Smaller than the usual 1e-8: PyTorch adds epsilon elsewhere in the formula than the others, and
# with the usual one that is seen in the losses.
BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-10


@dataclass(frozen=True, kw_only=True)
class Problem:
    """A network (Affine, Sigmoid, ..., Affine, Softmax) and its initial weights.

    Attributes
    ----------
    layer_sizes : tuple of int
    dtype : {'float32', 'float64'}
    threads : int
    weight_scale : float
        Times the bound of Glorot and Bengio for the logistic function.
    """

    layer_sizes: tuple[int, ...]
    dtype: str = "float32"
    threads: int = 1
    weight_scale: float = 1.0

    @property
    def name(self) -> str:
        """The layer sizes, as in ``440-1024x3-1936``."""
        runs = [(size, len(list(run))) for size, run in groupby(self.layer_sizes)]
        # Two equal layers are as short written out.
        return "-".join(f"{s}x{n}" if n > 2 else "-".join([str(s)] * n) for s, n in runs)

    @property
    def n_weights(self) -> int:
        return sum(k * m for k, m in pairwise(self.layer_sizes))

    def weights(self) -> tuple[list[NDArray], list[NDArray]]:
        """Weights (n_in, n_out) and biases (n_out,). float64 ones hold the float32 values."""
        random = np.random.default_rng(1)
        coefs, intercepts = [], []
        for k, m in pairwise(self.layer_sizes):
            bound = self.weight_scale * np.sqrt(2.0 / (k + m))
            for arrays, shape in ((coefs, (k, m)), (intercepts, (m,))):
                values = random.uniform(-bound, bound, shape)
                arrays.append(values.astype(np.float32).astype(self.dtype))
        return coefs, intercepts

    def rows(self, n: int) -> NDArray:
        """Standardised features (n, n_features)."""
        X = np.random.default_rng(2).standard_normal((n, self.layer_sizes[0]), np.float32)
        return X.astype(self.dtype)


@dataclass(frozen=True, kw_only=True)
class Training(Problem):
    """Epochs of mini-batches, in the order of the rows.

    Attributes
    ----------
    batch_size : int
    steps : int
        Mini-batches an epoch, all of them full.
    solver : {'momentum', 'adam'}
    alpha : float
        L2 penalty; 0 wherever contenders are compared.
    sample_weight : bool
        Whether rows are weighted; not where contenders are compared.
    """

    batch_size: int
    steps: int
    solver: str = "momentum"
    alpha: float = 0.0
    sample_weight: bool = False

    @property
    def learning_rate(self) -> float:
        return LEARNING_RATE[self.solver]

    @property
    def flop_per_step(self) -> int:
        """Of the matrix products: two a weight and row forward, four backward.

        The first layer needs no gradient of its input.
        """
        first = self.layer_sizes[0] * self.layer_sizes[1]
        return 2 * self.batch_size * (3 * self.n_weights - first)

    def data(self) -> tuple[NDArray, NDArray[np.int64]]:
        """Rows X (steps * batch_size, n_features) and labels y: a noisy linear teacher's."""
        X = self.rows(self.steps * self.batch_size)
        random = np.random.default_rng(3)
        teacher = random.standard_normal((X.shape[1], self.layer_sizes[-1]))
        # In float64, so that no process's BLAS decides differently between two near classes.
        scores = X.astype(np.float64) @ teacher / np.sqrt(X.shape[1])
        return X, (scores + random.gumbel(size=scores.shape)).argmax(axis=1)

    def row_weights(self) -> NDArray | None:
        """Weights (n,) of the rows, if they are weighted."""
        if not self.sample_weight:
            return None
        n = self.steps * self.batch_size
        return np.random.default_rng(4).uniform(0.5, 1.5, n).astype(self.dtype)


@dataclass(frozen=True, kw_only=True)
class Scoring(Problem):
    """Class probabilities of `n_rows` rows a call."""

    n_rows: int

    def data(self) -> NDArray:
        return self.rows(self.n_rows)
