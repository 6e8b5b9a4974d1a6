"""CSV files with a header: columns of text."""

from __future__ import annotations

import csv as text_csv
import io
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from typing import Any

from . import csv_format
from .arrow import UNITS, require_pyarrow
from .csv_format import DEFAULT, DETECT, CsvFormat
from .files import FilePath, Stamp, UnusableFile

READ_BYTES = 4 << 20  # read at a time
HEAD_BYTES = 1 << 16  # of which the format is found out
BLANKS = " \t"
CODECS = {".gz": "gzip", ".bz2": "bz2", ".lz4": "lz4", ".zst": "zstd"}  # by suffix
MALFORMED = re.compile(r"Row #(\d+): Expected (\d+) columns, got (\d+)(?:: (.*))?", re.DOTALL)


class NotThatEncoding(UnusableFile):
    """The text of a file is not in the encoding that it is read in."""


class CsvFile:
    """A CSV file with a header; each iteration over columns reads the file again.

    Blanks around a cell or a name are ignored. Empty cells, NA, NaN and null are missing values.

    Parameters
    ----------
    path : str or path-like
    given : CsvFormat, optional
        What is known of the format; the rest is found out from the beginning of the file.

    Attributes
    ----------
    path : str
        Path of the file.
    names : list of str
        Names of the columns.
    size : int
        Approximate size of all columns in memory, in bytes.
    format : CsvFormat
        The complete format.

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

    def __init__(self, path: FilePath, given: CsvFormat = DETECT) -> None:
        require_pyarrow("CSV")
        from pyarrow import csv

        self._stamp = Stamp.of(path)
        self.path = self._stamp.path
        self._codec = CODECS.get(os.path.splitext(self.path)[1].lower())
        self._missing = csv.ConvertOptions().null_values
        with self._errors(), self._stream() as stream:
            head = stream.read(HEAD_BYTES)
        self.format = csv_format.detect(head, is_whole=len(head) < HEAD_BYTES, given=given)
        self.detected = [
            f"{name} {value!r}"
            for name, value, known, usual in zip(
                CsvFormat._fields, self.format, given, DEFAULT, strict=True
            )
            if known is None and value != usual
        ]
        with self._opened() as reader:
            self._written: list[str] = reader.schema.names
        self.names = [name.strip(BLANKS) for name in self._written]

    @cached_property
    def size(self) -> int:
        """See the class; a compressed file is read, because it does not tell."""
        if self._codec is None:
            return self._stamp.size
        with self._errors(), self._stream() as stream:
            return sum(len(part) for part in iter(lambda: stream.read(READ_BYTES), b""))

    @contextmanager
    def _stream(self) -> Iterator[Any]:
        """Open the file as a stream of decompressed bytes."""
        import pyarrow as pa

        with pa.OSFile(os.fsencode(self.path)) as file:
            codec = self._codec
            yield file if codec is None else pa.CompressedInputStream(file, codec)

    @contextmanager
    def _errors(self) -> Iterator[None]:
        """Turn the errors of reading into FileError."""
        import pyarrow as pa

        try:
            yield
        except (pa.ArrowException, UnicodeError) as error:
            if isinstance(error, UnicodeError) or "invalid UTF8" in str(error):
                problem = f"its text is not {self.format.encoding}"
                raise NotThatEncoding(self.path, "CSV", problem) from error
            raise UnusableFile(self.path, "CSV", self._located(str(error))) from error
        except OSError as error:  # such as compressed data that are damaged
            if error.errno is not None:
                raise
            raise UnusableFile(self.path, "CSV", error) from error

    @contextmanager
    def _opened(self, **convert_options: Any) -> Iterator[Any]:
        from pyarrow import csv

        self._stamp.check()
        # Arrow reports the number of a malformed row only if a single thread reads.
        options = {
            "read_options": csv.ReadOptions(
                use_threads=False, block_size=READ_BYTES, encoding=self.format.encoding
            ),
            "parse_options": csv.ParseOptions(
                newlines_in_values=True, delimiter=self.format.delimiter
            ),
            "convert_options": csv.ConvertOptions(**convert_options),
        }
        with self._errors(), self._stream() as stream, csv.open_csv(stream, **options) as reader:
            yield reader

    def _located(self, message: str) -> str:
        """Name the line, instead of the row, in a message of Arrow on a malformed row."""
        found = MALFORMED.search(message)
        if found is None:
            return message
        row, expected, got, text = found.groups()
        place = self.place(int(row) - 2)  # the header is row 1
        quote = ', where a quote (") may not be closed' if '"' in (text or "") else ""
        return f"expected {expected} columns, got {got} {place}{quote}"

    def columns(self, names: Sequence[str]) -> Iterator[list[Any]]:
        """Iterate over batches of rows: a list of columns as Arrow strings, null if missing.

        Numbers have a decimal point and no separators of thousands, whatever the format.

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
        cells = compute.if_else(is_missing, pa.scalar(None, pa.string()), cells)
        decimal, thousands = self.format.decimal, self.format.thousands
        if (decimal, thousands) == (DEFAULT.decimal, DEFAULT.thousands):
            return cells
        t, d = re.escape(thousands or ""), re.escape(decimal or "")
        digits = rf"(?:\d{{1,3}}(?:{t}\d{{3}})+|\d+)" if thousands else r"\d+"
        number = rf"^[-+{UNITS}\s]*{digits}(?:{d}\d*)?(?:[eE][-+]?\d+)?[{UNITS}\s]*$"
        plain = compute.replace_substring(cells, thousands, "") if thousands else cells
        plain = compute.replace_substring(plain, decimal, ".")
        return compute.if_else(compute.match_substring_regex(cells, number), plain, cells)

    def place(self, row: int) -> str:
        """Describe the place of a row by its line, counted from 1; blank lines are not rows."""
        encoding = self.format.encoding
        with self._stream() as stream:
            text = io.TextIOWrapper(
                io.BufferedReader(stream), encoding=encoding, errors="replace", newline=""
            )
            records = text_csv.reader(text, delimiter=self.format.delimiter or ",")
            number, begins = -1, 1  # the header
            try:
                for record in records:
                    if record:
                        if number == row:
                            return f"on line {begins}"
                        number += 1
                    begins = records.line_num + 1
            except text_csv.Error:  # a cell of many characters
                pass
        return f"in row {row + 1}"
