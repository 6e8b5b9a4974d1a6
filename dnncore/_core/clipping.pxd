"""Phase B of a training step: the update, from the gradient or from one of limited norm.

Without a limit, the gradient of a part of a layer is used as soon as it is known. With a limit on
the norm over all parameters, the whole gradient is computed first. Its squares are summed in chunks,
in an order that does not depend on the number of threads. A gradient that the caller gives takes the
same way.
"""

from libc.math cimport INFINITY, sqrt

from .csrc cimport DNN_GRADIENT, dnn_step, ops_for, real
from .layers cimport Layer, bias_step, weight_step
from .step cimport Job, phase_b
from .team cimport dnn_team, dnn_team_barrier, dnn_team_size, share


cdef enum:
    CHUNK = 4096  # elements whose squares are summed together


cdef inline Py_ssize_t n_parameters(const Job* job) noexcept nogil:
    cdef const Layer* last = &job.layers[job.n_layers - 1]
    return last.first_parameter + last.n_parameters


cdef inline Py_ssize_t n_chunks(Py_ssize_t n) noexcept nogil:
    return (n + CHUNK - 1) // CHUNK


cdef inline void update(const Job* job, dnn_team* team, const dnn_step* step, Py_ssize_t start,
                        Py_ssize_t n, int thread, real* scratch, real* parameters) noexcept nogil:
    """Update this thread's part of the parameters from the n rows starting at `start`."""
    cdef int n_threads = dnn_team_size(team)
    cdef real* gradient = <real*> job.gradient
    cdef dnn_step keep
    if job.max_norm == 0.0:
        phase_b(job, step, start, n, thread, n_threads, scratch, <real*> job.state1,
                <real*> job.state2, parameters)
        return
    keep = step[0]
    keep.update = DNN_GRADIENT
    phase_b(job, &keep, start, n, thread, n_threads, scratch, gradient, gradient, parameters)
    dnn_team_barrier(team)
    update_from_gradient(job, team, step, thread, parameters)


cdef inline void update_from_gradient(const Job* job, dnn_team* team, const dnn_step* step,
                                      int thread, real* parameters) noexcept nogil:
    """Update this thread's part of the parameters from the gradient that all threads know."""
    cdef int n_threads = dnn_team_size(team)
    cdef real* gradient = <real*> job.gradient
    cdef double norm = 0.0
    if job.max_norm > 0.0:
        _sum_squares(job, thread, n_threads, <const real*> gradient)
        dnn_team_barrier(team)
        norm = _norm(job, team, <const real*> gradient)
    _update_limited(job, step, thread, n_threads,
                    job.max_norm / norm if norm > job.max_norm else 1.0, gradient, parameters)


cdef inline void _sum_squares(const Job* job, int thread, int n_threads,
                              const real* gradient) noexcept nogil:
    """Compute the sums of squares of this thread's chunks of the gradient."""
    cdef Py_ssize_t size = n_parameters(job), chunks = n_chunks(size), chunk, first
    for chunk in range(share(chunks, thread, n_threads), share(chunks, thread + 1, n_threads)):
        first = chunk * CHUNK
        job.norm_squares[chunk] = ops_for(gradient).sum_squares(min(CHUNK, size - first),
                                                                gradient + first)


cdef inline double sum_of(Py_ssize_t n, const double* x) noexcept nogil:
    cdef double total = 0.0
    cdef Py_ssize_t i
    for i in range(n):
        total += x[i]
    return total


cdef inline double _sum_squares_in_double(Py_ssize_t n, const real* x) noexcept nogil:
    cdef double total = 0.0
    cdef Py_ssize_t i
    for i in range(n):
        total += <double> x[i] * <double> x[i]
    return total


cdef inline double _norm(const Job* job, dnn_team* team, const real* gradient) noexcept nogil:
    """Return the norm of the gradient, which no thread changes before all have it."""
    cdef double total = sum_of(n_chunks(n_parameters(job)), job.norm_squares)
    if total == INFINITY:  # the squares may be too large for floats only
        total = _sum_squares_in_double(n_parameters(job), gradient)
        dnn_team_barrier(team)
    return sqrt(total)


cdef inline void _update_limited(const Job* job, const dnn_step* step, int thread, int n_threads,
                                 double factor, real* gradient, real* parameters) noexcept nogil:
    """Scale the gradient, which includes the L2 penalty, and update from it."""
    cdef const Layer* layer
    cdef dnn_step own
    cdef int l
    for l in range(job.n_layers):
        layer = &job.layers[l]
        own = weight_step(layer, step)
        own.decay = 0.0
        _update_part(job, &own, layer.first_parameter, layer.n_weights, thread, n_threads, factor,
                     gradient, parameters)
        own = bias_step(layer, step)
        _update_part(job, &own, layer.first_parameter + layer.n_weights,
                     layer.n_parameters - layer.n_weights, thread, n_threads, factor, gradient,
                     parameters)


cdef inline void _update_part(const Job* job, const dnn_step* step, Py_ssize_t start, Py_ssize_t n,
                              int thread, int n_threads, double factor, real* gradient,
                              real* parameters) noexcept nogil:
    """Update this thread's share of the n parameters from `start` on."""
    cdef Py_ssize_t first = start + share(n, thread, n_threads)
    cdef Py_ssize_t last = start + share(n, thread + 1, n_threads), i
    for i in range(first, last):
        gradient[i] = <real> (gradient[i] * factor)
    ops_for(gradient).update(step, last - first, gradient + first, <real*> job.state1 + first,
                             <real*> job.state2 + first, parameters + first)
