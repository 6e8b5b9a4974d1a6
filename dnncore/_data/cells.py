"""The cells of a column: numbers, or texts and their codes; NumPy arrays become such cells."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from numbers import Real
from typing import Any, Literal, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from .categories import BOOLEANS, NotANumber, number_text, parse_number

Kind = Literal["number", "boolean", "category", "date", "duration", "empty"]
TIMES = ("date", "duration")

# How many of a unit of time are a day.
PER_DAY = {"D": 1, "h": 24, "m": 1440, "s": 86400}
PER_DAY |= {unit: 86400 * 10**digits for unit, digits in (("ms", 3), ("us", 6), ("ns", 9))}
USABLE = "numbers, booleans, text, categories, dates or durations"
# The types that mark a missing value: None, pandas.NA, pandas.NaT, numpy.ma.masked.
MISSING_TYPES = frozenset({"NoneType", "NAType", "NaTType", "MaskedConstant"})


class UnusableCells(ValueError):
    """The cells are of a kind that cannot be used; the message goes after the column's name."""

    @classmethod
    def of_type(cls, kind: object) -> Self:
        """The type of the column cannot be encoded."""
        return cls(f"has the type {kind}; expected {USABLE}")


class NumberCells(NamedTuple):
    """Cells that are numbers.

    Attributes
    ----------
    kind : {'number', 'date', 'duration'}
        Dates and durations are in days.
    values : array (n,)
        Integers or floats; NaN where missing.
    """

    kind: Kind
    values: NDArray[Any]

    @property
    def n_rows(self) -> int:
        return len(self.values)

    def numbers(self) -> NDArray[np.float64]:
        """Return the numbers; NaN where missing."""
        return self.values.astype(np.float64, copy=False)

    def texts(self) -> TextCells:
        """Return the numbers as texts, equal for equal numbers of any type."""
        present = ~np.isnan(self.values)
        distinct, inverse = np.unique(self.values[present], return_inverse=True)
        codes = np.full(len(self.values), -1, np.intp)
        codes[present] = inverse
        return TextCells("category", codes, [number_text(value) for value in distinct])

    def missing(self) -> NDArray[np.bool_]:
        """Return a mask of the missing cells."""
        return np.asarray(np.isnan(self.values))

    def all_missing(self) -> bool:
        return bool(np.isnan(self.values).all())


class TextCells(NamedTuple):
    """Cells that are texts.

    Attributes
    ----------
    kind : {'category', 'boolean'}
    codes : array (n,) of int
        Index of the text of each cell; -1 where missing.
    values : sequence of str
        The texts.
    """

    kind: Kind
    codes: NDArray[np.intp]
    values: Sequence[str]

    @property
    def n_rows(self) -> int:
        return len(self.codes)

    def numbers(self) -> NDArray[np.float64]:
        """Return the numbers that the texts represent; NaN where missing.

        Raises
        ------
        NotANumber
            For the first cell with text that is not numeric.
        """
        if self.kind == "boolean":
            parsed = [0.0, 1.0]
        else:
            parsed = [self._number(code, text) for code, text in enumerate(self.values)]
        return np.array([*parsed, np.nan])[self.codes]  # the code -1 takes the last

    def dates(self) -> NDArray[np.float64]:
        """Return the dates, in ISO 8601, that the texts represent, in days; NaN where missing.

        Raises
        ------
        UnusableCells
            If a text is not such a date.
        """
        used = set(np.unique(self.codes).tolist())
        parsed = [_date(text) if code in used else None for code, text in enumerate(self.values)]
        return days(np.array([*parsed, None], "datetime64[us]"))[self.codes]

    def _number(self, code: int, text: str) -> float:
        try:
            return parse_number(text)
        except ValueError:
            rows = np.flatnonzero(self.codes == code)
        if rows.size == 0:  # a category of the type that no cell has
            return np.nan
        raise NotANumber(int(rows[0]), text)

    def texts(self) -> TextCells:
        return self

    def missing(self) -> NDArray[np.bool_]:
        """Return a mask of the missing cells."""
        return self.codes < 0

    def all_missing(self) -> bool:
        return bool((self.codes < 0).all())


Cells = NumberCells | TextCells


def empty_cells(n_rows: int) -> Cells:
    """Return cells that are all missing."""
    return NumberCells("empty", np.full(n_rows, np.nan))


def array_cells(array: NDArray[Any]) -> Cells:
    """Return the cells of a 1-D array.

    Raises
    ------
    UnusableCells
        If its dtype, or the type of an object in it, cannot be encoded.
    """
    kind = array.dtype.kind
    if kind in "iuf":
        return NumberCells("number", array)
    if kind == "b":
        return TextCells("boolean", array.astype(np.intp), BOOLEANS)
    if kind in "Mm":
        return NumberCells("date" if kind == "M" else "duration", days(array))
    if kind in "OUT":
        return object_cells(array.tolist())
    if kind == "c":
        raise UnusableCells(f"has the type {array.dtype}: Complex data not supported")
    raise UnusableCells.of_type(array.dtype)


