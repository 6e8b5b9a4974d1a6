"""Encoding of Arrow columns as a matrix of features, and as targets."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from .arrow import factorize, missing, numbers, numbers_or_booleans
from .categories import Categories, NotANumber, are_booleans
from .cells import Cells, NumberCells, TextCells
from .columns import Column, n_features

MAX_UNKNOWN = 1000  # different values counted per column

# Takes the name and the cells of a column; returns targets for a model or a metric.
TargetReader = Callable[[str, Any], NDArray[Any]]


class CellError(ValueError):
    """A cell is invalid.

    Attributes
    ----------
    column : str
        Name of the column.
    row : int
        Row of the cell in its array.
    problem, rest : str
        Parts of the message before and after the place of the cell.
    """

    def __init__(self, column: str, row: int, problem: str, rest: str = "") -> None:
        super().__init__(column, row, problem, rest)
        self.column, self.row, self.problem, self.rest = column, row, problem, rest

    def __str__(self) -> str:
        return self.at(f"in row {self.row}")

    def at(self, place: str) -> str:
        """Return the message, given the place of the cell, such as "in row 7"."""
        return f"column {self.column!r} {self.problem} {place}{self.rest}"


class ColumnError(ValueError):
    """A column cannot be used, because of its type; has its name and the problem."""

    def __init__(self, column: str, problem: object) -> None:
        super().__init__(column, str(problem))
        self.column, self.problem = column, str(problem)

    def __str__(self) -> str:
        return f"column {self.column!r} cannot be used: {self.problem}"


class OutOfRange(CellError):
    """A number of a cell is too large for the dtype."""


class FeatureEncoder:
    """Encoder of columns as a matrix: numbers unchanged, categories one-hot.

    Parameters
    ----------
    columns : sequence of Column
        Columns of the features.
    dtype : float32 or float64
        Dtype of the matrix.
    may_miss : bool
        Whether missing values are allowed: a missing number becomes NaN, and a missing category
        all zeros. Otherwise, they are errors.

    Attributes
    ----------
    unknown : dict
        For each categorical column, the number of cells of each unknown value.
    """

    def __init__(self, columns: Sequence[Column], dtype: DTypeLike, may_miss: bool) -> None:
        self.unknown: dict[str, Counter[str]] = {}
        self._columns, self._dtype, self._may_miss = columns, np.dtype(dtype), may_miss
        self._categories = {
            column.name: Categories(column.values) for column in columns if column.values
        }

    def __call__(self, arrays: Sequence[Any]) -> NDArray[Any]:
        """Encode one Arrow array of n cells per column; see `encode`."""
        columns = zip(self._columns, arrays, strict=True)
        return self.encode([_arrow_cells(column, array) for column, array in columns])

    def encode(self, cells: Sequence[Cells]) -> NDArray[Any]:
        """Encode n cells per column as a matrix of shape (n, n_features).

        Raises
        ------
        CellError
            If a cell is missing without `may_miss`, or a cell of a numeric column is not a finite
            number.
        """
        X = np.zeros((cells[0].n_rows, n_features(self._columns)), self._dtype)
        first = 0
        for column, given in zip(self._columns, cells, strict=True):
            if not self._may_miss:
                check_present(column.name, given.missing())
            features = X[:, first : first + column.n_features]
            if column.values is None:
                features[:, 0] = _features(column.name, given, self._dtype)
            else:
                self._write_category(column.name, given.texts(), features)
            first += column.n_features
        return X

    def _write_category(self, name: str, cells: TextCells, features: NDArray[Any]) -> None:
        indices, unknown = category_indices(self._categories[name], cells)
        rows = np.flatnonzero(indices >= 0)
        features[rows, indices[rows]] = 1
        add_unknown(self.unknown, name, unknown)


def add_unknown(found: dict[str, Counter[str]], name: str, unknown: Counter[str]) -> None:
    """Add the unknown texts of some cells of a column to those found so far."""
    if unknown:
        counts = found.setdefault(name, Counter())
        for text, count in unknown.items():
            if text in counts or len(counts) < MAX_UNKNOWN:
                counts[text] += count


def _arrow_cells(column: Column, array: Any) -> Cells:
    """Return the cells of an Arrow array: texts as numbers, or numbers as texts, if need be."""
    with naming_the_column(column.name):
        if column.values is not None:
            return TextCells("category", *factorize(array))
        return NumberCells("number", numbers_or_booleans(array))


def _features(name: str, cells: Cells, dtype: np.dtype[Any]) -> NDArray[Any]:
    with naming_the_column(name):
        if isinstance(cells, TextCells) and are_booleans(cells.values):
            cells = TextCells(
                "category", cells.codes, ["1" if x.lower() == "true" else "0" for x in cells.values]
            )
        return finite(name, cells.numbers(), dtype)


def category_indices(
    categories: Categories, cells: TextCells
) -> tuple[NDArray[np.intp], Counter[str]]:
    """Return the index of each cell, -1 if missing or unknown, and counts of unknown texts."""
    codes, texts = cells.codes, cells.values
    indices = categories.indices(texts)
    counts = np.bincount(codes[codes >= 0], minlength=len(texts))
    unknown = {texts[i]: int(counts[i]) for i in np.flatnonzero(indices < 0).tolist()}
    return np.append(indices, -1)[codes], Counter(unknown)  # the code -1 takes the last


def read_numbers(name: str, cells: Any) -> NDArray[np.float64]:
    """Read numbers, which must be finite and not missing."""
    check_present(name, missing(cells))
    with naming_the_column(name):
        return finite(name, numbers(cells), np.dtype(np.float64))


def read_integers(name: str, cells: Any) -> NDArray[np.int64]:
    """Read integer labels, which may be written as floats or as text."""
    import pyarrow as pa

    try:
        cells = cells.cast(pa.int64())
    except pa.ArrowInvalid:
        cells = cells.cast(pa.float64()).cast(pa.int64())
    return cells.to_numpy(zero_copy_only=False)  # type: ignore[no-any-return]


def read_booleans(name: str, cells: Any) -> NDArray[np.bool_]:
    """Read labels that are true or false."""
    return cells.to_numpy(zero_copy_only=False)  # type: ignore[no-any-return]


def read_texts(name: str, cells: Any) -> NDArray[np.object_]:
    """Read labels as strings."""
    import pyarrow as pa

    return cells.cast(pa.string()).to_numpy(zero_copy_only=False)  # type: ignore[no-any-return]


def class_reader(classes: NDArray[Any]) -> TargetReader:
    """Return a reader that maps labels to the classes of a model with the same meaning."""
    booleans = classes.dtype.kind == "b"
    known = Categories([str(x).lower() if booleans else str(x) for x in classes.tolist()])

    def read(name: str, cells: Any) -> NDArray[Any]:
        check_present(name, missing(cells))
        with naming_the_column(name):
            labels = TextCells("category", *factorize(cells))
        indices, unknown = category_indices(known, labels)
        if unknown:
            row = int(np.argmax(indices < 0))
            rest = ", which is not a class of the model"
            raise CellError(name, row, f"has the label {str(cells[row])!r}", rest)
        return classes[indices]

    return read


def check_present(name: str, is_missing: NDArray[np.bool_]) -> None:
    """Raise CellError if a cell is missing."""
    if is_missing.any():
        raise CellError(name, int(is_missing.argmax()), "has missing values, the first")


@contextmanager
def naming_the_column(name: str) -> Iterator[None]:
    """Turn the error of a text that is not numeric, or of a type, into one with the name.

    Raises
    ------
    CellError, ColumnError
    """
    try:
        yield
    except NotANumber as other:
        raise CellError(name, other.row, f"must be numeric, got {other.text!r}") from None
    except Exception as error:
        if type(error).__module__ == "pyarrow.lib":  # cannot be imported if none is used
            raise ColumnError(name, error) from error
        raise


def finite(name: str, values: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    """Convert numbers to a dtype; NaN is a missing one. Raise CellError if one is infinite."""
    with np.errstate(over="ignore"):
        # Converted via float64, like text, so that numbers of any type give the same bits.
        converted: NDArray[Any] = values.astype(np.float64, copy=False).astype(dtype)
    infinite = np.isinf(converted)
    if infinite.any():
        row = int(infinite.argmax())
        error = OutOfRange if np.isfinite(values[row]) else CellError
        raise error(name, row, f"must contain finite {dtype} numbers, got {values[row]}")
    return converted
