"""Forward and backward kernels of the layers, tested against :mod:`dnncore.reference`.

Rows are samples, and matrices are row-major. float32 and float64 input is computed in its own
precision; the two cannot be mixed. Inputs may have any memory layout (non-contiguous arrays are
copied); ``out`` must be contiguous. For Cython, ``kernels.pxd`` declares the same functions for
pointers, without the GIL, with the prefix ``c_``.
"""

import numpy as np

from ._core.blas import load_blas
from ._core.checks import (
    array_like, check_interval, matrix, number, output, outputs, quantile_levels, real_array,
)
from ._core.labels import Labels, labels

from ._core.blas cimport matmul, matmul_nt, matmul_tn
from ._core.csrc cimport (
    DNN_ABSOLUTE_ERROR,
    DNN_BINARY_CROSS_ENTROPY,
    DNN_EXP,
    DNN_GELU,
    DNN_HUBER,
    DNN_IDENTITY,
    DNN_LOGISTIC,
    DNN_MISH,
    DNN_POISSON,
    DNN_QUANTILE,
    DNN_RELU,
    DNN_SELU,
    DNN_SILU,
    DNN_SQUARED_ERROR,
    DNN_TANH,
    dnn_embedding,
    ops_for,
)


cdef enum:
    BLOCK = 256  # elements whose slopes are computed together, on the stack


# --------------------------------------------------------------------- nogil functions

cdef void c_norm(Py_ssize_t n, Py_ssize_t m, const real* x, const real* mean,
                 const real* scale, real* out) noexcept nogil:
    ops_for(x).norm(n, m, x, NULL, 0, mean, scale, out)


cdef void c_norm_backward(Py_ssize_t n, Py_ssize_t m, const real* da, const real* scale,
                          real* dx) noexcept nogil:
    ops_for(da).norm_backward(n, m, da, scale, dx)


cdef void c_affine(Py_ssize_t n, Py_ssize_t k, Py_ssize_t m, const real* a, const real* W,
                   const real* b, real* z) noexcept nogil:
    matmul(<int> n, <int> m, <int> k, a, W, z)
    ops_for(a).add_bias(DNN_IDENTITY, n, m, b, z, NULL)


cdef void c_affine_backward(Py_ssize_t n, Py_ssize_t k, Py_ssize_t m, const real* dz,
                            const real* a, const real* W, real* da, real* dW,
                            real* db) noexcept nogil:
    if da != NULL:
        matmul_nt(<int> n, <int> k, <int> m, dz, W, da)
    if dW != NULL:
        matmul_tn(<int> k, <int> m, <int> n, a, <int> k, dz, dW)
    if db != NULL:
        ops_for(dz).column_sums(n, m, dz, db)


cdef dnn_embedding _embedding(Py_ssize_t n_inputs, Py_ssize_t n_numeric, Py_ssize_t n_bins,
                              Py_ssize_t size, const real* lower,
                              const real* inverse_width) noexcept nogil:
    cdef dnn_embedding of
    of.n_inputs, of.n_numeric, of.n_bins, of.size = n_inputs, n_numeric, n_bins, size
    of.lower, of.inverse_width = lower, inverse_width
    return of


cdef void c_piecewise_linear(Py_ssize_t n, Py_ssize_t n_inputs, Py_ssize_t n_numeric,
                             Py_ssize_t n_bins, Py_ssize_t size, const real* x, const real* lower,
                             const real* inverse_width, const real* s, const real* V,
                             const real* c, real* out) noexcept nogil:
    cdef dnn_embedding of = _embedding(n_inputs, n_numeric, n_bins, size, lower, inverse_width)
    ops_for(x).embed(&of, n, x, s, V, c, out)


cdef void c_piecewise_linear_backward(Py_ssize_t n, Py_ssize_t n_inputs, Py_ssize_t n_numeric,
                                      Py_ssize_t n_bins, Py_ssize_t size, const real* dout,
                                      const real* x, const real* lower, const real* inverse_width,
                                      const real* s, const real* V, const real* c, real* dx,
                                      real* ds, real* dV, real* dc) noexcept nogil:
    cdef dnn_embedding of = _embedding(n_inputs, n_numeric, n_bins, size, lower, inverse_width)
    if dx != NULL:
        ops_for(x).embed_delta(&of, n, dout, x, s, V, dx)
    if ds != NULL:
        ops_for(x).embed_gradient(&of, n, 0, n_numeric, dout, x, s, V, c, ds, dV, dc)
        ops_for(x).embed_gradient(&of, n, n_numeric, n_inputs, dout, x, s, V, c, ds, dV, dc)


cdef void c_sigmoid(Py_ssize_t n, const real* z, real* a) noexcept nogil:
    ops_for(z).activate(DNN_LOGISTIC, n, z, a, NULL)


cdef void c_sigmoid_backward(Py_ssize_t n, const real* da, const real* a,
                             real* dz) noexcept nogil:
    ops_for(da).activate_backward(DNN_LOGISTIC, n, da, a, dz)


cdef void c_tanh(Py_ssize_t n, const real* z, real* a) noexcept nogil:
    ops_for(z).activate(DNN_TANH, n, z, a, NULL)


cdef void c_tanh_backward(Py_ssize_t n, const real* da, const real* a,
                          real* dz) noexcept nogil:
    ops_for(da).activate_backward(DNN_TANH, n, da, a, dz)


cdef void c_relu(Py_ssize_t n, const real* z, real* a) noexcept nogil:
    ops_for(z).activate(DNN_RELU, n, z, a, NULL)


cdef void c_relu_backward(Py_ssize_t n, const real* da, const real* a,
                          real* dz) noexcept nogil:
    ops_for(da).activate_backward(DNN_RELU, n, da, a, dz)


cdef void c_selu(Py_ssize_t n, const real* z, real* a) noexcept nogil:
    ops_for(z).activate(DNN_SELU, n, z, a, NULL)


cdef void c_selu_backward(Py_ssize_t n, const real* da, const real* a,
                          real* dz) noexcept nogil:
    ops_for(da).activate_backward(DNN_SELU, n, da, a, dz)


cdef void _backward_from_input(int activation, Py_ssize_t n, const real* da, const real* z,
                               real* dz) noexcept nogil:
    """Compute dz = da * f'(z) for the activation functions with a slope."""
    cdef real a[BLOCK]
    cdef real slope[BLOCK]
    cdef Py_ssize_t start = 0, size
    while start < n:
        size = min(<Py_ssize_t> BLOCK, n - start)
        ops_for(z).activate(activation, size, z + start, a, slope)
        ops_for(z).activate_backward(activation, size, da + start, slope, dz + start)
        start += size


