"""Training and scoring without the GIL, on the buffers of one network.

A training step has two phases. In phase A a thread takes its rows of the mini-batch through
every layer forward and every delta backward. In phase B it owns some rows of every weight
matrix, computes their gradient over the whole batch and updates them. A barrier follows each.
Nothing is allocated, and every sum has one order whatever the number of threads, up to the
order inside BLAS.
"""

import threading

import numpy as np

cimport numpy as cnp
from cpython.exc cimport PyErr_CheckSignals
from libc.math cimport pow, sqrt
from libc.stdint cimport int32_t, int64_t, uint32_t, uint64_t
from libc.string cimport memset

from ._csrc cimport (
    DNN_ADAM, DNN_BINARY_CROSS_ENTROPY, DNN_HUBER, DNN_IDENTITY, DNN_LOGISTIC, DNN_MOMENTUM,
    DNN_NESTEROV, DNN_RELU, DNN_SGD, DNN_SQUARED_ERROR, DNN_TANH, dnn_step, ops_for, real,
)
from ._layers cimport layer_delta, layer_forward, layer_update, scratch_size

from ._memory import aligned_empty

cnp.import_array()


cdef extern from "team.h" nogil:
    ctypedef struct dnn_team:
        pass
    ctypedef void (*dnn_team_work)(void* arg, dnn_team* team, int thread) noexcept nogil
    void dnn_team_run(int n_threads, dnn_team_work work, void* arg)
    int dnn_team_size(const dnn_team* team)
    void dnn_team_barrier(dnn_team* team)
    double dnn_seconds()


# Threads own weights in blocks of so many rows. The penalty is summed per block, which
# makes its value independent of the number of threads.
cdef enum:
    BLOCK_ROWS = 16
    CACHE_LINE = 64  # elements, at least a cache line: keeps buffers aligned and threads apart
    SOFTMAX = -1  # beside the activations and the losses of single outputs, which csrc numbers

cdef double SIGNAL_INTERVAL = 0.1  # seconds between looks for Ctrl-C
SCORING_ROWS = 256  # rows that are scored together: their activations stay in the cache


ACTIVATIONS = {"identity": DNN_IDENTITY, "logistic": DNN_LOGISTIC, "tanh": DNN_TANH,
               "relu": DNN_RELU}
OUTPUTS = {"softmax": SOFTMAX, "logistic": DNN_LOGISTIC, "identity": DNN_IDENTITY}
LOSSES = {"cross_entropy": SOFTMAX, "binary_cross_entropy": DNN_BINARY_CROSS_ENTROPY,
          "squared_error": DNN_SQUARED_ERROR, "huber": DNN_HUBER}
UPDATES = {"sgd": DNN_SGD, "momentum": DNN_MOMENTUM, "nesterov": DNN_NESTEROV, "adam": DNN_ADAM}


# Rows as they come: a dense matrix, or CSR (`indices` is not NULL) with its values in X. Where
# NaN stands for a missing value, the features `indicators` have an input each that says so.
ctypedef struct Source:
    const void* X
    const void* indices
    const void* indptr
    bint wide  # whether indices are 64-bit integers; else 32
    Py_ssize_t n_features
    bint missing
    const Py_ssize_t* indicators
    Py_ssize_t n_indicators
    const void* mean
    const void* scale


# Where things are, in elements. Layer l = 0 .. n_layers - 1 goes from sizes[l] to
# sizes[l + 1]. rows[l] is the place of a_l in a buffer of activations (a_0: the normalised
# input; the last: logits) and of its delta in a buffer of deltas.
ctypedef struct Layout:
    int n_layers
    const Py_ssize_t* sizes
    const Py_ssize_t* weights
    const Py_ssize_t* biases
    const Py_ssize_t* rows


# All that the threads of one call share. `void*` is float* or double*.
ctypedef struct Job:
    Layout layout
    void* parameters
    Source source
    Py_ssize_t n_samples
    Py_ssize_t batch_size
    void* activations
    int activation
    int output
    bint builtin
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
    double* block_penalty
    dnn_step step
    double alpha
    Py_ssize_t steps_before
    double loss
    Py_ssize_t rows_done
    double end  # seconds, as of dnn_seconds
    bint watch_signals
    bint stop
    void* engine


# ------------------------------------------------------------------------- one mini-batch

