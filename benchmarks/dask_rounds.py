"""What Dask costs in a round, and what a second worker gains.

A cluster of worker processes with one thread each trains on rows that the workers keep. The share
of Dask is the part of the time of all workers that is not spent in tasks, as the scheduler records
them; fits with one and with two workers take turns. `python benchmarks/dask_rounds.py --output
dask.json` prints both, with the time of the same epochs by the local estimator on one thread.
"""

from __future__ import annotations

import statistics
import time
import warnings
from typing import Any

import numpy as np
from _harness import markdown_table, parse, warn_if_busy, write_json

NETWORKS: dict[str, dict[str, Any]] = {
    "64-100-10": {"n_rows": 2_000_000, "sizes": (64, 100, 10), "partitions": 32, "solver": "adam"},
    "54-128-128-7": {
        "n_rows": 500_000, "sizes": (54, 128, 128, 7), "partitions": 32, "solver": "adam",
    },
    "440-1024x3-1936": {
        "n_rows": 65_536, "sizes": (440, 1024, 1024, 1024, 1936), "partitions": 8, "solver": "sgd",
    },
    "54-128-128-7, lbfgs": {
        "n_rows": 500_000, "sizes": (54, 128, 128, 7), "partitions": 32, "solver": "lbfgs",
    },
}  # fmt: skip
EPOCHS, TURNS = 3, 2


def block(index: int, n: int, n_features: int, n_classes: int) -> tuple[Any, Any]:
    """Return the rows and labels of a partition."""
    random = np.random.default_rng([1, index])
    X = random.normal(size=(n, n_features)).astype(np.float32)
    return X, random.integers(0, n_classes, size=n)


def fit(client: Any, network: dict[str, Any], batch_size: int) -> tuple[float, float]:
    """Return the seconds of a round, and the share of the workers' time outside tasks."""
    import dask

    from dnncore.dask import DaskDNNClassifier

    sizes, n = network["sizes"], network["n_rows"] // network["partitions"]
    parts = [dask.delayed(block)(i, n, sizes[0], sizes[-1]) for i in range(network["partitions"])]
    client.get_task_stream()  # from now on, the scheduler records tasks
    ends: list[float] = []
    model = DaskDNNClassifier(
        sizes[1:-1], solver=network["solver"], client=client, early_stopping=False,
        max_iter=EPOCHS + 1, random_state=0, keep_rows=True, tol=0.0, n_iter_no_change=np.inf,
        batch_size=batch_size, strategy="auto",
        callback=lambda info: ends.append(time.time()),
    )  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit([part[0] for part in parts], [part[1] for part in parts])
    start, end = ends[0], ends[-1]  # the first round waits for the rows
    tasks = client.get_task_stream(start=start, stop=end)
    busy = sum(
        step["stop"] - step["start"]
        for task in tasks
        for step in task["startstops"]
        if step["action"] == "compute" and step["start"] >= start and step["stop"] <= end
    )
    n_threads = sum(client.nthreads().values())
    return (end - start) / EPOCHS, 1.0 - busy / ((end - start) * n_threads)


def local(network: dict[str, Any], batch_size: int) -> float:
    """Return the seconds of an epoch by the local estimator, on one thread."""
    from dnncore import DNNClassifier

    sizes, n = network["sizes"], network["n_rows"] // network["partitions"]
    parts = [block(i, n, sizes[0], sizes[-1]) for i in range(network["partitions"])]
    ends: list[float] = []
    model = DNNClassifier(
        sizes[1:-1], solver=network["solver"], early_stopping=False, max_iter=EPOCHS + 1,
        random_state=0, tol=0.0, n_iter_no_change=np.inf, batch_size=batch_size, n_threads=1,
        callback=lambda info: ends.append(time.time()),
    )  # fmt: skip
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(*map(np.concatenate, zip(*parts, strict=True)))
    return (ends[-1] - ends[0]) / EPOCHS


def main() -> None:
    from distributed import Client, LocalCluster

    options, output = parse(__doc__, NETWORKS)
    warn_if_busy()
    found: dict[str, Any] = {}
    for name in options.choose(NETWORKS):
        network = NETWORKS[name]
        if options.quick:
            network = network | {"n_rows": network["n_rows"] // 16}
        batch_size = 256
        seconds: dict[int, list[float]] = {1: [], 2: []}
        shares: dict[int, list[float]] = {1: [], 2: []}
        for _ in range(1 if options.quick else TURNS):
            for n_workers in seconds:
                cluster = LocalCluster(
                    n_workers=n_workers, threads_per_worker=1, dashboard_address=None
                )
                with cluster, Client(cluster) as client:
                    of_round, share = fit(client, network, batch_size)
                    seconds[n_workers].append(of_round)
                    shares[n_workers].append(share)
        one, two = (statistics.median(seconds[n]) for n in (1, 2))
        found[name] = {
            "one worker, s": one, "two workers, s": two, "ratio": one / two,
            "share, one": statistics.median(shares[1]), "share, two": statistics.median(shares[2]),
            "local, s": local(network, batch_size),
        }  # fmt: skip
        print(name, found[name], flush=True)
    print(markdown_table(
        ["network", "local, s", "1 worker, s", "2 workers, s", "2 over 1", "Dask's share, 1",
         "Dask's share, 2"],
        [(name, f"{x['local, s']:.2f}", f"{x['one worker, s']:.2f}", f"{x['two workers, s']:.2f}",
          f"{x['ratio']:.2f}", f"{x['share, one']:.1%}", f"{x['share, two']:.1%}")
         for name, x in found.items()],
    ))  # fmt: skip
    if output is not None:
        write_json(output, found)


if __name__ == "__main__":
    main()
