"""The learning curve as a PNG image, for the command line."""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence

__all__ = ["learning_curve"]

BLUE, ORANGE, DARK, GREY, PALE = "#1f5fa8", "#c2571a", "#222222", "#555555", "#e4e4e4"


def learning_curve(
    loss: Sequence[float],
    validation_accuracy: Sequence[float] | None,
    *,
    title: str,
    subtitle: str = "",
    best_is_kept: bool = False,
) -> bytes:
    """Draw the loss and, below it, the validation accuracy over the epochs.

    The first epoch of the best validation accuracy is marked.

    Parameters
    ----------
    loss : sequence of n floats, n > 0
        On a logarithmic axis, unless it reaches 0.
    validation_accuracy : sequence of n floats in [0, 1], or None
    title, subtitle : str
    best_is_kept : bool
        Whether the model has the weights of the best epoch rather than of the last; said in the
        figure.

    Returns
    -------
    bytes
        A PNG image.

    Raises
    ------
    ImportError
        If Matplotlib is not installed.
    """
    # Without pyplot no display is looked for, and no figure outlives the call.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    scores = validation_accuracy or []
    epochs = range(1, len(loss) + 1)
    style = {"linewidth": 2, "marker": "o" if len(loss) == 1 else None}
    figure = Figure(figsize=(8, 6 if scores else 4), dpi=150, layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(2 if scores else 1, 1, sharex=True, squeeze=False)[:, 0]

    panels[0].plot(epochs, loss, color=BLUE, **style)
    panels[0].set_ylabel("training loss (cross-entropy)", color=BLUE)
    if min(loss) > 0:
        panels[0].set_yscale("log")
        panels[0].yaxis.set_major_formatter("{x:g}")
        panels[0].yaxis.set_minor_formatter("{x:g}" if 1 < max(loss) / min(loss) < 10 else "")
    if scores:
        panels[1].plot(epochs, scores, color=ORANGE, **style)
        panels[1].set_ylabel("validation accuracy (%)", color=ORANGE)
        low = min(*scores, 0.95)
        panels[1].set_ylim(low - 0.15 * (1 - low), 1 + 0.05 * (1 - low))
        panels[1].yaxis.set_major_locator(MaxNLocator(nbins=6, steps=[1, 2, 5, 10]))
        panels[1].yaxis.set_major_formatter(lambda value, _: f"{100 * value:g}")
        best = max(scores)
        best_epoch = scores.index(best) + 1
        panels[1].plot(best_epoch, best, "o", color=ORANGE, markersize=9, markeredgecolor="white")
        on_the_right = best_epoch > 0.6 * len(loss)
        panels[1].annotate(
            f"best epoch {best_epoch}: {best:.1%}" + (" (kept)" if best_is_kept else ""),
            (best_epoch, 0.08),
            xycoords=("data", "axes fraction"),
            xytext=(-10 if on_the_right else 10, 0),
            textcoords="offset points",
            horizontalalignment="right" if on_the_right else "left",
            color=DARK,
            bbox={"boxstyle": "round", "facecolor": "white", "edgecolor": PALE},
        )
        for panel in panels:
            panel.axvline(best_epoch, color=GREY, linestyle="--", linewidth=1, zorder=1)
    for panel in panels:
        panel.grid(color=PALE)
        panel.set_axisbelow(True)
        panel.spines[["top", "right"]].set_visible(False)
    panels[-1].set_xlim(0.5, len(loss) + 0.5)
    panels[-1].set_xlabel("epoch")
    panels[-1].xaxis.set_major_locator(
        MaxNLocator(integer=True, steps=[1, 2, 5, 10], min_n_ticks=1)
    )

    # A file name in the title may hold a dollar sign, which is no mathematics, or letters that
    # the font lacks.
    panels[0].set_title(
        title, loc="left", pad=26, fontsize=14, fontweight="bold", color=DARK, parse_math=False
    )
    panels[0].annotate(
        subtitle,
        (0, 1),
        xycoords="axes fraction",
        xytext=(0, 10),
        textcoords="offset points",
        color=GREY,
        parse_math=False,
    )
    image = io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure.savefig(image, format="png")
    return image.getvalue()
