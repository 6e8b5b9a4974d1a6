"""NPY files, read in pieces so that only the required rows are in memory."""

from __future__ import annotations

import io
import math
import re
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from .files import FileError, FilePath, Stamp, UnusableFile

MAX_DIMENSIONS = 32  # that NumPy 1 has


class NpyFile:
    """A file that contains one array.

    It is read, not mapped: mapped pages would count as memory of the process, and if the file were
    truncated, accessing them would kill the process.

    Attributes
    ----------
    path : str
        Path of the file.
    shape : tuple of int
        Shape of the array.
    dtype : numpy.dtype
        Dtype as stored; arrays that are read have the byte order of the machine.
    by_columns : bool
        Whether the array is in Fortran order, so that rows are not contiguous.
    start, size : int
        Offset of the array, and length of the file, in bytes.

    Raises
    ------
    OSError
        If the file cannot be read.
    FileError
        If the file is not an NPY file.
    """

    def __init__(self, path: FilePath) -> None:
        self._stamp = Stamp.of(path)
        self.path, self.size = self._stamp.path, self._stamp.size
        with open(path, "rb", buffering=0) as file:
            try:
                self.shape, fortran_order, self.dtype = _header(file)
            except (MemoryError, OSError):
                raise
            except Exception as error:  # Hostile headers raise many types, even of the tokenizer.
                problem = re.sub(r"<\S* object at \w+>", "an expression", str(error))
                raise UnusableFile(self.path, "NPY", f"{problem:.200}") from error
            self.start = file.tell()
        self.by_columns = fortran_order and len(self.shape) > 1

    @property
    def expected_size(self) -> int:
        """Expected length of the file, in bytes."""
        return self.start + math.prod(self.shape) * self.dtype.itemsize

    def pieces(self, n_rows: int) -> Iterator[NDArray[Any]]:
        """Iterate over pieces of `n_rows` rows; raise FileError if the file has changed.

        No reference to a piece is kept while the next one is read.
        """
        self._stamp.check()
        with open(self.path, "rb", buffering=0) as file:
            for first in range(0, self.shape[0], n_rows):
                yield self._rows(file, first, min(n_rows, self.shape[0] - first))

    def _rows(self, file: io.FileIO, first: int, n_rows: int) -> NDArray[Any]:
        shape, width = (n_rows, *self.shape[1:]), math.prod(self.shape[1:])
        if self.by_columns:
            rows = np.empty((n_rows, width), self.dtype)
            for column in range(width):
                rows[:, column] = self._read(file, column * self.shape[0] + first, n_rows)
            rows = rows.reshape(shape, order="F")
        else:
            rows = self._read(file, first * width, n_rows * width).reshape(shape)
        return rows.astype(self.dtype.newbyteorder("="), copy=False)

    def _read(self, file: io.FileIO, first: int, count: int) -> NDArray[Any]:
        """Read `count` elements of the array, in the order in which they are stored."""
        elements = np.empty(count, self.dtype)
        file.seek(self.start + first * self.dtype.itemsize)
        rest = elements.view(np.uint8).data
        while rest:
            got = file.readinto(rest)
            if not got:
                raise FileError(f"{self.path} was truncated while it was read")
            rest = rest[got:]
        return elements


def _header(file: io.FileIO) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    version = npy.read_magic(file)
    if version == (1, 0):
        header = npy.read_array_header_1_0(file)
    elif version in ((2, 0), (3, 0)):  # they differ only in the encoding of field names
        header = npy.read_array_header_2_0(file)
    else:
        raise ValueError(f"unknown format version {version}")
    shape, _, dtype = header
    if not all(type(n) is int and n >= 0 for n in shape) or len(shape) > MAX_DIMENSIONS:
        raise ValueError(f"its shape must be of integers >= 0, got {shape}")
    if dtype.itemsize == 0:
        raise ValueError(f"its elements have no size, got dtype {dtype}")
    if max((*shape, math.prod(shape) * dtype.itemsize)) > sys.maxsize:
        raise ValueError(f"an array of shape {shape} is too large")
    return header
