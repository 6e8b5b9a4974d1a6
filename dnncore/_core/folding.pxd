"""Transformations of inputs and outputs, folded into the weights of a layer.

They are computed in double precision, in the same order for every instruction set.
"""

from libc.string cimport memset

from .csrc cimport real


cdef enum:
    FOLDED_COLS = 64  # columns of a weight matrix whose sums are kept on the stack


cdef inline void fold_norm(Py_ssize_t k, Py_ssize_t m, const real* mean, const real* scale,
                           real* W, real* b) noexcept nogil:
    """Change W and b (k, m) such that x W + b becomes what ((x - mean) / scale) W + b was."""
    cdef double total[FOLDED_COLS]
    cdef double w
    cdef Py_ssize_t first = 0, cols, i, j
    while first < m:
        cols = min(FOLDED_COLS, m - first)
        memset(total, 0, sizeof(total))
        for i in range(k):
            for j in range(cols):
                w = <double> W[i * m + first + j] / <double> scale[i]
                total[j] += <double> mean[i] * w
                W[i * m + first + j] = <real> w
        for j in range(cols):
            b[first + j] = <real> (<double> b[first + j] - total[j])
        first += cols


cdef inline void fold_units(Py_ssize_t k, Py_ssize_t m, const double* mean, const double* scale,
                            real* W, real* b) noexcept nogil:
    """Change W and b (k, m) such that a W + b becomes what (a W + b) scale + mean was."""
    cdef Py_ssize_t i, j
    for i in range(k):
        for j in range(m):
            W[i * m + j] = <real> (<double> W[i * m + j] * scale[j])
    for j in range(m):
        b[j] = <real> (<double> b[j] * scale[j] + mean[j])
