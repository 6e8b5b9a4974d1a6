"""Scoring rows of tables in nogil code.

    from dnncore.table_predictor cimport TablePredictor

    cdef TablePredictor predictor = classifier.freeze()
    with nogil:
        status = predictor.score(1, x, probabilities)
"""

cdef class TablePredictor:
    cdef readonly object encoding, dtype, classes_, target_mean, target_scale, target_range
    cdef readonly tuple predictors
    cdef readonly Py_ssize_t n_features, n_outputs
    cdef readonly str output
    cdef Py_ssize_t[::1] _members  # pointers to the predictors
    cdef Py_ssize_t[:, ::1] _numbers, _categories
    cdef double[:, ::1] _scaling
    cdef double[:, ::1] _units  # mean, scale, low and high of each target
    cdef Py_ssize_t[::1] _lookup  # features of the codes of all columns of categories
    cdef Py_ssize_t _n_encoded, _itemsize

    # Compute the outputs (n, n_outputs) for n contiguous rows x (n, n_features), as described for
    # a call of the predictor. It may be called from any number of threads at the same time.
    # Returns 0, or -1 if memory allocation fails; only wide layers or many rows need memory.
    cdef int score(self, Py_ssize_t n, const double* x, double* out) noexcept nogil
    cdef object _adopt_encoding(self, object encoding)
    cdef object _adopt_targets(self, object mean, object scale, object limits)
    cdef object _call(self, object x, object out)
