"""The two passes of a step of which the loss is outside the engine: forward, and backward with
update. The engine keeps the activations of the rows in between. A step of which the gradient is
computed elsewhere too is the update alone."""

from libc.string cimport memcpy

from .clipping cimport update, update_from_gradient
from .csrc cimport dnn_step, ops_for, real
from .epoch cimport step_of
from .rows cimport gather_inputs
from .scoring cimport apply_output
from .step cimport SOFTMAX, SORTED, Job, backward_rows, forward_rows, n_outputs, scratch_of
from .team cimport dnn_team, dnn_team_barrier, dnn_team_size, share


cdef inline real* _logit_deltas(const Job* job, const real* parameters) noexcept nogil:
    return <real*> job.deltas + job.offsets[job.n_layers]


cdef inline void forward_pass(const Job* job, dnn_team* team, int thread,
                              const real* parameters) noexcept nogil:
    """Compute the outputs of this thread's rows. `backward_pass` needs them, or their logits if
    they are sorted, in batch_L."""
    cdef Py_ssize_t m = n_outputs(job)
    cdef Py_ssize_t first = share(job.n_samples, thread, dnn_team_size(team))
    cdef Py_ssize_t n = share(job.n_samples, thread + 1, dnn_team_size(team)) - first
    cdef real* inputs = <real*> job.activations + first * job.layers[0].n_inputs
    cdef real* kept = <real*> job.batch_L + first * m
    cdef real* out = <real*> job.out + first * m
    if n == 0:
        return
    gather_inputs(&job.rows, n, first, NULL, 0, inputs)
    forward_rows(job, parameters, inputs, first, first + n, job.steps_before + 1,
                 scratch_of(job, thread, parameters), kept)
    memcpy(out, kept, n * m * sizeof(real))
    apply_output(ops_for(out), job.output, n, m, out)
    if job.output != SORTED:
        memcpy(kept, out, n * m * sizeof(real))


cdef inline void _deltas(const Job* job, Py_ssize_t first, Py_ssize_t n,
                         const real* parameters) noexcept nogil:
    """Compute the deltas of the logits of n rows from the gradient that the caller gives."""
    cdef Py_ssize_t m = n_outputs(job), start = first * m
    cdef real* dz = _logit_deltas(job, parameters) + start
    cdef const real* kept = <const real*> job.batch_L + start
    cdef const real* d_outputs = <const real*> job.d_outputs + start
    if job.d_outputs == NULL:
        memcpy(dz, <const real*> job.dz + start, n * m * sizeof(real))
    elif job.output == SOFTMAX:
        ops_for(dz).softmax_backward(n, m, d_outputs, kept, dz)
    elif job.output == SORTED:
        ops_for(dz).sort_rows_backward(n, m, d_outputs, kept, dz)
    else:
        ops_for(dz).activate_backward(job.output, n * m, d_outputs, kept, dz)


cdef inline void backward_pass(const Job* job, dnn_team* team, int thread,
                               real* parameters) noexcept nogil:
    """Propagate the gradient of the loss backward, and update this thread's parameters."""
    cdef int n_threads = dnn_team_size(team)
    cdef Py_ssize_t first = share(job.n_samples, thread, n_threads)
    cdef Py_ssize_t last = share(job.n_samples, thread + 1, n_threads)
    cdef real* scratch = scratch_of(job, thread, <const real*> parameters)
    cdef dnn_step step = step_of(job, job.steps_before + 1, <double> job.n_samples)
    if first < last:
        _deltas(job, first, last - first, <const real*> parameters)
        backward_rows(job, <const real*> parameters, first, last, job.steps_before + 1, scratch)
    dnn_team_barrier(team)
    update(job, team, &step, 0, job.n_samples, thread, scratch, parameters)


cdef inline void update_pass(const Job* job, dnn_team* team, int thread,
                             real* parameters) noexcept nogil:
    """Update this thread's parameters from a gradient that includes the L2 penalty."""
    cdef dnn_step step = step_of(job, job.steps_before + 1, 0.0)
    update_from_gradient(job, team, &step, thread, parameters)
