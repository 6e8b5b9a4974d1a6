"""The columns of a table that are the features of a model; stored in the model file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

NUMBER, CATEGORY, TARGET = "number", "category", "target"


@dataclass(frozen=True)
class Column:
    """A column of a table, and its meaning for the model.

    Attributes
    ----------
    name : str
        Name of the column.
    values : tuple of str, or None
        Categories. Each one is a feature: 1 where the column has that value, otherwise 0. None for
        a numeric column, which is a single feature.
    is_target : bool
        Whether the column is the target, and not a feature.
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
        """Names of the features: ``name``, or ``name=value`` for each category."""
        if self.is_target:
            return []
        if self.values is None:
            return [self.name]
        return [f"{self.name}={value}" for value in self.values]


Table = tuple[Column, ...]


def n_features(columns: Sequence[Column]) -> int:
    """Return the total number of features of the columns."""
    return sum(column.n_features for column in columns)


def feature_names(columns: Sequence[Column]) -> list[str]:
    """Return the names of the features of the columns, in order."""
    return [name for column in columns for name in column.feature_names]


def check_columns(columns: Sequence[Column], n_expected: int) -> None:
    """Raise ValueError unless the columns are a valid table with `n_expected` features."""
    names = [column.name for column in columns]
    if len(set(names)) < len(names):
        raise ValueError(f"the columns of the table must have different names, got {names!r:.80}")
    if sum(column.is_target for column in columns) > 1:
        raise ValueError("the table must have at most one column that is the target")
    for column in columns:
        values = column.values
        if values is not None and not 0 < len(set(values)) == len(values):
            raise ValueError(
                f"column {column.name!r:.80} must have one or more values, all different, "
                f"got {values!r:.80}"
            )
    if n_features(columns) != n_expected:
        raise ValueError(
            f"the table must give {n_expected} features, like the model, got {n_features(columns)}"
        )


def to_json(columns: Sequence[Column]) -> list[dict[str, Any]]:
    """Convert columns to JSON values; :func:`from_json` reads them."""
    return [_description(column) for column in columns]


def _description(column: Column) -> dict[str, Any]:
    if column.is_target:
        return {"name": column.name, "kind": TARGET}
    if column.values is None:
        return {"name": column.name, "kind": NUMBER}
    return {"name": column.name, "kind": CATEGORY, "values": list(column.values)}


def from_json(description: object) -> Table:
    """Return the columns that :func:`to_json` described; raise ValueError if the form is wrong."""
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
