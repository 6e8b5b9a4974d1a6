"""Thinc: chained Sigmoid and Softmax layers. float32 only, and no SGD with momentum."""

from collections.abc import Callable

import numpy as np
from _problems import BETA_1, BETA_2, EPSILON, Problem, Scoring, Training
from numpy.typing import NDArray
from thinc.api import Adam, Model, NumpyOps, Sigmoid, Softmax, chain, use_ops

from . import Unavailable


def train(problem: Training) -> Callable[[], float]:
    if problem.solver != "adam":
        raise Unavailable("its SGD has no momentum")
    model = _model(problem)
    optimizer = Adam(
        problem.learning_rate,
        beta1=BETA_1,
        beta2=BETA_2,
        eps=EPSILON,
        grad_clip=0.0,
        L2=0.0,
        use_averages=False,
    )
    X, y = problem.data()
    n = problem.batch_size
    row = np.arange(n)

    def step(x: NDArray, label: NDArray) -> float:
        p, backward = model.begin_update(x)
        loss = -float(np.log(p[row, label]).sum()) / n
        # Thinc's Softmax expects (p - L) / n as the derivative of the loss.
        p[row, label] -= 1
        p /= n
        backward(p)
        model.finish_update(optimizer)
        return loss

    def epoch() -> float:
        losses = [step(X[i : i + n], y[i : i + n]) for i in range(0, len(X), n)]
        return sum(losses) / len(losses)

    return epoch


def score(problem: Scoring) -> Callable[[NDArray], NDArray]:
    return _model(problem).predict


def _model(problem: Problem) -> Model:
    if problem.dtype != "float32":
        raise Unavailable("it computes in float32 only")
    *hidden, n_outputs = problem.layer_sizes[1:]
    with use_ops("numpy"):
        layers = [Sigmoid(size) for size in hidden] + [Softmax(n_outputs)]
        model = chain(*layers) if hidden else layers[0]
        model.initialize(X=problem.rows(1), Y=np.zeros((1, n_outputs), np.float32))
    assert isinstance(model.ops, NumpyOps)
    for layer, W, b in zip(layers, *problem.weights(), strict=True):
        layer.set_param("W", np.ascontiguousarray(W.T))
        layer.set_param("b", b)
    return model
