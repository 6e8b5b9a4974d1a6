"""Files with named columns, CSV and Parquet, as Arrow record batches."""

from __future__ import annotations

import io
import os
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Protocol

from ._common import TableError, listing
from ._values import plain

CSV_BLOCK = 4 << 20  # bytes
PARQUET_ROWS = 1 << 14
PARQUET_BUFFER = 1 << 18  # bytes of each column; without it, a whole column of a row group
BLANKS = " \t"


class ColumnFile(Protocol):
    """A file with named columns.

    Attributes
    ----------
    path : str
    names : list of str
    typed : bool
        Whether columns have a type; if not, all are text, which may mean numbers.
    size : int
        Bytes in memory, about.
    """

    path: str
    names: list[str]
    typed: bool
    size: int

    def batches(self, names: Sequence[str]) -> Iterator[list[Any]]:
        """Of some rows at a time, the columns `names` as Arrow arrays, missing cells being null.

        Raises
        ------
        TableError
            If the file is malformed or has no rows.
        """
        ...

    def place(self, row: int) -> str:
        """Where a row stands in the file, row 0 being the first below the header."""
        ...


def open_columns(path: str) -> ColumnFile:
    """The file, by its ending: Parquet, or else CSV."""
    with open(path, "rb"):
        pass  # What the operating system has to say about the path comes as its own exception.
    return ParquetFile(path) if path.lower().endswith((".parquet", ".pq")) else CsvFile(path)


def check_columns(file: ColumnFile, names: Sequence[str]) -> None:
    """Raise unless each of `names` is exactly one column."""
    counts = Counter(file.names)
    missing = [name for name in names if name not in counts]
    if missing:
        word = "column" if len(missing) == 1 else "columns"
        raise TableError(
            f"{file.path}: no {word} {listing(missing)}; the file has {listing(counts)}"
        )
    for name in names:
        if counts[name] > 1:
            raise TableError(f"{file.path}: {counts[name]} columns are called {name!r}")


@contextmanager
def _faults_of(path: str, kind: str) -> Iterator[None]:
    import pyarrow as pa

    try:
        yield
    except (pa.ArrowException, UnicodeDecodeError) as error:
        raise TableError(f"{path}: not a usable {kind} file: {error}") from error


class CsvFile:
    """A CSV file with a header. Blanks around a cell or a name do not count; empty cells, NA, NaN
    and null are missing."""

    typed = False

    def __init__(self, path: str) -> None:
        try:
            from pyarrow import csv
        except ImportError as error:
            raise ImportError(
                "CSV files need pyarrow: pip install 'dnncore[cli]'", name="pyarrow"
            ) from error
        self.path = path
        self.size = os.path.getsize(path)
        self._missing = csv.ConvertOptions().null_values
        with _faults_of(path, "CSV"), self._reader() as reader:
            self._written: list[str] = reader.schema.names
        self.names = [name.strip(BLANKS) for name in self._written]

    def _reader(self, **convert_options: Any) -> Any:
        from pyarrow import csv

        return csv.open_csv(
            self.path,
            # A ragged row is reported with its number only when one thread reads.
            read_options=csv.ReadOptions(use_threads=False, block_size=CSV_BLOCK),
            parse_options=csv.ParseOptions(newlines_in_values=True),
            convert_options=csv.ConvertOptions(**convert_options),
        )

    def batches(self, names: Sequence[str]) -> Iterator[list[Any]]:
        import pyarrow as pa

        # Read as text, a cell of a later block cannot clash with a type that the first suggested.
        written = [self._written[self.names.index(name)] for name in names]
        types = {name: pa.string() for name in written}
        rows = 0
        with (
            _faults_of(self.path, "CSV"),
            self._reader(include_columns=written, column_types=types) as reader,
        ):
            for batch in reader:
                rows += batch.num_rows
                yield [self._cells(column) for column in batch.columns]
        if rows == 0:
            raise TableError(f"{self.path}: no rows below the header")

    def _cells(self, column: Any) -> Any:
        import pyarrow as pa
        from pyarrow import compute

        cells = compute.utf8_trim(column, characters=BLANKS)
        gone = compute.is_in(cells, value_set=pa.array(self._missing))
        return compute.if_else(gone, pa.scalar(None, pa.string()), cells)

    def place(self, row: int) -> str:
        """The line on which a row begins, counted from 1; blank lines hold no row."""
        import pyarrow as pa

        record = -1  # the header
        quotes = 0
        with pa.input_stream(self.path) as stream:  # uncompressed as by the reader
            for number, line in enumerate(io.BufferedReader(stream), start=1):
                inside_quotes = quotes % 2 == 1
                quotes += line.count(b'"')
                if inside_quotes or not line.strip(b"\r\n"):
                    continue
                if record == row:
                    return f"on line {number}"
                record += 1
        raise IndexError(f"{self.path} has no row {row}")


class ParquetFile:
    """A Parquet file; rows are counted from 1."""

    typed = True

    def __init__(self, path: str) -> None:
        try:
            from pyarrow import parquet
        except ImportError as error:
            raise ImportError(
                "Parquet files need pyarrow: pip install 'dnncore[cli]'", name="pyarrow"
            ) from error
        self.path = path
        with _faults_of(path, "Parquet"), parquet.ParquetFile(path) as file:
            groups = range(file.metadata.num_row_groups)
            self.names: list[str] = file.schema_arrow.names
            self.size = sum(file.metadata.row_group(group).total_byte_size for group in groups)

    def batches(self, names: Sequence[str]) -> Iterator[list[Any]]:
        from pyarrow import parquet

        rows = 0
        with (
            _faults_of(self.path, "Parquet"),
            parquet.ParquetFile(self.path, pre_buffer=False, buffer_size=PARQUET_BUFFER) as file,
        ):
            for batch in file.iter_batches(PARQUET_ROWS, columns=list(names), use_threads=False):
                rows += batch.num_rows
                yield [plain(batch.column(name)) for name in names]
        if rows == 0:
            raise TableError(f"{self.path}: no rows")

    def place(self, row: int) -> str:
        return f"in row {row + 1}"
