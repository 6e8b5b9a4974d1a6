"""Scoring in nogil code.

    from dnncore.predictor cimport Predictor

    cdef Predictor predictor = network.freeze()
    with nogil:
        status = predictor.score_f32(1, x, probabilities)
"""

cdef class Predictor:
    cdef readonly tuple layer_sizes
    cdef readonly Py_ssize_t n_features
    cdef readonly object dtype, classes_, fill, missing, embedding
    cdef public object encoder
    cdef readonly str activation, output
    cdef object _parameters, _packed
    cdef Py_ssize_t[::1] _sizes, _weights, _biases
    cdef const void* _ops  # const dnn_ops *, which is private
    cdef const char* _parameter_data
    cdef const void* _fill_data  # NULL: NaN does not denote a missing value
    cdef const Py_ssize_t* _missing_data
    cdef char* _packed_data
    cdef Py_ssize_t _width, _itemsize
    cdef object _embedding_struct, _packed_embedding
    cdef const void* _embedding  # const dnn_embedding *; NULL: none
    cdef const void* _packed_embedding_data
    cdef int _typenum, _activation, _output

    # Compute the outputs (n, n_outputs) for n contiguous rows x (n, n_features): probabilities, or
    # numbers of a regression. Call the function for the dtype of the predictor. It may be
    # called from any number of threads at the same time. Returns 0, or -1 if memory allocation
    # fails; only wide layers or many rows need memory.
    cdef int score_f32(self, Py_ssize_t n, const float* x, float* out) noexcept nogil
    cdef int score_f64(self, Py_ssize_t n, const double* x, double* out) noexcept nogil
    cdef int _score(self, Py_ssize_t n, const void* x, void* out) noexcept nogil
    cdef void _make_inputs(self, Py_ssize_t n, const char* x, char* out) noexcept nogil
    cdef void _fill_in(self, Py_ssize_t n, const char* x, char* out) noexcept nogil
    cdef object _call(self, object x, object out)
    cdef object _adopt_embedding(self, object embedding, object fill)
    cdef object _adopt_fill(self, object fill, object missing)
    cdef object _pack(self)
    cdef object _encoded(self, object x)
