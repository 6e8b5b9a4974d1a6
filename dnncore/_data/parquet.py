"""Parquet files, read in batches so that only the required rows are in memory."""

from __future__ import annotations

import os
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from .arrow import is_text_type, plain, require_pyarrow
from .files import FileError, FilePath, Stamp, UnusableFile

BUFFER_BYTES = 1 << 16  # read at a time from a column chunk
ROWS = 1 << 14  # given at a time by `columns`
CELL_BYTES = 4  # at least


class UnreadableRow(FileError):
    """Rows of a file are damaged.

    Attributes
    ----------
    path : str
    row : int
        The damaged row, or one before it.
    problem : str
    """

    def __init__(self, path: str, row: int, place: str, problem: object) -> None:
        super().__init__(f"{place} or one after it cannot be read: {problem}")
        self.path, self.row, self.problem = path, row, str(problem)


def _check_text(batch: Any) -> None:
    """Raise ArrowException for text that is not UTF-8, or not in its dictionary."""
    from pyarrow import types

    for column in batch.columns:
        if is_text_type(column.type) or types.is_dictionary(column.type):
            column.validate(full=True)


class ParquetFile:
    """A Parquet file; each iteration over columns reads the file again.

    Attributes
    ----------
    path : str
        Path of the file.
    schema : pyarrow.Schema
        Schema of the file.
    names : list of str
        Names of the columns.
    n_rows : int
        Number of rows.
    group_sizes : list of int
        Number of rows of each row group.
    size : int
        Approximate size of all columns in memory, in bytes.

    Raises
    ------
    ImportError
        If pyarrow is not installed.
    OSError
        If the file cannot be read.
    FileError
        If the file is not a Parquet file.
    """

    typed = True  # Columns of text do not represent numbers.

    def __init__(self, path: FilePath) -> None:
        require_pyarrow("Parquet")
        self._stamp = Stamp.of(path)
        self.path = self._stamp.path
        with self._opened() as file:
            self.schema = file.schema_arrow
            groups = [file.metadata.row_group(i) for i in range(file.num_row_groups)]
        self.names: list[str] = self.schema.names
        self.group_sizes: list[int] = [group.num_rows for group in groups]
        self.n_rows = sum(self.group_sizes)
        # Repeated values take next to nothing in the file, but not in memory.
        encoded = sum(group.total_byte_size for group in groups)
        self.size: int = max(encoded, CELL_BYTES * self.n_rows * len(self.names))
        self._group_ends = np.cumsum(self.group_sizes)

    @contextmanager
    def _opened(self) -> Iterator[Any]:
        import pyarrow
        from pyarrow import parquet

        self._stamp.check()
        try:
            source = pyarrow.OSFile(os.fsencode(self.path))  # any name, not only one in UTF-8
            file = parquet.ParquetFile(source, pre_buffer=False, buffer_size=BUFFER_BYTES)
        except (pyarrow.ArrowException, UnicodeDecodeError) as error:
            raise UnusableFile(self.path, "Parquet", error) from error
        except OSError as error:
            if error.errno is not None:  # of the operating system
                raise
            raise UnusableFile(self.path, "Parquet", error) from error
        with source, file:
            yield file

    def batches(self, names: Sequence[str], n_rows: int, group: int | None = None) -> Iterator[Any]:
        """Iterate over record batches of the named columns, of at most `n_rows` rows each.

        Those of all row groups or, with `group`, of this one.

        Raises
        ------
        FileError
            If the file has changed since it was opened, or is damaged.
        """
        import pyarrow

        done, groups = self.start_of(group or 0), None if group is None else [group]
        with self._opened() as file:
            batches = file.iter_batches(
                n_rows, row_groups=groups, columns=list(names), use_threads=False
            )
            while True:
                try:
                    batch = next(batches, None)
                    if batch is not None:
                        _check_text(batch)
                except (pyarrow.ArrowException, OSError) as error:
                    row = min(done, self.n_rows - 1)
                    raise UnreadableRow(self.path, row, self.place(row), error) from error
                if batch is None:
                    break
                done += batch.num_rows
                yield batch
                del batch
        del batches
        # The thread of the next pass could not use the memory that the pool keeps for this one.
        pyarrow.default_memory_pool().release_unused()

    def columns(self, names: Sequence[str], group: int | None = None) -> Iterator[list[Any]]:
        """Iterate over batches of rows: a list of columns as Arrow arrays without dictionaries."""
        for batch in self.batches(names, ROWS, group):
            yield [plain(batch.column(name)) for name in names]
            del batch  # before the next is read

    def start_of(self, group: int) -> int:
        """Return the number of rows before a row group."""
        return sum(self.group_sizes[:group])

    def place(self, row: int) -> str:
        """Describe the place of a row."""
        group = bisect_right(self._group_ends, row)
        return f"row {row} of {self.path} (row group {group})"
