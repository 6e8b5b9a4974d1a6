"""A frozen model of tables: scores a row of columns, encoded by itself, in microseconds."""

import numpy as np

cimport numpy as cnp
from libc.math cimport sqrt
from libc.stdlib cimport free, malloc
from libc.string cimport memset

from ._core.arrays cimport empty_rows, ready
from ._core.csrc cimport real
from .predictor cimport Predictor

from ._core.checks import contiguous, output_of_rows
from ._data.frames import open_frame, open_row
from ._data.table_columns import BEYOND_CLIP, CLIP, CategoryColumn
from ._data.table_encoding import TableEncoding

cnp.import_array()

cdef enum:
    STACK_BYTES = 16384  # nothing is allocated if the inputs and outputs of a row fit
    MAX_ROWS = 192  # rows scored together; see predictor.pyx

cdef double _CLIP = CLIP, _BEYOND_CLIP = BEYOND_CLIP


cdef inline double _scaled(double x, double half_median, double half_scale) noexcept nogil:
    """NumberColumn.scaled, with the same bits."""
    cdef double z, ratio
    if half_scale == 0.0 or x != x:
        return 0.0
    z = (x * 0.5 - half_median) / half_scale
    z = min(max(z, -_BEYOND_CLIP), _BEYOND_CLIP)
    ratio = z / _CLIP
    return z / sqrt(1.0 + ratio * ratio)


cdef void _encode(TablePredictor self, Py_ssize_t n, const double* x, real* out) noexcept nogil:
    """Compute the inputs of the networks, as TableEncoding does, from its values."""
    cdef Py_ssize_t r, j, feature, code, n_values
    cdef double value
    for r in range(n):
        memset(out, 0, self._n_encoded * sizeof(real))
        for j in range(self._numbers.shape[0]):
            value = x[self._numbers[j, 0]]
            feature = self._numbers[j, 1]
            out[j] = <real> _scaled(value, self._scaling[j, 0], self._scaling[j, 1])
            if feature >= 0:
                out[feature] = value != value
        for j in range(self._categories.shape[0]):
            value = x[self._categories[j, 0]]
            n_values = self._categories[j, 1]
            if value != value or value == -1.0:
                code = n_values + 1
            elif 0.0 <= value < n_values and value == <double> <Py_ssize_t> value:
                code = <Py_ssize_t> value
            else:
                code = n_values
            feature = self._lookup[self._categories[j, 2] + code]
            if feature >= 0:
                out[feature] = 1
        x += self.n_features
        out += self._n_encoded


cdef void _finish(TablePredictor self, Py_ssize_t n, const real* total,
                  double* out) noexcept nogil:
    """Compute the means from the sums over the members, in the units of the targets."""
    cdef real count = <real> self._members.shape[0]
    cdef Py_ssize_t r, i, m = self.n_outputs
    cdef double value
    for r in range(n):
        for i in range(m):
            value = total[r * m + i] / count
            if self._units.shape[0] > 0:
                value = value * self._units[i, 1] + self._units[i, 0]
                value = min(max(value, self._units[i, 2]), self._units[i, 3])
            out[r * m + i] = value


cdef int _score_block(TablePredictor self, Py_ssize_t n, const double* x, real* buffer,
                      double* out) noexcept nogil:
    cdef real* inputs = buffer
    cdef real* total = inputs + n * self._n_encoded
    cdef real* outputs = total + n * self.n_outputs
    cdef Py_ssize_t member, i
    _encode(self, n, x, inputs)
    for member in range(self._members.shape[0]):
        if (<Predictor> <void*> self._members[member])._score(
                n, inputs, total if member == 0 else outputs):
            return -1
        if member > 0:
            for i in range(n * self.n_outputs):
                total[i] += outputs[i]
    _finish(self, n, total, out)
    return 0


