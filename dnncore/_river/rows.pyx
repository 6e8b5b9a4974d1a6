"""Rows of a network from dicts, and the running moments that standardise them.

A row has one column for each feature, in double; NaN denotes a missing value. The moments of the
columns are an array (n_columns, 6).
"""

from cpython.dict cimport PyDict_CheckExact
from libc.math cimport INFINITY, NAN, fabs, fmax, fmin, isnan, sqrt

import numpy as np

cdef enum:
    COUNT, MEAN, VARIANCE, LOW, HIGH, INVERSE_SCALE, N_MOMENTS

cdef double EPS = 2.220446049250313e-16
cdef double LARGEST = 3.4028234663852886e38  # in float
cdef double SMALLEST_VARIANCE = 1.4e-76  # of a scale that is a normal number in float


def no_moments(Py_ssize_t n_columns):
    """Return the moments of columns without values: mean 0 and scale 1."""
    moments = np.zeros((n_columns, N_MOMENTS))
    moments[:, LOW], moments[:, HIGH], moments[:, INVERSE_SCALE] = np.inf, -np.inf, 1.0
    return moments


def read_row(x, dict columns not None, double[::1] values):
    """Write the values of a dict to a row; return whether all of its features have a column.

    Parameters
    ----------
    x : mapping from feature to number
        Features that are not in x are missing, as those with the value NaN.
    columns : dict from feature to int
        Columns of the known features. The values of others are only checked.
    values : array of shape (n_columns,)
        The row.

    Raises
    ------
    TypeError, ValueError
        If a value is not a number, or not finite in float32.
    """
    cdef dict row = x if PyDict_CheckExact(x) else dict(x)
    cdef double value
    cdef Py_ssize_t j
    cdef bint all_known = True
    values[:] = NAN
    for feature, given in row.items():
        try:
            value = given
        except TypeError:
            raise TypeError(f"x[{feature!r}] must be a number, got {given!r}") from None
        except OverflowError:
            value = INFINITY
        if fabs(value) > LARGEST:
            raise ValueError(f"x[{feature!r}] must be finite in float32, got {given!r}")
        column = columns.get(feature)
        if column is None:
            all_known = False
        else:
            j = column
            values[j] = value
    return all_known


def update_moments(const double[::1] values, double[:, ::1] moments):
    """Update the moments with rows, given as one vector (n n_columns,), by Welford's algorithm.

    Missing values are ignored. The scale is that of :meth:`dnncore.Network.update_norm`.
    """
    cdef Py_ssize_t i, j, n_columns = moments.shape[0]
    for i in range(values.shape[0] // n_columns):
        for j in range(n_columns):
            _update(&moments[j, 0], values[i * n_columns + j])


cdef void _update(double* m, double value) noexcept nogil:
    cdef double error = value - m[MEAN]
    if isnan(value):
        return
    m[COUNT] += 1.0
    m[MEAN] += error / m[COUNT]
    m[VARIANCE] += (error * (value - m[MEAN]) - m[VARIANCE]) / m[COUNT]
    m[LOW], m[HIGH] = fmin(m[LOW], value), fmax(m[HIGH], value)
    m[INVERSE_SCALE] = _inverse_scale(m)


cdef double _inverse_scale(const double* m) noexcept nogil:
    """Return 1 / scale: 1 if the variance does not exceed its own rounding error."""
    cdef double error = EPS * m[COUNT]
    cdef double below = m[MEAN] - m[LOW], above = m[HIGH] - m[MEAN]
    cdef double rounding = error * m[VARIANCE] + (error * m[MEAN]) * (error * m[MEAN])
    if m[VARIANCE] <= fmax(rounding, SMALLEST_VARIANCE):
        return 1.0
    if below <= 0.0 or above <= 0.0:
        return 1.0 / sqrt(m[VARIANCE])
    return 2.0 * sqrt(below * above / m[VARIANCE]) / (below + above)


def standardise(const double[::1] values, const double[:, ::1] moments, float[::1] out):
    """Write the standardised rows, both given as one vector, to `out`; missing values become 0."""
    cdef Py_ssize_t i, j, k, n_columns = moments.shape[0]
    for i in range(values.shape[0] // n_columns):
        for j in range(n_columns):
            k = i * n_columns + j
            if isnan(values[k]):
                out[k] = 0.0
            else:
                out[k] = <float> ((values[k] - moments[j, MEAN]) * moments[j, INVERSE_SCALE])
