"""The kernels in plain NumPy: the formulas of back-propagation, one line each.

Rows are samples. Functions come in pairs: if the loss depends on the output y of ``f(x)``, then
``f_backward`` computes d loss / d x from d loss / d y. Back-propagation applies the functions of
all layers forward, and then their counterparts backward::

    a0 = norm(x, mean, scale)
    z1 = affine(a0, W1, b1)
    a1 = sigmoid(z1)
    z2 = affine(a1, W2, b2)
    loss, dz2 = softmax_cross_entropy(z2, L)

    da1, dW2, db2 = affine_backward(dz2, a1, W2)
    dz1 = sigmoid_backward(da1, a1)
    da0, dW1, db1 = affine_backward(dz1, a0, W1)
    dx = norm_backward(da0, scale)

Names and signatures are those of :mod:`dnncore.kernels`, which is tested against this module.
Everything is computed in the dtype of the arguments, float32 or float64. The activations, softmax
and the cross-entropies are finite for any finite logits, and for probabilities of 0.

An invalid dtype raises `TypeError`, an invalid shape or value `ValueError`. Results are returned,
and stored in `out` if it is given.
"""

import math
import numbers
from collections.abc import Iterable, Sequence
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

Real = TypeVar("Real", np.float32, np.float64)
Labels = NDArray[np.integer[Any]] | NDArray[Real]

# The constants of selu (Klambauer et al. 2017).
SELU_POSITIVE = 1.0507009873554805
SELU_NEGATIVE = 1.7580993408473768

__all__ = [
    "absolute_error",
    "affine",
    "affine_backward",
    "cross_entropy",
    "cross_entropy_backward",
    "exp",
    "exp_backward",
    "gelu",
    "gelu_backward",
    "huber_error",
    "log_softmax",
    "mish",
    "mish_backward",
    "norm",
    "norm_backward",
    "piecewise_linear",
    "piecewise_linear_backward",
    "poisson_deviance",
    "quantile_error",
    "relu",
    "relu_backward",
    "selu",
    "selu_backward",
    "sigmoid",
    "sigmoid_backward",
    "sigmoid_cross_entropy",
    "silu",
    "silu_backward",
    "softmax",
    "softmax_backward",
    "softmax_cross_entropy",
    "sort_rows",
    "sort_rows_backward",
    "squared_error",
    "tanh",
    "tanh_backward",
]


def norm(
    x: NDArray[Real],
    mean: NDArray[Real],
    scale: NDArray[Real],
    *,
    out: NDArray[Real] | None = None,
) -> NDArray[Real]:
    """Standardise each feature: ``(x - mean) / scale``.

    Parameters
    ----------
    x : array (n, m)
        Input rows.
    mean, scale : array (m,)
        Mean and scale of each feature.
    out : array (n, m), optional

    Returns
    -------
    array (n, m)
    """
    x = _matrix("x", x)
    mean = _like("mean", mean, x.shape[1:], "x", x)
    scale = _like("scale", scale, x.shape[1:], "x", x)
    return _result((x - mean) / scale, out)


def norm_backward(
    da: NDArray[Real], scale: NDArray[Real], *, out: NDArray[Real] | None = None
) -> NDArray[Real]:
    """Compute ``dx = da / scale``.

    Parameters
    ----------
    da : array (n, m)
        Gradient with respect to the output of :func:`norm`.
    scale : array (m,)
        Scale of each feature.
    out : array (n, m), optional

    Returns
    -------
    dx : array (n, m)
    """
    da = _matrix("da", da)
    scale = _like("scale", scale, da.shape[1:], "da", da)
    return _result(da / scale, out)


def affine(
    a: NDArray[Real], W: NDArray[Real], b: NDArray[Real], *, out: NDArray[Real] | None = None
) -> NDArray[Real]:
    """Compute ``z = a W + b``.

    Parameters
    ----------
    a : array (n, k)
        Inputs of the layer.
    W : array (k, m)
        Weights.
    b : array (m,)
        Biases.
    out : array (n, m), optional

    Returns
    -------
    z : array (n, m)
    """
    a, W = _matrix("a", a), _matrix("W", W)
    W = _like("W", W, (a.shape[1], W.shape[1]), "a", a)
    b = _like("b", b, W.shape[1:], "W", a)
    return _result(a @ W + b, out)


def affine_backward(
    dz: NDArray[Real],
    a: NDArray[Real],
    W: NDArray[Real],
    *,
    out: tuple[NDArray[Real] | None, NDArray[Real] | None, NDArray[Real] | None] | None = None,
) -> tuple[NDArray[Real], NDArray[Real], NDArray[Real]]:
    """Compute ``da = dz W^T``, ``dW = a^T dz``, ``db = sum_rows dz``.

    Parameters
    ----------
    dz : array (n, m)
        Gradient with respect to the output of :func:`affine`.
    a : array (n, k)
        Inputs of the layer.
    W : array (k, m)
        Weights.
    out : tuple of three arrays, optional
        Each may be None.

    Returns
    -------
    da : array (n, k)
    dW : array (k, m)
    db : array (m,)
    """
    dz, a = _matrix("dz", dz), _matrix("a", a)
    a = _like("a", a, (dz.shape[0], a.shape[1]), "dz", dz)
    W = _like("W", W, (a.shape[1], dz.shape[1]), "a and dz", dz)
    if out is None:
        out = (None, None, None)
    if not isinstance(out, tuple) or len(out) != 3:
        raise TypeError(f"out must be a tuple of 3 arrays, got {type(out).__name__}")
    return (
        _result(dz @ W.T, out[0], "out[0]"),
        _result(a.T @ dz, out[1], "out[1]"),
        _result(dz.sum(axis=0), out[2], "out[2]"),
    )


