"""Agents and streams: PPO on CartPole compared with stable-baselines3, and learning a dict at a
time compared with models of river. One thread.

An agent makes 100,000 steps with the same hyper-parameters in each library; the task is solved if
the mean return of 100 episodes is at least 475. A row of the stream has 64 numbers and one of 10
classes (2 for logistic regression); the network has 100 hidden units.
"""

from __future__ import annotations

import random
import statistics
import time
from collections.abc import Callable
from typing import Any

from _harness import (
    Options,
    absences,
    markdown_table,
    microseconds,
    parse,
    summary,
    take_turns,
    warn_if_busy,
    write_json,
)
from _worker import resolve
from contenders.agents import CARTPOLE, STREAMS

N_FEATURES, N_CLASSES, N_ROWS = 64, 10, 300
SOLVED = 475.0


# ----------------------------------------------------------------------------- in the workers


def rows_task(maker: str) -> Callable[[int], dict[str, float]]:
    """Return a task that learns and predicts rows one by one, and times each call."""
    model = resolve(maker)()
    n_classes = 2 if maker.endswith("logistic_regression") else N_CLASSES

    def task(seed: int) -> dict[str, float]:
        rng = random.Random(seed)
        learn, predict = [], []
        clock = time.perf_counter_ns
        for _ in range(N_ROWS):
            x = {f"feature {i}": rng.gauss(0.0, 1.0) for i in range(N_FEATURES)}
            y = rng.randrange(n_classes)
            start = clock()
            model.predict_one(x)
            middle = clock()
            model.learn_one(x, y if n_classes > 2 else y == 1)
            predict.append(middle - start)
            learn.append(clock() - middle)
        return {
            "learn": statistics.median(learn) / 1e3,
            "predict": statistics.median(predict) / 1e3,
        }

    return task


# ----------------------------------------------------------------------------- in the parent


def measure(options: Options) -> dict[str, Any]:
    """Return the results of both parts."""
    tasks = {name: (CARTPOLE[name], ()) for name in options.choose(CARTPOLE)}
    seeds = [(seed,) for seed in range(1 if options.quick else 3)]
    agents = take_turns(tasks, seeds, threads=1)
    tasks = {name: ("agents:rows_task", (STREAMS[name],)) for name in options.choose(STREAMS)}
    rounds = [(seed,) for seed in range(1 + options.rounds)]  # the first is a warm-up
    streams = take_turns(tasks, rounds, threads=1)
    return {
        "cartpole": {
            name: {
                "seconds": summary(turn["seconds"] for turn in turns),
                "mean_returns": [turn["mean_return"] for turn in turns],
            }
            for name, turns in agents.results.items()
        },
        "streams": {
            name: {call: summary(turn[call] for turn in turns[1:]) for call in ("learn", "predict")}
            for name, turns in streams.results.items()
        },
        "absent": agents.absent | streams.absent,
    }


# ------------------------------------------------------------------------------------- output


def markdown(results: dict[str, Any]) -> str:
    """Return a table for each part."""
    parts = [
        "### PPO on CartPole, 100,000 steps",
        markdown_table(
            ["", "seconds", "mean return of each seed", "times solved"],
            [
                [
                    name,
                    f"{one['seconds']['median']:.1f}",
                    ", ".join(f"{value:.0f}" for value in one["mean_returns"]),
                    sum(value >= SOLVED for value in one["mean_returns"]),
                ]
                for name, one in results["cartpole"].items()
            ],
        ),
        "### Microseconds per row of a stream",
        markdown_table(
            ["", "learn_one", "predict_one"],
            [
                [name, *(microseconds(one[call]["median"]) for call in ("learn", "predict"))]
                for name, one in results["streams"].items()
            ],
        ),
    ]
    without = absences([("all", results["absent"])])
    if without:
        parts += ["No result:", without]
    return "\n\n".join(parts)


if __name__ == "__main__":
    options, output = parse(__doc__, CARTPOLE | STREAMS)
    warn_if_busy()
    results = measure(options)
    print("\n" + markdown(results))
    if output:
        write_json(output, results)
