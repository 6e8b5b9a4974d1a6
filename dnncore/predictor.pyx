"""A frozen network: scores one row in microseconds, and many rows in bounded memory."""

import numpy as np

cimport numpy as cnp
from libc.stdlib cimport free, malloc
from libc.string cimport memcpy

from ._core.arrays cimport empty_rows, fit_together, usable_as_it_is
from ._core.csrc cimport DNN_IDENTITY, dnn_embedding, dnn_ops, isa, real
from ._core.embedding cimport embedding_of, first_bias, first_weight
from ._core.rows cimport fill_missing
from ._core.scoring cimport apply_output

from ._core.checks import choice, finite_matrix, indicators, is_sparse, output as output_array
from ._core.csrc import all_finite
from ._core.engine import ACTIVATION_CODES, OUTPUT_CODES
from ._core.memory import aligned_empty
from ._core.names import ACTIVATIONS, OUTPUTS, REGRESSION_OUTPUTS
from ._core.piecewise_linear import check_embedding

cnp.import_array()

cdef enum:
    STACK_BYTES = 32768  # nothing is allocated if the activations of two layers fit
    MAX_ROWS = 192  # rows scored together, enough to reuse packed weights often


cdef void _fill_rows(Py_ssize_t n, Py_ssize_t n_features, Py_ssize_t n_indicators,
                     const Py_ssize_t* indicators, const real* fill, const real* x,
                     real* out) noexcept nogil:
    """Compute the inputs of the first layer from rows with missing values."""
    cdef Py_ssize_t r
    for r in range(n):
        fill_missing(n_features, n_indicators, indicators, fill, x, out)
        x += n_features
        out += n_features + n_indicators


