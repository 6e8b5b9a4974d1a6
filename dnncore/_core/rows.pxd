"""Conversion of rows of X to inputs of the first layer: dense, standardised, missing values
replaced and indicated; or CSR rows as they are stored."""

from libc.stdint cimport int32_t, int64_t
from libc.string cimport memset

from .csrc cimport dnn_csr_rows, ops_for, real


# Rows of a dense matrix, or of a CSR matrix (`indices` is not NULL) with its values in X. If NaN
# denotes a missing value (`fill` is not NULL), fill_missing is applied after standardisation.
ctypedef struct InputRows:
    const void* X
    const void* indices
    const void* indptr
    bint wide  # whether indices are 64-bit integers instead of 32-bit
    Py_ssize_t n_features
    const void* mean  # NULL: no standardisation
    const void* scale
    const void* fill
    const Py_ssize_t* indicators
    Py_ssize_t n_indicators


cdef inline void fill_missing(Py_ssize_t n_features, Py_ssize_t n_indicators,
                              const Py_ssize_t* indicators, const real* fill, const real* x,
                              real* out) noexcept nogil:
    """Replace missing values of one row x by `fill`, and append for each feature in `indicators`
    an input that is 1 if the feature is missing and 0 otherwise. `out` may be x."""
    cdef Py_ssize_t i
    for i in range(n_indicators):
        out[n_features + i] = x[indicators[i]] != x[indicators[i]]
    for i in range(n_features):
        out[i] = x[i] if x[i] == x[i] else fill[i]


cdef inline void gather_rows(Py_ssize_t n, Py_ssize_t m, const real* x, const Py_ssize_t* index,
                             Py_ssize_t fetchable, real* out) noexcept nogil:
    """Copy n rows of x (., m): x[index], or the first n rows if `index` is NULL.

    `fetchable` >= n elements of `index` are valid; those after the first n are needed next and
    are prefetched.
    """
    ops_for(out).gather_rows(n, m, x, index, fetchable, out)


cdef inline void _gather_normalised(const InputRows* rows, Py_ssize_t n, const real* x,
                                    const Py_ssize_t* index, Py_ssize_t fetchable,
                                    real* out) noexcept nogil:
    """Copy dense rows as gather_rows does, and standardise them in the same pass if required."""
    if rows.mean == NULL:
        gather_rows(n, rows.n_features, x, index, fetchable, out)
    else:
        ops_for(out).norm(n, rows.n_features, x, index, fetchable, rows.mean, rows.scale, out)


cdef inline bint usable_as_is(const InputRows* rows) noexcept nogil:
    """Return whether the rows of X can be used as inputs without conversion."""
    return rows.mean == NULL and rows.indices == NULL and rows.fill == NULL


cdef inline Py_ssize_t _index(const void* array, bint wide, Py_ssize_t i) noexcept nogil:
    return (<const int64_t*> array)[i] if wide else (<const int32_t*> array)[i]


cdef inline bint is_canonical(const InputRows* rows, Py_ssize_t n) noexcept nogil:
    """Return whether the indices of each of n CSR rows increase."""
    cdef Py_ssize_t r, i
    for r in range(n):
        for i in range(_index(rows.indptr, rows.wide, r) + 1,
                       _index(rows.indptr, rows.wide, r + 1)):
            if _index(rows.indices, rows.wide, i) <= _index(rows.indices, rows.wide, i - 1):
                return False
    return True


cdef inline dnn_csr_rows csr_rows(const InputRows* rows, Py_ssize_t first,
                                  const Py_ssize_t* order) noexcept nogil:
    """Return the CSR rows from `first` on, of those of `order` if it is not NULL."""
    cdef dnn_csr_rows csr
    csr.values, csr.indices, csr.indptr = rows.X, rows.indices, rows.indptr
    csr.wide = rows.wide
    csr.first = first
    csr.index = NULL if order == NULL else order + first
    return csr


cdef inline void _make_dense(const InputRows* rows, Py_ssize_t row, real* out) noexcept nogil:
    """Make a CSR row dense. Values with duplicate indices are summed in order, as in SciPy."""
    cdef Py_ssize_t i, end = _index(rows.indptr, rows.wide, row + 1)
    memset(out, 0, rows.n_features * sizeof(real))
    for i in range(_index(rows.indptr, rows.wide, row), end):
        out[_index(rows.indices, rows.wide, i)] += (<const real*> rows.X)[i]


cdef inline void gather_inputs(const InputRows* rows, Py_ssize_t n, Py_ssize_t first,
                               const Py_ssize_t* index, Py_ssize_t fetchable,
                               real* out) noexcept nogil:
    """Convert n rows: those starting at `first` or, if `index` is not NULL, those of `index`
    (`first` is then 0)."""
    cdef Py_ssize_t k = rows.n_features, r
    cdef const real* X = <const real*> rows.X
    if rows.indices == NULL and rows.fill == NULL:
        _gather_normalised(rows, n, X + first * k, index, fetchable, out)
        return
    for r in range(n):
        if rows.indices != NULL:
            _make_dense(rows, first + r if index == NULL else index[r], out)
            if rows.mean != NULL:
                ops_for(out).norm(1, k, out, NULL, 0, rows.mean, rows.scale, out)
        elif index == NULL:
            _gather_normalised(rows, 1, X + (first + r) * k, NULL, 0, out)
        else:
            _gather_normalised(rows, 1, X, index + r, fetchable - r, out)
        if rows.fill != NULL:
            fill_missing(k, rows.n_indicators, rows.indicators, <const real*> rows.fill,
                         <const real*> out, out)
        out += k + rows.n_indicators
