"""NumPy, carefully written: no arrays are allocated in the loop, and all updates are in place.

In float64, this is also the reference for the training losses.
"""

from collections.abc import Callable

import numpy as np
from _problems import BETA_1, BETA_2, EPSILON, MOMENTUM, Problem, Scoring, Training
from numpy.typing import NDArray


class Layers:
    """Parameters in a flat vector, and the buffers of a forward pass over n rows."""

    def __init__(self, problem: Problem, n: int) -> None:
        coefs, intercepts = problem.weights()
        self.parameters = np.concatenate(
            [x.ravel() for pair in zip(coefs, intercepts, strict=True) for x in pair]
        )
        self.shapes = [W.shape for W in coefs]
        self.W, self.b = self.views(self.parameters)
        self.a = [np.empty((n, m), problem.dtype) for _, m in self.shapes]
        self.peak = np.empty((n, 1), problem.dtype)
        self.total = np.empty((n, 1), problem.dtype)

    def views(self, flat: NDArray) -> tuple[list[NDArray], list[NDArray]]:
        coefs, intercepts, start = [], [], 0
        for k, m in self.shapes:
            coefs.append(flat[start : start + k * m].reshape(k, m))
            intercepts.append(flat[start + k * m : start + (k + 1) * m])
            start += (k + 1) * m
        return coefs, intercepts

    def logits(self, x: NDArray) -> NDArray:
        for W, b, a in zip(self.W, self.b, self.a, strict=True):
            np.dot(x, W, out=a)
            np.add(a, b, out=a)
            if a is not self.a[-1]:
                sigmoid(a)
            x = a
        return x

    def exp_and_total(self, z: NDArray) -> None:
        """Replace shifted logits z by exp(z), and compute the row sums."""
        np.exp(z, out=z)
        np.add.reduce(z, axis=1, keepdims=True, out=self.total)

    def subtract_peak(self, z: NDArray) -> None:
        np.maximum.reduce(z, axis=1, keepdims=True, out=self.peak)
        np.subtract(z, self.peak, out=z)


def sigmoid(z: NDArray) -> None:
    # (1 + tanh(z / 2)) / 2 needs the same number of passes as 1 / (1 + exp(-z)), and cannot
    # overflow.
    np.multiply(z, 0.5, out=z)
    np.tanh(z, out=z)
    np.multiply(z, 0.5, out=z)
    np.add(z, 0.5, out=z)


def train(problem: Training) -> Callable[[], float]:
    X, y = problem.data()
    n = problem.batch_size
    layers = Layers(problem, n)
    gradient = np.empty_like(layers.parameters)
    dW, db = layers.views(gradient)
    deltas = [np.empty_like(a) for a in layers.a[:-1]]
    complements = [np.empty_like(a) for a in layers.a[:-1]]
    row = np.arange(n)
    ones = np.ones(n, X.dtype)  # BLAS sums columns faster than add.reduce
    update, factor = UPDATES[problem.solver](layers.parameters, gradient, problem)
    factor = X.dtype.type(factor / n)

    def step(x: NDArray, label: NDArray) -> float:
        z = layers.logits(x)
        layers.subtract_peak(z)
        labelled = z[row, label]
        layers.exp_and_total(z)
        loss = float(np.log(layers.total).sum() - labelled.sum()) / n
        # dz = (softmax - one-hot) * factor
        np.divide(factor, layers.total, out=layers.total)
        np.multiply(z, layers.total, out=z)
        z[row, label] -= factor
        for layer in range(len(dW) - 1, 0, -1):
            a = layers.a[layer - 1]
            np.dot(a.T, z, out=dW[layer])
            np.dot(ones, z, out=db[layer])
            da, complement = deltas[layer - 1], complements[layer - 1]
            np.dot(z, layers.W[layer].T, out=da)
            np.subtract(1, a, out=complement)
            np.multiply(da, complement, out=da)
            np.multiply(da, a, out=da)
            z = da
        np.dot(x.T, z, out=dW[0])
        np.dot(ones, z, out=db[0])
        update()
        return loss

    def epoch() -> float:
        total = 0.0
        for start in range(0, len(X), n):
            total += step(X[start : start + n], y[start : start + n])
        return total / problem.steps

    return epoch


def _momentum(
    parameters: NDArray, gradient: NDArray, problem: Training
) -> tuple[Callable[[], None], float]:
    velocity = np.zeros_like(parameters)

    def update() -> None:
        np.multiply(velocity, MOMENTUM, out=velocity)
        np.subtract(velocity, gradient, out=velocity)
        np.add(parameters, velocity, out=parameters)

    # The deltas of the logits include the learning rate, which saves a pass over the gradient.
    return update, problem.learning_rate


def _adam(
    parameters: NDArray, gradient: NDArray, problem: Training
) -> tuple[Callable[[], None], float]:
    m, v = np.zeros_like(parameters), np.zeros_like(parameters)
    work = np.empty_like(parameters)
    steps = 0

    def update() -> None:
        nonlocal steps
        steps += 1
        rate = problem.learning_rate * np.sqrt(1 - BETA_2**steps) / (1 - BETA_1**steps)
        np.multiply(m, BETA_1, out=m)
        np.multiply(gradient, 1 - BETA_1, out=work)
        np.add(m, work, out=m)
        np.multiply(v, BETA_2, out=v)
        np.multiply(gradient, gradient, out=gradient)
        np.multiply(gradient, 1 - BETA_2, out=gradient)
        np.add(v, gradient, out=v)
        np.sqrt(v, out=work)
        np.add(work, EPSILON, out=work)
        np.divide(m, work, out=work)
        np.multiply(work, float(rate), out=work)
        np.subtract(parameters, work, out=parameters)

    return update, 1.0


UPDATES = {"momentum": _momentum, "adam": _adam}


def score(problem: Scoring) -> Callable[[NDArray], NDArray]:
    layers = Layers(problem, problem.n_rows)

    def predict_proba(X: NDArray) -> NDArray:
        z = layers.logits(X)
        layers.subtract_peak(z)
        layers.exp_and_total(z)
        return z / layers.total

    return predict_proba
