"""The confusion matrix as a table that is shaded."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._html import Markup, element, join, number, percent, table

MAX_WRITTEN = 20  # classes up to which counts are written; above, cells are coloured squares
MAX_CONFUSIONS = 10
LONGEST_ACROSS = 3  # letters of a class, in the narrow columns


def matrix(C: NDArray[Any], names: list[str]) -> Markup:
    """A row for each true class, a column for each predicted one, shaded by the share of the row.

    Parameters
    ----------
    C : array (n_classes, n_classes)
        Counts, or weights.
    names : list of n_classes str
    """
    written = len(names) <= MAX_WRITTEN
    shares = C / np.maximum(C.sum(axis=1, keepdims=True), np.finfo(float).tiny)
    body = []
    for i, name in enumerate(names):
        line = (_cell(C[i, j], shares[i, j], name, names[j], written) for j in range(len(names)))
        body.append(element("tr", element("th", name, scope="row"), *line))
    upright = max(map(len, names)) > LONGEST_ACROSS
    turned = "upright" if upright else ""
    head = [element("th", element("span", name, class_=turned), scope="col") for name in names]
    if not written:
        head = [element("th", title=name, scope="col") for name in names]
    caption = "Rows: true class; columns: predicted. Shaded by the share of the true class"
    caption += "." if written else "; counts appear when a cell is pointed at."
    cells = element(
        "table",
        element("thead", element("tr", Markup("<td></td>"), *head)),
        element("tbody", *body),
        class_="matrix" if written else "matrix small",
    )
    return join([element("div", cells, class_="scroll"), element("p", caption, class_="muted")])


def _cell(count: float, share: float, true: str, predicted: str, written: bool) -> Markup:
    if count == 0:
        return Markup("<td></td>")
    colour = "--blue" if true == predicted else "--orange"
    # A single mistake among many rows must be seen too.
    strength = 0.15 + 0.85 * share
    return element(
        "td",
        number(count) if written else "",
        title=f"{number(count)} of {true} predicted as {predicted} ({percent(share)})",
        style=f"background:rgba(var({colour}),{strength:.2f})",
        class_="dark" if strength > 0.5 and written else "",
    )


def confusions(C: NDArray[Any], names: list[str]) -> Markup:
    """The most frequent mistakes, if there are any."""
    off = np.where(np.eye(len(C), dtype=bool), 0, C)
    order = np.argsort(-off, axis=None, kind="stable")[:MAX_CONFUSIONS]
    pairs = [(int(place) // len(C), int(place) % len(C)) for place in order]
    lines = [
        (names[i], names[j], number(off[i, j]), percent(off[i, j] / C[i].sum()))
        for i, j in pairs
        if off[i, j] > 0
    ]
    if not lines:
        return Markup("")
    header = ("true", "predicted", "rows", "of the true class")
    return join([element("h3", "Most frequent mistakes"), table(header, lines, text=(0, 1))])
