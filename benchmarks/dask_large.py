"""Train on more rows than the workers have memory for.

Tasks generate the rows of every partition; two workers train on them, but cannot keep them in their
limited memory. `python benchmarks/dask_large.py --gigabytes 20 --memory 2GB` prints the time of a
round and the largest memory of each worker, and ends with status 1 if one was above the limit.
"""

from __future__ import annotations

import argparse
import os
import resource
import sys
import time
import warnings
from typing import Any

import numpy as np

N_FEATURES, MEGABYTES_OF_A_PARTITION = 64, 32


def block(index: int, n: int) -> tuple[Any, Any]:
    """Return the rows and labels of a partition."""
    random = np.random.default_rng([1, index])
    X = random.standard_normal((n, N_FEATURES), dtype=np.float32)
    return X, (X[:, 0] * X[:, 1] + 0.5 * X[:, 2] > 0.0).astype(np.int64)


def largest_memory() -> int:
    """Return the largest resident memory of this process so far, in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def main() -> None:
    import dask
    from dask.utils import format_bytes, parse_bytes
    from distributed import Client, LocalCluster

    from dnncore.dask import DaskDNNClassifier

    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--gigabytes", type=float, default=20.0, help="(default: %(default)s)")
    parser.add_argument("--memory", default="2GB", help="of a worker (default: %(default)s)")
    parser.add_argument("--workers", type=int, default=2, help="(default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=2, help="(default: %(default)s)")
    options = parser.parse_args()
    n_partitions = round(options.gigabytes * 1e9 / (MEGABYTES_OF_A_PARTITION * 1e6))
    n = MEGABYTES_OF_A_PARTITION * 10**6 // (4 * N_FEATURES)
    parts = [dask.delayed(block, nout=2)(i, n) for i in range(n_partitions)]

    def after_round(info: Any) -> None:
        print(f"round {info.epoch}: {time.monotonic() - start:.0f} s, loss {info.loss:.4f}",
              flush=True)  # fmt: skip

    cluster = LocalCluster(
        n_workers=options.workers, threads_per_worker=1, memory_limit=options.memory,
        dashboard_address=":0", scheduler_kwargs={"dashboard": False},
    )  # fmt: skip
    with cluster, Client(cluster) as client, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pids = client.run(os.getpid)
        start = time.monotonic()
        model = DaskDNNClassifier(
            (128,), client=client, random_state=0, max_iter=options.rounds, early_stopping=False,
            callback=after_round,
        )  # fmt: skip
        model.fit([part[0] for part in parts], [part[1] for part in parts])
        peaks = client.run(largest_memory)
        restarted = client.run(os.getpid) != pids
    limit = parse_bytes(options.memory)
    print(f"{n_partitions} partitions of {n} rows, {options.gigabytes:g} GB in all")
    for address, peak in peaks.items():
        print(f"{address}: at most {format_bytes(peak)} of {format_bytes(limit)}")
    print("a worker was started again" if restarted else "no worker was started again")
    sys.exit(restarted or max(peaks.values()) > limit)


if __name__ == "__main__":
    main()
