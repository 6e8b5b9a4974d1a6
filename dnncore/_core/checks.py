"""Validation of numbers, arrays and matrices at the Python boundary, and only there.

Each function returns the argument in the form required by the compiled code (C-contiguous and
aligned; copied only if necessary), or raises an error that names the argument, the value received
and what was expected. Labels and weights are validated in :mod:`dnncore._core.labels`.
"""

from __future__ import annotations

import math
import numbers
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import pairwise
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from .csrc import address, all_finite

INT_MAX = 2**31 - 1  # BLAS uses C ints for sizes
Matrix: TypeAlias = Any  # an array or a scipy.sparse CSR matrix of shape (n_rows, n_columns)


@contextmanager
def in_range_of_floats(name: str) -> Iterator[None]:
    """Turn the error of NumPy for integers that are too large for a float into a ValueError."""
    try:
        yield
    except OverflowError as error:
        raise ValueError(f"{name} must be numbers in the range of a float: {error}") from None


def floating_array(name: str, x: ArrayLike) -> NDArray[Any]:
    """Return `x` as a float32 or float64 array of any shape and memory layout."""
    x = np.asarray(x)
    if x.dtype != np.float32 and x.dtype != np.float64:
        raise TypeError(f"{name} must be a float32 or float64 array, got {x.dtype}")
    return x


def contiguous(x: ArrayLike, dtype: DTypeLike | None = None) -> NDArray[Any]:
    """Return `x` as a C-contiguous and aligned array; not a copy if it is one of that dtype.

    As `numpy.require`, but without its comparison of sets: in free-threaded Python 3.13, that
    yields the processor 40 times, since it waits for a lock that the thread itself holds.
    """
    array: NDArray[Any] = np.asanyarray(x, dtype, order="C")
    return array if array.flags.aligned else array.copy()


def real_array(name: str, x: ArrayLike) -> NDArray[Any]:
    """Return `x` as a contiguous float32 or float64 array of any shape."""
    return contiguous(floating_array(name, x))


def matrix(name: str, x: ArrayLike) -> NDArray[Any]:
    """Return `x` as a float array of shape (n_rows, n_columns) with at least one column."""
    x = floating_array(name, x)
    if x.ndim != 2 or x.shape[1] == 0:
        raise ValueError(
            f"{name} must have shape (n_rows, n_columns) with at least 1 column, got {x.shape}"
        )
    if max(x.shape) > INT_MAX:
        raise ValueError(f"{name} must have at most {INT_MAX} rows and columns, got {x.shape}")
    return contiguous(x)


def array_like(
    name: str, x: ArrayLike, shape: tuple[int, ...], other: str, dtype: DTypeLike
) -> NDArray[Any]:
    """Return `x` as an array of the given shape and dtype, which match the argument `other`."""
    x = floating_array(name, x)
    if x.dtype != dtype:
        raise TypeError(f"{name} must have dtype {dtype}, like {other}, got {x.dtype}")
    if x.shape != shape:
        raise ValueError(f"{name} must have shape {shape} to match {other}, got {x.shape}")
    return contiguous(x)


def finite_matrix(
    name: str, x: ArrayLike, n_columns: int, dtype: DTypeLike, *, missing: bool = False
) -> NDArray[Any]:
    """Return `x` as a finite float array of shape (n_rows, n_columns) and the given dtype.

    If `missing` is true, NaN is allowed and denotes a missing value.
    """
    x = matrix(name, x)
    _check_columns(name, x, n_columns, dtype)
    bad = _not_allowed(x, missing)
    if bad is not None:
        row, column = np.unravel_index(bad, x.shape)
        raise ValueError(_where(name, x[row, column], row, column, missing))
    return x


def input_matrix(
    name: str, x: Any, n_columns: int, dtype: DTypeLike, *, missing: bool = False
) -> Matrix:
    """Return `x` as :func:`finite_matrix` does; a sparse `x` is converted to CSR if necessary."""
    if not is_sparse(x):
        return finite_matrix(name, x, n_columns, dtype, missing=missing)
    x = csr(name, x)
    _check_columns(name, x, n_columns, dtype)
    bad = _not_allowed(x.data[: x.indptr[-1]], missing)
    if bad is not None:
        row = np.searchsorted(x.indptr, bad, side="right") - 1
        raise ValueError(_where(name, x.data[bad], row, x.indices[bad], missing))
    return x


def is_sparse(x: object) -> bool:
    """Return whether `x` is a sparse matrix or array of scipy.sparse."""
    return not isinstance(x, np.ndarray) and hasattr(x, "tocsr")