cdef class Predictor:
    """A frozen network, optimised for scoring.

    Predictors are created by :meth:`dnncore.Network.freeze`,
    :meth:`dnncore.DNNClassifier.freeze` or :meth:`Predictor.load`. A predictor is a copy: further
    training of the model does not change it. The input standardisation is folded into the first
    layer. A predictor can be called from any number of threads at the same time; it runs in the
    calling thread, without the GIL.

    Parameters
    ----------
    layer_sizes : tuple of int
        Numbers of inputs, hidden units of each layer, and outputs.
    parameters : array (n_parameters,) of float32 or float64
        Weights and biases in the order of ``Network.parameters``, with the input standardisation
        folded in. Copied.
    classes : array (n_outputs,), optional
        Labels returned by :meth:`predict`. By default, the class indices.
    activation : str, default='logistic'
        Activation function of the hidden layers: 'logistic', 'tanh', 'relu', 'selu', 'silu'
        (also called swish), 'gelu' (the exact one, with erf), 'mish' or 'identity'.
    output : {'softmax', 'logistic', 'identity', 'exp', 'sorted'}, default='softmax'
        Output function, as in :class:`dnncore.Network`.
    fill : array (n_features,), optional
        Values that replace missing values (NaN) of each feature. By default, rows with NaN give
        NaN.
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
    fill : array (n_features,) or None
        Values that replace missing values.
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

    def __init__(self, layer_sizes, parameters, classes=None, *, activation="logistic",
                 output="softmax", fill=None, missing=None, embedding=None):
        self.activation = choice("activation", activation, ACTIVATIONS)
        self.output = choice("output", output, OUTPUTS)
        self._activation, self._output = ACTIVATION_CODES[activation], OUTPUT_CODES[output]
        self.layer_sizes = tuple(int(size) for size in layer_sizes)
        self._parameters = np.array(parameters, order="C")
        self._parameters.flags.writeable = False
        self.dtype = self._parameters.dtype
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
        if self._parameters.shape != (ends[-1],):
            raise ValueError(
                f"parameters must have shape ({ends[-1]},) for layer_sizes {self.layer_sizes}, "
                f"got {self._parameters.shape}"
            )
        if not all_finite(self._parameters):
            raise ValueError("parameters must be finite")
        classes = np.arange(self.layer_sizes[-1]) if classes is None else np.array(classes)
        if classes.shape != (self.layer_sizes[-1],):
            raise ValueError(
                f"classes must have shape ({self.layer_sizes[-1]},), got {classes.shape}"
            )
        self.classes_ = classes
        self._ops = <const void*> (isa.f32 if self.dtype == np.float32 else isa.f64)
        self._itemsize = self.dtype.itemsize
        self._parameter_data = <const char*> cnp.PyArray_DATA(self._parameters)
        self._typenum = cnp.NPY_FLOAT32 if self.dtype == np.float32 else cnp.NPY_FLOAT64
        self._sizes = sizes
        self._biases = ends - sizes[1:]
        self._adopt_fill(fill, missing)
        self._pack()

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

    cdef object _adopt_fill(self, fill, missing):
        """Validate and store `fill` and `missing`."""
        self.n_features = self._sizes[0]
        if self.embedding is not None:
            self.n_features = self.embedding.n_inputs
        self.fill = self.missing = None
        self._fill_data = NULL
        if fill is None:
            if missing is not None:
                raise ValueError("missing requires fill")
            return
        self.missing = indicators(() if missing is None else missing, self._sizes[0])
        self.n_features -= self.missing.size
        self.fill = np.array(fill, self.dtype, order="C")
        if self.fill.shape != (self.n_features,) or not all_finite(self.fill):
            raise ValueError(
                f"fill must contain {self.n_features} finite numbers, got {fill!r:.80}"
            )
        self.fill.flags.writeable = self.missing.flags.writeable = False
        self._fill_data = cnp.PyArray_DATA(self.fill)
        self._missing_data = <const Py_ssize_t*> cnp.PyArray_DATA(self.missing)

    cdef object _pack(self):
        """Pack the weights into panels; `_weights` contains the offset of each layer's weights."""
        cdef const dnn_ops* ops = <const dnn_ops*> self._ops
        cdef const dnn_embedding* of = <const dnn_embedding*> self._embedding
        cdef Py_ssize_t l, k, m
        cols = [ops.packed_cols(size) for size in self.layer_sizes[1:]]
        ends = np.cumsum(np.array(self.layer_sizes[:-1]) * cols)
        self._width = max(cols)
        self._weights = np.concatenate([[0], ends[:-1]]).astype(np.intp)
        self._packed = aligned_empty(ends[-1], self.dtype)
        self._packed_data = <char*> cnp.PyArray_DATA(self._packed)
        for l in range(self._weights.shape[0]):
            k, m = self._sizes[l], self._sizes[l + 1]
            ops.pack_weights(k, m,
                             self._parameter_data + (self._biases[l] - k * m) * self._itemsize,
                             self._packed_data + self._weights[l] * self._itemsize)
        if of != NULL:
            self._packed_embedding = aligned_empty(ops.packed_embedding(of), self.dtype)
            self._packed_embedding_data = cnp.PyArray_DATA(self._packed_embedding)
            ops.pack_embedding(of, self._parameter_data + first_weight(of) * self._itemsize,
                               self._parameter_data + first_bias(of) * self._itemsize,
                               <void*> self._packed_embedding_data)

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
        """All parameters, a read-only array of shape (n_parameters,)."""
        return self._parameters

    def __reduce__(self):
        arguments = self.layer_sizes, self._parameters, self.classes_
        return _restore, (*arguments, self.activation, self.output, self.fill, self.missing,
                          self.embedding, self.encoder)

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
        cdef char on_stack[STACK_BYTES]
        cdef char* buffer = on_stack
        cdef const dnn_ops* ops = <const dnn_ops*> self._ops
        cdef Py_ssize_t itemsize = self._itemsize
        cdef Py_ssize_t n_layers = self._weights.shape[0], l, r, rows, k, m, ld_a, start
        cdef Py_ssize_t row_bytes = self._width * itemsize
        cdef bint as_is = self._fill_data == NULL and self._embedding == NULL
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
                self._make_inputs(rows, a, inputs)
                a = inputs
            ld_a = self._sizes[0]
            for l in range(n_layers):
                k, m = self._sizes[l], self._sizes[l + 1]
                z = buffer + (l % 2) * block * row_bytes
                ops.forward_packed(rows, k, m, a, ld_a,
                                   self._packed_data + self._weights[l] * itemsize,
                                   self._parameter_data + self._biases[l] * itemsize,
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

    cdef void _make_inputs(self, Py_ssize_t n, const char* x, char* out) noexcept nogil:
        """Compute the inputs of the first layer from rows to fill in or to embed."""
        cdef const dnn_embedding* of = <const dnn_embedding*> self._embedding
        if self._fill_data != NULL:
            self._fill_in(n, x, out)
        else:  # the parameters begin with s
            (<const dnn_ops*> self._ops).embed_packed(of, n, x, self._parameter_data,
                                                      self._packed_embedding_data, out)

    cdef void _fill_in(self, Py_ssize_t n, const char* x, char* out) noexcept nogil:
        cdef Py_ssize_t k = self.n_features, n_indicators = self._sizes[0] - k
        if self._typenum == cnp.NPY_FLOAT32:
            _fill_rows(n, k, n_indicators, self._missing_data, <const float*> self._fill_data,
                       <const float*> x, <float*> out)
        else:
            _fill_rows(n, k, n_indicators, self._missing_data, <const double*> self._fill_data,
                       <const double*> x, <double*> out)

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
        if usable_as_it_is(x, self._typenum, self.n_features, False) and (
            out is None
            or (usable_as_it_is(out, self._typenum, self._sizes[self._weights.shape[0]], True)
                and fit_together(x, out))
        ):
            return self._call(x, out)
        x = self._encoded(x)
        if is_sparse(x):
            raise TypeError("x must be dense, got a sparse matrix; use x.toarray()")
        x = np.require(x, requirements=("C", "A"))
        if x.dtype != self.dtype:
            raise TypeError(f"x must have dtype {self.dtype}, like the predictor, got {x.dtype}")
        if x.ndim not in (1, 2) or x.shape[-1] != self.n_features:
            raise ValueError(
                f"x must have shape ({self.n_features},) or (n, {self.n_features}), got {x.shape}"
            )
        shape = (*x.shape[:-1], self.layer_sizes[-1])
        return self._call(x, output_array("out", out, shape, self.dtype, apart=(x,)))

    cdef object _encoded(self, object x):
        """Return a table as rows, if there is an encoder; anything else as it is."""
        return x if self.encoder is None or isinstance(x, np.ndarray) else self.encoder(x)

    def predict_proba(self, X):
        """Compute the outputs for rows (n, n_features), as calling the predictor does, but check
        that the rows are finite."""
        X = self._encoded(X)
        if is_sparse(X):
            raise TypeError("X must be dense, got a sparse matrix; use X.toarray()")
        missing = self.fill is not None
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
        """
        outputs = self(x)
        if self.output == "softmax":
            return self.classes_[outputs.argmax(axis=-1)]
        return outputs if self.output in REGRESSION_OUTPUTS else (outputs > 0.5).astype(np.intp)


def _restore(layer_sizes, parameters, classes, activation, output, fill, missing,
             embedding=None, encoder=None):
    """Create a predictor from positional arguments, for pickle."""
    predictor = Predictor(layer_sizes, parameters, classes, activation=activation, output=output,
                          fill=fill, missing=missing, embedding=embedding)
    predictor.encoder = encoder
    return predictor
