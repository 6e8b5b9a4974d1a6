"""Building blocks of HTML pages; text is escaped unless it is Markup, which prevents injection."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from html import escape

STYLE = """
:root { color-scheme: light dark; --ink: #1d2126; --muted: #626b76; --paper: #ffffff;
  --line: #dfe3e8; --tint: #f4f6f8; --blue: 0, 114, 178; --orange: 213, 94, 0; }
@media (prefers-color-scheme: dark) { :root { --ink: #dde1e6; --muted: #98a1ac;
  --paper: #15181c; --line: #343a42; --tint: #1e2228; --blue: 66, 157, 217;
  --orange: 232, 125, 52; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 2.5rem 1.5rem 4rem; max-width: 62rem; background: var(--paper);
  color: var(--ink); font: 15px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans",
  sans-serif; overflow-wrap: anywhere; }
h1 { font-size: 1.7rem; line-height: 1.25; margin: 0 0 0.25rem; }
h2 { font-size: 1.2rem; margin: 3rem 0 0.75rem; padding-top: 0.75rem;
  border-top: 1px solid var(--line); }
h3 { font-size: 1rem; margin: 1.75rem 0 0.5rem; }
p { margin: 0.5rem 0; max-width: 46rem; }
.muted, caption, footer { color: var(--muted); }
.scroll { overflow-x: auto; margin: 0.75rem 0; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: 0.92em; }
caption { caption-side: bottom; text-align: left; padding-top: 0.4rem; }
th, td { padding: 0.25rem 1.25rem 0.25rem 0; text-align: right; vertical-align: middle;
  overflow-wrap: normal; }
thead th { border-bottom: 1px solid var(--ink); font-weight: 600; vertical-align: bottom;
  white-space: nowrap; }
tbody tr + tr > * { border-top: 1px solid var(--line); }
tbody th { font-weight: normal; }
tbody tr.total > * { border-top: 1px solid var(--ink); }
.text { text-align: left; max-width: 28rem; overflow-wrap: break-word; }
.bar { display: inline-block; height: 0.7em; background: rgb(var(--blue)); }
dl.figures { display: flex; flex-wrap: wrap; gap: 0.75rem; margin: 1.5rem 0 0; }
dl.figures > div { background: var(--tint); border-radius: 6px; padding: 0.6rem 1rem; }
dl.figures dt { color: var(--muted); font-size: 0.85em; }
dl.figures dd { margin: 0; font-size: 1.35rem; font-variant-numeric: tabular-nums; }
dl.figures small { font-size: 0.6em; color: var(--muted); }
dl.facts { display: grid; grid-template-columns: fit-content(50%) 1fr; gap: 0.1rem 1.5rem; }
dl.facts dt { color: var(--muted); }
dl.facts dd { margin: 0; }
.side { display: flex; flex-wrap: wrap; gap: 1rem 3rem; align-items: center; }
svg, img { max-width: 100%; }
svg.figure { display: block; height: auto; margin: 0.75rem 0; min-width: 34rem; }
svg.figure * { stroke-linejoin: round; stroke-linecap: butt; }
svg.figure text { font-family: inherit !important; }
img.sample { display: block; width: 64px; image-rendering: pixelated; }
.wrong { color: rgb(var(--orange)); }
table.matrix th, table.matrix td { padding: 0.2rem 0.45rem; border: 0; text-align: center;
  min-width: 2.2rem; }
table.matrix td { border: 1px solid var(--paper); }
table.matrix th > * { display: block; overflow: hidden; text-overflow: ellipsis;
  white-space: nowrap; }
table.matrix tbody th { text-align: right; }
table.matrix tbody th > * { max-width: 14rem; }
table.matrix thead th { border: 0; font-weight: normal; }
table.matrix .upright { writing-mode: vertical-rl; transform: rotate(180deg); max-height: 10rem;
  margin: 0 auto; }
table.matrix.small td { padding: 0; min-width: 9px; width: 9px; height: 9px; border: 0; }
table.matrix.small th { padding: 0 0.4rem 0 0; font-size: 7px; line-height: 9px; }
table.matrix.small thead th { padding: 0; min-width: 9px; }
.dark { color: #fff; }
footer { margin-top: 3rem; padding-top: 0.75rem; border-top: 1px solid var(--line);
  font-size: 0.85em; }
@media (max-width: 40rem) { body { padding: 1rem 0.75rem 2rem; }
  th, td { padding-right: 0.75rem; } .text { max-width: 14rem; }
  .scroll > svg:not(.figure) { max-width: none !important; } }
@media print { svg.figure { min-width: 0; } body { max-width: none; padding: 0; }
  h2 { break-after: avoid; } }
"""


class Markup(str):
    """HTML that is inserted without escaping."""


def markup(x: object) -> Markup:
    """Return `x` as HTML, escaped unless it is Markup."""
    return x if isinstance(x, Markup) else Markup(escape(str(x)))


def join(parts: Iterable[object]) -> Markup:
    """Concatenate the parts, escaping those that are not Markup."""
    return Markup("".join(map(markup, parts)))


def element(tag: str, *parts: object, **attributes: str) -> Markup:
    """Return an element; `class_` is written as class, and empty attributes are omitted."""
    written = "".join(
        f' {name.rstrip("_")}="{escape(value)}"' for name, value in attributes.items() if value
    )
    return Markup(f"<{tag}{written}>{join(parts)}</{tag}>")


def section(title: str, *parts: object) -> Markup:
    return element("section", element("h2", title), *parts)


def table(
    header: Sequence[object],
    rows: Iterable[Sequence[object]],
    *,
    text: Iterable[int] = (0,),
    caption: str = "",
    total: bool = False,
) -> Markup:
    """Return a table.

    Parameters
    ----------
    header : sequence of n_columns cells
    rows : iterable of sequences of n_columns cells
        The first cell of each row is its header.
    text : iterable of int
        Indices of the text columns, which are aligned left; the others are aligned right.
    caption : str
        Caption below the table.
    total : bool
        Whether the last row summarises the others.
    """
    left = set(text)

    def cells(row: Sequence[object], tags: Sequence[str], scope: str) -> Markup:
        """Return the th elements, with their scope, and td elements of a row."""
        return join(
            element(
                tag,
                cell,
                class_="text" if i in left else "",
                scope=scope if tag == "th" else "",
            )
            for i, (tag, cell) in enumerate(zip(tags, row, strict=True))
        )

    n = len(header)
    head = cells(header, ["th"] * n, "col")
    body = [cells(row, ["th"] + ["td"] * (n - 1), "row") for row in rows]
    lines = [
        element("tr", row, class_="total" if total and i == len(body) - 1 else "")
        for i, row in enumerate(body)
    ]
    parts = [element("caption", caption)] if caption else []
    parts += [element("thead", element("tr", head)), element("tbody", *lines)]
    return element("div", element("table", *parts), class_="scroll")


def figures(values: Mapping[str, object]) -> Markup:
    """Return the main metrics as a row of boxes."""
    return element(
        "dl",
        *(
            element("div", element("dt", name), element("dd", value))
            for name, value in values.items()
        ),
        class_="figures",
    )


def facts(values: Mapping[str, object]) -> Markup:
    """Return names and values as a list."""
    parts = [part for pair in values.items() for part in zip(("dt", "dd"), pair, strict=True)]
    return element("dl", *(element(tag, cell) for tag, cell in parts), class_="facts")


def page(title: str, *parts: object) -> str:
    """Return a complete document."""
    head = join(
        [
            Markup('<meta charset="utf-8">'),
            Markup('<meta name="viewport" content="width=device-width, initial-scale=1">'),
            element("title", title),
            Markup(f"<style>{STYLE}</style>"),
        ]
    )
    body = element("body", element("main", *parts))
    return f'<!DOCTYPE html>\n<html lang="en"><head>{head}</head>\n{body}</html>\n'


def bar(share: float) -> Markup:
    """Return a bar for a table, of a share of the full length."""
    return Markup(f'<span class="bar" style="width:{8 * share:.2f}rem"></span>')


# ------------------------------------------------------------------------------------ numbers


def number(x: float, digits: int = 4) -> str:
    """Format a number with the given number of significant digits; NaN becomes a dash."""
    if math.isnan(x):
        return "–"
    if abs(x) < 1e15 and (float(x).is_integer() or abs(x) >= 10 ** (digits - 1)):
        return f"{x + 0.0:,.0f}".replace("-", "−")  # + 0.0 turns -0.0 into 0.0
    return f"{x:.{digits}g}".replace("-", "−")


def percent(x: float) -> str:
    return "–" if math.isnan(x) else f"{x:.1%}"


def fixed(x: float) -> str:
    """Format a number with four decimals, for aligned columns."""
    return "–" if math.isnan(x) else f"{x:.4f}"


def plural(count: float, noun: str) -> str:
    return f"{number(count)} {noun}" + ("" if count == 1 else "s")
