"""The array of classes in JSON: kind, dtype and values."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._header import ModelFileError, require

TYPES = {"bool": bool, "int": int, "float": float, "str": str}
DTYPES = {
    "bool": {"bool"},
    "int": {f"{sign}int{bits}" for sign in ("", "u") for bits in (8, 16, 32, 64)},
    "float": {"float16", "float32", "float64"},
}
SPARE_WIDTH = 1024  # maximum excess width of fixed-width strings over the longest one


def describe(classes: NDArray[Any]) -> dict[str, Any]:
    """Return the description that :func:`build` reads; TypeError for an unsupported dtype."""
    values = classes.tolist()
    if classes.dtype.kind == "U":
        width = min(classes.dtype.itemsize // 4, max(map(len, values)) + SPARE_WIDTH)
        return {"kind": "str", "dtype": f"U{width}", "values": values}
    if classes.dtype == object and all(isinstance(value, str) for value in values):
        return {"kind": "str", "dtype": "object", "values": values}
    for kind, dtypes in DTYPES.items():
        if classes.dtype.name in dtypes:
            return {"kind": kind, "dtype": classes.dtype.name, "values": values}
    raise TypeError(
        f"classes must be integers, strings, floats or booleans to be saved, got {classes.dtype}"
    )


def build(description: object, n_outputs: int, *, ordered: bool) -> NDArray[Any]:
    """Return the array, one value per output; if `ordered`, values must be sorted and unique."""
    if not isinstance(description, dict) or set(description) != {"kind", "dtype", "values"}:
        raise ModelFileError("classes must be an object with kind, dtype and values")
    kind, dtype, values = description["kind"], description["dtype"], description["values"]
    require(
        isinstance(kind, str) and kind in TYPES,
        f"kind of the classes must be one of {', '.join(TYPES)}, got {kind!r:.80}",
    )
    require(
        isinstance(values, list)
        and len(values) == n_outputs
        and all(type(value) is TYPES[kind] for value in values),
        f"classes must be {n_outputs} values of kind {kind}, one per output",
    )
    require(
        isinstance(dtype, str)
        and (_is_string_dtype(dtype, values) if kind == "str" else dtype in DTYPES[kind]),
        f"classes of kind {kind} cannot have dtype {dtype!r:.80}",
    )
    if kind == "int":  # NumPy 1 takes them modulo 2^bits
        limits = np.iinfo(dtype)
        require(
            limits.min <= min(values) and max(values) <= limits.max,
            f"classes must fit into {dtype}, got {min(values)!r:.40} to {max(values)!r:.40}",
        )
    with np.errstate(over="ignore"):
        classes = np.array(values, dtype=dtype)
    require(kind != "float" or np.isfinite(classes).all(), "classes must be finite")
    require(not ordered or (classes[1:] > classes[:-1]).all(), "classes must be unique and sorted")
    return classes


def _is_string_dtype(dtype: str, values: list[str]) -> bool:
    """Whether the dtype is object, or has a width that fits `values` without excessive padding."""
    width, longest = dtype.removeprefix("U"), max(map(len, values))
    return dtype == "object" or (
        dtype == f"U{width}"
        and width.isascii()
        and width.isdecimal()
        and longest <= int(width[:9]) <= longest + SPARE_WIDTH
    )
