"""The learning curve as a PNG image, for the command line."""

from __future__ import annotations

import io
import warnings
from collections.abc import Sequence

from ..display import TrainingCurveDisplay

__all__ = ["learning_curve"]


def learning_curve(
    loss: Sequence[float],
    validation_scores: Sequence[float] | None,
    *,
    title: str,
    subtitle: str = "",
    best_is_kept: bool = False,
    best_by_loss: bool = False,
    validation_loss: Sequence[float] | None = None,
    loss_name: str = "cross-entropy",
    score_name: str = "accuracy",
) -> bytes:
    """Plot the losses and, below them, a score on the validation set over the epochs.

    Parameters
    ----------
    loss : sequence of n floats, n > 0
        Training loss of each epoch.
    validation_scores : sequence of at most n floats, or None
        Score on the validation set in the last epochs.
    title, subtitle : str
    best_is_kept, best_by_loss, validation_loss, loss_name
        As in :class:`dnncore.display.TrainingCurveDisplay`.
    score_name : str
        Name of the score.

    Returns
    -------
    bytes
        A PNG image.

    Raises
    ------
    ImportError
        If Matplotlib is not installed.
    """
    # Without pyplot, no display is needed and no figure outlives the call.
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    display = TrainingCurveDisplay(
        loss,
        validation_loss=validation_loss,
        scores={score_name: validation_scores} if validation_scores else None,
        loss_name=loss_name,
        best_is_kept=best_is_kept,
        best_by_loss=best_by_loss,
    )
    n_panels = 1 + len(display.scores)
    figure = Figure(figsize=(8, 2 + 2 * n_panels), dpi=150, layout="constrained")
    FigureCanvasAgg(figure)
    panels = figure.subplots(n_panels, 1, sharex=True, squeeze=False)[:, 0]
    display.plot(ax=panels)
    # A file name in the title may contain a dollar sign, which does not start a formula, or
    # characters that the font lacks.
    panels[0].set_title(title, loc="left", pad=26, fontsize=14, fontweight="bold", parse_math=False)
    panels[0].annotate(
        subtitle, (0, 1), xycoords="axes fraction", xytext=(0, 10), textcoords="offset points",
        color="dimgrey", parse_math=False,
    )  # fmt: skip
    image = io.BytesIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure.savefig(image, format="png")
    return image.getvalue()
