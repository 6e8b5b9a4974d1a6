"""A frozen network: scores one row in microseconds, and many rows in bounded memory."""

import numpy as np

cimport cython
cimport numpy as cnp
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy, memset

from ._core.arrays cimport empty_rows, ready, usable_as_it_is
from ._core.csrc cimport DNN_IDENTITY, dnn_embedding, dnn_ops, isa, real
from ._core.embedding cimport embedding_of, first_bias, first_weight
from ._core.folding cimport folds_exactly, fold_norm, fold_units
from ._core.rows cimport fill_missing
from ._core.scoring cimport apply_output
from ._core.versions cimport (
    dnn_versions,
    dnn_versions_begin,
    dnn_versions_current,
    dnn_versions_destroy,
    dnn_versions_end,
    dnn_versions_init,
    dnn_versions_lock,
    dnn_versions_unlock,
    dnn_versions_valid,
)

from ._core.architecture import check_same_architecture
from ._core.checks import (
    choice,
    contiguous,
    finite_matrix,
    indicators,
    is_sparse,
    output_of_rows,
)
from ._core.csrc import all_finite
from ._core.engine import ACTIVATION_CODES, OUTPUT_CODES
from ._core.memory import ALIGNMENT, aligned_empty
from ._core.names import ACTIVATIONS, OUTPUTS, REGRESSION_OUTPUTS
from ._core.piecewise_linear import check_embedding

cnp.import_array()

cdef enum:
    STACK_BYTES = 32768  # nothing is allocated if the activations of two layers fit
    MAX_ROWS = 192  # rows scored together, enough to reuse packed weights often
    UNLOCKED_TRIES = 3  # to score between two calls of refresh, before these have to wait


# What a set of weights is made of. NULL: none.
ctypedef struct Source:
    const void* parameters
    const void* mean
    const void* scale
    const void* fill
    bint folds  # whether the input standardisation is folded into the parameters


cdef bint _folds(Predictor self, const real* mean, const real* scale) noexcept nogil:
    return folds_exactly(self.n_features, mean, scale)


cdef void _fill_rows(Py_ssize_t n, Py_ssize_t n_features, Py_ssize_t n_indicators,
                     const Py_ssize_t* indicators, const real* fill, const real* x,
                     Py_ssize_t ld_x, real* out) noexcept nogil:
    """Compute the inputs of the first layer from rows with missing values, `ld_x` apart."""
    cdef Py_ssize_t r
    for r in range(n):
        fill_missing(n_features, n_indicators, indicators, fill, x, out)
        x += ld_x
        out += n_features + n_indicators


cdef bint _has_infinity(Py_ssize_t n, const real* x) noexcept nogil:
    """Return whether there is an infinite number; NaN is none."""
    cdef Py_ssize_t i
    for i in range(n):
        if x[i] == x[i] and x[i] - x[i] != 0:
            return True
    return False


