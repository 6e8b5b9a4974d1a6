"""NPZ files with arrays X and y, and NPY files with one array each, without feature names."""

from __future__ import annotations

import math
import os
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..._data.columns import Table
from ..._data.files import UnusableFile
from ..._data.npy import NpyFile
from ._common import (
    TableError,
    TableRows,
    class_indices,
    fractional,
    listing,
    not_a_class,
    room,
    rows_at_a_time,
)
from ._precision import EXACT_TYPES, Digits, note

TargetCheck = Callable[[NDArray[Any], str], NDArray[Any]]


def read_npz(path: str, *names: str) -> list[NDArray[Any]]:
    """Return the arrays with these names."""
    with open(path, "rb") as file:
        try:
            archive = np.load(file, allow_pickle=False)
            if isinstance(archive, np.ndarray):
                raise TableError("it contains a single array")
            missing = [name for name in names if name not in archive]
            if missing:
                raise TableError(
                    f"it must contain an array {missing[0]!r}, got "
                    f"{listing(archive.files) or 'none'}"
                )
            return [archive[name] for name in names]
        except Exception as error:
            # A damaged file can raise many exception types of zipfile, zlib and NumPy.
            raise UnusableFile(path, "NPZ", error) from error


def size_of_npz(path: str) -> int:
    """Return the size of all arrays of a file in memory, in bytes."""
    if not zipfile.is_zipfile(path):
        return os.path.getsize(path)
    try:
        with zipfile.ZipFile(path) as archive:
            return sum(member.file_size for member in archive.infolist())
    except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise UnusableFile(path, "NPZ", error) from error


def open_npy(path: str) -> NpyFile:
    """Open a file; raise UnusableFile unless its rows can be read."""
    file = NpyFile(path)
    if file.dtype.hasobject:
        raise UnusableFile(path, "NPY", "it contains Python objects")
    if file.size < file.expected_size:
        row_bytes = math.prod(file.shape[1:]) * file.dtype.itemsize
        whole = (file.size - file.start) // row_bytes
        raise UnusableFile(path, "NPY", f"it ends in row {whole + 1}, counted from 1")
    return file


def _pieces(array: NDArray[Any] | NpyFile, n_rows: int) -> Iterator[NDArray[Any]]:
    """Iterate over an array, `n_rows` rows at a time."""
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
        Name of y in errors.
    dtype : float32, float64 or None
        Type of the features; None: float32 unless it would lose digits.
    may_miss : bool
        Whether X may contain NaN.
    check_target : callable
        Takes y of some rows and its name, and returns it checked and converted.
    """

    table: Table | None = None

    def __init__(
        self,
        path: str,
        X: NDArray[Any] | NpyFile,
        y: NDArray[Any] | NpyFile | None,
        y_name: str,
        dtype: np.dtype[Any] | None,
        may_miss: bool,
        check_target: TargetCheck,
        *,
        is_chosen: bool = False,
    ) -> None:
        if len(X.shape) != 2 or 0 in X.shape:
            raise TableError(f"{path}: X must have rows and columns, got shape {X.shape}")
        if X.dtype.kind not in "biuf":
            raise TableError(f"{path}: X must be numeric, got dtype {X.dtype}")
        if y is not None and y.shape[:1] != X.shape[:1]:
            raise TableError(
                f"{path}: y must have one target for each of the {X.shape[0]} rows of X, "
                f"got shape {y.shape}"
            )
        self.path = path
        self.unknown: dict[str, Counter[str]] = {}
        self.notes: list[str] = []
        if dtype is None:
            dtype = self._enough(X)
        self._room = room(dtype, is_chosen)
        self.n_features: int = X.shape[1]
        self.size = math.prod(X.shape) * dtype.itemsize
        self._X, self._y, self._y_name = X, y, y_name
        self._dtype, self._may_miss, self._check_target = dtype, may_miss, check_target

    def _enough(self, X: NDArray[Any] | NpyFile) -> np.dtype[Any]:
        """Return the dtype that has enough digits for the features."""
        if X.dtype.type in EXACT_TYPES:
            return np.dtype(np.float32)
        digits = Digits(X.shape[1])
        for rows in _pieces(X, rows_at_a_time(X.shape[1])):
            digits.add(rows)
        lost = np.flatnonzero(digits.lost())
        if not lost.size:
            return np.dtype(np.float32)
        self.notes.append(f"{self.path}: {note([f'X[:, {i}]' for i in lost.tolist()])}")
        return np.dtype(np.float64)

    def __iter__(self) -> Iterator[TableRows]:
        n_rows = rows_at_a_time(self.n_features)
        targets = None if self._y is None else _pieces(self._y, n_rows)
        first = 0
        for given in _pieces(self._X, n_rows):
            X = self._features(given, first)
            y = None if targets is None else self._check_target(next(targets), self._y_name)
            first += len(given)
            yield TableRows(X, y)
            del given, X  # free the memory before the next block is read

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
                f"{self.path}: X[{first_row + row}, {column}] must be a finite {self._dtype}, "
                f"got {given[row, column]}"
                + (self._room if np.isfinite(given[row, column]) else "")
            )
        return X


def labels(y: NDArray[Any], name: str) -> NDArray[Any]:
    """Return labels, with integral floats as integers; other types raise TableError."""
    if y.ndim != 1:
        raise TableError(f"{name} must have one label per row, got shape {y.shape}")
    if y.dtype.kind == "f":
        if np.isnan(y).any():
            raise TableError(f"{name} has missing values")
        broken = fractional(y)
        if broken.any():
            raise TableError(
                f"{name} {not_a_class(y[broken.argmax()])}; use --regression for a numeric target"
            )
        return y.astype(np.int64)
    if y.dtype.kind not in "biuUO":
        raise TableError(f"{name} must contain classes (integers or strings), got dtype {y.dtype}")
    return y


def targets(y: NDArray[Any], name: str) -> NDArray[Any]:
    """Return numeric targets as float64."""
    if y.dtype.kind not in "biuf" or y.ndim not in (1, 2):
        raise TableError(f"{name} must be numeric, got dtype {y.dtype} and shape {y.shape}")
    numbers = y.astype(np.float64)
    if not np.isfinite(numbers).all():
        raise TableError(f"{name} must be finite, got {numbers[~np.isfinite(numbers)][0]}")
    return numbers


def class_labels(classes: NDArray[Any]) -> TargetCheck:
    """Return a check that maps labels to the classes of a model."""

    def check(y: NDArray[Any], name: str) -> NDArray[Any]:
        y = labels(y, name)
        texts = "UO"
        if (y.dtype.kind in texts) != (classes.dtype.kind in texts):
            raise TableError(
                f"{name} must contain classes of the model, {listing(classes.tolist())}, "
                f"got {y[:1].tolist()[0]!r}"
            )
        known = np.isin(y, classes)
        if not known.all():
            raise TableError(
                f"{name} contains the label {y[~known].tolist()[0]!r}, which is not a class of "
                "the model"
            )
        return classes[class_indices(classes, y)]

    return check


def label_rows(n_outputs: int) -> TargetCheck:
    """Return a check of multi-label targets: an indicator matrix with one column per output."""

    def check(y: NDArray[Any], name: str) -> NDArray[Any]:
        rows = y[:, None] if y.ndim == 1 else y
        if rows.shape[1:] != (n_outputs,) or not np.isin(rows, (0, 1)).all():
            raise TableError(
                f"{name} must contain {n_outputs} labels 0 or 1 per row, got shape {y.shape}"
            )
        return rows.astype(np.intp)

    return check
