"""Microseconds per training step, compared with other libraries and the machine's GEMM rate.

All contenders start from the same weights, and see the same rows in the same order. Results are
rejected if the losses differ from those of a float64 reference. See README.md for the rules.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from _harness import (
    Options,
    absences,
    count,
    markdown_table,
    microseconds,
    parse,
    summary,
    take_turns,
    warn_if_busy,
    write_json,
)
from _problems import Training
from _worker import resolve
from contenders import TRAINERS

NETWORKS = (
    Training(layer_sizes=(64, 100, 10), batch_size=32, steps=56),  # the size of the digits data set
    Training(layer_sizes=(54, 128, 128, 7), batch_size=256, steps=100),
    Training(layer_sizes=(784, 256, 10), batch_size=128, steps=100),
    Training(layer_sizes=(440, 1024, 1024, 1024, 1936), batch_size=256, steps=10),
)
SMALL, WIDE = NETWORKS[0], NETWORKS[2]

# The cost of dnncore's options is measured relative to plain momentum.
OPTIONS = {
    "momentum": WIDE,
    "momentum, sample_weight": replace(WIDE, sample_weight=True),
    "momentum, alpha": replace(WIDE, alpha=1e-4),
    "adam": replace(WIDE, solver="adam"),
    "adam, sample_weight, alpha": replace(WIDE, solver="adam", sample_weight=True, alpha=1e-4),
}

# Largest permitted time as a fraction of NumPy's, in float32 with momentum on one thread.
REQUIRED = {WIDE: 1.0, SMALL: 1 / 3}

# Largest permitted difference from the loss of the reference in any epoch, relative to its first
# loss.
TOLERANCE = {"float32": 1e-5, "float64": 1e-9}

FIT_EPOCHS = 20  # of DNNClassifier, compared with a Trainer with the same solver

TURN_FLOP = 2e9  # floating-point operations per turn, at least one epoch
GEMM_SIZES = (1024, 2048)


def problems(options: Options) -> Iterator[Training]:
    """Yield all combinations to measure."""
    variants = [(network, "float32", "momentum") for network in NETWORKS]
    variants += [(network, "float32", "adam") for network in NETWORKS]
    if options.quick:
        variants = [*variants[:3], (WIDE, "float32", "adam")]
    variants += [(WIDE, "float64", "momentum")]
    for threads in options.threads:
        for network, dtype, solver in variants:
            yield replace(network, dtype=dtype, solver=solver, threads=threads)


def n_epochs(problem: Training, options: Options) -> int:
    """Return the number of epochs per turn."""
    return max(1, round(turn_flop(options) / (problem.flop_per_step * problem.steps)))


def turn_flop(options: Options) -> float:
    return TURN_FLOP / 10 if options.quick else TURN_FLOP


# ----------------------------------------------------------------------------- in the workers


def epochs_task(contender: str, problem: Training) -> Callable[[int], dict[str, Any]]:
    """Return a task that trains for n epochs and measures wall-clock and CPU time."""
    epoch = resolve(TRAINERS[contender])(problem)

    def task(n: int) -> dict[str, Any]:
        cpu, start = time.process_time(), time.perf_counter()
        losses = [epoch() for _ in range(n)]
        seconds = time.perf_counter() - start
        return {"seconds": seconds, "cpu": time.process_time() - cpu, "losses": losses}

    return task


def gemm_task(dtype: str, sizes: tuple[int, ...], turn_flop: float) -> Callable[..., Any]:
    """Return a task that multiplies large square matrices with NumPy's and SciPy's BLAS, as many as
    take `turn_flop`; it returns the mean and the best rate of each kind of product, in GFLOP/s."""
    import numpy as np
    from scipy.linalg import blas

    gemm = blas.sgemm if dtype == "float32" else blas.dgemm
    products: dict[str, tuple[int, Callable[[], object]]] = {}
    for size in sizes:
        A = np.random.default_rng(0).standard_normal((size, size)).astype(dtype, order="F")
        C = np.empty_like(A)
        products[f"NumPy, {size}"] = size, lambda A=A, C=C: np.matmul(A, A, out=C)
        products[f"SciPy, {size}"] = size, lambda A=A, C=C: gemm(1.0, A, A, c=C, overwrite_c=True)

    def rates(size: int, product: Callable[[], object]) -> dict[str, float]:
        flop, times = 2 * size**3, []
        for _ in range(max(1, round(turn_flop / flop))):
            start = time.perf_counter()
            product()
            times.append(time.perf_counter() - start)
        return {"mean": 1e-9 * flop * len(times) / sum(times), "best": 1e-9 * flop / min(times)}

    return lambda *_: {name: rates(*product) for name, product in products.items()}


def fit_task(problem: Training) -> Callable[..., dict[str, float]]:
    """Return a task that fits DNNClassifier, and measures the time."""
    import numpy as np

    from dnncore import DNNClassifier

    X, y = problem.data()
    model = DNNClassifier(
        problem.layer_sizes[1:-1],
        activation="logistic",
        batch_size=problem.batch_size,
        max_iter=FIT_EPOCHS,
        n_iter_no_change=np.inf,  # all epochs
        early_stopping=False,
        random_state=0,
        n_threads=problem.threads,
    )

    def task(*_: object) -> dict[str, float]:
        start = time.perf_counter()
        model.fit(X, y)
        return {"seconds": (time.perf_counter() - start) / FIT_EPOCHS}

    return task


# ----------------------------------------------------------------------------- in the parent


def measure(options: Options) -> dict[str, Any]:
    """Return the results of all problems, and of dnncore's options."""
    rows = []
    for problem in problems(options):
        print(f"\n{describe(problem)}")
        row = measure_row(problem, options)
        rows.append(row)
        print_row(row)
    results = {"rows": rows, "options": [], "fits": []}
    if "dnncore" in options.choose(TRAINERS):
        results["options"] = [measure_options(threads, options) for threads in options.threads]
        results["fits"] = measure_fits(options)
    return results


