"""The state of a NumPy RandomState in JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ._header import ModelFileError, require

GENERATOR, KEY_BYTES, MAX_POSITION = "MT19937", 4 * 624, 624


def describe(state: Mapping[str, Any]) -> dict[str, Any]:
    """Return the description that :func:`build` reads.

    Raises
    ------
    TypeError
        If the state is of another generator than that of NumPy's default.
    """
    if state["bit_generator"] != GENERATOR:
        raise TypeError(
            f"random_state must be of {GENERATOR} to be saved, got {state['bit_generator']}"
        )
    key = np.asarray(state["state"]["key"]).astype("<u4")
    return {"key": key.tobytes().hex(), "position": int(state["state"]["pos"])}


def build(name: str, description: object) -> dict[str, Any]:
    """Return the state; `name` is that of the description in errors."""
    if not isinstance(description, dict) or set(description) != {"key", "position"}:
        raise ModelFileError(f"{name} must be an object with key, position")
    key, position = description["key"], description["position"]
    require(
        type(position) is int and 0 <= position <= MAX_POSITION,
        f"position of {name} must be an integer from 0 to {MAX_POSITION}, got {position!r:.80}",
    )
    try:
        data = bytes.fromhex(key)
    except (TypeError, ValueError):
        data = b""
    require(len(data) == KEY_BYTES, f"key of {name} must be {2 * KEY_BYTES} hexadecimal digits")
    return {
        "bit_generator": GENERATOR,
        "state": {"key": np.frombuffer(data, "<u4").astype(np.uint32), "pos": position},
        "has_gauss": 0,
        "gauss": 0.0,
    }
