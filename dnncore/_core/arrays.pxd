"""Checks of arrays at the entry of compiled code, for calls that take microseconds."""

cimport numpy as cnp


cdef inline bint usable_as_it_is(object x, int typenum, Py_ssize_t n_columns,
                                 bint writeable) noexcept:
    """Return whether x needs no conversion: an aligned, C-contiguous array (n_columns,) or
    (n, n_columns) of this type."""
    cdef int ndim
    if not cnp.PyArray_CheckExact(x) or cnp.PyArray_TYPE(x) != typenum:
        return False
    ndim = cnp.PyArray_NDIM(x)
    return (
        (ndim == 1 or ndim == 2)
        and cnp.PyArray_DIM(x, ndim - 1) == n_columns
        and (cnp.PyArray_ISCARRAY(x) if writeable else cnp.PyArray_ISCARRAY_RO(x))
    )


cdef inline bint fit_together(object x, object out) noexcept:
    """Return whether two contiguous arrays have an equal number of rows and do not overlap."""
    cdef int ndim = cnp.PyArray_NDIM(x)
    cdef const char* a = <const char*> cnp.PyArray_DATA(x)
    cdef const char* b = <const char*> cnp.PyArray_DATA(out)
    return (
        cnp.PyArray_NDIM(out) == ndim
        and (ndim == 1 or cnp.PyArray_DIM(x, 0) == cnp.PyArray_DIM(out, 0))
        and (a + cnp.PyArray_NBYTES(x) <= b or b + cnp.PyArray_NBYTES(out) <= a)
    )


cdef inline bint ready(object x, object out, int typenum, Py_ssize_t n_columns,
                       Py_ssize_t n_outputs) noexcept:
    """Return whether rows x and their outputs, an array or None, need no conversion."""
    return usable_as_it_is(x, typenum, n_columns, False) and (
        out is None
        or (usable_as_it_is(out, typenum, n_outputs, True) and fit_together(x, out))
    )


cdef inline object empty_rows(object x, Py_ssize_t n_columns, int typenum):
    """Return a new array (n_columns,) or (n, n_columns), with the number of rows of x."""
    cdef cnp.npy_intp shape[2]
    cdef int ndim = cnp.PyArray_NDIM(x)
    shape[0] = cnp.PyArray_DIM(x, 0)
    shape[ndim - 1] = n_columns
    return cnp.PyArray_EMPTY(ndim, shape, typenum, 0)
