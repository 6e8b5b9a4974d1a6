"""Two versions of dnncore in turns: what a change costs or gains.

    python benchmarks/versions.py --before OTHER_ENVIRONMENT/bin/python

This interpreter has the version after the change installed, the other one that before it. Each
row is a ratio of times, after / before: the median over rounds in which both ran one after the
other, with its extremes, and the ratio of the shortest times.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from _harness import (
    available_cpus,
    count,
    describe_machine,
    markdown_table,
    microseconds,
    option_parser,
    options_of,
    take_turns,
    warn_if_busy,
)
from _problems import Scoring, Training
from train import NETWORKS, n_epochs

ROUNDS = 15
SCORING_SECONDS = 0.3


def fit_task(problem: Training) -> Callable[[], float]:
    """Seconds of a fit of DNNClassifier at its defaults, but for the network and 5 epochs."""
    import warnings

    from dnncore import DNNClassifier

    warnings.simplefilter("ignore")
    X, y = problem.data()
    model = DNNClassifier(
        problem.layer_sizes[1:-1], max_iter=5, batch_size=problem.batch_size, random_state=0,
        early_stopping=False, n_threads=problem.threads,
    )  # fmt: skip

    def task() -> float:
        start = time.perf_counter()
        model.fit(X, y)
        return time.perf_counter() - start

    return task


Job = tuple[str, int, str, Sequence[object], Sequence[object], Callable[[Any], float]]


def jobs(options: Any) -> Iterator[Job]:
    """Name, threads, maker, its arguments, those of a call, and microseconds out of its result."""
    for threads in options.threads:
        for network in NETWORKS:
            problem = replace(network, threads=threads)
            n = n_epochs(problem, options)
            steps = n * problem.steps
            yield (
                f"step of {problem.name}, {count(threads, 'thread')}", threads,
                "train:epochs_task", ("dnncore", problem), (n,),
                lambda turn, steps=steps: turn["seconds"] / steps * 1e6,
            )  # fmt: skip
        wide = replace(NETWORKS[2], threads=threads)
        yield (
            f"fit of {wide.name}, {count(threads, 'thread')}", threads,
            "versions:fit_task", (wide,), (), lambda seconds: seconds * 1e6,
        )  # fmt: skip
    for layer_sizes in (network.layer_sizes for network in NETWORKS):
        problem = Scoring(layer_sizes=layer_sizes, n_rows=1)
        for contender in ("dnncore-frozen", "dnncore"):
            yield (
                f"one row of {problem.name}, {contender}", 1,
                "score:calls_task", (contender, problem), (SCORING_SECONDS,),
                lambda turn: turn["p50"],
            )  # fmt: skip


def compare(job: Job, before: str, rounds: int) -> list[str]:
    """A row of the table."""
    name, threads, maker, arguments, call, microseconds_of = job
    tasks = {version: (maker, arguments) for version in ("before", "after")}
    outcome = take_turns(
        tasks, [call] * (1 + rounds), threads=threads, pythons={"before": before}
    )  # fmt: skip
    if outcome.absent:
        return [name, *sorted(f"{k}: {v}" for k, v in outcome.absent.items())]
    old, new = (
        [microseconds_of(turn) for turn in outcome.results[version][1:]]  # the first warms up
        for version in ("before", "after")
    )
    ratios = [b / a for a, b in zip(old, new, strict=True)]
    return [
        name, microseconds(statistics.median(old)), microseconds(statistics.median(new)),
        f"{statistics.median(ratios):.3f}", f"{min(ratios):.2f}-{max(ratios):.2f}",
        f"{min(new) / min(old):.3f}",
    ]  # fmt: skip


def main() -> None:
    parser = option_parser(__doc__, ["dnncore"])
    parser.add_argument("--before", required=True, help="interpreter with the version before")
    arguments = parser.parse_args()
    options = options_of(arguments)
    warn_if_busy()
    print(describe_machine()["processor"], len(available_cpus()), "processors")
    header = ["job", "before, us", "after, us", "ratio", "extremes", "ratio of the shortest"]
    rows = [
        compare(job, arguments.before, 2 if options.quick else ROUNDS) for job in jobs(options)
    ]  # fmt: skip
    print(markdown_table(header, rows))


if __name__ == "__main__":
    main()
