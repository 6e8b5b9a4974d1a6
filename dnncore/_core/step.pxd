"""One training step on one mini-batch, and what the threads of a call share.

In phase A a thread takes its rows of the mini-batch through every layer forward and every delta
backward. In phase B it updates its part of every layer's parameters from their gradient over the
whole batch. A barrier follows each. Nothing is allocated, and every sum has one order whatever
the number of threads, up to the order inside BLAS.
"""

from libc.stdint cimport uint32_t, uint64_t

from . cimport layers
from .csrc cimport dnn_step, ops_for, real
from .layers cimport Layer
from .rows cimport InputRows, as_they_stand, gather_inputs, gather_rows


cdef enum:
    SOFTMAX = -1  # beside the activations and the losses of single outputs, which csrc numbers


# All that the threads of one call share. `void*` is float* or double*.
ctypedef struct Job:
    int n_layers
    const Layer* layers
    # n_layers + 1 places, in elements: of the inputs of each layer in a buffer of activations (the
    # first: normalised rows) and of their delta in a buffer of deltas; the last: the logits' delta.
    const Py_ssize_t* places
    void* parameters
    InputRows rows
    Py_ssize_t n_samples
    Py_ssize_t batch_size
    void* activations
    int output
    void* scratch
    Py_ssize_t scratch_size  # elements of each thread
    # Scoring
    void* out
    bint as_logits
    # Training
    const Py_ssize_t* order  # NULL: from the first row to the last
    const Py_ssize_t* label
    const void* L
    const void* sample_weight
    int loss_function
    double huber_delta
    uint32_t drop_below  # 0: no dropout
    double drop_factor
    uint64_t drop_seed
    void* dropped  # activations after dropout, laid out as `activations`
    void* deltas
    void* state1
    void* state2
    Py_ssize_t* batch_label
    void* batch_L
    void* batch_weight
    double* row_loss
    Py_ssize_t n_blocks  # of all layers
    double* sum_squares  # of each block
    dnn_step step
    double alpha
    Py_ssize_t steps_before
    double loss
    Py_ssize_t rows_done
    double end  # seconds, as of dnn_seconds
    bint watch_signals
    bint stop
    void* interrupts  # list of what a signal handler has raised


cdef inline Py_ssize_t n_outputs(const Job* job) noexcept nogil:
    return job.layers[job.n_layers - 1].n_outputs


cdef inline real* scratch_of(const Job* job, int thread, const real* parameters) noexcept nogil:
    return <real*> job.scratch + thread * job.scratch_size


cdef inline void _drop(const Job* job, Py_ssize_t step, int l, Py_ssize_t first, Py_ssize_t n,
                       const real* x, real* out) noexcept nogil:
    """Dropout of n outputs of layer l, from element `first` of the batch: in every thread, and
    forward and backward, the same ones."""
    # SplitMix64 (Steele, Lea and Flood 2014) makes independent keys of steps and layers.
    cdef uint64_t key = job.drop_seed + <uint64_t> 0x9E3779B97F4A7C15 * <uint64_t> (
        step * job.n_layers + l)
    key = (key ^ (key >> 30)) * <uint64_t> 0xBF58476D1CE4E5B9
    key = (key ^ (key >> 27)) * <uint64_t> 0x94D049BB133111EB
    ops_for(x).dropout(<uint32_t> (key >> 32), job.drop_below, job.drop_factor, first, n, x, out)


cdef inline const real* _inputs(const Job* job, int l, Py_ssize_t start,
                                const real* parameters) noexcept nogil:
    """What layer l takes: rows of the whole batch, which begins at row `start`."""
    if l == 0 and job.order == NULL and as_they_stand(&job.rows):
        return <const real*> job.rows.X + start * job.layers[0].n_inputs
    cdef const void* buffer = job.dropped if l > 0 and job.drop_below else job.activations
    return <const real*> buffer + job.places[l]


cdef inline void forward_rows(const Job* job, const real* parameters, const real* inputs,
                              Py_ssize_t first, Py_ssize_t last, Py_ssize_t step, real* scratch,
                              real* logits) noexcept nogil:
    """`inputs`, rows [first, last) of a_0, go through every layer, the last one's to `logits`."""
    cdef real* activations = <real*> job.activations
    cdef const Layer* layer
    cdef real* out
    cdef Py_ssize_t m
    cdef bint hidden
    cdef int l
    for l in range(job.n_layers):
        layer = &job.layers[l]
        m = layer.n_outputs
        hidden = l < job.n_layers - 1
        out = activations + job.places[l + 1] + first * m if hidden else logits
        if l > 0:
            inputs = _inputs(job, l, 0, parameters) + first * layer.n_inputs
        layers.forward(layer, last - first, inputs, parameters + layer.first_parameter, scratch,
                       out)
        if hidden and job.drop_below:
            _drop(job, step, l, first * m, (last - first) * m, <const real*> out,
                  <real*> job.dropped + job.places[l + 1] + first * m)