def describe(problem: Training) -> str:
    return (
        f"{problem.name}, batch {problem.batch_size}, {problem.dtype}, {problem.solver}, "
        f"{count(problem.threads, 'thread')}"
    )


def measure_row(problem: Training, options: Options) -> dict[str, Any]:
    """Return the times of all contenders for one problem."""
    reference = replace(problem, dtype="float64")
    sizes = GEMM_SIZES[:1] if options.quick else GEMM_SIZES
    tasks = {
        "GEMM": ("train:gemm_task", (problem.dtype, sizes, turn_flop(options))),
        "reference": ("train:epochs_task", ("numpy", reference)),
    } | {name: ("train:epochs_task", (name, problem)) for name in options.choose(TRAINERS)}
    n = n_epochs(problem, options)
    outcome = take_turns(tasks, [(n,)] * (1 + options.rounds), threads=problem.threads)
    for name in ("GEMM", "reference"):
        if name in outcome.absent:
            raise RuntimeError(f"{describe(problem)}: {name} {outcome.absent[name]}")
    row = {
        "network": problem.name,
        "layer_sizes": problem.layer_sizes,
        "batch_size": problem.batch_size,
        "dtype": problem.dtype,
        "solver": problem.solver,
        "threads": problem.threads,
        "flop_per_step": problem.flop_per_step,
        "gemm_gflops": gemm_rate(turns := outcome.results.pop("GEMM")[1:]),
        "best_gemm_gflops": max(kind["best"] for turn in turns for kind in turn.values()),
        "contenders": {},
        "absent": outcome.absent,
    }
    expected = losses_of(outcome.results.pop("reference"))
    for name, turns in outcome.results.items():
        fault = disagreement(losses_of(turns), expected, TOLERANCE[problem.dtype])
        if fault is None:
            row["contenders"][name] = summarise(turns, problem, n, row["gemm_gflops"])
        else:
            row["absent"][name] = f"rejected: {fault}"
    return row


