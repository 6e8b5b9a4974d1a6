"""Forward and backward pass, layer by layer: every quantity of the derivation is an array."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from .. import kernels
from .._core import checks as check
from .._core.engine import input_rows
from .._core.names import NOT_OF_OUTPUT
from .._core.parameters import ParameterLayout
from .._core.piecewise_linear import EmbeddingParameters, PiecewiseLinear
from .._core.public import set_module


@set_module("dnncore.network")
@dataclass(frozen=True)
class Forward:
    """All quantities of a forward pass over n rows.

    In the derivation, layers count from 1, and a_0 is the input of the first one. The lists count
    from 0; :class:`Trace` has all quantities by the names of the derivation.

    Attributes
    ----------
    a : list of arrays
        ``a[l]`` is a_l: the standardised or embedded input (n, layer_sizes[0]), and the outputs
        of the hidden layers, ``a_l = activation(z_l)``.
    z : list of arrays
        ``z[l - 1]`` is ``z_l = a_{l-1} W_l + b_l``; the last array contains the logits.
    p : array (n, n_outputs)
        Outputs, ``output(z[-1])``.
    X : array or CSR matrix (n, n_features)
        The input rows.
    """

    a: list[NDArray[Any]]
    z: list[NDArray[Any]]
    p: NDArray[Any]
    X: check.Matrix


@set_module("dnncore.network")
@dataclass(frozen=True)
class Gradients:
    """The loss over n rows, and its gradients.

    The lists count from 0, the layers of the derivation from 1, as in :class:`Forward`.

    Attributes
    ----------
    loss : float
        Mean loss, including the L2 penalty. NaN from :meth:`dnncore.Network.backward`, which does
        not know it.
    flat : array (n_parameters,)
        Gradient with respect to ``Network.parameters``, in the same order.
    coefs, intercepts : list of arrays
        Views of `flat` with the shapes of ``Network.coefs_`` and ``Network.intercepts_``:
        ``coefs[l - 1]`` is dW_l, and ``intercepts[l - 1]`` db_l.
    deltas : list of arrays
        ``deltas[l - 1]`` is dz_l, the gradient with respect to ``Forward.z[l - 1]``.
    dx : array (n, n_features)
        Gradient with respect to the input rows, before standardisation or embedding; 0 where a
        value is missing.
    embedding : EmbeddingParameters or None
        Views of `flat` with the shapes of ``Network.embedding_``.
    da : list of arrays
        ``da[l]`` is da_l, the gradient with respect to ``Forward.a[l]``.
    """

    loss: float
    flat: NDArray[Any]
    coefs: list[NDArray[Any]]
    intercepts: list[NDArray[Any]]
    deltas: list[NDArray[Any]]
    dx: NDArray[Any]
    embedding: EmbeddingParameters | None = None
    da: list[NDArray[Any]] = field(default_factory=list)


class Layers(Protocol):
    """What the functions of this folder need of a :class:`dnncore.Network`."""

    layer_sizes: tuple[int, ...]
    dtype: np.dtype[Any]
    activation: str
    output: str
    missing: NDArray[np.intp] | None
    embedding: PiecewiseLinear | None
    parameters: NDArray[Any]
    layout: ParameterLayout
    coefs_: list[NDArray[Any]]
    intercepts_: list[NDArray[Any]]
    embedding_: EmbeddingParameters | None
    mean_: NDArray[Any] | None
    scale_: NDArray[Any] | None

    @property
    def n_features(self) -> int: ...


def forward(network: Layers, X: check.Matrix) -> Forward:
    """Compute the forward pass for validated rows."""
    if network.embedding is None:
        a = [input_rows(X, network.mean_, network.scale_, network.missing)]
    else:
        a = [kernels.piecewise_linear(*_embedding_arguments(network, X))]
    z: list[NDArray[Any]] = []
    for W, b in zip(network.coefs_, network.intercepts_, strict=True):
        if z:
            a.append(FUNCTIONS[network.activation](z[-1]))
        z.append(kernels.affine(a[-1], W, b))
    return Forward(a, z, FUNCTIONS[network.output](z[-1]), X)


def apply_output(output: str, logits: NDArray[Any]) -> NDArray[Any]:
    """Apply an output function to logits (n, n_outputs), in place."""
    return FUNCTIONS[output](logits, out=logits)


def output_backward(network: Layers, dp: NDArray[Any], forward: Forward) -> NDArray[Any]:
    """Compute the gradient with respect to the logits from that with respect to the outputs p."""
    return BACKWARD[network.output](dp, forward.z[-1] if network.output == "sorted" else forward.p)


def backward(
    network: Layers,
    forward: Forward,
    dz: NDArray[Any],
    *,
    loss: float = np.nan,
    decay: float = 0.0,
) -> Gradients:
    """Compute the gradients from `dz` (n, n_outputs), that with respect to the logits.

    `decay` times the weights is added to their gradient. `loss` is part of the result.
    """
    flat = np.empty_like(network.parameters)
    coefs, intercepts = network.layout.views(flat)
    embedding = network.layout.embedding_views(flat)
    deltas = [dz]
    of_inputs: list[NDArray[Any]] = []
    for layer in reversed(range(len(network.coefs_))):
        W, a = network.coefs_[layer], forward.a[layer]
        da, dW, db = kernels.affine_backward(deltas[0], a, W)
        of_inputs.insert(0, da)
        coefs[layer][...] = dW + network.dtype.type(decay) * W
        intercepts[layer][...] = db
        if layer > 0:
            kept = forward.z[layer - 1] if network.activation in NOT_OF_OUTPUT else a
            deltas.insert(0, BACKWARD[network.activation](da, kept))
    if embedding is None:
        dx = _inputs_backward(network, da, forward.X)
    else:
        arguments = _embedding_arguments(network, forward.X)
        dx, *found = kernels.piecewise_linear_backward(da, *arguments)
        for view, gradient in zip(embedding, found, strict=True):
            view[...] = gradient
    return Gradients(loss, flat, coefs, intercepts, deltas, dx, embedding, of_inputs)


def _embedding_arguments(network: Layers, X: check.Matrix) -> tuple[NDArray[Any], ...]:
    """Return the arguments of the kernels of the embedding."""
    embedding = network.embedding
    assert embedding is not None and network.embedding_ is not None
    rows = input_rows(X, None, None, None)
    return rows, embedding.lower, embedding.inverse_width, *network.embedding_


def _inputs_backward(network: Layers, da: NDArray[Any], X: check.Matrix) -> NDArray[Any]:
    dx = np.ascontiguousarray(da[:, : network.n_features])
    if network.scale_ is not None:
        dx = kernels.norm_backward(dx, network.scale_)
    if network.missing is not None:
        dx[np.isnan(X.toarray() if check.is_sparse(X) else X)] = 0.0
    return dx


def _identity(z: NDArray[Any], out: NDArray[Any] | None = None) -> NDArray[Any]:
    return z


def _identity_backward(da: NDArray[Any], a: NDArray[Any]) -> NDArray[Any]:
    return da


# The kernels by the names of activations and outputs.
FUNCTIONS: dict[str, Callable[..., NDArray[Any]]] = {
    "logistic": kernels.sigmoid,
    "tanh": kernels.tanh,
    "relu": kernels.relu,
    "selu": kernels.selu,
    "silu": kernels.silu,
    "gelu": kernels.gelu,
    "mish": kernels.mish,
    "identity": _identity,
    "softmax": kernels.softmax,
    "exp": kernels.exp,
    "sorted": kernels.sort_rows,
}
# From the gradient with respect to the outputs, and the outputs; for those of NOT_OF_OUTPUT and
# 'sorted', the inputs.
BACKWARD: dict[str, Callable[..., NDArray[Any]]] = {
    "logistic": kernels.sigmoid_backward,
    "tanh": kernels.tanh_backward,
    "relu": kernels.relu_backward,
    "selu": kernels.selu_backward,
    "silu": kernels.silu_backward,
    "gelu": kernels.gelu_backward,
    "mish": kernels.mish_backward,
    "identity": _identity_backward,
    "softmax": kernels.softmax_backward,
    "exp": kernels.exp_backward,
    "sorted": kernels.sort_rows_backward,
}
