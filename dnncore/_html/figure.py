"""A drawing with its facts, as one piece of HTML.

It has no scripts, ids or style sheets, so that many fit on one page. Text and lines take the
colour of the text around them, which suits light and dark themes.
"""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

# Told apart by the colour-blind, on white and on black.
BLUE, ORANGE = "#3584c4", "#d9691e"


def figure_html(drawing: str, facts: Mapping[str, str], curve: str = "") -> str:
    """A drawing beside a table of facts and, below them, a small curve.

    Parameters
    ----------
    drawing, curve : str
        SVG elements.
    facts : mapping of str to str
    """
    rows = "".join(
        '<div style="display:flex;justify-content:space-between;gap:1.5em">'
        f'<span style="opacity:0.7">{escape(name)}</span><span>{escape(value)}</span></div>'
        for name, value in facts.items()
    )
    key = ""
    if curve:
        held_out = "Last held-out loss" in facts
        key = f'<div style="font-size:11px"><span style="color:{BLUE}">loss</span>' + (
            f' <span style="color:{ORANGE}">held-out loss</span></div>' if held_out else "</div>"
        )
    return (
        '<div style="display:flex;flex-wrap:wrap;align-items:center;gap:1.5em;padding:0.5em 0;'
        'font:13px/1.6 sans-serif;font-variant-numeric:tabular-nums">'
        f"<div>{drawing}</div><div>{rows}{curve}{key}</div></div>"
    )
