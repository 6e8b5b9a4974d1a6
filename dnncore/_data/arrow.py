"""Conversion of Arrow columns to numbers and to text."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .categories import NotANumber, are_booleans

UNITS = "%$€£¥"
SPACE = "[ \u00a0]?"  # also one that does not break
# A number with a unit before or after it; the sign may stand before the unit.
WITH_UNIT = (
    rf"^(?P<sign>[-+]?)(?P<before>[{UNITS}]?){SPACE}"
    r"(?P<number>[-+]?[0-9.]+(?:[eE][-+]?[0-9]+)?)"
    rf"{SPACE}(?P<after>[{UNITS}]?)$"
)


def require_pyarrow(kind: str) -> None:
    """Raise ImportError if pyarrow, which reads files of this kind, is not installed."""
    try:
        import pyarrow  # noqa: F401
    except ImportError as error:
        raise ImportError(
            f"{kind} files need pyarrow: pip install 'dnncore[cli]'", name="pyarrow"
        ) from error


def is_number_type(kind: Any) -> bool:
    from pyarrow import types

    return any(test(kind) for test in (types.is_integer, types.is_floating, types.is_decimal))


def is_text_type(kind: Any) -> bool:
    return str(kind) in ("string", "large_string", "string_view")


def plain(column: Any) -> Any:
    """Decode a dictionary column, and convert text to Arrow's plain string type."""
    import pyarrow as pa

    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if is_text_type(column.type) and not pa.types.is_string(column.type):
        column = column.cast(pa.string())
    return column


def missing(column: Any) -> NDArray[np.bool_]:
    """Return a mask of the cells that are null or NaN."""
    from pyarrow import compute

    mask: NDArray[np.bool_] = compute.is_null(column, nan_is_null=True).to_numpy(
        zero_copy_only=False
    )
    return mask


def numbers(column: Any, *, with_units: bool = True) -> NDArray[Any]:
    """Convert a column of numbers, Booleans or numeric text to an array, with NaN for nulls.

    Integers (without nulls) and floats keep their type; anything else becomes float64. With
    `with_units`, numbers of the same unit (a percent or currency sign) are those without it.

    Raises
    ------
    NotANumber
        For the first cell with text that is not numeric.
    """
    import pyarrow as pa

    if not (pa.types.is_integer(column.type) or pa.types.is_floating(column.type)):
        try:
            column = column.cast(pa.float64(), safe=False)
        except pa.ArrowInvalid:
            column = _without_unit(column, with_units)
    return column.to_numpy(zero_copy_only=False)  # type: ignore[no-any-return]


def numbers_or_booleans(column: Any) -> NDArray[Any]:
    """Convert as `numbers` does; in a column of only true and false, these texts become 1 and 0."""
    from pyarrow import compute

    try:
        return numbers(column)
    except NotANumber:
        if not are_booleans(compute.unique(column).to_pylist()):
            raise
    return numbers(compute.equal(compute.utf8_lower(column), "true"))


def labels(column: Any) -> NDArray[Any]:
    """Convert a `plain` column without nulls to labels: strings, Booleans or numbers."""
    from pyarrow import types

    if is_text_type(column.type):
        return column.to_numpy(zero_copy_only=False).astype(str)  # type: ignore[no-any-return]
    if types.is_boolean(column.type):
        return column.to_numpy(zero_copy_only=False)  # type: ignore[no-any-return]
    return numbers(column)


def _without_unit(column: Any, with_units: bool) -> Any:
    """Convert a column of text, not all of which are plain numbers, as `numbers` does."""
    import pyarrow as pa
    from pyarrow import compute

    cells = column.drop_null()
    unit = (_unit(str(cells[0])) if len(cells) and with_units else None) or ""
    if unit:
        # flatten, unlike field, keeps the nulls of the column.
        sign, before, number, after = compute.extract_regex(column, WITH_UNIT).flatten()
        same = compute.equal(compute.binary_join_element_wise(before, after, ""), unit)
        bare = compute.binary_join_element_wise(sign, number, "")
        if compute.all(same).as_py() and bare.null_count == column.null_count:
            with suppress(pa.ArrowInvalid):  # such as 1.2.3%
                return bare.cast(pa.float64())
    for row, cell in enumerate(column):
        if cell.is_valid and _unit(str(cell)) != unit:
            raise NotANumber(row, str(cell))
    raise AssertionError("a column of numbers was not converted")


def _unit(text: str) -> str | None:
    """Return the unit of a number, empty if it has none; None if the text is no number."""
    import pyarrow as pa

    with_unit = re.fullmatch(WITH_UNIT, text)
    unit = with_unit["before"] + with_unit["after"] if with_unit else ""
    bare = with_unit["sign"] + with_unit["number"] if with_unit and unit else text
    try:
        pa.scalar(bare).cast(pa.float64())
    except pa.ArrowInvalid:
        return None
    return unit


def is_number(text: str) -> bool:
    """Return whether a text is a number, which may have a unit."""
    return _unit(text) is not None


def texts(column: Any) -> Any:
    """Convert a column to Arrow strings, equal for equal numbers of any type: 1 for 1.0."""
    import pyarrow as pa
    from pyarrow import compute

    if pa.types.is_floating(column.type):
        column = compute.if_else(compute.is_nan(column), None, column)
    return column.cast(pa.string())


def factorize(column: Any) -> tuple[NDArray[np.intp], list[str]]:
    """Return a code for each cell, -1 if it is missing, and the text of each code."""
    import pyarrow as pa
    from pyarrow import compute

    cells = texts(column)
    if isinstance(cells, pa.ChunkedArray):
        cells = cells.combine_chunks()
    encoded = cells.dictionary_encode()
    codes = compute.fill_null(encoded.indices, -1).to_numpy(zero_copy_only=False)
    return codes.astype(np.intp), encoded.dictionary.to_pylist()