def csr(name: str, x: Any) -> Matrix:
    """Return sparse `x` as CSR with all indices in range, so that compiled code can rely on them.

    Indices may be in any order. Values with duplicate indices are summed. Arrays that already
    have the required form are not copied.
    """
    from scipy.sparse import csr_array

    x = x.tocsr()
    if x.dtype != np.float32 and x.dtype != np.float64:
        raise TypeError(f"{name} must be of float32 or float64, got {x.dtype}")
    if x.ndim != 2 or x.shape[1] == 0:
        raise ValueError(
            f"{name} must have shape (n_rows, n_columns) with at least 1 column, got {x.shape}"
        )
    # Both index arrays must have the same width.
    wide = x.indices.dtype != np.int32 or x.indptr.dtype != np.int32
    index = np.dtype(np.int64 if wide else np.int32)
    data, indices, indptr = (
        contiguous(array, dtype)
        for array, dtype in ((x.data, x.dtype), (x.indices, index), (x.indptr, index))
    )
    n = int(indptr[-1])
    if indptr.shape != (x.shape[0] + 1,) or indptr[0] != 0 or (np.diff(indptr) < 0).any():
        raise ValueError(
            f"{name} must have a non-decreasing indptr that starts at 0, with one entry more than "
            "rows"
        )
    if n > min(indices.size, data.size):
        raise ValueError(
            f"{name} must have {n} indices and values according to indptr, got {indices.size} "
            f"and {data.size}"
        )
    if n and not 0 <= indices[:n].min() <= indices[:n].max() < x.shape[1]:
        raise ValueError(f"{name} must have indices in [0, {x.shape[1]})")
    if data is x.data and indices is x.indices and indptr is x.indptr:
        return x
    safe = csr_array(x.shape, dtype=x.dtype)
    safe.data, safe.indices, safe.indptr = data, indices, indptr
    return safe


def _check_columns(name: str, x: Matrix, n_columns: int, dtype: DTypeLike) -> None:
    if x.dtype != dtype:
        raise TypeError(f"{name} must have dtype {dtype}, like the network, got {x.dtype}")
    if x.shape[1] != n_columns:
        raise ValueError(f"{name} must have {n_columns} columns, got shape {x.shape}")


def _not_allowed(x: NDArray[Any], missing: bool) -> Any:
    """Return the index of the first infinite or NaN value, or None; `missing` allows NaN."""
    if all_finite(x):
        return None
    bad = np.flatnonzero(np.isinf(x) if missing else ~np.isfinite(x))
    return bad[0] if bad.size else None


def _where(name: str, value: object, row: object, column: object, missing: bool) -> str:
    wanted = "finite or missing (NaN)" if missing else "finite"
    return f"{name} must be {wanted}, got {value} in row {row}, column {column}"


def features_with_nan(x: Matrix) -> NDArray[np.intp]:
    """Return the indices of the columns of validated `x` that contain NaN."""
    if is_sparse(x):
        n = x.indptr[-1]
        return np.unique(x.indices[:n][np.isnan(x.data[:n])]).astype(np.intp)
    return np.flatnonzero(np.isnan(x).any(axis=0))


def indicators(missing: ArrayLike, n_inputs: int) -> NDArray[np.intp]:
    """Return `missing`, the features with an indicator of missing values, as a valid array."""
    features = np.array(missing)
    if features.ndim != 1 or (features.size and features.dtype.kind not in "iu"):
        raise TypeError(f"missing must be a sequence of integers, got {missing!r:.80}")
    n_features = n_inputs - features.size
    if n_features < 1 or np.unique(features).size < features.size:
        raise ValueError(
            f"missing must name distinct features, fewer than layer_sizes[0] = {n_inputs}, "
            f"got {missing!r:.80}"
        )
    if features.size and not 0 <= features.min() <= features.max() < n_features:
        raise ValueError(f"missing must lie in [0, {n_features}), got {missing!r:.80}")
    return features.astype(np.intp)


def output(
    name: str,
    out: NDArray[Any] | None,
    shape: tuple[int, ...],
    dtype: DTypeLike,
    *,
    in_place: NDArray[Any] | None = None,
    apart: tuple[NDArray[Any], ...] = (),
) -> NDArray[Any]:
    """Return a new array if `out` is None, else `out`, checked to be a valid output array.

    `out` may be the array `in_place` itself, and must not overlap any array of `apart`.
    """
    if out is None:
        return np.empty(shape, dtype)
    if not isinstance(out, np.ndarray) or isinstance(out, np.matrix):
        raise TypeError(f"{name} must be a NumPy array, got {type(out).__name__}")
    if out.dtype != dtype:
        raise TypeError(f"{name} must have dtype {dtype}, got {out.dtype}")
    if out.shape != shape:
        raise ValueError(f"{name} must have shape {shape}, got {out.shape}")
    if not (out.flags.c_contiguous and out.flags.aligned and out.flags.writeable):
        raise ValueError(f"{name} must be C-contiguous, aligned and writeable")
    same = in_place is not None and address(out) == address(in_place)
    if in_place is not None and not same and np.may_share_memory(out, in_place):
        raise ValueError(f"{name} must be the input array itself or not overlap it")
    if any(np.may_share_memory(out, other) for other in apart):
        raise ValueError(f"{name} must not overlap another array argument")
    return out


