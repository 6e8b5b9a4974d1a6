"""Training steps in nogil code, without allocation.

    from dnncore.stepper cimport Stepper

    cdef Stepper stepper = trainer.stepper(max_rows=32)
    with nogil:
        loss = stepper.step_f32(32, x, label, NULL, NULL)
"""

from libc.stdint cimport int64_t


cdef class Stepper:
    cdef readonly Py_ssize_t n_features, n_outputs, max_rows
    cdef readonly object dtype, mean, scale
    cdef object _engine, _counter, _rate
    cdef void* _pointer  # to the Engine, which is private
    cdef int64_t* _steps
    cdef double* _learning_rate
    cdef Py_ssize_t _n_forward
    cdef int _typenum
    cdef bint _takes_classes, _may_miss
    cdef double _low, _high

    # A step on n <= max_rows contiguous rows x (n, n_features), for the dtype of the trainer. With
    # output 'softmax', `label` (n,) contains class indices; otherwise, or if it is NULL, `targets`
    # (n, n_outputs) contains soft labels or targets. `sample_weight` (n,) may be NULL. Nothing is
    # checked. Returns the loss before the update. A stepper may be used by one thread at a time.
    cdef double step_f32(self, Py_ssize_t n, const float* x, const Py_ssize_t* label,
                         const float* targets, const float* sample_weight) noexcept nogil
    cdef double step_f64(self, Py_ssize_t n, const double* x, const Py_ssize_t* label,
                         const double* targets, const double* sample_weight) noexcept nogil

    # A step in two parts, for a loss of one's own: the outputs (n, n_outputs) for n rows; then the
    # gradient of the loss of these rows with respect to the outputs `d_outputs` or, if that is
    # NULL, with respect to the logits `dz`, both (n, n_outputs), and the update.
    cdef void forward_f32(self, Py_ssize_t n, const float* x, float* outputs) noexcept nogil
    cdef void forward_f64(self, Py_ssize_t n, const double* x, double* outputs) noexcept nogil
    cdef void backward_f32(self, const float* d_outputs, const float* dz) noexcept nogil
    cdef void backward_f64(self, const double* d_outputs, const double* dz) noexcept nogil

    cdef double _step(self, Py_ssize_t n, const void* x, const Py_ssize_t* label,
                      const void* targets, const void* sample_weight) noexcept nogil
    cdef void _forward(self, Py_ssize_t n, const void* x, void* outputs) noexcept nogil
    cdef void _backward(self, const void* d_outputs, const void* dz) noexcept nogil
    cdef bint _are_rows(self, object X) noexcept
    cdef bint _are_finite(self, object array) noexcept
    cdef bint _are_classes(self, object y, Py_ssize_t n) noexcept
    cdef bint _are_targets(self, object y, Py_ssize_t n) noexcept
    cdef bint _are_weights(self, object weight, Py_ssize_t n) noexcept