cdef inline Py_ssize_t _share(Py_ssize_t n, int thread, int n_threads) noexcept nogil:
    """Where the part of a thread begins when n things are divided."""
    return n * thread // n_threads


cdef inline real* _scratch(Job* job, int thread, real* parameters) noexcept nogil:
    return <real*> job.scratch + thread * job.scratch_size


cdef inline void _drop(const Job* job, Py_ssize_t step, int l, Py_ssize_t first, Py_ssize_t n,
                       const real* x, real* out) noexcept nogil:
    """Dropout of n elements of layer l, from element `first` of the batch: in every thread, and
    forward and backward, the same ones."""
    # SplitMix64 (Steele, Lea and Flood 2014) makes independent keys of steps and layers.
    cdef uint64_t key = job.drop_seed + <uint64_t> 0x9E3779B97F4A7C15 * <uint64_t> (
        step * job.layout.n_layers + l)
    key = (key ^ (key >> 30)) * <uint64_t> 0xBF58476D1CE4E5B9
    key = (key ^ (key >> 27)) * <uint64_t> 0x94D049BB133111EB
    ops_for(x).dropout(<uint32_t> (key >> 32), job.drop_below, job.drop_factor, first, n, x, out)


cdef inline Py_ssize_t _index(const void* array, bint wide, Py_ssize_t i) noexcept nogil:
    return (<const int64_t*> array)[i] if wide else (<const int32_t*> array)[i]


cdef inline void _make_dense(const Source* source, Py_ssize_t row, real* out) noexcept nogil:
    """A row of CSR. Values in the same place are added up, in their order, as SciPy does."""
    cdef Py_ssize_t i, end = _index(source.indptr, source.wide, row + 1)
    memset(out, 0, source.n_features * sizeof(real))
    for i in range(_index(source.indptr, source.wide, row), end):
        out[_index(source.indices, source.wide, i)] += (<const real*> source.X)[i]


cdef inline void _take(const Source* source, Py_ssize_t n, const real* rows,
                       const Py_ssize_t* index, Py_ssize_t fetchable, real* out) noexcept nogil:
    """n dense rows, normalised if the network has a norm: one pass over them."""
    if source.mean == NULL:
        ops_for(out).gather_rows(n, source.n_features, rows, index, fetchable, out)
    else:
        ops_for(out).norm(n, source.n_features, rows, index, fetchable, source.mean, source.scale,
                          out)


cdef void _gather(const Source* source, Py_ssize_t n, Py_ssize_t row, const Py_ssize_t* index,
                  Py_ssize_t fetchable, real* out) noexcept nogil:
    """n rows, dense and normalised: those from `row` on, or, if it is not NULL, of `index`.

    A missing value is 0 after norm. `fetchable` is as in csrc's gather_rows.
    """
    cdef Py_ssize_t k = source.n_features, r, i
    cdef const real* rows = <const real*> source.X + (row * k if index == NULL else 0)
    cdef const real* x
    if source.indices == NULL and not source.missing:
        _take(source, n, rows, index, fetchable, out)
        return
    for r in range(n):
        if source.indices != NULL:
            _make_dense(source, row + r if index == NULL else index[r], out)
            x = out
        else:
            x = rows + (r if index == NULL else index[r]) * k
        for i in range(source.n_indicators):
            out[k + i] = x[source.indicators[i]] != x[source.indicators[i]]
        if source.indices != NULL or index == NULL:
            _take(source, 1, x, NULL, 0, out)
        else:
            _take(source, 1, rows, index + r, fetchable - r, out)
        if source.missing:
            for i in range(k):
                out[i] = out[i] if out[i] == out[i] else 0
        out += k + source.n_indicators


cdef inline bint _in_place(const Job* job) noexcept nogil:
    """Whether the rows of X are what the first layer takes, as they stand."""
    return (job.order == NULL and job.source.mean == NULL and job.source.indices == NULL
            and not job.source.missing)


cdef inline const real* _inputs(const Job* job, int l, Py_ssize_t start,
                                const real* parameters) noexcept nogil:
    """What layer l takes: rows of the whole batch, which begins at row `start`."""
    if l == 0 and _in_place(job):
        return <const real*> job.source.X + start * job.layout.sizes[0]
    cdef const void* source = job.dropped if l > 0 and job.drop_below else job.activations
    return <const real*> source + job.layout.rows[l]


