"""Categories of a column as texts: their meaning, their order, and the index of each."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

BOOLEANS = ("false", "true")


class NotANumber(Exception):
    """A text is not a number; has the text and its row in the column."""

    def __init__(self, row: int, text: str) -> None:
        super().__init__(text)
        self.row, self.text = row, text


class Categories:
    """List of categories that maps texts to indices.

    A text that is not in the list is compared by its meaning: 1.0 and 01 equal 1, True and TRUE
    equal true.

    Parameters
    ----------
    values : sequence of str
        Categories, all different.
    """

    def __init__(self, values: Sequence[str]) -> None:
        self._values = {value: index for index, value in enumerate(values)}
        self._booleans = are_booleans(values)
        self._meanings: dict[str, int] = {}
        for index, value in enumerate(values):
            self._meanings.setdefault(self._meaning(value), index)

    def index(self, text: str) -> int:
        """Return the index of a text, -1 if it is unknown."""
        index = self._values.get(text)
        return self._meanings.get(self._meaning(text), -1) if index is None else index

    def indices(self, texts: Sequence[str]) -> NDArray[np.intp]:
        """Return the index of each text, -1 if it is unknown."""
        return np.fromiter(map(self.index, texts), np.intp, len(texts))

    def _meaning(self, text: str) -> str:
        lower = text.lower()
        if self._booleans:
            return {"0": "false", "1": "true"}.get(lower, lower)
        try:
            number = parse_number(text)
        except ValueError:
            return text
        if math.isfinite(number) and number == int(number):
            return str(int(number))
        return repr(number)


def are_booleans(texts: Sequence[str | None]) -> bool:
    """Return whether all texts are true or false, apart from missing ones (None)."""
    present = {text.lower() for text in texts if text is not None}
    return bool(present) and present <= set(BOOLEANS)


def order(value: str) -> tuple[bool, float, str]:
    """Sort key of categories: numbers by value, before other texts."""
    try:
        number = float(value)
    except ValueError:
        return True, 0.0, value
    return False, number if math.isfinite(number) else math.inf, value


def parse_number(text: str) -> float:
    """Return the number that a text represents; raise ValueError if it represents none."""
    if "_" in text:  # a number only to Python
        raise ValueError(f"{text!r} is not a number")
    return float(text)


def number_text(number: float) -> str:
    """Return the text of a number, equal for equal numbers of any type: 1 for 1.0."""
    if math.isfinite(number) and abs(number) < 2**63 and number == int(number):
        return str(int(number))
    return str(number)