def output_of_rows(
    x: NDArray[Any], n_columns: int, out: NDArray[Any] | None, n_outputs: int, dtype: DTypeLike
) -> NDArray[Any]:
    """Check `x` to be one row (n_columns,) or more (n, n_columns), and return their output array.

    It is `out`, or a new array, of shape (n_outputs,) or (n, n_outputs).
    """
    if x.ndim not in (1, 2) or x.shape[-1] != n_columns:
        raise ValueError(f"x must have shape ({n_columns},) or (n, {n_columns}), got {x.shape}")
    return output("out", out, (*x.shape[:-1], n_outputs), dtype, apart=(x,))


def outputs(out: tuple[NDArray[Any] | None, ...] | None, n: int) -> tuple[Any, ...]:
    """Return a tuple of `n` output arrays, each of which may be None."""
    if out is None:
        return (None,) * n
    if not isinstance(out, tuple) or len(out) != n:
        raise TypeError(f"out must be a tuple of {n} arrays, got {out!r:.80}")
    return out


def _is_a(kind: type, value: object) -> bool:
    return isinstance(value, kind) and not isinstance(value, (bool, np.bool_))


def number(
    name: str,
    value: object,
    *,
    low: float = -np.inf,
    high: float = np.inf,
    low_open: bool = False,
    high_open: bool = False,
    may_be_infinite: bool = False,
) -> float:
    """Return `value` as a float, checked to be a real number in the given interval.

    It is finite unless `may_be_infinite`.
    """
    if type(value) is not float and not _is_a(numbers.Real, value):
        raise TypeError(f"{name} must be a number, got {value!r}")
    try:
        x = float(value)  # type: ignore[arg-type]
    except OverflowError:
        raise ValueError(f"{name} must be in the range of a float, got {value!r:.40}") from None
    inside = (low < x if low_open else low <= x) and (x < high if high_open else x <= high)
    if not inside:
        interval = f"{'(' if low_open else '['}{low}, {high}{')' if high_open else ']'}"
        raise ValueError(f"{name} must lie in {interval}, got {value!r}")
    if math.isinf(x) and not may_be_infinite:
        raise ValueError(f"{name} must be finite, got {value!r}")
    return x


def integer(name: str, value: object, *, low: int, high: int = INT_MAX) -> int:
    """Return `value` as an int, checked to be an integer in [low, high]."""
    if type(value) is not int and not _is_a(numbers.Integral, value):
        raise TypeError(f"{name} must be an integer, got {value!r}")
    found = int(value)  # type: ignore[call-overload]
    if not low <= found <= high:
        raise ValueError(f"{name} must lie in [{low}, {high}], got {value!r}")
    return found  # type: ignore[no-any-return]


def hidden_sizes(name: str, sizes: object) -> tuple[int, ...]:
    """Return the number of units in each hidden layer, given as a sequence or as one int."""
    if _is_a(numbers.Integral, sizes):
        sizes = (sizes,)
    elif isinstance(sizes, str) or not isinstance(sizes, Iterable):
        raise TypeError(f"{name} must be an int or a sequence of ints, got {sizes!r}")
    return tuple(integer(name, size, low=1) for size in sizes)


def quantile_levels(name: str, levels: object) -> tuple[float, ...]:
    """Return the levels of quantiles as floats, checked to be ascending and within (0, 1)."""
    if isinstance(levels, str) or not isinstance(levels, Iterable):
        raise TypeError(f"{name} must be a sequence of numbers, got {levels!r}")
    interval = {"low": 0.0, "high": 1.0, "low_open": True, "high_open": True}
    checked = tuple(number(name, level, **interval) for level in levels)  # type: ignore[arg-type]
    if not checked or any(low >= high for low, high in pairwise(checked)):
        raise ValueError(f"{name} must be at least 1 number, in ascending order, got {levels!r}")
    return checked


def check_interval(name: str, x: NDArray[Any], low: float, high: float) -> None:
    """Raise ValueError unless all elements of an array lie in [low, high]."""
    inside = (x >= low) & (x <= high)
    if not inside.all():
        where = np.argwhere(~inside)[0]
        place = ", ".join(f"{axis} {i}" for axis, i in zip(("row", "column"), where, strict=False))
        raise ValueError(
            f"{name} must lie in [{low:g}, {high:g}{']' if high < np.inf else ')'}, "
            f"got {x[tuple(where)]} in {place}"
        )


def choice(name: str, value: object, options: tuple[str, ...]) -> str:
    """Return `value`, checked to be one of the strings `options`."""
    if not isinstance(value, str) or value not in options:
        raise ValueError(f"{name} must be one of {options}, got {value!r}")
    return value