cdef void c_silu(Py_ssize_t n, const real* z, real* a) noexcept nogil:
    ops_for(z).activate(DNN_SILU, n, z, a, NULL)


cdef void c_silu_backward(Py_ssize_t n, const real* da, const real* z,
                          real* dz) noexcept nogil:
    _backward_from_input(DNN_SILU, n, da, z, dz)


cdef void c_gelu(Py_ssize_t n, const real* z, real* a) noexcept nogil:
    ops_for(z).activate(DNN_GELU, n, z, a, NULL)


cdef void c_gelu_backward(Py_ssize_t n, const real* da, const real* z,
                          real* dz) noexcept nogil:
    _backward_from_input(DNN_GELU, n, da, z, dz)


cdef void c_mish(Py_ssize_t n, const real* z, real* a) noexcept nogil:
    ops_for(z).activate(DNN_MISH, n, z, a, NULL)


cdef void c_mish_backward(Py_ssize_t n, const real* da, const real* z,
                          real* dz) noexcept nogil:
    _backward_from_input(DNN_MISH, n, da, z, dz)


cdef void c_exp(Py_ssize_t n, const real* z, real* a) noexcept nogil:
    ops_for(z).activate(DNN_EXP, n, z, a, NULL)


cdef void c_exp_backward(Py_ssize_t n, const real* da, const real* a, real* dz) noexcept nogil:
    ops_for(da).activate_backward(DNN_EXP, n, da, a, dz)


cdef void c_softmax(Py_ssize_t n, Py_ssize_t m, const real* z, real* p) noexcept nogil:
    ops_for(z).softmax(n, m, z, p)


cdef void c_log_softmax(Py_ssize_t n, Py_ssize_t m, const real* z, real* log_p) noexcept nogil:
    ops_for(z).log_softmax(n, m, z, log_p)


cdef void c_softmax_backward(Py_ssize_t n, Py_ssize_t m, const real* dp, const real* p,
                             real* dz) noexcept nogil:
    ops_for(dp).softmax_backward(n, m, dp, p, dz)


cdef void c_sort_rows(Py_ssize_t n, Py_ssize_t m, const real* z, real* out) noexcept nogil:
    ops_for(z).sort_rows(n, m, z, out)


cdef void c_sort_rows_backward(Py_ssize_t n, Py_ssize_t m, const real* dout, const real* z,
                               real* dz) noexcept nogil:
    ops_for(z).sort_rows_backward(n, m, dout, z, dz)


cdef void c_cross_entropy(Py_ssize_t n, Py_ssize_t m, const real* p, const Py_ssize_t* label,
                          const real* L, double inverse_total, const real* weight,
                          double* row_loss) noexcept nogil:
    ops_for(p).cross_entropy(n, m, p, label, L, inverse_total, weight, row_loss)


cdef void c_cross_entropy_backward(Py_ssize_t n, Py_ssize_t m, const real* p,
                                   const Py_ssize_t* label, const real* L, double inverse_total,
                                   const real* weight, real* dp) noexcept nogil:
    ops_for(p).cross_entropy_backward(n, m, p, label, L, inverse_total, weight, dp)


cdef void c_softmax_cross_entropy(Py_ssize_t n, Py_ssize_t m, const real* z,
                                  const Py_ssize_t* label, const real* L, double inverse_total,
                                  const real* weight, double* row_loss,
                                  real* dz) noexcept nogil:
    ops_for(z).softmax_cross_entropy(n, m, z, label, L, inverse_total, weight, row_loss, dz)


cdef void c_sigmoid_cross_entropy(Py_ssize_t n, Py_ssize_t m, const real* z, const real* Y,
                                  double inverse_total, const real* weight, double* row_loss,
                                  real* dz) noexcept nogil:
    ops_for(z).elementwise_loss(DNN_BINARY_CROSS_ENTROPY, NULL, n, m, z, Y, inverse_total, weight,
                                row_loss, dz)


cdef void c_squared_error(Py_ssize_t n, Py_ssize_t m, const real* z, const real* Y,
                          double inverse_total, const real* weight, double* row_loss,
                          real* dz) noexcept nogil:
    ops_for(z).elementwise_loss(DNN_SQUARED_ERROR, NULL, n, m, z, Y, inverse_total, weight,
                                row_loss, dz)


cdef void c_huber_error(Py_ssize_t n, Py_ssize_t m, const real* z, const real* Y,
                        double delta, double inverse_total, const real* weight, double* row_loss,
                        real* dz) noexcept nogil:
    ops_for(z).elementwise_loss(DNN_HUBER, &delta, n, m, z, Y, inverse_total, weight, row_loss, dz)


cdef void c_absolute_error(Py_ssize_t n, Py_ssize_t m, const real* z, const real* Y,
                           double inverse_total, const real* weight, double* row_loss,
                           real* dz) noexcept nogil:
    ops_for(z).elementwise_loss(DNN_ABSOLUTE_ERROR, NULL, n, m, z, Y, inverse_total, weight,
                                row_loss, dz)


cdef void c_quantile_error(Py_ssize_t n, Py_ssize_t m, const real* z, const real* Y,
                           const double* quantiles, double inverse_total, const real* weight,
                           double* row_loss, real* dz) noexcept nogil:
    ops_for(z).elementwise_loss(DNN_QUANTILE, quantiles, n, m, z, Y, inverse_total, weight, row_loss,
                                dz)


cdef void c_poisson_deviance(Py_ssize_t n, Py_ssize_t m, const real* z, const real* Y,
                             double inverse_total, const real* weight, double* row_loss,
                             real* dz) noexcept nogil:
    ops_for(z).elementwise_loss(DNN_POISSON, NULL, n, m, z, Y, inverse_total, weight, row_loss, dz)


# ------------------------------------------------------------------- Python functions

cdef inline const real* _data(const real[::1] x) noexcept:
    """Return the address of the first element, or NULL if there is none."""
    return &x[0] if x is not None and x.shape[0] > 0 else NULL


cdef const Py_ssize_t* _index_data(const Py_ssize_t[::1] x) noexcept:
    return &x[0] if x is not None and x.shape[0] > 0 else NULL


# Each function has a fused part `_name` that converts flat views to pointers.

def _norm(Py_ssize_t n, Py_ssize_t m, const real[::1] x, const real[::1] mean,
          const real[::1] scale, real[::1] out):
    with nogil:
        c_norm(n, m, &x[0], &mean[0], &scale[0], &out[0])


