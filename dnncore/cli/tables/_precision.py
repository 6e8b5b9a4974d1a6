"""Whether float32 has enough digits for the numbers of a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._common import listing

EXACT = 2.0**53  # larger floats are integers by rounding
# Largest ratio of the size of numbers to their range: of 24 binary digits, 17 remain.
MAX_RATIO = 2.0**7
EXACT_TYPES = (np.float16, np.float32, np.int8, np.int16, np.uint8, np.uint16, np.bool_)


class Digits:
    """What float32 would lose of the numbers in some columns.

    It loses digits that matter if a column has integers, such as identifiers, that it rounds, or
    numbers, such as times, that are far from zero compared with their range.

    Parameters
    ----------
    n_columns : int
    """

    def __init__(self, n_columns: int) -> None:
        self._low, self._high = np.full((2, n_columns), np.nan)
        self._whole, self._exact = np.ones((2, n_columns), bool)

    def add(self, X: NDArray[Any]) -> None:
        """Add some rows (n, n_columns); NaN is a missing number."""
        if X.dtype.type in EXACT_TYPES:
            return
        x = X.astype(np.float64, copy=False)
        with np.errstate(over="ignore", invalid="ignore"):
            self._low = np.fmin(self._low, np.fmin.reduce(x))
            self._high = np.fmax(self._high, np.fmax.reduce(x))
            rounded = x.astype(np.float32)
            absent = np.isnan(x) | np.isinf(rounded)
            self._exact &= ((x == rounded) | absent).all(axis=0)
            self._whole &= ((x == np.rint(x)) | absent).all(axis=0)

    def merge(self, other: Digits) -> None:
        """Add what other rows would lose."""
        self._low = np.fmin(self._low, other._low)
        self._high = np.fmax(self._high, other._high)
        self._exact &= other._exact
        self._whole &= other._whole

    def lost(self) -> NDArray[np.bool_]:
        """Return whether float32 loses digits of each column."""
        size = np.fmax(np.abs(self._low), np.abs(self._high))
        spread = self._high - self._low
        with np.errstate(invalid="ignore"):
            far = (spread > 0) & (size > MAX_RATIO * spread)
            return np.asarray(~self._exact & (far | (self._whole & (size < EXACT))))


def note(columns: Sequence[str]) -> str:
    """Say why float64 is chosen."""
    what, have = ("column", "has") if len(columns) == 1 else ("columns", "have")
    return (
        f"{what} {listing(columns)} {have} numbers of more digits than float32 keeps: float64 is "
        "used, as by --dtype float64"
    )
