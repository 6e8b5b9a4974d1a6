"""What all displays need of Matplotlib: its presence, colours, and Axes to draw into."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

# Okabe and Ito's colours, which the colour-blind can tell apart.
BLUE, ORANGE, GREEN, PURPLE = "#0072B2", "#D55E00", "#009E73", "#AA4499"

GAP = 0.08  # between panels inside one Axes, in shares of it


def require_matplotlib(what: str) -> None:
    """Raise ImportError that says what to install, if Matplotlib is not there."""
    try:
        import matplotlib  # noqa: F401
    except ModuleNotFoundError as error:
        if error.name != "matplotlib":
            raise
        raise ImportError(f"{what} needs Matplotlib: pip install 'dnncore[plot]'") from error


def panels(
    ax: Any, n: int, figsize: tuple[float, float], *, across: bool = False
) -> tuple[Any, NDArray[Any]]:
    """A figure and n Axes in it, below each other or, `across`, side by side.

    The Axes are those of a new pyplot figure, the n given, or parts of the one given. They share
    the axis along which they lie beside each other.
    """
    from matplotlib.axes import Axes

    if ax is None:
        import matplotlib.pyplot as plt

        figure = plt.figure(figsize=figsize, layout="constrained")
        rows, columns = (1, n) if across else (n, 1)
        axes = figure.subplots(rows, columns, sharex=not across, sharey=across, squeeze=False)
        return figure, axes.ravel()
    if not isinstance(ax, Axes):
        axes = np.ravel(np.asarray(ax, dtype=object))
        if len(axes) != n or not all(isinstance(one, Axes) for one in axes):
            raise ValueError(f"ax must be one Axes or {n}, one for each panel, got {ax!r:.80}")
        return axes[0].figure, axes
    if n == 1:
        return ax.figure, np.array([ax], dtype=object)
    return ax.figure, _parts(ax, n, across)


def _parts(ax: Any, n: int, across: bool) -> NDArray[Any]:
    """Divide one Axes, which itself is no longer seen."""
    ax.set_axis_off()
    size = (1 - GAP * (n - 1)) / n
    axes = np.empty(n, dtype=object)
    for i in range(n):
        start = i * (size + GAP)
        bounds = [start, 0, size, 1] if across else [0, 1 - start - size, 1, size]
        shared = {"sharey" if across else "sharex": axes[0] if i else None}
        axes[i] = ax.inset_axes(bounds, **shared)
        axes[i].tick_params(labelbottom=across or i == n - 1, labelleft=not across or i == 0)
    return axes


def finish(ax: Any) -> None:
    """The frame that all panels have."""
    ax.grid(alpha=0.3)
    ax.set_axisbelow(True)
    ax.spines[["top", "right"]].set_visible(False)