def gemm_rate(turns: list[dict[str, dict[str, float]]]) -> float:
    """Return the median over the turns of the fastest kind of product, as for the contenders: the
    best of all single products would have chosen the moments in which the machine is fastest."""
    return max(statistics.median(turn[kind]["mean"] for turn in turns) for kind in turns[0])


def losses_of(turns: list[dict[str, Any]]) -> list[float]:
    return [loss for turn in turns for loss in turn["losses"]]


def disagreement(losses: list[float], expected: list[float], tolerance: float) -> str | None:
    """Describe the first epoch in which the losses differ, or return None."""
    allowed = tolerance * expected[0]
    for epoch, (loss, reference) in enumerate(zip(losses, expected, strict=True), start=1):
        if not abs(loss - reference) <= allowed:  # also true for NaN
            return (
                f"loss {loss:.9g} in epoch {epoch} differs from {reference:.9g}, that of the "
                f"float64 reference; the tolerance is {allowed:.1g}"
            )
    return None


def summarise(
    turns: list[dict[str, Any]], problem: Training, n: int, gemm_gflops: float
) -> dict[str, Any]:
    timed = turns[1:]  # the first was the warm-up
    us_per_step = summary(turn["seconds"] / (n * problem.steps) * 1e6 for turn in timed)
    return {
        "us_per_step": us_per_step,
        "share_of_gemm": problem.flop_per_step / (us_per_step["median"] * 1e3) / gemm_gflops,
        "busy_cpus": sum(t["cpu"] for t in timed) / sum(t["seconds"] for t in timed),
        "last_loss": turns[-1]["losses"][-1],
    }


def measure_options(threads: int, options: Options) -> dict[str, Any]:
    """Return the times of dnncore's options for one network."""
    variants = {name: replace(problem, threads=threads) for name, problem in OPTIONS.items()}
    n = n_epochs(variants["momentum"], options)
    outcome = take_turns(
        {name: ("train:epochs_task", ("dnncore", problem)) for name, problem in variants.items()},
        [(n,)] * (1 + options.rounds),
        threads=threads,
    )
    return {
        "network": WIDE.name,
        "batch_size": WIDE.batch_size,
        "threads": threads,
        "us_per_step": {
            name: summary(turn["seconds"] / (n * WIDE.steps) * 1e6 for turn in turns[1:])
            for name, turns in outcome.results.items()
        },
        "absent": outcome.absent,
    }


def measure_fits(options: Options) -> list[dict[str, Any]]:
    """Return the times of a step of DNNClassifier.fit on one thread, beside those of a Trainer."""
    results = []
    for network in NETWORKS[: 1 if options.quick else None]:
        problem = replace(network, solver="adam")
        n = n_epochs(problem, options)
        tasks: dict[str, tuple[str, tuple[object, ...]]] = {
            "Trainer": ("train:epochs_task", ("dnncore", problem)),
            "fit": ("train:fit_task", (problem,)),
        }
        outcome = take_turns(tasks, [(n,)] * (1 + options.rounds), threads=problem.threads)
        epochs = {"Trainer": n, "fit": 1}
        us_per_step = {
            name: summary(
                turn["seconds"] / (epochs[name] * problem.steps) * 1e6 for turn in turns[1:]
            )
            for name, turns in outcome.results.items()
        }
        results.append(
            {"network": problem.name, "batch_size": problem.batch_size, "us_per_step": us_per_step}
        )
    return results


# ------------------------------------------------------------------------------------- output


def print_row(row: dict[str, Any]) -> None:
    own = row["contenders"].get("dnncore", {}).get("us_per_step", {}).get("median")
    for name, result in row["contenders"].items():
        time_ = result["us_per_step"]
        ratio = f"{time_['median'] / own:7.2f} x" if own else ""
        print(
            f"  {name:15}{microseconds(time_['median']):>9} us{ratio}  "
            f"[{microseconds(time_['low'])} ... {microseconds(time_['high'])}]  "
            f"{result['share_of_gemm']:.0%} of {row['gemm_gflops']:.0f} GFLOP/s, "
            f"{result['busy_cpus']:.1f} CPUs busy"
        )
    for name, reason in row["absent"].items():
        print(f"  {name:15}{reason}")