def norm(x, mean, scale, *, out=None):
    """Standardise each feature: ``(x - mean) / scale``.

    Parameters
    ----------
    x : array (n, m) of float32 or float64
        Input rows.
    mean, scale : array (m,), same dtype
        Mean and scale of each feature; `scale` must not contain zeros.
    out : array (n, m), same dtype, optional
        Array to store the result in; may be `x`.

    Returns
    -------
    array (n, m)

    Raises
    ------
    TypeError, ValueError
        If a dtype or shape is invalid, as in every function of this module.
    """
    x = matrix("x", x)
    n, m = x.shape
    mean = array_like("mean", mean, (m,), "x", x.dtype)
    scale = array_like("scale", scale, (m,), "x", x.dtype)
    out = output("out", out, x.shape, x.dtype, in_place=x, apart=(mean, scale))
    if n:
        _norm(n, m, x.ravel(), mean, scale, out.ravel())
    return out


def _norm_backward(Py_ssize_t n, Py_ssize_t m, const real[::1] da, const real[::1] scale,
                   real[::1] out):
    with nogil:
        c_norm_backward(n, m, &da[0], &scale[0], &out[0])


def norm_backward(da, scale, *, out=None):
    """Compute the gradient of :func:`norm` with respect to x: ``da / scale``.

    Parameters
    ----------
    da : array (n, m) of float32 or float64
        Gradient of the loss with respect to the output of :func:`norm`.
    scale : array (m,), same dtype
        Scale of each feature.
    out : array (n, m), same dtype, optional
        Array to store the result in; may be `da`.

    Returns
    -------
    array (n, m)
    """
    da = matrix("da", da)
    n, m = da.shape
    scale = array_like("scale", scale, (m,), "da", da.dtype)
    out = output("out", out, da.shape, da.dtype, in_place=da, apart=(scale,))
    if n:
        _norm_backward(n, m, da.ravel(), scale, out.ravel())
    return out


def _affine(Py_ssize_t n, Py_ssize_t k, Py_ssize_t m, const real[::1] a, const real[::1] W,
            const real[::1] b, real[::1] out):
    with nogil:
        c_affine(n, k, m, &a[0], &W[0], &b[0], &out[0])


def affine(a, W, b, *, out=None):
    """Compute ``z = a W + b``, where the bias is added to every row.

    Parameters
    ----------
    a : array (n, k) of float32 or float64
        Inputs of the layer.
    W : array (k, m), same dtype
        Weights.
    b : array (m,), same dtype
        Biases.
    out : array (n, m), same dtype, optional
        Array to store the result in; must not overlap an input.

    Returns
    -------
    z : array (n, m)
    """
    a = matrix("a", a)
    W = matrix("W", W)
    n, k = a.shape
    m = W.shape[1]
    W = array_like("W", W, (k, m), "a", a.dtype)
    b = array_like("b", b, (m,), "a and W", a.dtype)
    out = output("out", out, (n, m), a.dtype, apart=(a, W, b))
    if n:
        load_blas()
        _affine(n, k, m, a.ravel(), W.ravel(), b, out.ravel())
    return out


def _affine_backward(Py_ssize_t n, Py_ssize_t k, Py_ssize_t m, const real[::1] dz,
                     const real[::1] a, const real[::1] W, real[::1] da, real[::1] dW,
                     real[::1] db):
    with nogil:
        c_affine_backward(n, k, m, &dz[0], &a[0], &W[0], &da[0], &dW[0], &db[0])


def affine_backward(dz, a, W, *, out=None):
    """Compute the gradients of :func:`affine` with respect to a, W and b.

    ``da = dz W^T``, ``dW = a^T dz``, ``db = sum_rows dz``.

    Parameters
    ----------
    dz : array (n, m) of float32 or float64
        Gradient of the loss with respect to z.
    a : array (n, k), same dtype
        Inputs of the layer.
    W : array (k, m), same dtype
        Weights.
    out : tuple of three arrays (n, k), (k, m), (m,), same dtype, optional
        Arrays to store the results in. Each may be None; none may overlap another array.

    Returns
    -------
    da : array (n, k)
    dW : array (k, m)
    db : array (m,)
    """
    dz = matrix("dz", dz)
    a = matrix("a", a)
    n, m = dz.shape
    k = a.shape[1]
    a = array_like("a", a, (n, k), "dz", dz.dtype)
    W = array_like("W", W, (k, m), "dz and a", dz.dtype)
    da, dW, db = outputs(out, 3)
    da = output("out[0]", da, (n, k), dz.dtype, apart=(dz, a, W))
    dW = output("out[1]", dW, (k, m), dz.dtype, apart=(dz, a, W, da))
    db = output("out[2]", db, (m,), dz.dtype, apart=(dz, a, W, da, dW))
    if n:
        load_blas()
        _affine_backward(n, k, m, dz.ravel(), a.ravel(), W.ravel(), da.ravel(), dW.ravel(), db)
    else:
        dW[...] = 0
        db[...] = 0
    return da, dW, db


def _piecewise_linear(Py_ssize_t n, Py_ssize_t n_inputs, Py_ssize_t n_numeric, Py_ssize_t n_bins,
                      Py_ssize_t size, const real[::1] x, const real[::1] lower,
                      const real[::1] inverse_width, const real[::1] s, const real[::1] V,
                      const real[::1] c, real[::1] out):
    cdef const real* edges = _data(lower)
    cdef const real* inverse = _data(inverse_width)
    cdef const real* weights = _data(V)
    cdef const real* biases = _data(c)
    with nogil:
        c_piecewise_linear(n, n_inputs, n_numeric, n_bins, size, &x[0], edges, inverse, &s[0],
                           weights, biases, &out[0])


cdef tuple _checked_embedding(x, lower, inverse_width, s, V, c):
    """Return the validated arguments of an embedding, and the number of its outputs."""
    x, lower = matrix("x", x), matrix("lower", lower)
    n_inputs, (n_numeric, n_bins) = x.shape[1], lower.shape
    if n_numeric > n_inputs:
        raise ValueError(
            f"lower must have shape (n_numeric, n_bins) with at most {n_inputs} rows, the number "
            f"of columns of x, got {lower.shape}"
        )
    lower = array_like("lower", lower, lower.shape, "x", x.dtype)
    inverse_width = array_like("inverse_width", inverse_width, lower.shape, "lower", x.dtype)
    c = matrix("c", c)
    size = c.shape[1]
    m = n_numeric * size + n_inputs
    c = array_like("c", c, (n_numeric, size), "lower", x.dtype)
    V = array_like("V", V, (n_numeric, size, n_bins), "c and lower", x.dtype)
    s = array_like("s", s, (m,), "x and c", x.dtype)
    return x, lower, inverse_width, s, V, c, m


