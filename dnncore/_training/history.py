"""What training leaves behind: the history of its epochs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from .._core.public import set_module


@set_module("dnncore.training")
class Validation(NamedTuple):
    """What is found on held-out rows after an epoch.

    Attributes
    ----------
    score : float or None
        Larger is better; early stopping goes by it.
    loss : float or None
        The schedule 'newbob' goes by it.
    metrics : mapping of str to float
        What else was asked for.
    """

    score: float | None = None
    loss: float | None = None
    metrics: Mapping[str, float] = MappingProxyType({})


@set_module("dnncore.training")
class EpochInfo(NamedTuple):
    """What a callback is told after an epoch.

    Attributes
    ----------
    epoch : int
        1 for the first of this fit.
    max_iter : int
    loss : float
        Mean over the epoch's rows of the loss before each update.
    validation_score : float or None
    learning_rate : float
        Of the next epoch.
    validation_loss : float or None
    metrics : mapping of str to float, or None
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
    """What training has left behind, over all epochs of a trainer.

    Attributes
    ----------
    loss_curve : list of float
        Loss of every epoch.
    validation_scores, validation_losses : list of float
        Score and loss on the validation rows after every epoch that had them.
    metrics : dict of str to list of float
        What else was asked for, after every epoch.
    best_loss : float
    best_validation_score : float
    n_iter : int
        Epochs.
    t : int
        Samples trained on.
    no_improvement : int
        Epochs in a row, up to the last, in which nothing improved.
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

    def add(self, loss: float, rows: int, found: Validation, tol: float, by_score: bool) -> bool:
        """Write down an epoch; whether its score is the best so far.

        It counts as an improvement if the loss, or the score, is better by `tol`.
        """
        self.n_iter += 1
        self.t += rows
        self.loss_curve.append(loss)
        score = -np.inf if found.score is None else found.score
        if by_score:
            improved = score >= self.best_validation_score + tol
        else:
            improved = loss <= self.best_loss - tol
        best = score > self.best_validation_score
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
