from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

_Real = TypeVar("_Real", np.float32, np.float64)
_Labels = NDArray[np.integer[Any]] | NDArray[_Real]

def norm(
    x: NDArray[_Real],
    mean: NDArray[_Real],
    scale: NDArray[_Real],
    *,
    out: NDArray[_Real] | None = None,
) -> NDArray[_Real]: ...
def norm_backward(
    da: NDArray[_Real], scale: NDArray[_Real], *, out: NDArray[_Real] | None = None
) -> NDArray[_Real]: ...
def affine(
    a: NDArray[_Real], W: NDArray[_Real], b: NDArray[_Real], *, out: NDArray[_Real] | None = None
) -> NDArray[_Real]: ...
def affine_backward(
    dz: NDArray[_Real],
    a: NDArray[_Real],
    W: NDArray[_Real],
    *,
    out: tuple[NDArray[_Real] | None, NDArray[_Real] | None, NDArray[_Real] | None] | None = None,
) -> tuple[NDArray[_Real], NDArray[_Real], NDArray[_Real]]: ...
def piecewise_linear(
    x: NDArray[_Real],
    lower: NDArray[_Real],
    inverse_width: NDArray[_Real],
    s: NDArray[_Real],
    V: NDArray[_Real],
    c: NDArray[_Real],
    *,
    out: NDArray[_Real] | None = None,
) -> NDArray[_Real]: ...
def piecewise_linear_backward(
    dout: NDArray[_Real],
    x: NDArray[_Real],
    lower: NDArray[_Real],
    inverse_width: NDArray[_Real],
    s: NDArray[_Real],
    V: NDArray[_Real],
    c: NDArray[_Real],
    *,
    out: tuple[
        NDArray[_Real] | None,
        NDArray[_Real] | None,
        NDArray[_Real] | None,
        NDArray[_Real] | None,
    ]
    | None = None,
) -> tuple[NDArray[_Real], NDArray[_Real], NDArray[_Real], NDArray[_Real]]: ...
def sigmoid(z: NDArray[_Real], *, out: NDArray[_Real] | None = None) -> NDArray[_Real]: ...
def sigmoid_backward(
    da: NDArray[_Real], a: NDArray[_Real], *, out: NDArray[_Real] | None = None
) -> NDArray[_Real]: ...
def tanh(z: NDArray[_Real], *, out: NDArray[_Real] | None = None) -> NDArray[_Real]: ...
def tanh_backward(
    da: NDArray[_Real], a: NDArray[_Real], *, out: NDArray[_Real] | None = None
) -> NDArray[_Real]: ...
def relu(z: NDArray[_Real], *, out: NDArray[_Real] | None = None) -> NDArray[_Real]: ...
def relu_backward(
    da: NDArray[_Real], a: NDArray[_Real], *, out: NDArray[_Real] | None = None
) -> NDArray[_Real]: ...
def selu(z: NDArray[_Real], *, out: NDArray[_Real] | None = None) -> NDArray[_Real]: ...
def selu_backward(
    da: NDArray[_Real], a: NDArray[_Real], *, out: NDArray[_Real] | None = None
) -> NDArray[_Real]: ...
def silu(z: NDArray[_Real], *, out: NDArray[_Real] | None = None) -> NDArray[_Real]: ...
def silu_backward(
    da: NDArray[_Real], z: NDArray[_Real], *, out: NDArray[_Real] | None = None
) -> NDArray[_Real]: ...
def gelu(z: NDArray[_Real], *, out: NDArray[_Real] | None = None) -> NDArray[_Real]: ...
def gelu_backward(
    da: NDArray[_Real], z: NDArray[_Real], *, out: NDArray[_Real] | None = None
) -> NDArray[_Real]: ...
def mish(z: NDArray[_Real], *, out: NDArray[_Real] | None = None) -> NDArray[_Real]: ...
def mish_backward(
    da: NDArray[_Real], z: NDArray[_Real], *, out: NDArray[_Real] | None = None
) -> NDArray[_Real]: ...
def exp(z: NDArray[_Real], *, out: NDArray[_Real] | None = None) -> NDArray[_Real]: ...
def exp_backward(
    da: NDArray[_Real], a: NDArray[_Real], *, out: NDArray[_Real] | None = None
) -> NDArray[_Real]: ...
def sort_rows(z: NDArray[_Real], *, out: NDArray[_Real] | None = None) -> NDArray[_Real]: ...
def sort_rows_backward(
    dout: NDArray[_Real], z: NDArray[_Real], *, out: NDArray[_Real] | None = None
) -> NDArray[_Real]: ...
def softmax(z: NDArray[_Real], *, out: NDArray[_Real] | None = None) -> NDArray[_Real]: ...
def log_softmax(z: NDArray[_Real], *, out: NDArray[_Real] | None = None) -> NDArray[_Real]: ...
def softmax_backward(
    dp: NDArray[_Real], p: NDArray[_Real], *, out: NDArray[_Real] | None = None
) -> NDArray[_Real]: ...
def cross_entropy(
    p: NDArray[_Real], L: _Labels[_Real], *, sample_weight: ArrayLike | None = None
) -> float: ...
def cross_entropy_backward(
    p: NDArray[_Real],
    L: _Labels[_Real],
    *,
    sample_weight: ArrayLike | None = None,
    out: NDArray[_Real] | None = None,
) -> NDArray[_Real]: ...
def softmax_cross_entropy(
    z: NDArray[_Real],
    L: _Labels[_Real],
    *,
    sample_weight: ArrayLike | None = None,
    out: NDArray[_Real] | None = None,
) -> tuple[float, NDArray[_Real]]: ...
def sigmoid_cross_entropy(
    z: NDArray[_Real],
    Y: NDArray[_Real],
    *,
    sample_weight: ArrayLike | None = None,
    out: NDArray[_Real] | None = None,
) -> tuple[float, NDArray[_Real]]: ...
def squared_error(
    z: NDArray[_Real],
    Y: NDArray[_Real],
    *,
    sample_weight: ArrayLike | None = None,
    out: NDArray[_Real] | None = None,
) -> tuple[float, NDArray[_Real]]: ...
def huber_error(
    z: NDArray[_Real],
    Y: NDArray[_Real],
    *,
    delta: float = 1.0,
    sample_weight: ArrayLike | None = None,
    out: NDArray[_Real] | None = None,
) -> tuple[float, NDArray[_Real]]: ...
def absolute_error(
    z: NDArray[_Real],
    Y: NDArray[_Real],
    *,
    sample_weight: ArrayLike | None = None,
    out: NDArray[_Real] | None = None,
) -> tuple[float, NDArray[_Real]]: ...
def quantile_error(
    z: NDArray[_Real],
    Y: NDArray[_Real],
    quantiles: Sequence[float],
    *,
    sample_weight: ArrayLike | None = None,
    out: NDArray[_Real] | None = None,
) -> tuple[float, NDArray[_Real]]: ...
def poisson_deviance(
    z: NDArray[_Real],
    Y: NDArray[_Real],
    *,
    sample_weight: ArrayLike | None = None,
    out: NDArray[_Real] | None = None,
) -> tuple[float, NDArray[_Real]]: ...
