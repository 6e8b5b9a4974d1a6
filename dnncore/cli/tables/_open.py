"""The dataset of a file, by what the file is."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..._data.columns import Column, Table
from ..._data.encoding import class_reader, read_numbers
from ..._data.npy import NpyFile
from . import _arrays
from ._columns import ColumnDataset, ColumnFile, check_columns, open_columns
from ._common import Dataset, TableError, listing
from ._learning import learn_layout

NPZ, NPY = ".npz", ".npy"


def matrix_data(
    path: str,
    X: NDArray[Any],
    y: NDArray[Any],
    *,
    names: Sequence[str],
    dtype: np.dtype[Any],
    regression: bool = False,
) -> Dataset:
    """Rows in memory, as if from a file with columns of these names; as `training_data`."""
    check = _arrays.targets if regression else _arrays.labels
    data = _arrays.ArrayDataset(path, X, y, "y", dtype, False, check)
    data.table = tuple(Column(name) for name in names)
    return data


def training_data(
    path: str,
    target: str | None,
    *,
    dtype: np.dtype[Any],
    regression: bool = False,
    categorical: Collection[str] = (),
    ignore: Collection[str] = (),
    may_miss: bool = False,
) -> Dataset:
    """Rows to train on.

    Parameters
    ----------
    path : str
        An NPZ file (named ``*.npz``) with arrays ``X`` and ``y``, an NPY file (``*.npy``) with
        the matrix of features, a Parquet file (``*.parquet`` or ``*.pq``), or a CSV file with a
        header row.
    target : str or None
        The column to predict, all others being features; of an NPY file the NPY file with the
        labels; None for an NPZ file.
    dtype : float32 or float64
        Of the features.
    regression : bool
        Whether the target is numbers, rather than labels.
    categorical : collection of str
        Columns whose values are categories, whatever they look like.
    ignore : collection of str
        Columns that are no features.
    may_miss : bool
        Whether cells of features may be missing.

    Returns
    -------
    Dataset
        Its ``y`` are int64, strings or booleans (labels), or float64.

    Raises
    ------
    FileError
        If the file is malformed, a column cannot be a feature, or the target no target. Cells
        are checked when they are read: of a file with columns, all are.
    OSError
        If the file cannot be read.
    """
    if _is_array_file(path):
        _refuse_for_arrays(path, categorical=categorical, ignore=ignore)
        check = _arrays.targets if regression else _arrays.labels
        return _array_data(path, target, dtype, may_miss, check)
    if target is None:
        raise TableError("--target is missing: which column of the file is to be predicted?")
    file = open_columns(path)
    names = _trained_columns(file, target, categorical, ignore)
    layout = learn_layout(
        file, names, target, categorical=categorical, regression=regression, may_miss=may_miss
    )
    table = (*layout.columns, Column(target, is_target=True))
    return ColumnDataset(file, table, dtype, may_miss, layout.read_target)


def _trained_columns(
    file: ColumnFile, target: str, categorical: Collection[str], ignore: Collection[str]
) -> list[str]:
    """The columns that become features."""
    check_columns(file, [target, *categorical, *ignore])
    for option, columns in (("--ignore", ignore), ("--categorical", categorical)):
        if target in columns:
            raise TableError(f"{option}: {target!r} is the target")
    names = [name for name in file.names if name != target and name not in ignore]
    if not names:
        raise TableError(f"{file.path}: no feature columns beside the target {target!r}")
    check_columns(file, names)
    return names


def scoring_data(
    path: str,
    *,
    table: Table | None,
    n_features: int,
    dtype: np.dtype[Any],
    may_miss: bool = False,
    target: str | None = None,
    with_target: bool = False,
    classes: NDArray[Any] | None = None,
    label_rows: bool = False,
) -> Dataset:
    """Rows for a model that has been trained.

    Parameters
    ----------
    path : str
        As in :func:`training_data`; columns that the model does not know are ignored.
    table : tuple of Column, or None
        What the model knows of its columns; None takes all columns, which must then be
        `n_features` in number.
    n_features : int
    dtype : float32 or float64
    may_miss : bool
        Whether cells of features may be missing.
    target : str, optional
        As in :func:`training_data`; default: the one that the model has been trained on.
    with_target : bool
        Whether the target is read.
    classes : array (n_classes,), optional
        The target's labels, in order; without them it is numbers.
    label_rows : bool
        Whether the target is a row of labels 0 and 1 (arrays only), one for each of the classes.

    Returns
    -------
    Dataset
        Its ``y`` are None, labels out of `classes`, rows of labels, or float64.

    Raises
    ------
    FileError, OSError
        As :func:`training_data`; also if columns are missing, or not `n_features` in number.
    """
    if not _is_array_file(path):
        if label_rows and with_target:
            raise TableError(f"{path}: several labels a row need an NPZ or NPY file")
        file = open_columns(path)
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
    """The columns of the features, and of the target if it is read."""
    if target is None:
        target = next((column.name for column in table or () if column.is_target), None)
    if with_target and target is None:
        raise TableError("--target is missing: the model does not remember its name")
    columns = [column for column in table or () if not column.is_target]
    if table is None:
        columns = [Column(name) for name in file.names if not (with_target and name == target)]
        if len(columns) != n_features:
            raise TableError(
                f"{file.path}: the model has no feature names, so the file must have its "
                f"{n_features} feature columns and no other, got {len(columns)} columns"
            )
    if with_target and target is not None:
        columns.append(Column(target, is_target=True))
    return tuple(columns)


def _is_array_file(path: str) -> bool:
    return path.lower().endswith((NPZ, NPY))


def _refuse_for_arrays(path: str, **options: Collection[str]) -> None:
    for name, value in options.items():
        if value:
            raise TableError(
                f"--{name} is for files with named columns, {path} has none; got {listing(value)}"
            )


def _array_data(
    path: str,
    target: str | None,
    dtype: np.dtype[Any],
    may_miss: bool,
    check: _arrays.TargetCheck,
    *,
    with_target: bool = True,
) -> Dataset:
    read = _npz_arrays if path.lower().endswith(NPZ) else _npy_arrays
    X, y, y_name = read(path, target, with_target)
    return _arrays.ArrayDataset(path, X, y, y_name, dtype, may_miss, check)


def _npz_arrays(
    path: str, target: str | None, with_target: bool
) -> tuple[NDArray[Any], NDArray[Any] | None, str]:
    """X and y, and what to call y in an error."""
    if target is not None:
        raise TableError(
            "--target is for CSV, Parquet and NPY files; an NPZ file holds its labels in an array y"
        )
    X, *y = _arrays.read_npz(path, *(["X", "y"] if with_target else ["X"]))
    return X, y[0] if y else None, f"{path}: y"


def _npy_arrays(
    path: str, target: str | None, with_target: bool
) -> tuple[NpyFile, NpyFile | None, str]:
    """As `_npz_arrays`."""
    X = _arrays.open_npy(path)
    if not with_target:
        return X, None, ""
    if target is None:
        raise TableError("--target is missing: which NPY file holds the labels?")
    return X, _arrays.open_npy(target), target