def piecewise_linear(x, lower, inverse_width, s, V, c, *, out=None):
    """Embed numbers by piecewise-linear functions, with a scale of every output.

    ``out = s * (x[:, :n_numeric], e, x[:, n_numeric:])``, where
    ``e[f, d] = c[f, d] + sum_t q[f, t] V[f, d, t]`` and
    ``q[f, t] = clip((x[f] - lower[f, t]) * inverse_width[f, t], 0, 1)``, as in
    :class:`dnncore.PiecewiseLinear`.

    Parameters
    ----------
    x : array (n, n_inputs) of float32 or float64
        Input rows, of which the first n_numeric columns are numbers.
    lower, inverse_width : array (n_numeric, n_bins), same dtype
        Lower edges of the bins, and reciprocals of their widths, 0 for bins that are not used.
    s : array (m,), same dtype
        Scale of each output, with m = n_numeric * size + n_inputs.
    V : array (n_numeric, size, n_bins), same dtype
        Weights of the bins.
    c : array (n_numeric, size), same dtype
        Biases.
    out : array (n, m), same dtype, optional
        Array to store the result in; must not overlap an input.

    Returns
    -------
    array (n, m)
    """
    x, lower, inverse_width, s, V, c, m = _checked_embedding(x, lower, inverse_width, s, V, c)
    n, n_inputs = x.shape
    arrays = x, lower, inverse_width, s, V, c
    out = output("out", out, (n, m), x.dtype, apart=arrays)
    if n:
        _piecewise_linear(n, n_inputs, *V.shape[::2], V.shape[1], *(a.ravel() for a in arrays),
                          out.ravel())
    return out


def _piecewise_linear_backward(Py_ssize_t n, Py_ssize_t n_inputs, Py_ssize_t n_numeric,
                               Py_ssize_t n_bins, Py_ssize_t size, const real[::1] dout,
                               const real[::1] x, const real[::1] lower,
                               const real[::1] inverse_width, const real[::1] s,
                               const real[::1] V, const real[::1] c, real[::1] dx, real[::1] ds,
                               real[::1] dV, real[::1] dc):
    cdef const real* edges = _data(lower)
    cdef const real* inverse = _data(inverse_width)
    cdef const real* weights = _data(V)
    cdef const real* biases = _data(c)
    cdef real* weight_gradient = &dV[0] if dV.shape[0] else NULL
    cdef real* bias_gradient = &dc[0] if dc.shape[0] else NULL
    with nogil:
        c_piecewise_linear_backward(n, n_inputs, n_numeric, n_bins, size, &dout[0], &x[0], edges,
                                    inverse, &s[0], weights, biases, &dx[0], &ds[0],
                                    weight_gradient, bias_gradient)


def piecewise_linear_backward(dout, x, lower, inverse_width, s, V, c, *, out=None):
    """Compute the gradients of :func:`piecewise_linear` with respect to x, s, V and c.

    With ``out = s * u`` and ``du = s * dout``: ``ds = sum_rows dout * u``,
    ``dV[f, d, t] = sum_rows q[f, t] du[f, d]``, ``dc[f, d] = sum_rows du[f, d]``, and
    ``dx[f] = du[f] + sum_d,t du[f, d] V[f, d, t] inverse_width[f, t]`` with the t whose q[f, t] is
    between 0 and 1; for inputs that are not numbers, ``dx = du``.

    Parameters
    ----------
    dout : array (n, m) of float32 or float64
        Gradient of the loss with respect to the output.
    x, lower, inverse_width, s, V, c
        Arguments of :func:`piecewise_linear`.
    out : tuple of four arrays with the shapes of x, s, V and c, same dtype, optional
        Arrays to store the results in. Each may be None; none may overlap another array.

    Returns
    -------
    dx : array (n, n_inputs)
    ds : array (m,)
    dV : array (n_numeric, size, n_bins)
    dc : array (n_numeric, size)
    """
    dout, x = matrix("dout", dout), matrix("x", x)
    x = array_like("x", x, (dout.shape[0], x.shape[1]), "dout", dout.dtype)
    x, lower, inverse_width, s, V, c, m = _checked_embedding(x, lower, inverse_width, s, V, c)
    n, n_inputs = x.shape
    dout = array_like("dout", dout, (n, m), "x and s", x.dtype)
    arrays = dout, x, lower, inverse_width, s, V, c
    results = []
    for i, (given, like) in enumerate(zip(outputs(out, 4), (x, s, V, c))):
        results.append(output(f"out[{i}]", given, like.shape, x.dtype, apart=(*arrays, *results)))
    if n:
        _piecewise_linear_backward(n, n_inputs, *V.shape[::2], V.shape[1],
                                   *(a.ravel() for a in arrays), *(a.ravel() for a in results))
    else:
        for result in results:
            result[...] = 0
    return tuple(results)


def _activate(int activation, const real[::1] z, real[::1] out):
    with nogil:
        ops_for(&z[0]).activate(activation, z.shape[0], &z[0], &out[0], NULL)


def _activate_backward(int activation, const real[::1] da, const real[::1] a, real[::1] out):
    with nogil:
        ops_for(&da[0]).activate_backward(activation, da.shape[0], &da[0], &a[0], &out[0])


def _activate_backward_from_input(int activation, const real[::1] da, const real[::1] z,
                                  real[::1] out):
    with nogil:
        _backward_from_input(activation, da.shape[0], &da[0], &z[0], &out[0])


cdef object _activated(int activation, z, out):
    z = real_array("z", z)
    out = output("out", out, z.shape, z.dtype, in_place=z)
    if z.size:
        _activate(activation, z.ravel(), out.ravel())
    return out


cdef object _activated_backward(int activation, da, a, out):
    da = real_array("da", da)
    a = array_like("a", a, da.shape, "da", da.dtype)
    out = output("out", out, da.shape, da.dtype, in_place=da, apart=(a,))
    if da.size:
        _activate_backward(activation, da.ravel(), a.ravel(), out.ravel())
    return out


