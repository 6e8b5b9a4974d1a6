"""Matplotlib figures as inline SVG in the colours of the page, and small images as PNG."""

from __future__ import annotations

import base64
import io
import re
import warnings
from collections.abc import Callable
from html import escape
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..display._axes import BLUE, ORANGE
from ._html import Markup, element

# Placeholder colours, replaced by those of the page, which differ in light and dark mode.
INK, PAPER = "#010203", "#fdfcfb"
PAGE_COLOURS = {
    INK: "var(--ink)",
    PAPER: "var(--paper)",
    BLUE: "rgb(var(--blue))",
    ORANGE: "rgb(var(--orange))",
}


def svg(name: str, label: str, size: tuple[float, float], draw: Callable[[Any], object]) -> Markup:
    """Draw a figure.

    Parameters
    ----------
    name : str
        Prefix of the ids in the figure, unique within a page.
    label : str
        Description of the figure for screen readers.
    size : (width, height)
        Size in inches.
    draw : callable
        Called with the Figure.
    """
    from matplotlib import style
    from matplotlib.figure import Figure

    ink = ("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color")
    own: dict[str, str] = dict.fromkeys((*ink, "legend.labelcolor"), INK)
    own |= dict.fromkeys(("figure.facecolor", "savefig.facecolor"), "none")
    own |= {
        "axes.facecolor": PAPER,
        "grid.color": "grey",
        "svg.fonttype": "none",
        "svg.hashsalt": name,
    }
    file = io.StringIO()
    with style.context([own], after_reset=True), warnings.catch_warnings():
        # The name of a score may contain characters that Matplotlib's font lacks; the browser
        # has fonts that contain them.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure = Figure(figsize=size, layout="constrained")
        draw(figure)
        undated: Any = {"Date": None}
        figure.savefig(file, format="svg", metadata=undated)
    return _inline(file.getvalue(), name, label)


def _inline(text: str, name: str, label: str) -> Markup:
    """Return an SVG file as an element of a page, with unique ids and the page's colours."""
    text = text[text.index("<svg") :]
    for tag in ("metadata", "style"):  # a style would apply to the whole page
        text = re.sub(rf"<{tag}\b.*?</{tag}>", "", text, flags=re.DOTALL)
    text = re.sub(r'\bid="', f'id="{name}-', text)
    text = text.replace("url(#", f"url(#{name}-").replace('href="#', f'href="#{name}-')
    for colour, own in PAGE_COLOURS.items():
        text = text.replace(colour.lower(), own)
    opening = f'<svg class="figure" role="img" aria-label="{escape(label)}"'
    # On a narrow screen, a figure scrolls: its text would be too small to read.
    return element("div", Markup(re.sub("<svg", opening, text, count=1)), class_="scroll")


def image(pixels: NDArray[Any], label: str) -> Markup:
    """Return a row as a small image, from white (lowest value) to black (highest value)."""
    from matplotlib.image import imsave

    file = io.BytesIO()
    imsave(
        file, np.nan_to_num(pixels), cmap="gray_r", format="png", metadata={"Software": "dnncore"}
    )
    data = base64.b64encode(file.getvalue()).decode()
    return Markup(f'<img class="sample" alt="{escape(label)}" src="data:image/png;base64,{data}">')
