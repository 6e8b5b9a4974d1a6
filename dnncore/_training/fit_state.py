"""The state of a fit between two epochs, from which it goes on in another process."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from numpy.typing import NDArray

# How the training of a member of an ensemble has ended, if more would not change it.
FINISHED = ("converged", "diverged")


class Snapshot(NamedTuple):
    """Parameters, the solver's state, and the number of steps that led to them."""

    arrays: list[NDArray[Any]]
    steps: int


@dataclass(frozen=True)
class FitState:
    """What the next epochs of a fit depend on beside the trainer: its state and its history.

    Attributes
    ----------
    epoch : int
        Number of completed epochs of the fit.
    early_stopping : bool or 'loss'
        What early stopping goes by.
    best : array of shape (n_parameters,) or None
        The best parameters so far; None without early stopping.
    schedule : mapping of str to float
        State of the learning-rate schedule.
    kept : Snapshot or None
        What the schedule may go back to.
    n_evaluations : int
        Number of loss evaluations of L-BFGS.
    """

    epoch: int
    early_stopping: bool | str = False
    best: NDArray[Any] | None = None
    schedule: Mapping[str, float] = field(default_factory=dict)
    kept: Snapshot | None = None
    n_evaluations: int = 0
