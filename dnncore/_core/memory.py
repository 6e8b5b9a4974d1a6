"""Vectors aligned to cache lines, which the kernels read fastest."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from .csrc import address

ALIGNMENT = 64  # bytes: a cache line, and the widest vector register


def aligned_empty(n: int, dtype: DTypeLike) -> NDArray[Any]:
    """Return an uninitialised vector of `n` elements."""
    return _aligned(np.empty, n, np.dtype(dtype))


def aligned_zeros(n: int, dtype: DTypeLike) -> NDArray[Any]:
    """Return a vector of `n` zeros."""
    return _aligned(np.zeros, n, np.dtype(dtype))


def _aligned(make: Any, n: int, dtype: np.dtype[Any]) -> NDArray[Any]:
    buffer = make(n * dtype.itemsize + ALIGNMENT, np.uint8)
    start = -address(buffer) % ALIGNMENT
    return buffer[start : start + n * dtype.itemsize].view(dtype)  # type: ignore[no-any-return]
