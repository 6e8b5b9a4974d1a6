"""One training step on a mini-batch, and the data shared by the threads of a call.

In phase A, each thread passes its rows of the mini-batch forward through all layers, and their
deltas backward. In phase B, it updates its part of the parameters of every layer from their
gradient over the whole batch, after it has been limited (clipping.pxd) if that is wanted. Each
phase ends with a barrier. Nothing is allocated. The order of
every sum is independent of the number of threads, except inside BLAS.
"""

from libc.stdint cimport uint32_t, uint64_t

from . cimport layers
from .csrc cimport dnn_csr_rows, dnn_step, ops_for, real
from .layers cimport Layer
from .rows cimport InputRows, csr_rows, gather_inputs, gather_rows, usable_as_is


cdef enum:
    # In addition to the codes of csrc/ for activations and elementwise losses.
    SOFTMAX = -1
    SORTED = -2


# The data shared by the threads of one call. `void*` is float* or double*.
ctypedef struct Job:
    int n_layers
    const Layer* layers
    # n_layers + 1 offsets, in elements: of the inputs of each layer in a buffer of activations
    # (the first: input rows) and of their deltas in a buffer of deltas; the last: the deltas of
    # the logits.
    const Py_ssize_t* offsets
    void* parameters
    InputRows rows
    Py_ssize_t n_samples
    Py_ssize_t batch_size
    void* activations
    # Slopes f'(z) of the hidden layers, in the layout of `activations`; NULL if they are functions
    # of the activations, or are not needed.
    void* slopes
    int output
    void* scratch
    Py_ssize_t scratch_size  # elements per thread
    # Scoring
    void* out
    bint as_logits
    # Training
    const Py_ssize_t* order  # NULL: all rows in their order
    const Py_ssize_t* label
    const void* L
    const void* sample_weight
    int loss_function
    const double* loss_parameters  # as in elementwise_loss of ops.h
    uint32_t drop_below  # 0: no dropout
    double drop_factor
    uint64_t drop_seed
    void* dropped  # activations after dropout, in the layout of `activations`
    void* deltas
    void* state1
    void* state2
    Py_ssize_t* batch_label
    void* batch_L
    void* batch_weight
    double* row_loss
    Py_ssize_t n_blocks  # of all layers
    double* sum_squares  # per block
    dnn_step step  # of the weights of a layer without factors, before the bias correction
    const double* rates  # of each step of this call; NULL: step.rate in all steps
    double alpha
    double weight_decay
    double max_norm  # of the gradient; 0: no limit
    void* gradient  # of all parameters, if there is a limit
    double* norm_squares  # per chunk of the gradient; see clipping.pxd
    # A loss outside the engine: its gradient with respect to the outputs or, if NULL, the logits
    const void* d_outputs
    const void* dz
    Py_ssize_t steps_before
    double loss
    Py_ssize_t rows_done
    double end  # in seconds of dnn_seconds
    bint watch_signals
    bint stop
    void* interrupts  # list of the exceptions raised by signal handlers


cdef inline Py_ssize_t n_outputs(const Job* job) noexcept nogil:
    return job.layers[job.n_layers - 1].n_outputs


cdef inline real* scratch_of(const Job* job, int thread, const real* parameters) noexcept nogil:
    return <real*> job.scratch + thread * job.scratch_size


cdef inline void _drop(const Job* job, Py_ssize_t step, int l, Py_ssize_t first, Py_ssize_t n,
                       const real* x, real* out) noexcept nogil:
    """Apply dropout to n outputs of layer l, starting at element `first` of the batch. The same
    elements are dropped for any number of threads, and in the forward and backward passes."""
    # SplitMix64 (Steele, Lea and Flood 2014) gives every step and layer an independent key.
    cdef uint64_t key = job.drop_seed + <uint64_t> 0x9E3779B97F4A7C15 * <uint64_t> (
        step * job.n_layers + l)
    key = (key ^ (key >> 30)) * <uint64_t> 0xBF58476D1CE4E5B9
    key = (key ^ (key >> 27)) * <uint64_t> 0x94D049BB133111EB
    ops_for(x).dropout(<uint32_t> (key >> 32), job.drop_below, job.drop_factor, first, n, x, out)


cdef inline const void* _inputs(const Job* job, int l, Py_ssize_t start, Py_ssize_t first,
                                dnn_csr_rows* csr, const real* parameters) noexcept nogil:
    """Return the inputs of layer l, as its functions take them, from row `first` of the batch on,
    which starts at row `start`. `csr` is written and returned if the layer takes CSR rows."""
    cdef const void* buffer = job.activations
    if job.layers[l].takes_csr:
        csr[0] = csr_rows(&job.rows, start + first, job.order)
        return csr
    if l == 0 and job.order == NULL and usable_as_is(&job.rows):
        return <const real*> job.rows.X + (start + first) * job.layers[0].n_inputs
    if l > 0 and job.drop_below and job.layers[l - 1].drops:
        buffer = job.dropped
    return <const real*> buffer + job.offsets[l] + first * job.layers[l].n_inputs


