"""Training and scoring of one network without the GIL.

The parts are `rows.pxd` (conversion of rows of X to inputs of the first layer), `layers.pxd` (the
interface of a layer), `dense.pxd` (the dense layer), `sparse.pxd` (the same for CSR rows),
`embedding.pxd` (the embedding of numbers), `step.pxd` (a training step), `clipping.pxd` (its
update), `epoch.pxd`, `passes.pxd` (a step with the loss of a caller), `scoring.pxd` and `team.pxd`
(threads). They are compiled in this module, which also allocates their buffers as Python objects.
"""

import threading

import numpy as np

cimport numpy as cnp
from libc.math cimport INFINITY
from libc.stdint cimport uint32_t, uint64_t
from libc.string cimport memset

from .csrc cimport (
    DNN_ABSOLUTE_ERROR, DNN_ADAM, DNN_ADAMW, DNN_BINARY_CROSS_ENTROPY, DNN_EXP, DNN_GELU, DNN_HUBER,
    DNN_IDENTITY, DNN_LOGISTIC, DNN_MISH, DNN_MOMENTUM, DNN_NESTEROV, DNN_POISSON, DNN_QUANTILE,
    DNN_RELU, DNN_SELU, DNN_SGD, DNN_SILU, DNN_SQUARED_ERROR, DNN_TANH,
    dnn_embedding, dnn_ops, ops_for,
)
from .clipping cimport n_chunks
from .dense cimport dense_layer
from .embedding cimport embedding_layer, embedding_of
from .epoch cimport train
from .layers cimport Layer
from .passes cimport backward_pass, forward_pass, update_pass
from .rows cimport InputRows, gather_inputs, is_canonical, usable_as_is
from .scoring cimport score
from .sparse cimport sparse_layer
from .step cimport SOFTMAX, SORTED, Job
from .team cimport dnn_seconds, dnn_team, dnn_team_run, dnn_team_work

from .blas import load_blas
from .memory import aligned_empty
from .names import NOT_OF_OUTPUT

cnp.import_array()


cdef enum:
    # Elements, at least a cache line: buffers stay aligned, threads do not share cache lines.
    CACHE_LINE = 64

SCORING_ROWS = 256  # rows scored together, so that their activations stay in the cache

# The codes in the C layer of the names in names.py.
ACTIVATION_CODES = {"identity": DNN_IDENTITY, "logistic": DNN_LOGISTIC, "tanh": DNN_TANH,
                    "relu": DNN_RELU, "selu": DNN_SELU, "silu": DNN_SILU, "gelu": DNN_GELU,
                    "mish": DNN_MISH}
OUTPUT_CODES = {"softmax": SOFTMAX, "logistic": DNN_LOGISTIC, "identity": DNN_IDENTITY,
                "exp": DNN_EXP, "sorted": SORTED}
LOSS_CODES = {"cross_entropy": SOFTMAX, "binary_cross_entropy": DNN_BINARY_CROSS_ENTROPY,
              "squared_error": DNN_SQUARED_ERROR, "huber": DNN_HUBER,
              "absolute_error": DNN_ABSOLUTE_ERROR, "poisson": DNN_POISSON,
              "quantile": DNN_QUANTILE}
UPDATE_CODES = {"sgd": DNN_SGD, "momentum": DNN_MOMENTUM, "nesterov": DNN_NESTEROV,
                "adam": DNN_ADAM, "adamw": DNN_ADAMW}


# ------------------------------------------------------------ functions run by every thread

cdef void _train_f32(void* job, dnn_team* team, int thread) noexcept nogil:
    train(<Job*> job, team, thread, <float*> (<Job*> job).parameters)


cdef void _train_f64(void* job, dnn_team* team, int thread) noexcept nogil:
    train(<Job*> job, team, thread, <double*> (<Job*> job).parameters)


cdef void _score_f32(void* job, dnn_team* team, int thread) noexcept nogil:
    score(<Job*> job, team, thread, <const float*> (<Job*> job).parameters)


cdef void _score_f64(void* job, dnn_team* team, int thread) noexcept nogil:
    score(<Job*> job, team, thread, <const double*> (<Job*> job).parameters)


cdef void _forward_f32(void* job, dnn_team* team, int thread) noexcept nogil:
    forward_pass(<Job*> job, team, thread, <const float*> (<Job*> job).parameters)


cdef void _forward_f64(void* job, dnn_team* team, int thread) noexcept nogil:
    forward_pass(<Job*> job, team, thread, <const double*> (<Job*> job).parameters)


cdef void _backward_f32(void* job, dnn_team* team, int thread) noexcept nogil:
    backward_pass(<Job*> job, team, thread, <float*> (<Job*> job).parameters)


