"""What the engine asks of a layer: forward, delta, and gradient with update.

Each is done by csrc's own products, which finish their results while these are in the cache
(`builtin`), or by BLAS and a pass over its result. `scratch` has scratch_size() elements; BLAS
uses it for the gradient.
"""

from .blas cimport matmul, matmul_nt, matmul_tn
from .csrc cimport dnn_step, ops_for, real


cdef inline size_t scratch_size(bint builtin, Py_ssize_t n, Py_ssize_t k, Py_ssize_t m,
                                const real* parameters) noexcept nogil:
    return ops_for(parameters).layer_scratch(n, k, m) if builtin else <size_t> (k * m)


cdef inline void layer_forward(bint builtin, Py_ssize_t n, Py_ssize_t k, Py_ssize_t m,
                               const real* a, const real* W, const real* b, int activation,
                               real* scratch, real* out) noexcept nogil:
    """out = f(a W + b); a (n, k), W (k, m)."""
    if builtin:
        ops_for(a).layer_forward(n, k, m, a, W, b, activation, scratch, out)
        return
    matmul(<int> n, <int> m, <int> k, a, W, out)
    ops_for(a).add_bias(activation, n, m, b, out)


cdef inline void layer_delta(bint builtin, Py_ssize_t n, Py_ssize_t k, Py_ssize_t m,
                             const real* dz, const real* W, const real* a, int activation,
                             real* scratch, real* out) noexcept nogil:
    """out = (dz W^T) f': the delta of the layer whose output, after f, is a (n, k)."""
    if builtin:
        ops_for(dz).layer_delta(n, k, m, dz, W, a, activation, scratch, out)
        return
    matmul_nt(<int> n, <int> k, <int> m, dz, W, out)
    ops_for(dz).activate_backward(activation, n * k, out, a, out)


cdef inline void layer_update(bint builtin, const dnn_step* step, Py_ssize_t n, Py_ssize_t k,
                              Py_ssize_t m, Py_ssize_t first, Py_ssize_t last, const real* a,
                              const real* dz, real* scratch, real* state1, real* state2,
                              real* W) noexcept nogil:
    """Rows [first, last) of W (k, m) are updated from the gradient a^T dz; a (n, k).

    `state1` and `state2` are laid out as W.
    """
    cdef Py_ssize_t start = first * m
    if last == first:
        return
    if builtin:
        ops_for(a).layer_update(step, n, k, m, first, last, a, dz, scratch, state1, state2, W)
        return
    matmul_tn(<int> (last - first), <int> m, <int> n, a + first, <int> k, dz, scratch)
    ops_for(a).update(step, step.decay, (last - first) * m, scratch, state1 + start,
                      state2 + start, W + start)