def piecewise_linear(
    x: NDArray[Real],
    lower: NDArray[Real],
    inverse_width: NDArray[Real],
    s: NDArray[Real],
    V: NDArray[Real],
    c: NDArray[Real],
    *,
    out: NDArray[Real] | None = None,
) -> NDArray[Real]:
    """Embed numbers f by functions d that are linear in each bin t, and scale every output.

    ::

        q[f, t] = clip((x[f] - lower[f, t]) * inverse_width[f, t], 0, 1)
        e[f, d] = c[f, d] + sum_t q[f, t] V[f, d, t]
        out = s * (x[:n_numeric], e, x[n_numeric:])

    Parameters
    ----------
    x : array (n, n_inputs)
        Input rows, of which the first n_numeric columns are numbers.
    lower, inverse_width : array (n_numeric, n_bins)
        Lower edges of the bins, and reciprocals of their widths, 0 for bins that are not used.
    s : array (m,)
        Scale of each output, with m = n_numeric * size + n_inputs.
    V : array (n_numeric, size, n_bins)
        Weights of the bins.
    c : array (n_numeric, size)
        Biases.
    out : array (n, m), optional

    Returns
    -------
    array (n, m)
    """
    x, lower, inverse_width, s, V, c = _embedding(x, lower, inverse_width, s, V, c)
    return _result(s * _embedded(x, _encoded(x, lower, inverse_width), V, c), out)


def piecewise_linear_backward(
    dout: NDArray[Real],
    x: NDArray[Real],
    lower: NDArray[Real],
    inverse_width: NDArray[Real],
    s: NDArray[Real],
    V: NDArray[Real],
    c: NDArray[Real],
    *,
    out: tuple[
        NDArray[Real] | None, NDArray[Real] | None, NDArray[Real] | None, NDArray[Real] | None
    ]
    | None = None,
) -> tuple[NDArray[Real], NDArray[Real], NDArray[Real], NDArray[Real]]:
    """Compute the gradients of :func:`piecewise_linear`, where ``out = s * u``::

        ds = sum_rows dout * u
        du = s * dout
        dV[f, d, t] = sum_rows q[f, t] du[f, d]
        dc[f, d] = sum_rows du[f, d]
        dx[f] = du[f] + sum_d du[f, d] sum_t V[f, d, t] inverse_width[f, t]  (0 < q[f, t] < 1)

    and ``dx = du`` for inputs that are not numbers.

    Parameters
    ----------
    dout : array (n, m)
        Gradient with respect to the output of :func:`piecewise_linear`.
    x, lower, inverse_width, s, V, c
        Arguments of :func:`piecewise_linear`.
    out : tuple of four arrays, optional
        Each may be None.

    Returns
    -------
    dx : array (n, n_inputs)
    ds : array (m,)
    dV : array (n_numeric, size, n_bins)
    dc : array (n_numeric, size)
    """
    dout, x = _matrix("dout", dout), _matrix("x", x)
    x = _like("x", x, (dout.shape[0], x.shape[1]), "dout", dout)
    x, lower, inverse_width, s, V, c = _embedding(x, lower, inverse_width, s, V, c)
    dout = _like("dout", dout, (x.shape[0], s.shape[0]), "x and s", x)
    if out is None:
        out = (None, None, None, None)
    if not isinstance(out, tuple) or len(out) != 4:
        raise TypeError(f"out must be a tuple of 4 arrays, got {type(out).__name__}")
    numbers, size = c.shape
    q = _encoded(x, lower, inverse_width)
    du = s * dout
    du_x, du_e, du_rest = np.split(du, [numbers, numbers * (1 + size)], axis=1)
    du_e = du_e.reshape(len(x), numbers, size)
    slope = np.where((q > 0) & (q < 1), inverse_width, 0)
    du_x = du_x + np.einsum("rfd,fdt,rft->rf", du_e, V, slope)
    return (
        _result(np.hstack([du_x, du_rest]), out[0], "out[0]"),
        _result((dout * _embedded(x, q, V, c)).sum(axis=0), out[1], "out[1]"),
        _result(np.einsum("rft,rfd->fdt", q, du_e, order="C"), out[2], "out[2]"),
        _result(du_e.sum(axis=0), out[3], "out[3]"),
    )


def _encoded(x: NDArray[Real], lower: NDArray[Real], inverse_width: NDArray[Real]) -> NDArray[Real]:
    """Return q (n, n_numeric, n_bins)."""
    q: NDArray[Real] = np.clip((x[:, : len(lower), None] - lower) * inverse_width, 0, 1)
    return q


