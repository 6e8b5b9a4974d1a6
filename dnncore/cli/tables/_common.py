"""What the kinds of files have in common."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from ..._data import files
from ..._data.columns import Table
from ..._data.files import FileError

# Of a block of features, as float32: where blocks begin does not depend on the dtype.
BLOCK_BYTES = 16_000_000


class TableError(FileError):
    """A file is no usable table; the message, one line, says in which column and line."""


class TableRows(NamedTuple):
    """Some rows that stand together in a file.

    Attributes
    ----------
    X : array (n, n_features)
    y : array (n,) or (n, n_outputs), or None
        Labels, rows of labels 0 and 1, or numbers; None where no target was asked for.
    """

    X: NDArray[Any]
    y: NDArray[Any] | None


class Dataset(Protocol):
    """The rows of a file, in order; every iteration reads the file anew.

    Attributes
    ----------
    path : str
    size : int
        Bytes that all rows take in memory, about.
    n_features : int
    table : tuple of Column, or None
        How columns became features, and the target; None for a file without columns.
    unknown : dict
        For each column of categories, how many rows had which value that is none of them; of the
        blocks read so far.
    """

    path: str
    size: int
    n_features: int
    table: Table | None
    unknown: dict[str, Counter[str]]

    def __iter__(self) -> Iterator[TableRows]: ...


def rows_at_a_time(n_features: int) -> int:
    """How many rows a dataset gives at a time."""
    return files.rows_of_a_block(4 * n_features, BLOCK_BYTES)


def listing(names: Iterable[str], limit: int = 8) -> str:
    """Return the first few of `names`, quoted."""
    quoted = [repr(name) for name in names]
    more = f" and {len(quoted) - limit} more" if len(quoted) > limit else ""
    return ", ".join(quoted[:limit]) + more


def fractional(numbers: NDArray[Any]) -> NDArray[np.bool_]:
    """Which of some floats are no integers that they hold exactly."""
    with np.errstate(invalid="ignore"):
        return np.asarray((numbers != np.rint(numbers)) | (np.abs(numbers) > 2**53))


def not_a_class(number: float) -> str:
    return f"must hold classes (integers or strings), got the number {number}"
