"""What goes with the epochs of a fit: held-out rows, history, best parameters, callback, time."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from ..network import Network
from .history import EpochInfo, History, Validation
from .settings import StopSettings


class Monitor:
    """Looks on at one fit.

    Parameters
    ----------
    network : Network
    history : History
        Gets the epochs.
    settings : StopSettings

    Attributes
    ----------
    end : float
        When `max_time` is over, in seconds of ``time.monotonic``; infinite without it.
    """

    def __init__(self, network: Network, history: History, settings: StopSettings) -> None:
        self.network, self.history, self.settings = network, history, settings
        self._best = network.parameters.copy() if settings.early_stopping else None
        self.end = time.monotonic() + (np.inf if settings.max_time is None else settings.max_time)

    @contextmanager
    def best_kept(self) -> Iterator[None]:
        """However training ends, the network gets the parameters of the best score."""
        try:
            yield
        finally:
            if self._best is not None:
                self.network.parameters[...] = self._best

    def validation(self) -> Validation:
        """What is found on the held-out rows, if there are any."""
        validate = self.settings.validate
        return Validation() if validate is None else validate()

    def record(self, loss: float, rows: int) -> Validation:
        """Look at the held-out rows after an epoch that went well, and write it down."""
        found, settings = self.validation(), self.settings
        best = self.history.add(loss, rows, found, settings.tol, settings.early_stopping)
        if best and self._best is not None:
            self._best[...] = self.network.parameters
        return found

    def callback_ends(
        self, epoch: int, loss: float, found: Validation, learning_rate: float
    ) -> bool:
        """Tell the callback of an epoch; whether it wants training to end."""
        settings = self.settings
        info = EpochInfo(
            epoch, settings.max_iter, loss, found.score, learning_rate, found.loss,
            found.metrics or None,
        )  # fmt: skip
        return settings.callback is not None and bool(settings.callback(info))

    @property
    def time_is_over(self) -> bool:
        return time.monotonic() >= self.end

    @property
    def patience_is_over(self) -> bool:
        """Whether nothing has improved for more than `n_iter_no_change` epochs."""
        return self.history.no_improvement > self.settings.n_iter_no_change
