"""Sparklines of the loss per epoch, as SVG."""

from __future__ import annotations

import math
from collections.abc import Sequence

from .figure import BLUE, ORANGE

MAX_POINTS = 240  # per curve


def sparkline_svg(curves: Sequence[Sequence[float]], *, width: int = 260, height: int = 56) -> str:
    """Draw losses per epoch, small and without axes; on a logarithmic scale if all are positive.

    Parameters
    ----------
    curves : sequence of at most 2 sequences of floats
        Losses. The second curve is drawn in a different colour, and ends at the same epoch as the
        first.
    width, height : int
        Size in pixels.

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
    """Return at most MAX_POINTS of n indices, including the first and the last."""
    if n <= MAX_POINTS:
        return list(range(n))
    return [round(i * (n - 1) / (MAX_POINTS - 1)) for i in range(MAX_POINTS)]
