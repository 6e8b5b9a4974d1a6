"""L-BFGS from SciPy, on the loss of all rows at once."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._core.checks import Matrix
from .._core.labels import Labels
from .._core.threads import single_threaded_blas
from .loop import warn_of_divergence
from .monitor import Monitor
from .optimizer import Optimizer
from .solvers import LBFGS

MAX_ELEMENTS = 2**20  # of the activations of a block of rows


def fit_lbfgs(
    optimizer: Optimizer, solver: LBFGS, X: Matrix, labels: Labels, monitor: Monitor
) -> str:
    """Train on all rows; return how training ended, as :meth:`dnncore.training.Trainer.fit` does.

    One iteration counts as one epoch.
    """
    from scipy.optimize import minimize

    network, settings = optimizer.network, monitor.settings
    epoch, ended = 0, "converged"
    limits: Any = {"maxiter": settings.max_iter, "maxfun": solver.max_fun, "gtol": settings.tol}
    accepted = network.parameters.copy()

    def evaluate(w: NDArray[np.float64]) -> Any:
        network.parameters[...] = w
        with single_threaded_blas():
            return loss_and_gradient(optimizer, X, labels)

    def after_iteration(intermediate_result: Any) -> None:
        nonlocal epoch, ended
        if not math.isfinite(intermediate_result.fun):
            raise StopIteration
        epoch += 1
        network.parameters[...] = accepted[...] = intermediate_result.x
        loss = float(intermediate_result.fun)
        found = monitor.record(loss, X.shape[0])
        if monitor.callback_ends(epoch, loss, found, optimizer.learning_rate):
            ended = "stopped"
        elif monitor.time_is_up:
            ended = "max_time"
        elif not (settings.early_stopping and monitor.patience_is_exhausted):
            return
        raise StopIteration

    try:
        result = minimize(
            evaluate, network.parameters.astype(np.float64), method="L-BFGS-B", jac=True,
            callback=after_iteration, options=limits,
        )  # fmt: skip
    finally:
        network.parameters[...] = accepted
    if not math.isfinite(result.fun):
        scaled = network.mean_ is not None or network.embedding is not None
        warn_of_divergence(epoch + 1, None, scaled=scaled)
        return "diverged"
    if epoch == 0:  # There was nothing to improve, which also counts as an epoch.
        monitor.record(float(result.fun), X.shape[0])
    if ended == "converged" and result.status == 1:
        return "max_iter" if result.nit >= settings.max_iter else "max_fun"
    return ended


def loss_and_gradient(
    optimizer: Optimizer, X: Matrix, labels: Labels
) -> tuple[float, NDArray[np.float64]]:
    """Compute loss and gradient of all rows, block by block to limit memory."""
    network = optimizer.network
    rows = max(1, MAX_ELEMENTS // sum(network.layer_sizes))
    blocks = [slice(start, start + rows) for start in range(0, X.shape[0], rows)]
    parts = [labels.take(block) for block in blocks]
    total = sum(part.total for part in parts)
    decay = optimizer.alpha / total
    gradient = np.zeros(network.n_parameters)
    for W, dW in zip(network.coefs_, network.views(gradient)[0], strict=True):
        dW[...] = decay * W
    loss = network.penalty(decay)
    for block, part in zip(blocks, parts, strict=True):
        if part.total > 0.0:
            found = network.back_propagate(
                X if len(blocks) == 1 else X[block], part, alpha=0.0, **optimizer._loss_options
            )
            share = part.total / total
            loss += share * found.loss
            gradient += share * found.flat
    return loss, gradient
