"""How the columns of a table became the features of a model; kept in the model file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

NUMBER, CATEGORY, TARGET = "number", "category", "target"


@dataclass(frozen=True)
class Column:
    """A column of a table, as a model takes it.

    Attributes
    ----------
    name : str
    values : tuple of str, or None
        The categories, of which each is a feature: 1 where the column has that value, else 0.
        None for a column of numbers, which is a feature as it is.
    is_target : bool
        Whether it is the column to predict, and no feature.
    """

    name: str
    values: tuple[str, ...] | None = None
    is_target: bool = False

    @property
    def n_features(self) -> int:
        if self.is_target:
            return 0
        return 1 if self.values is None else len(self.values)

    @property
    def feature_names(self) -> list[str]:
        """``name``, or ``name=value`` for each category."""
        if self.is_target:
            return []
        if self.values is None:
            return [self.name]
        return [f"{self.name}={value}" for value in self.values]


Table = tuple[Column, ...]


def n_features(columns: Sequence[Column]) -> int:
    """How many features the columns give together."""
    return sum(column.n_features for column in columns)


def feature_names(columns: Sequence[Column]) -> list[str]:
    """The names of these features, in their order."""
    return [name for column in columns for name in column.feature_names]


def check_columns(columns: Sequence[Column], n_expected: int) -> None:
    """Raise ValueError unless the columns are a table that gives `n_expected` features."""
    names = [column.name for column in columns]
    if len(set(names)) < len(names):
        raise ValueError(f"the columns of the table must have different names, got {names!r:.80}")
    if sum(column.is_target for column in columns) > 1:
        raise ValueError("the table must have at most one column that is the target")
    for column in columns:
        values = column.values
        if values is not None and not 0 < len(set(values)) == len(values):
            raise ValueError(
                f"column {column.name!r:.80} must have one or more values, each of them once, "
                f"got {values!r:.80}"
            )
    if n_features(columns) != n_expected:
        raise ValueError(
            f"the table must give {n_expected} features, as many as the model takes, "
            f"got {n_features(columns)}"
        )


def to_json(columns: Sequence[Column]) -> list[dict[str, Any]]:
    """The columns as values that JSON has words for; :func:`from_json` reads them."""
    return [_description(column) for column in columns]


def _description(column: Column) -> dict[str, Any]:
    if column.is_target:
        return {"name": column.name, "kind": TARGET}
    if column.values is None:
        return {"name": column.name, "kind": NUMBER}
    return {"name": column.name, "kind": CATEGORY, "values": list(column.values)}


def from_json(description: object) -> Table:
    """The columns that :func:`to_json` described; ValueError if they are of another form."""
    if not isinstance(description, list):
        raise ValueError("table must be a list of columns")
    return tuple(_column(entry) for entry in description)


def _column(entry: object) -> Column:
    kind = entry.get("kind") if isinstance(entry, dict) else None
    plain = {"name", "kind"}
    expected = {NUMBER: plain, CATEGORY: plain | {"values"}, TARGET: plain}
    if (
        not isinstance(entry, dict)
        or not isinstance(kind, str)
        or expected.get(kind) != set(entry)
        or not isinstance(entry["name"], str)
    ):
        raise ValueError(
            "a column of the table must have a name and the kind 'number' or 'target', or a name, "
            f"the kind 'category' and values, got {entry!r:.80}"
        )
    values = entry.get("values", [])
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise ValueError(
            f"values of column {entry['name']!r:.80} must be strings, got {values!r:.80}"
        )
    return Column(entry["name"], tuple(values) if kind == CATEGORY else None, kind == TARGET)
