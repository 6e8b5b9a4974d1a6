"""Cost of each training option relative to plain training, in float32 on one thread.

The network is 784-256-10 with batch size 128. Plain training uses SGD with momentum and logistic
units, without a penalty. The tables contain options of a trainer, per epoch; options of
DNNClassifier, for fits of several epochs; and the losses for regression with a network 784-256-1.
The jobs of a table take turns in one process, in a new random order in each round. Times are
medians over the rounds. Work done once per epoch matters less for more rows, and work done once
per fit, such as input standardisation, matters less for more epochs.
"""

from __future__ import annotations

import argparse
import functools
import statistics
import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from dnncore import DNNClassifier, Network, show_config
from dnncore.training import SGD, Adam, Trainer

FEATURES, HIDDEN, CLASSES, BATCH = 784, 256, 10, 128
STEPS = 40  # per epoch
EPOCHS = 5  # per fit
RATE = 0.01
PLAIN = SGD(RATE, nesterov=False)

Jobs = dict[str, Callable[[], object]]


@functools.cache
def data() -> tuple[Any, Any]:
    """Return standardised rows and labels, the same arrays for all jobs."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((STEPS * BATCH, FEATURES), np.float32)
    return X, rng.integers(0, CLASSES, len(X))


def epoch(
    y: Any,
    solver: SGD | Adam = PLAIN,
    *,
    outputs: int = CLASSES,
    sample_weight: Any = None,
    activation: str = "logistic",
    output: str = "softmax",
    **settings: Any,
) -> Callable[[], object]:
    """Return a job that runs an epoch of a new trainer."""
    X, _ = data()
    network = Network(
        (FEATURES, HIDDEN, outputs), dtype="float32", seed=0, activation=activation, output=output
    )
    options: dict[str, Any] = {"alpha": 0.0, "shuffle": False, **settings}
    trainer = Trainer(network, solver, batch_size=BATCH, n_threads=1, **options)
    return lambda: trainer.run_epoch(X, y, sample_weight)


def trainer_jobs() -> Jobs:
    _, y = data()
    weight = np.random.default_rng(1).uniform(0.5, 1.5, len(y)).astype(np.float32)
    smoothed = (0.9 * np.eye(CLASSES)[y] + 0.1 / CLASSES).astype(np.float32)
    return {
        "plain": epoch(y),
        "shuffle": epoch(y, shuffle=True),
        "sample_weight": epoch(y, sample_weight=weight),
        "L2 penalty": epoch(y, alpha=1e-4),
        "Nesterov": epoch(y, SGD(RATE)),
        "Adam": epoch(y, Adam()),
        "tanh": epoch(y, activation="tanh"),
        "relu": epoch(y, activation="relu"),
        "selu": epoch(y, activation="selu"),
        "gelu": epoch(y, activation="gelu"),
        "soft labels (label smoothing)": epoch(smoothed),
        "multi-label (logistic outputs)": epoch(smoothed, output="logistic"),
        "dropout 0.5": epoch(y, dropout=0.5),
    }


def classifier_jobs() -> Jobs:
    X, y = data()
    held_out = {"X_val": X[: len(X) // 10], "y_val": y[: len(X) // 10]}

    def fit(arguments: dict[str, Any] | None = None, **settings: Any) -> Callable[[], object]:
        # The settings of the trainer's plain epoch, without early termination.
        model = DNNClassifier(
            (HIDDEN,), solver="sgd", learning_rate_init=RATE, nesterovs_momentum=False, alpha=0.0,
            batch_size=BATCH, max_iter=EPOCHS, n_iter_no_change=EPOCHS, shuffle=False, norm=False,
            early_stopping=False, random_state=0, n_threads=1,
        ).set_params(**settings)  # fmt: skip
        return lambda: model.fit(X, y, **(arguments or {}))

    return {
        "plain": fit(),
        "norm": fit(norm=True),
        "class_weight='balanced'": fit(class_weight="balanced"),
        "label_smoothing=0.1": fit(label_smoothing=0.1),
        "callback": fit(callback=lambda info: False),
        "validation set (10% of the rows)": fit(held_out),
        "validation set, scoring='neg_log_loss'": fit(held_out, scoring="neg_log_loss"),
        "validation set, early_stopping=True": fit(held_out, early_stopping=True),
    }


def regression_jobs() -> Jobs:
    y = np.random.default_rng(2).standard_normal(STEPS * BATCH, np.float32)
    regression: dict[str, Any] = {"outputs": 1, "output": "identity"}
    return {
        "squared_error": epoch(y, **regression),
        "huber": epoch(y, loss="huber", **regression),
    }


def medians(jobs: Jobs, rounds: int) -> dict[str, float]:
    """Return the median time of each job in seconds."""
    times: dict[str, list[float]] = {name: [] for name in jobs}
    rng = np.random.default_rng(0)
    for _ in range(rounds + 1):  # the first round is a warm-up
        for name in rng.permutation(list(jobs)):  # after-effects of a job affect all others alike
            start = time.perf_counter()
            jobs[name]()
            times[name].append(time.perf_counter() - start)
    return {name: statistics.median(seconds[1:]) for name, seconds in times.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)
    print(f"instruction set {show_config('dicts')['cpu']['selected']}\n")
    for title, jobs, steps in (
        ("Trainer, 1 epoch", trainer_jobs(), STEPS),
        (f"DNNClassifier, {EPOCHS} epochs", classifier_jobs(), STEPS * EPOCHS),
        ("Trainer, 784-256-1, 1 epoch", regression_jobs(), STEPS),
    ):
        seconds = medians(jobs, arguments.rounds)
        plain = next(iter(seconds.values()))
        print(f"| {title} of {STEPS} steps | us per step | relative to {next(iter(jobs))} |")
        print("| :-- | --: | --: |")
        for name, value in seconds.items():
            print(f"| {name} | {value / steps * 1e6:,.0f} | {value / plain:.2f} |")
        print(flush=True)


if __name__ == "__main__":
    main()
