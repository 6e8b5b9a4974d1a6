"""L-BFGS on the loss of all rows at once (Liu and Nocedal 1989)."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._core.csrc import sum_squares
from ..network import Network
from .gradients import GradientSums
from .line_search import search
from .loop import warn_of_divergence
from .monitor import Monitor
from .optimizer import Optimizer
from .solvers import LBFGS, MAX_PAIRS

LEAST_DECREASE = 1e7 * np.finfo(np.float64).eps  # of the loss, relative; with less, it ends
Vector = NDArray[Any]
Sums = Callable[[Vector], GradientSums]


def fit_lbfgs(optimizer: Optimizer, solver: LBFGS, sums: Sums, monitor: Monitor) -> str:
    """Train on all rows; return how training ended, as :meth:`dnncore.training.Trainer.fit` does.

    `sums` is the function of the parameters that gives the sums over these rows. One iteration
    counts as one epoch.
    """
    settings = monitor.settings
    objective = Objective(optimizer, sums)
    pairs = optimizer._state
    epoch = done = 0 if settings.resumed is None else settings.resumed.epoch
    try:
        if not objective.accept():
            return _diverged(optimizer, 1)
        if settings.resumed is not None:
            objective.n_evaluations = settings.resumed.n_evaluations
        for epoch in range(done + 1, settings.max_iter + 1):
            if objective.largest_slope <= settings.tol:
                break
            before = objective.loss
            if not _iterate(objective, pairs):
                break
            found = monitor.record(objective.loss, objective.n_rows)
            if monitor.callback_ends(epoch, objective.loss, found, optimizer.learning_rate):
                return "stopped"
            if monitor.time_is_up:
                return "max_time"
            if settings.early_stopping and monitor.patience_is_exhausted:
                return "converged"
            if epoch == settings.max_iter:
                return "max_iter"
            if objective.n_evaluations > solver.max_fun:
                return "max_fun"
            scale = max(abs(before), abs(objective.loss), 1.0)
            if before - objective.loss <= LEAST_DECREASE * scale:
                return "converged"
            monitor.offer_checkpoint(epoch, n_evaluations=objective.n_evaluations)
        else:  # it goes on from the last epoch
            return "max_iter"
        if epoch == 1:  # There was nothing to improve, which also counts as an epoch.
            monitor.record(objective.loss, objective.n_rows)
        return "converged"
    finally:
        objective.go_back()


def _diverged(optimizer: Optimizer, epoch: int) -> str:
    network = optimizer.network
    scaled = network.mean_ is not None or network.embedding is not None
    warn_of_divergence(epoch, None, scaled=scaled)
    return "diverged"


def _iterate(objective: Objective, pairs: list[Vector]) -> bool:
    """Take a step; return whether there is one that lowers the loss enough.

    `pairs` are the last steps, each followed by the change of the gradient, the oldest first.
    """
    while True:
        gradient = objective.gradient
        direction = _direction(gradient, pairs)
        slope = _dot(gradient, direction)
        if -math.inf < slope < 0.0:
            first = 1.0 if pairs else 1.0 / math.sqrt(-slope)  # a step of length 1
            if search(objective.along(direction), objective.loss, slope, first):
                break
        if not pairs:
            objective.go_back()
            return False
        pairs.clear()  # the curvature may be that of other rows, or of rounding errors
    step, change = objective.accept_trial()
    if _dot(step, change) > -np.finfo(np.float64).eps * _dot(step, gradient):
        pairs += [step, change]
        del pairs[: -2 * MAX_PAIRS]
    return True


def _direction(gradient: Vector, pairs: list[Vector]) -> Vector:
    """Return minus the gradient times the inverse Hessian that the pairs tell of."""
    d = -gradient
    known = [(s, y, _dot(s, y)) for s, y in zip(pairs[::2], pairs[1::2], strict=True)]
    known = [pair for pair in known if pair[2] > 0.0]  # a file may say otherwise
    shares = []
    for s, y, curvature in reversed(known):
        shares.append(_dot(s, d) / curvature)
        d -= shares[-1] * y
    if known:
        _, y, curvature = known[-1]
        d *= curvature / _dot(y, y)
    for s, y, curvature in known:
        d += (shares.pop() - _dot(y, d) / curvature) * s
    return d


def _dot(a: Vector, b: Vector) -> float:
    """Return the scalar product in double, not by BLAS, whose threads do not survive a fork."""
    with np.errstate(over="ignore", invalid="ignore"):
        return float(np.sum(np.multiply(a, b, dtype=np.float64)))


class Objective:
    """Loss and gradient of all rows as a function of the parameters.

    Parameters
    ----------
    optimizer : Optimizer
        Optimizer with the network and the penalty.
    sums : callable
        Function of the parameters that gives the sums over the rows.

    Attributes
    ----------
    parameters : array of shape (n_parameters,)
        The parameters that were last accepted.
    loss : float
        Their loss.
    gradient : float64 array of shape (n_parameters,)
        Its gradient.
    n_evaluations, n_rows : int
        Number of evaluations, and of rows.
    """

    def __init__(self, optimizer: Optimizer, sums: Sums) -> None:
        network = self._network = optimizer.network
        self._alpha, self._sums = optimizer.alpha, sums
        self.n_evaluations = self.n_rows = 0
        self.parameters = network.parameters.copy()
        self.loss, self.gradient = math.nan, np.zeros(network.n_parameters)
        self._trial = self.parameters, self.loss, self.gradient

    def accept(self) -> bool:
        """Evaluate the present parameters; return whether loss and gradient are finite."""
        self.loss, self.gradient = self._evaluate(self.parameters)
        return math.isfinite(self.loss) and math.isfinite(_dot(self.gradient, self.gradient))

    @property
    def largest_slope(self) -> float:
        return float(np.abs(self.gradient).max())

    def along(self, direction: Vector) -> Any:
        """Return the function of a step along a direction that gives loss and slope.

        It leaves the parameters of the step in the network.
        """

        def at(step: float) -> tuple[float, float]:
            with np.errstate(over="ignore", invalid="ignore"):
                trial = (self.parameters + step * direction).astype(self.parameters.dtype)
                self._trial = trial, *self._evaluate(trial)
                return self._trial[1], _dot(self._trial[2], direction)

        return at

    def accept_trial(self) -> tuple[Vector, Vector]:
        """Accept the parameters that were evaluated last.

        Returns the changes of the parameters and of the gradient, in the dtype of the network.
        """
        parameters, loss, gradient = self._trial
        step = parameters - self.parameters
        change = (gradient - self.gradient).astype(step.dtype)
        self.parameters, self.loss, self.gradient = parameters, loss, gradient
        return step, change

    def go_back(self) -> None:
        """Let the network have the accepted parameters."""
        self._network.parameters[...] = self.parameters

    def _evaluate(self, parameters: Vector) -> tuple[float, Vector]:
        self.n_evaluations += 1
        sums = self._sums(parameters)
        self.n_rows = sums.n_rows
        self._network.parameters[...] = parameters
        return mean_and_penalty(self._network, sums, self._alpha)


def mean_and_penalty(network: Network, sums: GradientSums, alpha: float) -> tuple[float, Vector]:
    """Return the mean loss and its gradient, with the L2 penalty of the present parameters."""
    loss, gradient = sums.loss / sums.weight, sums.gradient / sums.weight
    decay = alpha / sums.weight
    for W, dW in zip(network.coefs_, network.views(gradient)[0], strict=True):
        dW += decay * W
        loss += 0.5 * decay * sum_squares(W)
    return loss, gradient
