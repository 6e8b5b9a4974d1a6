"""MLX, on the CPU: the step, with derivatives and update, is compiled. float32 only.

The wheel for Linux contains the reference BLAS, whose products are more than ten times slower than
those of an optimized one. OpenBLAS, loaded first, takes its place.
"""

import ctypes
import math
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
from _problems import BETA_1, BETA_2, EPSILON, MOMENTUM, Training

from . import Unavailable

try:
    ctypes.CDLL("libopenblas.so.0", mode=ctypes.RTLD_GLOBAL)
    optimized_blas = True
except OSError:
    optimized_blas = sys.platform != "linux"

import mlx.core as mx
from mlx.utils import tree_map

Parameters = list[tuple[mx.array, mx.array]]


def train(problem: Training) -> Callable[[], float]:
    if problem.dtype != "float32":
        raise Unavailable("its exp and sigmoid in float64 are only as accurate as in float32")
    if not optimized_blas:
        raise Unavailable("its BLAS is the reference; it needs OpenBLAS")
    mx.set_default_device(mx.cpu)  # not the default on Apple silicon
    parameters = [(mx.array(W), mx.array(b)) for W, b in zip(*problem.weights(), strict=True)]
    zeros, update = UPDATES[problem.solver](problem)
    state = zeros(parameters)
    X, y = problem.data()
    batches = list(
        zip(
            map(mx.array, np.split(X, problem.steps)),
            map(mx.array, np.split(y.astype(np.int32)[:, np.newaxis], problem.steps)),
            strict=True,
        )
    )

    def loss_of(parameters: Parameters, x: mx.array, label: mx.array) -> mx.array:
        z = _logits(parameters, x)
        return (mx.logsumexp(z, axis=1) - mx.take_along_axis(z, label, axis=1)[:, 0]).mean()

    @mx.compile
    def step(parameters: Parameters, state: Any, x: mx.array, label: mx.array) -> Any:
        loss, gradient = mx.value_and_grad(loss_of)(parameters, x, label)
        return *update(parameters, state, gradient), loss

    def epoch() -> float:
        nonlocal parameters, state
        total = mx.zeros(())
        for x, label in batches:
            parameters, state, loss = step(parameters, state, x, label)
            total = total + loss
            mx.eval(parameters, state, total)
        return total.item() / len(batches)

    return epoch


def _logits(parameters: Parameters, x: mx.array) -> mx.array:
    *hidden, (W_last, b_last) = parameters
    for W, b in hidden:
        x = mx.sigmoid(mx.addmm(b, x, W))
    return mx.addmm(b_last, x, W_last)


def _momentum(problem: Training) -> tuple[Callable, Callable]:
    def zeros(parameters: Parameters) -> Parameters:
        return tree_map(mx.zeros_like, parameters)

    def update(parameters: Parameters, velocity: Parameters, gradient: Parameters) -> Any:
        velocity = tree_map(
            lambda v, g: MOMENTUM * v - problem.learning_rate * g, velocity, gradient
        )
        return tree_map(mx.add, parameters, velocity), velocity

    return zeros, update


def _adam(problem: Training) -> tuple[Callable, Callable]:
    def zeros(parameters: Parameters) -> Any:
        return mx.zeros(()), *(tree_map(mx.zeros_like, parameters) for _ in range(2))

    def update(parameters: Parameters, state: Any, gradient: Parameters) -> Any:
        t, m, v = state
        t = t + 1
        m = tree_map(lambda m, g: BETA_1 * m + (1 - BETA_1) * g, m, gradient)
        v = tree_map(lambda v, g: BETA_2 * v + (1 - BETA_2) * g * g, v, gradient)
        # 1 - beta^t, without cancellation in float32.
        correction_1, correction_2 = (-mx.expm1(t * math.log(b)) for b in (BETA_1, BETA_2))
        rate = problem.learning_rate * mx.sqrt(correction_2) / correction_1
        parameters = tree_map(
            lambda w, m, v: w - rate * m / (mx.sqrt(v) + EPSILON), parameters, m, v
        )
        return parameters, (t, m, v)

    return zeros, update


UPDATES = {"momentum": _momentum, "adam": _adam}