def _embedded(x: NDArray[Real], q: NDArray[Real], V: NDArray[Real], c: NDArray[Real]) -> Any:
    """Return ``u = (x[:n_numeric], e, x[n_numeric:])``."""
    e = c + np.einsum("rft,fdt->rfd", q, V)
    return np.hstack([x[:, : len(c)], e.reshape(len(x), c.size), x[:, len(c) :]])


def sigmoid(z: NDArray[Real], *, out: NDArray[Real] | None = None) -> NDArray[Real]:
    """Compute ``a = 1 / (1 + exp(-z))``, which equals ``exp(z) / (1 + exp(z))``.

    Parameters
    ----------
    z : array, any shape
        Input values.
    out : array, same shape, optional

    Returns
    -------
    a : array, same shape
    """
    z = _array("z", z)
    # The first form for z >= 0, the second for z < 0: exp of a positive number can overflow.
    return _result(np.exp(np.minimum(z, 0)) / (1 + np.exp(-np.abs(z))), out)


def sigmoid_backward(
    da: NDArray[Real], a: NDArray[Real], *, out: NDArray[Real] | None = None
) -> NDArray[Real]:
    """Compute ``dz = da * a * (1 - a)``.

    Parameters
    ----------
    da : array, any shape
        Gradient with respect to the output of :func:`sigmoid`.
    a : array, same shape
        Output of :func:`sigmoid`.
    out : array, same shape, optional

    Returns
    -------
    dz : array, same shape
    """
    da = _array("da", da)
    a = _like("a", a, da.shape, "da", da)
    return _result(da * (a * (1 - a)), out)


def tanh(z: NDArray[Real], *, out: NDArray[Real] | None = None) -> NDArray[Real]:
    """Compute ``a = tanh(z)``, which equals ``2 sigmoid(2 z) - 1``.

    Parameters
    ----------
    z : array, any shape
        Input values.
    out : array, same shape, optional

    Returns
    -------
    a : array, same shape
    """
    return _result(np.tanh(_array("z", z)), out)


def tanh_backward(
    da: NDArray[Real], a: NDArray[Real], *, out: NDArray[Real] | None = None
) -> NDArray[Real]:
    """Compute ``dz = da * (1 - a^2)``.

    Parameters
    ----------
    da : array, any shape
        Gradient with respect to the output of :func:`tanh`.
    a : array, same shape
        Output of :func:`tanh`.
    out : array, same shape, optional

    Returns
    -------
    dz : array, same shape
    """
    da = _array("da", da)
    a = _like("a", a, da.shape, "da", da)
    # Near -1 and 1, 1 - a^2 with a rounded square would consist of rounding error only.
    return _result(da * ((1 - a) * (1 + a)), out)


def relu(z: NDArray[Real], *, out: NDArray[Real] | None = None) -> NDArray[Real]:
    """Compute ``a = max(z, 0)``.

    Parameters
    ----------
    z : array, any shape
        Input values.
    out : array, same shape, optional

    Returns
    -------
    a : array, same shape
    """
    return _result(np.maximum(_array("z", z), 0), out)


def relu_backward(
    da: NDArray[Real], a: NDArray[Real], *, out: NDArray[Real] | None = None
) -> NDArray[Real]:
    """Compute ``dz = da`` where ``a > 0``, else 0.

    Parameters
    ----------
    da : array, any shape
        Gradient with respect to the output of :func:`relu`.
    a : array, same shape
        Output of :func:`relu`.
    out : array, same shape, optional

    Returns
    -------
    dz : array, same shape
    """
    da = _array("da", da)
    a = _like("a", a, da.shape, "da", da)
    return _result(da * (a > 0), out)


def selu(z: NDArray[Real], *, out: NDArray[Real] | None = None) -> NDArray[Real]:
    """Compute ``a = s z`` where ``z > 0``, else ``a = t (exp(z) - 1)``; s, t are constants.

    Parameters
    ----------
    z : array, any shape
        Input values.
    out : array, same shape, optional

    Returns
    -------
    a : array, same shape
    """
    z = _array("z", z)
    below = SELU_NEGATIVE * np.expm1(np.minimum(z, 0))
    with np.errstate(over="ignore"):
        return _result(np.where(z > 0, SELU_POSITIVE * z, below), out)


def selu_backward(
    da: NDArray[Real], a: NDArray[Real], *, out: NDArray[Real] | None = None
) -> NDArray[Real]:
    """Compute ``dz = da s`` where ``a > 0``, else ``dz = da (a + t)``, with s and t as in `selu`.

    Parameters
    ----------
    da : array, any shape
        Gradient with respect to the output of :func:`selu`.
    a : array, same shape
        Output of :func:`selu`.
    out : array, same shape, optional

    Returns
    -------
    dz : array, same shape
    """
    da = _array("da", da)
    a = _like("a", a, da.shape, "da", da)
    return _result(da * np.where(a > 0, a.dtype.type(SELU_POSITIVE), a + SELU_NEGATIVE), out)


def silu(z: NDArray[Real], *, out: NDArray[Real] | None = None) -> NDArray[Real]:
    """Compute ``a = z sigmoid(z)``.

    Parameters
    ----------
    z : array, any shape
        Input values.
    out : array, same shape, optional

    Returns
    -------
    a : array, same shape
    """
    return _result(z * sigmoid(z), out)


