"""What is found on held-out rows after each epoch: their loss, and scores."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
from sklearn.metrics import check_scoring, get_scorer
from sklearn.model_selection import train_test_split

from .._training.history import Validation
from ..network import Network
from .interface import loss_options_of
from .rows import LabelledRows
from .targets import Targets


def scorers_of(estimator: Any) -> dict[str, Any]:
    """The scorers of the parameter scoring, by name."""
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
        f"scoring must be a scorer, its name, several names, or a mapping, got {scoring!r}"
    )


def split(
    rows: LabelledRows, targets: Targets, fraction: float, random: np.random.RandomState
) -> tuple[LabelledRows, LabelledRows]:
    """Training and validation rows; these without class weights and label smoothing."""
    train, held_out = train_test_split(
        np.arange(rows.n_rows),
        test_size=fraction,
        stratify=targets.strata(rows.y),
        random_state=random,
    )
    return rows.take(train), rows.take(held_out).to_judge_by(targets)


def require_rows(name: str, held_out: LabelledRows | None, targets: Targets) -> None:
    """Raise ValueError if there are held-out rows, but too few for a score."""
    least = targets.min_score_rows
    if held_out is not None and held_out.n_rows < least:
        raise ValueError(
            f"{name} must be at least {least} rows for the score, got {held_out.n_rows}"
        )


def validation(
    estimator: Any, held_out: LabelledRows | None, targets: Targets
) -> Callable[[], Validation] | None:
    """What looks at the held-out rows after each epoch of an estimator, if there are any."""
    scorers = scorers_of(estimator)
    if held_out is None:
        if scorers:
            raise ValueError("scoring needs validation rows: X_val and y_val, or early_stopping")
        return None
    rows = held_out
    network: Network = estimator.network_
    loss_options = loss_options_of(estimator)
    labels = network.check_labels(rows.labels, rows.weight, rows.n_rows)
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
