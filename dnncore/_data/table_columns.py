"""What a fitted table encoder knows of each column, and how it writes the column's features."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from .categories import BOOLEANS, Categories, are_booleans, order
from .cells import TIMES, Cells, Kind, NumberCells, TextCells, UnusableCells

MISSING, OTHER = "<missing>", "<other>"
CLIP = 3.0  # limit of the scaled numbers
# In float64, the smooth clip of a larger number is exactly the limit.
BEYOND_CLIP = 1e9


@dataclass(frozen=True)
class NumberColumn:
    """A column of numbers, dates or durations (in days).

    Attributes
    ----------
    name : str
        Name of the column.
    kind : {'number', 'date', 'duration', 'empty'}
        'empty' is a column without any value in `fit`: its feature is always 0.
    median, scale : float
        The feature is (x - median) / scale, smoothly clipped; if scale is 0, it is 0.
    missing : bool
        Whether a second feature tells where the column is missing.
    """

    name: str
    kind: Kind
    median: float
    scale: float
    missing: bool

    @classmethod
    def fit(cls, name: str, kind: Kind, numbers: NDArray[np.float64]) -> Self:
        """Learn the median and the scale; infinite values count in neither."""
        median, scale = robust_scale(numbers[np.isfinite(numbers)])
        return cls(name, kind, median, scale, bool(np.isnan(numbers).any()))

    def numbers(self, cells: Cells) -> NDArray[np.float64]:
        """Return the cells as numbers, NaN where missing.

        Raises
        ------
        UnusableCells
            If the cells are of another kind than in `fit`.
        NotANumber
            If a cell is text that is not numeric.
        """
        if self.kind == "date" and isinstance(cells, TextCells) and cells.kind == "category":
            return cells.dates()
        if cells.kind != self.kind and (cells.kind in TIMES or self.kind in TIMES):
            if cells.all_missing():
                return np.full(cells.n_rows, np.nan)
            raise UnusableCells(f"must be of the kind {self.kind}, got the kind {cells.kind}")
        return cells.numbers()

    def write(self, cells: Cells, X: NDArray[Any], features: Sequence[int]) -> None:
        """Write the cells into the features of X; raises the errors of `numbers`."""
        numbers = self.numbers(cells)
        X[:, features[0]] = self.scaled(numbers)
        if self.missing:
            X[:, features[1]] = np.isnan(numbers)

    def scaled(self, numbers: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the scaled and smoothly clipped numbers; missing ones become 0, the median."""
        if self.scale == 0.0:
            return np.zeros_like(numbers)
        # Halves, because the difference of two numbers may be larger than any float.
        with np.errstate(over="ignore"):
            z = smooth_clip((numbers * 0.5 - self.median * 0.5) / (self.scale * 0.5))
        z[np.isnan(z)] = 0.0
        return z

    @property
    def missing_name(self) -> str:
        return f"{self.name}={MISSING}"

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def robust_scale(numbers: NDArray[np.float64]) -> tuple[float, float]:
    """Return the median of finite numbers, and their scale.

    The scale is the interquartile range; if that is 0, half of the range; 0 for a constant.
    """
    if numbers.size == 0:
        return 0.0, 0.0
    # Of halves, because the range may be larger than any float.
    low, first, median, third, high = np.quantile(numbers * 0.5, [0.0, 0.25, 0.5, 0.75, 1.0])
    finite = np.finfo(np.float64)
    scale = 2.0 * min(third - first, finite.max / 2.0) if third > first else high - low
    # Division by the half of a smaller scale is not exact.
    return 2.0 * float(median), 0.0 if scale < 4.0 * finite.tiny else float(scale)


