"""Time and peak memory on sparse input, compared with dense input and with scikit-learn.

The data resembles the TF-IDF matrix of a collection of texts. DNNClassifier and MLPClassifier have
the same settings: one hidden layer, Adam, batch size 200, and no input standardisation except in
the job "norm". Without it, only stored elements are multiplied; the job "unsorted" has indices in
descending order, so that rows are made dense mini-batch by mini-batch. Every job runs in its own
process, and the processes take turns. The time per epoch is the difference between two fits
divided by the difference of their epochs. The memory is the peak minus the memory in use after
loading the data.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import statistics
import subprocess
import sys
import time
import warnings
from typing import Any

import numpy as np
from scipy import sparse

CLASSES = 10
JOBS = (
    "dnncore", "dnncore, norm", "dnncore, unsorted", "dnncore, dense", "scikit-learn",
    "scikit-learn, dense",
)  # fmt: skip


def texts(n: int, features: int, density: float, dtype: str) -> tuple[Any, Any]:
    """Return rows of word counts, with some frequent words, and classes that depend on them."""
    rng = np.random.default_rng(0)
    frequency = 1.0 / np.arange(10, features + 10)
    n_values = int(n * features * density)
    rows = rng.integers(0, n, n_values)
    words = rng.choice(features, n_values, p=frequency / frequency.sum())
    values = rng.uniform(0.1, 1.0, n_values)
    X = sparse.coo_array((values, (rows, words)), shape=(n, features)).tocsr()
    y = (X @ rng.normal(size=(features, CLASSES))).argmax(axis=1)
    return X.astype(dtype), y


def reverse_indices(X: Any) -> Any:
    """Return the CSR matrix X with the elements of every row in descending order of columns."""
    n_stored = np.diff(X.indptr)
    order = np.arange(X.nnz)
    order = np.repeat(X.indptr[:-1] + X.indptr[1:] - 1, n_stored) - order
    return sparse.csr_array((X.data[order], X.indices[order], X.indptr), shape=X.shape)


def peak() -> float:
    """Return the peak memory of the process in MiB."""
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20


def run(job: str, arguments: argparse.Namespace) -> dict[str, float]:
    """Run a job, in its own process."""
    from sklearn.neural_network import MLPClassifier

    from dnncore import DNNClassifier

    warnings.simplefilter("ignore")
    X, y = texts(arguments.rows, arguments.features, arguments.density, arguments.dtype)
    settings: dict[str, Any] = {
        "hidden_layer_sizes": (arguments.hidden,), "activation": "relu", "solver": "adam",
        "batch_size": 200, "random_state": 0, "tol": 0.0, "n_iter_no_change": 1000,
        "learning_rate_init": 1e-3,
    }  # fmt: skip
    make: Any = MLPClassifier
    if job.startswith("dnncore"):
        make = DNNClassifier
        settings |= {"norm": job.endswith("norm"), "n_threads": arguments.threads}
    if job.endswith("unsorted"):
        X = reverse_indices(X)
    before = peak()
    if job.endswith("dense"):
        X = X.toarray()
    seconds = []
    for epochs in (1, 1 + arguments.epochs):
        start = time.perf_counter()
        model = make(max_iter=epochs, **settings).fit(X, y)
        seconds.append(time.perf_counter() - start)
    start = time.perf_counter()
    model.predict_proba(X)
    return {
        "epoch": (seconds[1] - seconds[0]) / arguments.epochs,
        "first": seconds[0],
        "scoring": time.perf_counter() - start,
        "memory": peak() - before,
        "loss": model.loss_,
        "dense": X.shape[0] * X.shape[1] * X.dtype.itemsize / 2**20,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--features", type=int, default=5_000)
    parser.add_argument("--density", type=float, default=0.005)
    parser.add_argument("--hidden", type=int, default=100)
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--dtype", default="float64", choices=("float32", "float64"))
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--jobs", nargs="+", default=JOBS, choices=JOBS)
    parser.add_argument("--one", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.one:
        print(json.dumps(run(arguments.one, arguments)))
        return
    found: dict[str, list[dict[str, float]]] = {job: [] for job in arguments.jobs}
    limits = {f"{name}_NUM_THREADS": str(arguments.threads) for name in ("OMP", "OPENBLAS")}
    for _ in range(arguments.rounds):
        for job in arguments.jobs:
            command = [sys.executable, *sys.argv, "--one", job]
            done = subprocess.run(
                command, check=True, capture_output=True, env={**os.environ, **limits}
            )
            found[job].append(json.loads(done.stdout))
    median = {
        job: {name: statistics.median(one[name] for one in runs) for name in runs[0]}
        for job, runs in found.items()
    }
    dense = next(iter(median.values()))["dense"]
    print(
        f"{arguments.rows} x {arguments.features}, density {arguments.density:.2%}, "
        f"{arguments.dtype} ({dense:.0f} MiB if dense), {arguments.hidden} hidden units, "
        f"threads: {arguments.threads}\n"
    )
    print("| | epoch, s | first fit, one epoch, s | scoring, s | memory, MiB | loss |")
    print("| :-- | --: | --: | --: | --: | --: |")
    for job, one in median.items():
        print(
            f"| {job} | {one['epoch']:.2f} | {one['first']:.2f} | {one['scoring']:.3f} "
            f"| {one['memory']:.0f} | {one['loss']:.4f} |"
        )


if __name__ == "__main__":
    main()
