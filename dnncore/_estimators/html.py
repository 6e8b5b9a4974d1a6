"""HTML of a fitted estimator for notebooks: a drawing of its network and a training summary."""

from __future__ import annotations

from typing import Any

from .._html import figure_html, network_facts, network_svg, sparkline_svg
from .._training.history import History
from ..network import Network


def estimator_html(model: Any) -> str:
    """Return a drawing of the network and a training summary of a fitted estimator as HTML.

    Returns
    -------
    str
        HTML; empty if the estimator is not fitted.
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
    return figure_html(drawing, {**network_facts(network), **training_facts(history)}, curve)


def training_facts(history: History) -> dict[str, str]:
    """Summarise a training as pairs of name and value."""
    if not history.loss_curve:
        return {}
    facts = {"Epochs": f"{history.n_iter:,}", "Last loss": f"{history.loss_curve[-1]:.4g}"}
    if history.validation_losses:
        facts["Last validation loss"] = f"{history.validation_losses[-1]:.4g}"
    scores = history.validation_scores
    if scores:
        best = history.best_validation_score
        # There may be scores for the last epochs only.
        epoch = history.n_iter - len(scores) + scores.index(best) + 1 if best in scores else None
        facts["Best validation score"] = f"{best:.4g}" + (f" (epoch {epoch})" if epoch else "")
    return facts
