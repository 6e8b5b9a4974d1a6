"""Matplotlib helpers shared by all displays: import check, colours and Axes."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

# The colour-blind safe palette of Okabe and Ito.
BLUE, ORANGE, GREEN, PURPLE = "#0072B2", "#D55E00", "#009E73", "#AA4499"

GAP = 0.08  # between panels inside one Axes, as a fraction of its size


def require_matplotlib(what: str) -> None:
    """Raise an ImportError with installation instructions if Matplotlib is not installed."""
    try:
        import matplotlib  # noqa: F401
    except ModuleNotFoundError as error:
        if error.name != "matplotlib":
            raise
        raise ImportError(f"{what} needs Matplotlib: pip install 'dnncore[plot]'") from error


def panels(
    ax: Any, n: int, figsize: tuple[float, float], *, across: bool = False
) -> tuple[Any, NDArray[Any]]:
    """Return a figure and n of its Axes, stacked vertically or, if `across`, horizontally.

    If `ax` is None, a new pyplot figure is created. Otherwise `ax` contains n Axes, or is a
    single one, which is divided. The Axes share their x axis if stacked vertically, their y axis
    if stacked horizontally.
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
            raise ValueError(f"ax must be one Axes or {n}, one per panel, got {ax!r:.80}")
        return axes[0].figure, axes
    if n == 1:
        return ax.figure, np.array([ax], dtype=object)
    return ax.figure, _parts(ax, n, across)


def _parts(ax: Any, n: int, across: bool) -> NDArray[Any]:
    """Divide an Axes, which becomes invisible, into n inset Axes."""
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
    """Apply the style of all panels."""
    ax.grid(alpha=0.3)
    ax.set_axisbelow(True)
    ax.spines[["top", "right"]].set_visible(False)
