"""Scoring in nogil code.

    from dnncore.predictor cimport Predictor

    cdef Predictor predictor = network.freeze()
    with nogil:
        status = predictor.score_f32(1, x, probabilities)
"""

cdef class Predictor:
    cdef readonly tuple layer_sizes
    cdef readonly Py_ssize_t n_features
    cdef readonly object dtype, classes_, missing, embedding
    cdef public object encoder
    cdef readonly str activation, output
    cdef object _first, _second, _embedding_struct, _units_of_targets
    cdef char* _data[2]  # two sets of weights; the second is NULL without refresh
    cdef void* _versions  # dnn_versions *, which is private: tells which of them is current
    cdef Py_ssize_t[::1] _sizes, _weights, _biases
    cdef const void* _ops  # const dnn_ops *, which is private
    cdef const Py_ssize_t* _missing_data
    cdef const void* _embedding  # const dnn_embedding *; NULL: none
    cdef const double* _units  # mean and scale of the targets; NULL: none
    cdef Py_ssize_t _width, _itemsize, _n_parameters, _size
    cdef Py_ssize_t _fill_at, _mean_at, _scale_at, _packed_embedding_at  # offsets in a set
    cdef bint _fills  # whether NaN denotes a missing value
    cdef int _typenum, _activation, _output

    # Compute the outputs (n, n_outputs) for n contiguous rows x (n, n_features): probabilities, or
    # numbers of a regression. Call the function for the dtype of the predictor. It may be
    # called from any number of threads at the same time, also while another thread refreshes the
    # predictor. `out` must not overlap x. Returns 0, or -1 if memory allocation fails; only wide
    # layers or many rows need memory.
    cdef int score_f32(self, Py_ssize_t n, const float* x, float* out) noexcept nogil
    cdef int score_f64(self, Py_ssize_t n, const double* x, double* out) noexcept nogil
    cdef int _score(self, Py_ssize_t n, const void* x, void* out) noexcept nogil
    cdef int _score_with(self, char* weights, Py_ssize_t n, const void* x,
                         void* out) noexcept nogil
    cdef void _make_inputs(self, char* weights, Py_ssize_t n, const char* x,
                           char* out) noexcept nogil
    cdef void _fill_in(self, const void* fill, Py_ssize_t n, const char* x, Py_ssize_t ld_x,
                       char* out) noexcept nogil
    cdef bint _standardises(self, const char* weights) noexcept nogil
    cdef object _call(self, object x, object out)
    cdef object _adopt_embedding(self, object embedding, object fill)
    cdef object _adopt_missing(self, object fill, object missing)
    cdef object _adopt_units(self, object units)
    cdef tuple _checked_norm(self, object mean, object scale)
    cdef object _lay_out(self)
    cdef char* _at(self, char* weights, Py_ssize_t offset) noexcept nogil
    cdef object _check_learnt(self, dict options)
    cdef bint _rewrite(self, object network, bint in_place) except -1
    cdef tuple _current(self)
    cdef object _usable(self, object x)
    cdef object _encoded(self, object x)
    cdef bint _are_finite(self, object x) noexcept
    cdef bint _allows(self, object x) noexcept