cdef inline void forward_rows(const Job* job, const real* parameters, const void* inputs,
                              Py_ssize_t first, Py_ssize_t last, Py_ssize_t step, real* scratch,
                              real* logits) noexcept nogil:
    """Pass `inputs` of the first layer, rows [first, last), forward through all layers, to
    `logits`."""
    cdef real* activations = <real*> job.activations
    cdef const Layer* layer
    cdef real* out
    cdef real* slope
    cdef Py_ssize_t m, start
    cdef bint hidden
    cdef int l
    for l in range(job.n_layers):
        layer = &job.layers[l]
        m = layer.n_outputs
        hidden = l < job.n_layers - 1
        start = job.offsets[l + 1] + first * m
        out = activations + start if hidden else logits
        slope = <real*> job.slopes + start if hidden and job.slopes != NULL else NULL
        if l > 0:
            inputs = _inputs(job, l, 0, first, NULL, parameters)
        layers.forward(layer, last - first, inputs, parameters + layer.first_parameter, scratch,
                       out, slope)
        if job.drop_below and layer.drops:
            _drop(job, step, l, first * m, (last - first) * m, <const real*> out,
                  <real*> job.dropped + start)


cdef inline void backward_rows(const Job* job, const real* parameters, Py_ssize_t first,
                                Py_ssize_t last, Py_ssize_t step, real* scratch) noexcept nogil:
    """Propagate rows [first, last) of the deltas of the last layer backward to all others."""
    cdef const real* kept = <const real*> (
        job.activations if job.slopes == NULL else job.slopes)
    cdef real* deltas = <real*> job.deltas
    cdef const Layer* layer
    cdef real* out
    cdef Py_ssize_t k, m
    cdef int l
    for l in range(job.n_layers - 1, 0, -1):
        layer = &job.layers[l]
        k, m = layer.n_inputs, layer.n_outputs
        out = deltas + job.offsets[l] + first * k
        layers.delta(layer, last - first,
                     <const real*> deltas + job.offsets[l + 1] + first * m,
                     parameters + layer.first_parameter,
                     kept + job.offsets[l] + first * k, scratch, out)
        if job.drop_below and job.layers[l - 1].drops:
            _drop(job, step, l - 1, first * k, (last - first) * k, <const real*> out, out)


cdef inline void _gather_batch(const Job* job, Py_ssize_t start, Py_ssize_t first, Py_ssize_t n,
                               const real* parameters) noexcept nogil:
    """Gather inputs, labels and weights of n rows, starting at row `first` of the batch, which
    starts at row `start`."""
    cdef Py_ssize_t m = n_outputs(job), row = start + first, fetchable = 0, r
    cdef const Py_ssize_t* index = NULL
    cdef real* batch_weight = <real*> job.batch_weight + first
    if job.order != NULL:
        index = job.order + row
        fetchable = job.n_samples - row
        row = 0
    if not job.layers[0].takes_csr and (index != NULL or not usable_as_is(&job.rows)):
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
    """Compute the losses of n rows of the batch, and overwrite the logits with their deltas.

    `inverse_total` is the reciprocal of the sum of the weights of the batch.
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
        ops_for(logits).elementwise_loss(job.loss_function, job.loss_parameters, n, m, logits, L,
                                         inverse_total, weight, job.row_loss + first, logits)


cdef inline void phase_a(const Job* job, Py_ssize_t start, Py_ssize_t first, Py_ssize_t last,
                         Py_ssize_t step, double inverse_total, real* scratch,
                         const real* parameters) noexcept nogil:
    """Compute all activations and deltas of rows [first, last) of the batch starting at `start`."""
    cdef dnn_csr_rows csr
    cdef const void* inputs = _inputs(job, 0, start, first, &csr, parameters)
    cdef real* logits = (<real*> job.deltas + job.offsets[job.n_layers]
                         + first * n_outputs(job))
    if first == last:
        return
    _gather_batch(job, start, first, last - first, parameters)
    forward_rows(job, parameters, inputs, first, last, step, scratch, logits)
    _losses(job, first, last - first, inverse_total, logits)
    backward_rows(job, parameters, first, last, step, scratch)


cdef inline void phase_b(const Job* job, const dnn_step* step, Py_ssize_t start, Py_ssize_t n,
                         int thread, int n_threads, real* scratch, real* state1, real* state2,
                         real* parameters) noexcept nogil:
    """Compute penalty, gradient and update of this thread's part of every layer."""
    cdef const real* deltas = <const real*> job.deltas
    cdef double* sum_squares = job.sum_squares if job.alpha > 0.0 else NULL
    cdef const Layer* layer
    cdef dnn_csr_rows csr
    cdef Py_ssize_t first
    cdef int l
    for l in range(job.n_layers):
        layer = &job.layers[l]
        first = layer.first_parameter
        layers.update(layer, step, n, thread, n_threads,
                      _inputs(job, l, start, 0, &csr, <const real*> parameters),
                      deltas + job.offsets[l + 1], scratch, state1 + first, state2 + first,
                      parameters + first, sum_squares)
        if sum_squares != NULL:
            sum_squares += layer.n_blocks