cdef inline void _backward_rows(const Job* job, const real* parameters, Py_ssize_t first,
                                Py_ssize_t last, Py_ssize_t step, real* scratch) noexcept nogil:
    """From the delta of the last layer, rows [first, last) of every other."""
    cdef const real* activations = <const real*> job.activations
    cdef real* deltas = <real*> job.deltas
    cdef const Layer* layer
    cdef real* out
    cdef Py_ssize_t k, m
    cdef int l
    for l in range(job.n_layers - 1, 0, -1):
        layer = &job.layers[l]
        k, m = layer.n_inputs, layer.n_outputs
        out = deltas + job.places[l] + first * k
        layers.delta(layer, last - first,
                     <const real*> deltas + job.places[l + 1] + first * m,
                     parameters + layer.first_parameter,
                     activations + job.places[l] + first * k, scratch, out)
        if job.drop_below:
            _drop(job, step, l - 1, first * k, (last - first) * k, <const real*> out, out)


cdef inline void _gather_batch(const Job* job, Py_ssize_t start, Py_ssize_t first, Py_ssize_t n,
                               const real* parameters) noexcept nogil:
    """n rows, labels and weights, from row `first` of the batch that begins at `start`."""
    cdef Py_ssize_t m = n_outputs(job), row = start + first, fetchable = 0, r
    cdef const Py_ssize_t* index = NULL
    cdef real* batch_weight = <real*> job.batch_weight + first
    if job.order != NULL:
        index = job.order + row
        fetchable = job.n_samples - row
        row = 0
    if index != NULL or not as_they_stand(&job.rows):
        gather_inputs(&job.rows, n, row, index, fetchable,
                      <real*> job.activations + first * job.layers[0].n_inputs)
    if job.label != NULL:
        for r in range(n):
            job.batch_label[first + r] = job.label[row + r if index == NULL else index[r]]
    else:
        gather_rows(n, m, <const real*> job.L + row * m, index, fetchable,
                    <real*> job.batch_L + first * m)
    if job.sample_weight != NULL:
        for r in range(n):
            batch_weight[r] = (<const real*> job.sample_weight)[
                row + r if index == NULL else index[r]]


cdef inline void _losses(const Job* job, Py_ssize_t first, Py_ssize_t n, double inverse_total,
                         real* logits) noexcept nogil:
    """Losses of n rows of the batch; their deltas take the place of the logits.

    `inverse_total` is one over the sum of the weights of the batch.
    """
    cdef Py_ssize_t m = n_outputs(job)
    cdef const real* L = <const real*> job.batch_L + first * m
    cdef const real* weight = NULL
    cdef const Py_ssize_t* label = NULL
    if job.sample_weight != NULL:
        weight = <const real*> job.batch_weight + first
    if job.label != NULL:
        label = job.batch_label + first
    if job.loss_function == SOFTMAX:
        ops_for(logits).softmax_cross_entropy(n, m, logits, label, L, inverse_total, weight,
                                              job.row_loss + first, logits)
    else:
        ops_for(logits).elementwise_loss(job.loss_function, job.huber_delta, n, m, logits, L,
                                         inverse_total, weight, job.row_loss + first, logits)


cdef inline void phase_a(const Job* job, Py_ssize_t start, Py_ssize_t first, Py_ssize_t last,
                         Py_ssize_t step, double inverse_total, real* scratch,
                         const real* parameters) noexcept nogil:
    """Rows [first, last) of the batch that begins at `start`: all activations and deltas."""
    cdef const real* inputs = _inputs(job, 0, start, parameters) + first * job.layers[0].n_inputs
    cdef real* logits = (<real*> job.deltas + job.places[job.n_layers]
                         + first * n_outputs(job))
    if first == last:
        return
    _gather_batch(job, start, first, last - first, parameters)
    forward_rows(job, parameters, inputs, first, last, step, scratch, logits)
    _losses(job, first, last - first, inverse_total, logits)
    _backward_rows(job, parameters, first, last, step, scratch)


cdef inline void phase_b(const Job* job, const dnn_step* step, Py_ssize_t start, Py_ssize_t n,
                         int thread, int n_threads, real* scratch,
                         real* parameters) noexcept nogil:
    """This thread's part of every layer: penalty, gradient, update."""
    cdef const real* deltas = <const real*> job.deltas
    cdef double* sum_squares = job.sum_squares if job.alpha > 0.0 else NULL
    cdef const Layer* layer
    cdef Py_ssize_t first
    cdef int l
    for l in range(job.n_layers):
        layer = &job.layers[l]
        first = layer.first_parameter
        layers.update(layer, step, n, thread, n_threads,
                      _inputs(job, l, start, <const real*> parameters),
                      deltas + job.places[l + 1], scratch, <real*> job.state1 + first,
                      <real*> job.state2 + first, parameters + first, sum_squares)
        if sum_squares != NULL:
            sum_squares += layer.n_blocks
