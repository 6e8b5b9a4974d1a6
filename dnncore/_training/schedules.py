"""Learning-rate schedules: how the learning rate changes during one fit.

A schedule is a class that overrides some of the hooks of :class:`Schedule`, and an entry in
`SCHEDULES`. Each hook receives the :class:`Progress` of training and returns a :class:`Decision`,
which the loop over epochs carries out. A schedule has no access to the trainer. One that changes
the rate at every step overrides :meth:`Schedule.rates`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

ADAPTIVE_DIVISOR = 5.0  # as in scikit-learn: 'adaptive' divides the rate by this ...
MIN_ADAPTIVE_RATE = 1e-6  # ... until it is at most this
MAX_HALVINGS = 20  # maximum number of consecutive halvings when training diverges
MIN_STEPS = 10  # between two evaluations of the loss: one or two steps are too noisy


class Progress(NamedTuple):
    """Progress of a fit.

    Attributes
    ----------
    learning_rate : float
        Learning rate of the last steps; before the first epoch, that at the end of the previous
        fit.
    epoch : int
        Number of completed epochs of this fit; 0 before the first.
    max_iter : int
        Maximum number of epochs of this fit.
    steps : int
        Number of mini-batches of the last epoch; 0 before the first.
    t : int
        Number of samples seen in training, in this fit and previous ones.
    no_improvement : int
        Number of consecutive epochs without improvement, up to the last epoch.
    tol : float
        Smallest change of the loss or score that counts as an improvement.
    early_stopping : bool or 'loss'
        Whether the score on the validation set is monitored instead of the loss.
    epoch_loss : float
        Mean loss during the last epoch, while the parameters changed; NaN before the first.
    loss : callable
        Function that returns the loss of the current parameters: on the validation set, where it
        is known after an epoch, or otherwise on the training rows, which requires a pass over
        them.
    """

    learning_rate: float
    epoch: int
    max_iter: int
    steps: int
    t: int
    no_improvement: int
    tol: float
    early_stopping: bool | str
    epoch_loss: float
    loss: Callable[[], float]


class Decision(NamedTuple):
    """Actions before training continues.

    Attributes
    ----------
    learning_rate : float
        Learning rate of the next epoch; the trainer keeps it after the fit.
    keep : bool
        Keep a copy of the current parameters and the solver's state.
    go_back : bool
        Restore the last kept copy.
    end : bool
        End training.
    """

    learning_rate: float
    keep: bool = False
    go_back: bool = False
    end: bool = False


class Schedule:
    """Constant learning rate; the base class of all schedules.

    Each fit creates a new instance.

    Parameters
    ----------
    solver : SGD or Adam
        Solver, which has the settings of the schedule.

    Attributes
    ----------
    solvers : tuple of str
        Solvers that support the schedule.
    remembers : tuple of str
        Attributes that are its state: numbers, which :meth:`begin` sets.
    """

    solvers: ClassVar[tuple[str, ...]] = ("SGD", "Adam")
    remembers: ClassVar[tuple[str, ...]] = ()

    def __init__(self, solver: Any) -> None:
        self.solver = solver

    def state(self) -> dict[str, float]:
        """Return the state between two epochs, for :meth:`restore`."""
        return {name: getattr(self, name) for name in self.remembers}

    def restore(self, state: Mapping[str, float]) -> None:
        """Restore a state, instead of :meth:`begin`."""
        vars(self).update(state)

    def begin(self, now: Progress) -> Decision:
        """Decide before the first epoch."""
        return Decision(now.learning_rate)

    def rates(self, now: Progress, n_steps: int) -> NDArray[np.float64] | None:
        """Return the learning rates of the steps of the next epoch.

        Parameters
        ----------
        now : Progress
            Progress before the epoch, without the steps and the loss of the previous one.
        n_steps : int
            Number of steps of the epoch; 1 if it is not known.

        Returns
        -------
        array of shape (n_steps,), or None
            Rate of each step; steps beyond n_steps have the last one. None if all steps have the
            rate of the last decision.
        """
        return None

    def after_epoch(self, now: Progress) -> Decision:
        """Decide after each epoch with finite loss and parameters; `end` means convergence."""
        return Decision(now.learning_rate)

    def on_plateau(self, now: Progress) -> Decision:
        """Decide after more than `n_iter_no_change` consecutive epochs without improvement.

        If the learning rate changes, the count of these epochs restarts at 0.
        """
        return Decision(now.learning_rate, end=True)

    def on_divergence(self, now: Progress) -> Decision:
        """Decide after an epoch whose loss or parameters are not finite.

        The epoch is undone in any case: training returns to the state before it, or with `go_back`
        to the kept copy. With `end`, the fit ends there with a warning.
        """
        return Decision(now.learning_rate, end=True)


class InverseScaling(Schedule):
    """``learning_rate_init / (t + 1)^power_t`` after t samples, set at the end of each epoch."""

    solvers = ("SGD",)

    def after_epoch(self, now: Progress) -> Decision:
        solver = self.solver
        return Decision(float(solver.learning_rate_init / (now.t + 1) ** solver.power_t))


class Adaptive(Schedule):
    """Divides the rate by 5 whenever training would otherwise stop for lack of improvement."""

    solvers = ("SGD",)

    def on_plateau(self, now: Progress) -> Decision:
        if now.learning_rate <= MIN_ADAPTIVE_RATE:
            return Decision(now.learning_rate, end=True)
        return Decision(now.learning_rate / ADAPTIVE_DIVISOR)


class Newbob(Schedule):
    """Halves the rate and restores the best parameters when the loss stalls; ends automatically."""

    remembers = ("start", "lowest", "stalls", "halvings", "steps")

    def begin(self, now: Progress) -> Decision:
        self.start = self.lowest = now.loss()
        self.stalls = self.halvings = self.steps = 0
        return Decision(now.learning_rate, keep=True)

    def after_epoch(self, now: Progress) -> Decision:
        self.steps += now.steps
        if self.steps < MIN_STEPS:
            return Decision(now.learning_rate)
        self.steps = 0
        # The loss of the epoch is not suitable: the parameters changed while it was computed.
        loss = now.loss()
        if loss < self.lowest - now.tol:
            self.lowest = loss
            self.stalls = self.halvings = 0
            return Decision(now.learning_rate, keep=True)
        # A loss above that before the first epoch only shows that the rate is far too large.
        self.stalls += loss <= self.start
        decision = self._halve(now)
        return decision._replace(end=self.stalls >= 2 or self.halvings >= MAX_HALVINGS)

    def on_plateau(self, now: Progress) -> Decision:
        return Decision(now.learning_rate)

    def on_divergence(self, now: Progress) -> Decision:
        if self.halvings >= MAX_HALVINGS:
            return Decision(now.learning_rate, end=True)
        self.steps = 0
        return self._halve(now)

    def _halve(self, now: Progress) -> Decision:
        self.halvings += 1
        return Decision(now.learning_rate / 2.0, go_back=True)


class Curve(Schedule):
    """A given function of the time, set at every step; the base class of such schedules.

    The base rate remains that of the trainer, so that another fit starts anew.
    """

    @staticmethod
    def factor(t: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the factor of the base rate at the fraction t of the fit."""
        raise NotImplementedError

    def rates(self, now: Progress, n_steps: int) -> NDArray[np.float64]:
        middles = (np.arange(n_steps) + 0.5) / n_steps
        return now.learning_rate * self.factor((now.epoch + middles) / now.max_iter)

    def after_epoch(self, now: Progress) -> Decision:
        return Decision(now.learning_rate, end=now.epoch == now.max_iter)

    def on_plateau(self, now: Progress) -> Decision:
        # A loss often falls again when the rate does.
        return Decision(now.learning_rate, end=now.early_stopping is True)


class Cosine(Curve):
    """``(1 + cos(pi t)) / 2``: half a cosine, from 1 to 0."""

    @staticmethod
    def factor(t: NDArray[np.float64]) -> NDArray[np.float64]:
        return 0.5 * (1.0 + np.cos(np.pi * t))


class CosLog4(Curve):
    """``(1 - cos(2 pi log2(1 + 15 t))) / 2``: four cycles, each twice as long as the previous one.

    Holzmueller, Grinsztajn and Steinwart 2024, https://arxiv.org/abs/2407.04491.
    """

    @staticmethod
    def factor(t: NDArray[np.float64]) -> NDArray[np.float64]:
        return 0.5 * (1.0 - np.cos(2.0 * np.pi * np.log2(1.0 + 15.0 * t)))


SCHEDULES: dict[str, type[Schedule]] = {
    "constant": Schedule,
    "invscaling": InverseScaling,
    "adaptive": Adaptive,
    "newbob": Newbob,
    "cosine": Cosine,
    "coslog4": CosLog4,
}


def schedules_of(solver: str) -> tuple[str, ...]:
    """Return the names of the schedules that a solver supports."""
    return tuple(name for name, schedule in SCHEDULES.items() if solver in schedule.solvers)
