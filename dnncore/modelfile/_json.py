"""Strict JSON, in which every text has exactly one meaning.

Duplicate names, NaN and numbers too large for a float are rejected. Infinity, which JSON cannot
represent, is written as ``{"float": "inf"}`` or ``{"float": "-inf"}``.
"""

from __future__ import annotations

import json
import math
from typing import Any, NoReturn

import numpy as np

INFINITIES = {"inf": math.inf, "-inf": -math.inf}


def encode(name: str, value: object) -> str:
    """Encode a value; NumPy scalars and arrays are converted to Python numbers and lists.

    Raises
    ------
    TypeError
        If the value cannot be represented in JSON or contains NaN; the message contains `name`.
    """
    return json.dumps(_plain(name, value), sort_keys=True)


def _plain(name: str, value: object) -> object:
    if isinstance(value, np.generic | np.ndarray):
        value = value.tolist()
    if isinstance(value, list | tuple):
        return [_plain(name, x) for x in value]
    if isinstance(value, dict):
        return {key: _plain(name, x) for key, x in value.items()}
    if value is None or isinstance(value, str | int):
        return value
    if isinstance(value, float) and not math.isnan(value):
        return {"float": str(value)} if math.isinf(value) else value
    raise TypeError(f"{name} must be plain values without NaN to be saved, got {value!r:.80}")


def decode(text: str) -> Any:
    """Decode a text; ValueError if it is not valid."""
    try:
        return json.loads(
            text, object_pairs_hook=_object, parse_float=_finite, parse_constant=_reject
        )
    except RecursionError as error:
        raise ValueError("too deeply nested") from error


def _object(pairs: list[tuple[str, Any]]) -> Any:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise ValueError(f"names of an object must be unique, got {_twice(pairs)!r:.80} twice")
    if len(pairs) == 1 and pairs[0][0] == "float" and isinstance(pairs[0][1], str):
        return INFINITIES.get(pairs[0][1], members)
    return members


def _twice(pairs: list[tuple[str, Any]]) -> str:
    seen: set[str] = set()
    return next(name for name, _ in pairs if name in seen or seen.add(name))  # type: ignore[func-returns-value]


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise ValueError(f"a number must be representable as a float, got {text:.40}")
    return number


def _reject(word: str) -> NoReturn:
    raise ValueError(f"{word} is not JSON")
