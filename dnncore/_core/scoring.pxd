"""Scoring: the outputs for the rows of a job."""

from .csrc cimport dnn_csr_rows, dnn_ops, ops_for, real
from .rows cimport csr_rows, gather_inputs, usable_as_is
from .step cimport SOFTMAX, SORTED, Job, forward_rows, n_outputs, scratch_of
from .team cimport dnn_team, dnn_team_size, share


cdef inline void apply_output(const dnn_ops* ops, int output, Py_ssize_t n, Py_ssize_t m,
                              void* z) noexcept nogil:
    """Apply an output function to n rows of m logits, in place."""
    if output == SOFTMAX:
        ops.softmax(n, m, z, z)
    elif output == SORTED:
        ops.sort_rows(n, m, z, z)
    else:
        ops.activate(output, n * m, z, z, NULL)


cdef inline void score(const Job* job, dnn_team* team, int thread,
                       const real* parameters) noexcept nogil:
    """Score this thread's part of the rows, block by block, in its part of the buffer."""
    cdef int n_threads = dnn_team_size(team)
    cdef Py_ssize_t m = n_outputs(job), k = job.layers[0].n_inputs, n
    cdef Py_ssize_t row = share(job.n_samples, thread, n_threads)
    cdef Py_ssize_t end = share(job.n_samples, thread + 1, n_threads)
    cdef Py_ssize_t first = job.batch_size * thread
    cdef real* gathered = <real*> job.activations + first * k
    cdef dnn_csr_rows csr
    cdef const void* inputs
    cdef real* out
    while row < end:
        n = min(job.batch_size, end - row)
        out = <real*> job.out + row * m
        if job.layers[0].takes_csr:
            csr = csr_rows(&job.rows, row, NULL)
            inputs = &csr
        elif usable_as_is(&job.rows):
            inputs = <const real*> job.rows.X + row * k
        else:
            gather_inputs(&job.rows, n, row, NULL, 0, gathered)
            inputs = gathered
        forward_rows(job, parameters, inputs, first, first + n, 0,
                     scratch_of(job, thread, parameters), out)
        if not job.as_logits:
            apply_output(ops_for(out), job.output, n, m, out)
        row += n