def silu_backward(
    da: NDArray[Real], z: NDArray[Real], *, out: NDArray[Real] | None = None
) -> NDArray[Real]:
    """Compute ``dz = da * p (1 + z (1 - p))`` with ``p = sigmoid(z)``.

    Parameters
    ----------
    da : array, any shape
        Gradient with respect to the output of :func:`silu`.
    z : array, same shape
        Input of :func:`silu`.
    out : array, same shape, optional

    Returns
    -------
    dz : array, same shape
    """
    da = _array("da", da)
    z = _like("z", z, da.shape, "da", da)
    return _result(da * (sigmoid(z) * (1 + z * sigmoid(-z))), out)


def gelu(z: NDArray[Real], *, out: NDArray[Real] | None = None) -> NDArray[Real]:
    """Compute ``a = z Phi(z)`` with the normal distribution function Phi.

    ``Phi(z) = (1 + erf(z / sqrt(2))) / 2``

    Parameters
    ----------
    z : array, any shape
        Input values.
    out : array, same shape, optional

    Returns
    -------
    a : array, same shape
    """
    z = _array("z", z)
    return _result(z * _normal(z)[0], out)


def gelu_backward(
    da: NDArray[Real], z: NDArray[Real], *, out: NDArray[Real] | None = None
) -> NDArray[Real]:
    """Compute ``dz = da * (Phi(z) + z phi(z))`` with ``phi(z) = exp(-z^2 / 2) / sqrt(2 pi)``.

    Parameters
    ----------
    da : array, any shape
        Gradient with respect to the output of :func:`gelu`.
    z : array, same shape
        Input of :func:`gelu`.
    out : array, same shape, optional

    Returns
    -------
    dz : array, same shape
    """
    da = _array("da", da)
    z = _like("z", z, da.shape, "da", da)
    Phi, phi = _normal(z)
    return _result(da * (Phi + z * phi), out)


