"""Blocks of rows: unpacking, reading ahead and rechunking."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from .._core.checks import is_sparse
from .._core.csrc import all_finite
from .._core.labels import check_total, weights

T = TypeVar("T")
Arrays = tuple[Any, ...]  # or CSR matrices, with an equal number of rows; None where there is none


class Block(NamedTuple):
    """A block of rows, as given by the user.

    Attributes
    ----------
    X, y : array-like
        Features and targets, with an equal number of rows.
    sample_weight : array of shape (n_rows,) or None
        Sample weights.
    n_rows : int
        Number of rows.
    first_row : int
        Number of rows in the preceding blocks.
    number : int
        Number of preceding blocks.
    of : iterable
        Source of the block.
    """

    X: Any
    y: Any
    sample_weight: Any
    n_rows: int
    first_row: int
    number: int
    of: Any

    def place(self, row: int) -> str:
        """Describe the place of a row of the block."""
        row += self.first_row
        if hasattr(self.of, "place"):
            return str(self.of.place(row))
        return f"row {row} (block {self.number})"

    def check_finite(self, *, may_miss: bool = False) -> None:
        """Raise ValueError if X is an array of floats with an infinite value.

        Without `may_miss`, NaN is an error as well.
        """
        X = self.X
        if not isinstance(X, np.ndarray) or X.ndim != 2 or X.dtype.kind != "f":
            return
        usable = X.flags.c_contiguous and X.flags.aligned
        if usable and X.dtype.char in "fd" and X.dtype.isnative and all_finite(X):
            return
        bad = np.isinf(X) if may_miss else ~np.isfinite(X)
        if bad.any():
            row, column = np.unravel_index(bad.argmax(), bad.shape)
            names = getattr(self.of, "feature_names", None)
            raise ValueError(
                f"X must be finite, got {X[row, column]} in {self.place(int(row))}, "
                f"column {repr(names[column]) if names else column}"
            )

    @contextmanager
    def faults(self) -> Iterator[None]:
        """Add to an error which block caused it."""
        try:
            yield
        except (TypeError, ValueError) as error:
            kind = TypeError if isinstance(error, TypeError) else ValueError
            raise kind(f"in the block at {self.place(0)}: {error}") from error

    @contextmanager
    def checks(self, *, may_miss: bool) -> Iterator[None]:
        """Add to an error of a check which block caused it.

        If X is not finite, report this instead, with its place, whatever else is wrong.
        """
        try:
            with self.faults():
                yield
        except (TypeError, ValueError):
            self.check_finite(may_miss=may_miss)
            raise


class Blocks:
    """The blocks given by a user, unpacked and checked.

    Parameters
    ----------
    blocks : iterable of (X, y) or (X, y, sample_weight)
        Blocks of rows. Every iteration starts at the first block. Blocks without rows are skipped.

    Raises
    ------
    TypeError
        If `blocks` is an iterator, which can be iterated only once, or not iterable. During
        iteration: if a block is not such a tuple.
    ValueError
        During iteration: if there are no rows, the arrays of a block differ in their number of
        rows, the total number of rows differs from that of the first iteration, only some blocks
        have weights, or the sum of the weights is not finite and positive.
    """

    def __init__(self, blocks: Iterable[Any]) -> None:
        if isinstance(blocks, Iterator) or not isinstance(blocks, Iterable):
            raise TypeError(
                "blocks must be iterable more than once, like a list or an object with __iter__, "
                f"got {type(blocks).__name__}"
            )
        self._blocks = blocks
        self.n_rows: int | None = None  # known once they have been read

    def __iter__(self) -> Iterator[Block]:
        n_rows, total, weighted = 0, 0.0, None
        for number, block in enumerate(self._blocks):
            X, y, weight = _parts(block, number)
            n = _length(X)
            if n == 0:
                continue
            if weighted not in (None, weight is not None):
                raise ValueError(f"only some blocks have sample_weight; block {number} differs")
            weighted = weight is not None
            block = Block(X, y, weight, n, n_rows, number, self._blocks)
            with block.faults():
                if _length(y) != n:
                    raise ValueError(f"y must have {n} rows, like X, got {_length(y)}")
                if weighted:
                    weight = weights(weight, n, np.float64, may_be_zero=True)
            total += n if weight is None else float(weight.sum())
            n_rows += n
            self._check_number(n_rows, ended=False)
            yield block._replace(sample_weight=weight)
        self._check_number(n_rows, ended=True)
        check_total(total)
        self.n_rows = n_rows

    def _check_number(self, n_rows: int, ended: bool) -> None:
        if ended and n_rows == 0:
            raise ValueError("blocks must have at least 1 row")
        known = self.n_rows
        if known is not None and (n_rows > known or (ended and n_rows < known)):
            raise ValueError(
                f"blocks must have the same rows in every iteration: {known} at first, now "
                f"{n_rows if ended else f'more than {known}'}"
            )


def _parts(block: Any, number: int) -> tuple[Any, Any, Any]:
    if not isinstance(block, tuple | list) or len(block) not in (2, 3):
        raise TypeError(
            f"a block must be (X, y) or (X, y, sample_weight), got {type(block).__name__}"
            f"{f' of length {len(block)}' if isinstance(block, tuple | list) else ''} "
            f"as block {number}"
        )
    X, y, *weight = block
    return X, y, weight[0] if weight else None


def _length(x: Any) -> int:
    shape = np.shape(x)
    if not shape:
        raise TypeError(f"a block must contain arrays, got {x!r:.80}")
    return int(shape[0])


def read_ahead(items: Iterable[T]) -> Generator[T, None, None]:
    """Iterate over the items; while one is used, a thread fetches the next."""
    iterator, end = iter(items), object()
    with ThreadPoolExecutor(1, "dnncore-reader") as reader:
        coming = reader.submit(next, iterator, end)
        while (item := coming.result()) is not end:
            coming = reader.submit(next, iterator, end)
            yield item  # type: ignore[misc]
            del item  # before waiting for the next, so that at most two exist


def rechunk(
    blocks: Iterable[Arrays], multiple: int, rng: np.random.Generator | None = None
) -> Generator[tuple[Arrays, NDArray[np.intp] | None], None, None]:
    """Divide blocks into pieces with a multiple of `multiple` rows, except for the last.

    Rows left over at the end of a block are copied, and form a piece with the first rows of the
    next block; the others are not copied. Each piece comes with the order of its rows, or None.
    With `rng`, the rows of each block are shuffled.
    """
    carried: Arrays | None = None
    for arrays in blocks:
        n, start = arrays[0].shape[0], 0
        order = permutation(n, rng)
        if carried is not None:
            start = min(n, multiple - carried[0].shape[0])
            carried = _joined(carried, _taken(arrays, order, 0, start))
            if carried[0].shape[0] < multiple:
                continue
            yield carried, None
            carried = None
        end = n - (n - start) % multiple
        if start < end and order is None:
            yield _taken(arrays, None, start, end), None
        elif start < end:
            yield arrays, order[start:end]  # type: ignore[index]
        if end < n:
            carried = _copied(_taken(arrays, order, end, n))
    if carried is not None:
        yield carried, None


def permutation(n: int, rng: np.random.Generator | None) -> NDArray[np.intp] | None:
    """Return a random order of n rows; without `rng`, None, which means the given order."""
    return None if rng is None else rng.permutation(n).astype(np.intp, copy=False)


def _taken(arrays: Arrays, order: NDArray[np.intp] | None, start: int, end: int) -> Arrays:
    rows: Any = slice(start, end) if order is None else order[start:end]
    return tuple(None if x is None else x[rows] for x in arrays)


def _joined(first: Arrays, second: Arrays) -> Arrays:
    return tuple(None if x is None else _stacked(x, y) for x, y in zip(first, second, strict=True))


def _stacked(x: Any, y: Any) -> Any:
    if not is_sparse(x):
        return np.concatenate([x, y])
    from scipy.sparse import vstack

    return vstack([x, y], format="csr")


def _copied(arrays: Arrays) -> Arrays:
    return tuple(None if x is None else x.copy() for x in arrays)
