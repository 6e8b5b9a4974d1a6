"""Files of rows: what is wrong with one, whether it has changed, how much of it is a block.

A row is an index from 0, as in arrays. Who names one to people says so in its own words: the
command line counts lines and rows from 1, as editors and spreadsheets do.
"""

from __future__ import annotations

import os
from typing import NamedTuple

Path = str | os.PathLike[str]

BLOCK_BYTES = 8 << 20  # of X


class FileError(ValueError):
    """A file cannot be read as rows; the message names it."""


class UnusableFile(FileError):
    """A file is none of its kind, or is damaged.

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
    """What changes when a file is written to."""

    path: str
    size: int
    modified: int  # nanoseconds

    @classmethod
    def of(cls, path: Path) -> Stamp:
        # Opened, so that the operating system says at once what it has to say about the path.
        with open(path, "rb") as file:
            status = os.fstat(file.fileno())
        return cls(os.fspath(path), status.st_size, status.st_mtime_ns)

    def check(self) -> None:
        """Raise FileError if the file has changed."""
        if Stamp.of(self.path) != self:
            raise FileError(f"{self.path} has changed since it was first read")


def rows_of_a_block(row_bytes: int, block_bytes: int = BLOCK_BYTES) -> int:
    """As many rows as fit in a block, at least one."""
    return max(1, block_bytes // row_bytes)
