"""NPY files, of which only the rows that are needed are in memory."""

from __future__ import annotations

import io
import math
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from .files import FileError, Path, Stamp, UnusableFile


class NpyFile:
    """A file with one array.

    It is read, not mapped: pages of a map would count as memory of the process, and a file that
    becomes shorter would end it.

    Attributes
    ----------
    path : str
    shape : tuple of int
    dtype : numpy dtype
        As stored; the byte order of what is read is that of the machine.
    by_columns : bool
        Whether the rows do not lie together (Fortran order), so that they cannot be read.
    start, size : int
        Where the array begins, and the length of the file, in bytes.

    Raises
    ------
    OSError
        If the file cannot be read.
    FileError
        If it is no NPY file.
    """

    def __init__(self, path: Path) -> None:
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
        """The length that the file should have, in bytes."""
        return self.start + math.prod(self.shape) * self.dtype.itemsize

    def pieces(self, n_rows: int) -> Iterator[NDArray[Any]]:
        """The array, so many rows at a time; FileError if the file has changed since it was opened.

        A piece is not kept here: there are not two of them while the next one is read.
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
                raise FileError(f"{self.path} has become shorter while it was read")
            rest = rest[got:]
        return rows.astype(self.dtype.newbyteorder("="), copy=False)


def _header(file: io.FileIO) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    version = npy.read_magic(file)
    if version == (1, 0):
        return npy.read_array_header_1_0(file)
    if version in ((2, 0), (3, 0)):  # which differ only in the names of fields
        return npy.read_array_header_2_0(file)
    raise ValueError(f"it is of version {version}")
