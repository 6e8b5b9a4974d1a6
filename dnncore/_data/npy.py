"""Blocks of rows of NPY files."""

from __future__ import annotations

import io
import math
import os
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import DTypeLike, NDArray

from .files import Path, Stamp, real_dtype, rows_of_a_block


class NpyBlocks:
    """Blocks of rows of NPY files, for `fit_blocks`; see :mod:`dnncore.blocks`.

    The files are read piece by piece, not mapped into memory.

    Parameters
    ----------
    X_path : path
        Of an array (n_samples, n_features) of numbers, in C order.
    y_path : path
        Of an array (n_samples,) or (n_samples, n_outputs) of numbers or strings.
    sample_weight_path : path, optional
        Of an array (n_samples,) of numbers.
    rows_per_block : int, optional
        Default: as many as take 8 MiB of X.
    dtype : {numpy.float32, numpy.float64}, optional
        To which X is converted; default: float32 stays float32, anything else becomes float64.

    Attributes
    ----------
    n_samples, n_features : int

    Raises
    ------
    OSError
        If a file cannot be read.
    TypeError, ValueError
        If a file is no NPY file of that kind, or has not the length that it should have, or the
        files differ in their number of rows. In an iteration: if a file has changed since.

    Examples
    --------
    >>> import os, tempfile
    >>> import numpy as np
    >>> from dnncore import DNNClassifier
    >>> from dnncore.blocks import NpyBlocks
    >>> folder = tempfile.mkdtemp()
    >>> X_path, y_path = os.path.join(folder, "X.npy"), os.path.join(folder, "y.npy")
    >>> X = np.random.default_rng(0).normal(size=(1000, 4))
    >>> np.save(X_path, X)
    >>> np.save(y_path, X[:, 0] > 0)
    >>> blocks = NpyBlocks(X_path, y_path, rows_per_block=300)
    >>> model = DNNClassifier(learning_rate_init=0.01, random_state=0).fit_blocks(blocks)
    >>> bool(np.mean([model.score(*block) for block in blocks]) > 0.95)
    True
    """

    def __init__(
        self,
        X_path: Path,
        y_path: Path,
        sample_weight_path: Path | None = None,
        *,
        rows_per_block: int | None = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        self._X = X = _NpyFile(X_path, "biuf", (2,))
        self._others = [_NpyFile(y_path, "biufUS", (1, 2))]
        if sample_weight_path is not None:
            self._others.append(_NpyFile(sample_weight_path, "biuf", (1,)))
        self.n_samples, self.n_features = X.shape
        if 0 in X.shape:
            raise ValueError(f"{X.path}: X must have rows and columns, got shape {X.shape}")
        for file in self._others:
            if file.shape[0] != self.n_samples:
                raise ValueError(
                    f"{file.path} must have {self.n_samples} rows, like {X.path}, "
                    f"got {file.shape[0]}"
                )
        self._dtype = real_dtype(dtype, X.dtype)
        row_bytes = self.n_features * max(self._dtype.itemsize, X.dtype.itemsize)
        self._rows = rows_of_a_block(rows_per_block, row_bytes)

    def __iter__(self) -> Iterator[tuple[NDArray[Any], ...]]:
        with ExitStack() as stack:
            X_file = stack.enter_context(self._X.opened())
            others = [(file, stack.enter_context(file.opened())) for file in self._others]
            for start in range(0, self.n_samples, self._rows):
                n = min(self._rows, self.n_samples - start)
                with np.errstate(over="ignore"):  # Infinity is for others to judge.
                    X = self._X.read(X_file, n).astype(self._dtype, copy=False)
                yield X, *(file.read(handle, n) for file, handle in others)
                del X  # before the next is read

    def place(self, row: int) -> str:
        """Where a row is, in words."""
        return f"row {row} of {self._X.path}"


class _NpyFile:
    """A file with one array of a dtype out of `kinds` and a number of dimensions out of `ndims`."""

    def __init__(self, path: Path, kinds: str, ndims: tuple[int, ...]) -> None:
        self.path = os.fspath(path)
        self._stamp = Stamp.of(path)
        with open(path, "rb", buffering=0) as file:
            self.shape, self.dtype = self._header(file)
            self._start = file.tell()
        if self.dtype.kind not in kinds:
            raise TypeError(
                f"{self.path} must hold numbers{' or strings' if 'U' in kinds else ''}, "
                f"got {self.dtype}"
            )
        if len(self.shape) not in ndims:
            wanted = " or ".join(map(str, ndims))
            raise ValueError(
                f"{self.path} must hold an array of {wanted} dimensions, got shape {self.shape}"
            )
        size = self._start + math.prod(self.shape) * self.dtype.itemsize
        if self._stamp.size != size:
            raise ValueError(
                f"{self.path} must be {size} bytes long for its shape {self.shape} of "
                f"{self.dtype}, got {self._stamp.size}"
            )

    def _header(self, file: io.FileIO) -> tuple[tuple[int, ...], np.dtype[Any]]:
        try:
            version = npy.read_magic(file)
            if version == (1, 0):
                shape, fortran_order, dtype = npy.read_array_header_1_0(file)
            elif version == (2, 0):
                shape, fortran_order, dtype = npy.read_array_header_2_0(file)
            else:
                raise ValueError(f"it is of version {version}")
        except (ValueError, EOFError) as error:
            raise ValueError(f"{self.path} is not a usable NPY file: {error}") from error
        if fortran_order and len(shape) > 1:
            raise ValueError(
                f"{self.path} is in Fortran order, column by column: save "
                "numpy.ascontiguousarray(X) instead"
            )
        return shape, dtype

    @contextmanager
    def opened(self) -> Iterator[io.FileIO]:
        """The open file, at its first row."""
        self._stamp.check()
        with open(self.path, "rb", buffering=0) as file:
            file.seek(self._start)
            yield file

    def read(self, file: io.FileIO, n: int) -> NDArray[Any]:
        """The next n rows."""
        rows = np.empty((n, *self.shape[1:]), self.dtype)
        rest = rows.reshape(-1).view(np.uint8).data
        while rest:
            got = file.readinto(rest)
            if not got:
                raise ValueError(f"{self.path} has become shorter while it was read")
            rest = rest[got:]
        return rows.astype(self.dtype.newbyteorder("="), copy=False)