cdef inline void _forward(Job* job, real* parameters, const real* inputs, Py_ssize_t first,
                          Py_ssize_t last, Py_ssize_t step, real* scratch,
                          real* logits) noexcept nogil:
    """`inputs`, rows [first, last) of a_0, go through every layer; `logits` takes the last one's."""
    cdef const Layout* at = &job.layout
    cdef real* activations = <real*> job.activations
    cdef Py_ssize_t k, m
    cdef real* out
    cdef bint hidden
    cdef int l
    for l in range(at.n_layers):
        k, m = at.sizes[l], at.sizes[l + 1]
        hidden = l < at.n_layers - 1
        out = activations + at.rows[l + 1] + first * m if hidden else logits
        if l > 0:
            inputs = _inputs(job, l, 0, <const real*> parameters) + first * k
        layer_forward(job.builtin, last - first, k, m, inputs,
                      <const real*> parameters + at.weights[l],
                      <const real*> parameters + at.biases[l],
                      job.activation if hidden else DNN_IDENTITY, scratch, out)
        if hidden and job.drop_below:
            _drop(job, step, l, first * m, (last - first) * m, <const real*> out,
                  <real*> job.dropped + at.rows[l + 1] + first * m)


cdef inline void _backward(Job* job, real* parameters, Py_ssize_t first, Py_ssize_t last,
                           Py_ssize_t step, real* scratch) noexcept nogil:
    """From the delta of the last layer, rows [first, last) of every other."""
    cdef const Layout* at = &job.layout
    cdef const real* activations = <const real*> job.activations
    cdef real* deltas = <real*> job.deltas
    cdef Py_ssize_t k, m
    cdef real* out
    cdef int l
    for l in range(at.n_layers - 1, 0, -1):
        k, m = at.sizes[l], at.sizes[l + 1]
        out = deltas + at.rows[l] + first * k
        layer_delta(job.builtin, last - first, k, m,
                    <const real*> deltas + at.rows[l + 1] + first * m,
                    <const real*> parameters + at.weights[l],
                    activations + at.rows[l] + first * k, job.activation, scratch, out)
        if job.drop_below:
            _drop(job, step, l - 1, first * k, (last - first) * k, <const real*> out, out)


cdef inline void _loss(Job* job, Py_ssize_t first, Py_ssize_t n, double scale,
                       real* logits) noexcept nogil:
    """Losses of n rows of the batch; their deltas take the place of the logits."""
    cdef Py_ssize_t m = job.layout.sizes[job.layout.n_layers]
    cdef const real* L = <const real*> job.batch_L + first * m
    cdef const real* weight = NULL
    cdef const Py_ssize_t* label = NULL
    if job.sample_weight != NULL:
        weight = <const real*> job.batch_weight + first
    if job.label != NULL:
        label = job.batch_label + first
    if job.loss_function == SOFTMAX:
        ops_for(logits).softmax_cross_entropy(n, m, logits, label, L, scale, weight,
                                              job.row_loss + first, logits)
    else:
        ops_for(logits).elementwise_loss(job.loss_function, job.huber_delta, n, m, logits, L,
                                         scale, weight, job.row_loss + first, logits)


cdef void _phase_a(Job* job, Py_ssize_t start, Py_ssize_t first, Py_ssize_t last, Py_ssize_t step,
                   double weight_of_batch, real* scratch, real* parameters) noexcept nogil:
    """Rows [first, last) of the batch that begins at `start`: all activations and deltas."""
    cdef const Layout* at = &job.layout
    cdef Py_ssize_t n = last - first, k = at.sizes[0], m = at.sizes[at.n_layers], r
    cdef const real* inputs
    cdef real* activations = <real*> job.activations
    cdef real* deltas = <real*> job.deltas
    cdef real* logits = deltas + at.rows[at.n_layers] + first * m
    cdef real* batch_weight = <real*> job.batch_weight + first
    cdef real* batch_L = <real*> job.batch_L
    cdef const Py_ssize_t* index = NULL
    cdef Py_ssize_t row = start + first, fetchable = 0
    cdef double scale = 1.0 / weight_of_batch if weight_of_batch > 0.0 else 0.0
    if n == 0:
        return
    if job.order != NULL:
        index = job.order + row
        fetchable = job.n_samples - row
        row = 0
    if not _in_place(job):
        _gather(&job.source, n, row, index, fetchable, activations + first * k)
    if job.label != NULL:
        for r in range(n):
            job.batch_label[first + r] = job.label[row + r if index == NULL else index[r]]
    else:
        ops_for(parameters).gather_rows(n, m, <const real*> job.L + row * m, index, fetchable,
                                        batch_L + first * m)
    if job.sample_weight != NULL:
        for r in range(n):
            batch_weight[r] = (<const real*> job.sample_weight)[
                row + r if index == NULL else index[r]]
    inputs = _inputs(job, 0, start, <const real*> parameters) + first * k
    _forward(job, parameters, inputs, first, last, step, scratch, logits)
    _loss(job, first, n, scale, logits)
    _backward(job, parameters, first, last, step, scratch)


