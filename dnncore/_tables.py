"""Feature matrices and labels out of CSV and NPZ files, for the command line."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["TableError", "read_features", "read_training"]


class TableError(ValueError):
    """A file is no usable table; the message, one line, says in which column and line."""


def read_training(
    path: str, target: str | None, dtype: np.dtype[Any]
) -> tuple[NDArray[Any], NDArray[Any], list[str] | None]:
    """Read the rows to train on.

    Parameters
    ----------
    path : str
        An NPZ file (named ``*.npz``) with arrays ``X`` and ``y``, or a CSV file with a header row.
    target : str or None
        The label column of a CSV file; every other column is a feature. None for an NPZ file.
    dtype : float32 or float64
        Of the feature matrix.

    Returns
    -------
    X : ndarray of shape (n_samples, n_features)
    y : ndarray of shape (n_samples,)
        Integers, strings or, from NPZ only, booleans.
    feature_names : list of str or None
        None from NPZ.

    Raises
    ------
    TableError
        If the file is malformed, has a missing, non-numeric or infinite feature, or labels that
        are neither integers nor strings.
    OSError
        If the file cannot be read.
    """
    if _is_npz(path):
        if target is not None:
            raise TableError(
                "--target is for CSV files; an NPZ file holds its labels in an array y"
            )
        X, y = _read_npz(path, "X", "y")
        X = _matrix(path, X, dtype)
        if y.shape != X.shape[:1]:
            raise TableError(
                f"{path}: y must have shape {X.shape[:1]}, a label a row of X, got {y.shape}"
            )
        return X, _labels(y, f"{path}: y"), None

    if target is None:
        raise TableError("--target is missing: which column of the CSV file holds the labels?")
    table = _read_csv(path)
    _check_columns(path, table, [target])
    if not _is_label_type(table.schema.field(target).type):
        table = _read_csv(
            path, text_column=target
        )  # Labels such as true or 2024-01-01 stay as they are written.
    names = [name for name in table.column_names if name != target]
    if not names:
        raise TableError(f"{path}: no feature columns beside the target {target!r}")
    _check_columns(path, table, names)
    _check_values_present(path, table, [target, *names])
    y = _labels(table.column(target).to_numpy(), f"{path}: column {target!r}")
    return _columns_to_matrix(path, table, names, dtype), y, names


def read_features(
    path: str, feature_names: Sequence[str] | None, n_features: int, dtype: np.dtype[Any]
) -> NDArray[Any]:
    """Read the rows to predict for: the columns called `feature_names`, or all when that is None.

    Raises as `read_training`, and TableError if columns are missing or not `n_features` in number.
    """
    if _is_npz(path):
        (X,) = _read_npz(path, "X")
        X = _matrix(path, X, dtype)
        if X.shape[1] != n_features:
            raise TableError(
                f"{path}: X must have {n_features} columns, like the model, got {X.shape[1]}"
            )
        return X
    table = _read_csv(path)
    names = table.column_names if feature_names is None else feature_names
    if len(names) != n_features:
        raise TableError(
            f"{path}: the model has no feature names, so the file must have its "
            f"{n_features} feature columns and no other, got {len(names)} columns"
        )
    _check_columns(path, table, names)
    _check_values_present(path, table, names)
    return _columns_to_matrix(path, table, names, dtype)


def _is_npz(path: str) -> bool:
    return path.lower().endswith(".npz")


def _labels(y: NDArray[Any], source: str) -> NDArray[Any]:
    """Return `y`, whole floats as integers; refuse what is no integer, string or boolean."""
    if y.dtype.kind == "f":
        missing = np.isnan(y).sum()
        if missing:
            raise TableError(f"{source} has {_missing(missing)}")
        if not np.all(y == np.rint(y)) or np.abs(y).max(initial=0) > 2**53:
            example = y[np.argmax((y != np.rint(y)) | (np.abs(y) > 2**53))]
            raise TableError(
                f"{source} must hold classes (integers or strings), got the number {example}"
            )
        return y.astype(np.int64)
    if y.dtype.kind not in "biuUO":
        raise TableError(f"{source} must hold classes (integers or strings), got dtype {y.dtype}")
    return y


def _missing(count: int) -> str:
    return f"{count} missing value{'s' if count > 1 else ''}"


def _listing(names: Iterable[str]) -> str:
    """Return the first few of `names`, quoted."""
    quoted = [repr(name) for name in names]
    return ", ".join(quoted[:8]) + (f" and {len(quoted) - 8} more" if len(quoted) > 8 else "")


# ---- NPZ ----------------------------------------------------------------------------------------


def _read_npz(path: str, *names: str) -> list[NDArray[Any]]:
    with open(path, "rb") as file:
        try:
            archive = np.load(file, allow_pickle=False)
            if isinstance(archive, np.ndarray):
                raise TableError("it is a single array")
            missing = [name for name in names if name not in archive]
            if missing:
                raise TableError(
                    f"it has no array {missing[0]!r}, only {_listing(archive.files) or 'none'}"
                )
            return [archive[name] for name in names]
        except (
            Exception
        ) as error:  # A damaged file raises a dozen types out of zipfile, zlib and NumPy.
            raise TableError(f"{path}: not a usable NPZ file: {error}") from error


def _matrix(path: str, X: NDArray[Any], dtype: np.dtype[Any]) -> NDArray[Any]:
    if X.ndim != 2 or 0 in X.shape:
        raise TableError(f"{path}: X must have rows and columns, got shape {X.shape}")
    if X.dtype.kind not in "biuf":
        raise TableError(f"{path}: X must be numeric, got dtype {X.dtype}")
    missing = np.isnan(X).sum()
    if missing:
        raise TableError(f"{path}: X has {_missing(missing)}")
    with np.errstate(over="ignore"):
        converted = X.astype(dtype, order="C")
    finite = np.isfinite(converted)
    if not finite.all():
        row, column = np.argwhere(~finite)[0]
        raise TableError(f"{path}: X[{row}, {column}] is {X[row, column]}, not a finite {dtype}")
    return converted


# ---- CSV ----------------------------------------------------------------------------------------


def _read_csv(path: str, *, text_column: str | None = None) -> Any:
    """Return a pyarrow.Table, in which empty cells, NA, NaN and null are null whatever the type."""
    with open(path, "rb"):
        pass  # What the operating system has to say about the path comes as its own exception.
    try:
        import pyarrow as pa
        from pyarrow import csv
    except ImportError as error:
        raise ImportError(
            "CSV files need pyarrow: pip install 'dnncore[cli]'", name="pyarrow"
        ) from error
    try:
        table = csv.read_csv(
            path,
            # A ragged row is reported with its number only when one thread reads.
            read_options=csv.ReadOptions(use_threads=False),
            parse_options=csv.ParseOptions(newlines_in_values=True),
            convert_options=csv.ConvertOptions(
                strings_can_be_null=True,
                column_types={text_column: pa.string()} if text_column is not None else None,
            ),
        )
    except (pa.ArrowException, UnicodeDecodeError) as error:
        raise TableError(f"{path}: not a usable CSV file: {error}") from error
    if table.num_rows == 0:
        raise TableError(f"{path}: no rows below the header")
    return table


def _is_label_type(kind: Any) -> bool:
    from pyarrow import types

    return any(
        test(kind) for test in (types.is_integer, types.is_floating, types.is_string, types.is_null)
    )


def _check_columns(path: str, table: Any, names: Sequence[str]) -> None:
    """Raise unless each of `names` is exactly one column."""
    counts = Counter(table.column_names)
    missing = [name for name in names if name not in counts]
    if missing:
        word = "column" if len(missing) == 1 else "columns"
        raise TableError(f"{path}: no {word} {_listing(missing)}; the file has {_listing(counts)}")
    for name in names:
        if counts[name] > 1:
            raise TableError(f"{path}: {counts[name]} columns are called {name!r}")


def _check_values_present(path: str, table: Any, names: Sequence[str]) -> None:
    counts = {name: table.column(name).null_count for name in names}
    columns = [name for name in names if counts[name]]
    if columns:
        row = table.column(columns[0]).is_null().index(True).as_py()
        others = f"; also missing values in {_listing(columns[1:])}" if columns[1:] else ""
        raise TableError(
            f"{path}: column {columns[0]!r} has {_missing(counts[columns[0]])}, "
            f"the first on line {_line_of_row(path, row)}{others}"
        )


def _columns_to_matrix(
    path: str, table: Any, names: Sequence[str], dtype: np.dtype[Any]
) -> NDArray[Any]:
    X = np.empty((table.num_rows, len(names)), dtype=dtype)
    for index, name in enumerate(names):
        column = table.column(name)
        with np.errstate(over="ignore"):
            X[:, index] = _numbers(path, name, column)
        finite = np.isfinite(X[:, index])
        if not finite.all():
            row = int(np.argmin(finite))
            line = _line_of_row(path, row)
            raise TableError(
                f"{path}: column {name!r} must hold finite {dtype} numbers, "
                f"got {column[row]} on line {line}"
            )
    return X


def _numbers(path: str, name: str, column: Any) -> NDArray[np.float64]:
    """Return a column as float64, with true and false as 1 and 0."""
    import pyarrow as pa
    from pyarrow import compute, types

    row = 0  # Of a date, say, the first value is already no number.
    if (
        types.is_integer(column.type)
        or types.is_floating(column.type)
        or types.is_boolean(column.type)
    ):
        return column.cast(pa.float64(), safe=False).to_numpy()  # type: ignore[no-any-return]
    if types.is_string(column.type):
        numbers = compute.utf8_trim_whitespace(column)  # A number after ", " is read as text.
        try:
            return numbers.cast(pa.float64()).to_numpy()  # type: ignore[no-any-return]
        except pa.ArrowInvalid:
            row = next(row for row, value in enumerate(numbers) if not _is_number(value))
    value, line = str(column[row]), _line_of_row(path, row)
    raise TableError(f"{path}: column {name!r} must be numeric, got {value!r} on line {line}")


def _is_number(value: Any) -> bool:
    import pyarrow as pa

    try:
        value.cast(pa.float64())
    except pa.ArrowInvalid:
        return False
    return True


def _line_of_row(path: str, row: int) -> int:
    """Return the line on which data row `row` begins, counted from 1; blank lines hold no row."""
    import pyarrow as pa

    record = -1  # the header
    quotes = 0
    with pa.input_stream(path) as stream:  # uncompressed as by read_csv
        for number, line in enumerate(io.BufferedReader(stream), start=1):
            inside_quotes = quotes % 2 == 1
            quotes += line.count(b'"')
            if inside_quotes or not line.strip(b"\r\n"):
                continue
            if record == row:
                return number
            record += 1
    raise IndexError(f"{path} has no row {row}")
