"""Selection of the instruction set, and operations of csrc/ for use from Python."""

import os

import numpy as np

cimport numpy as cnp
from libc.float cimport DBL_MAX, DBL_MIN, FLT_MIN
from libc.math cimport fabs, sqrt

cnp.import_array()

KNOWN = ("avx512", "avx2", "neon")  # names in csrc/isa_*.c that can be disabled

cdef const dnn_isa* _find(str name) noexcept:
    cdef int i = 0
    cdef const dnn_isa* found = dnn_isa_available(0)
    while found != NULL and found.name.decode() != name:
        i += 1
        found = dnn_isa_available(i)
    return found


def available():
    """Return the names of the supported instruction sets, best first."""
    names = []
    while dnn_isa_available(len(names)) != NULL:
        names.append(dnn_isa_available(len(names)).name.decode())
    return tuple(names)


def selected():
    """Return the name of the instruction set in use."""
    return isa.name.decode()


def select(str name):
    """Select an instruction set for the entire process. For tests; not thread-safe."""
    global isa
    found = _find(name)
    if found == NULL:
        raise ValueError(f"name must be one of {available()}, got {name!r}")
    isa = found


def _select_at_import():
    disabled = os.environ.get("DNNCORE_DISABLE_CPU_FEATURES", "").lower().replace(",", " ").split()
    unknown = set(disabled) - set(KNOWN)
    if unknown:
        import warnings

        warnings.warn(
            f"DNNCORE_DISABLE_CPU_FEATURES contains unknown features {sorted(unknown)}; "
            f"known features: {', '.join(KNOWN)}",
            RuntimeWarning,
            stacklevel=2,
        )
    select(next((name for name in available() if name not in disabled), "generic"))


_select_at_import()


ctypedef void (*elementwise)(Py_ssize_t n, const void* x, void* y) noexcept nogil


cdef object _apply(elementwise f32, elementwise f64, x):
    out = np.empty_like(x)
    cdef const float[::1] x32
    cdef const double[::1] x64
    cdef float[::1] y32
    cdef double[::1] y64
    if x.size == 0:
        return out
    if x.dtype == np.float32:
        x32, y32 = x, out
        f32(x32.shape[0], &x32[0], &y32[0])
    else:
        x64, y64 = x, out
        f64(x64.shape[0], &x64[0], &y64[0])
    return out


def exp(x):
    """Compute exp(x) of a contiguous 1-D float32 or float64 array."""
    return _apply(isa.f32.exp, isa.f64.exp, x)


def log(x):
    """Compute log(x) of a contiguous 1-D float32 or float64 array."""
    return _apply(isa.f32.log, isa.f64.log, x)


def all_finite(x):
    """Return whether a contiguous float32 or float64 array of any shape is free of infinity and
    NaN."""
    cdef Py_ssize_t n = cnp.PyArray_SIZE(x)
    cdef const void* data = cnp.PyArray_DATA(x)
    cdef const dnn_ops* ops = isa.f32 if cnp.PyArray_TYPE(x) == cnp.NPY_FLOAT32 else isa.f64
    cdef bint finite
    with nogil:
        finite = ops.all_finite(n, data)
    return finite


def sum_squares(x):
    """Return the sum of the squares of a contiguous float32 or float64 array of any shape."""
    cdef Py_ssize_t n = cnp.PyArray_SIZE(x)
    cdef const void* data = cnp.PyArray_DATA(x)
    cdef const dnn_ops* ops = isa.f32 if cnp.PyArray_TYPE(x) == cnp.NPY_FLOAT32 else isa.f64
    cdef double total
    with nogil:
        total = ops.sum_squares(n, data)
    return total


def address(array):
    """Return the address of the first element."""
    return <size_t> cnp.PyArray_DATA(array)


MOMENTS_ROWS = DNN_MOMENTS_ROWS