cdef void _phase_b(Job* job, const dnn_step* step, Py_ssize_t start, Py_ssize_t n, int thread,
                   int n_threads, real* scratch, real* parameters) noexcept nogil:
    """This thread's rows of every weight matrix: penalty, gradient, update."""
    cdef const Layout* at = &job.layout
    cdef const real* deltas = <const real*> job.deltas
    cdef real* state1 = <real*> job.state1
    cdef real* state2 = <real*> job.state2
    cdef double* penalty = job.block_penalty
    cdef Py_ssize_t k, m, W, b, first, last, row, n_blocks, block
    cdef int l
    for l in range(at.n_layers):
        k, m, W, b = at.sizes[l], at.sizes[l + 1], at.weights[l], at.biases[l]
        n_blocks = (k + BLOCK_ROWS - 1) // BLOCK_ROWS
        first = _share(n_blocks, thread, n_threads)
        last = _share(n_blocks, thread + 1, n_threads)
        if job.alpha > 0.0:
            for block in range(first, last):
                row = block * BLOCK_ROWS
                penalty[block] = ops_for(parameters).sum_squares(
                    (min(row + BLOCK_ROWS, k) - row) * m, parameters + W + row * m)
        penalty += n_blocks
        layer_update(job.builtin, step, n, k, m, first * BLOCK_ROWS, min(last * BLOCK_ROWS, k),
                     _inputs(job, l, start, <const real*> parameters), deltas + at.rows[l + 1], scratch,
                     state1 + W, state2 + W, parameters + W)
        if thread == l % n_threads:
            ops_for(parameters).column_sums(n, m, deltas + at.rows[l + 1], scratch)
            ops_for(parameters).update(step, 0.0, m, scratch, state1 + b, state2 + b,
                                       parameters + b)


# ------------------------------------------------------------------------------ one epoch

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


cdef inline double _penalty(const Job* job) noexcept nogil:
    cdef Py_ssize_t n_blocks = 0, block
    cdef double total = 0.0
    cdef int l
    for l in range(job.layout.n_layers):
        n_blocks += (job.layout.sizes[l] + BLOCK_ROWS - 1) // BLOCK_ROWS
    for block in range(n_blocks):
        total += job.block_penalty[block]
    return 0.5 * job.alpha * total


cdef inline double _row_losses(const Job* job, Py_ssize_t n) noexcept nogil:
    cdef double total = 0.0
    cdef Py_ssize_t r
    for r in range(n):
        total += job.row_loss[r]
    return total


cdef inline dnn_step _step_of(const Job* job, Py_ssize_t step_number,
                          double weight_of_batch) noexcept nogil:
    cdef dnn_step step = job.step
    step.decay = job.alpha / weight_of_batch if weight_of_batch > 0.0 else 0.0
    if step.update == DNN_ADAM:
        step.rate *= (sqrt(1.0 - pow(step.beta2, <double> step_number))
                      / (1.0 - pow(step.beta1, <double> step_number)))
    return step


cdef void _train(Job* job, dnn_team* team, int thread, real* parameters) noexcept nogil:
    cdef int n_threads = dnn_team_size(team)
    cdef Py_ssize_t start = 0, n, step_number = job.steps_before
    cdef double weight_of_batch, looked = dnn_seconds(), now
    cdef dnn_step step
    cdef real* scratch = _scratch(job, thread, parameters)
    while start < job.n_samples and not job.stop:
        n = min(job.batch_size, job.n_samples - start)
        step_number += 1
        weight_of_batch = _weight_of_batch(job, start, n, <const real*> parameters)
        step = _step_of(job, step_number, weight_of_batch)
        _phase_a(job, start, _share(n, thread, n_threads), _share(n, thread + 1, n_threads),
                 step_number, weight_of_batch, scratch, parameters)
        dnn_team_barrier(team)
        if thread == 0:
            # Between the barriers nobody writes row_loss, and nobody reads `stop`.
            job.loss += _row_losses(job, n) * <double> n
            job.rows_done += n
            now = dnn_seconds()
            if job.watch_signals and now - looked > SIGNAL_INTERVAL:
                looked = now
                job.stop = _interrupted(job)
            if now >= job.end:
                job.stop = True
        _phase_b(job, &step, start, n, thread, n_threads, scratch, parameters)
        dnn_team_barrier(team)
        if thread == 0 and job.alpha > 0.0 and weight_of_batch > 0.0:
            job.loss += _penalty(job) / weight_of_batch * <double> n
        start += n


