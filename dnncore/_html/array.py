"""Arrays as small images: a square for each element, which shows its value when pointed at."""

from __future__ import annotations

from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .figure import BLUE, ORANGE

MAX_ROWS, MAX_COLUMNS = 8, 24  # that are drawn
CELL, GAP = 12, 1


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
    cells = []
    for (row, column), x in np.ndenumerate(shown):
        index = (*np.unravel_index(row, value.shape[:-1] or (1,)), column)[-value.ndim :]
        described = f"{name}[{', '.join(map(str, index))}]"
        cells.append(_cell(row, column, described, float(x), largest))
    height, width = (size * (CELL + GAP) + GAP for size in shown.shape)
    image = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
        f'height="{height}" role="img" aria-label="{escape(name)}" style="vertical-align:middle">'
        + "".join(cells)
        + "</svg>"
    )
    if shown.shape == rows.shape:
        return image
    return f"{image}<div><small>first {' × '.join(map(str, shown.shape))}</small></div>"


def _cell(row: int, column: int, name: str, x: float, largest: float) -> str:
    share = min(abs(x) / largest, 1.0) if x == x else 0.0
    colour = BLUE if x < 0 else ORANGE
    return (
        f'<rect x="{GAP + column * (CELL + GAP)}" y="{GAP + row * (CELL + GAP)}" width="{CELL}" '
        f'height="{CELL}" fill="{colour}" fill-opacity="{share:.2f}" stroke="currentColor" '
        f'stroke-opacity="0.2"><title>{escape(name)} = {x:.6g}</title></rect>'
    )
