"""Monitoring of a fit: validation set, history, best parameters, callback, time budget."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from ..network import Network
from .fit_state import FitState
from .history import EpochInfo, History, Validation
from .settings import StopSettings


class Monitor:
    """Monitor of one fit.

    Parameters
    ----------
    network : Network
        Network that is trained.
    history : History
        History that the epochs are added to.
    settings : StopSettings
        Stopping criteria and callbacks.

    Attributes
    ----------
    end : float
        Time at which `max_time` ends, in seconds of ``time.monotonic``; infinite without it.
    """

    def __init__(self, network: Network, history: History, settings: StopSettings) -> None:
        self.network, self.history, self.settings = network, history, settings
        self._best = None
        if settings.early_stopping:
            best = network.parameters if settings.resumed is None else settings.resumed.best
            assert best is not None  # of a fit with early stopping
            self._best = best.copy()
        self.end = time.monotonic() + (np.inf if settings.max_time is None else settings.max_time)

    @contextmanager
    def best_kept(self) -> Iterator[None]:
        """Restore the parameters of the best score when training ends, even by an exception."""
        try:
            yield
        finally:
            if self._best is not None:
                self.network.parameters[...] = self._best

    def validation(self) -> Validation:
        """Evaluate the validation set, if there is one."""
        validate = self.settings.validate
        return Validation() if validate is None else validate()

    def record(self, loss: float, rows: int) -> Validation:
        """Evaluate the validation set after an epoch with a finite loss, and record the epoch."""
        found, settings = self.validation(), self.settings
        best = self.history.add(loss, rows, found, settings.tol, settings.early_stopping)
        if settings.keep_last_best and found.loss is not None:
            best = found.loss <= self.history.best_validation_loss
        if best and self._best is not None:
            self._best[...] = self.network.parameters
        return found

    def callback_ends(
        self, epoch: int, loss: float, found: Validation, learning_rate: float
    ) -> bool:
        """Call the callback after an epoch; return whether it asks to stop."""
        settings = self.settings
        info = EpochInfo(
            epoch, settings.max_iter, loss, found.score, learning_rate, found.loss,
            found.metrics or None,
        )  # fmt: skip
        return settings.callback is not None and bool(settings.callback(info))

    def offer_checkpoint(self, epoch: int, **of_solver: Any) -> None:
        """Pass on the state after an epoch, of which `of_solver` is the solver's part."""
        settings = self.settings
        if settings.checkpoint is not None:
            settings.checkpoint(FitState(epoch, settings.early_stopping, self._best, **of_solver))

    @property
    def time_is_up(self) -> bool:
        return time.monotonic() >= self.end

    @property
    def patience_is_exhausted(self) -> bool:
        """Whether there was no improvement for more than `n_iter_no_change` epochs."""
        return self.history.no_improvement > self.settings.n_iter_no_change
