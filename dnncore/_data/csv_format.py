"""How numbers, columns and characters are written in a CSV file, and how to find out."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

DELIMITERS = ",;\t|"
N_RECORDS = 100  # looked at
BYTE_ORDER_MARKS = {
    codecs.BOM_UTF32_LE: "utf-32", codecs.BOM_UTF32_BE: "utf-32",  # before UTF-16, its beginning
    codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16",
}  # fmt: skip


def _grouped(t: str, d: str) -> str:
    """Return the pattern of numbers that have separators of thousands without doubt."""
    return rf"[1-9]\d{{0,2}}(?:(?:{t}\d{{3}})+{d}\d+|(?:{t}\d{{3}}){{2,}})"


def _ungrouped(d: str) -> str:
    """Return the pattern of numbers whose separator is not one of thousands without doubt."""
    return rf"(?![1-9]\d{{0,2}}{d}\d{{3}}$)\d+{d}\d+(?:[eE][-+]?\d+)?"


# By decimal separator: the numbers that have separators of thousands, and those that tell it.
GROUPED = {".": re.compile(_grouped(",", r"\.")), ",": re.compile(_grouped(r"\.", ","))}
CLEAR = {
    ".": re.compile(rf"{_grouped(',', r'[.]')}|{_ungrouped(r'[.]')}"),
    ",": re.compile(rf"{_grouped(r'[.]', ',')}|{_ungrouped(',')}"),
}


class CsvFormat(NamedTuple):
    """The format of a CSV file; None for what is to be found out.

    Attributes
    ----------
    delimiter : str
        Character between the cells of a row.
    decimal : str
        Decimal separator of numbers.
    thousands : str
        Separator between groups of three digits; empty if there are none.
    encoding : str
        Name of a codec.
    """

    delimiter: str | None = None
    decimal: str | None = None
    thousands: str | None = None
    encoding: str | None = None


DETECT = CsvFormat()
DEFAULT = CsvFormat(",", ".", "", "utf-8")


def detect(head: bytes, *, is_whole: bool, given: CsvFormat) -> CsvFormat:
    """Complete a format from the beginning of a file, as far as there is no doubt.

    Parameters
    ----------
    head : bytes
        The beginning of the file.
    is_whole : bool
        Whether that is the whole file.
    given : CsvFormat
        What is known.

    Returns
    -------
    CsvFormat
        In doubt, as in `DEFAULT`.
    """
    encoding = given.encoding or _encoding(head, is_whole)
    text = codecs.getincrementaldecoder(encoding)("replace").decode(head, is_whole)
    text = text.removeprefix("\ufeff")
    delimiter = given.delimiter or _delimiter(text, is_whole)
    decimal, thousands = given.decimal, given.thousands
    if decimal is None or thousands is None:
        cells = [cell.strip() for record in _records(text, delimiter, is_whole) for cell in record]
        found = _separators([cell.strip("+-$€£¥% \u00a0") for cell in cells])
        # Those that are found belong together.
        if (decimal or found[0]) != found[0] or (thousands or found[1]) != found[1]:
            found = ".", ""
        decimal = found[0] if decimal is None else decimal
        thousands = found[1] if thousands is None else thousands
        if thousands == decimal:
            thousands = ""
    return CsvFormat(delimiter, decimal, thousands, encoding)


def _encoding(head: bytes, is_whole: bool) -> str:
    for mark, name in BYTE_ORDER_MARKS.items():
        if head.startswith(mark):
            return name
    for name in ("utf-8", "cp1252"):
        try:
            codecs.getincrementaldecoder(name)().decode(head, is_whole)
        except UnicodeDecodeError:
            continue
        return name
    return "latin-1"


def _records(text: str, delimiter: str, is_whole: bool) -> Iterator[list[str]]:
    """Yield the first rows and the header, without a last one that may be cut off."""
    records = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    previous = None
    try:
        for record in islice(filter(None, records), N_RECORDS):
            if previous is not None:
                yield previous
            previous = record
    except csv.Error:  # a cell without an end
        return
    if previous is not None and is_whole:
        yield previous


def _delimiter(text: str, is_whole: bool) -> str:
    """Return the delimiter that gives every row the same number of cells, at least 2."""
    columns = {}
    for delimiter in DELIMITERS:
        widths = {len(record) for record in _records(text, delimiter, is_whole)}
        if len(widths) == 1 and max(widths) > 1:
            columns[delimiter] = max(widths)
    if "," in columns or not columns:
        return ","
    return max(columns, key=columns.__getitem__)


def _separators(cells: list[str]) -> tuple[str, str]:
    """Return the decimal and the thousands separator of numbers.

    '1,234' could have either, so other numbers must tell, and none may tell the contrary.
    """
    points, commas = (any(map(CLEAR[decimal].fullmatch, cells)) for decimal in ".,")
    grouped = any(map(GROUPED["," if commas else "."].fullmatch, cells))
    if points and commas:
        return ".", ""
    if commas:
        return ",", "." if grouped else ""
    return ".", "," if grouped else ""