cdef bint _interrupted(Job* job) noexcept with gil:
    try:
        PyErr_CheckSignals()
    except BaseException as error:  # whatever a signal handler raises ends the epoch
        (<Engine> job.engine)._interrupt = error
        return True
    return False


cdef void _train_f32(void* job, dnn_team* team, int thread) noexcept nogil:
    _train(<Job*> job, team, thread, <float*> (<Job*> job).parameters)


cdef void _train_f64(void* job, dnn_team* team, int thread) noexcept nogil:
    _train(<Job*> job, team, thread, <double*> (<Job*> job).parameters)


# -------------------------------------------------------------------------------- scoring

cdef inline void _output(const Job* job, Py_ssize_t n, Py_ssize_t m, real* z) noexcept nogil:
    """Logits become probabilities, where the output has any."""
    if job.output == SOFTMAX:
        ops_for(z).softmax(n, m, z, z)
    else:
        ops_for(z).activate(job.output, n * m, z, z)


cdef void _score(Job* job, dnn_team* team, int thread, real* parameters) noexcept nogil:
    """Each thread scores its part of the rows, block by block, in its part of the buffer."""
    cdef const Layout* at = &job.layout
    cdef int n_threads = dnn_team_size(team)
    cdef Py_ssize_t m = at.sizes[at.n_layers], k = at.sizes[0], n
    cdef Py_ssize_t row = _share(job.n_samples, thread, n_threads)
    cdef Py_ssize_t end = _share(job.n_samples, thread + 1, n_threads)
    cdef Py_ssize_t first = job.batch_size * thread
    cdef const real* inputs
    cdef real* out
    while row < end:
        n = min(job.batch_size, end - row)
        out = <real*> job.out + row * m
        if _in_place(job):
            inputs = <const real*> job.source.X + row * k
        else:
            _gather(&job.source, n, row, NULL, 0, <real*> job.activations + first * k)
            inputs = <const real*> job.activations + first * k
        _forward(job, parameters, inputs, first, first + n, 0, _scratch(job, thread, parameters),
                 out)
        if not job.as_logits:
            _output(job, n, m, out)
        row += n


cdef void _score_f32(void* job, dnn_team* team, int thread) noexcept nogil:
    _score(<Job*> job, team, thread, <float*> (<Job*> job).parameters)


cdef void _score_f64(void* job, dnn_team* team, int thread) noexcept nogil:
    _score(<Job*> job, team, thread, <double*> (<Job*> job).parameters)


# ---------------------------------------------------------------------------- from Python

cdef inline Py_ssize_t _whole_lines(Py_ssize_t n) noexcept:
    return (n + CACHE_LINE - 1) // CACHE_LINE * CACHE_LINE


cdef inline void* _data(object array) noexcept:
    return NULL if array is None else cnp.PyArray_DATA(array)