def smooth_clip(z: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return z / sqrt(1 + (z / 3)^2), which is about z near 0, and always within (-3, 3).

    From D. Holzmueller, L. Grinsztajn, I. Steinwart, "Better by default: strong pre-tuned MLPs
    and boosted trees on tabular data", 2024.
    """
    z = np.clip(z, -BEYOND_CLIP, BEYOND_CLIP)  # whose square is finite
    return z / np.sqrt(1.0 + np.square(z / CLIP))


@dataclass(frozen=True)
class CategoryColumn:
    """A column of categories: a feature each, or one feature for two of them.

    Attributes
    ----------
    name : str
        Name of the column.
    values : tuple of str
        Categories.
    other : bool
        Whether there is a further category for all other values.
    missing : bool
        Whether there is a further category for missing values.
    """

    name: str
    values: tuple[str, ...]
    other: bool
    missing: bool
    kind: ClassVar[Kind] = "category"

    @classmethod
    def fit(cls, name: str, cells: TextCells, max_categories: int) -> Self:
        """Learn the categories: the most frequent ones, of equals the first."""
        missing = bool((cells.codes < 0).any())
        if cells.kind == "boolean":
            return cls(name, BOOLEANS, False, missing)
        counts: Counter[str] = Counter()
        numbers = np.bincount(cells.codes[cells.codes >= 0], minlength=len(cells.values))
        for value, count in zip(cells.values, numbers.tolist(), strict=True):
            if count:
                counts[value] += count
        if are_booleans(list(counts)):
            return cls(name, BOOLEANS, False, missing)
        frequent = sorted(counts, key=lambda value: (-counts[value], order(value)))
        values = tuple(sorted(frequent[:max_categories], key=order))
        return cls(name, values, len(frequent) > max_categories, missing)

    @cached_property
    def levels(self) -> list[str]:
        """The categories, with the further ones."""
        return [*self.values, *[OTHER] * self.other, *[MISSING] * self.missing]

    @property
    def n_features(self) -> int:
        return len(self.levels) if self._first == 0 else 1

    @property
    def feature_names(self) -> list[str]:
        """Names of the features: ``name=value``."""
        levels = self.levels[self._first :] or self.levels
        return [f"{self.name}={level}" for level in levels]

    @property
    def _first(self) -> int:
        """The first level with a feature: of two, the second says everything."""
        return 0 if len(self.levels) > 2 else 1

    @cached_property
    def _categories(self) -> Categories:
        return Categories(self.values)

    @cached_property
    def feature_of_code(self) -> NDArray[np.intp]:
        """Number of the feature that is 1 for each category, for an unknown value, and for a
        missing one; -1 if none is.
        """
        n_values = len(self.values)
        known = np.arange(n_values) - self._first
        unknown = n_values - self._first if self.other else -1
        missing = n_values + self.other - self._first if self.missing else -1
        return np.array([*known, unknown, missing], np.intp)

    def codes(self, cells: Cells) -> NDArray[np.intp]:
        """Return the index of the category of each cell: -1 if it is missing, n_values if unknown.

        Raises
        ------
        UnusableCells
            If the cells are times.
        """
        if cells.kind in TIMES:
            raise UnusableCells(f"must contain categories, got the kind {cells.kind}")
        cells = cells.texts()
        index = self._categories.indices(cells.values)
        index[index < 0] = len(self.values)
        return np.append(index, -1)[cells.codes]  # the code -1 takes the last

    def write(self, cells: Cells, X: NDArray[Any], features: Sequence[int]) -> None:
        """Write the cells into the features of X, which are zeros; raises as `codes`."""
        number = self.feature_of_code[self.codes(cells)]
        rows = np.flatnonzero(number >= 0)
        X[rows, features[0] + number[rows]] = 1

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "kind": self.kind, "values": list(self.values)}


TableColumn = NumberColumn | CategoryColumn


def fit_column(
    name: str, cells: Cells, *, categorical: bool | None, max_categories: int
) -> TableColumn:
    """Learn a column.

    Parameters
    ----------
    name : str
        Name of the column.
    cells : Cells
        Its cells in the training rows.
    categorical : bool or None
        Whether its values are categories; None: if they are text. Booleans always are.
    max_categories : int
        Largest number of categories.

    Raises
    ------
    UnusableCells
        If times are declared as categories.
    NotANumber
        If a cell is text that is not numeric, and `categorical` is False.
    """
    if cells.kind == "empty" or cells.all_missing():
        return NumberColumn(name, "empty", 0.0, 0.0, False)
    if cells.kind in TIMES and categorical:
        raise UnusableCells(f"cannot be categorical, got the kind {cells.kind}")
    if cells.kind == "boolean" or (
        cells.kind == "category" if categorical is None else categorical
    ):
        return CategoryColumn.fit(name, cells.texts(), max_categories)
    kind = cells.kind if isinstance(cells, NumberCells) else "number"
    return NumberColumn.fit(name, kind, cells.numbers())