cdef object _activated_backward_from_input(int activation, da, z, out):
    da = real_array("da", da)
    z = array_like("z", z, da.shape, "da", da.dtype)
    out = output("out", out, da.shape, da.dtype, in_place=da, apart=(z,))
    if da.size:
        _activate_backward_from_input(activation, da.ravel(), z.ravel(), out.ravel())
    return out


def sigmoid(z, *, out=None):
    """Compute ``1 / (1 + exp(-z))`` elementwise, to within 2 ULP in float32.

    Parameters
    ----------
    z : array of float32 or float64, any shape
        Input values.
    out : array, same shape and dtype, optional
        Array to store the result in; may be `z`.

    Returns
    -------
    array, like `z`
    """
    return _activated(DNN_LOGISTIC, z, out)


def sigmoid_backward(da, a, *, out=None):
    """Compute the gradient of :func:`sigmoid` from its output a: ``dz = da * a * (1 - a)``.

    Parameters
    ----------
    da : array of float32 or float64, any shape
        Gradient of the loss with respect to a.
    a : array, same shape and dtype
        Output of the forward function.
    out : array, same shape and dtype, optional
        Array to store the result in; may be `da`.

    Returns
    -------
    dz : array, like `da`
    """
    return _activated_backward(DNN_LOGISTIC, da, a, out)


def tanh(z, *, out=None):
    """Compute ``tanh(z)`` elementwise, to within 2 ULP in float32.

    Parameters
    ----------
    z : array of float32 or float64, any shape
        Input values.
    out : array, same shape and dtype, optional
        Array to store the result in; may be `z`.

    Returns
    -------
    array, like `z`
    """
    return _activated(DNN_TANH, z, out)


def tanh_backward(da, a, *, out=None):
    """Compute the gradient of :func:`tanh` from its output a: ``dz = da * (1 - a^2)``.

    Parameters
    ----------
    da : array of float32 or float64, any shape
        Gradient of the loss with respect to a.
    a : array, same shape and dtype
        Output of the forward function.
    out : array, same shape and dtype, optional
        Array to store the result in; may be `da`.

    Returns
    -------
    dz : array, like `da`
    """
    return _activated_backward(DNN_TANH, da, a, out)


def relu(z, *, out=None):
    """Compute ``max(z, 0)`` elementwise; NaN is propagated.

    Parameters
    ----------
    z : array of float32 or float64, any shape
        Input values.
    out : array, same shape and dtype, optional
        Array to store the result in; may be `z`.

    Returns
    -------
    array, like `z`
    """
    return _activated(DNN_RELU, z, out)


def relu_backward(da, a, *, out=None):
    """Compute the gradient of :func:`relu` from its output a: ``da`` where ``a > 0``, else 0.

    Parameters
    ----------
    da : array of float32 or float64, any shape
        Gradient of the loss with respect to a.
    a : array, same shape and dtype
        Output of the forward function.
    out : array, same shape and dtype, optional
        Array to store the result in; may be `da`.

    Returns
    -------
    dz : array, like `da`
    """
    return _activated_backward(DNN_RELU, da, a, out)


def selu(z, *, out=None):
    """Compute ``lambda z`` where ``z > 0``, else ``lambda alpha (exp(z) - 1)``, elementwise.

    Parameters
    ----------
    z : array of float32 or float64, any shape
        Input values.
    out : array, same shape and dtype, optional
        Array to store the result in; may be `z`.

    Returns
    -------
    array, like `z`

    Notes
    -----
    G. Klambauer et al. (2017), "Self-Normalizing Neural Networks": with lambda =
    1.0507009873554805 and alpha = 1.6732632423543772, layers keep mean 0 and variance 1.
    """
    return _activated(DNN_SELU, z, out)


def selu_backward(da, a, *, out=None):
    """Compute the gradient of :func:`selu` from its output a.

    ``dz = da * lambda`` where ``a > 0``, else ``da * (a + lambda alpha)``.

    Parameters
    ----------
    da : array of float32 or float64, any shape
        Gradient of the loss with respect to a.
    a : array, same shape and dtype
        Output of the forward function.
    out : array, same shape and dtype, optional
        Array to store the result in; may be `da`.

    Returns
    -------
    dz : array, like `da`
    """
    return _activated_backward(DNN_SELU, da, a, out)


def silu(z, *, out=None):
    """Compute ``z p`` with ``p = sigmoid(z)`` elementwise.

    Parameters
    ----------
    z : array of float32 or float64, any shape
        Input values.
    out : array, same shape and dtype, optional
        Array to store the result in; may be `z`.

    Returns
    -------
    array, like `z`

    Notes
    -----
    Also called swish. S. Elfwing, E. Uchibe and K. Doya (2018), "Sigmoid-weighted linear units for
    neural network function approximation in reinforcement learning".
    """
    return _activated(DNN_SILU, z, out)


def silu_backward(da, z, *, out=None):
    """Compute the gradient of :func:`silu` from its input z.

    ``dz = da * p (1 + z (1 - p))`` with ``p = sigmoid(z)``.

    Parameters
    ----------
    da : array of float32 or float64, any shape
        Gradient of the loss with respect to a.
    z : array, same shape and dtype
        Input of the forward function.
    out : array, same shape and dtype, optional
        Array to store the result in; may be `da`.

    Returns
    -------
    dz : array, like `da`
    """
    return _activated_backward_from_input(DNN_SILU, da, z, out)


def gelu(z, *, out=None):
    """Compute ``z Phi(z)`` elementwise.

    Parameters
    ----------
    z : array of float32 or float64, any shape
        Input values.
    out : array, same shape and dtype, optional
        Array to store the result in; may be `z`.

    Returns
    -------
    array, like `z`

    Notes
    -----
    Phi is the normal distribution function, ``Phi(z) = (1 + erf(z / sqrt(2))) / 2``, not its
    approximation by tanh. D. Hendrycks and K. Gimpel (2016), "Gaussian Error Linear Units (GELUs)".
    """
    return _activated(DNN_GELU, z, out)


def gelu_backward(da, z, *, out=None):
    """Compute the gradient of :func:`gelu` from its input z.

    ``dz = da * (Phi(z) + z phi(z))`` with ``phi(z) = exp(-z^2 / 2) / sqrt(2 pi)``.

    Parameters
    ----------
    da : array of float32 or float64, any shape
        Gradient of the loss with respect to a.
    z : array, same shape and dtype
        Input of the forward function.
    out : array, same shape and dtype, optional
        Array to store the result in; may be `da`.

    Returns
    -------
    dz : array, like `da`
    """
    return _activated_backward_from_input(DNN_GELU, da, z, out)