cdef void _backward_f64(void* job, dnn_team* team, int thread) noexcept nogil:
    backward_pass(<Job*> job, team, thread, <double*> (<Job*> job).parameters)


cdef void _update_f32(void* job, dnn_team* team, int thread) noexcept nogil:
    update_pass(<Job*> job, team, thread, <float*> (<Job*> job).parameters)


cdef void _update_f64(void* job, dnn_team* team, int thread) noexcept nogil:
    update_pass(<Job*> job, team, thread, <double*> (<Job*> job).parameters)


# ---------------------------------------------------------------------- Python interface

cdef inline Py_ssize_t _whole_lines(Py_ssize_t n) noexcept:
    return (n + CACHE_LINE - 1) // CACHE_LINE * CACHE_LINE


cdef inline void* _data(object array) noexcept:
    return NULL if array is None else cnp.PyArray_DATA(array)


cdef InputRows _rows_of(X, mean, scale, fill, indicators) noexcept:
    """Return the rows of a dense or CSR matrix; `fill` and `indicators` are both arrays or both
    None."""
    cdef InputRows rows
    rows.indices = rows.indptr = NULL
    rows.wide = False
    if cnp.PyArray_Check(X):
        rows.X = _data(X)
    else:
        rows.X = _data(X.data)
        rows.indices, rows.indptr = _data(X.indices), _data(X.indptr)
        rows.wide = X.indices.dtype == np.int64
    rows.n_features = X.shape[1]
    rows.mean, rows.scale, rows.fill = _data(mean), _data(scale), _data(fill)
    rows.indicators = <const Py_ssize_t*> _data(indicators)
    rows.n_indicators = 0 if indicators is None else indicators.size
    return rows


cdef object _fill_of(indicators, Py_ssize_t n_features, dtype):
    """Return the values that replace missing values after standardisation: 0, which is the
    standardised mean of a feature."""
    return None if indicators is None else np.zeros(n_features, dtype)


def input_rows(X, mean, scale, missing):
    """Return the inputs of the first layer: dense, standardised rows with missing indicators.

    Parameters
    ----------
    X : array or CSR matrix (n, n_features)
        Validated rows.
    mean, scale, missing
        As in :class:`Engine`.

    Returns
    -------
    array (n, n_inputs)
        X itself if no conversion is needed.
    """
    cdef Py_ssize_t n = X.shape[0]
    fill = _fill_of(missing, X.shape[1], X.dtype)
    cdef InputRows rows = _rows_of(X, mean, scale, fill, missing)
    if usable_as_is(&rows):
        return X
    out = np.empty((n, rows.n_features + rows.n_indicators), X.dtype)
    cdef bint single = X.dtype == np.float32
    cdef void* data = _data(out)
    with nogil:
        if single:
            gather_inputs(&rows, n, 0, NULL, 0, <float*> data)
        else:
            gather_inputs(&rows, n, 0, NULL, 0, <double*> data)
    return out


def multiplies_stored(X, mean, missing, embedding, bint builtin):
    """Return whether an engine can be made for `csr` rows such as those of X.

    Parameters
    ----------
    X : array or CSR matrix (n, n_features)
        Validated rows.
    mean, missing, embedding, builtin
        As in :class:`Engine`.
    """
    if cnp.PyArray_Check(X) or not builtin:
        return False
    if mean is not None or missing is not None or embedding is not None:
        return False
    cdef InputRows rows = _rows_of(X, None, None, None, None)
    cdef Py_ssize_t n = X.shape[0]
    cdef bint canonical
    with nogil:
        canonical = is_canonical(&rows, n)
    return canonical


