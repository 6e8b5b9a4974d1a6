"""The confusion matrix as a shaded table."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._html import Markup, element, join, number, percent, table

MAX_WRITTEN = 20  # with more classes, cells are coloured squares without counts
MAX_CONFUSIONS = 10
LONGEST_ACROSS = 3  # longer class names are rotated in the narrow columns


def matrix(C: NDArray[Any], names: list[str]) -> Markup:
    """Return the matrix with true classes as rows and predicted classes as columns.

    Each cell is shaded by its fraction of the row.

    Parameters
    ----------
    C : array (n_classes, n_classes)
        Counts, or sums of weights.
    names : list of n_classes str
        Names of the classes.
    """
    written = len(names) <= MAX_WRITTEN
    shares = C / np.maximum(C.sum(axis=1, keepdims=True), np.finfo(float).tiny)
    body = []
    for i, name in enumerate(names):
        line = (_cell(C[i, j], shares[i, j], name, names[j], written) for j in range(len(names)))
        true = element("span", name) if written else name
        body.append(element("tr", element("th", true, scope="row", title=name), *line))
    upright = max(map(len, names)) > LONGEST_ACROSS
    turned = "upright" if upright else ""
    head = [
        element("th", element("span", name, class_=turned), scope="col", title=name)
        for name in names
    ]
    if not written:
        head = [element("th", title=name, scope="col") for name in names]
    caption = "Rows: true class; columns: predicted class. Shaded by fraction of the true class"
    caption += "." if written else "; hover over a cell to see its count."
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
    # A single mistake among many rows must remain visible.
    strength = 0.15 + 0.85 * share
    return element(
        "td",
        number(count) if written else "",
        title=f"{number(count)} of {true} predicted as {predicted} ({percent(share)})",
        style=f"background:rgba(var({colour}),{strength:.2f})",
        class_="dark" if strength > 0.5 and written else "",
    )


def confusions(C: NDArray[Any], names: list[str]) -> Markup:
    """Return the most frequent confusions, if there are any."""
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
    header = ("true", "predicted", "rows", "% of true class")
    return join([element("h3", "Most frequent confusions"), table(header, lines, text=(0, 1))])
