"""Definitions shared by all file formats."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from ..._data import files
from ..._data.columns import Table
from ..._data.files import FileError

# Size of a block of features in float32: where blocks begin does not depend on the dtype.
FEATURE_BYTES = 16_000_000


class FileList(NamedTuple):
    """Several Parquet files with the same columns.

    Attributes
    ----------
    name : str
        What they are called in messages.
    paths : tuple of str
        Path of each file.
    """

    name: str
    paths: tuple[str, ...]

    def __str__(self) -> str:
        return self.name


Source = str | FileList  # of rows: a file, or several


class TableError(FileError):
    """A file is not a usable table; the message, one line, names the column and line."""


class TableRows(NamedTuple):
    """Consecutive rows of a file.

    Attributes
    ----------
    X : array (n, n_features)
        Features; for a model that encodes tables by itself, an Arrow table of columns.
    y : array (n,) or (n, n_outputs), or None
        Labels, an indicator matrix (multi-label), or numeric targets; None if not read.
    numbers : array (n,) or None
        Numbers of the rows in the file, from 1; None if they follow the block before.
    """

    X: NDArray[Any]
    y: NDArray[Any] | None
    numbers: NDArray[np.intp] | None = None


class Dataset(Protocol):
    """The rows of a file, in order; every iteration reads the file again.

    Attributes
    ----------
    path : str
    size : int
        Approximate memory for all rows, in bytes.
    n_features : int
    table : tuple of Column, or None
        Encoding of the columns, including the target; None for a file without named columns.
    unknown : dict
        For each categorical column, the number of rows with each unknown category, in the blocks
        read so far.
    notes : list of str
        What the user should know about the way the file is read, a line each.
    """

    path: str
    n_features: int
    table: Table | None
    unknown: dict[str, Counter[str]]
    notes: list[str]

    @property
    def size(self) -> int: ...

    def __iter__(self) -> Iterator[TableRows]: ...


def rows_at_a_time(n_features: int) -> int:
    """Return the number of rows per block."""
    return files.rows_of_a_block(4 * n_features, FEATURE_BYTES)


def class_indices(classes: NDArray[Any], y: NDArray[Any]) -> NDArray[np.intp]:
    """Return the index of each label of y in `classes`, which a predictor has in any order."""
    order = np.argsort(classes)
    return np.asarray(order[np.searchsorted(classes, y, sorter=order)])


def listing(names: Iterable[str], limit: int = 8) -> str:
    """Return the first few of `names`, quoted."""
    quoted = [repr(name) for name in names]
    more = f" and {len(quoted) - limit} more" if len(quoted) > limit else ""
    return ", ".join(quoted[:limit]) + more


def room(dtype: np.dtype[Any], is_chosen: bool) -> str:
    """Advise, after a message on a finite number that `dtype` lacks, those who can choose it."""
    return "; --dtype float64 has room for it" if is_chosen and dtype == np.float32 else ""


def fractional(numbers: NDArray[Any]) -> NDArray[np.bool_]:
    """Return a mask of the floats that are not integers, or too large to be exact."""
    with np.errstate(invalid="ignore"):
        return np.asarray((numbers != np.rint(numbers)) | (np.abs(numbers) > 2**53))


def not_a_class(number: float) -> str:
    return f"must contain classes (integers or strings), got the number {number}"
