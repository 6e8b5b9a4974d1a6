"""NPZ files with arrays X and y, and NPY files with one array each: features without names."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..._data.columns import Table
from ._common import Block, TableError, fractional, listing, not_a_class, rows_of_a_block

TargetCheck = Callable[[NDArray[Any], str], NDArray[Any]]


def read_npz(path: str, *names: str) -> list[NDArray[Any]]:
    """The arrays of these names."""
    with open(path, "rb") as file:
        try:
            archive = np.load(file, allow_pickle=False)
            if isinstance(archive, np.ndarray):
                raise TableError("it is a single array")
            missing = [name for name in names if name not in archive]
            if missing:
                raise TableError(
                    f"it has no array {missing[0]!r}, only {listing(archive.files) or 'none'}"
                )
            return [archive[name] for name in names]
        except (
            Exception
        ) as error:  # A damaged file raises a dozen types out of zipfile, zlib and NumPy.
            raise TableError(f"{path}: not a usable NPZ file: {error}") from error


class NpyArray:
    """An NPY file of which only the rows that are asked for are read.

    They are read, not mapped: pages of a map would count as memory of the process, and a file
    that becomes shorter would end it.

    Attributes
    ----------
    shape : tuple of int
    dtype : numpy dtype
    """

    def __init__(self, path: str) -> None:
        self._path = path
        with open(path, "rb") as file:
            try:
                version = np.lib.format.read_magic(file)
                read = {(1, 0): np.lib.format.read_array_header_1_0}.get(
                    version, np.lib.format.read_array_header_2_0
                )
                self.shape, by_columns, self.dtype = read(file)
            except (ValueError, EOFError) as error:
                raise self._fault(str(error)) from error
            self._start = file.tell()
        if self.dtype.hasobject:
            raise self._fault("it holds Python objects")
        if by_columns and len(self.shape) > 1:
            raise self._fault(
                "its rows do not lie together (Fortran order); save numpy.ascontiguousarray of it"
            )

    def _fault(self, problem: str) -> TableError:
        return TableError(f"{self._path}: not a usable NPY file: {problem}")

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: slice) -> NDArray[Any]:
        first, end, _ = rows.indices(len(self))
        width = math.prod(self.shape[1:])
        wanted = (end - first) * width
        values = np.fromfile(
            self._path, self.dtype, wanted, offset=self._start + first * width * self.dtype.itemsize
        )
        if values.size != wanted:
            raise self._fault(f"it ends in row {first + values.size // max(width, 1)}")
        return values.reshape(end - first, *self.shape[1:])


class ArrayDataset:
    """Rows of a matrix, checked block by block.

    Parameters
    ----------
    path : str
    X : array or NpyArray (n, n_features)
    y : array or NpyArray (n,) or (n, n_outputs), or None
    y_name : str
        What to call y in an error.
    dtype : float32 or float64
    may_miss : bool
        Whether X may have NaN.
    check_target : callable
        Takes y of some rows and its name, returns it as needed.
    """

    table: Table | None = None

    def __init__(
        self,
        path: str,
        X: NDArray[Any] | NpyArray,
        y: NDArray[Any] | NpyArray | None,
        y_name: str,
        dtype: np.dtype[Any],
        may_miss: bool,
        check_target: TargetCheck,
    ) -> None:
        if len(X.shape) != 2 or 0 in X.shape:
            raise TableError(f"{path}: X must have rows and columns, got shape {X.shape}")
        if X.dtype.kind not in "biuf":
            raise TableError(f"{path}: X must be numeric, got dtype {X.dtype}")
        if y is not None and y.shape[:1] != X.shape[:1]:
            raise TableError(
                f"{path}: y must have a label for each of the {len(X)} rows of X, "
                f"got shape {y.shape}"
            )
        self.path = path
        self.unknown: dict[str, Counter[str]] = {}
        self.n_features: int = X.shape[1]
        self.size = math.prod(X.shape) * dtype.itemsize
        self._X, self._y, self._y_name = X, y, y_name
        self._dtype, self._may_miss, self._check_target = dtype, may_miss, check_target

    def __iter__(self) -> Iterator[Block]:
        rows = rows_of_a_block(self.n_features)
        for first in range(0, len(self._X), rows):
            X = self._features(first, first + rows)
            if self._y is None:
                yield Block(X, None)
            else:
                y = self._check_target(self._y[first : first + rows], self._y_name)
                yield Block(X, y)

    def _features(self, first: int, end: int) -> NDArray[Any]:
        given = self._X[first:end]
        with np.errstate(over="ignore"):
            X = given.astype(self._dtype, order="C")
        gone = np.isnan(X)
        if gone.any() and not self._may_miss:
            row, column = np.argwhere(gone)[0]
            raise TableError(
                f"{self.path}: X has missing values, the first in X[{first + row}, {column}]"
            )
        infinite = np.isinf(X)
        if infinite.any():
            row, column = np.argwhere(infinite)[0]
            raise TableError(
                f"{self.path}: X[{first + row}, {column}] is {given[row, column]}, "
                f"not a finite {self._dtype}"
            )
        return X


def labels(y: NDArray[Any], name: str) -> NDArray[Any]:
    """`y`, whole floats as integers; what is no integer, string or boolean is refused."""
    if y.ndim != 1:
        raise TableError(f"{name} must have one label a row, got shape {y.shape}")
    if y.dtype.kind == "f":
        if np.isnan(y).any():
            raise TableError(f"{name} has missing values")
        broken = fractional(y)
        if broken.any():
            raise TableError(
                f"{name} {not_a_class(y[broken.argmax()])}; numbers are for --regression"
            )
        return y.astype(np.int64)
    if y.dtype.kind not in "biuUO":
        raise TableError(f"{name} must hold classes (integers or strings), got dtype {y.dtype}")
    return y


def targets(y: NDArray[Any], name: str) -> NDArray[Any]:
    """`y` as float64."""
    if y.dtype.kind not in "biuf" or y.ndim not in (1, 2):
        raise TableError(f"{name} must be numeric, got dtype {y.dtype} and shape {y.shape}")
    numbers = y.astype(np.float64)
    if not np.isfinite(numbers).all():
        raise TableError(f"{name} must be finite, got {numbers[~np.isfinite(numbers)][0]}")
    return numbers


def class_indices(classes: NDArray[Any]) -> TargetCheck:
    """What gives the indices of labels in the classes of a model."""

    def check(y: NDArray[Any], name: str) -> NDArray[Any]:
        y = labels(y, name)
        texts = "UO"
        if (y.dtype.kind in texts) != (classes.dtype.kind in texts):
            raise TableError(
                f"{name} must hold classes like those of the model, {listing(classes.tolist())}, "
                f"got {y[0]!r}"
            )
        known = np.isin(y, classes)
        if not known.all():
            raise TableError(
                f"{name} has the label {y[~known].tolist()[0]!r}, which is no class of the model"
            )
        return np.searchsorted(classes, y)

    return check


def label_rows(n_outputs: int) -> TargetCheck:
    """What checks rows of 0 and 1, a label for each output."""

    def check(y: NDArray[Any], name: str) -> NDArray[Any]:
        rows = y[:, None] if y.ndim == 1 else y
        if rows.shape[1:] != (n_outputs,) or not np.isin(rows, (0, 1)).all():
            raise TableError(
                f"{name} must be rows of {n_outputs} labels 0 or 1, got shape {y.shape}"
            )
        return rows.astype(np.intp)

    return check
