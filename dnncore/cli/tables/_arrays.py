"""NPZ files with arrays X and y, and NPY files with one array each: features without names."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..._data.columns import Table
from ..._data.files import UnusableFile
from ..._data.npy import NpyFile
from ._common import TableError, TableRows, fractional, listing, not_a_class, rows_at_a_time

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
        except Exception as error:
            # A damaged file raises a dozen types out of zipfile, zlib and NumPy.
            raise UnusableFile(path, "NPZ", error) from error


def open_npy(path: str) -> NpyFile:
    """A file of which rows can be read."""
    file = NpyFile(path)
    if file.dtype.hasobject:
        raise UnusableFile(path, "NPY", "it holds Python objects")
    if file.by_columns:
        raise UnusableFile(
            path,
            "NPY",
            "its rows do not lie together (Fortran order); save numpy.ascontiguousarray of it",
        )
    if file.size < file.expected_size:
        row_bytes = math.prod(file.shape[1:]) * file.dtype.itemsize
        raise UnusableFile(path, "NPY", f"it ends in row {(file.size - file.start) // row_bytes}")
    return file


def _pieces(array: NDArray[Any] | NpyFile, n_rows: int) -> Iterator[NDArray[Any]]:
    """So many rows of an array at a time."""
    if isinstance(array, NpyFile):
        return array.pieces(n_rows)
    return (array[first : first + n_rows] for first in range(0, len(array), n_rows))


class ArrayDataset:
    """Rows of a matrix, checked block by block.

    Parameters
    ----------
    path : str
    X : array or NpyFile (n, n_features)
    y : array or NpyFile (n,) or (n, n_outputs), or None
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
        X: NDArray[Any] | NpyFile,
        y: NDArray[Any] | NpyFile | None,
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
                f"{path}: y must have a label for each of the {X.shape[0]} rows of X, "
                f"got shape {y.shape}"
            )
        self.path = path
        self.unknown: dict[str, Counter[str]] = {}
        self.n_features: int = X.shape[1]
        self.size = math.prod(X.shape) * dtype.itemsize
        self._X, self._y, self._y_name = X, y, y_name
        self._dtype, self._may_miss, self._check_target = dtype, may_miss, check_target

    def __iter__(self) -> Iterator[TableRows]:
        n_rows = rows_at_a_time(self.n_features)
        targets = None if self._y is None else _pieces(self._y, n_rows)
        first = 0
        for given in _pieces(self._X, n_rows):
            X = self._features(given, first)
            y = None if targets is None else self._check_target(next(targets), self._y_name)
            first += len(given)
            yield TableRows(X, y)
            del given, X  # before the next are read

    def _features(self, given: NDArray[Any], first_row: int) -> NDArray[Any]:
        with np.errstate(over="ignore"):
            X = given.astype(self._dtype, order="C")
        is_missing = np.isnan(X)
        if is_missing.any() and not self._may_miss:
            row, column = np.argwhere(is_missing)[0]
            raise TableError(
                f"{self.path}: X has missing values, the first in X[{first_row + row}, {column}]"
            )
        infinite = np.isinf(X)
        if infinite.any():
            row, column = np.argwhere(infinite)[0]
            raise TableError(
                f"{self.path}: X[{first_row + row}, {column}] is {given[row, column]}, "
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


def class_labels(classes: NDArray[Any]) -> TargetCheck:
    """What gives labels as those of the classes of a model."""

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
        return classes[np.searchsorted(classes, y)]

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