cdef inline double* _doubles(array) except? NULL:
    """Return the data of a contiguous array of float64, or NULL for None."""
    if array is None:
        return NULL
    if cnp.PyArray_TYPE(array) != cnp.NPY_FLOAT64 or not cnp.PyArray_ISCARRAY(array):
        raise ValueError("moments and weights must be contiguous arrays of float64")
    return <double*> cnp.PyArray_DATA(array)


def add_moments(x, weight, bint missing, count, mean, variance, low, high):
    """Update `count`, `mean`, `variance` and, unless they are None, `low` and `high` (n_columns,)
    with the rows of a contiguous matrix. All but x are contiguous arrays of float64."""
    cdef Py_ssize_t rows = cnp.PyArray_DIM(x, 0), cols = cnp.PyArray_DIM(x, 1)
    cdef const void* data = cnp.PyArray_DATA(x)
    cdef const double* w = _doubles(weight)
    cdef const dnn_ops* ops = isa.f32 if cnp.PyArray_TYPE(x) == cnp.NPY_FLOAT32 else isa.f64
    cdef double* of[5]
    of = [_doubles(count), _doubles(mean), _doubles(variance), _doubles(low), _doubles(high)]
    with nogil:
        ops.add_moments(rows, cols, data, w, missing, of[0], of[1], of[2])
        if of[3] != NULL and of[4] != NULL:
            ops.add_ranges(rows, cols, data, w, of[3], of[4])


cdef inline double _asymmetry(double below, double above) noexcept nogil:
    """Return the arithmetic over the geometric mean of two distances; 1 if one is not known."""
    cdef double ratio
    if not (0.0 < below <= DBL_MAX and 0.0 < above <= DBL_MAX):
        return 1.0
    ratio = sqrt(above / below)
    return 0.5 * (ratio + 1.0 / ratio)


cdef void _scales(Py_ssize_t n, const double* mean, const double* variance, const double* low,
                  const double* high, double error, double tiny, real* out) noexcept nogil:
    cdef Py_ssize_t i
    cdef double scale, rounding
    cdef bint constant
    for i in range(n):
        scale = sqrt(variance[i])
        if low != NULL:
            scale = scale * _asymmetry(mean[i] - low[i], high[i] - mean[i])
        rounding = error * variance[i] + (error * mean[i]) * (error * mean[i])
        constant = variance[i] <= rounding
        if variance[i] < 1e-290 and low != NULL:  # squares underflow; half the range does not
            scale = 0.5 * high[i] - 0.5 * low[i]
            constant = not scale > error * fabs(mean[i])
        out[i] = <real> scale
        if constant or out[i] < tiny:
            out[i] = 1.0


def scales(mean, variance, low, high, double error, out):
    """Write the scales (n_columns,) of float32 or float64 to `out`; see `Moments.scale`.

    The others are contiguous arrays of float64; the ranges may be None. `error` is the relative
    rounding error of the mean.
    """
    cdef Py_ssize_t n = cnp.PyArray_DIM(mean, 0)
    cdef const double* lowest = _doubles(None if high is None else low)
    cdef const double* highest = _doubles(high)
    if cnp.PyArray_TYPE(out) == cnp.NPY_FLOAT32:
        _scales(n, _doubles(mean), _doubles(variance), lowest, highest, error, FLT_MIN,
                <float*> cnp.PyArray_DATA(out))
    else:
        _scales(n, _doubles(mean), _doubles(variance), lowest, highest, error, DBL_MIN,
                <double*> cnp.PyArray_DATA(out))


def all_between(x, Py_ssize_t low, Py_ssize_t high):
    """Return whether all elements of a contiguous array of intp lie in [low, high)."""
    cdef const cnp.npy_intp* data = <const cnp.npy_intp*> cnp.PyArray_DATA(x)
    cdef Py_ssize_t i
    for i in range(cnp.PyArray_SIZE(x)):
        if data[i] < low or data[i] >= high:
            return False
    return True
