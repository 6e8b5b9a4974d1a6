"""Latency of predicting class probabilities for 1, 32 and 1024 rows from Python, on one thread.

All contenders accept and return NumPy arrays. Results are rejected if the probabilities differ from
those of a float64 reference.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
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
from _problems import Scoring
from _worker import resolve
from contenders import SCORERS

NETWORKS = ((64, 100, 10), (784, 256, 10), (440, 1024, 1024, 1024, 1936))
N_ROWS = (1, 32, 1024)
TOLERANCE = 1e-6  # absolute, for probabilities computed in float32
CALLS_FOR_P99 = 100  # fewer calls do not give a meaningful 99th percentile
MAX_CALLS = 20_000


def problems(options: Options) -> Iterator[Scoring]:
    for layer_sizes in NETWORKS[:2] if options.quick else NETWORKS:
        for n_rows in N_ROWS:
            yield Scoring(layer_sizes=layer_sizes, n_rows=n_rows)


# ----------------------------------------------------------------------------- in the workers


def calls_task(contender: str, problem: Scoring) -> Callable[[float], dict[str, Any]]:
    """Return a task that calls the contender repeatedly for a number of seconds."""
    predict_proba = resolve(SCORERS[contender])(problem)
    X = problem.data()

    def task(seconds: float) -> dict[str, Any]:
        ns = []
        clock = time.perf_counter_ns
        end = clock() + seconds * 1e9
        while not ns or (clock() < end and len(ns) < MAX_CALLS):
            start = clock()
            p = predict_proba(X)
            ns.append(clock() - start)
        ns.sort()
        return {
            "calls": len(ns),
            "p50": ns[len(ns) // 2] / 1e3,
            "p99": ns[len(ns) * 99 // 100] / 1e3 if len(ns) >= CALLS_FOR_P99 else None,
            "p": p,
        }

    return task


# ----------------------------------------------------------------------------- in the parent


def measure(options: Options) -> dict[str, Any]:
    """Return the results of all problems."""
    rows = []
    for problem in problems(options):
        print(f"\n{problem.name}, {problem.n_rows} rows per call")
        row = measure_row(problem, options)
        rows.append(row)
        print_row(row)
    return {"rows": rows}


def measure_row(problem: Scoring, options: Options) -> dict[str, Any]:
    """Return the latencies of all contenders for one problem."""
    tasks = {"reference": ("score:calls_task", ("numpy", replace(problem, dtype="float64")))} | {
        name: ("score:calls_task", (name, problem)) for name in options.choose(SCORERS)
    }
    seconds = 0.05 if options.quick else 0.5
    outcome = take_turns(tasks, [(seconds,)] * (1 + options.rounds), threads=problem.threads)
    if "reference" in outcome.absent:
        raise RuntimeError(f"{problem.name}: reference {outcome.absent['reference']}")
    expected = outcome.results.pop("reference")[-1]["p"]
    row = {
        "network": problem.name,
        "layer_sizes": problem.layer_sizes,
        "n_rows": problem.n_rows,
        "dtype": problem.dtype,
        "threads": problem.threads,
        "contenders": {},
        "absent": outcome.absent,
    }
    for name, turns in outcome.results.items():
        difference = float(abs(turns[-1]["p"] - expected).max())
        if not difference <= TOLERANCE:  # also true for NaN
            row["absent"][name] = (
                f"rejected: a probability differs by {difference:.1g} from the float64 reference, "
                f"the tolerance is {TOLERANCE:.0e}"
            )
            continue
        timed = turns[1:]  # the first was the warm-up
        p99 = [turn["p99"] for turn in timed if turn["p99"] is not None]
        row["contenders"][name] = {
            "p50_us": summary(turn["p50"] for turn in timed),
            "p99_us": summary(p99) if len(p99) == len(timed) else None,
            "calls": sum(turn["calls"] for turn in timed),
        }
    return row


# ------------------------------------------------------------------------------------- output


def print_row(row: dict[str, Any]) -> None:
    for name, result in row["contenders"].items():
        p50, p99 = result["p50_us"], result["p99_us"]
        tail = f"p99 {microseconds(p99['median'])} us, " if p99 else ""
        print(
            f"  {name:15}p50 {microseconds(p50['median']):>8} us  [{microseconds(p50['low'])} ... "
            f"{microseconds(p50['high'])}], {tail}{result['calls']} calls"
        )
    for name, reason in row["absent"].items():
        print(f"  {name:15}{reason}")


def markdown(results: dict[str, Any]) -> str:
    """Return a table of p50 and p99."""
    rows = results["rows"]
    names = [name for name in SCORERS if any(name in row["contenders"] for row in rows)]

    def cell(row: dict[str, Any], name: str) -> str:
        result = row["contenders"].get(name)
        if result is None:
            return ""
        p99 = microseconds(result["p99_us"]["median"]) if result["p99_us"] else "-"
        return f"{microseconds(result['p50_us']['median'])} / {p99}"

    parts = [
        "### Microseconds per call: p50 / p99",
        markdown_table(
            ["network", "rows", *names],
            [[row["network"], row["n_rows"]] + [cell(row, name) for name in names] for row in rows],
        ),
    ]
    without = absences((f"{row['network']}, {row['n_rows']} rows", row["absent"]) for row in rows)
    if without:
        parts += ["No result:", without]
    return "\n\n".join(parts)


if __name__ == "__main__":
    options, output = parse(__doc__, SCORERS)
    warn_if_busy()
    results = measure(options)
    print("\n" + markdown(results))
    if output:
        write_json(output, results)
