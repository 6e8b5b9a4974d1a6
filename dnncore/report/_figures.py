"""Matplotlib's figures as SVG inside a page, in its colours; small images as PNG."""

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
from ._html import Markup

# Colours that nothing else has: they stand for those of the page, which differ by day and night.
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
        Different for each figure of a page: letters that its ids begin with.
    label : str
        What it shows, for those who cannot see it.
    size : (width, height)
        Inches.
    draw : callable
        Gets the Figure.
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
        # The name of a score may have letters that Matplotlib's font lacks; the page's has them.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure = Figure(figsize=size, layout="constrained")
        draw(figure)
        undated: Any = {"Date": None}
        figure.savefig(file, format="svg", metadata=undated)
    return _inline(file.getvalue(), name, label)


def _inline(text: str, name: str, label: str) -> Markup:
    """An SVG file as an element of a page: ids of its own, the colours of the page."""
    text = text[text.index("<svg") :]
    for left_out in ("metadata", "style"):  # a style would hold for the whole page
        text = re.sub(rf"<{left_out}\b.*?</{left_out}>", "", text, flags=re.DOTALL)
    text = re.sub(r'\bid="', f'id="{name}-', text)
    text = text.replace("url(#", f"url(#{name}-").replace('href="#', f'href="#{name}-')
    for colour, own in PAGE_COLOURS.items():
        text = text.replace(colour.lower(), own)
    opening = f'<svg class="figure" role="img" aria-label="{escape(label)}"'
    return Markup(re.sub("<svg", opening, text, count=1))


def image(pixels: NDArray[Any], label: str) -> Markup:
    """A small picture of one row: its lowest value white, its highest black."""
    from matplotlib.image import imsave

    file = io.BytesIO()
    imsave(
        file, np.nan_to_num(pixels), cmap="gray_r", format="png", metadata={"Software": "dnncore"}
    )
    data = base64.b64encode(file.getvalue()).decode()
    return Markup(f'<img class="sample" alt="{escape(label)}" src="data:image/png;base64,{data}">')
