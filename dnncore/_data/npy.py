"""NPY files, read in pieces so that only the required rows are in memory."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from .files import FileError, FilePath, Stamp, UnusableFile


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
        Whether the array is in Fortran order, so that rows are not contiguous and cannot be read.
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
            except (ValueError, EOFError) as error:
                raise UnusableFile(self.path, "NPY", error) from error
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
            file.seek(self.start)
            for first in range(0, self.shape[0], n_rows):
                yield self._read(file, min(n_rows, self.shape[0] - first))

    def _read(self, file: io.FileIO, n_rows: int) -> NDArray[Any]:
        rows = np.empty((n_rows, *self.shape[1:]), self.dtype)
        rest = rows.reshape(-1).view(np.uint8).data
        while rest:
            got = file.readinto(rest)
            if not got:
                raise FileError(f"{self.path} was truncated while it was read")
            rest = rest[got:]
        return rows.astype(self.dtype.newbyteorder("="), copy=False)


def _header(file: io.FileIO) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    version = npy.read_magic(file)
    if version == (1, 0):
        return npy.read_array_header_1_0(file)
    if version in ((2, 0), (3, 0)):  # they differ only in the encoding of field names
        return npy.read_array_header_2_0(file)
    raise ValueError(f"unknown format version {version}")
