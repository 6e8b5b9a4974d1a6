"""Arrays as small images: a cell for each element, which shows its value when pointed at."""

from __future__ import annotations

from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .figure import BLUE, ORANGE

MAX_ROWS, MAX_COLUMNS = 8, 24  # that are drawn
MAX_NUMBERS = 20  # elements of an array whose cells contain their values
CELL, GAP = 12, 1
WIDE, HIGH = 64, 18  # of a cell with its value
PALE = 0.6  # opacity of the largest of these, on which a number can be read


def array_svg(name: str, value: NDArray[Any]) -> str:
    """Draw an array: positive elements in orange, negative ones in blue, stronger if larger.

    Parameters
    ----------
    name : str
        Name of the array, for the description of its elements.
    value : array
        Any shape; the first axes of one with more than two are drawn one below the other.

    Returns
    -------
    str
        An ``<svg>`` element, followed by a note if the array is too large to be drawn as a whole.
    """
    if value.size == 0:
        return "empty"
    rows = value.reshape(-1, value.shape[-1])
    shown = rows[:MAX_ROWS, :MAX_COLUMNS]
    largest = float(np.abs(rows[np.isfinite(rows)]).max(initial=0.0)) or 1.0
    numbers = value.size <= MAX_NUMBERS
    size = (WIDE, HIGH) if numbers else (CELL, CELL)
    strongest = PALE if numbers else 1.0
    cells = []
    for (row, column), x in np.ndenumerate(shown):
        index = (*np.unravel_index(row, value.shape[:-1] or (1,)), column)[-value.ndim :]
        described = f"{name}[{', '.join(map(str, index))}]"
        place = GAP + column * (size[0] + GAP), GAP + row * (size[1] + GAP)
        cells.append(_cell(place, size, described, float(x), largest / strongest))
        if numbers:
            cells.append(_number(place, float(x)))
    n_rows, n_columns = shown.shape
    width, height = n_columns * (size[0] + GAP) + GAP, n_rows * (size[1] + GAP) + GAP
    image = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
        f'height="{height}" role="img" aria-label="{escape(name)}" '
        'style="vertical-align:middle;max-width:none">' + "".join(cells) + "</svg>"
    )
    if shown.shape == rows.shape:
        return image
    return f"{image}<div><small>first {' × '.join(map(str, shown.shape))}</small></div>"


def _cell(place: tuple[int, int], size: tuple[int, int], name: str, x: float, opaque: float) -> str:
    share = min(abs(x) / opaque, 1.0) if x == x else 0.0
    colour = BLUE if x < 0 else ORANGE
    x0, y0 = place
    width, height = size
    return (
        f'<rect x="{x0}" y="{y0}" width="{width}" height="{height}" fill="{colour}" '
        f'fill-opacity="{share:.2f}" stroke="currentColor" stroke-opacity="0.2">'
        f"<title>{escape(name)} = {x:.6g}</title></rect>"
    )


def _number(place: tuple[int, int], x: float) -> str:
    return (
        f'<text x="{place[0] + WIDE / 2:g}" y="{place[1] + HIGH - 5}" text-anchor="middle" '
        f'font-size="11" fill="currentColor" pointer-events="none">{x:.4g}</text>'
    )
