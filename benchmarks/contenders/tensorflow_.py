"""TensorFlow: the epoch is a single tf.function, with and without XLA.

A tf.function per step takes up to eight times as long for the smallest network. Parameters are
updated by the fused kernels of the optimizers.
"""

import itertools
import math
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import tensorflow as tf
from _problems import BETA_1, BETA_2, EPSILON, MOMENTUM, Training

Update = Callable[[list[Any], Any], None]


def train(problem: Training) -> Callable[[], float]:
    return _epochs(problem, xla=False)


def train_xla(problem: Training) -> Callable[[], float]:
    return _epochs(problem, xla=True)


def _epochs(problem: Training, *, xla: bool) -> Callable[[], float]:
    tf.config.threading.set_intra_op_parallelism_threads(problem.threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    coefs, intercepts = problem.weights()
    parameters = [tf.Variable(x) for pair in zip(coefs, intercepts, strict=True) for x in pair]
    update, rates = UPDATES[problem.solver](parameters, problem)
    X, y = problem.data()
    X = tf.constant(X.reshape(problem.steps, problem.batch_size, -1))
    y = tf.constant(y.astype(np.int32).reshape(problem.steps, problem.batch_size))

    def step(x: tf.Tensor, label: tf.Tensor, rate: tf.Tensor) -> tf.Tensor:
        with tf.GradientTape() as tape:
            for W, b in zip(parameters[:-2:2], parameters[1:-2:2], strict=True):
                x = tf.sigmoid(tf.matmul(x, W) + b)
            z = tf.matmul(x, parameters[-2]) + parameters[-1]
            loss = tf.reduce_mean(
                tf.nn.sparse_softmax_cross_entropy_with_logits(labels=label, logits=z)
            )
        update(tape.gradient(loss, parameters), rate)
        return loss

    @tf.function(jit_compile=xla)
    def steps(X: tf.Tensor, y: tf.Tensor, rates: tf.Tensor) -> tf.Tensor:
        total = tf.zeros((), X.dtype)
        for i in tf.range(problem.steps):
            total += step(X[i], y[i], rates[i])
        return total / problem.steps

    def epoch() -> float:
        next_rates = list(itertools.islice(rates, problem.steps))
        return float(steps(X, y, tf.constant(next_rates, X.dtype)))

    return epoch


def _momentum(parameters: list[Any], problem: Training) -> tuple[Update, Iterator[float]]:
    velocity = [tf.Variable(tf.zeros_like(w)) for w in parameters]

    def update(gradient: list[Any], rate: Any) -> None:
        for w, v, g in zip(parameters, velocity, gradient, strict=True):
            # The form of Keras: v = momentum * v - rate * g, w = w + v.
            tf.raw_ops.ResourceApplyKerasMomentum(
                var=w.handle,
                accum=v.handle,
                lr=rate,
                grad=g,
                momentum=tf.constant(MOMENTUM, g.dtype),
            )

    return update, itertools.repeat(problem.learning_rate)


def _adam(parameters: list[Any], problem: Training) -> tuple[Update, Iterator[float]]:
    state = [(tf.Variable(tf.zeros_like(w)), tf.Variable(tf.zeros_like(w))) for w in parameters]

    def update(gradient: list[Any], rate: Any) -> None:
        for w, (m, v), g in zip(parameters, state, gradient, strict=True):
            zero, beta_1, beta_2, epsilon = (
                tf.constant(x, g.dtype) for x in (0, BETA_1, BETA_2, EPSILON)
            )
            # The rate is already corrected for the bias, in float64.
            tf.raw_ops.ResourceApplyAdam(
                var=w.handle, m=m.handle, v=v.handle, lr=rate, grad=g,
                beta1_power=zero, beta2_power=zero, beta1=beta_1, beta2=beta_2, epsilon=epsilon,
            )  # fmt: skip

    rates = (
        problem.learning_rate * math.sqrt(1 - BETA_2**t) / (1 - BETA_1**t)
        for t in itertools.count(1)
    )
    return update, rates


UPDATES = {"momentum": _momentum, "adam": _adam}
