"""Learning-rate schedules: what becomes of the rate in the course of one fit.

A schedule is a class with the hooks of :class:`Schedule` that it needs, and an entry in
`SCHEDULES`. It is told how far training has come and answers with a :class:`Decision`; the loop
over epochs carries that out. It never sees the trainer.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple

ADAPTIVE_DIVISOR = 5.0  # as in scikit-learn: the adaptive rate is divided by this ...
MIN_ADAPTIVE_RATE = 1e-6  # ... until it is this low
MAX_HALVINGS = 20  # in a row, by which a diverging training may look for a rate
MIN_STEPS = 10  # between two looks at the loss: that of one or two steps says little


class Progress(NamedTuple):
    """How far a fit has come.

    Attributes
    ----------
    learning_rate : float
        Of the last steps; before the first epoch, the one that the last fit ended with.
    epoch : int
        Epochs of this fit that are over; 0 before the first.
    max_iter : int
        Epochs of this fit at most.
    steps : int
        Mini-batches of the last epoch; 0 before the first.
    t : int
        Samples trained on, in this fit and those before.
    no_improvement : int
        Epochs in a row, up to the last, in which nothing improved.
    tol : float
        Improvement that counts.
    epoch_loss : float
        Mean loss of the last epoch, of the parameters on the way; NaN before the first.
    loss : callable
        Returns the loss of the present parameters: of the held-out rows, which is known after
        an epoch, or else of the rows that are trained on, which takes a pass over them.
    """

    learning_rate: float
    epoch: int
    max_iter: int
    steps: int
    t: int
    no_improvement: int
    tol: float
    epoch_loss: float
    loss: Callable[[], float]


class Decision(NamedTuple):
    """What is to happen before training goes on.

    Attributes
    ----------
    learning_rate : float
        Of all steps of the next epoch; it stays with the trainer after the fit.
    keep : bool
        Remember the parameters and the solver's state of this moment.
    go_back : bool
        Go back to what was kept last.
    end : bool
        End the training.
    """

    learning_rate: float
    keep: bool = False
    go_back: bool = False
    end: bool = False


class Schedule:
    """The rate stays as it is; the base class of all others.

    An object lives for one fit.

    Parameters
    ----------
    solver : SGD or Adam
        With the settings of the schedule.

    Attributes
    ----------
    solvers : tuple of str
        Those that the schedule goes with.
    """

    solvers: ClassVar[tuple[str, ...]] = ("SGD", "Adam")

    def __init__(self, solver: Any) -> None:
        self.solver = solver

    def begin(self, now: Progress) -> Decision:
        """Before the first epoch."""
        return Decision(now.learning_rate)

    def after_epoch(self, now: Progress) -> Decision:
        """After each epoch whose loss and parameters are finite; `end` means convergence."""
        return Decision(now.learning_rate)

    def on_plateau(self, now: Progress) -> Decision:
        """After more than `n_iter_no_change` epochs in a row without improvement.

        With another rate these are forgotten, and counted from 0.
        """
        return Decision(now.learning_rate, end=True)

    def on_divergence(self, now: Progress) -> Decision:
        """After an epoch whose loss or parameters are not finite.

        They are undone in any case: training goes back to where that epoch began, or to what was
        kept. With `end` the fit ends there, and warns.
        """
        return Decision(now.learning_rate, end=True)


class InverseScaling(Schedule):
    """``learning_rate_init / (t + 1)^power_t`` after t samples, set at the end of each epoch."""

    solvers = ("SGD",)

    def after_epoch(self, now: Progress) -> Decision:
        solver = self.solver
        return Decision(float(solver.learning_rate_init / (now.t + 1) ** solver.power_t))


class Adaptive(Schedule):
    """Divided by 5 whenever training would otherwise stop for lack of improvement."""

    solvers = ("SGD",)

    def on_plateau(self, now: Progress) -> Decision:
        if now.learning_rate <= MIN_ADAPTIVE_RATE:
            return Decision(now.learning_rate, end=True)
        return Decision(now.learning_rate / ADAPTIVE_DIVISOR)


class Newbob(Schedule):
    """Halved when the loss stalls, by going back to the best parameters; ends on its own."""

    def begin(self, now: Progress) -> Decision:
        self._start = self._lowest = now.loss()
        self._stalls = self._halvings = self._steps = 0
        return Decision(now.learning_rate, keep=True)

    def after_epoch(self, now: Progress) -> Decision:
        self._steps += now.steps
        if self._steps < MIN_STEPS:
            return Decision(now.learning_rate)
        self._steps = 0
        # The loss of an epoch would not do: it is that of the parameters on the way.
        loss = now.loss()
        if loss < self._lowest - now.tol:
            self._lowest = loss
            self._stalls = self._halvings = 0
            return Decision(now.learning_rate, keep=True)
        # Worse than before the first epoch: the rate is far too large, and says nothing more.
        self._stalls += loss <= self._start
        decision = self._halve(now)
        return decision._replace(end=self._stalls >= 2 or self._halvings >= MAX_HALVINGS)

    def on_plateau(self, now: Progress) -> Decision:
        return Decision(now.learning_rate)

    def on_divergence(self, now: Progress) -> Decision:
        if self._halvings >= MAX_HALVINGS:
            return Decision(now.learning_rate, end=True)
        self._steps = 0
        return self._halve(now)

    def _halve(self, now: Progress) -> Decision:
        self._halvings += 1
        return Decision(now.learning_rate / 2.0, go_back=True)


SCHEDULES: dict[str, type[Schedule]] = {
    "constant": Schedule,
    "invscaling": InverseScaling,
    "adaptive": Adaptive,
    "newbob": Newbob,
}


def schedules_of(solver: str) -> tuple[str, ...]:
    """Names of the schedules that go with a solver."""
    return tuple(name for name, schedule in SCHEDULES.items() if solver in schedule.solvers)
