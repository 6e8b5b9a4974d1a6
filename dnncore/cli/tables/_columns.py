"""Files with named columns, CSV and Parquet."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from copy import copy
from typing import Any

import numpy as np

from ..._data.columns import Table, n_features
from ..._data.csv import CsvFile
from ..._data.csv_format import CsvFormat
from ..._data.encoding import CellError, ColumnError, FeatureEncoder, OutOfRange, TargetReader
from ..._data.parquet import ParquetFile
from ..._data.parquet_files import ParquetFiles, ParquetPart
from ._common import FileList, Source, TableError, TableRows, listing, room, rows_at_a_time

ColumnFile = CsvFile | ParquetFile | ParquetFiles | ParquetPart
PARQUET = (".parquet", ".pq")


def open_columns(path: Source, csv_format: CsvFormat) -> ColumnFile:
    """Open a file: Parquet according to its suffix, otherwise CSV of a format."""
    if isinstance(path, FileList):
        return ParquetFiles(*path)
    if path.lower().endswith(PARQUET):
        return ParquetFile(path)
    return CsvFile(path, csv_format)


def notes(file: ColumnFile) -> list[str]:
    """Tell what has been found out about the format of a file."""
    if not isinstance(file, CsvFile) or not file.detected:
        return []
    return [f"{file.path}: read as CSV with {', '.join(file.detected)}"]


def check_columns(file: ColumnFile, names: Sequence[str]) -> None:
    """Raise unless each of `names` is the name of exactly one column."""
    counts = Counter(file.names)
    missing = [name for name in names if name not in counts]
    if missing:
        word = "column" if len(missing) == 1 else "columns"
        raise TableError(
            f"{file.path}: no {word} {listing(missing)}; the file has {listing(counts)}"
        )
    for name in names:
        if counts[name] > 1:
            raise TableError(f"{file.path}: {counts[name]} columns are named {name!r}")


def read_columns(file: ColumnFile, names: Sequence[str]) -> Iterator[tuple[int, list[Any]]]:
    """Yield, for each block, the number of rows before it and its columns as Arrow arrays.

    The rows before a part of several files are those of the parts before it.

    Raises
    ------
    TableError
        If the file has no rows.
    """
    before = file.first_row if isinstance(file, ParquetPart) else 0
    first = before
    for cells in file.columns(names):
        yield first, cells
        first += len(cells[0])
        del cells  # free the memory before the next block is read
    if first == before:
        below = "" if file.typed else " below the header"
        raise TableError(f"{file.path}: no rows{below}")


def place(file: ColumnFile, row: int) -> str:
    """Describe the position of a row; lines and rows are counted from 1."""
    return f"in row {row + 1}" if isinstance(file, ParquetFile) else file.place(row)


class ColumnDataset:
    """Rows of a file with named columns.

    Parameters
    ----------
    file : ColumnFile
    table : tuple of Column
        The feature columns, and the target if it is read.
    dtype : float32 or float64
        Type of the features.
    may_miss : bool
        Whether features may have missing values.
    read_target : callable or None
        Reader of the target; None if the target is not read.
    is_chosen : bool
        Whether the user can choose the dtype.

    Attributes
    ----------
    file : ColumnFile
        The file that is read.
    """

    file: ColumnFile

    def __init__(
        self,
        file: ColumnFile,
        table: Table,
        dtype: np.dtype[Any],
        may_miss: bool,
        read_target: TargetReader | None,
        *,
        is_chosen: bool = False,
    ) -> None:
        self.path, self.table = file.path, table  # type: tuple[str, Table | None]
        self.n_features = n_features(table)
        self.file, self._read_target = file, read_target
        features = [column for column in table if not column.is_target]
        self._names = [column.name for column in features]
        self._target = [column.name for column in table if column.is_target and read_target]
        self._encoder = FeatureEncoder(features, dtype, may_miss)
        self.unknown = self._encoder.unknown
        self.notes = notes(file)
        self._room = room(dtype, is_chosen)

    @property
    def size(self) -> int:
        return self.file.size

    def of(self, part: ParquetPart) -> ColumnDataset:
        """Return the rows of a part of the files, encoded in the same way."""
        found = copy(self)
        found.file, found.path = part, part.path
        return found

    def __iter__(self) -> Iterator[TableRows]:
        self.unknown.clear()
        n_rows = rows_at_a_time(self.n_features)
        for first, cells in read_columns(self.file, self._target + self._names):
            for start in range(0, len(cells[0]), n_rows):
                part = [column.slice(start, n_rows) for column in cells]
                yield self._rows(part, first + start)

    def _rows(self, cells: Sequence[Any], first_row: int) -> TableRows:
        y = None
        try:
            if self._target and self._read_target is not None:
                y = self._read_target(self._target[0], cells[0])
                cells = cells[1:]
            return TableRows(self._encoder(cells), y)
        except CellError as error:
            where = place(self.file, first_row + error.row)
            advice = self._room if isinstance(error, OutOfRange) else ""
            raise TableError(f"{self.path}: {error.at(where)}{advice}") from None
        except ColumnError as error:
            raise TableError(f"{self.path}: {error}") from None
