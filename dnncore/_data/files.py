"""What blocks of rows of files have in common."""

from __future__ import annotations

import os
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike

from .._core.checks import integer

Path = str | os.PathLike[str]

BLOCK_BYTES = 8 << 20  # of X


def rows_of_a_block(wanted: int | None, row_bytes: int) -> int:
    """`rows_per_block`, by default as many as take BLOCK_BYTES."""
    if wanted is not None:
        return integer("rows_per_block", wanted, low=1)
    return max(1, BLOCK_BYTES // row_bytes)


def real_dtype(wanted: DTypeLike | None, stored: np.dtype[Any]) -> np.dtype[Any]:
    """`dtype`, by default float32 if that is what is stored, else float64."""
    if wanted is None:
        return np.dtype(np.float32 if stored.newbyteorder("=") == np.float32 else np.float64)
    dtype = np.dtype(wanted)
    if dtype not in (np.float32, np.float64):
        raise TypeError(f"dtype must be float32 or float64, got {dtype}")
    return dtype


class Stamp(NamedTuple):
    """What changes when a file is written to."""

    path: str
    size: int
    modified: int  # nanoseconds

    @classmethod
    def of(cls, path: Path) -> Stamp:
        status = os.stat(path)
        return cls(os.fspath(path), status.st_size, status.st_mtime_ns)

    def check(self) -> None:
        """Raise ValueError if the file has changed."""
        if Stamp.of(self.path) != self:
            raise ValueError(f"{self.path} has changed since it was first read")