def _normal(z: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return the normal distribution function and its density, to a few eps of each.

    An error of z^2 / 2 would be one of its exponential: the square is that of z rounded to
    sixteenths, which is exact, and a small rest. Beyond 40, both are those of 40 to rounding.
    """
    z = z.clip(-40, 40)
    near = np.round(16 * z) / 16
    exponential = np.exp(-near * near / 2) * np.exp((near - z) * (near + z) / 2)
    tail: Any = special.erfcx(np.abs(z) / math.sqrt(2)) * exponential / 2
    return np.where(z < 0, tail, 1 - tail), exponential / math.sqrt(2 * math.pi)


def mish(z: NDArray[Real], *, out: NDArray[Real] | None = None) -> NDArray[Real]:
    """Compute ``a = z tanh(log(1 + exp(z)))``.

    Parameters
    ----------
    z : array, any shape
        Input values.
    out : array, same shape, optional

    Returns
    -------
    a : array, same shape
    """
    z = _array("z", z)
    return _result(z * np.tanh(_softplus(z)), out)


def mish_backward(
    da: NDArray[Real], z: NDArray[Real], *, out: NDArray[Real] | None = None
) -> NDArray[Real]:
    """Compute ``dz = da * (t + z (1 - t^2) sigmoid(z))`` with ``t = tanh(log(1 + exp(z)))``.

    Parameters
    ----------
    da : array, any shape
        Gradient with respect to the output of :func:`mish`.
    z : array, same shape
        Input of :func:`mish`.
    out : array, same shape, optional

    Returns
    -------
    dz : array, same shape
    """
    da = _array("da", da)
    z = _like("z", z, da.shape, "da", da)
    s = _softplus(z)
    e = np.exp(-s) ** 2  # 1 - t^2 is 4 e / (1 + e)^2, where nothing cancels
    return _result(da * (np.tanh(s) + z * (4 * e / (1 + e) ** 2) * sigmoid(z)), out)


def exp(z: NDArray[Real], *, out: NDArray[Real] | None = None) -> NDArray[Real]:
    """Compute ``exp(z)``, at most the largest finite number.

    Parameters
    ----------
    z : array, any shape
        Input values.
    out : array, same shape, optional

    Returns
    -------
    array, same shape
    """
    z = _array("z", z)
    with np.errstate(over="ignore"):
        a = np.exp(z)
    return _result(a.clip(max=np.finfo(z.dtype).max), out)


def exp_backward(
    da: NDArray[Real], a: NDArray[Real], *, out: NDArray[Real] | None = None
) -> NDArray[Real]:
    """Compute ``dz = da * a``.

    Parameters
    ----------
    da : array, any shape
        Gradient with respect to the output of :func:`exp`.
    a : array, same shape
        Output of :func:`exp`.
    out : array, same shape, optional

    Returns
    -------
    dz : array, same shape
    """
    da = _array("da", da)
    return _result(da * _like("a", a, da.shape, "da", da), out)


def sort_rows(z: NDArray[Real], *, out: NDArray[Real] | None = None) -> NDArray[Real]:
    """Sort the elements of every row in ascending order.

    Parameters
    ----------
    z : array (n, m)
        Rows.
    out : array (n, m), optional

    Returns
    -------
    array (n, m)
    """
    return _result(np.sort(_matrix("z", z), axis=1), out)


def sort_rows_backward(
    dout: NDArray[Real], z: NDArray[Real], *, out: NDArray[Real] | None = None
) -> NDArray[Real]:
    """Compute ``dz_i = dout_j``, where z_i is element j of the sorted row.

    Parameters
    ----------
    dout : array (n, m)
        Gradient with respect to the output of :func:`sort_rows`.
    z : array (n, m)
        Input of :func:`sort_rows`.
    out : array (n, m), optional

    Returns
    -------
    dz : array (n, m)
    """
    dout = _matrix("dout", dout)
    z = _like("z", z, dout.shape, "dout", dout)
    dz = np.empty_like(dout)
    np.put_along_axis(dz, np.argsort(z, axis=1, kind="stable"), dout, axis=1)
    return _result(dz, out)


def softmax(z: NDArray[Real], *, out: NDArray[Real] | None = None) -> NDArray[Real]:
    """Compute ``p_i = exp(z_i) / sum_j exp(z_j)`` in every row.

    Parameters
    ----------
    z : array (n, m)
        Logits.
    out : array (n, m), optional

    Returns
    -------
    p : array (n, m)
    """
    e = np.exp(_shift(_matrix("z", z)))
    return _result(e / e.sum(axis=1, keepdims=True), out)


def log_softmax(z: NDArray[Real], *, out: NDArray[Real] | None = None) -> NDArray[Real]:
    """Compute ``log p_i = z_i - log sum_j exp(z_j)`` in every row.

    Parameters
    ----------
    z : array (n, m)
        Logits.
    out : array (n, m), optional

    Returns
    -------
    log_p : array (n, m)
    """
    s = _shift(_matrix("z", z))
    return _result(s - np.log(np.exp(s).sum(axis=1, keepdims=True)), out)


def softmax_backward(
    dp: NDArray[Real], p: NDArray[Real], *, out: NDArray[Real] | None = None
) -> NDArray[Real]:
    """Compute ``dz_i = p_i (dp_i - sum_j dp_j p_j)`` in every row.

    This is dp times the Jacobian ``d p_i / d z_j = p_i (delta_ij - p_j)``: every logit affects
    every probability.

    Parameters
    ----------
    dp : array (n, m)
        Gradient with respect to the output of :func:`softmax`.
    p : array (n, m)
        Output of :func:`softmax`.
    out : array (n, m), optional

    Returns
    -------
    dz : array (n, m)
    """
    dp = _matrix("dp", dp)
    p = _like("p", p, dp.shape, "dp", dp)
    return _result(p * (dp - (dp * p).sum(axis=1, keepdims=True)), out)


def cross_entropy(
    p: NDArray[Real], L: Labels[Real], *, sample_weight: ArrayLike | None = None
) -> float:
    """Compute ``-(1 / sum w) sum_rows w sum_i L_i log p_i``; 0 if there are no rows.

    Parameters
    ----------
    p : array (n, m)
        Probabilities. Values below the smallest normal number are replaced by that number.
    L : integer array (n,) or array (n, m)
        Class indices, or soft labels: a row of class probabilities for each sample.
    sample_weight : array (n,), optional
        Weights w of the rows, non-negative and not all zero. By default, all are 1.

    Returns
    -------
    float
    """
    p = _matrix("p", p)
    L, w = _label_rows(L, p, "p"), _weights(sample_weight, p)
    return _weighted_loss(w, -L * np.log(_positive(p)))


def cross_entropy_backward(
    p: NDArray[Real],
    L: Labels[Real],
    *,
    sample_weight: ArrayLike | None = None,
    out: NDArray[Real] | None = None,
) -> NDArray[Real]:
    """Compute ``dp = -(w / sum w) L / p``.

    Parameters
    ----------
    p, L, sample_weight
        As in :func:`cross_entropy`.
    out : array (n, m), optional

    Returns
    -------
    dp : array (n, m)
    """
    p = _matrix("p", p)
    L, w = _label_rows(L, p, "p"), _weights(sample_weight, p)
    return _result(-w[:, np.newaxis].astype(p.dtype) * L / _positive(p), out)


def softmax_cross_entropy(
    z: NDArray[Real],
    L: Labels[Real],
    *,
    sample_weight: ArrayLike | None = None,
    out: NDArray[Real] | None = None,
) -> tuple[float, NDArray[Real]]:
    """Compute the loss of ``p = softmax(z)``, and ``dz = (w / sum w) (p sum_i L_i - L)``.

    The division by p in :func:`cross_entropy_backward` cancels the factor p in
    :func:`softmax_backward`, so that nothing is lost if p underflows.

    Parameters
    ----------
    z : array (n, m)
        Logits.
    L, sample_weight
        As in :func:`cross_entropy`.
    out : array (n, m), optional
        Array to store dz in.

    Returns
    -------
    loss : float
    dz : array (n, m)
    """
    z = _matrix("z", z)
    L, w = _label_rows(L, z, "z"), _weights(sample_weight, z)
    dz = w[:, np.newaxis].astype(z.dtype) * (softmax(z) * L.sum(axis=1, keepdims=True) - L)
    return _weighted_loss(w, -L * log_softmax(z)), _result(dz, out)


def sigmoid_cross_entropy(
    z: NDArray[Real],
    Y: NDArray[Real],
    *,
    sample_weight: ArrayLike | None = None,
    out: NDArray[Real] | None = None,
) -> tuple[float, NDArray[Real]]:
    """Compute the binary cross-entropy of ``p = sigmoid(z)`` and its gradient.

    The loss is ``-(1 / sum w) sum_rows w sum_i (Y_i log p_i + (1 - Y_i) log(1 - p_i))``, and
    ``dz = (w / sum w) (p - Y)``.

    Parameters
    ----------
    z : array (n, m)
        Logits.
    Y : array (n, m)
        Targets in [0, 1].
    sample_weight : array (n,), optional
        Weights w of the rows, non-negative and not all zero. By default, all are 1.
    out : array (n, m), optional
        Array to store dz in.

    Returns
    -------
    loss : float
    dz : array (n, m)
    """
    z = _matrix("z", z)
    Y, w = _within("Y", _like("Y", Y, z.shape, "z", z), 1.0), _weights(sample_weight, z)
    # log(1 + exp(-z)) + (1 - Y) z, without the exp of a positive number, which can overflow.
    losses = np.maximum(z, 0) - Y * z + np.log1p(np.exp(-np.abs(z)))
    dz = w[:, np.newaxis].astype(z.dtype) * (sigmoid(z) - Y)
    return _weighted_loss(w, losses), _result(dz, out)


def squared_error(
    z: NDArray[Real],
    Y: NDArray[Real],
    *,
    sample_weight: ArrayLike | None = None,
    out: NDArray[Real] | None = None,
) -> tuple[float, NDArray[Real]]:
    """Compute ``(1 / sum w) sum_rows w sum_i (z_i - Y_i)^2 / 2``; ``dz = (w / sum w) (z - Y)``.

    Parameters
    ----------
    z : array (n, m)
        Predictions.
    Y : array (n, m)
        Targets.
    sample_weight, out
        As in :func:`sigmoid_cross_entropy`.

    Returns
    -------
    loss : float
    dz : array (n, m)
    """
    z = _matrix("z", z)
    Y, w = _like("Y", Y, z.shape, "z", z), _weights(sample_weight, z)
    with np.errstate(over="ignore"):
        d = z - Y
        losses = d / 2 * d
    return _weighted_loss(w, losses), _result(w[:, np.newaxis].astype(z.dtype) * d, out)


def huber_error(
    z: NDArray[Real],
    Y: NDArray[Real],
    *,
    delta: float = 1.0,
    sample_weight: ArrayLike | None = None,
    out: NDArray[Real] | None = None,
) -> tuple[float, NDArray[Real]]:
    """Compute the Huber loss, which is linear where ``|z - Y| > delta``, and its gradient.

    With ``d = z - Y``, the loss of an output is ``d^2 / 2`` where ``|d| <= delta``, else
    ``delta (|d| - delta / 2)``; ``dz`` is ``w / sum w`` times d clipped to [-delta, delta].

    Parameters
    ----------
    z : array (n, m)
        Predictions.
    Y : array (n, m)
        Targets.
    delta : float, default 1.0
        Residual at which the loss becomes linear; a positive, normal number in the dtype of z.
    sample_weight, out
        As in :func:`sigmoid_cross_entropy`.

    Returns
    -------
    loss : float
    dz : array (n, m)
    """
    z = _matrix("z", z)
    Y, w = _like("Y", Y, z.shape, "z", z), _weights(sample_weight, z)
    bound = _positive_number("delta", delta, z)
    with np.errstate(over="ignore"):
        d = z - Y
        inside = d.clip(-bound, bound)
        losses = np.abs(inside) * (np.abs(d) - np.abs(inside) / 2)
    return _weighted_loss(w, losses), _result(w[:, np.newaxis].astype(z.dtype) * inside, out)


def absolute_error(
    z: NDArray[Real],
    Y: NDArray[Real],
    *,
    sample_weight: ArrayLike | None = None,
    out: NDArray[Real] | None = None,
) -> tuple[float, NDArray[Real]]:
    """Compute ``(1 / sum w) sum_rows w sum_i |z_i - Y_i|``; ``dz = (w / sum w) sign(z - Y)``.

    Parameters
    ----------
    z : array (n, m)
        Predictions.
    Y : array (n, m)
        Targets.
    sample_weight, out
        As in :func:`sigmoid_cross_entropy`.

    Returns
    -------
    loss : float
    dz : array (n, m)
    """
    z = _matrix("z", z)
    Y, w = _like("Y", Y, z.shape, "z", z), _weights(sample_weight, z)
    with np.errstate(over="ignore"):
        d = z - Y
    return _weighted_loss(w, np.abs(d)), _result(w[:, np.newaxis].astype(z.dtype) * np.sign(d), out)


def quantile_error(
    z: NDArray[Real],
    Y: NDArray[Real],
    quantiles: Sequence[float],
    *,
    sample_weight: ArrayLike | None = None,
    out: NDArray[Real] | None = None,
) -> tuple[float, NDArray[Real]]:
    """Compute the quantile loss, or pinball loss, and its gradient.

    With the level q of an output, its loss is ``(1 - q) (z - Y)`` where ``z > Y``, else
    ``q (Y - z)``; ``dz`` is ``w / sum w`` times ``1 - q`` where ``z > Y``, 0 where z and Y are
    equal, else ``-q``.

    Parameters
    ----------
    z : array (n, m)
        Predictions: estimated quantiles.
    Y : array (n, m)
        Targets.
    quantiles : sequence of m floats
        Level of each output, within (0, 1), in ascending order. It is rounded to the dtype of z.
    sample_weight, out
        As in :func:`sigmoid_cross_entropy`.

    Returns
    -------
    loss : float
    dz : array (n, m)
    """
    z = _matrix("z", z)
    q = _levels(quantiles, z)
    Y, w = _like("Y", Y, z.shape, "z", z), _weights(sample_weight, z)
    with np.errstate(over="ignore"):
        d = z - Y
        slope = np.where(d > 0, 1 - q, np.where(d < 0, -q, d))  # NaN stays
        losses = slope * d
    return _weighted_loss(w, losses), _result(w[:, np.newaxis].astype(z.dtype) * slope, out)


def poisson_deviance(
    z: NDArray[Real],
    Y: NDArray[Real],
    *,
    sample_weight: ArrayLike | None = None,
    out: NDArray[Real] | None = None,
) -> tuple[float, NDArray[Real]]:
    """Compute half the Poisson deviance of ``m = exp(z)``, and ``dz = (w / sum w) (m - Y)``.

    The loss is ``(1 / sum w) sum_rows w sum_i (Y_i log(Y_i / m_i) - Y_i + m_i)``. Where exp(z)
    would overflow, m is the largest finite number, and z in the loss is its logarithm.

    Parameters
    ----------
    z : array (n, m)
        Logarithms of the predicted means.
    Y : array (n, m)
        Targets, non-negative.
    sample_weight, out
        As in :func:`sigmoid_cross_entropy`.

    Returns
    -------
    loss : float
    dz : array (n, m)
    """
    z = _matrix("z", z)
    Y, w = _within("Y", _like("Y", Y, z.shape, "z", z), np.inf), _weights(sample_weight, z)
    m = exp(z)
    log_m = z.clip(max=np.log(np.finfo(z.dtype).max))
    with np.errstate(over="ignore"):
        losses = np.maximum(special.xlogy(Y, Y) - Y * log_m + (m - Y), 0)
        dz = w[:, np.newaxis].astype(z.dtype) * (m - Y)
    return _weighted_loss(w, losses), _result(dz, out)


# ------------------------------------------------------------------ parts of the formulas


def _shift(z: NDArray[Real]) -> NDArray[Real]:
    """Return ``s = z - max(z)``: it has the same softmax, and exp(s) cannot overflow."""
    top: NDArray[Real] = z.max(axis=1, keepdims=True)
    with np.errstate(over="ignore"):  # the difference of two finite numbers can overflow
        s = z - top
    return s.clip(min=np.finfo(z.dtype).min / 2)  # half the range remains for sums of these


def _softplus(z: NDArray[Real]) -> NDArray[Real]:
    """Return ``log(1 + exp(z))``, without the exp of a positive number, which can overflow."""
    return np.asarray(np.maximum(z, 0) + np.log1p(np.exp(-np.abs(z))))


def _positive(p: NDArray[Real]) -> NDArray[Real]:
    return p.clip(min=np.finfo(p.dtype).tiny)


def _weighted_loss(w: NDArray[np.float64], losses: NDArray[Real]) -> float:
    return float(np.sum(w * np.sum(losses, axis=1, dtype=np.float64)))


def _label_rows(L: Labels[Real], p: NDArray[Real], other: str) -> NDArray[Real]:
    """Return soft labels unchanged, and class indices as one-hot rows."""
    labels = np.asarray(L)
    if labels.ndim == 2:
        return _like("L", labels, p.shape, other, p)
    if labels.dtype.kind not in "iu":
        raise TypeError(
            f"L must be integer class indices of shape (n,) or soft labels of shape (n, m) and "
            f"dtype {p.dtype}, got {labels.dtype} of shape {labels.shape}"
        )
    n, m = p.shape
    if labels.shape != (n,):
        raise ValueError(f"L must have shape {(n,)} or {(n, m)}, got {labels.shape}")
    bad = np.flatnonzero((labels < 0) | (labels >= m))
    if bad.size:
        raise ValueError(f"L must lie in [0, {m}), got {labels[bad[0]]} in row {bad[0]}")
    one_hot = np.zeros_like(p)
    one_hot[np.arange(n), labels] = 1
    return one_hot


def _weights(sample_weight: ArrayLike | None, p: NDArray[Real]) -> NDArray[np.float64]:
    """Return ``w / sum w``."""
    n = p.shape[0]
    w = np.ones(n) if sample_weight is None else np.asarray(sample_weight)
    if w.dtype.kind not in "fiub":
        raise TypeError(f"sample_weight must be real numbers, got {w.dtype}")
    if w.shape != (n,):
        raise ValueError(f"sample_weight must have shape {(n,)}, got {w.shape}")
    with np.errstate(over="ignore"):
        w = w.astype(p.dtype).astype(np.float64)
    if not np.all((w >= 0) & np.isfinite(w)):
        raise ValueError("sample_weight must be finite and non-negative")
    if n > 0 and not w.any():
        raise ValueError("sample_weight must not be all zero")
    w /= w.max(initial=0)  # the sum can then neither overflow nor be subnormal
    w /= w.sum()
    return w


# ---------------------------------------------------------------------------------- checks


def _array(name: str, x: ArrayLike) -> NDArray[Any]:
    x = np.asarray(x)
    if x.dtype not in (np.float32, np.float64):
        raise TypeError(f"{name} must be a float32 or float64 array, got {x.dtype}")
    return x


def _matrix(name: str, x: ArrayLike) -> NDArray[Any]:
    x = _array(name, x)
    if x.ndim != 2 or x.shape[1] == 0:
        raise ValueError(
            f"{name} must have shape (n_rows, n_columns) with at least 1 column, got {x.shape}"
        )
    return x


def _like(
    name: str, x: ArrayLike, shape: tuple[int, ...], other: str, array: NDArray[Real]
) -> NDArray[Real]:
    x = _array(name, x)
    if x.dtype != array.dtype:
        raise TypeError(f"{name} must have dtype {array.dtype}, like {other}, got {x.dtype}")
    if x.shape != shape:
        raise ValueError(f"{name} must have shape {shape} to match {other}, got {x.shape}")
    return x


def _within(name: str, x: NDArray[Real], high: float) -> NDArray[Real]:
    bad = np.argwhere(~((x >= 0) & (x <= high)))
    if bad.size:
        row, column = bad[0]
        interval = "[0, 1]" if high == 1 else "[0, inf)"
        raise ValueError(
            f"{name} must lie in {interval}, got {x[row, column]} in row {row}, column {column}"
        )
    return x


def _levels(quantiles: Sequence[float], z: NDArray[Real]) -> NDArray[Real]:
    if isinstance(quantiles, str) or not isinstance(quantiles, Iterable):
        raise TypeError(f"quantiles must be a sequence of numbers, got {quantiles!r}")
    levels: list[float] = list(quantiles)
    if any(isinstance(q, (bool, np.bool_)) or not isinstance(q, numbers.Real) for q in levels):
        raise TypeError(f"quantiles must be numbers, got {quantiles!r}")
    if len(levels) != z.shape[1]:
        raise ValueError(f"quantiles must have {z.shape[1]} levels, like z, got {quantiles!r}")
    if not np.all(np.diff([0.0, *levels, 1.0]) > 0):
        raise ValueError(f"quantiles must be ascending and within (0, 1), got {quantiles!r}")
    return np.array(levels, z.dtype)


def _embedding(
    x: NDArray[Real],
    lower: NDArray[Real],
    inverse_width: NDArray[Real],
    s: NDArray[Real],
    V: NDArray[Real],
    c: NDArray[Real],
) -> tuple[NDArray[Real], ...]:
    """Return the arguments of :func:`piecewise_linear`, validated."""
    x, lower, c = _matrix("x", x), _matrix("lower", lower), _matrix("c", c)
    n_inputs, numbers, size = x.shape[1], len(lower), c.shape[1]
    if numbers > n_inputs:
        raise ValueError(
            f"lower must have shape (n_numeric, n_bins) with at most {n_inputs} rows, the number "
            f"of columns of x, got {lower.shape}"
        )
    lower = _like("lower", lower, lower.shape, "x", x)
    inverse_width = _like("inverse_width", inverse_width, lower.shape, "lower", x)
    c = _like("c", c, (numbers, size), "lower", x)
    V = _like("V", V, (numbers, size, lower.shape[1]), "c and lower", x)
    s = _like("s", s, (numbers * size + n_inputs,), "x and c", x)
    return x, lower, inverse_width, s, V, c


def _positive_number(name: str, value: float, array: NDArray[Real]) -> Real:
    """Return `value` in the dtype of `array`, in which it must be a positive normal number."""
    if isinstance(value, (bool, np.bool_)) or not isinstance(value, numbers.Real):
        raise TypeError(f"{name} must be a number, got {value!r}")
    info = np.finfo(array.dtype)
    low, high = float(info.tiny), float(info.max)
    if not low <= float(value) <= high:
        raise ValueError(f"{name} must lie in [{low}, {high}], got {value!r}")
    return array.dtype.type(value)


def _result(value: NDArray[Real], out: NDArray[Real] | None, name: str = "out") -> NDArray[Real]:
    value = np.asarray(value)
    if out is None:
        return value
    if not isinstance(out, np.ndarray):
        raise TypeError(f"{name} must be a NumPy array, got {type(out).__name__}")
    if out.dtype != value.dtype:
        raise TypeError(f"{name} must have dtype {value.dtype}, got {out.dtype}")
    if out.shape != value.shape:
        raise ValueError(f"{name} must have shape {value.shape}, got {out.shape}")
    out[...] = value
    return out