def mish(z, *, out=None):
    """Compute ``z t`` with ``t = tanh(log(1 + exp(z)))`` elementwise.

    Parameters
    ----------
    z : array of float32 or float64, any shape
        Input values.
    out : array, same shape and dtype, optional
        Array to store the result in; may be `z`.

    Returns
    -------
    array, like `z`

    Notes
    -----
    D. Misra (2020), "Mish: A Self Regularized Non-Monotonic Activation Function".
    """
    return _activated(DNN_MISH, z, out)


def mish_backward(da, z, *, out=None):
    """Compute the gradient of :func:`mish` from its input z.

    ``dz = da * (t + z (1 - t^2) sigmoid(z))`` with ``t = tanh(log(1 + exp(z)))``.

    Parameters
    ----------
    da : array of float32 or float64, any shape
        Gradient of the loss with respect to a.
    z : array, same shape and dtype
        Input of the forward function.
    out : array, same shape and dtype, optional
        Array to store the result in; may be `da`.

    Returns
    -------
    dz : array, like `da`
    """
    return _activated_backward_from_input(DNN_MISH, da, z, out)


def exp(z, *, out=None):
    """Compute ``exp(z)`` elementwise, at most the largest finite number, to within 1 ULP.

    Parameters
    ----------
    z : array of float32 or float64, any shape
        Input values.
    out : array, same shape and dtype, optional
        Array to store the result in; may be `z`.

    Returns
    -------
    array, like `z`
    """
    return _activated(DNN_EXP, z, out)


def exp_backward(da, a, *, out=None):
    """Compute the gradient of :func:`exp` from its output a: ``dz = da * a``.

    Parameters
    ----------
    da : array of float32 or float64, any shape
        Gradient of the loss with respect to a.
    a : array, same shape and dtype
        Output of the forward function.
    out : array, same shape and dtype, optional
        Array to store the result in; may be `da`.

    Returns
    -------
    dz : array, like `da`
    """
    return _activated_backward(DNN_EXP, da, a, out)


def _sort_rows(Py_ssize_t n, Py_ssize_t m, const real[::1] z, real[::1] out):
    with nogil:
        c_sort_rows(n, m, &z[0], &out[0])


def sort_rows(z, *, out=None):
    """Sort the elements of every row in ascending order.

    Applied to estimates of the quantiles of one target, it removes their crossings, and the result
    is never farther from the quantiles.

    Parameters
    ----------
    z : array (n, m) of float32 or float64
        Rows.
    out : array (n, m), same dtype, optional
        Array to store the result in; may be `z`.

    Returns
    -------
    array (n, m)

    Notes
    -----
    V. Chernozhukov, I. Fernandez-Val and A. Galichon (2010), "Quantile and probability curves
    without crossing".
    """
    z = matrix("z", z)
    n, m = z.shape
    out = output("out", out, z.shape, z.dtype, in_place=z)
    if n:
        _sort_rows(n, m, z.ravel(), out.ravel())
    return out


def _sort_rows_backward(Py_ssize_t n, Py_ssize_t m, const real[::1] dout, const real[::1] z,
                        real[::1] out):
    with nogil:
        c_sort_rows_backward(n, m, &dout[0], &z[0], &out[0])


def sort_rows_backward(dout, z, *, out=None):
    """Compute the gradient of :func:`sort_rows` from its input z.

    ``dz_i = dout_j``, where z_i is element j of the sorted row; equal elements keep their order.

    Parameters
    ----------
    dout : array (n, m) of float32 or float64
        Gradient of the loss with respect to the output of :func:`sort_rows`.
    z : array (n, m), same dtype
        Input of :func:`sort_rows`.
    out : array (n, m), same dtype, optional
        Array to store the result in; must not overlap the arguments.

    Returns
    -------
    dz : array (n, m)
    """
    dout = matrix("dout", dout)
    n, m = dout.shape
    z = array_like("z", z, (n, m), "dout", dout.dtype)
    out = output("out", out, dout.shape, dout.dtype, apart=(dout, z))
    if n:
        _sort_rows_backward(n, m, dout.ravel(), z.ravel(), out.ravel())
    return out


def _softmax(Py_ssize_t n, Py_ssize_t m, const real[::1] z, real[::1] out):
    with nogil:
        c_softmax(n, m, &z[0], &out[0])


def softmax(z, *, out=None):
    """Compute ``p_i = exp(z_i) / sum_j exp(z_j)`` in every row; finite for any finite z.

    Parameters
    ----------
    z : array (n, m) of float32 or float64
        Logits.
    out : array (n, m), same dtype, optional
        Array to store the result in; may be `z`.

    Returns
    -------
    p : array (n, m)
    """
    z = matrix("z", z)
    n, m = z.shape
    out = output("out", out, z.shape, z.dtype, in_place=z)
    if n:
        _softmax(n, m, z.ravel(), out.ravel())
    return out


def _log_softmax(Py_ssize_t n, Py_ssize_t m, const real[::1] z, real[::1] out):
    with nogil:
        c_log_softmax(n, m, &z[0], &out[0])


def log_softmax(z, *, out=None):
    """Compute ``z_i - log sum_j exp(z_j)`` in every row; finite for any finite z.

    Parameters
    ----------
    z : array (n, m) of float32 or float64
        Logits.
    out : array (n, m), same dtype, optional
        Array to store the result in; may be `z`.

    Returns
    -------
    array (n, m)
    """
    z = matrix("z", z)
    n, m = z.shape
    out = output("out", out, z.shape, z.dtype, in_place=z)
    if n:
        _log_softmax(n, m, z.ravel(), out.ravel())
    return out


def _softmax_backward(Py_ssize_t n, Py_ssize_t m, const real[::1] dp, const real[::1] p,
                      real[::1] out):
    with nogil:
        c_softmax_backward(n, m, &dp[0], &p[0], &out[0])


def softmax_backward(dp, p, *, out=None):
    """Compute the gradient of :func:`softmax` from its output p.

    ``dz_i = p_i (dp_i - sum_j dp_j p_j)``: dp times the full Jacobian ``diag(p) - p p^T``, not
    only its diagonal.

    Parameters
    ----------
    dp : array (n, m) of float32 or float64
        Gradient of the loss with respect to p.
    p : array (n, m), same dtype
        Output of :func:`softmax`.
    out : array (n, m), same dtype, optional
        Array to store the result in; may be `dp`.

    Returns
    -------
    dz : array (n, m)
    """
    dp = matrix("dp", dp)
    n, m = dp.shape
    p = array_like("p", p, (n, m), "dp", dp.dtype)
    out = output("out", out, dp.shape, dp.dtype, in_place=dp, apart=(p,))
    if n:
        _softmax_backward(n, m, dp.ravel(), p.ravel(), out.ravel())
    return out


