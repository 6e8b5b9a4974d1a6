"""Scaling of the cost of training with rows, width, depth, batch size and threads.

Each quantity is swept over two decades (threads: up to all processors), with all others fixed. The
exponent is the slope between the ends of a sweep in a log-log plot: 1 means that the time is
proportional to the quantity. All sweeps except that of threads use one thread.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

from _harness import (
    Options,
    absences,
    available_cpus,
    markdown_table,
    microseconds,
    parse,
    summary,
    take_turns,
    warn_if_busy,
    write_json,
)
from _problems import Training
from contenders import TRAINERS
from train import TURN_FLOP

SCALE = (1, 3, 10, 30, 100)
BASE = Training(layer_sizes=(64, 100, 10), batch_size=100, steps=10)
# With Glorot initialisation, the deltas of a hundred sigmoid layers become subnormal. Arithmetic on
# subnormal numbers is slow, which would distort the sweep.
DEEP_WEIGHTS = 8.0
# Contenders unless --contenders is given: others take minutes to compile some of these problems.
DEFAULT = ("dnncore", "numpy")


def sweeps() -> dict[str, dict[int, Training]]:
    """Return the problems of each sweep, by quantity and value."""
    threads = sorted({n for n in (1, 2, 4, 8, 16, 32, 64, 128) if n < len(available_cpus())})
    return {
        "rows": {1000 * s: replace(BASE, steps=10 * s) for s in SCALE},
        "width": {10 * s: replace(BASE, layer_sizes=(64, 10 * s, 10 * s, 10)) for s in SCALE},
        "depth": {
            s: replace(BASE, layer_sizes=(64, *[100] * s, 10), weight_scale=DEEP_WEIGHTS)
            for s in SCALE
        },
        "batch": {10 * s: replace(BASE, batch_size=10 * s) for s in SCALE},
        "threads": {
            n: Training(layer_sizes=(784, 256, 10), batch_size=128, steps=50, threads=n)
            for n in [*threads, len(available_cpus())]
        },
    }


def measure(options: Options) -> dict[str, Any]:
    """Return the seconds per epoch for every point of every sweep."""
    points = []
    chosen = [name for name in options.choose(TRAINERS) if options.contenders or name in DEFAULT]
    for quantity, problems in sweeps().items():
        print(f"\n{quantity}")
        for value, problem in problems.items():
            point = {"quantity": quantity, "value": value} | measure_point(problem, chosen, options)
            points.append(point)
            print(
                f"  {value:>7}",
                *(
                    f"{name} {seconds['median']:.3g} s"
                    for name, seconds in point["seconds"].items()
                ),
                sep="   ",
            )
    return {"points": points}


def measure_point(problem: Training, contenders: list[str], options: Options) -> dict[str, Any]:
    epoch_flop = problem.flop_per_step * problem.steps
    n = max(1, round((0.02 if options.quick else 0.25) * TURN_FLOP / epoch_flop))
    outcome = take_turns(
        {name: ("train:epochs_task", (name, problem)) for name in contenders},
        [(n,)] * (1 + options.rounds),
        threads=problem.threads,
    )
    return {
        "layer_sizes": problem.layer_sizes,
        "batch_size": problem.batch_size,
        "steps": problem.steps,
        "threads": problem.threads,
        "flop": epoch_flop,
        "seconds": {
            name: summary(turn["seconds"] / n for turn in turns[1:])
            for name, turns in outcome.results.items()
        },
        "absent": outcome.absent,
    }


def exponent(points: list[dict[str, Any]], name: str, field: str) -> float | None:
    """Return the exponent of the time ('seconds') or the arithmetic ('flop'), or None."""
    ends = [
        point[field] if field == "flop" else point[field][name]["median"]
        for point in (points[0], points[-1])
        if field == "flop" or name in point[field]
    ]
    values = points[0]["value"], points[-1]["value"]
    if len(ends) < 2 or values[0] == values[1]:
        return None
    return math.log(ends[1] / ends[0]) / math.log(values[1] / values[0])


def markdown(results: dict[str, Any]) -> str:
    """Return a table for each sweep."""
    parts = []
    for quantity in dict.fromkeys(point["quantity"] for point in results["points"]):
        points = [point for point in results["points"] if point["quantity"] == quantity]
        names = [n for n in TRAINERS if any(n in point["seconds"] for point in points)]
        rows = [
            [
                f"{point['value']:,}",
                *(_cell(point, name) for name in names),
                f"{point['flop'] / point['steps'] / 1e6:,.2f}",
            ]
            for point in points
        ]
        slopes = [exponent(points, name, "seconds") for name in names]
        slopes.append(exponent(points, "", "flop"))
        if all(slope is not None for slope in slopes):
            rows.append(["exponent, per epoch", *(f"{slope:.2f}" for slope in slopes)])
        parts += [
            f"### Microseconds per step, by {quantity}",
            markdown_table([quantity, *names, "MFLOP per step"], rows),
        ]
    without = absences(
        (f"{point['quantity']} {point['value']}", point["absent"]) for point in results["points"]
    )
    if without:
        parts += ["No result:", without]
    return "\n\n".join(parts)


def _cell(point: dict[str, Any], name: str) -> str:
    seconds = point["seconds"].get(name)
    return microseconds(seconds["median"] / point["steps"] * 1e6) if seconds else ""


if __name__ == "__main__":
    options, output = parse(__doc__, TRAINERS)
    warn_if_busy()
    results = measure(options)
    print("\n" + markdown(results))
    if output:
        write_json(output, results)
