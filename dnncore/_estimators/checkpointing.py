"""How a fit writes checkpoints, and how it is completed from one."""

from __future__ import annotations

import threading
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from .._training.fit_state import FitState
from .._training.loop import level_of_caller
from ..checkpoints import Checkpoint
from .interface import (
    AUTO,
    Estimator,
    Model,
    adopt_unfinished_fit,
    snapshot,
    trainer_of,
    unfinished_fit_of,
)
from .params import solver_of
from .rows import LabelledRows
from .unfinished import UnfinishedFit


def resumed_fit(estimator: Any) -> UnfinishedFit | None:
    """Return the fit that goes on; None if a new one begins.

    It begins anew without `warm_start`, and with another solver, schedule or early stopping.
    """
    unfinished = unfinished_fit_of(estimator)
    trainer = trainer_of(estimator)
    if unfinished is None or trainer is None or not estimator.warm_start:
        return None
    stops_early: Any = estimator.early_stopping
    same = stops_early == AUTO or bool(stops_early) == unfinished.state.early_stopping
    return unfinished if same and trainer.solver == solver_of(estimator) else None


def generator_of_split(
    unfinished: UnfinishedFit | None, random: np.random.RandomState
) -> np.random.RandomState:
    """Return the generator that splits off the validation set, as in the fit that goes on."""
    if unfinished is None or unfinished.split is None:
        return random
    return generator_in(unfinished.split)


def generator_in(state: dict[str, Any]) -> np.random.RandomState:
    """Return a generator in a state."""
    random = np.random.RandomState()
    random.set_state(state)
    return random


def require_same_validation(
    unfinished: UnfinishedFit | None, held_out: LabelledRows | None
) -> None:
    """Raise ValueError if the validation set of the fit that goes on is missing."""
    if unfinished is not None and unfinished.state.early_stopping and held_out is None:
        raise ValueError("X_val and y_val are needed to complete a fit that was begun with them")


def require_same_partitions(unfinished: UnfinishedFit | None, partitions: str | None) -> None:
    """Raise ValueError if the fit that goes on has had other partitions.

    None stands for rows in memory. A fit may move between these and partitions, unless it has split
    off validation rows, which would be others.
    """
    if unfinished is None or unfinished.partitions == partitions:
        return
    before = unfinished.partitions
    if unfinished.split is None and (before is None or partitions is None):
        return
    begun, found = (
        "rows in memory" if x is None else f"a Dask collection in {x}" for x in (before, partitions)
    )
    raise ValueError(f"X must be that with which the fit was begun, {begun}, got {found}")


class CheckpointWriter:
    """Writes checkpoints of a fit, at most so often, from any thread.

    Parameters
    ----------
    checkpoint : Checkpoint
    """

    def __init__(self, checkpoint: Checkpoint) -> None:
        self._checkpoint, self._lock = checkpoint, threading.Lock()
        self._begin_interval()

    def _begin_interval(self) -> None:
        self._due = time.monotonic() + self._checkpoint.seconds

    def offer(self, model: Callable[[], Model]) -> None:
        """Write the model that a function returns, if the time has come."""
        with self._lock:
            if time.monotonic() < self._due:
                return
            try:
                self._checkpoint.write(model())
            except (ImportError, OSError, TypeError, ValueError) as error:
                warnings.warn(
                    f"the checkpoint was not written: {error}", stacklevel=level_of_caller()
                )
            self._begin_interval()


def after_epoch(
    estimator: Any, split: dict[str, Any] | None, partitions: str | None = None
) -> Callable[[FitState], None] | None:
    """Return what is called after an epoch with the state of a fit, and writes its checkpoints.

    Parameters
    ----------
    estimator : Estimator
        Estimator that is fitted, with a parameter `checkpoint`; if that is None, there are none.
    split, partitions
        As in :class:`UnfinishedFit`.
    """
    if estimator.checkpoint is None:
        return None
    writer = CheckpointWriter(estimator.checkpoint)

    def unfinished(state: FitState) -> Estimator:
        model: Estimator = snapshot(estimator)
        adopt_unfinished_fit(model, UnfinishedFit(state, split, partitions))
        return model

    return lambda state: writer.offer(lambda: unfinished(state))
