"""Transformations of inputs and outputs, folded into the weights of a layer.

They are computed in double precision, in the same order for every instruction set.
"""

from libc.string cimport memset

from .csrc cimport real


cdef enum:
    FOLDED_COLS = 64  # columns of a weight matrix whose sums are kept on the stack
    MAX_RATIO = 16  # of a mean to its scale: at most 4 bits are lost


cdef inline bint folds_exactly(Py_ssize_t k, const real* mean, const real* scale) noexcept nogil:
    """Return whether fold_norm loses no digits.

    The biases take up the sum of mean / scale times the weights: where that is many times larger
    than what it is added to, its rounding error is, too. Weights that are divided by an extreme
    scale may overflow, or lose digits.
    """
    cdef Py_ssize_t i
    for i in range(k):
        if not (-MAX_RATIO * scale[i] <= mean[i] <= MAX_RATIO * scale[i]
                and 1e-12 < scale[i] < 1e12):
            return False
    return True


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
