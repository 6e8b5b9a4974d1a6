"""The history of the epochs of a training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from .._core.public import set_module

LEAST_SHARE = 0.01  # of the validation loss, whose decrease is an improvement below `tol`, too


@set_module("dnncore.training")
class Validation(NamedTuple):
    """Score, loss and metrics on the validation set after an epoch.

    Attributes
    ----------
    score : float or None
        Score that early stopping monitors; larger is better.
    loss : float or None
        Loss that the schedule 'newbob' monitors.
    metrics : mapping of str to float
        Other metrics, by name.
    """

    score: float | None = None
    loss: float | None = None
    metrics: Mapping[str, float] = MappingProxyType({})


@set_module("dnncore.training")
class EpochInfo(NamedTuple):
    """Information passed to a callback after an epoch.

    Attributes
    ----------
    epoch : int
        Number of the epoch; the first of this fit is 1.
    max_iter : int
        Maximum number of epochs of this fit.
    loss : float
        Mean loss over the rows of the epoch, before each update.
    validation_score : float or None
        Score on the validation set.
    learning_rate : float
        Learning rate of the next epoch; with 'cosine' and 'coslog4', of the last step.
    validation_loss : float or None
        Loss on the validation set.
    metrics : mapping of str to float, or None
        Other metrics on the validation set.
    """

    epoch: int
    max_iter: int
    loss: float
    validation_score: float | None
    learning_rate: float
    validation_loss: float | None = None
    metrics: Mapping[str, float] | None = None


@set_module("dnncore.training")
@dataclass
class History:
    """History of all epochs of a trainer.

    Attributes
    ----------
    loss_curve : list of float
        Loss of each epoch.
    validation_scores, validation_losses : list of float
        Score and loss on the validation set after each epoch that had one.
    metrics : dict of str to list of float
        Other metrics after each epoch.
    best_loss : float
        Lowest loss of an epoch.
    best_validation_score : float
        Best score on the validation set.
    n_iter : int
        Number of epochs.
    t : int
        Number of samples seen in training.
    no_improvement : int
        Number of consecutive epochs without improvement, up to the last epoch.
    """

    loss_curve: list[float] = field(default_factory=list)
    validation_scores: list[float] = field(default_factory=list)
    validation_losses: list[float] = field(default_factory=list)
    metrics: dict[str, list[float]] = field(default_factory=dict)
    best_loss: float = np.inf
    best_validation_score: float = -np.inf
    n_iter: int = 0
    t: int = 0
    no_improvement: int = 0

    @property
    def best_validation_loss(self) -> float:
        """Lowest loss on the validation set, apart from NaN; infinite without one."""
        return min((loss for loss in self.validation_losses if loss == loss), default=np.inf)

    def add(
        self, loss: float, rows: int, found: Validation, tol: float, early_stopping: bool | str
    ) -> bool:
        """Record an epoch; return whether it is the best so far on the validation set.

        An epoch counts as an improvement if the loss is lower than the lowest one by at least
        `tol`. With `early_stopping`, this applies to the score, or with 'loss' to the validation
        loss. There, a hundredth of the loss is enough: that of separable classes nears 0.
        """
        self.n_iter += 1
        self.t += rows
        self.loss_curve.append(loss)
        score = -np.inf if found.score is None else found.score
        best = score > self.best_validation_score
        if early_stopping == "loss":
            assert found.loss is not None
            lowest = self.best_validation_loss
            best = found.loss < lowest
            improved = best and found.loss <= lowest - min(tol, LEAST_SHARE * lowest)
        elif early_stopping:
            improved = score >= self.best_validation_score + tol
        else:
            improved = loss <= self.best_loss - tol
        self.no_improvement = 0 if improved else self.no_improvement + 1
        self.best_loss = min(self.best_loss, loss)
        self.best_validation_score = max(self.best_validation_score, score)
        if found.score is not None:
            self.validation_scores.append(found.score)
        if found.loss is not None:
            self.validation_losses.append(found.loss)
        for name, value in found.metrics.items():
            self.metrics.setdefault(name, []).append(value)
        return best


def mean_history(histories: Sequence[History]) -> History:
    """Return the history of an ensemble: the means over the members that reached an epoch."""
    return History(
        _mean_curve([history.loss_curve for history in histories]),
        _mean_curve([history.validation_scores for history in histories]),
        _mean_curve([history.validation_losses for history in histories]),
        best_loss=float(np.mean([history.best_loss for history in histories])),
        best_validation_score=float(np.mean([x.best_validation_score for x in histories])),
        n_iter=max(history.n_iter for history in histories),
        t=sum(history.t for history in histories),
    )


def _mean_curve(curves: Sequence[Sequence[float]]) -> list[float]:
    by_epoch = zip_longest(*curves)
    return [float(np.mean([x for x in values if x is not None])) for values in by_epoch]