cdef object _flat(x):
    return None if x is None else x.ravel()


def _cross_entropy(Py_ssize_t n, Py_ssize_t m, const real[::1] p,
                   const Py_ssize_t[::1] label, const real[::1] L, double inverse_total,
                   const real[::1] weight, double[::1] row_loss):
    cdef const Py_ssize_t* label_data = _index_data(label)
    cdef const real* L_data = _data(L)
    cdef const real* weight_data = _data(weight)
    with nogil:
        c_cross_entropy(n, m, &p[0], label_data, L_data, inverse_total, weight_data, &row_loss[0])


def cross_entropy(p, L, *, sample_weight=None):
    """Compute the mean cross-entropy ``-(1 / sum w) sum_rows w sum_i L_i log p_i``.

    Probabilities below the smallest normal number of their type are replaced by that number, so
    that the loss is finite. If logits are available, :func:`softmax_cross_entropy` has no such
    limit.

    Parameters
    ----------
    p : array (n, m) of float32 or float64
        Probabilities.
    L : integer array (n,) or array (n, m) of the dtype of p
        Class indices, or soft labels: a row of class probabilities for each sample.
    sample_weight : array (n,), optional
        Weights w of the rows, non-negative and not all zero. By default, all are 1.

    Returns
    -------
    float
        The mean loss; 0.0 if there are no rows.
    """
    p = matrix("p", p)
    n, m = p.shape
    y = labels("L", L, sample_weight, (n, m), "p", p.dtype)
    row_loss = np.empty(n)
    if n:
        _cross_entropy(n, m, p.ravel(), y.label, _flat(y.L), y.inverse_total,
                       y.weight, row_loss)
    return float(row_loss.sum())


def _cross_entropy_backward(Py_ssize_t n, Py_ssize_t m, const real[::1] p,
                            const Py_ssize_t[::1] label, const real[::1] L, double inverse_total,
                            const real[::1] weight, real[::1] out):
    cdef const Py_ssize_t* label_data = _index_data(label)
    cdef const real* L_data = _data(L)
    cdef const real* weight_data = _data(weight)
    with nogil:
        c_cross_entropy_backward(n, m, &p[0], label_data, L_data, inverse_total, weight_data,
                                 &out[0])


def cross_entropy_backward(p, L, *, sample_weight=None, out=None):
    """Compute the gradient of :func:`cross_entropy` with respect to p: ``-(w / sum w) L / p``.

    Parameters
    ----------
    p, L, sample_weight
        As in :func:`cross_entropy`.
    out : array (n, m), same dtype, optional
        Array to store the result in; may be `p`.

    Returns
    -------
    dp : array (n, m)
    """
    p = matrix("p", p)
    n, m = p.shape
    y = labels("L", L, sample_weight, (n, m), "p", p.dtype)
    out = output("out", out, p.shape, p.dtype, in_place=p, apart=y.arrays)
    if n:
        _cross_entropy_backward(n, m, p.ravel(), y.label, _flat(y.L), y.inverse_total,
                                y.weight, out.ravel())
    return out


def _softmax_cross_entropy(Py_ssize_t n, Py_ssize_t m, const real[::1] z,
                           const Py_ssize_t[::1] label, const real[::1] L, double inverse_total,
                           const real[::1] weight, double[::1] row_loss, real[::1] out):
    cdef const Py_ssize_t* label_data = _index_data(label)
    cdef const real* L_data = _data(L)
    cdef const real* weight_data = _data(weight)
    with nogil:
        c_softmax_cross_entropy(n, m, &z[0], label_data, L_data, inverse_total, weight_data,
                                &row_loss[0], &out[0])


def softmax_cross_entropy(z, L, *, sample_weight=None, out=None):
    """Compute the mean cross-entropy of ``p = softmax(z)`` and its gradient in one pass.

    ``dz = (w / sum w) (p sum_i L_i - L)``. Both are finite for any finite z: the logarithm is
    that of a sum of exponentials, which is at least 1, and never that of p.

    Parameters
    ----------
    z : array (n, m) of float32 or float64
        Logits.
    L, sample_weight
        As in :func:`cross_entropy`.
    out : array (n, m), same dtype, optional
        Array to store dz in; may be `z`.

    Returns
    -------
    loss : float
        The mean loss; 0.0 if there are no rows.
    dz : array (n, m)
        Gradient of the loss with respect to z.
    """
    z = matrix("z", z)
    n, m = z.shape
    y = labels("L", L, sample_weight, (n, m), "z", z.dtype)
    out = output("out", out, z.shape, z.dtype, in_place=z, apart=y.arrays)
    row_loss = np.empty(n)
    if n:
        _softmax_cross_entropy(n, m, z.ravel(), y.label, _flat(y.L), y.inverse_total,
                               y.weight, row_loss, out.ravel())
    return float(row_loss.sum()), out


def _elementwise_loss(int loss, const double[::1] parameters, Py_ssize_t n, Py_ssize_t m,
                      const real[::1] z, const real[::1] Y, double inverse_total,
                      const real[::1] weight, double[::1] row_loss, real[::1] out):
    cdef const double* parameter_data = _data(parameters)
    cdef const real* weight_data = _data(weight)
    with nogil:
        ops_for(&z[0]).elementwise_loss(loss, parameter_data, n, m, &z[0], &Y[0], inverse_total,
                                        weight_data, &row_loss[0], &out[0])


cdef object _elementwise_loss_of(int loss, z, Y, sample_weight, out, parameters=(), interval=None):
    """Return the loss and dz for a validated matrix z, and targets Y, in an interval if given."""
    n, m = z.shape
    if isinstance(Y, Labels):
        y = Y
    else:
        # `labels` accepts targets as soft labels.
        Y = array_like("Y", Y, (n, m), "z", z.dtype)
        y = labels("Y", Y, sample_weight, (n, m), "z", z.dtype)
        if interval is not None:
            check_interval("Y", Y, *interval)
    out = output("out", out, z.shape, z.dtype, in_place=z, apart=y.arrays)
    row_loss = np.empty(n)
    if n:
        _elementwise_loss(loss, np.array(parameters, np.float64), n, m, z.ravel(), y.L.ravel(),
                          y.inverse_total, y.weight, row_loss, out.ravel())
    return float(row_loss.sum()), out