cdef class Engine:
    """Buffers for batches of at most `batch_size` rows of one network.

    Arguments are trusted: arrays are C-contiguous and aligned, of the dtype of `parameters`
    unless said otherwise, and of the shapes given. One call at a time.

    Parameters
    ----------
    layer_sizes : tuple of int
    parameters : array (n_parameters,)
        W_1 (row-major), b_1, W_2, ...; shared, and changed by training.
    mean, scale : array (n_features,) or None
    batch_size : int
    n_threads : int
    training : bool
        Whether buffers for the backward pass are made.
    builtin : bool
        Whether the products are csrc's own or those of BLAS.
    activation : {'logistic', 'tanh', 'relu', 'identity'}
    output : {'softmax', 'logistic', 'identity'}
    missing : intp array or None
        Not None: NaN stands for a missing value. The features that have an indicator among the
        inputs, which are layer_sizes[0] = n_features + their number.
    """

    cdef int _n_layers
    cdef Py_ssize_t[:, ::1] _layout  # the four arrays of Layout
    cdef object _parameters, _mean, _scale, _missing
    cdef Py_ssize_t _batch_size
    cdef int _n_threads
    cdef bint _builtin
    cdef int _activation, _output
    cdef Py_ssize_t _scratch_size
    cdef object _activations, _dropped, _scratch, _deltas, _batch_label, _batch_L, _batch_weight
    cdef object _row_loss, _block_penalty
    cdef object _interrupt

    def __init__(self, layer_sizes, parameters, mean, scale, Py_ssize_t batch_size,
                 int n_threads, bint training=True, bint builtin=False,
                 str activation="logistic", str output="softmax", missing=None):
        cdef Py_ssize_t l, k, m, n_blocks = 0, needed = 0
        dtype = parameters.dtype
        self._parameters, self._mean, self._scale = parameters, mean, scale
        self._missing = missing
        self._batch_size = batch_size
        self._n_threads = n_threads if not training else min(n_threads, batch_size)
        self._builtin = builtin
        self._activation, self._output = ACTIVATIONS[activation], OUTPUTS[output]
        cdef Py_ssize_t capacity = batch_size if training else batch_size * n_threads
        self._n_layers = <int> len(layer_sizes) - 1
        self._layout = np.zeros((4, self._n_layers + 1), np.intp)
        cdef Py_ssize_t* sizes = &self._layout[0, 0]
        cdef Py_ssize_t* weights = &self._layout[1, 0]
        cdef Py_ssize_t* biases = &self._layout[2, 0]
        cdef Py_ssize_t* rows = &self._layout[3, 0]
        for l in range(self._n_layers + 1):
            sizes[l] = layer_sizes[l]
        for l in range(self._n_layers):
            k, m = sizes[l], sizes[l + 1]
            biases[l] = weights[l] + k * m
            weights[l + 1] = biases[l] + m
            rows[l + 1] = rows[l] + _whole_lines(k * capacity)
            n_blocks += (k + BLOCK_ROWS - 1) // BLOCK_ROWS
            needed = max(needed, self._scratch_of(batch_size, k, m))
        self._activations = aligned_empty(rows[self._n_layers], dtype)
        self._scratch_size = _whole_lines(needed + 1)
        self._scratch = aligned_empty(self._scratch_size * n_threads, dtype)
        if training:
            m = sizes[self._n_layers]
            self._deltas = aligned_empty(rows[self._n_layers] + m * capacity, dtype)
            self._batch_label = np.empty(batch_size, np.intp)
            self._batch_L = np.empty(batch_size * m, dtype)
            self._batch_weight = np.empty(batch_size, dtype)
            self._row_loss = np.empty(batch_size)
            self._block_penalty = np.zeros(n_blocks)

    cdef Py_ssize_t _scratch_of(self, Py_ssize_t n, Py_ssize_t k, Py_ssize_t m):
        if self._parameters.dtype == np.float32:
            return scratch_size(self._builtin, n, k, m, <const float*> NULL)
        return scratch_size(self._builtin, n, k, m, <const double*> NULL)

    cdef Source _source(self, X) noexcept:
        cdef Source source
        source.indices = source.indptr = NULL
        source.wide = False
        if cnp.PyArray_Check(X):
            source.X = _data(X)
        else:
            source.X = _data(X.data)
            source.indices, source.indptr = _data(X.indices), _data(X.indptr)
            source.wide = X.indices.dtype == np.int64
        source.missing = self._missing is not None
        source.indicators = <const Py_ssize_t*> _data(self._missing)
        source.n_indicators = self._missing.size if source.missing else 0
        source.n_features = self._layout[0, 0] - source.n_indicators
        source.mean, source.scale = _data(self._mean), _data(self._scale)
        return source

    cdef Job _job(self, X) noexcept:
        cdef Job job
        job.layout.n_layers = self._n_layers
        job.layout.sizes = &self._layout[0, 0]
        job.layout.weights = &self._layout[1, 0]
        job.layout.biases = &self._layout[2, 0]
        job.layout.rows = &self._layout[3, 0]
        job.parameters = _data(self._parameters)
        job.source = self._source(X)
        job.order = NULL
        job.n_samples = X.shape[0]
        job.batch_size = self._batch_size
        job.activations = _data(self._activations)
        job.builtin = self._builtin
        job.activation, job.output = self._activation, self._output
        job.drop_below = 0
        job.dropped = NULL
        job.scratch, job.scratch_size = _data(self._scratch), self._scratch_size
        job.engine = <void*> self
        return job

    def score(self, X, out, as_logits=False):
        """Probabilities, or logits, of the rows of X into `out` (n, n_outputs)."""
        cdef Job job = self._job(X)
        cdef dnn_team_work work = _score_f32 if X.dtype == np.float32 else _score_f64
        cdef int n_threads = min(self._n_threads, max(1, -(-X.shape[0] // self._batch_size)))
        job.out = _data(out)
        job.as_logits = as_logits
        with nogil:
            dnn_team_run(n_threads, work, &job)

    def train_epoch(self, X, label, L, sample_weight, order, str update, state1, state2, *,
                    double rate, double alpha, Py_ssize_t steps_before, double momentum=0.0,
                    double beta1=0.0, double beta2=0.0, double epsilon=0.0,
                    str loss="cross_entropy", double huber_delta=1.0, double dropout=0.0,
                    uint64_t dropout_seed=0, double time_left=float("inf"), double loss_before=0.0):
        """One pass over the rows X[order], or all rows as they stand, in batches.

        Parameters
        ----------
        X : array, or CSR matrix whose indices are in range, (n_samples, n_features)
        label : intp array (n_samples,) or None
        L : array (n_samples, layer_sizes[-1]), where label is None
        sample_weight : array (n_samples,) or None
        order : intp array (n,) or None
        update : {'sgd', 'momentum', 'nesterov', 'adam'}
        state1, state2 : array like parameters
            Velocity, or Adam's two moments; changed. What the update does not use may be
            any such array.
        rate, alpha, momentum, beta1, beta2, epsilon : float
            Learning rate, L2 penalty, and constants of the update.
        steps_before : int
            Updates made before this epoch (for Adam's bias correction, and for dropout).
        loss : {'cross_entropy', 'binary_cross_entropy', 'squared_error', 'huber'}
            All but the first need L, the targets.
        dropout : float in [0, 1)
            Probability with which an output of a hidden layer is left out.
        dropout_seed : int
        time_left : float
            Seconds, after which the step under way is the last.
        loss_before : float
            What the loss is added to, where these rows are not the first of an epoch.

        Returns
        -------
        loss : float
            Sum over the rows that were trained on.
        rows : int
            How many they are.

        Raises
        ------
        KeyboardInterrupt
            On Ctrl-C in the main thread, after the step under way.
        """
        cdef Job job = self._job(X)
        cdef dnn_team_work work = _train_f32 if X.dtype == np.float32 else _train_f64
        if order is not None:
            job.n_samples = order.shape[0]
            job.order = <const Py_ssize_t*> _data(order)
        job.label = <const Py_ssize_t*> _data(label)
        job.L, job.sample_weight = _data(L), _data(sample_weight)
        job.deltas = _data(self._deltas)
        job.state1, job.state2 = _data(state1), _data(state2)
        job.batch_label = <Py_ssize_t*> _data(self._batch_label)
        job.batch_L, job.batch_weight = _data(self._batch_L), _data(self._batch_weight)
        job.row_loss = <double*> _data(self._row_loss)
        job.block_penalty = <double*> _data(self._block_penalty)
        job.loss_function, job.huber_delta = LOSSES[loss], huber_delta
        if dropout > 0.0:
            if self._dropped is None:
                self._dropped = aligned_empty(self._activations.size, self._activations.dtype)
            job.dropped = _data(self._dropped)
            job.drop_below = <uint32_t> (dropout * 4294967296.0)
            job.drop_factor = 1.0 / (1.0 - dropout)
            job.drop_seed = dropout_seed
        job.step.update = UPDATES[update]
        job.step.rate, job.step.momentum = rate, momentum
        job.step.beta1, job.step.beta2, job.step.epsilon = beta1, beta2, epsilon
        job.alpha = alpha
        job.steps_before = steps_before
        job.loss = loss_before
        job.rows_done = 0
        job.end = dnn_seconds() + time_left
        job.watch_signals = threading.current_thread() is threading.main_thread()
        job.stop = False
        self._interrupt = None
        with nogil:
            dnn_team_run(self._n_threads, work, &job)
        if self._interrupt is not None:
            raise self._interrupt
        return job.loss, job.rows_done
