"""Rows of X as the first layer takes them: dense, normalised, with inputs for missing values."""

from libc.stdint cimport int32_t, int64_t
from libc.string cimport memset

from .csrc cimport ops_for, real


# Rows as they come: a dense matrix, or CSR (`indices` is not NULL) with its values in X. Where
# NaN stands for a missing value (`fill` is not NULL), norm is followed by fill_missing.
ctypedef struct InputRows:
    const void* X
    const void* indices
    const void* indptr
    bint wide  # whether indices are 64-bit integers; else 32
    Py_ssize_t n_features
    const void* mean  # NULL: no norm
    const void* scale
    const void* fill
    const Py_ssize_t* indicators
    Py_ssize_t n_indicators


cdef inline void fill_missing(Py_ssize_t n_features, Py_ssize_t n_indicators,
                              const Py_ssize_t* indicators, const real* fill, const real* x,
                              real* out) noexcept nogil:
    """One row x: its missing values become those of `fill`, and after the features follows an
    input for each of `indicators` that says whether this feature is missing. `out` may be x."""
    cdef Py_ssize_t i
    for i in range(n_indicators):
        out[n_features + i] = x[indicators[i]] != x[indicators[i]]
    for i in range(n_features):
        out[i] = x[i] if x[i] == x[i] else fill[i]


cdef inline void gather_rows(Py_ssize_t n, Py_ssize_t m, const real* x, const Py_ssize_t* index,
                             Py_ssize_t fetchable, real* out) noexcept nogil:
    """n rows of x (., m): those of `index`, or, if it is NULL, the first ones.

    `fetchable` >= n elements of `index` are valid: what lies past n will be asked for next.
    """
    ops_for(out).gather_rows(n, m, x, index, fetchable, out)


cdef inline void _gather_normalised(const InputRows* rows, Py_ssize_t n, const real* x,
                                    const Py_ssize_t* index, Py_ssize_t fetchable,
                                    real* out) noexcept nogil:
    """As gather_rows, of dense rows, and normalised where there is a norm: one pass over them."""
    if rows.mean == NULL:
        gather_rows(n, rows.n_features, x, index, fetchable, out)
    else:
        ops_for(out).norm(n, rows.n_features, x, index, fetchable, rows.mean, rows.scale, out)


cdef inline bint as_they_stand(const InputRows* rows) noexcept nogil:
    """Whether the rows of X are what the first layer takes."""
    return rows.mean == NULL and rows.indices == NULL and rows.fill == NULL


cdef inline Py_ssize_t _index(const void* array, bint wide, Py_ssize_t i) noexcept nogil:
    return (<const int64_t*> array)[i] if wide else (<const int32_t*> array)[i]


cdef inline void _make_dense(const InputRows* rows, Py_ssize_t row, real* out) noexcept nogil:
    """A row of CSR. Values in the same place are added up, in their order, as SciPy does."""
    cdef Py_ssize_t i, end = _index(rows.indptr, rows.wide, row + 1)
    memset(out, 0, rows.n_features * sizeof(real))
    for i in range(_index(rows.indptr, rows.wide, row), end):
        out[_index(rows.indices, rows.wide, i)] += (<const real*> rows.X)[i]


cdef inline void gather_inputs(const InputRows* rows, Py_ssize_t n, Py_ssize_t first,
                               const Py_ssize_t* index, Py_ssize_t fetchable,
                               real* out) noexcept nogil:
    """n rows: those from `first` on, or, if it is not NULL, of `index` (`first` is then 0)."""
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