cdef class Predictor:
    """A frozen network, optimised for scoring.

    Predictors are created by :meth:`dnncore.Network.freeze`,
    :meth:`dnncore.DNNClassifier.freeze` or :meth:`Predictor.load`. A predictor is a copy: further
    training of the model does not change it, unless :meth:`refresh` copies the parameters again.
    The input standardisation is folded into the first layer if no digits are lost by that: unless
    the mean of a feature is many times its scale, or a scale is extreme. A predictor can be called
    from any number of threads at the same time; it runs in the calling thread, without the GIL.

    Parameters
    ----------
    layer_sizes : tuple of int
        Numbers of inputs, hidden units of each layer, and outputs.
    parameters : array (n_parameters,) of float32 or float64
        Weights and biases in the order of ``Network.parameters``, for rows that are standardised
        by `mean` and `scale`, if these are given. Copied.
    classes : array (n_outputs,), optional
        Labels returned by :meth:`predict`. By default, the class indices.
    activation : str, default='logistic'
        Activation function of the hidden layers: 'logistic', 'tanh', 'relu', 'selu', 'silu'
        (also called swish), 'gelu' (the exact one, with erf), 'mish' or 'identity'.
    output : {'softmax', 'logistic', 'identity', 'exp', 'sorted'}, default='softmax'
        Output function, as in :class:`dnncore.Network`.
    mean, scale : array (n_features,), optional
        Input standardisation, both or none. Excludes `embedding`.
    fill : array (n_features,), optional
        Values that replace missing values (NaN) of each feature, after the input standardisation.
        By default, rows with NaN give NaN.
    missing : sequence of int, optional
        Features with a missing indicator, as in :class:`dnncore.Network`: an additional input,
        after the features, that is 1 if the value is missing and 0 otherwise. Requires `fill`.
    embedding : PiecewiseLinear, optional
        Embedding of numbers, as in :class:`dnncore.Network`. Excludes `fill`.

    Attributes
    ----------
    layer_sizes : tuple of int
        Numbers of inputs, hidden units of each layer, and outputs.
    n_features : int
        Number of columns of the rows to score.
    parameters : array (n_parameters,)
        Weights and biases; a read-only copy.
    mean, scale : array (n_features,) or None
        Input standardisation, if it is not folded into the weights and biases; read-only copies.
    fill : array (n_features,) or None
        Values that replace missing values; a read-only copy.
    missing : intp array or None
        Features with a missing indicator.
    embedding : PiecewiseLinear or None
        Embedding of numbers.
    dtype : numpy.dtype
        Data type of the rows and of the outputs.
    activation, output : str
        Activation function of the hidden layers, and output function.
    classes_ : array (n_outputs,)
        Labels of the outputs.
    encoder : callable or None
        Converts tables with named columns to rows. Only a predictor of a model file that has the
        columns of a table has one, as the command line writes them; it then takes tables, too.

    Examples
    --------
    >>> import numpy as np
    >>> from dnncore import Network
    >>> predictor = Network((4, 8, 3), seed=0).freeze()
    >>> predictor(np.zeros(4)).shape, predictor(np.zeros((2, 4))).shape
    ((3,), (2, 3))
    """

    # All is done here rather than in __init__, so that no predictor exists without its weights.
    def __cinit__(self, layer_sizes, parameters, classes=None, *, activation="logistic",
                  output="softmax", mean=None, scale=None, fill=None, missing=None,
                  embedding=None):
        cdef Source source
        self._versions = malloc(sizeof(dnn_versions))
        if self._versions == NULL:
            raise MemoryError
        if dnn_versions_init(<dnn_versions*> self._versions):
            free(self._versions)
            self._versions = NULL
            raise MemoryError("not enough resources for a lock")

        self.activation = choice("activation", activation, ACTIVATIONS)
        self.output = choice("output", output, OUTPUTS)
        self._activation, self._output = ACTIVATION_CODES[activation], OUTPUT_CODES[output]
        self.layer_sizes = tuple(int(size) for size in layer_sizes)
        parameters = contiguous(parameters)
        self.dtype = parameters.dtype
        if self.dtype != np.float32 and self.dtype != np.float64:
            raise TypeError(f"parameters must be float32 or float64, got {self.dtype}")
        sizes = np.array(self.layer_sizes, dtype=np.intp)
        if len(sizes) < 2 or (sizes < 1).any():
            raise ValueError(
                f"layer_sizes must be at least 2 positive ints, got {layer_sizes!r}"
            )
        self._adopt_embedding(embedding, fill)
        ends = np.cumsum((sizes[:-1] + 1) * sizes[1:])
        if embedding is not None:
            ends += embedding.n_parameters
        if parameters.shape != (ends[-1],):
            raise ValueError(
                f"parameters must have shape ({ends[-1]},) for layer_sizes {self.layer_sizes}, "
                f"got {parameters.shape}"
            )
        classes = np.arange(self.layer_sizes[-1]) if classes is None else np.array(classes)
        if classes.shape != (self.layer_sizes[-1],):
            raise ValueError(
                f"classes must have shape ({self.layer_sizes[-1]},), got {classes.shape}"
            )
        self.classes_ = classes
        self._ops = <const void*> (isa.f32 if self.dtype == np.float32 else isa.f64)
        self._itemsize = self.dtype.itemsize
        self._typenum = cnp.NPY_FLOAT32 if self.dtype == np.float32 else cnp.NPY_FLOAT64
        self._sizes = sizes
        self._biases = ends - sizes[1:]
        self._n_parameters = ends[-1]
        self._units_of_targets = np.array([np.zeros(sizes[-1]), np.ones(sizes[-1])])
        self._units = NULL
        fill = self._adopt_missing(fill, missing)
        mean, scale = self._checked_norm(mean, scale)
        self._lay_out()
        first = aligned_empty(self._size, self.dtype)
        self._data[0] = <char*> cnp.PyArray_DATA(first)
        source.parameters = cnp.PyArray_DATA(parameters)
        source.fill = NULL if fill is None else cnp.PyArray_DATA(fill)
        source.mean = NULL if mean is None else cnp.PyArray_DATA(mean)
        source.scale = NULL if scale is None else cnp.PyArray_DATA(scale)
        source.folds = False
        if not _write(self, self._data[0], &source):
            raise ValueError("parameters must be finite")
        self._first = first

    def __dealloc__(self):
        if self._versions != NULL:
            dnn_versions_destroy(<dnn_versions*> self._versions)
            free(self._versions)

    cdef object _adopt_embedding(self, embedding, fill):
        """Validate and store `embedding`."""
        self.embedding = None
        self._embedding = NULL
        if embedding is None:
            return
        if fill is not None:
            raise ValueError("fill must be None with an embedding")
        self.embedding = check_embedding(embedding, self.layer_sizes[0], self.dtype)
        self._embedding_struct = np.empty(sizeof(dnn_embedding), np.uint8)
        (<dnn_embedding*> cnp.PyArray_DATA(self._embedding_struct))[0] = embedding_of(
            self.embedding)
        self._embedding = cnp.PyArray_DATA(self._embedding_struct)

    cdef object _adopt_missing(self, fill, missing):
        """Validate and store `missing`, and return `fill`, validated."""
        self.n_features = self._sizes[0]
        if self.embedding is not None:
            self.n_features = self.embedding.n_inputs
        self.missing = None
        self._fills = fill is not None
        if fill is None:
            if missing is not None:
                raise ValueError("missing requires fill")
            return None
        self.missing = indicators(() if missing is None else missing, self._sizes[0])
        self.missing.flags.writeable = False
        self._missing_data = <const Py_ssize_t*> cnp.PyArray_DATA(self.missing)
        self.n_features -= self.missing.size
        checked = np.array(fill, self.dtype, order="C")
        if checked.shape != (self.n_features,) or not all_finite(checked):
            raise ValueError(
                f"fill must contain {self.n_features} finite numbers, got {fill!r:.80}"
            )
        return checked

    cdef tuple _checked_norm(self, mean, scale):
        """Return `mean` and `scale` as contiguous arrays (n_features,) or None, validated."""
        if mean is None or scale is None:
            if mean is not scale:
                raise ValueError("mean and scale must both be arrays or both be None")
            return None, None
        if self.embedding is not None:
            raise ValueError("mean and scale must be None with an embedding")
        mean = contiguous(mean, self.dtype)
        scale = contiguous(scale, self.dtype)
        if mean.shape != (self.n_features,) or scale.shape != (self.n_features,):
            raise ValueError(
                f"mean and scale must have shape ({self.n_features},), "
                f"got {mean.shape} and {scale.shape}"
            )
        if not all_finite(mean) or not all_finite(scale) or not (scale > 0).all():
            raise ValueError("mean must be finite, and scale finite and positive")
        return mean, scale

    # ---------------------------------------------------------------------------- weights
    #
    # A set of weights is one block of memory: the parameters, the values that replace missing
    # ones, mean and scale of the input standardisation (the first scale is 0 if it is folded into
    # the parameters), and the weights of each layer and of the embedding, packed into panels. The
    # second set is allocated by the first call of refresh.

    cdef object _lay_out(self):
        """Determine the offsets of the parts of a set, in elements."""
        cdef const dnn_ops* ops = <const dnn_ops*> self._ops
        cdef const dnn_embedding* of = <const dnn_embedding*> self._embedding
        step = ALIGNMENT // self._itemsize
        cols = [ops.packed_cols(size) for size in self.layer_sizes[1:]]
        n_norm = self.n_features if of == NULL else 0
        parts = [self._n_parameters, self.n_features if self._fills else 0, n_norm, n_norm]
        parts += [size * col for size, col in zip(self.layer_sizes, cols)]
        parts.append(0 if of == NULL else ops.packed_embedding(of))
        starts = np.cumsum([0] + [-(-part // step) * step for part in parts]).astype(np.intp)
        self._width = max(cols)
        self._fill_at, self._mean_at, self._scale_at = starts[1:4]
        self._packed_embedding_at, self._size = starts[-2:]
        self._weights = starts[4:-2].copy()

    cdef char* _at(self, char* weights, Py_ssize_t offset) noexcept nogil:
        return weights + offset * self._itemsize

    def refresh(self, network):
        """Copy the parameters and the input standardisation of a network that has learnt further.

        The predictor is then as if it were created anew by :meth:`dnncore.Network.freeze` with the
        same arguments, bit for bit. Calls in other threads, from Python or Cython, need not stop:
        each of them uses either the old weights or the new ones for all of its rows. The first
        call allocates memory for a second set of weights; further calls allocate nothing.

        Parameters
        ----------
        network : Network, DNNClassifier or DNNRegressor
            Network with the architecture of the predictor, typically the one that it was created
            from. It must not be trained by another thread during the call.

        Raises
        ------
        TypeError
            If `network` is something else.
        ValueError
            If the layer sizes, the dtype, the functions, the missing indicators, the embedding or,
            for an estimator, the classes or the units of the targets differ from those of the
            predictor, or if a parameter is not finite. The predictor then remains as it is.

        Notes
        -----
        Waits for calls of `refresh` in other threads. A call that scores rows while the weights
        are refreshed twice starts again; after a few times, `refresh` waits for it instead.

        Model files of predictors contain weights for the units of the targets, but not the units.
        A predictor that is loaded from such a file therefore takes the outputs of `network` as
        they are.

        Examples
        --------
        >>> import numpy as np
        >>> from dnncore import Network
        >>> network = Network((4, 8, 3), seed=0)
        >>> predictor = network.freeze()
        >>> network.intercepts_[-1][0] += 1.0
        >>> predictor.refresh(network)
        >>> np.array_equal(predictor(np.ones(4)), network.freeze()(np.ones(4)))
        True
        """
        if hasattr(network, "network_"):
            network, learnt = network._network_and_learnt()
            self._check_learnt(learnt.freeze_options)
        elif hasattr(network, "fit"):
            raise TypeError(
                "network must be a Network, or a DNNClassifier or DNNRegressor that is fitted, "
                f"got {type(network).__name__}"
            )
        check_same_architecture("network", network, self)
        if self._second is None:
            second = aligned_empty(self._size, self.dtype)
            with cython.critical_section(self):
                if self._second is None:
                    self._second, self._data[1] = second, <char*> cnp.PyArray_DATA(second)
        if not self._rewrite(network, False):
            raise ValueError("network must have finite parameters")

    cdef object _check_learnt(self, dict options):
        """Check what an estimator has learnt about its targets."""
        mean, scale = self._units_of_targets
        mine = {"classes": self.classes_, "target_mean": mean, "target_scale": scale}
        for name, value in options.items():
            if not np.array_equal(value, mine[name]):
                raise ValueError(
                    f"network must have {name} {mine[name]!s:.80}, got {value!s:.80}; "
                    "call freeze instead"
                )

    cdef object _adopt_units(self, units):
        """Store mean and scale of the targets (2, n_outputs), float64, or None."""
        if units is not None:
            self._units_of_targets = units
            self._units = <const double*> cnp.PyArray_DATA(units)

    cdef bint _rewrite(self, object network, bint in_place) except -1:
        """Write the weights of a network, in the current set or as a new version; return whether
        they are finite."""
        cdef dnn_versions* versions = <dnn_versions*> self._versions
        cdef Source source
        cdef size_t version
        cdef bint finite
        parameters, mean, scale = network.parameters, network.mean_, network.scale_
        # The architecture fits; this protects the memory from objects that only resemble a network.
        if not usable_as_it_is(parameters, self._typenum, self._n_parameters, False):
            raise TypeError(f"network must be a Network, got {type(network).__name__}")
        source.parameters = cnp.PyArray_DATA(parameters)
        source.mean = source.scale = source.fill = NULL
        source.folds = False
        mean, scale = self._checked_norm(mean, scale)
        if mean is not None:
            source.mean, source.scale = cnp.PyArray_DATA(mean), cnp.PyArray_DATA(scale)
            if self._typenum == cnp.NPY_FLOAT32:
                source.folds = _folds(self, <const float*> source.mean, <const float*> source.scale)
            else:
                source.folds = _folds(self, <const double*> source.mean,
                                      <const double*> source.scale)
            source.fill = source.mean if source.folds else NULL  # 0 after the standardisation
        if in_place:
            return _write(self, self._data[0], &source)
        with nogil:
            version = dnn_versions_begin(versions)
            finite = _write(self, self._data[version & 1], &source)
            dnn_versions_end(versions, version, finite)
        return finite

    cdef tuple _current(self):
        """Return read-only copies of `parameters`, `mean`, `scale` and `fill`, of one version."""
        cdef dnn_versions* versions = <dnn_versions*> self._versions
        cdef Py_ssize_t n = self._weights[0], k = self.n_features
        copy = np.empty(n, self.dtype)
        cdef char* data = <char*> cnp.PyArray_DATA(copy)
        with nogil:
            dnn_versions_lock(versions)
            memcpy(data, self._data[dnn_versions_current(versions) & 1], n * self._itemsize)
            dnn_versions_unlock(versions)
        copy.flags.writeable = False
        mean = scale = None
        if self._standardises(data):
            mean = copy[self._mean_at : self._mean_at + k]
            scale = copy[self._scale_at : self._scale_at + k]
        fill = copy[self._fill_at : self._fill_at + k] if self._fills else None
        return copy[:self._n_parameters], mean, scale, fill

    @classmethod
    def load(cls, path):
        """Load a predictor from a model file. Does not need scikit-learn.

        Parameters
        ----------
        path : str or path-like
            Model file written by :meth:`save` of a predictor, a network or an estimator.

        Returns
        -------
        Predictor
            For a TabularClassifier or TabularRegressor, a :class:`dnncore.table_predictor.TablePredictor`.

        Raises
        ------
        dnncore.modelfile.ModelFileError
            If the file is not a model file.
        """
        from .modelfile import load_predictor

        return load_predictor(path)

    def save(self, path):
        """Save the predictor as a safetensors file, which :meth:`load` reads.

        Parameters
        ----------
        path : str or path-like
            File to write.

        Raises
        ------
        TypeError
            If `classes_` are not integers, strings, floats or booleans.
        """
        from .modelfile import save

        save(self, path)

    @property
    def parameters(self):
        """All parameters, a read-only copy of shape (n_parameters,)."""
        return self._current()[0]

    @property
    def mean(self):
        """Mean of each feature, a read-only copy of shape (n_features,); None if it is folded
        into the parameters."""
        return self._current()[1]

    @property
    def scale(self):
        """Scale of each feature, as `mean`."""
        return self._current()[2]

    @property
    def fill(self):
        """Values that replace missing values, a read-only copy of shape (n_features,); or None."""
        return self._current()[3]

    def __reduce__(self):
        parameters, mean, scale, fill = self._current()
        return _restore, (self.layer_sizes, parameters, self.classes_, self.activation,
                          self.output, fill, self.missing, self.embedding, self.encoder,
                          self._units_of_targets if self._units != NULL else None, mean, scale)

    def __repr__(self):
        return (
            f"Predictor({self.layer_sizes}, dtype={self.dtype}, activation={self.activation!r}, "
            f"output={self.output!r})"
        )

    # ---------------------------------------------------------------------------- scoring

    cdef int score_f32(self, Py_ssize_t n, const float* x, float* out) noexcept nogil:
        return self._score(n, x, out)

    cdef int score_f64(self, Py_ssize_t n, const double* x, double* out) noexcept nogil:
        return self._score(n, x, out)

    cdef int _score(self, Py_ssize_t n, const void* x, void* out) noexcept nogil:
        cdef dnn_versions* versions = <dnn_versions*> self._versions
        cdef size_t version
        cdef int tries, status
        for tries in range(UNLOCKED_TRIES):
            version = dnn_versions_current(versions)
            status = self._score_with(self._data[version & 1], n, x, out)
            if dnn_versions_valid(versions, version):
                return status
        dnn_versions_lock(versions)
        version = dnn_versions_current(versions)
        status = self._score_with(self._data[version & 1], n, x, out)
        dnn_versions_unlock(versions)
        return status

    cdef int _score_with(self, char* weights, Py_ssize_t n, const void* x,
                         void* out) noexcept nogil:
        cdef char on_stack[STACK_BYTES]
        cdef char* buffer = on_stack
        cdef const dnn_ops* ops = <const dnn_ops*> self._ops
        cdef Py_ssize_t itemsize = self._itemsize
        cdef Py_ssize_t n_layers = self._weights.shape[0], l, r, rows, k, m, ld_a, start
        cdef Py_ssize_t row_bytes = self._width * itemsize
        cdef bint as_is = not (self._fills or self._embedding != NULL
                               or self._standardises(weights))
        # Two layers, and the inputs if they differ from the rows.
        cdef Py_ssize_t needed = 2 * row_bytes + (0 if as_is else self._sizes[0] * itemsize)
        cdef Py_ssize_t block = min(n, STACK_BYTES // needed)
        cdef char* inputs
        cdef const char* a
        cdef char* z
        cdef char* to = <char*> out
        if block < min(n, MAX_ROWS):
            block = min(n, MAX_ROWS)
            buffer = <char*> malloc(block * needed)
            if buffer == NULL:
                return -1
        start = 0
        inputs = buffer + 2 * block * row_bytes
        while start < n:
            rows = min(block, n - start)
            a = <const char*> x + start * self.n_features * itemsize
            if not as_is:
                self._make_inputs(weights, rows, a, inputs)
                a = inputs
            ld_a = self._sizes[0]
            for l in range(n_layers):
                k, m = self._sizes[l], self._sizes[l + 1]
                z = buffer + (l % 2) * block * row_bytes
                ops.forward_packed(rows, k, m, a, ld_a,
                                   weights + self._weights[l] * itemsize,
                                   weights + self._biases[l] * itemsize,
                                   self._activation if l < n_layers - 1 else DNN_IDENTITY,
                                   self._width, z)
                a, ld_a = z, self._width
            for r in range(rows):
                memcpy(to + r * m * itemsize, z + r * row_bytes, m * itemsize)
            apply_output(ops, self._output, rows, m, to)
            to += rows * m * itemsize
            start += rows
        if buffer != on_stack:
            free(buffer)
        return 0

    cdef bint _standardises(self, const char* weights) noexcept nogil:
        """Return whether these weights are for standardised rows."""
        if self._embedding != NULL:
            return False
        if self._typenum == cnp.NPY_FLOAT32:
            return (<const float*> weights)[self._scale_at] > 0
        return (<const double*> weights)[self._scale_at] > 0

    cdef void _make_inputs(self, char* weights, Py_ssize_t n, const char* x,
                           char* out) noexcept nogil:
        """Compute the inputs of the first layer from rows to standardise, fill in or embed."""
        cdef const dnn_ops* ops = <const dnn_ops*> self._ops
        cdef const dnn_embedding* of = <const dnn_embedding*> self._embedding
        cdef const void* mean
        cdef const void* scale
        cdef Py_ssize_t k = self.n_features, ld_x = k, r
        if of != NULL:  # the parameters begin with s
            ops.embed_packed(of, n, x, weights, self._at(weights, self._packed_embedding_at), out)
            return
        if self._standardises(weights):
            ld_x = self._sizes[0]
            mean, scale = self._at(weights, self._mean_at), self._at(weights, self._scale_at)
            if ld_x == k:
                ops.norm(n, k, x, NULL, 0, mean, scale, out)
            else:
                for r in range(n):
                    ops.norm(1, k, x + r * k * self._itemsize, NULL, 0, mean, scale,
                             out + r * ld_x * self._itemsize)
            x = out
        if self._fills:
            self._fill_in(self._at(weights, self._fill_at), n, x, ld_x, out)

    cdef void _fill_in(self, const void* fill, Py_ssize_t n, const char* x, Py_ssize_t ld_x,
                       char* out) noexcept nogil:
        cdef Py_ssize_t k = self.n_features, n_indicators = self._sizes[0] - k
        if self._typenum == cnp.NPY_FLOAT32:
            _fill_rows(n, k, n_indicators, self._missing_data, <const float*> fill,
                       <const float*> x, ld_x, <float*> out)
        else:
            _fill_rows(n, k, n_indicators, self._missing_data, <const double*> fill,
                       <const double*> x, ld_x, <double*> out)

    cdef object _call(self, object x, object out):
        """Score rows that are contiguous, aligned and of this dtype."""
        cdef Py_ssize_t n = 1 if cnp.PyArray_NDIM(x) == 1 else cnp.PyArray_DIM(x, 0)
        cdef const void* source
        cdef void* target
        cdef int status
        if out is None:
            out = empty_rows(x, self._sizes[self._weights.shape[0]], self._typenum)
        source, target = cnp.PyArray_DATA(x), cnp.PyArray_DATA(out)
        with nogil:
            status = self._score(n, source, target)
        if status:
            raise MemoryError(f"not enough memory to score {n} rows")
        return out

    def __call__(self, x, out=None):
        """Compute the outputs for one or more rows: probabilities, or numbers of a regression.

        Parameters
        ----------
        x : array (n_features,) or (n, n_features), of the predictor's dtype
            Rows to score; or a table, if the predictor has an ``encoder``. They are not checked to
            be finite: unless NaN denotes a missing value, rows with NaN give NaN.
        out : array (n_outputs,) or (n, n_outputs), same dtype, optional
            Array to store the outputs in. With `out`, nothing is allocated unless the activations
            of wide layers or many rows exceed 32 KiB.

        Returns
        -------
        array (n_outputs,) or (n, n_outputs)

        Raises
        ------
        TypeError, ValueError
            If a dtype or shape is invalid.
        """
        cdef Py_ssize_t n_outputs = self._sizes[self._weights.shape[0]]
        if ready(x, out, self._typenum, self.n_features, n_outputs):
            return self._call(x, out)
        x = self._usable(x)
        return self._call(x, output_of_rows(x, self.n_features, out, n_outputs, self.dtype))

    cdef object _usable(self, object x):
        """Return an array that compiled code can use, of any shape."""
        x = self._encoded(x)
        if is_sparse(x):
            raise TypeError("x must be dense, got a sparse matrix; use x.toarray()")
        x = contiguous(x)
        if x.dtype != self.dtype:
            raise TypeError(f"x must have dtype {self.dtype}, like the predictor, got {x.dtype}")
        return x

    cdef object _encoded(self, object x):
        """Return a table as rows, if there is an encoder; anything else as it is."""
        return x if self.encoder is None or isinstance(x, np.ndarray) else self.encoder(x)

    def predict_proba(self, X):
        """Compute the outputs for rows (n, n_features), as calling the predictor does, but check
        that the rows are finite."""
        X = self._encoded(X)
        if is_sparse(X):
            raise TypeError("X must be dense, got a sparse matrix; use X.toarray()")
        missing = self._fills
        return self(finite_matrix("X", X, self.n_features, self.dtype, missing=missing))

    def predict(self, x):
        """Predict the class or the targets of one or more rows.

        Parameters
        ----------
        x : array (n_features,) or (n, n_features), of the predictor's dtype
            Rows to score.

        Returns
        -------
        label or array (n,) of labels
            The most probable class. If the output is 'logistic', multi-label indicators of shape
            (n_outputs,) or (n, n_outputs): 1 where the probability exceeds 0.5, else 0. The
            outputs of a regression as they are.

        Raises
        ------
        TypeError, ValueError
            If a dtype or shape is invalid, or a row is not finite, where NaN may denote a missing
            value.
        """
        if not ready(x, None, self._typenum, self.n_features, 0):
            x = self._usable(x)
        outputs = self(x)
        if not (self._allows(x) and self._are_finite(outputs)):
            finite_matrix("x", np.atleast_2d(x), self.n_features, self.dtype, missing=self._fills)
            raise ValueError("x must give finite outputs, got numbers that are too large")
        if self.output == "softmax":
            return self.classes_[outputs.argmax(axis=-1)]
        return outputs if self.output in REGRESSION_OUTPUTS else (outputs > 0.5).astype(np.intp)

    cdef bint _are_finite(self, object x) noexcept:
        return (<const dnn_ops*> self._ops).all_finite(cnp.PyArray_SIZE(x), cnp.PyArray_DATA(x))

    cdef bint _allows(self, object x) noexcept:
        """Return whether rows that can be used as they are are finite or missing."""
        cdef Py_ssize_t n = cnp.PyArray_SIZE(x)
        if self._are_finite(x):
            return True
        if not self._fills:
            return False
        if self._typenum == cnp.NPY_FLOAT32:
            return not _has_infinity(n, <const float*> cnp.PyArray_DATA(x))
        return not _has_infinity(n, <const double*> cnp.PyArray_DATA(x))


cdef void _fold(Predictor self, real* parameters, const Source* source) noexcept nogil:
    """Fold the input standardisation and the units of the targets into the parameters."""
    cdef Py_ssize_t last = self._weights.shape[0] - 1, k, m
    if source.folds:  # indicators of missing values are not standardised
        k, m = self._sizes[0], self._sizes[1]
        fold_norm(self.n_features, m, <const real*> source.mean, <const real*> source.scale,
                  parameters + self._biases[0] - k * m, parameters + self._biases[0])
    if self._units != NULL:
        k, m = self._sizes[last], self._sizes[last + 1]
        fold_units(k, m, self._units, self._units + m, parameters + self._biases[last] - k * m,
                   parameters + self._biases[last])


cdef bint _write(Predictor self, char* to, const Source* source) noexcept nogil:
    """Write a set of weights; return whether all of them are finite."""
    cdef const dnn_ops* ops = <const dnn_ops*> self._ops
    cdef const dnn_embedding* of = <const dnn_embedding*> self._embedding
    cdef Py_ssize_t l, k, m, n_norm = self.n_features * self._itemsize
    cdef char* fill = self._at(to, self._fill_at)
    cdef char* scale = self._at(to, self._scale_at)
    memcpy(to, source.parameters, self._n_parameters * self._itemsize)
    if self._itemsize == sizeof(float):
        _fold(self, <float*> to, source)
    else:
        _fold(self, <double*> to, source)
    if not ops.all_finite(self._n_parameters, to):
        return False
    if self._fills:
        if source.fill == NULL:
            memset(fill, 0, self.n_features * self._itemsize)
        else:
            memcpy(fill, source.fill, self.n_features * self._itemsize)
        if not ops.all_finite(self.n_features, fill):
            return False
    if of == NULL and (source.mean == NULL or source.folds):
        memset(scale, 0, n_norm)
    elif of == NULL:
        memcpy(self._at(to, self._mean_at), source.mean, n_norm)
        memcpy(scale, source.scale, n_norm)
    for l in range(self._weights.shape[0]):
        k, m = self._sizes[l], self._sizes[l + 1]
        ops.pack_weights(k, m, self._at(to, self._biases[l] - k * m),
                         self._at(to, self._weights[l]))
    if of != NULL:
        ops.pack_embedding(of, self._at(to, first_weight(of)), self._at(to, first_bias(of)),
                           self._at(to, self._packed_embedding_at))
    return True


def frozen(network, classes, units):
    """Create a predictor as :meth:`dnncore.Network.freeze` does.

    `units` contains mean and scale of the targets, validated, float64 (2, n_outputs); or is None.
    """
    cdef Predictor predictor = Predictor(
        network.layer_sizes, network.parameters, classes, activation=network.activation,
        output=network.output, missing=network.missing, embedding=network.embedding,
        fill=None if network.missing is None else np.zeros(network.n_features, network.dtype),
    )
    predictor._adopt_units(units)
    if (network.mean_ is not None or units is not None) and not predictor._rewrite(network, True):
        raise ValueError("parameters must be finite")
    return predictor


def _restore(layer_sizes, parameters, classes, activation, output, fill, missing,
             embedding=None, encoder=None, units=None, mean=None, scale=None):
    """Create a predictor from positional arguments, for pickle."""
    cdef Predictor predictor = Predictor(
        layer_sizes, parameters, classes, activation=activation, output=output, mean=mean,
        scale=scale, fill=fill, missing=missing, embedding=embedding,
    )
    predictor.encoder = encoder
    predictor._adopt_units(units)
    return predictor