cdef class TablePredictor:
    """A frozen TabularClassifier or TabularRegressor: from columns to probabilities or numbers.

    Predictors are created by :meth:`dnncore.tabular.TabularClassifier.freeze`,
    :meth:`dnncore.tabular.TabularRegressor.freeze`, and :meth:`dnncore.predictor.Predictor.load`
    from their model files, without scikit-learn. They encode rows as the estimator does, score them
    with all networks and average the outputs, in compiled code without the GIL. A predictor is a
    copy: further training of the model does not change it. It can be called from any number of
    threads at the same time, and runs in the calling thread.

    Parameters
    ----------
    encoding : TableEncoding or dict
        What the encoder has learnt: ``TableEncoder.encoding_``, or its ``to_json()``.
    predictors : sequence of Predictor
        The networks, with the encoded features as inputs, and with the same numbers of inputs
        and outputs, output function and dtype.
    classes : array (n_outputs,), optional
        Labels returned by :meth:`predict`. By default, those of the first predictor.
    target_mean, target_scale : array (n_outputs,), optional
        Outputs become ``mean output * target_scale + target_mean``, in float64.
    target_range : tuple of two arrays (n_outputs,), optional
        Limits to which such numbers are clipped.

    Attributes
    ----------
    feature_names : tuple of str or None
        Names of the columns, in the order of a row; None if they are found by position.
    categories : tuple
        For each column, a tuple of its categories; None for numbers, dates and durations.
    n_features : int
        Number of columns.
    n_outputs : int
        Number of outputs.
    output : str
        Output function of the networks.
    classes_ : array (n_outputs,)
        Labels of the outputs.
    dtype : numpy.dtype
        float64, the type of rows and outputs. Those of a classifier are the probabilities in the
        type of its networks, converted.
    encoding : TableEncoding
    predictors : tuple of Predictor
    target_mean, target_scale, target_range
        As the parameters.

    Notes
    -----
    A row is an array of float64 with a number for each column, in the order of `fit`: numbers
    as they are; dates and durations as days, as in :class:`dnncore.tabular.TableEncoder`;
    categories as their index in ``categories``, where any other index is an unknown category;
    NaN, and -1 as the index of a category, for a missing value. :meth:`encode` creates such rows
    from tables.

    Examples
    --------
    >>> from dnncore.tabular import TabularClassifier
    >>> table = [[1.0, "red"], [2.0, "blue"], [3.0, "green"], [4.0, "blue"]]
    >>> model = TabularClassifier(n_members=2, max_iter=2, random_state=0).fit(table, [0, 1, 0, 1])
    >>> predictor = model.freeze()
    >>> predictor.categories
    (None, ('blue', 'green', 'red'))
    >>> row = predictor.encode([[2.5, "red"]])
    >>> row
    array([[2.5, 2. ]])
    >>> bool((predictor(row) == predictor([[2.5, "red"]])).all())
    True
    """

    # All is done here rather than in __init__, so that no predictor exists without its encoding.
    def __cinit__(self, encoding, predictors, classes=None, *, target_mean=None,
                  target_scale=None, target_range=None):
        self._adopt_encoding(encoding)
        self.predictors = tuple(predictors)
        if not self.predictors:
            raise ValueError("predictors must not be empty")
        for predictor in self.predictors:
            if not isinstance(predictor, Predictor):
                raise TypeError(
                    f"predictors must be of the type Predictor, got {type(predictor).__name__}"
                )
        forms = {(p.n_features, p.layer_sizes[-1], p.output, p.dtype) for p in self.predictors}
        first = self.predictors[0]
        if len(forms) > 1 or first.n_features != self._n_encoded:
            raise ValueError(
                f"predictors must have {self._n_encoded} features, the same number of outputs, "
                f"output function and dtype, got {sorted(map(str, forms))}"
            )
        self._members = np.array([<Py_ssize_t> <void*> p for p in self.predictors], np.intp)
        self.output, self.n_outputs = first.output, first.layer_sizes[-1]
        self._itemsize = first.dtype.itemsize
        self.dtype = np.dtype(np.float64)
        self.classes_ = first.classes_ if classes is None else np.array(classes)
        if self.classes_.shape != (self.n_outputs,):
            raise ValueError(
                f"classes must have shape ({self.n_outputs},), got {self.classes_.shape}"
            )
        self._adopt_targets(target_mean, target_scale, target_range)

    cdef object _adopt_encoding(self, encoding):
        """Store the encoding, and what compiled code needs of it as arrays."""
        if isinstance(encoding, dict):
            encoding = TableEncoding.from_json(
                {key: value for key, value in encoding.items() if key != "dtype"}
            )
        if not isinstance(encoding, TableEncoding):
            raise TypeError(
                f"encoding must be a TableEncoding or a dict, got {type(encoding).__name__}"
            )
        self.encoding = encoding
        self.n_features, self._n_encoded = len(encoding.columns), encoding.n_features
        numbers, scaling, categories, lookup = [], [], [], []
        for index, (column, features) in enumerate(zip(encoding.columns, encoding.features)):
            if isinstance(column, CategoryColumn):
                categories.append((index, len(column.values), len(lookup)))
                lookup += [features[f] if f >= 0 else -1 for f in column.feature_of_code.tolist()]
            else:
                numbers.append((index, features[1] if column.missing else -1))
                scaling.append((column.median * 0.5, column.scale * 0.5))
        self._numbers = np.array(numbers, np.intp).reshape(-1, 2)
        self._scaling = np.array(scaling, np.float64).reshape(-1, 2)
        self._categories = np.array(categories, np.intp).reshape(-1, 3)
        self._lookup = np.array(lookup, np.intp)

    cdef object _adopt_targets(self, mean, scale, limits):
        """Store the units of the targets."""
        self.target_mean = self.target_scale = self.target_range = None
        self._units = np.empty((0, 4))
        if mean is None and scale is None and limits is None:
            return
        if self.output != "identity":
            raise ValueError(
                "target_mean, target_scale and target_range require output='identity', "
                f"got {self.output!r}"
            )
        low, high = (-np.inf, np.inf) if limits is None else limits
        units = np.empty((self.n_outputs, 4))
        units[:, 0] = 0.0 if mean is None else mean
        units[:, 1] = 1.0 if scale is None else scale
        units[:, 2], units[:, 3] = low, high
        if not np.isfinite(units[:, :2]).all() or not (units[:, 2] <= units[:, 3]).all():
            raise ValueError(
                "target_mean and target_scale must be finite, and target_range in ascending "
                f"order, got {units.tolist()!r:.80}"
            )
        self._units = units
        self.target_mean, self.target_scale = units[:, 0].copy(), units[:, 1].copy()
        self.target_range = None if limits is None else (units[:, 2].copy(), units[:, 3].copy())

    @property
    def feature_names(self):
        """Names of the columns; None if they are found by position."""
        columns = self.encoding.columns
        return tuple(column.name for column in columns) if self.encoding.named else None

    @property
    def categories(self):
        """Categories of each column; None for numbers, dates and durations."""
        return tuple(
            column.values if isinstance(column, CategoryColumn) else None
            for column in self.encoding.columns
        )

    def __reduce__(self):
        return _restore, (self.encoding, self.predictors, self.classes_, self.target_mean,
                          self.target_scale, self.target_range)

    def __repr__(self):
        return (
            f"TablePredictor({self.n_features} columns, {len(self.predictors)} networks "
            f"{self.predictors[0].layer_sizes}, output={self.output!r})"
        )

    # ---------------------------------------------------------------------------- scoring

    cdef int score(self, Py_ssize_t n, const double* x, double* out) noexcept nogil:
        cdef char on_stack[STACK_BYTES]
        cdef char* buffer = on_stack
        cdef Py_ssize_t needed = (self._n_encoded + 2 * self.n_outputs) * self._itemsize
        cdef Py_ssize_t block = min(n, STACK_BYTES // needed), start = 0, rows
        cdef int status = 0
        if block < min(n, MAX_ROWS):
            block = min(n, MAX_ROWS)
            buffer = <char*> malloc(block * needed)
            if buffer == NULL:
                return -1
        while start < n and status == 0:
            rows = min(block, n - start)
            if self._itemsize == sizeof(float):
                status = _score_block(self, rows, x, <float*> buffer, out)
            else:
                status = _score_block(self, rows, x, <double*> buffer, out)
            x += rows * self.n_features
            out += rows * self.n_outputs
            start += rows
        if buffer != on_stack:
            free(buffer)
        return status

    cdef object _call(self, object x, object out):
        """Score rows that can be used as they are."""
        cdef Py_ssize_t n = 1 if cnp.PyArray_NDIM(x) == 1 else cnp.PyArray_DIM(x, 0)
        cdef const double* source
        cdef double* target
        cdef int status
        if out is None:
            out = empty_rows(x, self.n_outputs, cnp.NPY_FLOAT64)
        source, target = <const double*> cnp.PyArray_DATA(x), <double*> cnp.PyArray_DATA(out)
        with nogil:
            status = self.score(n, source, target)
        if status:
            raise MemoryError(f"not enough memory to score {n} rows")
        return out

    def __call__(self, x, out=None):
        """Compute the outputs for one or more rows: probabilities, or numbers in units of y.

        Parameters
        ----------
        x : array (n_features,) or (n, n_features), or a table or a row of one
            Arrays of numbers contain rows as described in the notes of the class; float64 needs
            no conversion. All else is a table or a row for :meth:`encode`.
        out : float64 array (n_outputs,) or (n, n_outputs), optional
            Array to store the outputs in. With `out`, nothing is allocated for a few rows of a
            float64 array.

        Returns
        -------
        float64 array (n_outputs,) or (n, n_outputs)

        Raises
        ------
        TypeError, ValueError
            If a column is missing, or a type or shape is invalid.
        """
        if ready(x, out, cnp.NPY_FLOAT64, self.n_features, self.n_outputs):
            return self._call(x, out)
        if (
            not isinstance(x, np.ndarray)
            or isinstance(x, np.ma.MaskedArray)
            or x.dtype.kind not in "fiu"
        ):
            x = self.encode(x)
        x = contiguous(x, np.float64)
        return self._call(x, output_of_rows(x, self.n_features, out, self.n_outputs, self.dtype))

    def encode(self, X):
        """Convert a table to rows of numbers, as described in the notes of the class.

        Parameters
        ----------
        X : table or row
            A table is anything that :class:`dnncore.tabular.TableEncoder` takes, with its rules:
            columns with names are found by name. A row is a dict from names to cells, a Series
            of pandas with the names as its index, or a list, tuple or 1-D array of cells in the
            order of `fit`.

        Returns
        -------
        float64 array (n, n_features), or (n_features,) for a row

        Raises
        ------
        TypeError, ValueError
            If a column is missing, or of another kind than in `fit`.
        """
        row = open_row(X)
        if row is not None:
            return self.encoding.values(row)[0]
        return self.encoding.values(open_frame(X))

    def predict_proba(self, X):
        """Compute the outputs for rows or a table, as calling the predictor does."""
        return self(X)

    def predict(self, x):
        """Predict the class or the numbers of one or more rows.

        Parameters
        ----------
        x : array (n_features,) or (n, n_features), or a table or a row of one
            As for a call.

        Returns
        -------
        label or array (n,) of labels
            The most probable class. If the output is 'logistic', 1 where the probability exceeds
            0.5, else 0, of the shape of the outputs. If the output is 'identity', the outputs; a
            single one without its axis.
        """
        outputs = self(x)
        if self.output == "softmax":
            return self.classes_[outputs.argmax(axis=-1)]
        if self.output == "logistic":
            return (outputs > 0.5).astype(np.intp)
        return outputs[..., 0] if self.n_outputs == 1 else outputs


def _restore(encoding, predictors, classes, target_mean, target_scale, target_range):
    """Create a predictor from positional arguments, for pickle."""
    return TablePredictor(encoding, predictors, classes, target_mean=target_mean,
                          target_scale=target_scale, target_range=target_range)
