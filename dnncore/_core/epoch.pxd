"""One epoch: the loop over mini-batches, which every thread runs."""

from cpython.exc cimport PyErr_CheckSignals
from libc.math cimport pow, sqrt

from .clipping cimport sum_of, update
from .csrc cimport DNN_ADAM, DNN_ADAMW, dnn_step, real
from .step cimport Job, phase_a, scratch_of
from .team cimport dnn_seconds, dnn_team, dnn_team_barrier, dnn_team_size, share

cdef enum:
    SIGNAL_INTERVAL_MS = 100  # between checks for Ctrl-C


cdef inline double _weight_of_batch(const Job* job, Py_ssize_t start, Py_ssize_t n,
                                    const real* parameters) noexcept nogil:
    cdef const real* weight = <const real*> job.sample_weight
    cdef double total = 0.0
    cdef Py_ssize_t r
    if weight == NULL:
        return <double> n
    for r in range(start, start + n):
        total += weight[r if job.order == NULL else job.order[r]]
    return total


cdef inline dnn_step step_of(const Job* job, Py_ssize_t step_number,
                              double weight_of_batch) noexcept nogil:
    cdef dnn_step step = job.step
    cdef double root
    if job.rates != NULL:
        step.rate = job.rates[step_number - job.steps_before - 1]
    step.decay = job.alpha / weight_of_batch if weight_of_batch > 0.0 else 0.0
    step.shrink = step.rate * job.weight_decay
    if step.update == DNN_ADAM or step.update == DNN_ADAMW:
        root = sqrt(1.0 - pow(step.beta2, <double> step_number))
        step.rate *= root / (1.0 - pow(step.beta1, <double> step_number))
        if step.update == DNN_ADAMW:
            step.epsilon *= root
    return step


cdef inline bint _interrupted(Job* job) noexcept with gil:
    try:
        PyErr_CheckSignals()
    except BaseException as error:  # any exception raised by a signal handler ends the epoch
        (<list> job.interrupts).append(error)
        return True
    return False


cdef inline void train(Job* job, dnn_team* team, int thread, real* parameters) noexcept nogil:
    cdef int n_threads = dnn_team_size(team)
    cdef Py_ssize_t start = 0, n, step_number = job.steps_before
    cdef double weight_of_batch, inverse_total, last_check = dnn_seconds(), now
    cdef dnn_step step
    cdef real* scratch = scratch_of(job, thread, <const real*> parameters)
    while start < job.n_samples and not job.stop:
        n = min(job.batch_size, job.n_samples - start)
        step_number += 1
        weight_of_batch = _weight_of_batch(job, start, n, <const real*> parameters)
        inverse_total = 1.0 / weight_of_batch if weight_of_batch > 0.0 else 0.0
        step = step_of(job, step_number, weight_of_batch)
        phase_a(job, start, share(n, thread, n_threads), share(n, thread + 1, n_threads),
                step_number, inverse_total, scratch, <const real*> parameters)
        dnn_team_barrier(team)
        if thread == 0:
            # Between the barriers, no thread writes row_loss or reads `stop`.
            job.loss += sum_of(n, job.row_loss) * <double> n
            job.rows_done += n
            now = dnn_seconds()
            if job.watch_signals and now - last_check > SIGNAL_INTERVAL_MS * 1e-3:
                last_check = now
                job.stop = _interrupted(job)
            if now >= job.end:
                job.stop = True
        update(job, team, &step, start, n, thread, scratch, parameters)
        dnn_team_barrier(team)
        if thread == 0 and job.alpha > 0.0 and weight_of_batch > 0.0:
            job.loss += (0.5 * job.alpha * sum_of(job.n_blocks, job.sum_squares)
                         / weight_of_batch * <double> n)
        start += n
