"""Files larger than memory, as blocks of rows for `fit_blocks`.

`fit_blocks` takes any iterable of ``(X, y)`` or ``(X, y, sample_weight)`` blocks that gives the
same rows in every iteration: a list of tuples, an object with ``__iter__``, or an instance of the
classes in this module. If it has a method ``place(row)`` or an attribute ``feature_names``, error
messages use them to describe rows and name columns.

A model can also score block by block::

    for X, y in NpyBlocks("X.npy", "y.npy"):
        probabilities = model.predict_proba(X)
"""

from __future__ import annotations

import os
from bisect import bisect_right
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from ._core.checks import integer
from ._data.arrow import is_number_type, is_text_type, labels, numbers, plain
from ._data.files import FilePath, rows_of_a_block
from ._data.npy import NpyFile
from ._data.parquet import ParquetFile

__all__ = ["NpyBlocks", "ParquetBlocks"]

# Size of the X that Arrow's reader gives at a time; the reader needs several times this memory.
PIECE_BYTES = 1 << 20


class NpyBlocks:
    """Blocks of rows from NPY files, for `fit_blocks`; see :mod:`dnncore.blocks`.

    The files are read in pieces, not mapped into memory.

    Parameters
    ----------
    X_path : path
        File of an array of numbers of shape (n_samples, n_features), in C order.
    y_path : path
        File of an array of numbers or strings of shape (n_samples,) or (n_samples, n_outputs).
    sample_weight_path : path, default=None
        File of an array of numbers of shape (n_samples,).
    rows_per_block : int, default=None
        Number of rows per block. By default, X takes up to 8 MiB per block.
    dtype : {numpy.float32, numpy.float64}, default=None
        Dtype that X is converted to. By default, float32 stays float32, and anything else becomes
        float64.

    Attributes
    ----------
    n_samples, n_features : int
        Number of rows, and of columns of X.

    Raises
    ------
    OSError
        If a file cannot be read.
    TypeError, ValueError
        If a file is not an NPY file of that kind or has the wrong length, or the files differ in
        their number of rows. During iteration: if a file has changed since it was opened.

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
        X_path: FilePath,
        y_path: FilePath,
        sample_weight_path: FilePath | None = None,
        *,
        rows_per_block: int | None = None,
        dtype: DTypeLike | None = None,
    ) -> None:
        X = self._X = _array_file(X_path, "biuf", (2,))
        self._others = [_array_file(y_path, "biufUS", (1, 2))]
        if sample_weight_path is not None:
            self._others.append(_array_file(sample_weight_path, "biuf", (1,)))
        self.n_samples, self.n_features = X.shape
        if 0 in X.shape:
            raise ValueError(f"{X.path}: X must have rows and columns, got shape {X.shape}")
        for file in self._others:
            if file.shape[0] != self.n_samples:
                raise ValueError(
                    f"{file.path} must have {self.n_samples} rows, like {X.path}, "
                    f"got {file.shape[0]}"
                )
        self._dtype = _real_dtype(dtype, X.dtype)
        row_bytes = self.n_features * max(self._dtype.itemsize, X.dtype.itemsize)
        self._rows = _rows_per_block(rows_per_block, row_bytes)

    def __iter__(self) -> Iterator[tuple[NDArray[Any], ...]]:
        X_pieces, *others = [file.pieces(self._rows) for file in (self._X, *self._others)]
        for _ in range(0, self.n_samples, self._rows):
            with np.errstate(over="ignore"):  # The caller checks for infinity.
                X = next(X_pieces).astype(self._dtype, copy=False)
            yield X, *map(next, others)
            del X  # before the next is read

    def place(self, row: int) -> str:
        """Describe the place of a row."""
        return f"row {row} of {self._X.path}"


def _array_file(path: FilePath, kinds: str, ndims: tuple[int, ...]) -> NpyFile:
    """Open a file, and check the kind of its dtype and its number of dimensions."""
    file = NpyFile(path)
    if file.by_columns:
        raise ValueError(
            f"{file.path} must be in C order, got Fortran order: save numpy.ascontiguousarray(X) "
            "instead"
        )
    if file.dtype.kind not in kinds:
        wanted = "numbers or strings" if "U" in kinds else "numbers"
        raise TypeError(f"{file.path} must contain {wanted}, got {file.dtype}")
    if len(file.shape) not in ndims:
        wanted = " or ".join(map(str, ndims))
        raise ValueError(
            f"{file.path} must contain an array of {wanted} dimensions, got shape {file.shape}"
        )
    if file.size != file.expected_size:
        raise ValueError(
            f"{file.path} must be {file.expected_size} bytes long for its shape {file.shape} of "
            f"{file.dtype}, got {file.size}"
        )
    return file


class ParquetBlocks:
    """Blocks of rows from Parquet files, for `fit_blocks`; see :mod:`dnncore.blocks`.

    Parameters
    ----------
    path : path, or sequence of paths
        One or more files. All files have the same columns; their rows are concatenated.
    target : str, or sequence of str
        Column of y, which contains numbers, Booleans or strings; or several columns of numbers or
        Booleans.
    columns : sequence of str, default=None
        Columns of X, in order. By default, all columns except `target` and `sample_weight`.
    sample_weight : str, default=None
        Column of sample weights, which contains numbers.
    encode : callable, default=None
        Function that converts a ``pyarrow.RecordBatch`` of `columns` to a matrix of shape
        (n, n_features). Without it, `columns` must contain numbers or Booleans; null becomes NaN,
        which the estimator treats according to its `missing_values`.
    rows_per_block : int, default=None
        Number of rows per block. By default, X takes up to 8 MiB per block (with `encode`, at 8
        bytes per column).
    dtype : {numpy.float32, numpy.float64}, default=None
        Dtype of X. By default, float32 if all `columns` are float32, otherwise float64. With
        `encode`, the function determines the dtype.

    Attributes
    ----------
    n_samples : int
        Number of rows.
    columns : list of str
        Columns of X.
    feature_names : list of str or None
        Same as `columns`; None with `encode`.

    Raises
    ------
    ImportError
        If pyarrow is not installed.
    OSError
        If a file cannot be read.
    TypeError, ValueError
        If a file is not a Parquet file, or a column is absent or has the wrong type. During
        iteration: if a file has changed since it was opened or is damaged, or a value of the
        target or of the weights is missing.

    Notes
    -----
    In addition to the blocks, a Parquet reader keeps a page and the dictionary of each column in
    memory: about two megabytes per column for files written with the usual settings.

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
        path: FilePath | Sequence[FilePath],
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
        self._files = [ParquetFile(path) for path in paths]
        self._single = isinstance(target, str)
        self._targets = [target] if isinstance(target, str) else list(target)
        self._weight, self._encode = sample_weight, encode
        others = [*self._targets, *([] if sample_weight is None else [sample_weight])]
        if columns is None:
            columns = [name for name in self._files[0].names if name not in others]
        self.columns = list(columns)
        self.feature_names = None if encode else self.columns
        if not self.columns or not self._targets:
            raise ValueError("columns and target must name at least one column")
        for file in self._files:
            self._check_columns(file)
        self.n_samples = sum(file.n_rows for file in self._files)
        self._dtype = _real_dtype(dtype, self._stored_dtype())
        row_bytes = len(self.columns) * (8 if encode else self._dtype.itemsize)
        self._rows = _rows_per_block(rows_per_block, row_bytes)
        self._rows_of_a_piece = rows_of_a_block(row_bytes, PIECE_BYTES)
        self._names = list(dict.fromkeys([*self.columns, *others]))

    def _check_columns(self, file: ParquetFile) -> None:
        if not self._encode:
            _require(file, self.columns, _is_number, "numbers or Booleans")
        if self._single:
            _require(file, self._targets, _is_label, "numbers, Booleans or strings")
        else:
            _require(file, self._targets, _is_number, "numbers or Booleans")
        _require(file, [self._weight] if self._weight else [], _is_number, "numbers")
        _require(file, self.columns)

    def _stored_dtype(self) -> np.dtype[Any]:
        """Return float32 if all features are float32, otherwise float64."""
        from pyarrow import types

        kinds = [file.schema.field(name).type for file in self._files for name in self.columns]
        return np.dtype(np.float32 if all(map(types.is_float32, kinds)) else np.float64)

    def __iter__(self) -> Iterator[tuple[NDArray[Any], ...]]:
        pieces = (piece for file in self._files for piece in self._pieces(file))
        return _regrouped(pieces, min(self._rows, max(self.n_samples, 1)))

    def _pieces(self, file: ParquetFile) -> Iterator[tuple[NDArray[Any], ...]]:
        """Iterate over the X, y and weights of a file, in pieces no larger than a block."""
        first = 0
        n_pieces = -(-self._rows // self._rows_of_a_piece)
        for batch in file.batches(self._names, -(-self._rows // n_pieces)):
            X = self._matrix(batch)
            y = [_present(file, name, batch.column(name), first) for name in self._targets]
            others = [y[0] if self._single else np.column_stack(y)]
            if self._weight is not None:
                others.append(_present(file, self._weight, batch.column(self._weight), first))
            first += batch.num_rows
            yield X, *others
            del X, batch  # before the next is read

    def _matrix(self, batch: Any) -> NDArray[Any]:
        if self._encode is not None:
            return self._encoded(self._encode(batch.select(self.columns)), batch.num_rows)
        values = [numbers(batch.column(name)) for name in self.columns]
        X = np.empty((batch.num_rows, len(values)), self._dtype)
        with np.errstate(over="ignore"):  # The caller checks for infinity.
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
        """Describe the place of a row."""
        starts = np.cumsum([0, *(file.n_rows for file in self._files)])
        number = bisect_right(starts, row) - 1
        return self._files[number].place(row - int(starts[number]))


def _require(
    file: ParquetFile,
    names: Sequence[str],
    test: Callable[[Any], bool] = lambda kind: True,
    wanted: str = "",
) -> None:
    """Raise unless each column exists exactly once and its type passes the test."""
    for name in names:
        count = file.names.count(name)
        if count != 1:
            raise ValueError(
                f"{file.path} must have one column {name!r}, got {count} among "
                f"{len(file.names)} columns"
            )
        kind = file.schema.field(name).type
        if not test(kind):
            raise TypeError(f"{file.path}: column {name!r} must contain {wanted}, got {kind}")


def _is_number(kind: Any) -> bool:
    from pyarrow import types

    return is_number_type(kind) or types.is_boolean(kind)


def _is_label(kind: Any) -> bool:
    from pyarrow import types

    kind = kind.value_type if types.is_dictionary(kind) else kind
    return _is_number(kind) or is_text_type(kind)


def _present(file: ParquetFile, name: str, column: Any, first_row: int) -> NDArray[Any]:
    """Return the labels or weights of a column; raise ValueError if one is null."""
    column = plain(column)
    if column.null_count:
        row = first_row + column.is_null().index(True).as_py()
        raise ValueError(f"column {name!r} has no value in {file.place(row)}")
    return labels(column)


def _regrouped(
    pieces: Iterator[tuple[NDArray[Any], ...]], rows: int
) -> Iterator[tuple[NDArray[Any], ...]]:
    """Regroup the same rows into blocks of `rows` rows."""
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


def _rows_per_block(wanted: int | None, row_bytes: int) -> int:
    """Return `rows_per_block`; by default, as many rows as fit into 8 MiB."""
    if wanted is not None:
        return integer("rows_per_block", wanted, low=1)
    return rows_of_a_block(row_bytes)


def _real_dtype(wanted: DTypeLike | None, stored: np.dtype[Any]) -> np.dtype[Any]:
    """Return `dtype`; by default, float32 if the stored dtype is float32, otherwise float64."""
    if wanted is None:
        return np.dtype(np.float32 if stored.newbyteorder("=") == np.float32 else np.float64)
    dtype = np.dtype(wanted)
    if dtype not in (np.float32, np.float64):
        raise TypeError(f"dtype must be float32 or float64, got {dtype}")
    return dtype
