"""A table of the quantities of a forward and backward pass, as an HTML element."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape
from typing import Any, Protocol

import numpy as np

from .array import array_svg
from .formula import formula_mathml


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
    """Return quantities as a table: formula, values, shape, layer and kernel.

    It contains no scripts, ids or style sheets, as the other drawings.
    """
    header = "".join(
        f'<th style="text-align:left;padding:0 1em">{name}</th>'
        for name in ("quantity", "values", "shape", "layer", "kernel")
    )
    rows = "".join(f"<tr>{_cells(quantity)}</tr>" for quantity in quantities)
    return (
        '<div style="overflow-x:auto;font:13px/1.6 sans-serif"><table style="border-collapse:'
        f'collapse"><thead><tr>{header}</tr></thead><tbody>{rows}</tbody></table></div>'
    )


def _cells(quantity: ShownQuantity) -> str:
    value = np.asarray(quantity.value)
    cells = (
        formula_mathml(quantity.formula),
        f"{value:.6g}" if value.ndim == 0 else array_svg(quantity.name, value),
        " × ".join(map(str, value.shape)),
        "" if quantity.layer is None else str(quantity.layer),
        f"<code>{escape(quantity.kernel)}</code>" if quantity.kernel else "",
    )
    return "".join(
        f'<td style="text-align:left;padding:0.2em 1em;white-space:nowrap">{cell}</td>'
        for cell in cells
    )
