"""The loss and scores on the validation set after each epoch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
from sklearn.metrics import check_scoring, get_scorer
from sklearn.model_selection import train_test_split

from .._core.labels import Labels
from .._training.history import Validation
from ..network import Network
from .interface import loss_options_of
from .rows import LabelledRows
from .targets import Targets


def scorers_of(estimator: Any) -> dict[str, Any]:
    """Return the scorers of the parameter `scoring` by name."""
    scoring = estimator.scoring
    if scoring is None:
        return {}
    if isinstance(scoring, Mapping):
        return {str(name): check_scoring(estimator, scorer) for name, scorer in scoring.items()}
    if isinstance(scoring, str):
        return {scoring: get_scorer(scoring)}
    if callable(scoring):
        return {"score": scoring}
    if isinstance(scoring, Iterable) and all(isinstance(name, str) for name in scoring):
        return {name: get_scorer(name) for name in scoring}
    raise TypeError(
        f"scoring must be a scorer, a name, a sequence of names or a mapping, got {scoring!r}"
    )


def split(
    rows: LabelledRows, targets: Targets, fraction: float, random: np.random.RandomState
) -> tuple[LabelledRows, LabelledRows]:
    """Split rows into a training and a validation set.

    The validation set has no class weights and no label smoothing.
    """
    train, held_out = train_test_split(
        np.arange(rows.n_rows),
        test_size=fraction,
        stratify=targets.strata(rows.y),
        random_state=random,
    )
    return rows.take(train), rows.take(held_out).for_validation(targets)


def require_rows(name: str, held_out: LabelledRows | None, targets: Targets) -> None:
    """Raise ValueError if there is a validation set with too few rows for a score."""
    min_rows = targets.min_score_rows
    if held_out is not None and held_out.n_rows < min_rows:
        raise ValueError(
            f"{name} must have at least {min_rows} rows for the score, got {held_out.n_rows}"
        )


def validation(
    estimator: Any, held_out: LabelledRows | None, targets: Targets
) -> Callable[[], Validation] | None:
    """Return the function that scores the validation set after each epoch, if there is one."""
    scorers = scorers_of(estimator)
    if held_out is None:
        if scorers:
            raise ValueError("scoring needs a validation set: X_val and y_val, or early_stopping")
        return None
    rows = held_out
    network: Network = estimator.network_
    loss_options = loss_options_of(estimator)
    labels = Labels.of(rows.labels, rows.weight)
    weight = {} if rows.weight is None else {"sample_weight": rows.weight}

    def validate() -> Validation:
        logits = network.logits(rows.X, n_threads=estimator.n_threads)
        metrics = {
            name: float(scorer(estimator, rows.given, rows.y, **weight))
            for name, scorer in scorers.items()
        }
        if metrics:
            score = next(iter(metrics.values()))
        else:
            score = targets.score(logits, rows.labels, rows.weight)
        return Validation(score, network.mean_loss(logits, labels, **loss_options), metrics)

    return validate