def days(array: NDArray[Any]) -> NDArray[np.float64]:
    """Convert datetime64 (since 1970-01-01) or timedelta64 to days, with NaN for NaT.

    Equal for equal times in any unit: whole days and the rest of a day are exact before they are
    added.
    """
    array = array.astype(array.dtype.newbyteorder("="), copy=False)
    name, (unit, step) = array.dtype.name.partition("[")[0], np.datetime_data(array.dtype)
    if unit == "generic" or (name == "timedelta64" and unit in "YM"):
        if not np.isnat(array).all():
            raise UnusableCells(f"has the type {array.dtype}, which is no number of days")
        return np.full(len(array), np.nan)
    if unit not in PER_DAY or step != 1:
        unit = "D" if unit in "YMW" else "ns"
        array = array.astype(f"{name}[{unit}]")
    whole, rest = np.divmod(array.view(np.int64), PER_DAY[unit])
    return np.where(np.isnat(array), np.nan, whole + rest / PER_DAY[unit])


def object_cells(cells: list[Any]) -> Cells:
    """Return the cells of Python objects.

    Numbers (also Decimal) and Booleans together are numbers; with texts, they are categories.

    Raises
    ------
    UnusableCells
        If an object is of another type, or times are mixed with something else.
    """
    cells, kinds = _present(cells)
    if kinds == {"category"}:
        return _factorized(cells)
    if kinds == {"number"}:
        return NumberCells("number", _floats(cells))
    if "number" in kinds:  # perhaps only as NaN
        cells, kinds = _present([None if cell != cell else cell for cell in cells])
    if not kinds:
        return empty_cells(len(cells))
    if kinds == {"boolean"}:
        codes = [-1 if cell is None else int(cell) for cell in cells]
        return TextCells("boolean", np.array(codes, np.intp), BOOLEANS)
    if kinds <= {"number", "boolean"}:
        return NumberCells("number", _floats(cells))
    if kinds <= {"number", "boolean", "category"}:
        return _factorized([None if cell is None else cell_text(cell) for cell in cells])
    if len(kinds) > 1:
        raise UnusableCells(f"has cells of different kinds: {', '.join(sorted(kinds))}")
    if kinds == {"date"}:
        return NumberCells("date", days(np.array([_utc(x) for x in cells], "datetime64[us]")))
    return NumberCells("duration", days(np.array(cells, "timedelta64[us]")))


def cell_text(cell: Any) -> str:
    """Return the text of a cell or a category, equal for equal numbers of any type."""
    if isinstance(cell, bool | np.bool_):
        return BOOLEANS[bool(cell)]
    if isinstance(cell, Decimal):
        cell = float(cell)
    return number_text(cell) if isinstance(cell, Real) else str(cell)  # type: ignore[arg-type]


def _present(cells: list[Any]) -> tuple[list[Any], set[Kind]]:
    """Return the cells with None where they are of a type that is missing, and the kinds of the
    others.
    """
    types = set(map(type, cells))
    missing = {kind for kind in types if kind.__name__ in MISSING_TYPES}
    if missing - {type(None)}:
        cells = [None if type(cell) in missing else cell for cell in cells]
    return cells, {_kind(kind) for kind in types - missing}


def _kind(kind: type) -> Kind:
    if issubclass(kind, str):
        return "category"
    if issubclass(kind, bool | np.bool_):
        return "boolean"
    if issubclass(kind, timedelta | np.timedelta64):  # NumPy has it as an integer
        return "duration"
    if issubclass(kind, Real | Decimal):
        return "number"
    if issubclass(kind, date | np.datetime64):
        return "date"
    raise UnusableCells(f"has cells of the type {kind.__name__}; expected {USABLE}")


def _factorized(texts: Sequence[str | None]) -> Cells:
    values = [text for text in dict.fromkeys(texts) if text is not None]
    code: dict[str | None, int] = {text: code for code, text in enumerate(values)}
    code[None] = -1
    codes = np.fromiter(map(code.__getitem__, texts), np.intp, len(texts))
    return TextCells("category", codes, values)


def _floats(cells: Sequence[Any]) -> NDArray[np.float64]:
    try:
        return np.array(cells, np.float64)  # None becomes NaN
    except (TypeError, OverflowError):
        return np.array([_float(cell) for cell in cells])


def _float(cell: Any) -> float:
    try:
        return np.nan if cell is None else float(cell)
    except OverflowError:  # an integer beyond all floats
        return np.inf if cell > 0 else -np.inf


def _date(text: str) -> Any:
    try:
        return _utc(datetime.fromisoformat(text))
    except ValueError:
        raise UnusableCells(f"must contain dates (ISO 8601), got {text!r:.80}") from None


def _utc(cell: Any) -> Any:
    if isinstance(cell, datetime) and cell.tzinfo is not None:
        return cell.astimezone(UTC).replace(tzinfo=None)
    return cell
