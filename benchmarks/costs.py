"""A model of the cost of a training step for any number of threads, fitted to measurements.

With n rows, layers (k, m) and p threads, the time of a step in float32 with momentum is a sum of
terms that are proportional to what a thread does:

    products     n k m multiply-adds of every product, divided by p; with the weights, whose part in
                 the time of the networks measured is too small to be told apart
    activations  n m outputs, divided by p: the activation function, and its slope
    transfer     bytes that a thread reads and another has written: (1 - 1/p) of the weights (phase
                 A), of n k / p inputs and of n m deltas (phase B)
    barriers     2, if there are several threads
    step         1: the call and the loop

The constants are found by least squares of relative errors, with none negative, on two thirds of
the networks; the errors are those on the last third. `python benchmarks/costs.py --output
costs.json` prints the constants, the measured and modelled times, and what the model expects of
more threads than there are processors: a limit from above, as processors then share what is a
constant here, the bandwidth between them.
"""

from __future__ import annotations

import time
from itertools import pairwise
from typing import Any

import numpy as np
from _harness import available_cpus, markdown_table, parse, warn_if_busy, write_json
from numpy.typing import NDArray
from scipy.optimize import nnls

TERMS = {
    "products": "ns per 1000 multiply-adds",
    "activations": "ns per 1000 outputs",
    "transfer": "ns per 1000 bytes",
    "barriers": "ns per barrier",
    "step": "ns per step",
}
PER = {"barriers": 1.0, "step": 1.0}  # others: per 1000

SHAPES = tuple(
    ((n_in, *[width] * depth, 10), n)
    for n, n_in, width, depth in (
        (32, 64, 100, 1), (128, 64, 100, 1), (256, 64, 100, 1), (64, 32, 64, 2), (256, 32, 64, 2),
        (256, 54, 128, 2), (64, 54, 128, 2), (128, 784, 256, 1), (256, 784, 256, 1),
        (64, 784, 128, 1), (256, 128, 256, 3), (128, 128, 256, 1), (512, 64, 128, 1),
        (256, 440, 512, 2), (128, 440, 512, 1), (256, 256, 1024, 1), (128, 512, 512, 3),
        (512, 256, 256, 2),
    )
)  # fmt: skip
EXPECTED = (
    ((64, 100, 10), 32), ((54, 128, 128, 7), 256), ((784, 256, 10), 128),
    ((440, 1024, 1024, 1024, 1936), 256),
)  # fmt: skip
THREADS = (1, 2, 4, 8, 16, 32, 64)
SECONDS = 0.15  # of a measurement


def quantities(layer_sizes: tuple[int, ...], n: int, p: int) -> NDArray[np.float64]:
    """Return the amount of each term for a thread, in the units of `TERMS`."""
    layers = list(pairwise(layer_sizes))
    weights = sum(k * m for k, m in layers)
    products = n * (3 * weights - layers[0][0] * layers[0][1])  # the first layer needs no delta
    inputs, outputs = n * sum(k for k, _ in layers), n * sum(m for _, m in layers)
    others = 1.0 - 1.0 / p
    amounts = {
        "products": products / p,
        "activations": outputs / p,
        "transfer": 4.0 * others * (weights + inputs / p + outputs),
        "barriers": 2.0 if p > 1 else 0.0,
        "step": 1.0,
    }
    return np.array([amounts[name] / (1.0 if name in PER else 1000.0) for name in TERMS])


def measured(layer_sizes: tuple[int, ...], n: int, threads: list[int]) -> dict[int, float]:
    """Return the smallest time of a step in ns, by the number of threads, which take turns."""
    from dnncore import Network
    from dnncore.training import SGD, Trainer

    random = np.random.default_rng(0)
    steps = max(8, round(2e8 / (3 * n * sum(k * m for k, m in pairwise(layer_sizes)))))
    X = random.normal(size=(n * steps, layer_sizes[0])).astype(np.float32)
    y = random.integers(0, layer_sizes[-1], size=len(X))
    trainers = {
        p: Trainer(
            Network(layer_sizes, dtype=np.float32, seed=0), SGD(0.01), batch_size=n, n_threads=p,
            shuffle=False,
        )
        for p in threads
    }  # fmt: skip
    for trainer in trainers.values():
        trainer.run_epoch(X, y)
    best = dict.fromkeys(threads, np.inf)
    end = time.monotonic() + SECONDS * len(threads)
    while time.monotonic() < end:
        for p, trainer in trainers.items():
            start = time.perf_counter()
            trainer.run_epoch(X, y)
            best[p] = min(best[p], (time.perf_counter() - start) / steps * 1e9)
    return best


def fit(amounts: NDArray[np.float64], times: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the constants with the least squares of relative errors."""
    constants: NDArray[np.float64]
    constants, _ = nnls(amounts / times[:, None], np.ones(len(times)))
    return constants


def main() -> None:
    _, output = parse(__doc__, ())
    warn_if_busy()
    threads = [p for p in THREADS if p <= len(available_cpus())]
    rows: list[dict[str, Any]] = []
    for layer_sizes, n in SHAPES:
        for p, ns in measured(layer_sizes, n, threads).items():
            rows.append({"layer_sizes": layer_sizes, "rows": n, "threads": p, "ns": ns})
    amounts = np.array([quantities(r["layer_sizes"], r["rows"], r["threads"]) for r in rows])
    times = np.array([r["ns"] for r in rows])
    held_out = np.arange(len(rows)) // len(threads) % 3 == 2
    constants = fit(amounts[~held_out], times[~held_out])
    modelled = amounts @ constants
    error = np.abs(modelled / times - 1.0)
    print(markdown_table(
        ["term", "constant", ""],
        [(name, f"{c:.3g}", TERMS[name]) for name, c in zip(TERMS, constants, strict=True)],
    ))  # fmt: skip
    median, largest = np.median(error[held_out]), error[held_out].max()
    print(f"\nError on networks that were not fitted: median {median:.0%}, largest {largest:.0%}\n")
    print(markdown_table(
        ["network", "rows", "threads", "measured, us", "modelled, us"],
        [("-".join(map(str, r["layer_sizes"])), r["rows"], r["threads"], f"{r['ns'] / 1e3:.1f}",
          f"{t / 1e3:.1f}") for r, t in zip(rows, modelled, strict=True)],
    ))  # fmt: skip
    print("\nModelled speed relative to one thread\n")
    print(markdown_table(
        ["network", "rows", *map(str, THREADS)],
        [("-".join(map(str, sizes)), n,
          *(f"{quantities(sizes, n, 1) @ constants / (quantities(sizes, n, p) @ constants):.1f}"
            for p in THREADS)) for sizes, n in EXPECTED],
    ))  # fmt: skip
    if output is not None:
        write_json(output, {
            "constants": dict(zip(TERMS, constants.tolist(), strict=True)),
            "points": [
                row | {"modelled_ns": t} for row, t in zip(rows, modelled.tolist(), strict=True)
            ],
        })  # fmt: skip


if __name__ == "__main__":
    main()
