"""Files of rows: their errors, detection of changes, and the size of a block.

Rows are numbered from 0, as in arrays. Code that names a row to users converts it: the command line
counts lines and rows from 1, as editors and spreadsheets do.
"""

from __future__ import annotations

import os
from typing import NamedTuple

FilePath = str | os.PathLike[str]

BLOCK_BYTES = 8 << 20  # size of the X of a block


class FileError(ValueError):
    """A file cannot be read as rows; the message names it."""


class UnusableFile(FileError):
    """A file is not of the expected kind, or is damaged.

    Attributes
    ----------
    path, kind, problem : str
    """

    def __init__(self, path: str, kind: str, problem: object) -> None:
        super().__init__(path, kind, str(problem))
        self.path, self.kind, self.problem = path, kind, str(problem)

    def __str__(self) -> str:
        return f"{self.path} is not a usable {self.kind} file: {self.problem}"


class Stamp(NamedTuple):
    """Properties of a file that change when it is written to."""

    path: str
    size: int
    modified: int  # nanoseconds

    @classmethod
    def of(cls, path: FilePath) -> Stamp:
        # Open the file, so that an unreadable path raises the error of the operating system here.
        with open(path, "rb") as file:
            status = os.fstat(file.fileno())
        return cls(os.fspath(path), status.st_size, status.st_mtime_ns)

    def check(self) -> None:
        """Raise FileError if the file has changed."""
        if Stamp.of(self.path) != self:
            raise FileError(f"{self.path} has changed since it was first read")


def rows_of_a_block(row_bytes: int, block_bytes: int = BLOCK_BYTES) -> int:
    """Return the number of rows that fit in a block, at least 1."""
    return max(1, block_bytes // row_bytes)
