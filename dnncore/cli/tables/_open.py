"""Open a file as a dataset, according to its format."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from typing import Any, TypeGuard

import numpy as np
from numpy.typing import NDArray

from ..._data.categories import Categories
from ..._data.columns import Column, Table
from ..._data.csv_format import DETECT, CsvFormat
from ..._data.encoding import class_reader, read_numbers
from ..._data.npy import NpyFile
from . import _arrays, _precision
from ._columns import ColumnDataset, ColumnFile, check_columns, open_columns
from ._common import Dataset, FileList, Source, TableError, listing
from ._frames import ColumnKind, FrameDataset
from ._learning import See, learn_kinds, learn_layout, see_all

NPZ, NPY = ".npz", ".npy"


def has_named_columns(path: Source) -> bool:
    """Return whether a file is a table with named columns, rather than arrays."""
    return not _is_array_file(path)


def size_of(path: Source, csv_format: CsvFormat = DETECT) -> int:
    """Return the approximate size of all rows of a file in memory, in bytes."""
    if isinstance(path, FileList) or not _is_array_file(path):
        return open_columns(path, csv_format).size
    return _arrays.size_of_npz(path) if is_npz(path) else os.path.getsize(path)


def is_npz(path: Source) -> bool:
    """Return whether a file is an NPZ file, which cannot be read in blocks."""
    return isinstance(path, str) and path.lower().endswith(NPZ)


def kept_cells(path: str, names: Sequence[str], csv_format: CsvFormat = DETECT) -> KeptCells:
    """Return the cells of some columns of a file as texts, any number of rows at a time.

    Raises
    ------
    FileError
        If it is not a file with named columns, or has no such column.
    """
    if _is_array_file(path):
        raise TableError(f"--keep needs a file with named columns, got {path}")
    file = open_columns(path, csv_format)
    check_columns(file, names)
    return KeptCells(file, names)


class KeptCells:
    """The cells of some columns, which are read in parallel with those of the features.

    Attributes
    ----------
    names : list of str
        Names of the columns.
    """

    def __init__(self, file: ColumnFile, names: Sequence[str]) -> None:
        self.names = list(names)
        self._blocks = file.columns(names)
        self._rows: list[tuple[str, ...]] = []

    def take(self, n_rows: int) -> list[tuple[str, ...]]:
        """Return the next rows; a missing cell is empty."""
        while len(self._rows) < n_rows:
            cells = [column.to_pylist() for column in next(self._blocks)]
            texts = [["" if cell is None else str(cell) for cell in column] for column in cells]
            self._rows += zip(*texts, strict=True)
        taken, self._rows = self._rows[:n_rows], self._rows[n_rows:]
        return taken


def matrix_data(
    path: str,
    X: NDArray[Any],
    y: NDArray[Any],
    *,
    names: Sequence[str],
    dtype: np.dtype[Any],
    regression: bool = False,
) -> Dataset:
    """Return rows in memory as a dataset with named columns; see `training_data`."""
    check = _arrays.targets if regression else _arrays.labels
    data = _arrays.ArrayDataset(path, X, y, "y", dtype, False, check)
    data.table = tuple(Column(name) for name in names)
    return data


def training_data(
    path: Source,
    target: str | None,
    *,
    dtype: np.dtype[Any] | None,
    regression: bool = False,
    categorical: Collection[str] = (),
    ignore: Collection[str] = (),
    may_miss: bool = False,
    csv_format: CsvFormat = DETECT,
    see: See = see_all,
) -> Dataset:
    """Return the training rows of a file.

    Parameters
    ----------
    path : str or FileList
        An NPZ file (``*.npz``) with arrays ``X`` and ``y``, an NPY file (``*.npy``) with the
        matrix of features, a Parquet file (``*.parquet`` or ``*.pq``), or a CSV file with a
        header row; or several Parquet files.
    target : str or None
        Column to predict; all others are features. If `path` is an NPY file, the NPY file with
        the targets. None for an NPZ file.
    dtype : float32, float64 or None
        Type of the features; None: float32, or float64 if float32 would lose digits.
    regression : bool
        Whether the target is numeric, rather than labels.
    categorical : collection of str
        Columns to treat as categories, whatever they contain.
    ignore : collection of str
        Columns not used as features.
    may_miss : bool
        Whether features may have missing values.
    csv_format : CsvFormat
        What is known of the format of a CSV file.
    see : callable
        What reads the rows of a file with named columns to learn their encoding.

    Returns
    -------
    Dataset
        Its ``y`` contains int64, strings or booleans (labels), or float64.

    Raises
    ------
    FileError
        If the file is malformed, a column cannot be used as a feature, or the target cannot be
        used as a target. Values are checked when they are read; a file with named columns is
        read completely.
    OSError
        If the file cannot be read.
    """
    if _is_array_file(path):
        _reject_for_arrays(path, categorical=categorical, ignore=ignore)
        check = _arrays.targets if regression else _arrays.labels
        return _array_data(path, target, dtype, may_miss, check, is_chosen=True)
    if target is None:
        raise TableError("--target is missing; it names the column to predict")
    file = open_columns(path, csv_format)
    names = _trained_columns(file, target, categorical, ignore)
    layout = learn_layout(
        file, names, target,
        categorical=categorical, regression=regression, may_miss=may_miss, see=see,
    )  # fmt: skip
    table = (*layout.columns, Column(target, is_target=True))
    notes = []
    if dtype is None and layout.many_digits:
        notes.append(f"{path}: {_precision.note(layout.many_digits)}")
    dtype = dtype or np.dtype(np.float64 if notes else np.float32)
    data = ColumnDataset(file, table, dtype, may_miss, layout.read_target, is_chosen=True)
    data.notes += notes
    return data


def training_frame(
    path: Source,
    target: str | None,
    *,
    regression: bool = False,
    categorical: Collection[str] = (),
    ignore: Collection[str] = (),
    csv_format: CsvFormat = DETECT,
) -> Dataset:
    """Return the training rows of a file for a model that encodes tables by itself.

    Parameters and errors are those of :func:`training_data`. Rows of files with named columns are
    Arrow tables.
    """
    if _is_array_file(path) or target is None:
        return training_data(
            path, target, dtype=np.dtype(np.float64), regression=regression,
            categorical=categorical, ignore=ignore, may_miss=True,
        )  # fmt: skip
    file = open_columns(path, csv_format)
    names = _trained_columns(file, target, categorical, ignore)
    kinds, reader = learn_kinds(file, names, target, categorical=categorical, regression=regression)
    return FrameDataset(file, kinds, target, reader)


def scoring_frame(
    path: Source,
    *,
    columns: Mapping[str, ColumnKind] | None,
    categories: Mapping[str, Categories],
    n_features: int,
    known_target: str | None,
    target: str | None = None,
    with_target: bool = False,
    classes: NDArray[Any] | None = None,
    csv_format: CsvFormat = DETECT,
) -> Dataset:
    """Return the rows of a file for a trained model that encodes tables by itself.

    Parameters
    ----------
    columns : mapping of str to ColumnKind, or None
        The columns of the model; None if they have no names. Then, all `n_features` columns of
        the file are used.
    categories : mapping of str to Categories
        The known values of columns of which unknown ones are to be counted.
    known_target : str or None
        The target that the model was trained on.
    path, n_features, target, with_target, classes, csv_format
        As in :func:`scoring_data`, as are the errors.
    """
    table = () if known_target is None else (Column(known_target, is_target=True),)
    if _is_array_file(path):
        return scoring_data(
            path, table=table, n_features=n_features, dtype=np.dtype(np.float64), may_miss=True,
            target=target, with_target=with_target, classes=classes,
        )  # fmt: skip
    file = open_columns(path, csv_format)
    names = None if columns is None else tuple(map(Column, columns))
    wanted = _scored_columns(
        file, None if names is None else names + table, n_features, target, with_target
    )
    check_columns(file, [column.name for column in wanted])
    read = next((column.name for column in wanted if column.is_target), None)
    if columns is None:
        categories = {}
        columns = {column.name: "as it is" for column in wanted if not column.is_target}
    reader = read_numbers if classes is None else class_reader(classes)
    return FrameDataset(file, columns, read, reader if read else None, categories)


def _trained_columns(
    file: ColumnFile, target: str, categorical: Collection[str], ignore: Collection[str]
) -> list[str]:
    """Return the names of the feature columns."""
    check_columns(file, [target, *categorical, *ignore])
    for option, columns in (("--ignore", ignore), ("--categorical", categorical)):
        if target in columns:
            raise TableError(f"{option} must not name the target, got {target!r}")
    names = [name for name in file.names if name != target and name not in ignore]
    if not names:
        raise TableError(f"{file.path}: no feature columns besides the target {target!r}")
    check_columns(file, names)
    return names


def scoring_data(
    path: Source,
    *,
    table: Table | None,
    n_features: int,
    dtype: np.dtype[Any],
    may_miss: bool = False,
    target: str | None = None,
    with_target: bool = False,
    classes: NDArray[Any] | None = None,
    label_rows: bool = False,
    csv_format: CsvFormat = DETECT,
) -> Dataset:
    """Return the rows of a file for a trained model.

    Parameters
    ----------
    path : str
        As in :func:`training_data`; columns unknown to the model are ignored.
    table : tuple of Column, or None
        Encoding of the columns stored with the model. If None, all `n_features` columns of the
        file are used.
    n_features : int
        Number of features of the model.
    dtype : float32 or float64
        Type of the features.
    may_miss : bool
        Whether features may have missing values.
    target : str, optional
        As in :func:`training_data`. Default: the target that the model was trained on.
    with_target : bool
        Whether to read the target.
    classes : array (n_classes,), optional
        Labels of the target, in order; None if the target is numeric.
    label_rows : bool
        Whether the target is multi-label: 0 or 1 for each class in every row (arrays only).
    csv_format : CsvFormat
        What is known of the format of a CSV file.

    Returns
    -------
    Dataset
        Its ``y`` is None, or contains labels from `classes`, an indicator matrix, or float64.

    Raises
    ------
    FileError, OSError
        As in :func:`training_data`; also if columns are missing, or their number is not
        `n_features`.
    """
    if not _is_array_file(path):
        if label_rows and with_target:
            raise TableError(f"{path}: multi-label targets need an NPZ or NPY file")
        file = open_columns(path, csv_format)
        wanted = _scored_columns(file, table, n_features, target, with_target)
        check_columns(file, [column.name for column in wanted])
        reader = read_numbers if classes is None else class_reader(classes)
        return ColumnDataset(file, wanted, dtype, may_miss, reader if with_target else None)
    check: _arrays.TargetCheck = _arrays.targets
    if classes is not None:
        check = _arrays.label_rows(len(classes)) if label_rows else _arrays.class_labels(classes)
    data = _array_data(path, target, dtype, may_miss, check, with_target=with_target)
    if data.n_features != n_features:
        raise TableError(
            f"{path}: X must have {n_features} columns, like the model, got {data.n_features}"
        )
    return data


def _scored_columns(
    file: ColumnFile, table: Table | None, n_features: int, target: str | None, with_target: bool
) -> Table:
    """Return the feature columns, and the target if it is read."""
    if target is None:
        target = next((column.name for column in table or () if column.is_target), None)
    if with_target and target is None:
        raise TableError("--target is missing, and the model file does not contain its name")
    columns = [column for column in table or () if not column.is_target]
    if table is None:
        columns = [Column(name) for name in file.names if not (with_target and name == target)]
        if len(columns) != n_features:
            raise TableError(
                f"{file.path}: the model has no feature names, so the file must have exactly "
                f"{n_features} feature columns, got {len(columns)}"
            )
    if with_target and target is not None:
        columns.append(Column(target, is_target=True))
    return tuple(columns)


def _is_array_file(path: Source) -> TypeGuard[str]:
    return isinstance(path, str) and path.lower().endswith((NPZ, NPY))


def _reject_for_arrays(path: str, **options: Collection[str]) -> None:
    for name, value in options.items():
        if value:
            raise TableError(
                f"--{name} needs a file with named columns, got {listing(value)} for {path}"
            )


def _array_data(
    path: str,
    target: str | None,
    dtype: np.dtype[Any] | None,
    may_miss: bool,
    check: _arrays.TargetCheck,
    *,
    with_target: bool = True,
    is_chosen: bool = False,
) -> Dataset:
    read = _npz_arrays if is_npz(path) else _npy_arrays
    X, y, y_name = read(path, target, with_target)
    return _arrays.ArrayDataset(path, X, y, y_name, dtype, may_miss, check, is_chosen=is_chosen)


def _npz_arrays(
    path: str, target: str | None, with_target: bool
) -> tuple[NDArray[Any], NDArray[Any] | None, str]:
    """Return X and y, and the name of y in errors."""
    if target is not None:
        raise TableError(
            "--target needs a CSV, Parquet or NPY file; an NPZ file contains the targets in an "
            "array y"
        )
    X, *y = _arrays.read_npz(path, *(["X", "y"] if with_target else ["X"]))
    return X, y[0] if y else None, f"{path}: y"


def _npy_arrays(
    path: str, target: str | None, with_target: bool
) -> tuple[NpyFile, NpyFile | None, str]:
    """See `_npz_arrays`."""
    X = _arrays.open_npy(path)
    if not with_target:
        return X, None, ""
    if target is None:
        raise TableError("--target is missing; it names the NPY file with the targets")
    return X, _arrays.open_npy(target), target
