"""Layout of the weights and biases in the parameter vector of a network."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

# The variance of the initial weights, times n_in, for the activations that scikit-learn does not
# have: that of LeCun et al. (1998), with which selu keeps the variance of its inputs, and that of
# He et al. (2015).
GAIN = {"selu": 1.0, "silu": 2.0, "gelu": 2.0, "mish": 2.0}


class ParameterLayout:
    """``W_1`` (row-major), ``b_1``, ``W_2``, ..., concatenated.

    Parameters
    ----------
    layer_sizes : tuple of int
        Numbers of inputs, hidden units of each layer, and outputs.

    Attributes
    ----------
    size : int
        Number of weights and biases.
    """

    def __init__(self, layer_sizes: tuple[int, ...]) -> None:
        self._shapes = tuple(pairwise(layer_sizes))
        self.size = sum((k + 1) * m for k, m in self._shapes)

    def views(self, flat: NDArray[Any]) -> tuple[list[NDArray[Any]], list[NDArray[Any]]]:
        """Return the weights (n_in, n_out) and biases (n_out,) as views of a vector (size,)."""
        coefs, intercepts, start = [], [], 0
        for k, m in self._shapes:
            coefs.append(flat[start : start + k * m].reshape(k, m))
            intercepts.append(flat[start + k * m : start + (k + 1) * m])
            start += (k + 1) * m
        return coefs, intercepts

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
