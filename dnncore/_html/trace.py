"""A table of the quantities of a forward and backward pass, as an HTML element."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import Any, Protocol

import numpy as np

from .array import array_svg
from .formula import formula_mathml

COLUMNS = ("quantity", "values", "shape", "layer", "kernel")


class ShownQuantity(Protocol):
    """The attributes of a quantity that a table uses; see :class:`dnncore.network.Quantity`."""

    @property
    def name(self) -> str: ...
    @property
    def value(self) -> Any: ...
    @property
    def layer(self) -> int | None: ...
    @property
    def formula(self) -> str: ...
    @property
    def kernel(self) -> str: ...


def trace_html(quantities: Iterable[ShownQuantity]) -> str:
    """Return quantities as a table: formula, values, shape, layer and kernel, unless empty.

    It contains no scripts, ids or style sheets, as the other drawings.
    """
    cells = [COLUMNS, *map(_cells, quantities)]
    columns = [column for column in zip(*cells, strict=True) if any(column[1:])]
    names, *lines = zip(*columns, strict=True)
    header = _line("th", "padding:0 1em", names)
    rows = "".join(_line("td", "padding:0.2em 1em;white-space:nowrap", line) for line in lines)
    return (
        '<div style="overflow-x:auto;font:13px/1.6 sans-serif"><table style="border-collapse:'
        f'collapse"><thead>{header}</thead><tbody>{rows}</tbody></table></div>'
    )


def _cells(quantity: ShownQuantity) -> tuple[str, ...]:
    value = np.asarray(quantity.value)
    return (
        formula_mathml(quantity.formula),
        f"{value:.6g}" if value.ndim == 0 else array_svg(quantity.name, value),
        " × ".join(map(str, value.shape)),
        "" if quantity.layer is None else str(quantity.layer),
        f"<code>{escape(quantity.kernel)}</code>" if quantity.kernel else "",
    )


def _line(tag: str, style: str, cells: Iterable[str]) -> str:
    inner = "".join(f'<{tag} style="text-align:left;{style}">{cell}</{tag}>' for cell in cells)
    return f"<tr>{inner}</tr>"
