"""Infer the types of a table's columns and their encoding as features, from all rows."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Any

from ..._data.arrow import is_number, is_number_type, is_text_type, missing, numbers, texts
from ..._data.categories import BOOLEANS, NotANumber, are_booleans, order
from ..._data.columns import Column
from ..._data.encoding import (
    ColumnError,
    TargetReader,
    naming_the_column,
    read_booleans,
    read_integers,
    read_numbers,
    read_texts,
)
from ._columns import ColumnFile, place, read_columns
from ._common import TableError, fractional, listing, not_a_class
from ._frames import ColumnKind
from ._precision import Digits

# A text column with more distinct values is taken for names or prose, unless it is declared
# categorical.
MAX_CATEGORIES = 256


@dataclass(frozen=True)
class TableLayout:
    """Encoding of the columns as features, and reader of the target.

    Attributes
    ----------
    columns : list of Column
        The feature columns.
    read_target : callable
        Converts cells of the target to labels or numbers.
    many_digits : list of str
        The numeric columns of which float32 would lose digits.
    """

    columns: list[Column]
    read_target: TargetReader
    many_digits: list[str]


def see_all(file: ColumnFile, seen: list[Seen]) -> list[Any]:
    """Read all rows, and let each of `seen` see its column; return them."""
    for each in seen:
        each.file = file
    for row, columns in read_columns(file, [each.name for each in seen]):
        for each, column in zip(seen, columns, strict=True):
            try:
                with naming_the_column(each.name):
                    each.see(column, row)
            except ColumnError as error:
                raise TableError(f"{file.path}: {error}") from None
    return seen


def learn_layout(
    file: ColumnFile,
    names: Sequence[str],
    target: str,
    *,
    categorical: Collection[str],
    regression: bool,
    may_miss: bool,
    see: See = see_all,
) -> TableLayout:
    """Read all rows and infer the encoding of the columns `names` as features.

    Parameters
    ----------
    file, names, target, categorical, regression, may_miss
        As in :func:`dnncore.cli.tables.training_data`.
    see : callable
        What reads the rows; see :func:`see_all`.

    Raises
    ------
    TableError
        If a column cannot be used as a feature, the target cannot be used as a target, or a
        value is missing where none may be.
    """
    labels, *features = see(
        file, [_Target(target, regression), *(_Feature(x, x in categorical) for x in names)]
    )
    _check_missing(file, [labels] if may_miss else [labels, *features])
    columns = [feature.column() for feature in features]
    many_digits = [
        column.name
        for column, feature in zip(columns, features, strict=True)
        if column.values is None and feature.digits.lost()
    ]
    return TableLayout(columns, labels.reader(), many_digits)


def learn_kinds(
    file: ColumnFile,
    names: Sequence[str],
    target: str,
    *,
    categorical: Collection[str],
    regression: bool,
) -> tuple[dict[str, ColumnKind], TargetReader]:
    """Read all rows and infer what the columns `names` contain, for a model that encodes them.

    Missing values, dates and any number of categories are allowed. Parameters and errors are
    otherwise those of :func:`learn_layout`.
    """
    labels, *features = see_all(
        file, [_Target(target, regression), *(_KindOfColumn(x, x in categorical) for x in names)]
    )
    _check_missing(file, [labels])
    return {feature.name: feature.kind() for feature in features}, labels.reader()


class Seen:
    """What has been seen of a column so far.

    Attributes
    ----------
    name : str
        Name of the column.
    file : ColumnFile
        The file that is read.
    first_missing : int or None
        Row of the first missing cell.
    """

    file: ColumnFile

    def __init__(self, name: str) -> None:
        self.name = name
        self.first_missing: int | None = None
        self._text: tuple[int, str] | None = None  # row and value of the first non-numeric text
        self._has_numbers = False
        self._values: set[str] = set()

    def see(self, column: Any, first_row: int) -> None:
        is_missing = missing(column)
        if self.first_missing is None and is_missing.any():
            self.first_missing = first_row + int(is_missing.argmax())
        if not is_missing.all():
            self._see(column, first_row)

    def _see(self, column: Any, first_row: int) -> None:
        raise NotImplementedError

    def merge(self, later: Any) -> None:
        """Add what has been seen of the same column in later rows."""
        if self.first_missing is None:
            self.first_missing = later.first_missing
        self._text = self._text or later._text
        self._has_numbers |= later._has_numbers
        self._values |= later._values

    def _add_values(self, column: Any) -> list[str]:
        from pyarrow import compute

        found: list[str] = compute.unique(texts(column).drop_null()).to_pylist()
        self._values.update(found)
        return found

    def _error(self, problem: str) -> TableError:
        return TableError(f"{self.file.path}: column {self.name!r} {problem}")


# Reads all rows, and returns what has been seen of each column.
See = Callable[[ColumnFile, list[Seen]], list[Any]]


class _Feature(Seen):
    counts_digits = True  # Its numbers are rounded to the dtype of a network.

    def __init__(self, name: str, as_category: bool) -> None:
        super().__init__(name)
        self._as_category = as_category
        self.digits = Digits(1)

    def merge(self, later: Any) -> None:
        super().merge(later)
        self.digits.merge(later.digits)
        # The values of a column of names or prose need not fit into memory.
        if len(self._values) > MAX_CATEGORIES:
            self.column()

    def _see(self, column: Any, first_row: int) -> None:
        from pyarrow import types

        kind = column.type
        if self._as_category or types.is_boolean(kind):
            self._add_values(column)
        elif is_number_type(kind):
            self._has_numbers = True
            if self.counts_digits:
                self.digits.add(numbers(column)[:, None])
        elif not is_text_type(kind):
            raise self._error(
                f"must be numeric or text, got the type {kind}; --ignore {self.name!r} omits it"
                + ("" if types.is_nested(kind) else ", --categorical treats it as categories")
            )
        elif self.file.typed:
            self._add_values(column)
        else:
            self._see_untyped(column, first_row)

    def _see_untyped(self, column: Any, first_row: int) -> None:
        try:
            found = numbers(column)
            if self.counts_digits:
                self.digits.add(found[:, None])
            self._has_numbers = True
        except NotANumber as other:
            if self._text is None:
                self._text = first_row + other.row, other.text
            some = self._add_values(column)[: MAX_CATEGORIES + 1]
            self._has_numbers |= any(map(is_number, some))

    def column(self) -> Column:
        if not self._values:
            return Column(self.name)
        self._check_numbers()
        if are_booleans(list(self._values)):
            return Column(self.name, BOOLEANS)
        if not self._as_category:
            self._check_categories()
        return Column(self.name, tuple(sorted(self._values, key=order)))

    def _check_numbers(self) -> None:
        """Raise if some cells are numbers and others are text.

        A file without types does not tell a column of categories from numbers with a stray text.
        """
        if self._has_numbers and self._text is not None:
            row, text = self._text
            raise self._error(
                f"must be numeric, got {text!r} {place(self.file, row)}; --categorical "
                f"{self.name!r} treats every value as a category"
            )

    def _check_categories(self) -> None:
        advice = f"--ignore {self.name!r} omits it, --categorical treats it as categories anyway"
        if _are_dates(self._values):
            raise self._error(f"contains dates, such as {min(self._values)!r}; {advice}")
        if len(self._values) > MAX_CATEGORIES:
            raise self._error(
                f"has {len(self._values)} different values, such as {listing(self._values, 2)}, "
                f"too many for categories; {advice}"
            )


class _KindOfColumn(_Feature):
    """A column of a model that encodes it by itself, whatever it is."""

    counts_digits = False

    def _see(self, column: Any, first_row: int) -> None:
        from pyarrow import types

        kind = column.type
        if not (types.is_temporal(kind) and not types.is_time(kind)) or self._as_category:
            super()._see(column, first_row)

    def kind(self) -> ColumnKind:
        if self._as_category:
            return "category"
        self._check_numbers()
        if self.file.typed or (self._values and not _are_dates(self._values)):
            return "as it is"
        return "date" if self._values else "number"


class _Target(Seen):
    def __init__(self, name: str, regression: bool) -> None:
        super().__init__(name)
        self._regression = regression
        self._fraction: float | None = None
        self._booleans = False

    def merge(self, later: Any) -> None:
        super().merge(later)
        if self._fraction is None:
            self._fraction = later._fraction
        self._booleans |= later._booleans

    def _see(self, column: Any, first_row: int) -> None:
        from pyarrow import types

        kind = column.type
        if types.is_boolean(kind) and not self._regression:
            self._booleans = True
        elif not (is_number_type(kind) or is_text_type(kind)):
            wanted = "numeric" if self._regression else "integers or text"
            raise self._error(f"must be {wanted} to be the target, got the type {kind}")
        elif self._regression:
            self._see_numbers(column, first_row)
        elif is_text_type(kind) and self.file.typed:
            self._text = self._text or (first_row, "")
        else:
            self._see_labels(column, first_row)

    def _see_numbers(self, column: Any, first_row: int) -> None:
        try:
            numbers(column)
        except NotANumber as other:
            where = place(self.file, first_row + other.row)
            raise self._error(
                f"must be numeric for regression, got {other.text!r} {where}"
            ) from None

    def _see_labels(self, column: Any, first_row: int) -> None:
        import pyarrow as pa

        try:
            column.cast(pa.int64())  # also integers that float64 cannot represent
        except pa.ArrowInvalid:
            pass
        else:
            return
        try:
            values = numbers(column.drop_null(), with_units=False)
        except NotANumber as other:
            self._text = self._text or (first_row + other.row, other.text)
            return
        broken = fractional(values)
        if broken.any() and self._fraction is None:
            self._fraction = float(values[broken.argmax()])

    def reader(self) -> TargetReader:
        if self._regression:
            return read_numbers
        if self._booleans:
            return read_booleans
        if self._text is not None:
            return read_texts
        if self._fraction is not None:
            raise self._error(
                f"{not_a_class(self._fraction)}; use --regression for a numeric target"
            )
        return read_integers


def _check_missing(file: ColumnFile, columns: Sequence[Seen]) -> None:
    found = [column for column in columns if column.first_missing is not None]
    if not found:
        return
    first = found[0]
    others = [column.name for column in found[1:]]
    also = f"; also missing values in {listing(others)}" if others else ""
    raise TableError(
        f"{file.path}: column {first.name!r} has missing values, the first "
        f"{place(file, first.first_missing or 0)}{also}"
    )


def _are_dates(values: Collection[str]) -> bool:
    import pyarrow as pa

    try:
        pa.array(list(values)).cast(pa.timestamp("us"))
    except pa.ArrowInvalid:
        return False
    return True
