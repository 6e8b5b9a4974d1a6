"""Parquet files, of which only the rows that are needed are in memory."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from .arrow import plain, require_pyarrow
from .files import FileError, Path, Stamp, UnusableFile

BUFFER_BYTES = 1 << 16  # of a column chunk, that are read at a time
ROWS = 1 << 14  # that `columns` gives at a time


class ParquetFile:
    """A file, of which each iteration reads the columns anew.

    Attributes
    ----------
    path : str
    schema : pyarrow.Schema
    names : list of str
        Of the columns.
    n_rows : int
    size : int
        Bytes that all columns take in memory, about.

    Raises
    ------
    ImportError
        Without pyarrow.
    OSError
        If the file cannot be read.
    FileError
        If it is no Parquet file.
    """

    typed = True  # A column of text is no column of numbers.

    def __init__(self, path: Path) -> None:
        require_pyarrow("Parquet")
        self._stamp = Stamp.of(path)
        self.path = self._stamp.path
        with self._opened() as file:
            self.schema = file.schema_arrow
            groups = [file.metadata.row_group(i) for i in range(file.num_row_groups)]
        self.names: list[str] = self.schema.names
        self.n_rows = sum(group.num_rows for group in groups)
        self.size = sum(group.total_byte_size for group in groups)
        self._group_ends = np.cumsum([group.num_rows for group in groups])

    @contextmanager
    def _opened(self) -> Iterator[Any]:
        import pyarrow
        from pyarrow import parquet

        self._stamp.check()
        try:
            file = parquet.ParquetFile(self.path, pre_buffer=False, buffer_size=BUFFER_BYTES)
        except pyarrow.ArrowException as error:
            raise UnusableFile(self.path, "Parquet", error) from error
        with file:
            yield file

    def batches(self, names: Sequence[str], n_rows: int) -> Iterator[Any]:
        """Record batches of some columns, of at most so many rows.

        Raises
        ------
        FileError
            If the file has changed since it was opened, or is damaged.
        """
        import pyarrow

        done = 0
        with self._opened() as file:
            batches = file.iter_batches(n_rows, columns=list(names), use_threads=False)
            while True:
                try:
                    batch = next(batches, None)
                except (pyarrow.ArrowException, OSError) as error:
                    place = self.place(min(done, self.n_rows - 1))
                    raise FileError(f"{place} or one after it cannot be read: {error}") from error
                if batch is None:
                    break
                done += batch.num_rows
                yield batch
                del batch
        del batches
        # What the pool keeps of this thread would be no use to that of the next pass.
        pyarrow.default_memory_pool().release_unused()

    def columns(self, names: Sequence[str]) -> Iterator[list[Any]]:
        """Of some rows at a time, columns as Arrow arrays, none of them with a dictionary."""
        for batch in self.batches(names, ROWS):
            yield [plain(batch.column(name)) for name in names]
            del batch  # before the next is read

    def place(self, row: int) -> str:
        """Where a row is, in words."""
        group = bisect_right(self._group_ends, row)
        return f"row {row} of {self.path} (row group {group})"
