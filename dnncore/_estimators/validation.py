"""The loss and scores on the validation set after each epoch."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import check_scoring, get_scorer
from sklearn.model_selection import train_test_split

from .._core.checks import Matrix, is_sparse
from .._core.csrc import all_finite, sum_squares
from .._core.labels import Labels
from .._training.history import Validation
from ..network import Network
from .interface import AUTO, loss_options_of
from .rows import LabelledRows
from .targets import Targets

SMALL = 1e12  # a sum of squares; no sum of products of such numbers overflows


def scorers_of(estimator: Any) -> dict[str, Any]:
    """Return the scorers of the parameter `scoring` by name."""
    scoring = estimator.scoring
    if scoring is None:
        return {}
    if isinstance(scoring, Mapping):
        return {str(name): _scorer(estimator, name, scorer) for name, scorer in scoring.items()}
    if isinstance(scoring, str):
        return {scoring: get_scorer(scoring)}
    if callable(scoring):
        return {"score": scoring}
    if isinstance(scoring, Iterable) and all(isinstance(name, str) for name in scoring):
        return {name: get_scorer(name) for name in scoring}
    raise TypeError(
        f"scoring must be a scorer, a name, a sequence of names or a mapping, got {scoring!r:.80}"
    )


def _scorer(estimator: Any, name: object, scorer: Any) -> Any:
    if isinstance(scorer, str):
        return get_scorer(scorer)
    if scorer is not None and not callable(scorer):
        raise TypeError(
            f"scoring[{name!r:.80}] must be a scorer or the name of one, got {scorer!r:.80}"
        )
    return check_scoring(estimator, scorer)


def splits_rows(estimator: Any, rows: LabelledRows, targets: Targets) -> bool:
    """Return whether `early_stopping` splits off a validation set; see :func:`splits`."""
    return splits(estimator, len(_weighted_rows(rows)), targets)


def splits(estimator: Any, n_rows: int, targets: Targets) -> bool:
    """Return whether `early_stopping` splits off a part of so many rows that have a weight.

    'auto' does if it is large enough to be of use, unless training continues in later calls or
    ends by the training loss in a way of its own.
    """
    if estimator.early_stopping != AUTO:
        return bool(estimator.early_stopping)
    n = int(n_rows * estimator.validation_fraction)
    goes_on = estimator.warm_start or estimator.learning_rate == "newbob"
    return n >= targets.min_auto_rows and not goes_on


def split(
    estimator: Any, rows: LabelledRows, targets: Targets, random: np.random.RandomState
) -> tuple[LabelledRows, LabelledRows]:
    """Split rows into a training and a validation set, by `validation_fraction`.

    The validation set has no label smoothing.
    """
    fraction, strata = estimator.validation_fraction, targets.strata(rows.y)
    if estimator.early_stopping == AUTO:
        held_out = _representative(_weighted_rows(rows), strata, fraction, random)
        kept = np.ones(rows.n_rows, bool)
        kept[held_out] = False
        train = kept.nonzero()[0]
    else:
        train, held_out = train_test_split(
            np.arange(rows.n_rows), test_size=fraction, stratify=strata, random_state=random
        )
    return rows.take(train), rows.take(held_out).for_validation(targets)


def _weighted_rows(rows: LabelledRows) -> NDArray[np.intp]:
    """Return the indices of the rows that have a weight."""
    if rows.sample_weight is None:
        return np.arange(rows.n_rows)
    return np.flatnonzero(rows.sample_weight)


def _representative(
    rows: NDArray[np.intp],
    strata: NDArray[Any] | None,
    fraction: float,
    random: np.random.RandomState,
) -> NDArray[np.intp]:
    """Choose a fraction of the rows at random, or evenly from random rows sorted by label.

    Unlike scikit-learn's stratified split, this works for any number of labels; the only row of a
    label is not chosen.
    """
    rows = random.permutation(rows)
    n = int(fraction * len(rows))
    positions = np.arange(n) * len(rows) // n
    if strata is None:
        return rows[positions]
    labels = strata[rows]
    counts = np.bincount(labels)
    chosen = labels.argsort(kind="stable")[positions]
    held_out: NDArray[np.intp] = rows[chosen[counts[labels[chosen]] > 1]]
    return held_out


def require_rows(name: str, held_out: LabelledRows | None, targets: Targets) -> None:
    """Raise ValueError if there is a validation set with too few rows for a score."""
    min_rows = targets.min_score_rows
    if held_out is not None and held_out.n_rows < min_rows:
        raise ValueError(
            f"{name} must have at least {min_rows} rows for the score, got {held_out.n_rows}"
        )


def may_overflow(X: Matrix) -> bool:
    """Return whether X has numbers so large that a new network may overflow."""
    values = X.data[: X.indptr[-1]] if is_sparse(X) else X
    return not sum_squares(values) < SMALL


def require_finite_outputs(network: Network, X: Matrix, columns: Mapping[str, Any]) -> None:
    """Raise ValueError if rows that are not standardised are too large for a new network."""
    if not may_overflow(X) or all_finite(network.logits(X)):
        return
    largest = np.abs(X).max(axis=0)
    largest = np.ravel(largest.toarray() if is_sparse(X) else largest)
    feature, names = int(largest.argmax()), columns.get("feature_names_in_")
    name = "" if names is None else f" ({names[feature]!r})"
    raise ValueError(
        f"X must be smaller with norm=False, got numbers up to {largest[feature]:g} in feature "
        f"{feature}{name}: the outputs of the network are not finite"
    )


def validation(
    estimator: Any, network: Network, held_out: LabelledRows | None, targets: Targets
) -> Callable[[], Validation] | None:
    """Return the function that scores the validation set after each epoch, if there is one.

    The loss has the weights of the training loss. The scores have the sample weights only, as
    scikit-learn computes them.
    """
    scorers = scorers_of(estimator)
    if held_out is None:
        if scorers:
            raise ValueError("scoring needs a validation set: X_val and y_val, or early_stopping")
        return None
    rows = held_out
    loss_options = loss_options_of(estimator)
    labels = Labels.of(rows.labels, rows.weight)
    weight = rows.sample_weight
    weight_of_scorers = {} if weight is None else {"sample_weight": weight}

    def validate() -> Validation:
        logits = network.logits(rows.X, n_threads=estimator.n_threads, engine=estimator.engine)
        if not all_finite(logits):  # which scorers refuse
            return Validation(-np.inf, np.inf, dict.fromkeys(scorers, np.nan))
        metrics = {
            name: float(scorer(estimator, rows.given, rows.y, **weight_of_scorers))
            for name, scorer in scorers.items()
        }
        if metrics:
            score = next(iter(metrics.values()))
        else:
            score = targets.score(logits, rows.labels, weight)
        return Validation(score, network.mean_loss(logits, labels, **loss_options), metrics)

    return validate
