"""A drawing with a table of facts, as an HTML element.

It contains no scripts, ids or style sheets, so that a page can contain any number of them. Text
and lines inherit the colour of the surrounding text, which suits light and dark themes.
"""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

# Distinguishable for colour-blind readers, on white and on black.
BLUE, ORANGE = "#3584c4", "#d9691e"


def figure_html(drawing: str, facts: Mapping[str, str], curve: str = "") -> str:
    """Return a drawing next to a table of facts with an optional small curve below it.

    Parameters
    ----------
    drawing : str
        SVG element.
    facts : mapping of str to str
        Names and values.
    curve : str, default=''
        SVG element; omitted if empty.

    Returns
    -------
    str
        A ``<div>`` element.
    """
    rows = "".join(
        '<div style="display:flex;justify-content:space-between;gap:1.5em">'
        f'<span style="opacity:0.7">{escape(name)}</span><span>{escape(value)}</span></div>'
        for name, value in facts.items()
    )
    key = ""
    if curve:
        validated = "Last validation loss" in facts
        key = f'<div style="font-size:11px"><span style="color:{BLUE}">loss</span>' + (
            f' <span style="color:{ORANGE}">validation loss</span></div>' if validated else "</div>"
        )
    return (
        '<div style="display:flex;flex-wrap:wrap;align-items:center;gap:1.5em;padding:0.5em 0;'
        'font:13px/1.6 sans-serif;font-variant-numeric:tabular-nums">'
        f"<div>{drawing}</div><div>{rows}{curve}{key}</div></div>"
    )
