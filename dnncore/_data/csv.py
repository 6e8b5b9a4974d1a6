"""CSV files with a header: columns of text."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from .arrow import require_pyarrow
from .files import FilePath, Stamp, UnusableFile

READ_BYTES = 4 << 20  # read at a time
BLANKS = " \t"


class CsvFile:
    """A CSV file with a header; each iteration over columns reads the file again.

    Blanks around a cell or a name are ignored. Empty cells, NA, NaN and null are missing values.

    Attributes
    ----------
    path : str
        Path of the file.
    names : list of str
        Names of the columns.
    size : int
        Approximate size of all columns in memory, in bytes.

    Raises
    ------
    ImportError
        If pyarrow is not installed.
    OSError
        If the file cannot be read.
    FileError
        If the file is not a CSV file.
    """

    typed = False  # All columns are text, which may represent numbers.

    def __init__(self, path: FilePath) -> None:
        require_pyarrow("CSV")
        from pyarrow import csv

        self._stamp = Stamp.of(path)
        self.path, self.size = self._stamp.path, self._stamp.size
        self._missing = csv.ConvertOptions().null_values
        with self._opened() as reader:
            self._written: list[str] = reader.schema.names
        self.names = [name.strip(BLANKS) for name in self._written]

    @contextmanager
    def _opened(self, **convert_options: Any) -> Iterator[Any]:
        import pyarrow as pa
        from pyarrow import csv

        self._stamp.check()
        try:
            with csv.open_csv(
                self.path,
                # Arrow reports the number of a malformed row only if a single thread reads.
                read_options=csv.ReadOptions(use_threads=False, block_size=READ_BYTES),
                parse_options=csv.ParseOptions(newlines_in_values=True),
                convert_options=csv.ConvertOptions(**convert_options),
            ) as reader:
                yield reader
        except (pa.ArrowException, UnicodeDecodeError) as error:
            raise UnusableFile(self.path, "CSV", error) from error

    def columns(self, names: Sequence[str]) -> Iterator[list[Any]]:
        """Iterate over batches of rows: a list of columns as Arrow strings, null if missing.

        Raises
        ------
        FileError
            If the file has changed since it was opened, or a row is malformed.
        """
        import pyarrow as pa

        # Reading text avoids conflicts with types that would be inferred from the first block.
        written = [self._written[self.names.index(name)] for name in names]
        types = {name: pa.string() for name in written}
        with self._opened(include_columns=written, column_types=types) as reader:
            for batch in reader:
                yield [self._cells(column) for column in batch.columns]

    def _cells(self, column: Any) -> Any:
        import pyarrow as pa
        from pyarrow import compute

        cells = compute.utf8_trim(column, characters=BLANKS)
        is_missing = compute.is_in(cells, value_set=pa.array(self._missing))
        return compute.if_else(is_missing, pa.scalar(None, pa.string()), cells)

    def line(self, row: int) -> int:
        """Return the line number, from 1, on which a row begins; blank lines are not rows."""
        import pyarrow as pa

        record = -1  # the header
        quotes = 0
        with pa.input_stream(self.path) as stream:  # decompresses, as the reader does
            for number, line in enumerate(io.BufferedReader(stream), start=1):
                inside_quotes = quotes % 2 == 1
                quotes += line.count(b'"')
                if inside_quotes or not line.strip(b"\r\n"):
                    continue
                if record == row:
                    return number
                record += 1
        raise IndexError(f"{self.path} has no row {row}")
