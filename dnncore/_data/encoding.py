"""Arrow columns as a matrix of features, and as the target."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from .arrow import Categories, NotANumber, missing, numbers, numbers_or_booleans
from .columns import Column, n_features

MAX_UNKNOWN = 1000  # values counted for a column

# Makes the cells of a column, of this name, what a model or a metric takes.
TargetReader = Callable[[str, Any], NDArray[Any]]


class CellError(ValueError):
    """A cell that will not do.

    Attributes
    ----------
    column : str
    row : int
        Of the array of cells.
    problem, rest : str
        What is wrong, before and after the place of the cell.
    """

    def __init__(self, column: str, row: int, problem: str, rest: str = "") -> None:
        super().__init__(column, row, problem, rest)
        self.column, self.row, self.problem, self.rest = column, row, problem, rest

    def __str__(self) -> str:
        return self.at(f"in row {self.row}")

    def at(self, place: str) -> str:
        """The message, with the place of the cell in words such as "in row 7"."""
        return f"column {self.column!r} {self.problem} {place}{self.rest}"


class FeatureEncoder:
    """Columns as a matrix: a number as it is, a category as a row with a single 1.

    Parameters
    ----------
    columns : sequence of Column
        Of the features.
    dtype : float32 or float64
    may_miss : bool
        Whether a missing number is NaN, and a missing category a row of 0, rather than an error.

    Attributes
    ----------
    unknown : dict
        For each column of categories, how many cells had which value that is none of them.
    """

    def __init__(self, columns: Sequence[Column], dtype: DTypeLike, may_miss: bool) -> None:
        self.unknown: dict[str, Counter[str]] = {}
        self._columns, self._dtype, self._may_miss = columns, np.dtype(dtype), may_miss
        self._categories = {
            column.name: Categories(column.values) for column in columns if column.values
        }

    def __call__(self, cells: Sequence[Any]) -> NDArray[Any]:
        """The matrix (n, n_features) of one Arrow array of n cells for each column.

        Raises
        ------
        CellError
            If a cell is missing that must not be, or is no finite number where it must be one.
        """
        X = np.zeros((len(cells[0]), n_features(self._columns)), self._dtype)
        first = 0
        for column, array in zip(self._columns, cells, strict=True):
            if not self._may_miss:
                check_present(column.name, array)
            features = X[:, first : first + column.n_features]
            if column.values is None:
                values = numbers_or_booleans
                features[:, 0] = finite_numbers(column.name, array, self._dtype, values)
            else:
                self._write_category(column.name, array, features)
            first += column.n_features
        return X

    def _write_category(self, name: str, array: Any, features: NDArray[Any]) -> None:
        indices, unknown = self._categories[name].indices(array)
        rows = np.flatnonzero(indices >= 0)
        features[rows, indices[rows]] = 1
        if unknown:
            counts = self.unknown.setdefault(name, Counter())
            for text, count in unknown.items():
                if text in counts or len(counts) < MAX_UNKNOWN:
                    counts[text] += count


def read_numbers(name: str, cells: Any) -> NDArray[np.float64]:
    """Finite numbers, of which none may be missing."""
    check_present(name, cells)
    return finite_numbers(name, cells, np.dtype(np.float64), numbers)


def read_integers(name: str, cells: Any) -> NDArray[np.int64]:
    """Labels that are integers, be they written as floats or as text; all of them must be."""
    import pyarrow as pa

    try:
        cells = cells.cast(pa.int64())
    except pa.ArrowInvalid:
        cells = cells.cast(pa.float64()).cast(pa.int64())
    return cells.to_numpy(zero_copy_only=False)  # type: ignore[no-any-return]


def read_booleans(name: str, cells: Any) -> NDArray[np.bool_]:
    """Labels of a column of true and false."""
    return cells.to_numpy(zero_copy_only=False)  # type: ignore[no-any-return]


def read_texts(name: str, cells: Any) -> NDArray[np.object_]:
    """Labels as strings."""
    import pyarrow as pa

    return cells.cast(pa.string()).to_numpy(zero_copy_only=False)  # type: ignore[no-any-return]


def class_reader(classes: NDArray[Any]) -> TargetReader:
    """What reads labels as those of the classes of a model that mean the same."""
    booleans = classes.dtype.kind == "b"
    known = Categories([str(x).lower() if booleans else str(x) for x in classes.tolist()])

    def read(name: str, cells: Any) -> NDArray[Any]:
        check_present(name, cells)
        indices, unknown = known.indices(cells)
        if unknown:
            row = int(np.argmax(indices < 0))
            rest = ", which is no class of the model"
            raise CellError(name, row, f"has the label {str(cells[row])!r}", rest)
        return classes[indices]

    return read


def check_present(name: str, cells: Any) -> None:
    """Raise CellError if a cell is missing."""
    is_missing = missing(cells)
    if is_missing.any():
        raise CellError(name, int(is_missing.argmax()), "has missing values, the first")


def finite_numbers(
    name: str, cells: Any, dtype: np.dtype[Any], values: Callable[[Any], NDArray[Any]]
) -> NDArray[Any]:
    """Cells as numbers that are finite in a dtype, or NaN where they are missing; CellError if
    that cannot be. `values` makes them numbers."""
    try:
        with np.errstate(over="ignore"):
            # By way of float64, as of text: a number of any type gives the same bits.
            converted: NDArray[Any] = values(cells).astype(np.float64, copy=False).astype(dtype)
    except NotANumber as other:
        raise CellError(name, other.row, f"must be numeric, got {other.text!r}") from None
    infinite = np.isinf(converted)
    if infinite.any():
        row = int(infinite.argmax())
        raise CellError(name, row, f"must hold finite {dtype} numbers, got {cells[row]}")
    return converted
