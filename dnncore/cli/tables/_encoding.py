"""Arrow columns as a matrix of features, and as the target."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..._data.columns import Column, n_features
from ._columnar import ColumnFile
from ._common import TableError
from ._learning import INTEGERS, TEXTS, TRUTHS
from ._values import Categories, NotANumber, missing, numbers, numbers_or_booleans

MAX_UNKNOWN = 1000  # values counted for a column


class FeatureEncoder:
    """Columns as a matrix: a number as it is, a category as a row with a single 1.

    Parameters
    ----------
    file : ColumnFile
        For the place of a cell that will not do.
    columns : sequence of Column
    dtype : float32 or float64
    may_miss : bool
        Whether a missing number is NaN, and a missing category a row of 0, rather than an error.
    """

    def __init__(
        self, file: ColumnFile, columns: Sequence[Column], dtype: np.dtype[Any], may_miss: bool
    ) -> None:
        self.unknown: dict[str, Counter[str]] = {}
        self._file, self._columns, self._dtype = file, columns, dtype
        self._may_miss = may_miss
        self._categories = {
            column.name: Categories(column.values) for column in columns if column.values
        }

    def __call__(self, cells: Sequence[Any], first_row: int) -> NDArray[Any]:
        """The matrix (n, n_features) of one array of cells for each column."""
        X = np.zeros((len(cells[0]), n_features(self._columns)), self._dtype)
        feature = 0
        for column, array in zip(self._columns, cells, strict=True):
            if not self._may_miss:
                check_present(self._file, column.name, array, first_row)
            features = X[:, feature : feature + column.n_features]
            if column.values is None:
                self._write_numbers(column.name, array, features[:, 0], first_row)
            else:
                self._write_category(column.name, array, features)
            feature += column.n_features
        return X

    def _write_numbers(self, name: str, array: Any, feature: NDArray[Any], first_row: int) -> None:
        feature[...] = finite_numbers(
            self._file, name, array, first_row, self._dtype, numbers_or_booleans
        )

    def _write_category(self, name: str, array: Any, features: NDArray[Any]) -> None:
        indices, unknown = self._categories[name].indices(array)
        rows = np.flatnonzero(indices >= 0)
        features[rows, indices[rows]] = 1
        if unknown:
            counts = self.unknown.setdefault(name, Counter())
            for text, count in unknown.items():
                if text in counts or len(counts) < MAX_UNKNOWN:
                    counts[text] += count


class TargetReader(Protocol):
    """Makes the target's cells what a model or a metric takes."""

    def __call__(self, file: ColumnFile, name: str, cells: Any, first_row: int) -> NDArray[Any]: ...


class NumberReader:
    """Finite numbers."""

    def __init__(self, dtype: np.dtype[Any]) -> None:
        self._dtype = dtype

    def __call__(self, file: ColumnFile, name: str, cells: Any, first_row: int) -> NDArray[Any]:
        check_present(file, name, cells, first_row)
        return finite_numbers(file, name, cells, first_row, self._dtype, numbers)


class LabelReader:
    """Labels of a kind that `learn_layout` has found."""

    def __init__(self, kind: str) -> None:
        self._kind = kind

    def __call__(self, file: ColumnFile, name: str, cells: Any, first_row: int) -> NDArray[Any]:
        import pyarrow as pa

        if self._kind == INTEGERS:
            try:
                cells = cells.cast(pa.int64())
            except pa.ArrowInvalid:
                cells = cells.cast(pa.float64()).cast(pa.int64())
        elif self._kind == TEXTS:
            cells = cells.cast(pa.string())
        elif self._kind != TRUTHS:
            raise ValueError(f"kind must be one of labels, got {self._kind!r}")
        labels: NDArray[Any] = cells.to_numpy(zero_copy_only=False)
        return labels


class ClassReader:
    """Labels as indices into the classes of a model."""

    def __init__(self, classes: NDArray[Any]) -> None:
        truths = classes.dtype.kind == "b"
        self._known = Categories([str(x).lower() if truths else str(x) for x in classes.tolist()])

    def __call__(self, file: ColumnFile, name: str, cells: Any, first_row: int) -> NDArray[Any]:
        check_present(file, name, cells, first_row)
        indices, unknown = self._known.indices(cells)
        if unknown:
            row = int(np.argmax(indices < 0))
            raise TableError(
                f"{file.path}: column {name!r} has the label {str(cells[row])!r} "
                f"{file.place(first_row + row)}, which is no class of the model"
            )
        return indices


def check_present(file: ColumnFile, name: str, cells: Any, first_row: int) -> None:
    gone = missing(cells)
    if gone.any():
        where = file.place(first_row + int(gone.argmax()))
        raise TableError(f"{file.path}: column {name!r} has missing values, the first {where}")


def finite_numbers(
    file: ColumnFile, name: str, cells: Any, first_row: int, dtype: np.dtype[Any], read: Any
) -> NDArray[Any]:
    """Cells as numbers that are finite in a dtype, or NaN where they are missing."""
    try:
        with np.errstate(over="ignore"):
            values: NDArray[Any] = read(cells).astype(dtype)
    except NotANumber as other:
        where = file.place(first_row + other.row)
        raise TableError(
            f"{file.path}: column {name!r} must be numeric, got {other.text!r} {where}"
        ) from None
    infinite = np.isinf(values)
    if infinite.any():
        row = int(infinite.argmax())
        raise TableError(
            f"{file.path}: column {name!r} must hold finite {dtype} numbers, got {cells[row]} "
            f"{file.place(first_row + row)}"
        )
    return values
