"""TableEncoder: a scikit-learn transformer from tables to matrices of floats."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import DTypeLike, NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted

from .._core import checks as check
from .frames import Frame, open_frame
from .table_encoding import TableEncoding, column_names


class TableEncoder(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Encode a table of numbers, categories, dates and missing values as a matrix of floats.

    A table is a DataFrame of pandas or polars, a table of pyarrow (or any object with the Arrow
    stream interface), a 2-D array of numbers or objects, or a list of rows or of dicts. The same
    cells give the same bits in each of them.

    ============================== =============================================================
    column                         features
    ============================== =============================================================
    numbers (also nullable,        one: (x - median) / interquartile range, smoothly clipped by
    Decimal, numeric text if       z / sqrt(1 + (z/3)^2). Half of the range takes the place
    not categorical)               of an interquartile range of 0; a constant gives 0. Infinite
                                   values give -3 and 3. A missing value gives 0, and, if there
                                   was one in `fit`, 1 in a second feature
    dates and datetimes            as the number of days since 1970-01-01 00:00 (UTC), with
                                   fractions; times without time zone are taken for UTC
    durations (timedelta)          as the number of days
    categories, text, Booleans     one for each category: 1 where the column has it, otherwise 0.
                                   Missing values are a category if there was one in `fit`,
                                   otherwise all zeros. The `max_categories` most frequent ones
                                   count, the others share one feature with all unknown values;
                                   without such others, an unknown value gives all zeros. Two
                                   categories are one feature, 1 for the second
    no value in `fit`              one that is always 0
    ============================== =============================================================

    Features are in this order: the numbers of all columns, the indicators of their missing
    values, the categories; each in the order of the columns. Statistics are computed in float64.

    Columns with names are found by name: in any order, and columns that were not in `fit` are
    ignored. Labels that are not strings count as their text. A table without names must have the
    columns in the order of `fit`.

    The type of a column decides what it is. Text is categories, also if some of it is numeric,
    and the empty text is one of them, not a missing value. A CSV file has no types, so the
    command line goes by the cells: empty ones are missing, text that is numeric throughout, or
    dates, is read as such, and a column of both numbers and text is an error unless
    ``--categorical`` names it. Otherwise, one stray text would turn numbers into categories.

    Parameters
    ----------
    categorical_features : 'from_dtype', None, or sequence, default='from_dtype'
        Columns of categories. 'from_dtype': those of text, and of the type category, Enum or
        dictionary. None: none. Otherwise, their names, indices, or a boolean mask; then, text in
        other columns must be numeric. Booleans are always categories.
    max_categories : int, default=64
        Largest number of categories of a column. Of equally frequent ones, those that sort first
        are kept: numbers by value, then text.
    dtype : float32 or float64, default=float32
        Dtype of the matrix.

    Attributes
    ----------
    feature_names_in_ : array of str (n_columns,)
        Names of the columns, if all their labels are strings.
    n_features_in_ : int
        Number of columns.
    n_numeric_ : int
        Number of leading features that are scaled numbers.
    n_features_out_ : int
        Number of features.
    medians_, scales_ : float64 arrays (n_numeric,)
        Median and scale of the leading features; where the scale is 0, the feature is 0.
    encoding_ : TableEncoding
        All that has been learnt.

    References
    ----------
    D. Holzmueller, L. Grinsztajn, I. Steinwart, "Better by default: strong pre-tuned MLPs and
    boosted trees on tabular data", 2024, arXiv:2407.04491.

    Examples
    --------
    >>> from dnncore.tabular import TableEncoder
    >>> encoder = TableEncoder().fit([[1.0, "red"], [2.0, "blue"], [3.0, "green"]])
    >>> encoder.transform([[2.5, "red"], [None, "violet"]])
    array([[0.49319696, 0.        , 0.        , 1.        ],
           [0.        , 0.        , 0.        , 0.        ]], dtype=float32)
    """

    def __init__(
        self,
        categorical_features: Any = "from_dtype",
        *,
        max_categories: int = 64,
        dtype: DTypeLike = np.float32,
    ) -> None:
        self.categorical_features = categorical_features
        self.max_categories = max_categories
        self.dtype = dtype

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn the columns of a table.

        Parameters
        ----------
        X : table of shape (n_samples, n_features)
        y : ignored

        Raises
        ------
        TypeError
            If X is sparse, or not a table in memory.
        ValueError
            If X does not have two dimensions, has no rows or no columns, two columns have the
            same name, a column is of a type that cannot be encoded, or a parameter is invalid.
        """
        self._fit(open_frame(X))
        return self

    def fit_transform(self, X: Any, y: Any = None) -> NDArray[Any]:
        """Learn the columns of a table, and encode it; see `fit` and `transform`."""
        frame = open_frame(X)
        self._fit(frame)
        return self.encoding_(frame, self._dtype())

    def transform(self, X: Any) -> NDArray[Any]:
        """Encode a table.

        Parameters
        ----------
        X : table of shape (n_samples, n_features)

        Returns
        -------
        array of shape (n_samples, n_features_out), C-contiguous

        Raises
        ------
        TypeError
            If X is sparse, or not a table in memory.
        ValueError
            If a column is missing, or of another kind than in `fit`.
        """
        check_is_fitted(self)
        frame = open_frame(X)
        encoded = self.encoding_(frame, self._dtype())
        self._warn_of_names(frame)
        return encoded

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[np.object_]:
        """Return the names of the features: ``column``, ``column=<missing>``, ``column=value``.

        Parameters
        ----------
        input_features : array-like of str (n_columns,), optional
            Names of the columns, for a table without names; otherwise they must be those of `fit`.
        """
        check_is_fitted(self)
        encoding = self.encoding_
        if input_features is not None:
            encoding = encoding.renamed(_input_names(self, input_features))
        return np.array(encoding.feature_names, dtype=object)

    def to_json(self) -> dict[str, Any]:
        """Describe the fitted encoder by JSON values; :meth:`from_json` reads them."""
        check_is_fitted(self)
        return {**self.encoding_.to_json(), "dtype": self._dtype().name}

    @classmethod
    def from_json(cls, description: object) -> Self:
        """Return the encoder that `to_json` described.

        The parameters of the new encoder, apart from `dtype`, are the defaults.

        Raises
        ------
        ValueError
            If the form of the description is wrong.
        """
        if not isinstance(description, dict) or description.get("dtype") not in (
            "float32",
            "float64",
        ):
            raise ValueError(
                f"an encoder must have the dtype float32 or float64, got {description!r:.80}"
            )
        rest = {key: value for key, value in description.items() if key != "dtype"}
        return cls.of(TableEncoding.from_json(rest), description["dtype"])

    @classmethod
    def of(cls, encoding: TableEncoding, dtype: DTypeLike) -> Self:
        """Return an encoder fitted with an encoding; its other parameters are the defaults."""
        encoder = cls(dtype=np.dtype(dtype).type)
        names = [column.name for column in encoding.columns]
        encoder._set(encoding, names if encoding.named else None)
        return encoder

    def _fit(self, frame: Frame) -> None:
        self._dtype()
        max_categories = check.integer("max_categories", self.max_categories, low=1)
        n_rows, n_columns = frame.shape
        for n, what in ((n_rows, "sample"), (n_columns, "feature")):
            if n == 0:
                raise ValueError(
                    f"X must not be empty: 0 {what}(s) (shape={frame.shape}) while a minimum of 1 "
                    "is required."
                )
        categorical = categorical_columns(self.categorical_features, frame)
        self._set(TableEncoding.fit(frame, categorical, max_categories), frame.labels)

    def _set(self, encoding: TableEncoding, labels: Sequence[Any] | None) -> None:
        self.encoding_ = encoding
        self.n_features_in_ = len(encoding.columns)
        self.n_numeric_, self.n_features_out_ = encoding.n_numeric, encoding.n_features
        self.medians_ = np.array([column.median for column in encoding.numeric], np.float64)
        self.scales_ = np.array([column.scale for column in encoding.numeric], np.float64)
        if labels is not None and _are_strings(labels):
            self.feature_names_in_ = np.array(labels, dtype=object)
        elif hasattr(self, "feature_names_in_"):
            del self.feature_names_in_

    def _dtype(self) -> np.dtype[Any]:
        try:
            dtype = np.dtype(self.dtype)
        except TypeError:
            dtype = np.dtype(object)
        if dtype not in (np.float32, np.float64):
            raise ValueError(f"dtype must be float32 or float64, got {self.dtype!r}")
        return dtype

    def _warn_of_names(self, frame: Frame) -> None:
        """Warn as scikit-learn does if only one of the tables of `fit` and now has names."""
        fitted, given = hasattr(self, "feature_names_in_"), _are_strings(frame.labels)
        if fitted and frame.labels is None:
            does, was = "does not have valid", "with"
        elif given and not self.encoding_.named:
            does, was = "has", "without"
        else:
            return
        warnings.warn(
            f"X {does} feature names, but TableEncoder was fitted {was} feature names",
            stacklevel=3,
        )

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.categorical = True
        tags.input_tags.string = True
        tags.transformer_tags.preserves_dtype = []
        return tags


def _are_strings(labels: Sequence[Any] | None) -> bool:
    return labels is not None and all(isinstance(label, str) for label in labels)


def _input_names(encoder: TableEncoder, input_features: Any) -> list[str]:
    names = [str(name) for name in input_features]
    fitted = getattr(encoder, "feature_names_in_", None)
    if fitted is not None and names != fitted.tolist():
        raise ValueError("input_features is not equal to feature_names_in_")
    if len(names) != encoder.n_features_in_:
        raise ValueError(
            "input_features should have length equal to number of features "
            f"({encoder.n_features_in_}), got {len(names)}"
        )
    return names


def categorical_columns(features: Any, frame: Frame) -> list[bool | None]:
    """Return for each column whether it is declared categorical; None if its type decides.

    Parameters
    ----------
    features : 'from_dtype', None, or sequence
        The parameter `categorical_features`.
    frame : Frame
        The table.

    Raises
    ------
    TypeError, ValueError
        If it names no column, or is of another form.
    """
    n_columns = frame.shape[1]
    if isinstance(features, str) and features == "from_dtype":
        return [None] * n_columns
    if features is None:
        return [False] * n_columns
    if isinstance(features, str) or np.ndim(features) != 1:
        raise ValueError(
            "categorical_features must be 'from_dtype', None, or a sequence of names, indices or "
            f"booleans, got {features!r}"
        )
    entries = list(features)
    if entries and all(isinstance(entry, bool | np.bool_) for entry in entries):
        if len(entries) != n_columns:
            raise ValueError(
                f"categorical_features must have {n_columns} booleans, one for each column, "
                f"got {len(entries)}"
            )
        return [bool(entry) for entry in entries]
    declared: list[bool | None] = [False] * n_columns
    for entry in entries:
        declared[_position(entry, frame)] = True
    return declared


def _position(entry: Any, frame: Frame) -> int:
    labels = [] if frame.labels is None else list(frame.labels)
    if entry in labels:
        return labels.index(entry)
    if isinstance(entry, int | np.integer) and 0 <= entry < frame.shape[1]:
        return int(entry)
    shown = ", ".join(column_names(frame)[:8]) if labels else f"{frame.shape[1]} without names"
    raise ValueError(
        f"categorical_features must name columns of X, got {entry!r}; the columns are {shown}"
    )
