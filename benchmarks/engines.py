"""dnncore's matrix products compared with BLAS: the basis for the choice of engine='auto'.

For each batch size b and width w, the ratio of the time of a training step with engine='blas' to
that with engine='builtin', for a network w-w-w with momentum on one thread. Both take turns in one
process, which is fair because neither leaves threads behind. Times are medians over the rounds.
"""

from __future__ import annotations

import argparse
import statistics
import time

import numpy as np

from dnncore import Network, show_config
from dnncore.training import SGD, Trainer

BATCHES = (8, 32, 128, 512, 2048)
WIDTHS = (10, 32, 100, 316, 1000)
ROUND_SECONDS = 0.05


def ratio(batch: int, width: int, dtype: str, rounds: int) -> float:
    """Return the time with BLAS divided by the time with the builtin products."""
    steps = max(1, int(ROUND_SECONDS * 5e10 / (6 * batch * 2 * width**2 + 1e5)))
    rng = np.random.default_rng(0)
    X = rng.normal(size=(batch * min(steps, 50), width)).astype(dtype)
    y = rng.integers(0, width, len(X))
    trainers = {
        engine: Trainer(
            Network((width, width, width), dtype=dtype, seed=0),
            SGD(0.01, nesterov=False),
            batch_size=batch,
            shuffle=False,
            n_threads=1,
            engine=engine,
        )
        for engine in ("blas", "builtin")
    }
    times: dict[str, list[float]] = {engine: [] for engine in trainers}
    for _ in range(rounds + 1):  # the first round is a warm-up
        for engine, trainer in trainers.items():
            start = time.perf_counter()
            trainer.run_epoch(X, y)
            times[engine].append(time.perf_counter() - start)
    blas, builtin = (statistics.median(times[engine][1:]) for engine in ("blas", "builtin"))
    return blas / builtin


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--dtypes", nargs="+", default=["float32", "float64"])
    arguments = parser.parse_args()
    cpu, blas = show_config("dicts")["cpu"], show_config("dicts")["blas"]
    scipy = next((library for library in blas if "scipy." in library["file"]), blas[0])
    print(f"instruction set {cpu['selected']}, {scipy['library']} {scipy['version']}\n")
    for dtype in arguments.dtypes:
        print(f"| {dtype}: batch | " + " | ".join(f"width {width}" for width in WIDTHS) + " |")
        print("|---" * (len(WIDTHS) + 1) + "|")
        for batch in BATCHES:
            cells = (f"{ratio(batch, width, dtype, arguments.rounds):.2f}" for width in WIDTHS)
            print(f"| {batch} | " + " | ".join(cells) + " |", flush=True)
        print()


if __name__ == "__main__":
    main()
