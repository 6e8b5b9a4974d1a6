"""Blocks of rows of Parquet files."""

from __future__ import annotations

import os
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from .files import Path, Stamp, real_dtype, rows_of_a_block

PIECE_BYTES = 1 << 20  # of X, that Arrow's reader gives at a time: it takes several times as much
BUFFER_BYTES = 1 << 16  # of a column chunk, that are read at a time


class ParquetBlocks:
    """Blocks of rows of Parquet files, for `fit_blocks`; see :mod:`dnncore.blocks`.

    Parameters
    ----------
    path : path, or sequence of paths
        Several files have the same columns; their rows follow one another.
    target : str, or sequence of str
        The column y, of numbers, truth values or strings; or several of numbers or truth values.
    columns : sequence of str, optional
        The features, in their order; default: all but `target` and `sample_weight`.
    sample_weight : str, optional
        A column of numbers.
    encode : callable, optional
        Makes a matrix (n, n_features) of a ``pyarrow.RecordBatch`` of `columns`. Without it they
        must be numbers or truth values; a null is NaN, which the estimator judges.
    rows_per_block : int, optional
        Default: as many as take 8 MiB of X, at 8 bytes a column where there is `encode`.
    dtype : {numpy.float32, numpy.float64}, optional
        Of X; default: float32 if all `columns` are, else float64. `encode` chooses its own.

    Attributes
    ----------
    n_samples : int
    columns : list of str
    feature_names : list of str or None
        `columns`, where there is no `encode`.

    Raises
    ------
    ImportError
        Without pyarrow.
    OSError
        If a file cannot be read.
    TypeError, ValueError
        If a file is no Parquet file, or a column is not there or not of a type that it must have.
        In an iteration: if a file has changed since, or is damaged, or a value of the target or of
        the weights is missing.

    Notes
    -----
    Beside its blocks, a Parquet reader holds a page and the dictionary of each column: together
    about two megabytes a column, where a file was written with the usual settings.

    Examples
    --------
    ::

        from dnncore import DNNClassifier
        from dnncore.blocks import ParquetBlocks

        blocks = ParquetBlocks("flights.parquet", "delayed", sample_weight="passengers")
        model = DNNClassifier().fit_blocks(blocks)
    """

    def __init__(
        self,
        path: Path | Sequence[Path],
        target: str | Sequence[str],
        columns: Sequence[str] | None = None,
        sample_weight: str | None = None,
        encode: Callable[[Any], ArrayLike] | None = None,
        *,
        rows_per_block: int | None = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        paths = [path] if isinstance(path, str | os.PathLike) else list(path)
        if not paths:
            raise ValueError("path must name at least one file, got none")
        self._files = [_ParquetFile(path) for path in paths]
        self._single = isinstance(target, str)
        self._targets = [target] if isinstance(target, str) else list(target)
        self._weight, self._encode = sample_weight, encode
        others = [*self._targets, *([] if sample_weight is None else [sample_weight])]
        if columns is None:
            columns = [name for name in self._files[0].schema.names if name not in others]
        self.columns = list(columns)
        self.feature_names = None if encode else self.columns
        if not self.columns or not self._targets:
            raise ValueError("columns and target must name at least one column")
        for file in self._files:
            if not encode:
                file.require(self.columns, _is_number, "numbers or truth values")
            if self._single:
                file.require(self._targets, _is_label, "numbers, truth values or strings")
            else:
                file.require(self._targets, _is_number, "numbers or truth values")
            file.require([sample_weight] if sample_weight else [], _is_number, "numbers")
            file.require(self.columns)
        self.n_samples = sum(file.n_rows for file in self._files)
        self._dtype = real_dtype(dtype, self._stored_dtype())
        row_bytes = len(self.columns) * (8 if encode else self._dtype.itemsize)
        self._rows = rows_of_a_block(rows_per_block, row_bytes)
        self._rows_of_a_piece = max(1, PIECE_BYTES // row_bytes)
        self._names = list(dict.fromkeys([*self.columns, *others]))

    def _stored_dtype(self) -> np.dtype[Any]:
        """float32, if all features are."""
        from pyarrow import types

        kinds = [file.schema.field(name).type for file in self._files for name in self.columns]
        return np.dtype(np.float32 if all(map(types.is_float32, kinds)) else np.float64)

    def __iter__(self) -> Iterator[tuple[NDArray[Any], ...]]:
        pieces = (piece for file in self._files for piece in self._pieces(file))
        return _together(pieces, min(self._rows, max(self.n_samples, 1)))

    def _pieces(self, file: _ParquetFile) -> Iterator[tuple[NDArray[Any], ...]]:
        """X, y and weights of the rows of a file, fewer at a time than a block has."""
        first = 0
        n_pieces = -(-self._rows // self._rows_of_a_piece)
        for batch in file.batches(self._names, -(-self._rows // n_pieces)):
            X = self._matrix(batch)
            y = [_labels(file, name, batch.column(name), first) for name in self._targets]
            others = [y[0] if self._single else np.column_stack(y)]
            if self._weight is not None:
                others.append(_labels(file, self._weight, batch.column(self._weight), first))
            first += batch.num_rows
            yield X, *others
            del X, batch  # before the next is read

    def _matrix(self, batch: Any) -> NDArray[Any]:
        if self._encode is not None:
            return self._encoded(self._encode(batch.select(self.columns)), batch.num_rows)
        values = [_numbers(batch.column(name)) for name in self.columns]
        X = np.empty((batch.num_rows, len(values)), self._dtype)
        with np.errstate(over="ignore"):  # Infinity is for others to judge.
            for j, column in enumerate(values):
                X[:, j] = column
        return X

    @staticmethod
    def _encoded(X: ArrayLike, n_rows: int) -> NDArray[Any]:
        X = np.asarray(X)
        if X.ndim != 2 or len(X) != n_rows:
            raise ValueError(f"encode must return a matrix of {n_rows} rows, got shape {X.shape}")
        return X

    def place(self, row: int) -> str:
        """Where a row is, in words."""
        starts = np.cumsum([0, *(file.n_rows for file in self._files)])
        number = bisect_right(starts, row) - 1
        return self._files[number].place(row - int(starts[number]))


def _together(
    pieces: Iterator[tuple[NDArray[Any], ...]], rows: int
) -> Iterator[tuple[NDArray[Any], ...]]:
    """The same rows, so many at a time."""
    X: NDArray[Any] | None = None
    others: list[list[NDArray[Any]]] = []
    n = 0
    for x, *rest in pieces:
        start = 0
        while start < len(x):
            if X is None:
                X = np.empty((rows, x.shape[1]), x.dtype)
            if x.shape[1] != X.shape[1]:
                raise ValueError(
                    f"encode must return {X.shape[1]} columns as before, got {x.shape[1]}"
                )
            end = min(start + rows - n, len(x))
            X[n : n + end - start] = x[start:end]
            others.append([array[start:end] for array in rest])
            n, start = n + end - start, end
            if n == rows:
                yield X, *map(np.concatenate, zip(*others, strict=True))
                X, n, others = None, 0, []
    if X is not None:
        yield X[:n], *map(np.concatenate, zip(*others, strict=True))


class _ParquetFile:
    """A file, of which each iteration reads the columns anew."""

    def __init__(self, path: Path) -> None:
        self.path = os.fspath(path)
        self._stamp = Stamp.of(path)
        with self._opened() as file:
            self.schema = file.schema_arrow
            groups = [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)]
        self.n_rows: int = sum(groups)
        self._group_ends = np.cumsum(groups)

    @contextmanager
    def _opened(self) -> Iterator[Any]:
        try:
            import pyarrow
            from pyarrow import parquet
        except ImportError as error:
            raise ImportError(
                "ParquetBlocks needs pyarrow: pip install 'dnncore[cli]'", name="pyarrow"
            ) from error
        self._stamp.check()
        try:
            file = parquet.ParquetFile(self.path, pre_buffer=False, buffer_size=BUFFER_BYTES)
        except pyarrow.ArrowException as error:
            raise ValueError(f"{self.path} is not a usable Parquet file: {error}") from error
        with file:
            yield file

    def require(
        self,
        names: Sequence[str],
        test: Callable[[Any], bool] = lambda kind: True,
        wanted: str = "",
    ) -> None:
        """Raise unless each of the columns is there, once, and of a type that passes the test."""
        for name in names:
            count = self.schema.names.count(name)
            if count != 1:
                raise ValueError(
                    f"{self.path} must have one column {name!r}, got {count} among "
                    f"{len(self.schema.names)} columns"
                )
            kind = self.schema.field(name).type
            if not test(kind):
                raise TypeError(f"{self.path}: column {name!r} must hold {wanted}, got {kind}")

    def batches(self, names: Sequence[str], rows: int) -> Iterator[Any]:
        """Record batches of some columns."""
        import pyarrow

        done = 0
        with self._opened() as file:
            batches = file.iter_batches(rows, columns=names, use_threads=False)
            while True:
                try:
                    batch = next(batches, None)
                except (pyarrow.ArrowException, OSError) as error:
                    where = self.place(min(done, self.n_rows - 1))
                    raise ValueError(f"{where} or one after it cannot be read: {error}") from error
                if batch is None:
                    break
                done += batch.num_rows
                yield batch
                del batch
        del batches
        # What the pool keeps of this thread would be no use to that of the next pass.
        pyarrow.default_memory_pool().release_unused()

    def place(self, row: int) -> str:
        group = bisect_right(self._group_ends, row)
        return f"row {row} of {self.path} (row group {group})"


def _is_number(kind: Any) -> bool:
    from pyarrow import types

    tests = types.is_integer, types.is_floating, types.is_boolean, types.is_decimal
    return any(test(kind) for test in tests)


def _is_text(kind: Any) -> bool:
    return str(kind) in ("string", "large_string", "string_view")


def _is_label(kind: Any) -> bool:
    from pyarrow import types

    kind = kind.value_type if types.is_dictionary(kind) else kind
    return _is_number(kind) or _is_text(kind)


def _numbers(column: Any) -> NDArray[Any]:
    """A column, of which nulls are NaN."""
    import pyarrow
    from pyarrow import types

    if types.is_boolean(column.type):
        column = column.cast(pyarrow.uint8())
    elif types.is_decimal(column.type):
        column = column.cast(pyarrow.float64())
    return column.to_numpy(zero_copy_only=False)  # type: ignore[no-any-return]


def _labels(file: _ParquetFile, name: str, column: Any, first: int) -> NDArray[Any]:
    """A column without nulls."""
    from pyarrow import types

    if types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if column.null_count:
        row = first + column.is_null().index(True).as_py()
        raise ValueError(f"column {name!r} has no value in {file.place(row)}")
    if _is_text(column.type):
        return column.to_numpy(zero_copy_only=False).astype(str)  # type: ignore[no-any-return]
    if types.is_boolean(column.type):
        return column.to_numpy(zero_copy_only=False)  # type: ignore[no-any-return]
    return _numbers(column)
