"""Drawings of networks as SVG, with layers as columns of circles."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from itertools import pairwise
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from .figure import BLUE

MAX_UNITS = 10  # circles per layer, including the position of the dots
MAX_LAYERS = 8
RADIUS, PITCH, DISTANCE = 6, 20, 112
TOP, BOTTOM = 30, 46  # space for the size above the circles, and for the role below
LONGEST_NAME, CHARACTER = 16, 7  # maximum number of characters of a name, pixels per character


class SizedEmbedding(Protocol):
    """The attribute of an embedding that a drawing uses."""

    @property
    def n_inputs(self) -> int: ...


class DrawnNetwork(Protocol):
    """The attributes of a network that a drawing uses; see :class:`dnncore.Network`."""

    @property
    def layer_sizes(self) -> tuple[int, ...]: ...
    @property
    def activation(self) -> str: ...
    @property
    def output(self) -> str: ...
    @property
    def mean_(self) -> NDArray[Any] | None: ...
    @property
    def n_parameters(self) -> int: ...
    @property
    def embedding(self) -> SizedEmbedding | None: ...
    @property
    def dtype(self) -> np.dtype[Any]: ...


class _Column(NamedTuple):
    """A layer in a drawing: the indices of its units, None for those omitted."""

    size: int
    units: list[int | None]
    names: Sequence[str] | None
    role: str
    function: str
    skipped: int  # number of layers omitted before it
    middle: float = 0.0

    @property
    def ys(self) -> list[float]:
        """Vertical position of each circle."""
        first = self.middle - PITCH * (len(self.units) - 1) / 2
        return [first + PITCH * i for i in range(len(self.units))]

    @property
    def margin(self) -> int:
        """Horizontal space for the names beside the circles."""
        if self.names is None:
            return 40
        shown = [len(str(self.names[unit])) for unit in self.units if unit is not None]
        return 40 + CHARACTER * min(max(shown), LONGEST_NAME)


def network_svg(
    network: DrawnNetwork,
    *,
    input_names: Sequence[str] | None = None,
    output_names: Sequence[str] | None = None,
) -> str:
    """Draw the layers of a network as columns of circles.

    Parameters
    ----------
    network : Network
        Network to draw.
    input_names, output_names : sequence of str, optional
        Names shown beside the circles of the first and the last layer.

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
    sizes = "-".join(map(str, all_sizes(network)))
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
        f'height="{height}" role="img" aria-label="Network {sizes}" font-family="sans-serif" '
        'font-size="12" fill="currentColor" style="max-width:100%;height:auto">'
        + "".join(parts)
        + "</svg>"
    )


def all_sizes(network: DrawnNetwork) -> tuple[int, ...]:
    """Return the sizes of all layers, including the inputs of an embedding."""
    if network.embedding is None:
        return network.layer_sizes
    return (network.embedding.n_inputs, *network.layer_sizes)


def _columns(
    network: DrawnNetwork, input_names: Sequence[str] | None, output_names: Sequence[str] | None
) -> list[_Column]:
    sizes = all_sizes(network)
    embedded = int(network.embedding is not None)
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
        elif layer < 1 + embedded:
            role, names, function = "embedding", None, "piecewise linear"
        else:
            role, names, function = f"hidden {layer - embedded}", None, network.activation
        if names is not None and len(names) != sizes[layer]:
            names = None  # some inputs are not features of the user
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
    """Return text as SVG; long text is truncated, and shown in full as a tooltip."""
    attributes = f' font-weight="{weight}"' if weight else ""
    attributes += f' fill-opacity="{opacity}"' if opacity < 1 else ""
    short = escape(text)
    if len(text) > LONGEST_NAME:
        short = f"{escape(text[: LONGEST_NAME - 1])}…<title>{escape(text)}</title>"
    return f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}"{attributes}>{short}</text>'
