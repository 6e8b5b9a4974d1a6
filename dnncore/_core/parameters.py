"""Layout of the parameters in the parameter vector of a network."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .piecewise_linear import EmbeddingParameters, PiecewiseLinear

# The variance of the initial weights, times n_in, for the activations that scikit-learn does not
# have: that of LeCun et al. (1998), with which selu keeps the variance of its inputs, and that of
# He et al. (2015).
GAIN = {"selu": 1.0, "silu": 2.0, "gelu": 2.0, "mish": 2.0}


class ParameterLayout:
    """The parameters of the embedding, ``W_1`` (row-major), ``b_1``, ``W_2``, ..., concatenated.

    Parameters
    ----------
    layer_sizes : tuple of int
        Numbers of inputs, hidden units of each layer, and outputs.
    embedding : PiecewiseLinear or None, default=None
        Embedding of the inputs; its parameters are s, V (size-major) and c.

    Attributes
    ----------
    size : int
        Number of parameters.
    """

    def __init__(
        self, layer_sizes: tuple[int, ...], embedding: PiecewiseLinear | None = None
    ) -> None:
        self._shapes = tuple(pairwise(layer_sizes))
        self._embedding = embedding
        self._start = 0 if embedding is None else embedding.n_parameters
        self.size = self._start + sum((k + 1) * m for k, m in self._shapes)

    def views(self, flat: NDArray[Any]) -> tuple[list[NDArray[Any]], list[NDArray[Any]]]:
        """Return the weights (n_in, n_out) and biases (n_out,) as views of a vector (size,)."""
        coefs, intercepts, start = [], [], self._start
        for k, m in self._shapes:
            coefs.append(flat[start : start + k * m].reshape(k, m))
            intercepts.append(flat[start + k * m : start + (k + 1) * m])
            start += (k + 1) * m
        return coefs, intercepts

    def embedding_views(self, flat: NDArray[Any]) -> EmbeddingParameters | None:
        """Return the parameters of the embedding as views of a vector (size,)."""
        return None if self._embedding is None else self._embedding.views(flat)

    def initialise(
        self, flat: NDArray[Any], activation: str, random: np.random.RandomState
    ) -> None:
        """Draw initial weights and biases; see the notes of :class:`dnncore.Network`."""
        for W, b in zip(*self.views(flat), strict=True):
            n_in, n_out = W.shape
            if activation in GAIN:
                bound = np.sqrt(3.0 * GAIN[activation] / n_in)
                W[...], b[...] = random.uniform(-bound, bound, W.shape), 0.0
                continue
            bound = np.sqrt((2.0 if activation == "logistic" else 6.0) / (n_in + n_out))
            W[...] = random.uniform(-bound, bound, W.shape)
            b[...] = random.uniform(-bound, bound, b.shape)
        if self._embedding is not None:
            self._embedding.initialise(flat, random)
