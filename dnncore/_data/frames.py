"""Tables in memory of any kind: pandas, polars, Arrow, arrays, lists of rows or of dicts."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from .._core.checks import is_sparse
from .arrow import factorize, is_number_type, is_text_type, numbers, plain
from .categories import BOOLEANS
from .cells import (
    Cells,
    NumberCells,
    TextCells,
    UnusableCells,
    array_cells,
    cell_text,
    empty_cells,
    object_cells,
)

FEW_ROWS = 64  # of which a copy does not matter


class Frame(Protocol):
    """A table whose columns are read one by one.

    Attributes
    ----------
    labels : list or None
        Labels of the columns; None if they have none.
    shape : (int, int)
        Number of rows and of columns.
    """

    labels: Sequence[Any] | None
    shape: tuple[int, int]

    def cells(self, index: int) -> Cells:
        """Return the cells of a column; raises UnusableCells."""


def open_frame(X: Any) -> Frame:
    """Return a table with a common interface.

    Parameters
    ----------
    X : DataFrame of pandas or polars, Arrow table, array-like of shape (n_rows, n_columns)
        Any object with the Arrow stream interface (``__arrow_c_stream__``) is an Arrow table.

    Raises
    ------
    TypeError
        If X is sparse, or no table.
    ValueError
        If X does not have two dimensions.
    """
    if is_sparse(X):
        raise TypeError("X must be dense, got a sparse matrix; X.toarray() makes it dense")
    pandas, polars = sys.modules.get("pandas"), sys.modules.get("polars")
    if pandas is not None and isinstance(X, pandas.DataFrame):
        return PandasFrame(X)
    if polars is not None and isinstance(X, polars.LazyFrame):
        raise TypeError("X must be a polars DataFrame, got a LazyFrame; X.collect() gives one")
    if polars is not None and isinstance(X, polars.DataFrame):
        return PolarsFrame(X)
    is_series = any(
        library is not None and isinstance(X, library.Series) for library in (pandas, polars)
    )
    if hasattr(X, "__arrow_c_stream__") and not is_series:
        return ArrowFrame(X)
    if isinstance(X, list | tuple) and X and isinstance(X[0], Mapping):
        return RecordsFrame(X)
    return ArrayFrame(X)


def open_row(X: Any) -> Frame | None:
    """Return a row as a table of one row, or None if X is no row.

    A row is a dict or a pandas Series, with the labels of the columns as keys or as its index; or
    a list, tuple, 1-D array, or Series without an index, of cells in the order of the columns.
    """
    pandas = sys.modules.get("pandas")
    if isinstance(X, Mapping) and not hasattr(X, "columns"):
        return RecordsFrame([X])
    if pandas is not None and isinstance(X, pandas.Series):
        if not X.index.equals(pandas.RangeIndex(len(X))):
            return PandasFrame(X.to_frame().T)
        X = X.to_numpy()
    if isinstance(X, np.ndarray):
        return ArrayFrame(X[np.newaxis]) if X.ndim == 1 else None
    of_cells = isinstance(X, list | tuple) and X and not isinstance(X[0], Mapping)
    return ArrayFrame([X]) if of_cells and np.ndim(X[0]) == 0 else None


class PandasFrame:
    """A DataFrame of pandas."""

    def __init__(self, X: Any) -> None:
        self.labels, self.shape = X.columns.tolist(), X.shape
        self._frame = X
        self._array = self._numbers() if len(X) <= FEW_ROWS else None

    def _numbers(self) -> NDArray[Any] | None:
        """Return the frame as an array if its columns are numbers of one dtype.

        Columns of an array are read much faster; the array may be a copy.
        """
        dtypes = set(self._frame.dtypes.tolist())
        dtype = dtypes.pop() if len(dtypes) == 1 else None
        if not isinstance(dtype, np.dtype) or dtype.kind not in "iuf":
            return None
        array: NDArray[Any] = self._frame.to_numpy()
        return array

    def cells(self, index: int) -> Cells:
        if self._array is not None:
            return array_cells(self._array[:, index])
        import pandas as pd

        series = self._frame.iloc[:, index]
        if isinstance(series.dtype, pd.SparseDtype):
            series = series.sparse.to_dense()
        dtype = series.dtype
        if isinstance(dtype, np.dtype):
            return array_cells(series.to_numpy())
        if isinstance(dtype, pd.CategoricalDtype):
            texts = [cell_text(value) for value in dtype.categories.tolist()]
            return TextCells("category", series.cat.codes.to_numpy().astype(np.intp), texts)
        if isinstance(dtype, pd.ArrowDtype):
            return arrow_cells(series.array.__arrow_array__())
        if isinstance(dtype, pd.StringDtype):
            codes, values = series.factorize()
            return TextCells("category", codes, values.tolist())
        if isinstance(dtype, pd.DatetimeTZDtype):
            return array_cells(series.dt.tz_convert(None).to_numpy())
        if dtype.kind == "b":
            return object_cells(series.tolist())
        if dtype.kind in "iuf" and series.hasnans:
            return NumberCells("number", series.to_numpy(np.float64, na_value=np.nan))
        if dtype.kind in "iuf":
            return array_cells(series.to_numpy(dtype.numpy_dtype))
        raise UnusableCells.of_type(dtype)


class PolarsFrame:
    """A DataFrame of polars."""

    def __init__(self, X: Any) -> None:
        self.labels, self.shape = X.columns, X.shape
        self._frame = X

    def cells(self, index: int) -> Cells:
        series = self._frame.to_series(index)
        if series.dtype.is_nested():
            raise UnusableCells.of_type(series.dtype)
        return array_cells(series.to_numpy())


class ArrowFrame:
    """A table of pyarrow, or of anything that has the Arrow stream interface."""

    def __init__(self, X: Any) -> None:
        import pyarrow as pa

        self._table = X if isinstance(X, pa.Table) else pa.table(X)
        self.labels, self.shape = self._table.column_names, self._table.shape

    def cells(self, index: int) -> Cells:
        return arrow_cells(self._table.column(index))


class ArrayFrame:
    """A 2-D array, or a list of rows."""

    labels: Sequence[Any] | None = None

    def __init__(self, X: Any) -> None:
        array = X if isinstance(X, np.ndarray) else _array(X)
        if array.ndim != 2:
            raise ValueError(
                f"X must be a table: Expected 2D array, got {array.ndim}D array instead. "
                "Reshape your data with X.reshape(-1, 1) if it has a single column, or "
                "X.reshape(1, -1) if it has a single row."
            )
        self.shape: tuple[int, int] = array.shape
        self._array: NDArray[Any] = array

    def cells(self, index: int) -> Cells:
        column = self._array[:, index]
        if isinstance(column, np.ma.MaskedArray):
            return object_cells(column.tolist())
        return array_cells(column)


class RecordsFrame:
    """A list of dicts, each from the labels of the columns to the cells of a row.

    A dict without a label that another one has lacks a value.
    """

    def __init__(self, X: Sequence[Mapping[Any, Any]]) -> None:
        for row, record in enumerate(X):
            if not isinstance(record, Mapping):
                raise TypeError(
                    f"the rows of X must be dicts, like the first, got {type(record).__name__} "
                    f"in row {row}"
                )
        self.labels: Sequence[Any] | None = list(dict.fromkeys(key for row in X for key in row))
        self.shape = len(X), len(self.labels)
        self._records, self._labels = X, self.labels

    def cells(self, index: int) -> Cells:
        label = self._labels[index]
        return object_cells([record.get(label) for record in self._records])


def _array(X: Any) -> NDArray[Any]:
    """Convert rows to an array that has every cell as it was given."""
    try:
        array = np.asarray(X)
    except ValueError:  # rows of different lengths
        raise ValueError(f"the rows of X must have the same length, got {X!r:.80}") from None
    if array.dtype.kind in "USb" or (array.dtype.kind in "iuf" and isinstance(X, list | tuple)):
        array = np.array(X, dtype=object)
    return array


def arrow_cells(column: Any) -> Cells:
    """Return the cells of an Arrow column.

    Raises
    ------
    UnusableCells
        If its type cannot be encoded.
    """
    import pyarrow as pa
    from pyarrow import types

    categorical = types.is_dictionary(column.type)
    if isinstance(column, pa.ChunkedArray):
        column = column.unify_dictionaries().combine_chunks()
    column = plain(column)
    kind = column.type
    if types.is_null(kind):
        return empty_cells(len(column))
    if is_text_type(kind):
        return TextCells("category", *factorize(column))
    if types.is_boolean(kind):
        values = column.cast(pa.int8()).fill_null(-1).to_numpy()
        return TextCells("boolean", values.astype(np.intp), BOOLEANS)
    if types.is_decimal(kind):  # by way of text, which rounds to the nearest float
        column = column.cast(pa.string()).cast(pa.float64())
    if is_number_type(kind):
        cells = NumberCells("number", numbers(column))
        return cells.texts() if categorical else cells
    if types.is_timestamp(kind):
        column = column.cast(pa.timestamp(kind.unit))  # drops the time zone: values are in UTC
    elif not (types.is_date(kind) or types.is_duration(kind)):
        raise UnusableCells.of_type(kind)
    return array_cells(column.to_numpy(zero_copy_only=False))
