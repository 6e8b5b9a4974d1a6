"""JAX: the epoch is a single compiled scan, with donated parameter buffers."""

import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from _problems import BETA_1, BETA_2, EPSILON, MOMENTUM, Problem, Scoring, Training
from numpy.typing import NDArray

Parameters = list[tuple[jax.Array, jax.Array]]


def train(problem: Training) -> Callable[[], float]:
    parameters = _parameters(problem)
    zeros, update = UPDATES[problem.solver](problem)
    state = zeros(parameters)
    X, y = problem.data()
    X = jnp.asarray(X.reshape(problem.steps, problem.batch_size, -1))
    y = jnp.asarray(y.astype(np.int32).reshape(problem.steps, problem.batch_size))

    def loss_of(parameters: Parameters, x: jax.Array, label: jax.Array) -> jax.Array:
        log_p = jax.nn.log_softmax(_logits(parameters, x))
        return -jnp.take_along_axis(log_p, label[:, None], axis=1).mean()

    def step(carry: Any, batch: Any) -> tuple[Any, jax.Array]:
        parameters, state = carry
        loss, gradient = jax.value_and_grad(loss_of)(parameters, *batch)
        return update(parameters, state, gradient), loss

    def scan(parameters: Parameters, state: Any, X: jax.Array, y: jax.Array) -> Any:
        (parameters, state), losses = jax.lax.scan(step, (parameters, state), (X, y))
        return parameters, state, losses.mean()

    scan = jax.jit(scan, donate_argnums=(0, 1))

    def epoch() -> float:
        nonlocal parameters, state
        parameters, state, loss = scan(parameters, state, X, y)
        jax.block_until_ready((parameters, state))
        return float(loss)

    return epoch


def _momentum(problem: Training) -> tuple[Callable, Callable]:
    def zeros(parameters: Parameters) -> Parameters:
        return jax.tree.map(jnp.zeros_like, parameters)

    def update(parameters: Parameters, velocity: Parameters, gradient: Parameters) -> Any:
        velocity = jax.tree.map(
            lambda v, g: MOMENTUM * v - problem.learning_rate * g, velocity, gradient
        )
        return jax.tree.map(jnp.add, parameters, velocity), velocity

    return zeros, update


def _adam(problem: Training) -> tuple[Callable, Callable]:
    def zeros(parameters: Parameters) -> Any:
        return jnp.zeros((), problem.dtype), *(
            jax.tree.map(jnp.zeros_like, parameters) for _ in range(2)
        )

    def update(parameters: Parameters, state: Any, gradient: Parameters) -> Any:
        t, m, v = state
        t = t + 1
        m = jax.tree.map(lambda m, g: BETA_1 * m + (1 - BETA_1) * g, m, gradient)
        v = jax.tree.map(lambda v, g: BETA_2 * v + (1 - BETA_2) * g * g, v, gradient)
        # 1 - beta^t, without cancellation in float32.
        correction_1, correction_2 = (-jnp.expm1(t * math.log(b)) for b in (BETA_1, BETA_2))
        rate = problem.learning_rate * jnp.sqrt(correction_2) / correction_1
        parameters = jax.tree.map(
            lambda w, m, v: w - rate * m / (jnp.sqrt(v) + EPSILON), parameters, m, v
        )
        return parameters, (t, m, v)

    return zeros, update


UPDATES = {"momentum": _momentum, "adam": _adam}


def score(problem: Scoring) -> Callable[[NDArray], NDArray]:
    parameters = _parameters(problem)
    predict_proba = jax.jit(lambda x: jax.nn.softmax(_logits(parameters, x)))
    return lambda X: np.asarray(predict_proba(X))


def _parameters(problem: Problem) -> Parameters:
    if problem.dtype == "float64":
        jax.config.update("jax_enable_x64", True)
    return [(jnp.asarray(W), jnp.asarray(b)) for W, b in zip(*problem.weights(), strict=True)]


def _logits(parameters: Parameters, x: jax.Array) -> jax.Array:
    *hidden, (W_last, b_last) = parameters
    for W, b in hidden:
        x = jax.nn.sigmoid(x @ W + b)
    return x @ W_last + b_last
