"""The benchmark problems: networks, data and initial weights, the same for all contenders."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby, pairwise

import numpy as np
from numpy.typing import NDArray

LEARNING_RATE = {"momentum": 0.01, "adam": 0.001}
MOMENTUM = 0.9
# Smaller than the usual 1e-8: PyTorch adds epsilon at a different place in the formula, which is
# visible in the losses with the usual value.
BETA_1, BETA_2, EPSILON = 0.9, 0.999, 1e-10


@dataclass(frozen=True, kw_only=True)
class Problem:
    """A network (Affine, Sigmoid, ..., Affine, Softmax) and its initial weights.

    Attributes
    ----------
    layer_sizes : tuple of int
        Numbers of inputs, hidden units of each layer, and outputs.
    dtype : {'float32', 'float64'}
        Data type of weights and rows.
    threads : int
        Number of threads.
    weight_scale : float
        Range of the initial weights, as a multiple of the bound of Glorot and Bengio for the
        logistic function.
    """

    layer_sizes: tuple[int, ...]
    dtype: str = "float32"
    threads: int = 1
    weight_scale: float = 1.0

    @property
    def name(self) -> str:
        """The layer sizes, for example ``440-1024x3-1936``."""
        runs = [(size, len(list(run))) for size, run in groupby(self.layer_sizes)]
        # Two equal layers are written out, which is no longer.
        return "-".join(f"{s}x{n}" if n > 2 else "-".join([str(s)] * n) for s, n in runs)

    @property
    def n_weights(self) -> int:
        return sum(k * m for k, m in pairwise(self.layer_sizes))

    def weights(self) -> tuple[list[NDArray], list[NDArray]]:
        """Return weights (n_in, n_out) and biases (n_out,), with the same values in both dtypes."""
        random = np.random.default_rng(1)
        coefs, intercepts = [], []
        for k, m in pairwise(self.layer_sizes):
            bound = self.weight_scale * np.sqrt(2.0 / (k + m))
            for arrays, shape in ((coefs, (k, m)), (intercepts, (m,))):
                values = random.uniform(-bound, bound, shape)
                arrays.append(values.astype(np.float32).astype(self.dtype))
        return coefs, intercepts

    def rows(self, n: int) -> NDArray:
        """Return standardised features (n, n_features)."""
        X = np.random.default_rng(2).standard_normal((n, self.layer_sizes[0]), np.float32)
        return X.astype(self.dtype)


@dataclass(frozen=True, kw_only=True)
class Training(Problem):
    """Training epochs of mini-batches, in the order of the rows.

    Attributes
    ----------
    batch_size : int
        Number of rows per mini-batch.
    steps : int
        Number of mini-batches per epoch, all of them full.
    solver : {'momentum', 'adam'}
        SGD with momentum, or Adam.
    alpha : float
        L2 penalty; 0 in comparisons of contenders.
    sample_weight : bool
        Whether rows are weighted; False in comparisons of contenders.
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
        """Floating-point operations of the matrix products: per weight and row, two in the forward
        and four in the backward pass, except that the first layer needs no gradient of its input.
        """
        first = self.layer_sizes[0] * self.layer_sizes[1]
        return 2 * self.batch_size * (3 * self.n_weights - first)

    def data(self) -> tuple[NDArray, NDArray[np.int64]]:
        """Return rows X (steps * batch_size, n_features) and labels y of a noisy linear teacher."""
        X = self.rows(self.steps * self.batch_size)
        random = np.random.default_rng(3)
        teacher = random.standard_normal((X.shape[1], self.layer_sizes[-1]))
        # In float64, so that rounding by different BLAS libraries cannot change a label.
        scores = X.astype(np.float64) @ teacher / np.sqrt(X.shape[1])
        return X, (scores + random.gumbel(size=scores.shape)).argmax(axis=1)

    def row_weights(self) -> NDArray | None:
        """Return the weights (n,) of the rows, or None."""
        if not self.sample_weight:
            return None
        n = self.steps * self.batch_size
        return np.random.default_rng(4).uniform(0.5, 1.5, n).astype(self.dtype)


@dataclass(frozen=True, kw_only=True)
class Scoring(Problem):
    """Class probabilities of `n_rows` rows per call."""

    n_rows: int

    def data(self) -> NDArray:
        return self.rows(self.n_rows)
