"""The learning curve as a PNG, for the command line."""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence

__all__ = ["learning_curve"]

_LOSS, _SCORE, _KEPT, _TEXT, _GRID = "#1f5fa8", "#c2571a", "#444444", "#222222", "#e4e4e4"


def learning_curve(
    loss: Sequence[float],
    validation_accuracy: Sequence[float] | None,
    *,
    title: str,
    subtitle: str = "",
    kept_epoch: int | None = None,
) -> bytes:
    """Draw the training loss, and the validation accuracy below it, over the epochs.

    Parameters
    ----------
    loss : sequence of n floats
        Positive; drawn on a logarithmic axis.
    validation_accuracy : sequence of n floats or None
        None leaves the lower panel out.
    title, subtitle : str
    kept_epoch : int, optional
        The epoch, from 1, whose weights the model has; it is marked.

    Returns
    -------
    bytes
        A PNG image.

    Raises
    ------
    ImportError
        If Matplotlib is not installed.
    """
    # Without pyplot nothing looks for a display, and no figure outlives the call.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import LogFormatter, MaxNLocator, PercentFormatter

    epochs = range(1, len(loss) + 1)
    marker = "o" if len(loss) < 3 else None  # A line of one point would not be seen.
    figure = Figure(figsize=(8, 6 if validation_accuracy else 4), dpi=150, layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(2 if validation_accuracy else 1, 1, sharex=True, squeeze=False)[:, 0]

    panels[0].plot(epochs, loss, color=_LOSS, linewidth=2, marker=marker)
    if min(loss) > 0:
        panels[0].set_yscale("log")
        panels[0].yaxis.set_major_formatter("{x:g}")
        panels[0].yaxis.set_minor_formatter(LogFormatter(minor_thresholds=(1.5, 0.5)))
    panels[0].set_ylabel("training loss (cross-entropy)", color=_LOSS)
    if validation_accuracy:
        panels[1].plot(epochs, validation_accuracy, color=_SCORE, linewidth=2, marker=marker)
        panels[1].set_ylabel("validation accuracy", color=_SCORE)
        low = min(*validation_accuracy, 0.95)
        panels[1].set_ylim(low - 0.1 * (1.0 - low) - 0.005, 1.0 + 0.05 * (1.0 - low) + 0.005)
        panels[1].yaxis.set_major_locator(MaxNLocator(nbins=6, steps=[1, 2, 5, 10]))
        panels[1].yaxis.set_major_formatter(PercentFormatter(1.0))
        if kept_epoch is not None:
            best = validation_accuracy[kept_epoch - 1]
            panels[1].plot(
                kept_epoch, best, "o", color=_SCORE, markersize=8, markeredgecolor="white"
            )
            right = kept_epoch > 0.6 * len(loss)
            panels[1].annotate(
                f"kept: epoch {kept_epoch}, {best:.1%}",
                (kept_epoch, best),
                xytext=(-12 if right else 12, -28),
                textcoords="offset points",
                ha="right" if right else "left",
                color=_TEXT,
                bbox={"boxstyle": "round", "facecolor": "white", "edgecolor": _GRID},
            )
    for panel in panels:
        panel.grid(color=_GRID)
        panel.set_axisbelow(True)
        panel.spines[["top", "right"]].set_visible(False)
        if kept_epoch is not None:
            panel.axvline(kept_epoch, color=_KEPT, linestyle="--", linewidth=1)
    panels[-1].set_xlabel("epoch")
    panels[-1].xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    # A file name may hold a dollar sign, which is no mathematics, or signs that the font lacks.
    panels[0].set_title(
        title, loc="left", pad=24, fontsize=14, fontweight="bold", color=_TEXT, parse_math=False
    )
    panels[0].annotate(
        subtitle, (0, 1), xycoords="axes fraction", xytext=(0, 8), textcoords="offset points",
        color=_KEPT, parse_math=False,
    )  # fmt: skip
    buffer = io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure.savefig(buffer, format="png")
    return buffer.getvalue()
