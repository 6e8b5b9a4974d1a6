"""Accuracy of models trained on Dask collections, beside that of the local estimator.

Problems of 100,000 rows, generated so that a network has to learn them for many epochs, and a
network of two layers of 200: so much work that the partitions stay groups of their own. Every
problem is fitted with several seeds, locally and with `strategy='average'`. The spread is the
standard deviation over the seeds of the local estimator. Smaller tables are one group, which is
trained on as locally; some of `_tables.py` show that. `python benchmarks/dask_accuracy.py --output
dask_accuracy.json`.
"""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from _harness import markdown_table, parse, write_json
from _tables import TABLES, load, split
from numpy.typing import NDArray

N_ROWS, N_TEST, N_PARTITIONS, SEEDS = 100_000, 20_000, 4, 3
Problem = tuple[NDArray[Any], NDArray[Any]]


def teacher(random: np.random.Generator, n: int) -> Problem:
    """Classes of a random network of two hidden layers, with noise."""
    X = random.normal(size=(n, 20))
    a = np.tanh(X @ random.normal(size=(20, 30)) / np.sqrt(10))
    a = np.tanh(a @ random.normal(size=(30, 30)) / np.sqrt(10))
    logits = a @ random.normal(size=(30, 8)) + random.gumbel(size=(n, 8)) * 0.3
    return X, logits.argmax(axis=1)


def rings(random: np.random.Generator, n: int) -> Problem:
    """Classes by the distance from the origin in 10 dimensions, in 5 shells."""
    X = random.normal(size=(n, 10))
    radius = np.sqrt((X**2).sum(axis=1)) + random.normal(size=n) * 0.1
    return X, np.digitize(radius, [2.4, 2.9, 3.3, 3.8])


def clusters(random: np.random.Generator, n: int) -> Problem:
    """Ten classes, each of eight Gaussian clusters in 16 dimensions."""
    centres = random.normal(size=(80, 16)) * 1.3
    cluster = random.integers(80, size=n)
    return centres[cluster] + random.normal(size=(n, 16)), cluster % 10


def friedman(random: np.random.Generator, n: int) -> Problem:
    """Friedman's first regression problem (1991), with five features that do not matter."""
    X = random.random((n, 10))
    y = 10 * np.sin(np.pi * X[:, 0] * X[:, 1]) + 20 * (X[:, 2] - 0.5) ** 2
    return X, y + 10 * X[:, 3] + 5 * X[:, 4] + random.normal(size=n)


def waves(random: np.random.Generator, n: int) -> Problem:
    """A sum of sines of random directions, with noise."""
    X = random.normal(size=(n, 6))
    phases = X @ random.normal(size=(6, 12)) + random.uniform(0, 6, 12)
    return X, np.sin(phases) @ random.normal(size=12) + 0.2 * random.normal(size=n)


GENERATED: dict[str, Callable[[np.random.Generator, int], Problem]] = {
    f.__name__: f for f in (teacher, rings, clusters, friedman, waves)
}
SMALL = ("letter", "magic", "satimage", "NOxEmissions")


def rows_of(name: str) -> tuple[Problem, Problem]:
    """Return training and held-out rows."""
    if name in GENERATED:
        X, y = GENERATED[name](np.random.default_rng(7), N_ROWS + N_TEST)
        X = X.astype(np.float32)
        return (X[:N_ROWS], y[:N_ROWS]), (X[N_ROWS:], y[N_ROWS:])
    import pandas as pd

    frame, y = load(name)
    X = pd.get_dummies(frame).to_numpy(np.float32)
    train, test = split(name, y, 0)
    return (X[train], y[train]), (X[test], y[test])


def measure(name: str, seed: int) -> dict[str, Any]:
    """Return accuracy or R2 on held-out rows, epochs and seconds, locally and on collections."""
    import dask.array as da

    from dnncore import DNNClassifier, DNNRegressor
    from dnncore.dask import DaskDNNClassifier, DaskDNNRegressor

    (X, y), test = rows_of(name)
    classes = name in (*GENERATED, *TABLES) and y.dtype.kind == "i"
    hidden = (200, 200) if name in GENERATED else (100,)
    n = -(-len(X) // N_PARTITIONS)
    found: dict[str, Any] = {}
    for on_dask in (False, True):
        if on_dask:
            kind: Any = DaskDNNClassifier if classes else DaskDNNRegressor
            rows: Any = [da.from_array(x, chunks=(n, *x.shape[1:])) for x in (X, y)]
        else:
            kind, rows = DNNClassifier if classes else DNNRegressor, (X, y)
        start = time.perf_counter()
        model = kind(hidden_layer_sizes=hidden, random_state=seed).fit(*rows)
        key = "dask" if on_dask else "local"
        found |= {
            key: model.score(*test), f"{key}, epochs": model.n_iter_,
            f"{key}, s": time.perf_counter() - start,
        }  # fmt: skip
    return found


def main() -> None:
    options, output = parse(__doc__, (*GENERATED, *SMALL))
    warnings.simplefilter("ignore")
    found: dict[str, Any] = {}
    for name in options.choose((*GENERATED, *SMALL)):
        runs = [measure(name, seed) for seed in range(2 if options.quick else SEEDS)]
        found[name] = {key: float(np.mean([run[key] for run in runs])) for key in runs[0]}
        found[name]["spread"] = float(np.std([run["local"] for run in runs], ddof=1))
        print(name, found[name], flush=True)
    print(markdown_table(
        ["problem", "local", "on Dask", "spread of seeds", "epochs, local", "epochs, on Dask"],
        [(name, f"{v['local']:.4f}", f"{v['dask']:.4f}", f"{v['spread']:.4f}",
          f"{v['local, epochs']:.0f}", f"{v['dask, epochs']:.0f}") for name, v in found.items()],
    ))  # fmt: skip
    if output is not None:
        write_json(output, found)


if __name__ == "__main__":
    main()
