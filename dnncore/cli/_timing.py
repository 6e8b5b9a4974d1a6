"""Interleaved timings of training steps, scoring and BLAS."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import chain, pairwise
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from ..network import Network
from ..training import Trainer

ROUNDS = 5
GEMM_SIZE = 1024
MAX_STEPS = 64  # in a timed epoch
SCORED_ROWS = 4096
MAX_VALUES = 1 << 24  # elements of X

Task = Callable[[float], list[float]]  # measures for a given number of seconds


class Measured(NamedTuple):
    median: float
    lowest: float
    highest: float

    @classmethod
    def of(cls, values: Iterable[float]) -> Measured:
        values = sorted(values)
        return cls(statistics.median(values), values[0], values[-1])


@dataclass(frozen=True)
class ThreadSpeeds:
    """Measurements with a given number of threads."""

    step_us: Measured
    training_rows_per_second: float
    scoring_rows_per_second: Measured
    gemm_gflops: float
    gemm_share: float


@dataclass(frozen=True)
class Speeds:
    """All measurements: by number of threads, and the latency of one row in microseconds."""

    by_threads: dict[int, ThreadSpeeds]
    one_row_us: dict[str, float]
    rounds: int


def measure(network: Network, batch_size: int, seconds: float) -> Speeds:
    """Measure a network with one thread and with dnncore's default number; its weights change."""
    threads = sorted({1, _trainer(network, batch_size).n_threads})
    tasks: dict[Any, Task] = {}
    for n in threads:
        tasks["gemm", n] = _gemm(network.dtype, n)
        tasks["train", n] = _training(network, batch_size, n)
        tasks["score", n] = _scoring(network, n)
    tasks["one"] = _one_row(network)
    rounds = _in_turns(tasks, seconds)
    flop = _flop_per_row(network) * batch_size
    by_threads = {}
    for n in threads:
        step, gemm = Measured.of(_medians(rounds["train", n])), max(chain(*rounds["gemm", n]))
        by_threads[n] = ThreadSpeeds(
            step_us=Measured(*(1e6 * value for value in step)),
            training_rows_per_second=batch_size / step.median,
            scoring_rows_per_second=Measured.of(_medians(rounds["score", n])),
            gemm_gflops=gemm,
            gemm_share=flop / step.median / (1e9 * gemm),
        )
    return Speeds(by_threads, _percentiles(list(chain(*rounds["one"]))), ROUNDS)


def _in_turns(tasks: dict[Any, Task], seconds: float) -> dict[Any, list[list[float]]]:
    """Run the tasks in turns; return the measurements of each, by round."""
    for task in tasks.values():
        task(0.0)  # warm up
    share = seconds / (ROUNDS * len(tasks))
    rounds: dict[Any, list[list[float]]] = {name: [] for name in tasks}
    for _ in range(ROUNDS):
        for name, task in tasks.items():
            rounds[name].append(task(share))
    return rounds


def _medians(rounds: list[list[float]]) -> list[float]:
    return [statistics.median(values) for values in rounds]


def _flop_per_row(network: Network) -> int:
    """Return the operations of a training step's matrix products, without the input gradient."""
    sizes = network.layer_sizes
    weights = [k * m for k, m in pairwise(sizes)]
    return 6 * sum(weights) - 2 * weights[0]


def _percentiles(times: list[float]) -> dict[str, float]:
    p50, p99 = np.percentile(times, (50, 99))
    return {"p50": 1e6 * float(p50), "p99": 1e6 * float(p99), "calls": len(times)}


def _repeat(action: Callable[[], object], seconds: float) -> list[float]:
    """Return the duration of each call in seconds; at least one call, until the time is up."""
    clock = time.perf_counter
    times: list[float] = []
    end = clock() + seconds
    while not times or clock() < end:
        start = clock()
        action()
        times.append(clock() - start)
    return times


def _random_rows(network: Network, n: int) -> NDArray[Any]:
    n_features = network.n_features
    n = max(1, min(n, MAX_VALUES // n_features))
    return (
        np.random.default_rng(0).standard_normal((n, n_features), np.float32).astype(network.dtype)
    )


def _labels(network: Network, n: int) -> NDArray[Any]:
    random, n_outputs = np.random.default_rng(1), network.layer_sizes[-1]
    if network.output == "softmax":
        return random.integers(n_outputs, size=n)
    if network.output == "logistic":
        return random.integers(2, size=(n, n_outputs)).astype(network.dtype)
    if network.output == "exp":
        return random.poisson(1.0, size=(n, n_outputs)).astype(network.dtype)
    return random.standard_normal((n, n_outputs)).astype(network.dtype)


def _trainer(network: Network, batch_size: int, threads: int | None = None) -> Trainer:
    levels = np.linspace(0.0, 1.0, network.layer_sizes[-1] + 2)[1:-1]  # used by quantiles only
    return Trainer(
        network, seed=0, batch_size=batch_size, n_threads=threads, quantiles=levels.tolist()
    )


def _training(network: Network, batch_size: int, threads: int) -> Task:
    """Seconds per step, averaged over an epoch."""
    trainer = _trainer(network, batch_size, threads)
    X = np.resize(_random_rows(network, batch_size), (batch_size, network.n_features))
    y = _labels(network, batch_size)
    trainer.run_epoch(X, y)
    (step,) = _repeat(lambda: trainer.run_epoch(X, y), 0.0)
    # An epoch of about 50 ms, so that the overhead per epoch is negligible.
    steps = max(1, min(MAX_STEPS, MAX_VALUES // X.size, int(0.05 / step)))
    rows, labels = np.tile(X, (steps, 1)), np.concatenate([y] * steps)
    return lambda seconds: [
        t / steps for t in _repeat(lambda: trainer.run_epoch(rows, labels), seconds)
    ]


def _scoring(network: Network, threads: int) -> Task:
    """Rows per second."""
    X = _random_rows(network, SCORED_ROWS)
    return lambda seconds: [
        len(X) / t
        for t in _repeat(lambda: network.decision_function(X, n_threads=threads), seconds)
    ]


def _one_row(network: Network) -> Task:
    """Seconds per call for one row."""
    predictor, x = network.freeze(), _random_rows(network, 1)[0]
    return lambda seconds: _repeat(lambda: predictor(x), seconds)


def _gemm(dtype: np.dtype[Any], threads: int) -> Task:
    """GFLOP/s of a square matrix product with NumPy's BLAS."""
    A = np.random.default_rng(0).standard_normal((GEMM_SIZE, GEMM_SIZE)).astype(dtype)
    C = np.empty_like(A)

    def task(seconds: float) -> list[float]:
        with threadpool_limits(threads, user_api="blas"):
            times = _repeat(lambda: np.matmul(A, A, out=C), seconds)
        return [2e-9 * GEMM_SIZE**3 / t for t in times]

    return task
