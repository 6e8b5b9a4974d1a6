"""The engine, for other compiled modules: the execution of jobs."""

from .step cimport Job
from .team cimport dnn_team_work


cdef class Engine:
    cdef readonly Py_ssize_t batch_size
    cdef readonly object mean, scale
    cdef int _n_layers
    cdef object _layers  # array of n_layers structs
    cdef Py_ssize_t[::1] _offsets  # as in Job
    cdef object _parameters, _fill, _missing, _embedding, _kept
    cdef int _n_threads
    cdef Py_ssize_t _scratch_size, _n_blocks
    cdef object _activations, _slopes, _dropped, _scratch, _deltas, _batch_label, _batch_L
    cdef object _batch_weight, _row_loss, _sum_squares, _gradient, _norm_squares
    cdef Job _job  # everything but the rows of a call, their labels, and the numbers of the steps
    cdef dnn_team_work _score_work, _train_work, _forward_work, _backward_work, _update_work

    # One step on n <= batch_size rows; the arrays are those of Engine.train_epoch, or NULL for
    # None, and contiguous. `step` returns the loss. `backward` follows a `forward` of n rows and
    # takes the gradient of the loss with respect to the outputs or, if it is NULL, the logits.
    cdef double step(self, Py_ssize_t n, const void* X, const Py_ssize_t* label, const void* L,
                     const void* sample_weight, double rate, Py_ssize_t steps_before) noexcept nogil
    cdef void forward(self, Py_ssize_t n, const void* X, Py_ssize_t steps_before,
                      void* out) noexcept nogil
    cdef void backward(self, Py_ssize_t n, const void* d_outputs, const void* dz,
                       double rate, Py_ssize_t steps_before) noexcept nogil
    cdef object _make_layers(self, object layer_sizes, int activation, bint builtin,
                             object factors, bint csr)
    cdef object _make_job(self, int output)
    cdef object _allocate_gradient(self)
    cdef Job _job_for(self, object X) noexcept