def sigmoid_cross_entropy(z, Y, *, sample_weight=None, out=None):
    """Compute the mean binary cross-entropy of ``p = sigmoid(z)`` and its gradient.

    The loss is ``-(1 / sum w) sum_rows w sum_i (Y_i log p_i + (1 - Y_i) log(1 - p_i))``, and
    ``dz = (w / sum w) (p - Y)``. Both are finite for any finite z (in float64, unless the sum over
    a row overflows): the logarithm is that of ``1 + exp(-|z|)``, and never that of p.

    Parameters
    ----------
    z : array (n, m) of float32 or float64
        Logits.
    Y : array (n, m), same dtype
        Targets in [0, 1].
    sample_weight : array (n,), optional
        Weights w of the rows, non-negative and not all zero. By default, all are 1.
    out : array (n, m), same dtype, optional
        Array to store dz in; may be `z`.

    Returns
    -------
    loss : float
        The mean loss; 0.0 if there are no rows.
    dz : array (n, m)
        Gradient of the loss with respect to z.
    """
    z = matrix("z", z)
    return _elementwise_loss_of(
        DNN_BINARY_CROSS_ENTROPY, z, Y, sample_weight, out, (), (0.0, 1.0)
    )


def squared_error(z, Y, *, sample_weight=None, out=None):
    """Compute half the mean squared error and its gradient.

    The loss is ``(1 / sum w) sum_rows w sum_i (z_i - Y_i)^2 / 2``, and
    ``dz = (w / sum w) (z - Y)``. Squares that overflow are infinite.

    Parameters
    ----------
    z : array (n, m) of float32 or float64
        Predictions.
    Y : array (n, m), same dtype
        Targets.
    sample_weight, out
        As in :func:`sigmoid_cross_entropy`.

    Returns
    -------
    loss : float
        The mean loss; 0.0 if there are no rows.
    dz : array (n, m)
        Gradient of the loss with respect to z.
    """
    return _elementwise_loss_of(DNN_SQUARED_ERROR, matrix("z", z), Y, sample_weight, out)


def huber_error(z, Y, *, delta=1.0, sample_weight=None, out=None):
    """Compute the mean Huber loss and its gradient.

    With ``d = z - Y``, the loss of an output is ``d^2 / 2`` where ``|d| <= delta``, else
    ``delta (|d| - delta / 2)``; ``dz`` is ``w / sum w`` times d clipped to [-delta, delta].

    Parameters
    ----------
    z : array (n, m) of float32 or float64
        Predictions.
    Y : array (n, m), same dtype
        Targets.
    delta : float, default 1.0
        Residual at which the loss becomes linear; a positive, normal number in the dtype of z.
    sample_weight, out
        As in :func:`sigmoid_cross_entropy`.

    Returns
    -------
    loss : float
        The mean loss; 0.0 if there are no rows.
    dz : array (n, m)
        Gradient of the loss with respect to z.
    """
    z = matrix("z", z)
    info = np.finfo(z.dtype)
    delta = number("delta", delta, low=float(info.tiny), high=float(info.max))
    return _elementwise_loss_of(DNN_HUBER, z, Y, sample_weight, out, (delta,))


def absolute_error(z, Y, *, sample_weight=None, out=None):
    """Compute the mean absolute error, summed over the outputs, and its gradient.

    The loss is ``(1 / sum w) sum_rows w sum_i |z_i - Y_i|``; ``dz`` is ``w / sum w`` times the sign
    of ``z - Y``, which is 0 where z and Y are equal.

    Parameters
    ----------
    z : array (n, m) of float32 or float64
        Predictions.
    Y : array (n, m), same dtype
        Targets.
    sample_weight, out
        As in :func:`sigmoid_cross_entropy`.

    Returns
    -------
    loss : float
        The mean loss; 0.0 if there are no rows.
    dz : array (n, m)
        Gradient of the loss with respect to z.
    """
    return _elementwise_loss_of(DNN_ABSOLUTE_ERROR, matrix("z", z), Y, sample_weight, out)


def quantile_error(z, Y, quantiles, *, sample_weight=None, out=None):
    """Compute the mean quantile loss, or pinball loss, and its gradient.

    With the level q of an output, its loss is ``(1 - q) (z - Y)`` where ``z > Y``, else
    ``q (Y - z)``; ``dz`` is ``w / sum w`` times ``1 - q`` where ``z > Y``, 0 where z and Y are
    equal, else ``-q``.

    Parameters
    ----------
    z : array (n, m) of float32 or float64
        Predictions: estimated quantiles.
    Y : array (n, m), same dtype
        Targets.
    quantiles : sequence of m floats
        Level of each output, within (0, 1), in ascending order. It is rounded to the dtype of z.
    sample_weight, out
        As in :func:`sigmoid_cross_entropy`.

    Returns
    -------
    loss : float
        The mean loss; 0.0 if there are no rows.
    dz : array (n, m)
        Gradient of the loss with respect to z.

    Notes
    -----
    R. Koenker and G. Bassett (1978), "Regression quantiles".
    """
    z = matrix("z", z)
    levels = quantile_levels("quantiles", quantiles)
    if len(levels) != z.shape[1]:
        raise ValueError(f"quantiles must have {z.shape[1]} levels, like z, got {quantiles!r}")
    return _elementwise_loss_of(DNN_QUANTILE, z, Y, sample_weight, out, levels)


def poisson_deviance(z, Y, *, sample_weight=None, out=None):
    """Compute half the mean Poisson deviance of ``m = exp(z)`` and its gradient.

    The loss is ``(1 / sum w) sum_rows w sum_i (Y_i log(Y_i / m_i) - Y_i + m_i)``, and
    ``dz = (w / sum w) (m - Y)``. Both are finite for any finite z (in float64, unless a product
    ``Y z`` or the sum over a row overflows): where exp(z) would overflow, m is the largest finite
    number, and z in the loss is its logarithm.

    Parameters
    ----------
    z : array (n, m) of float32 or float64
        Logarithms of the predicted means.
    Y : array (n, m), same dtype
        Targets, non-negative.
    sample_weight, out
        As in :func:`sigmoid_cross_entropy`.

    Returns
    -------
    loss : float
        The mean loss; 0.0 if there are no rows.
    dz : array (n, m)
        Gradient of the loss with respect to z.
    """
    z = matrix("z", z)
    return _elementwise_loss_of(DNN_POISSON, z, Y, sample_weight, out, (), (0.0, np.inf))