def markdown(results: dict[str, Any]) -> str:
    """Return tables of times, shares of the GEMM rate and options, and the requirement."""
    rows = results["rows"]
    names = [name for name in TRAINERS if any(name in row["contenders"] for row in rows)]
    head = ["network, batch", "dtype", "solver", "threads"]

    def cells(row: dict[str, Any]) -> list[object]:
        return [
            f"{row['network']}, {row['batch_size']}", row["dtype"], row["solver"], row["threads"]
        ]  # fmt: skip

    def table(cell: Callable[[dict[str, Any], str], str], *more: str) -> str:
        return markdown_table(
            [*head, *names, *more],
            [
                cells(row)
                + [cell(row, name) if name in row["contenders"] else "" for name in names]
                + [f"{row['gemm_gflops']:.0f}"] * len(more)
                for row in rows
            ],
        )

    parts = [
        "### Microseconds per training step (relative to dnncore)",
        table(_time_and_ratio),
        "### Share of the machine's GEMM rate",
        table(lambda row, name: f"{row['contenders'][name]['share_of_gemm']:.0%}", "GFLOP/s"),
        "### DNNClassifier.fit with its defaults, microseconds per step on one thread",
        markdown_table(
            ["network, batch", "Trainer, Adam", "fit", "fit / Trainer"],
            [_fit_cells(fit) for fit in results.get("fits", [])],
        ),
    ]
    for option in results["options"]:
        base = option["us_per_step"]["momentum"]["median"]
        parts += [
            f"### dnncore's options, {option['network']}, batch {option['batch_size']}, "
            f"{count(option['threads'], 'thread')}",
            markdown_table(
                ["option", "us per step", "relative to plain momentum"],
                [
                    (name, microseconds(t["median"]), f"{t['median'] / base:.2f}")
                    for name, t in option["us_per_step"].items()
                ],
            ),
        ]
    without = absences(
        (f"{row['network']}, {row['dtype']}, {row['solver']}", row["absent"]) for row in rows
    )
    if without:
        parts += ["No result:", without]
    parts += ["Requirement:", "\n".join(requirement(rows))]
    return "\n\n".join(parts)


def _fit_cells(fit: dict[str, Any]) -> tuple[str, ...]:
    trainer, own = (fit["us_per_step"][name]["median"] for name in ("Trainer", "fit"))
    network = f"{fit['network']}, {fit['batch_size']}"
    return network, microseconds(trainer), microseconds(own), f"{own / trainer:.3f}"


def _time_and_ratio(row: dict[str, Any], name: str) -> str:
    time_ = row["contenders"][name]["us_per_step"]["median"]
    own = row["contenders"].get("dnncore")
    return microseconds(time_) + (f" ({time_ / own['us_per_step']['median']:.2f})" if own else "")


def requirement(rows: list[dict[str, Any]]) -> list[str]:
    """Return lines that state whether dnncore meets its speed requirement."""
    lines = []
    for problem, limit in REQUIRED.items():
        for row in rows:
            same = row["network"], row["dtype"], row["solver"], row["threads"]
            if same != (problem.name, "float32", "momentum", 1):
                continue
            head = f"- {describe(problem)}: "
            if not {"dnncore", "numpy"} <= row["contenders"].keys():
                lines.append(head + "not measured, requires dnncore and numpy")
                continue
            own, theirs = (
                row["contenders"][name]["us_per_step"]["median"] for name in ("dnncore", "numpy")
            )
            lines.append(
                head + f"{own:.1f} us, NumPy {theirs:.1f} us, ratio {own / theirs:.2f} "
                f"(at most {limit:.2f}): {'met' if own <= limit * theirs else 'NOT MET'}"
            )
    return lines


if __name__ == "__main__":
    options, output = parse(__doc__, TRAINERS)
    warn_if_busy()
    results = measure(options)
    print("\n" + markdown(results))
    if output:
        write_json(output, results)
