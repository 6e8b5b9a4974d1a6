"""Tables in memory as rows of the features of a model that was trained on named columns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .cells import TIMES, Cells, UnusableCells
from .columns import Table, feature_names
from .encoding import FeatureEncoder
from .frames import Frame, open_frame, open_row
from .table_encoding import naming, positions_of


@dataclass(frozen=True)
class TableRows:
    """Encoding of tables as matrices, by the names of the columns.

    Attributes
    ----------
    table : tuple of Column
        The columns of the features, in order; a target is ignored.
    dtype : numpy.dtype
        Dtype of the matrix.
    may_miss : bool
        Whether values may be missing.
    """

    table: Table
    dtype: np.dtype[Any]
    may_miss: bool

    def __call__(self, X: Any) -> Any:
        """Encode a table; return anything else as it is.

        Parameters
        ----------
        X : object
            A table with named columns, of which the table needs some, in any order: a DataFrame,
            an Arrow table, a list of dicts; or a single row: a dict, or a Series of pandas with
            the names as its index. Everything else, also a table whose columns are the encoded
            features, is returned as it is.

        Returns
        -------
        array of shape (n, n_features), or (n_features,) for a single row

        Raises
        ------
        ValueError
            If a column is missing, or a cell of a number is not a finite number.
        """
        row = open_row(X)
        if row is not None:
            needed = isinstance(X, Mapping) or self._has_columns(row)
            return self._rows(row)[0] if needed else X
        if not has_names(X):
            return X
        frame = open_frame(X)
        return self._rows(frame) if self._has_columns(frame) else X

    def _has_columns(self, frame: Frame) -> bool:
        """Return whether the labels of a table are names of columns, not of encoded features."""
        return frame.labels is not None and list(frame.labels) != feature_names(self.table)

    def _rows(self, frame: Frame) -> NDArray[Any]:
        columns = [column for column in self.table if not column.is_target]
        names = [column.name for column in columns]
        cells = [_cells(frame, index) for index in positions_of(names, frame)]
        return FeatureEncoder(columns, self.dtype, self.may_miss).encode(cells)


def _cells(frame: Frame, index: int) -> Cells:
    with naming(frame.labels[index] if frame.labels else index):
        cells = frame.cells(index)
        if cells.kind in TIMES:
            raise UnusableCells(f"must contain numbers or categories, got the kind {cells.kind}")
    return cells


def has_names(X: Any) -> bool:
    """Return whether X is a table whose columns may have names."""
    if isinstance(X, list | tuple):
        return bool(X) and isinstance(X[0], Mapping)
    if len(getattr(X, "shape", (0, 0))) != 2:  # a Series
        return False
    return hasattr(X, "columns") or hasattr(X, "__arrow_c_stream__")
