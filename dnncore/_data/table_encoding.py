"""A fitted encoding of tables as matrices: what it knows, and how it is stored."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import DTypeLike, NDArray

from .categories import NotANumber
from .cells import UnusableCells
from .encoding import CellError
from .frames import Frame
from .table_columns import CategoryColumn, NumberColumn, TableColumn, fit_column


@dataclass(frozen=True)
class TableEncoding:
    """The columns of a table, and their encoding as a matrix.

    The features are the scaled numbers of all numeric columns, then the indicators of missing
    values of those columns that have one, then the categories of all other columns, each in the
    order of the columns.

    Attributes
    ----------
    columns : tuple of NumberColumn or CategoryColumn
        The columns, in the order of `fit`.
    named : bool
        Whether the columns are found by name; otherwise by position.
    """

    columns: tuple[TableColumn, ...]
    named: bool

    @classmethod
    def fit(cls, frame: Frame, categorical: Sequence[bool | None], max_categories: int) -> Self:
        """Learn the encoding of a table; see :func:`fit_column` for the parameters.

        Raises
        ------
        ValueError
            If columns have the same name, or a column cannot be encoded.
        """
        names = column_names(frame)
        _check_unique(names, set(names))
        columns = []
        for index, name in enumerate(names):
            with naming(_shown(frame, index), "; categorical_features may name it"):
                columns.append(
                    fit_column(
                        name,
                        frame.cells(index),
                        categorical=categorical[index],
                        max_categories=max_categories,
                    )
                )
        return cls(tuple(columns), frame.labels is not None)

    def __call__(self, frame: Frame, dtype: DTypeLike) -> NDArray[Any]:
        """Encode a table as a C-contiguous matrix of shape (n_rows, n_features).

        Raises
        ------
        ValueError
            If a column is missing, or of another kind than in `fit`.
        """
        X = np.zeros((frame.shape[0], self.n_features), dtype)
        positions = self.positions(frame)
        for column, features, index in zip(self.columns, self.features, positions, strict=True):
            if column.kind != "empty":
                with naming(_shown(frame, index)):
                    column.write(frame.cells(index), X, features)
        return X

    def values(self, frame: Frame) -> NDArray[np.float64]:
        """Return what the features of a table are computed from, a C-contiguous matrix.

        Its columns are those of `fit`, in the same order: numbers, dates and durations (in days)
        as they are, categories as their index in `CategoryColumn.values`, which is the number of
        categories for an unknown value; NaN where missing.

        Raises
        ------
        ValueError
            If a column is missing, or of another kind than in `fit`.
        """
        values = np.empty((frame.shape[0], len(self.columns)))
        for column, index, out in zip(self.columns, self.positions(frame), values.T, strict=True):
            with naming(_shown(frame, index)):
                cells = frame.cells(index)
                if isinstance(column, CategoryColumn):
                    codes = column.codes(cells)
                    out[...] = np.where(codes < 0, np.nan, codes)
                else:
                    out[...] = np.nan if column.kind == "empty" else column.numbers(cells)
        return values

    def positions(self, frame: Frame) -> list[int]:
        """Return the position of each column in a table."""
        if not self.named or frame.labels is None:
            if frame.shape[1] != len(self.columns):
                raise ValueError(
                    f"X has {frame.shape[1]} features, but TableEncoder is expecting "
                    f"{len(self.columns)} features as input"
                )
            return list(range(len(self.columns)))
        return positions_of([column.name for column in self.columns], frame)

    @cached_property
    def numeric(self) -> tuple[NumberColumn, ...]:
        """The columns of numbers, dates and durations, in the order of their features."""
        return tuple(column for column in self.columns if isinstance(column, NumberColumn))

    @cached_property
    def categorical(self) -> tuple[CategoryColumn, ...]:
        """The columns of categories, in the order of their features."""
        return tuple(column for column in self.columns if isinstance(column, CategoryColumn))

    @cached_property
    def n_numeric(self) -> int:
        """The number of leading features that are scaled numbers."""
        return len(self.numeric)

    @cached_property
    def n_indicators(self) -> int:
        """The number of indicators of missing values, which follow the scaled numbers."""
        return sum(column.missing for column in self.numeric)

    @cached_property
    def n_features(self) -> int:
        """The number of all features."""
        n_categories = sum(column.n_features for column in self.categorical)
        return self.n_numeric + self.n_indicators + n_categories

    @cached_property
    def features(self) -> tuple[Sequence[int], ...]:
        """The features of each column: the number and its indicator, or the categories."""
        numbers = itertools.count()
        indicators = itertools.count(self.n_numeric)
        category = self.n_numeric + self.n_indicators
        features: list[Sequence[int]] = []
        for column in self.columns:
            if isinstance(column, CategoryColumn):
                features.append(range(category, category + column.n_features))
                category += column.n_features
            elif column.missing:
                features.append((next(numbers), next(indicators)))
            else:
                features.append((next(numbers),))
        return tuple(features)

    @property
    def feature_names(self) -> list[str]:
        """The names of the features, in order."""
        names = [column.name for column in self.numeric]
        names += [column.missing_name for column in self.numeric if column.missing]
        return names + [name for column in self.categorical for name in column.feature_names]

    def renamed(self, names: Sequence[str]) -> Self:
        """Return this encoding with other names of the columns."""
        columns = zip(self.columns, names, strict=True)
        return replace(self, columns=tuple(replace(column, name=name) for column, name in columns))

    def to_json(self) -> dict[str, Any]:
        """Describe the encoding by JSON values; :meth:`from_json` reads them."""
        return {"named": self.named, "columns": [column.to_json() for column in self.columns]}

    @classmethod
    def from_json(cls, description: object) -> Self:
        """Return the encoding that `to_json` described; raise ValueError if the form is wrong."""
        if not isinstance(description, dict) or set(description) != {"named", "columns"}:
            raise ValueError(
                f"an encoding must have the keys 'named' and 'columns', got {description!r:.80}"
            )
        named, entries = description["named"], description["columns"]
        if not isinstance(named, bool) or not isinstance(entries, list) or not entries:
            raise ValueError(
                "an encoding must have a boolean 'named' and one or more 'columns', "
                f"got {description!r:.80}"
            )
        columns = tuple(_column(entry) for entry in entries)
        _check_unique([column.name for column in columns], {column.name for column in columns})
        return cls(columns, named)


NUMBER_FORM = {"name": str, "kind": str, "median": float, "scale": float, "missing": bool}
CATEGORY_FORM = {"name": str, "kind": str, "values": list, "other": bool, "missing": bool}
NUMBER_KINDS = ("number", "date", "duration", "empty")


def _column(entry: object) -> TableColumn:
    form = NUMBER_FORM
    if isinstance(entry, dict) and entry.get("kind") == CategoryColumn.kind:
        form = CATEGORY_FORM
    if not isinstance(entry, dict) or {key: type(value) for key, value in entry.items()} != form:
        raise ValueError(
            f"a column of an encoding must have the keys {', '.join(NUMBER_FORM)} or "
            f"{', '.join(CATEGORY_FORM)}, of the types that to_json gives, got {entry!r:.80}"
        )
    entry = dict(entry)
    if form is NUMBER_FORM:
        if entry["kind"] not in NUMBER_KINDS:
            raise ValueError(f"kind must be one of {NUMBER_KINDS}, got {entry['kind']!r:.80}")
        if not (np.isfinite(entry["median"]) and 0.0 <= entry["scale"] < np.inf):
            raise ValueError(f"median and scale must be finite, scale not negative, got {entry!r}")
        return NumberColumn(**entry)
    values = entry["values"]
    if not all(isinstance(value, str) for value in values) or not (
        0 < len(set(values)) == len(values)
    ):
        raise ValueError(f"values must be one or more different strings, got {values!r:.80}")
    del entry["kind"]
    return CategoryColumn(**{**entry, "values": tuple(values)})


def positions_of(wanted: Sequence[str], frame: Frame) -> list[int]:
    """Return the positions of the columns with these names; raise ValueError if one is missing."""
    names = column_names(frame)
    position = {name: index for index, name in enumerate(names)}
    missing = [name for name in wanted if name not in position]
    if missing:
        lacking = "column" if len(missing) == 1 else "columns"
        raise ValueError(
            f"X lacks the {lacking} {_listing(missing)}, which it had in fit; "
            f"it has {_listing(names) or 'none'}"
        )
    _check_unique(names, set(wanted))
    return [position[name] for name in wanted]


def column_names(frame: Frame) -> list[str]:
    """Return the names of the columns: their labels as text, or x0, x1, ..."""
    if frame.labels is None:
        return [f"x{index}" for index in range(frame.shape[1])]
    return [str(label) for label in frame.labels]


def _shown(frame: Frame, index: int) -> Any:
    return index if frame.labels is None else frame.labels[index]


def _check_unique(names: Sequence[str], wanted: set[str]) -> None:
    twice = [name for name, count in Counter(names).items() if count > 1 and name in wanted]
    if twice:
        raise ValueError(f"the columns of X must have different names, got twice {_listing(twice)}")


@contextmanager
def naming(column: Any, advice: str = "") -> Iterator[None]:
    """Add the name of the column, and the advice, to an error of its cells."""
    try:
        yield
    except UnusableCells as error:
        raise ValueError(f"column {column!r} {error}") from None
    except NotANumber as error:
        problem = f"must be numeric, got {error.text!r}"
        raise CellError(column, error.row, problem, advice) from None


def _listing(names: Sequence[str], limit: int = 8) -> str:
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(map(repr, names[:limit])) + more
