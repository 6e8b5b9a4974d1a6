"""The loop over epochs, which carries out the decisions of the schedule and stops training."""

from __future__ import annotations

import logging
import sys
import warnings
from collections.abc import Callable
from functools import partial

import numpy as np
from numpy.typing import NDArray

from .._core.public import set_module
from .fit_state import Snapshot
from .history import Validation
from .monitor import Monitor
from .optimizer import Optimizer
from .schedules import SCHEDULES, Decision, Progress
from .sources import RemoteRows, Source

logger = logging.getLogger("dnncore")


@set_module("dnncore.training")
class DivergenceWarning(UserWarning):
    """Training diverged: the loss, a parameter or the solver's state is not finite.

    The last epoch is undone; a step of :mod:`dnncore.river`, likewise.
    """


class EpochLoop:
    """The epochs of one fit.

    Parameters
    ----------
    optimizer : Optimizer
        Optimizer that trains for one epoch.
    source : Source or RemoteRows
        Training rows.
    monitor : Monitor
        Monitor that records the epochs.
    """

    def __init__(self, optimizer: Optimizer, source: Source | RemoteRows, monitor: Monitor) -> None:
        self._optimizer, self._source, self._monitor = optimizer, source, monitor
        self._schedule = SCHEDULES[optimizer.solver.schedule](optimizer.solver)
        self._kept: Snapshot | None = None

    def run(self) -> str:
        """Train; return how training ended, as :meth:`dnncore.training.Trainer.fit` does."""
        for epoch in range(self._begin(), self._monitor.settings.max_iter + 1):
            end = self._epoch(epoch)
            if end is not None:
                return end
            self._monitor.offer_checkpoint(epoch, schedule=self._schedule.state(), kept=self._kept)
        return "max_iter"

    def _begin(self) -> int:
        """Begin, or go on from a state; return the number of the first epoch."""
        resumed = self._monitor.settings.resumed
        if resumed is None:
            self._carry_out(self._schedule.begin(self._progress(0, 0, np.nan, self._current_loss)))
            return 1
        self._schedule.restore(resumed.schedule)
        self._kept = resumed.kept
        return resumed.epoch + 1

    def _epoch(self, epoch: int) -> str | None:
        """Train for one epoch; return how training ended, or None if it continues."""
        optimizer, monitor, schedule = self._optimizer, self._monitor, self._schedule
        before, rates = optimizer.snapshot(), self._rates(epoch)
        try:
            loss, rows = optimizer._train_epoch(self._source, monitor.end, rates)
        except Exception:  # raised by reading a block
            optimizer.restore(before)
            raise
        steps = optimizer._steps - before.steps
        if not optimizer._is_sound(loss, self._source):
            progress = self._progress(epoch, steps, loss, self._current_loss)
            return self._after_divergence(epoch, before, schedule.on_divergence(progress))
        found = monitor.record(loss, rows)
        current_loss = partial(self._loss_of, found)
        decision = schedule.after_epoch(self._progress(epoch, steps, loss, current_loss))
        self._carry_out(decision)
        rate = optimizer.learning_rate if rates is None else float(rates[-1])
        if monitor.callback_ends(epoch, loss, found, rate):
            return "stopped"
        if decision.end:
            return "converged"
        if monitor.time_is_up:
            return "max_time"
        if monitor.patience_is_exhausted:
            progress = self._progress(epoch, steps, loss, current_loss)
            return self._after_plateau(epoch, schedule.on_plateau(progress))
        return None

    def _rates(self, epoch: int) -> NDArray[np.float64] | None:
        """Return the learning rate of each step of an epoch, if they differ."""
        now = self._progress(epoch - 1, 0, np.nan, self._current_loss)
        return self._schedule.rates(now, self._optimizer._steps_of(self._source))

    def _after_divergence(self, epoch: int, before: Snapshot, decision: Decision) -> str | None:
        rate = self._optimizer.learning_rate
        if not decision.go_back:
            self._optimizer.restore(before)
        self._carry_out(decision)
        if not decision.end:
            return None
        network = self._optimizer.network
        scaled = network.mean_ is not None or network.embedding is not None
        warn_of_divergence(epoch, rate, scaled=scaled)
        return "diverged"

    def _after_plateau(self, epoch: int, decision: Decision) -> str | None:
        if decision.end:
            logger.info("epoch %d: no improvement, stopping", epoch)
        elif decision.learning_rate != self._optimizer.learning_rate:
            self._monitor.history.no_improvement = 0
            logger.info("epoch %d: learning rate set to %g", epoch, decision.learning_rate)
        self._carry_out(decision)
        return "converged" if decision.end else None

    def _carry_out(self, decision: Decision) -> None:
        self._optimizer.learning_rate = decision.learning_rate
        if decision.go_back:
            if self._kept is None:
                raise RuntimeError(
                    f"{type(self._schedule).__name__} goes back, but has kept nothing"
                )
            self._optimizer.restore(self._kept)
            logger.info("best parameters restored, learning rate set to %g", decision.learning_rate)
        if decision.keep:
            self._kept = self._optimizer.snapshot()

    def _progress(
        self, epoch: int, steps: int, loss: float, current_loss: Callable[[], float]
    ) -> Progress:
        settings, history = self._monitor.settings, self._monitor.history
        return Progress(
            self._optimizer.learning_rate, epoch, settings.max_iter, steps, history.t,
            history.no_improvement, settings.tol, settings.early_stopping, loss, current_loss,
        )  # fmt: skip

    def _current_loss(self) -> float:
        return self._loss_of(self._monitor.validation())

    def _loss_of(self, found: Validation) -> float:
        """Return the loss of the current parameters, on the validation set or the training rows."""
        return self._optimizer._loss_of(self._source) if found.loss is None else found.loss


def warn_of_divergence(epoch: int, learning_rate: float | None, *, scaled: bool) -> None:
    """Warn, and advise the user; `scaled` tells that the inputs are scaled already."""
    advice = []
    if learning_rate is not None:
        advice.append(f"a learning_rate_init below {learning_rate:g}")
    if not scaled:
        advice.append("input standardisation (norm)")
    text = f" Try {', or '.join(advice)}." if advice else ""
    warnings.warn(
        f"training diverged in epoch {epoch}: the loss or a parameter is not finite. The "
        f"parameters before that epoch are kept.{text}",
        DivergenceWarning,
        stacklevel=level_of_caller(),
    )


def level_of_caller() -> int:
    """Return the stacklevel at which a warning of the calling function shows the user's code.

    scikit-learn's wrapper of `fit`, which calls the callbacks, is not the user's code.
    """
    level, frame = 1, sys._getframe(1)
    ours = ("dnncore.", "sklearn.callback.")
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith(ours):
        level, frame = level + 1, frame.f_back
    return level