cdef class Engine:
    """Training and scoring of one network in batches of at most `batch_size` rows.

    Arguments are not validated: arrays must be C-contiguous and aligned, have the dtype of
    `parameters` unless stated otherwise, and have the given shapes. Not thread-safe.

    Parameters
    ----------
    layer_sizes : tuple of int
        Numbers of inputs of the first dense layer, hidden units of each layer, and outputs.
    parameters : array (n_parameters,)
        Those of the embedding if there is one, W_1 (row-major), b_1, W_2, ...; not copied, and
        updated in place by training.
    mean, scale : array (n_features,) or None
        Input standardisation; None if there is none.
    batch_size : int
        Maximum number of rows per batch.
    n_threads : int
        Maximum number of threads.
    training : bool, default=True
        Whether to allocate the buffers of the backward pass.
    builtin : bool, default=False
        Whether to use the matrix products of csrc/ instead of BLAS.
    activation : str, default='logistic'
        Activation function of the hidden layers, one of `names.ACTIVATIONS`.
    output : str, default='softmax'
        Function applied to the logits, one of `names.OUTPUTS`.
    missing : intp array or None, default=None
        Features with a missing indicator among the inputs:
        layer_sizes[0] = n_features + len(missing). If not None, NaN denotes a missing value.
    factors : sequence of n_layers (float, float, float) or None, default=None
        Factors of each layer: of the learning rate of its weights, of the learning rate of its
        biases, and of the weight decay of its weights; None means 1.
    embedding : PiecewiseLinear or None, default=None
        Embedding of the inputs, of the dtype of `parameters`, with layer_sizes[0] outputs.
    csr : bool, default=False
        Whether the rows of all calls are those of CSR matrices whose indices increase in every row;
        see :func:`multiplies_stored`. The first layer then multiplies the stored elements, and no
        memory is needed for dense rows. Otherwise, rows are made dense.
    """

    # All is done here rather than in __init__, so that no engine exists without its buffers.
    def __cinit__(self, layer_sizes, parameters, mean, scale, Py_ssize_t batch_size,
                  int n_threads, bint training=True, bint builtin=False,
                  str activation="logistic", str output="softmax", missing=None, factors=None,
                  embedding=None, bint csr=False):
        if not builtin:
            load_blas()
        dtype = parameters.dtype
        self._parameters, self.mean, self.scale = parameters, mean, scale
        self._missing, self._embedding = missing, embedding
        self._fill = _fill_of(missing, layer_sizes[0] - len(() if missing is None else missing),
                              dtype)
        self.batch_size = batch_size
        self._n_threads = n_threads if not training else min(n_threads, batch_size)
        self._make_layers(layer_sizes, ACTIVATION_CODES[activation], builtin, factors, csr)
        cdef Py_ssize_t capacity = batch_size if training else batch_size * n_threads
        cdef const Layer* layers = <const Layer*> _data(self._layers)
        cdef Py_ssize_t m = layer_sizes[-1], l
        self._offsets = np.zeros(self._n_layers + 1, np.intp)
        for l in range(self._n_layers):
            self._offsets[l + 1] = self._offsets[l]
            if not layers[l].takes_csr:
                self._offsets[l + 1] += _whole_lines(layers[l].n_inputs * capacity)
        self._activations = aligned_empty(self._offsets[self._n_layers], dtype)
        self._scratch = aligned_empty(self._scratch_size * n_threads, dtype)
        if training:
            if activation in NOT_OF_OUTPUT:
                self._slopes = aligned_empty(self._activations.size, dtype)
            self._deltas = aligned_empty(self._offsets[self._n_layers] + m * capacity, dtype)
            self._batch_label = np.empty(batch_size, np.intp)
            self._batch_L = np.empty(batch_size * m, dtype)
            self._batch_weight = np.empty(batch_size, dtype)
            self._row_loss = np.empty(batch_size)
            self._sum_squares = np.zeros(self._n_blocks)
        self._make_job(OUTPUT_CODES[output])
        single = dtype == np.float32
        self._score_work = _score_f32 if single else _score_f64
        self._train_work = _train_f32 if single else _train_f64
        self._forward_work = _forward_f32 if single else _forward_f64
        self._backward_work = _backward_f32 if single else _backward_f64
        self._update_work = _update_f32 if single else _update_f64

    cdef object _make_layers(self, layer_sizes, int activation, bint builtin, factors, bint csr):
        """Create the layers; compute the number of blocks and the size of the scratch buffer."""
        cdef const dnn_ops* ops = ops_for(<const double*> NULL)
        cdef Py_ssize_t first_parameter = 0, needed = 0
        cdef int n_dense = <int> len(layer_sizes) - 1, l, first = self._embedding is not None
        cdef bint hidden
        cdef dnn_embedding of
        if self._parameters.dtype == np.float32:
            ops = ops_for(<const float*> NULL)
        self._n_blocks = 0
        self._n_layers = n_dense + first
        self._layers = np.empty(self._n_layers * sizeof(Layer), np.uint8)
        cdef Layer* layers = <Layer*> _data(self._layers)
        for l in range(self._n_layers):
            hidden = l < self._n_layers - 1
            if l < first:
                of = embedding_of(self._embedding)
                layers[l] = embedding_layer(&of)
            elif l == 0 and csr:
                layers[l] = sparse_layer(
                    ops, layer_sizes[0], layer_sizes[1], activation if hidden else DNN_IDENTITY,
                    hidden, self.batch_size,
                )
            else:
                layers[l] = dense_layer(
                    ops, l, layer_sizes[l - first], layer_sizes[l - first + 1],
                    activation if hidden else DNN_IDENTITY,
                    activation if l > first else DNN_IDENTITY, hidden, builtin, first_parameter,
                    self.batch_size,
                )
            if factors is not None:
                layers[l].weight_rate, layers[l].bias_rate, layers[l].weight_decay = factors[l]
            first_parameter += layers[l].n_parameters
            needed = max(needed, layers[l].scratch_size)
            self._n_blocks += layers[l].n_blocks
        self._scratch_size = _whole_lines(needed + 1)

    cdef object _make_job(self, int output):
        """Fill in what is the same for all calls."""
        cdef Job* job = &self._job
        memset(job, 0, sizeof(Job))
        job.n_layers = self._n_layers
        job.layers = <const Layer*> _data(self._layers)
        job.offsets = &self._offsets[0]
        job.parameters = _data(self._parameters)
        job.batch_size = self.batch_size
        job.activations, job.slopes = _data(self._activations), _data(self._slopes)
        job.output = output
        job.scratch, job.scratch_size = _data(self._scratch), self._scratch_size
        job.deltas = _data(self._deltas)
        job.batch_label = <Py_ssize_t*> _data(self._batch_label)
        job.batch_L, job.batch_weight = _data(self._batch_L), _data(self._batch_weight)
        job.row_loss = <double*> _data(self._row_loss)
        job.n_blocks = self._n_blocks
        job.sum_squares = <double*> _data(self._sum_squares)
        cdef Py_ssize_t n_features = job.layers[0].n_inputs
        if self._missing is not None:
            n_features -= self._missing.size
        no_rows = np.empty((0, n_features), self._parameters.dtype)
        job.rows = _rows_of(no_rows, self.mean, self.scale, self._fill, self._missing)

    cdef Job _job_for(self, X) noexcept:
        cdef Job job = self._job
        job.rows = _rows_of(X, self.mean, self.scale, self._fill, self._missing)
        job.n_samples = X.shape[0]
        return job

    def score(self, X, out, as_logits=False):
        """Write the outputs, or the logits, for the rows of X to `out` (n, n_outputs)."""
        cdef Job job = self._job_for(X)
        cdef int n_threads = min(self._n_threads, max(1, -(-X.shape[0] // self.batch_size)))
        job.out = _data(out)
        job.as_logits = as_logits
        with nogil:
            dnn_team_run(n_threads, self._score_work, &job)

    def prepare(self, str update, state1, state2, *, double alpha, double momentum=0.0,
                double beta1=0.0, double beta2=0.0, double epsilon=0.0, double weight_decay=0.0,
                str loss="cross_entropy", loss_parameters=None, double dropout=0.0,
                uint64_t dropout_seed=0, double max_grad_norm=0.0):
        """Set how the following calls train.

        Parameters
        ----------
        update : {'sgd', 'momentum', 'nesterov', 'adam', 'adamw'}
            Update rule.
        state1, state2 : array (n_parameters,)
            Velocity, or the two moment estimates of Adam; updated in place. An array that the
            update rule does not use may be any array of this shape.
        alpha, momentum, beta1, beta2, epsilon, weight_decay : float
            L2 penalty, and constants of the update rule.
        loss : str, default='cross_entropy'
            Loss function, one of `names.LOSSES`. All but 'cross_entropy' require `L`.
        loss_parameters : float64 array or None, default=None
            Parameters of the loss; see `names.loss_parameters`.
        dropout : float in [0, 1), default=0.0
            Probability of dropping an output of a hidden layer.
        dropout_seed : int, default=0
            Seed of dropout.
        max_grad_norm : float, default=0.0
            Largest norm of the gradient over all parameters, including the L2 penalty; a larger
            gradient is scaled. 0: no limit.
        """
        cdef Job* job = &self._job
        self._kept = state1, state2, loss_parameters
        job.state1, job.state2 = _data(state1), _data(state2)
        job.step.update = UPDATE_CODES[update]
        job.step.momentum = momentum
        job.step.beta1, job.step.beta2, job.step.epsilon = beta1, beta2, epsilon
        job.alpha, job.weight_decay = alpha, weight_decay
        job.loss_function = LOSS_CODES[loss]
        job.loss_parameters = <const double*> _data(loss_parameters)
        job.drop_below, job.dropped = 0, NULL
        if dropout > 0.0:
            if self._dropped is None:
                self._dropped = aligned_empty(self._activations.size, self._activations.dtype)
            job.dropped = _data(self._dropped)
            job.drop_below = <uint32_t> (dropout * 4294967296.0)
            job.drop_factor = 1.0 / (1.0 - dropout)
            job.drop_seed = dropout_seed
        job.max_norm = max_grad_norm
        if max_grad_norm > 0.0:
            self._allocate_gradient()

    cdef object _allocate_gradient(self):
        """Allocate the gradient of all parameters, unless that has been done."""
        if self._gradient is None:
            self._gradient = aligned_empty(self._parameters.size, self._parameters.dtype)
            self._norm_squares = np.empty(n_chunks(self._parameters.size))
        self._job.gradient = _data(self._gradient)
        self._job.norm_squares = <double*> _data(self._norm_squares)

    def train_epoch(self, X, label, L, sample_weight, order, *, double rate,
                    Py_ssize_t steps_before, rates=None, double time_left=float("inf"),
                    double loss_before=0.0):
        """Train on the rows X[order], or on all rows in their order, in mini-batches.

        Parameters
        ----------
        X : array or CSR matrix (n_samples, n_features)
            The indices of a CSR matrix must be in range.
        label : intp array (n_samples,) or None
            Class indices.
        L : array (n_samples, layer_sizes[-1]) or None
            Soft labels or targets, if `label` is None.
        sample_weight : array (n_samples,) or None
            Sample weights; None means equal weights.
        order : intp array (n,) or None
            Indices of the rows to train on.
        rate : float
            Learning rate.
        steps_before : int
            Number of updates before this epoch, for the bias correction of Adam and for dropout.
        rates : float64 array (n_steps,) or None, default=None
            Learning rate of each mini-batch, instead of `rate`.
        time_left : float, default=inf
            Time budget in seconds; the step during which it elapses is the last one.
        loss_before : float, default=0.0
            Initial value of the sum of losses, for rows that are not the first of an epoch.

        Returns
        -------
        loss : float
            `loss_before` plus the sum of the losses of the rows trained on.
        rows : int
            Number of rows trained on.

        Raises
        ------
        KeyboardInterrupt
            On Ctrl-C in the main thread, after the current step.
        """
        cdef Job job = self._job_for(X)
        if order is not None:
            job.n_samples = order.shape[0]
            job.order = <const Py_ssize_t*> _data(order)
        job.label = <const Py_ssize_t*> _data(label)
        job.L, job.sample_weight = _data(L), _data(sample_weight)
        job.step.rate, job.rates = rate, <const double*> _data(rates)
        job.steps_before = steps_before
        job.loss = loss_before
        job.end = dnn_seconds() + time_left
        job.watch_signals = threading.current_thread() is threading.main_thread()
        interrupts = []
        job.interrupts = <void*> interrupts
        with nogil:
            dnn_team_run(self._n_threads, self._train_work, &job)
        if interrupts:
            raise interrupts[0]
        return job.loss, job.rows_done

    def update(self, gradient, *, double rate, Py_ssize_t steps_before):
        """Update the parameters from a gradient.

        Parameters
        ----------
        gradient : array (n_parameters,)
            Gradient of the loss, including the L2 penalty.
        rate, steps_before
            As in :meth:`train_epoch`.
        """
        self._allocate_gradient()
        self._gradient[...] = gradient
        cdef Job job = self._job
        job.step.rate, job.steps_before = rate, steps_before
        with nogil:
            dnn_team_run(self._n_threads, self._update_work, &job)

    # ------------------------------------------------------------------- steps, without the GIL

    cdef double step(self, Py_ssize_t n, const void* X, const Py_ssize_t* label, const void* L,
                     const void* sample_weight, double rate,
                     Py_ssize_t steps_before) noexcept nogil:
        cdef Job job = self._job
        job.rows.X = X
        job.n_samples = n
        job.label, job.L, job.sample_weight = label, L, sample_weight
        job.step.rate, job.steps_before = rate, steps_before
        job.end = INFINITY
        dnn_team_run(self._n_threads, self._train_work, &job)
        return job.loss / <double> n

    cdef void forward(self, Py_ssize_t n, const void* X, Py_ssize_t steps_before,
                      void* out) noexcept nogil:
        cdef Job job = self._job
        job.rows.X = X
        job.n_samples = n
        job.steps_before = steps_before
        job.out = out
        dnn_team_run(self._n_threads, self._forward_work, &job)

    cdef void backward(self, Py_ssize_t n, const void* d_outputs, const void* dz,
                       double rate, Py_ssize_t steps_before) noexcept nogil:
        cdef Job job = self._job
        job.rows.X = job.activations  # of the first layer, which `forward` has kept
        job.n_samples = n
        job.d_outputs, job.dz = d_outputs, dz
        job.step.rate, job.steps_before = rate, steps_before
        dnn_team_run(self._n_threads, self._backward_work, &job)
