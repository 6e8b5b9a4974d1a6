"""What notebooks show: the network drawn as SVG, and how its training went.

One piece of HTML without scripts, ids or style sheets, so that many fit on one page. Text and
lines take the colour of the text around them, which suits light and dark themes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from .._estimators.base import DNNEstimator
    from ..network import Network
    from ..training import History

__all__ = ["estimator_html", "network_html", "network_svg", "sparkline_svg"]

BLUE, ORANGE = "#3584c4", "#d9691e"  # to be told apart by the colour-blind, on white and on black

MAX_UNITS = 10  # circles of a layer, the place of the dots included
MAX_LAYERS = 8
RADIUS, PITCH, DISTANCE = 6, 20, 112
TOP, BOTTOM = 30, 46  # room for the size above the circles, and for what the layer is below
LONGEST_NAME, CHARACTER = 16, 7  # letters of a name, and pixels that one takes
MAX_POINTS = 240  # of a line of the little loss curve


class _Column(NamedTuple):
    """A layer as it is drawn: its circles by index, None standing for those left out."""

    size: int
    units: list[int | None]
    names: Sequence[str] | None
    role: str
    function: str
    skipped: int  # layers left out before it
    middle: float = 0.0

    @property
    def ys(self) -> list[float]:
        """Height of each circle."""
        first = self.middle - PITCH * (len(self.units) - 1) / 2
        return [first + PITCH * i for i in range(len(self.units))]

    @property
    def margin(self) -> int:
        """Room that the names beside the circles take."""
        if self.names is None:
            return 40
        shown = [len(str(self.names[unit])) for unit in self.units if unit is not None]
        return 40 + CHARACTER * min(max(shown), LONGEST_NAME)


def network_svg(
    network: Network,
    *,
    input_names: Sequence[str] | None = None,
    output_names: Sequence[str] | None = None,
) -> str:
    """Draw the layers of a network as columns of circles.

    Parameters
    ----------
    network : Network
    input_names, output_names : sequence of str, optional
        Written beside the circles of the first and the last layer.

    Returns
    -------
    str
        An ``<svg>`` element.
    """
    columns = _columns(network, input_names, output_names)
    tallest = PITCH * max(len(column.units) for column in columns)
    columns = [column._replace(middle=TOP + tallest / 2) for column in columns]
    xs = [columns[0].margin + DISTANCE * i for i in range(len(columns))]
    width, height = xs[-1] + columns[-1].margin, TOP + tallest + BOTTOM
    parts = [_edges(*two) for two in pairwise(zip(xs, columns, strict=True))]
    for x, column in zip(xs, columns, strict=True):
        parts.append(_column(x, column, TOP + tallest, x == xs[-1]))
    sizes = "-".join(map(str, network.layer_sizes))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
        f'height="{height}" role="img" aria-label="Network {sizes}" font-family="sans-serif" '
        'font-size="12" fill="currentColor" style="max-width:100%;height:auto">'
        + "".join(parts)
        + "</svg>"
    )


def _columns(
    network: Network, input_names: Sequence[str] | None, output_names: Sequence[str] | None
) -> list[_Column]:
    sizes = network.layer_sizes
    last = len(sizes) - 1
    shown = list(range(len(sizes)))
    if len(sizes) > MAX_LAYERS:
        del shown[MAX_LAYERS // 2 : -(MAX_LAYERS // 2)]
    columns, before = [], -1
    for layer in shown:
        if layer == 0:
            role, names = "input", input_names
            function = "" if network.mean_ is None else "norm"
        elif layer == last:
            role, names, function = "output", output_names, network.output
        else:
            role, names, function = f"hidden {layer}", None, network.activation
        if names is not None and len(names) != sizes[layer]:
            names = None  # the network has inputs that are no features of the user's
        units = _units(sizes[layer])
        columns.append(_Column(sizes[layer], units, names, role, function, layer - before - 1))
        before = layer
    return columns


def _units(size: int) -> list[int | None]:
    if size <= MAX_UNITS:
        return list(range(size))
    above = MAX_UNITS // 2
    below = MAX_UNITS - above - 1
    return [*range(above), None, *range(size - below, size)]


def _edges(start: tuple[int, _Column], end: tuple[int, _Column]) -> str:
    (x0, first), (x1, second) = start, end
    if second.skipped:
        return _text((x0 + x1) / 2, first.middle + 4, f"… {second.skipped} more …")
    lines = "".join(
        f"M{x0 + RADIUS} {y0:g}L{x1 - RADIUS} {y1:g}"
        for y0, i in zip(first.ys, first.units, strict=True)
        for y1, j in zip(second.ys, second.units, strict=True)
        if i is not None and j is not None
    )
    return f'<path d="{lines}" fill="none" stroke="currentColor" stroke-opacity="0.15"/>'


def _column(x: int, column: _Column, bottom: int, is_last: bool) -> str:
    parts = []
    for y, unit in zip(column.ys, column.units, strict=True):
        if unit is None:
            parts += [f'<circle cx="{x}" cy="{y + dy:g}" r="1.5"/>' for dy in (-5, 0, 5)]
            continue
        parts.append(f'<circle cx="{x}" cy="{y:g}" r="{RADIUS}" fill="{BLUE}"/>')
        if column.names is not None:
            dx, anchor = (12, "start") if is_last else (-12, "end")
            parts.append(_text(x + dx, y + 4, str(column.names[unit]), anchor=anchor))
    parts += [
        _text(x, TOP - 12, f"{column.size:,}", weight="bold"),
        _text(x, bottom + 18, column.role),
        _text(x, bottom + 34, column.function, opacity=0.7),
    ]
    return "".join(parts)


def _text(
    x: float, y: float, text: str, *, anchor: str = "middle", weight: str = "", opacity: float = 1
) -> str:
    """Text in SVG; where it is long, the whole is shown when it is pointed at."""
    attributes = f' font-weight="{weight}"' if weight else ""
    attributes += f' fill-opacity="{opacity}"' if opacity < 1 else ""
    short = escape(text)
    if len(text) > LONGEST_NAME:
        short = f"{escape(text[: LONGEST_NAME - 1])}…<title>{escape(text)}</title>"
    return f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}"{attributes}>{short}</text>'


# ----------------------------------------------------------------------------------- training


def sparkline_svg(curves: Sequence[Sequence[float]], *, width: int = 260, height: int = 56) -> str:
    """Draw losses over the epochs, small and without axes; logarithmic if all are positive.

    Parameters
    ----------
    curves : sequence of at most 2 sequences of floats
        The second is drawn in another colour, and ends where the first does.
    width, height : int
        Pixels.

    Returns
    -------
    str
        An ``<svg>`` element.
    """
    values = [value for curve in curves for value in curve if math.isfinite(value)]
    logarithmic = min(values, default=0.0) > 0
    scale = math.log if logarithmic else float
    low, high = (scale(f(values, default=0.0) or (1.0 if logarithmic else 0.0)) for f in (min, max))
    n = max(map(len, curves), default=0)
    margin = 4

    def point(epoch: int, value: float) -> str:
        x = margin + (width - 2 * margin) * (epoch / (n - 1) if n > 1 else 0.5)
        share = (scale(value) - low) / (high - low) if high > low else 0.5
        return f"{x:.1f},{height - margin - (height - 2 * margin) * share:.1f}"

    parts = []
    for curve, colour in zip(curves, (BLUE, ORANGE), strict=False):
        drawn = [i for i in _thinned(len(curve)) if math.isfinite(curve[i])]
        points = [point(n - len(curve) + i, curve[i]) for i in drawn]
        if len(points) == 1:
            x, y = points[0].split(",")
            parts.append(f'<circle cx="{x}" cy="{y}" r="3" fill="{colour}"/>')
        elif points:
            line = " ".join(points)
            parts.append(
                f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="1.5"/>'
            )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
        f'height="{height}" role="img" aria-label="Loss over the epochs" '
        'style="max-width:100%;height:auto">' + "".join(parts) + "</svg>"
    )


def _thinned(n: int) -> list[int]:
    """At most MAX_POINTS of n indices, the first and the last among them."""
    if n <= MAX_POINTS:
        return list(range(n))
    return [round(i * (n - 1) / (MAX_POINTS - 1)) for i in range(MAX_POINTS)]


# --------------------------------------------------------------------------------------- HTML


def network_html(network: Network) -> str:
    """A network as HTML: the drawing, and its size."""
    return _figure(network_svg(network), _facts(network))


def estimator_html(model: DNNEstimator) -> str:
    """A fitted estimator as HTML: its network drawn, and how the training went.

    Returns
    -------
    str
        Empty if the estimator is not fitted.
    """
    network: Network | None = getattr(model, "network_", None)
    if network is None:
        return ""
    inputs = getattr(model, "feature_names_in_", None)
    classes = getattr(model, "classes_", None)
    drawing = network_svg(
        network,
        input_names=None if inputs is None else list(map(str, inputs)),
        output_names=None if classes is None else list(map(str, classes)),
    )
    history = model.history_
    curve = ""
    if history.loss_curve:
        held_out = history.validation_losses
        curve = sparkline_svg([history.loss_curve, *([held_out] if held_out else [])])
    return _figure(drawing, {**_facts(network), **training_facts(history)}, curve)


def _facts(network: Network) -> dict[str, str]:
    return {"Parameters": f"{network.n_parameters:,}", "Precision": str(network.dtype)}


def training_facts(history: History) -> dict[str, str]:
    """What is to be said of a training, as pairs of name and value."""
    if not history.loss_curve:
        return {}
    facts = {"Epochs": f"{history.n_iter:,}", "Last loss": f"{history.loss_curve[-1]:.4g}"}
    if history.validation_losses:
        facts["Last held-out loss"] = f"{history.validation_losses[-1]:.4g}"
    scores = history.validation_scores
    if scores:
        best = history.best_validation_score
        # The scores may be those of the last epochs only.
        epoch = history.n_iter - len(scores) + scores.index(best) + 1 if best in scores else None
        facts["Best held-out score"] = f"{best:.4g}" + (f" (epoch {epoch})" if epoch else "")
    return facts


def _figure(drawing: str, facts: dict[str, str], curve: str = "") -> str:
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
