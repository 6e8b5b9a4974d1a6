"""The time of a round on a simulated network, beside what the model of costs predicts.

A scheduler, a client and workers live in network namespaces of Linux, connected by a bridge through
links of 1 Gbit/s and 1 ms. The latency needs a kernel with netem; without it, the table says so.
The model is that of docs/explanation/dask.md, with the measured time of the tasks.
`sudo python benchmarks/dask_network.py --output network.json` prints both; it needs iproute2.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
from _harness import markdown_table, write_json

NETWORKS: dict[str, dict[str, Any]] = {
    "64-100-10": {"sizes": (64, 100, 10), "partitions": 16, "rows": 20_000, "solver": "adam"},
    "784-1024-10": {"sizes": (784, 1024, 10), "partitions": 8, "rows": 2000, "solver": "adam"},
    "440-1024x3-1936": {
        "sizes": (440, 1024, 1024, 1024, 1936), "partitions": 4, "rows": 1000, "solver": "sgd",
    },
}  # fmt: skip
N_VECTORS = {"adam": 3, "sgd": 2}  # the parameters and the solver's state
RATE, LATENCY_MS, EPOCHS = 1e9, 1.0, 5
BRIDGE, PREFIX = "dnnbridge", "dnn"
TASK_SECONDS, ROUND_SECONDS, LEVELS = 0.001, 0.01, 8  # of the model


def n_transfers(n_groups: int, n_workers: int) -> float:
    """Return how many times the state passes a link, one after the other, in a round."""
    n, fetched = n_groups, 0.0
    while n > 1:
        fetched += min(LEVELS, n)
        n = -(-n // LEVELS)
    return 5.0 + (1.0 - 1.0 / n_workers) * fetched


def ip(*arguments: str) -> None:
    subprocess.run(["ip", *arguments], check=True, capture_output=True, text=True)


class Network:
    """Namespaces on a bridge, each with a link of its own; a context manager.

    Attributes
    ----------
    delays : bool
        Whether the kernel delays packets.
    """

    def __init__(self, names: list[str]) -> None:
        self._names, self.delays = names, True

    def __enter__(self) -> Network:
        self._stack = ExitStack()
        ip("link", "add", BRIDGE, "type", "bridge")
        self._stack.callback(ip, "link", "del", BRIDGE)
        ip("link", "set", BRIDGE, "up")
        for i, name in enumerate(self._names):
            ip("netns", "add", name)
            self._stack.callback(ip, "netns", "del", name)
            inside, outside = f"{name}i", f"{name}o"
            ip("link", "add", inside, "type", "veth", "peer", "name", outside)
            ip("link", "set", outside, "master", BRIDGE, "up")
            ip("link", "set", inside, "netns", name)
            ip("-n", name, "addr", "add", f"{self.address(i)}/24", "dev", inside)
            ip("-n", name, "link", "set", inside, "up")
            ip("-n", name, "link", "set", "lo", "up")
            self._shape(["tc", "-n", name], inside)
            self._shape(["tc"], outside)
        return self

    def __exit__(self, *error: object) -> None:
        self._stack.close()

    def _shape(self, tc: list[str], device: str) -> None:
        """Limit what a device sends; a packet passes two such devices on its way, out and in."""
        rate = ["rate", f"{RATE:.0f}bit"]
        commands = {
            True: ["netem", "delay", f"{LATENCY_MS / 4}ms", *rate, "limit", "100000"],
            False: ["tbf", *rate, "burst", "256kb", "latency", "200ms"],
        }
        add = [*tc, "qdisc", "add", "dev", device, "root"]
        if subprocess.run([*add, *commands[True]], capture_output=True).returncode != 0:
            self.delays = False
            subprocess.run([*add, *commands[False]], check=True, capture_output=True)

    @staticmethod
    def address(i: int) -> str:
        return f"10.99.77.{i + 1}"


def start(namespace: str, module: str, *options: str) -> subprocess.Popen[bytes]:
    """Start a command of distributed in a namespace."""
    command = f"from {module} import main; main()"
    return subprocess.Popen(
        ["ip", "netns", "exec", namespace, sys.executable, "-c", command, *options],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip


def block(index: int, n: int, n_features: int, n_classes: int) -> tuple[Any, Any]:
    """Return the rows and labels of a partition."""
    random = np.random.default_rng([1, index])
    X = random.standard_normal((n, n_features), dtype=np.float32)
    return X, random.integers(0, n_classes, size=n)


def measure(address: str) -> dict[str, Any]:
    """Fit all networks; return times of rounds, measured and predicted. Runs in a namespace."""
    import dask
    from distributed import Client

    from dnncore.dask import DaskDNNClassifier, _base

    _base.rows_of_a_group = lambda *of_network: 1  # a task a partition
    found = {}
    with Client(address, timeout=60) as client, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        client.wait_for_workers(2, timeout=60)
        client.get_task_stream()  # the scheduler records tasks from now on
        for name, network in NETWORKS.items():
            sizes, n = network["sizes"], network["partitions"]
            parts = [
                dask.delayed(block, nout=2)(i, network["rows"], sizes[0], sizes[-1])
                for i in range(n)
            ]
            ends: list[float] = []
            model = DaskDNNClassifier(
                sizes[1:-1], solver=network["solver"], client=client, early_stopping=False,
                max_iter=EPOCHS + 1, random_state=0, keep_rows=True, tol=0.0,
                n_iter_no_change=np.inf, batch_size=200, strategy="average",
                callback=lambda info, ends=ends: ends.append(time.time()),
            )  # fmt: skip
            model.fit([part[0] for part in parts], [part[1] for part in parts])
            tasks = [
                step["stop"] - step["start"]
                for task in client.get_task_stream(start=ends[0], stop=ends[-1])
                if "sum" not in str(task["key"])
                for step in task["startstops"]
                if step["action"] == "compute"
            ]
            work = statistics.mean(tasks) if tasks else math.nan
            n_workers = sum(client.nthreads().values())
            n_bytes = N_VECTORS[network["solver"]] * model.network_.parameters.nbytes
            predicted = {
                "work": math.ceil(n / n_workers) * work,
                "scheduler": TASK_SECONDS * (n + n / (LEVELS - 1)),
                "round": ROUND_SECONDS,
                "transfers": n_transfers(n, n_workers) * n_bytes * 8 / RATE,
            }
            rounds = np.diff(ends)
            found[name] = {
                "bytes": n_bytes, "measured": float(np.median(rounds)), "predicted": predicted,
            }  # fmt: skip
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--output", type=Path, help="write the results to this JSON file")
    parser.add_argument("--measure", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measure(options.measure)))
        return
    names = [f"{PREFIX}{i}" for i in range(4)]
    with ExitStack() as stack:
        network = stack.enter_context(Network(names))
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        address = f"tcp://{network.address(0)}:8786"
        host = lambda i: ["--host", network.address(i), "--no-dashboard"]  # noqa: E731
        processes = [start(names[0], "distributed.cli.dask_scheduler", *host(0), "--port", "8786")]
        stack.callback(lambda: [(process.kill(), process.wait()) for process in processes])
        processes += [
            start(names[i], "distributed.cli.dask_worker", address, *host(i), "--nthreads", "1",
                  "--no-nanny", "--local-directory", folder)
            for i in (1, 2)
        ]  # fmt: skip
        done = subprocess.run(
            ["ip", "netns", "exec", names[3], sys.executable, __file__, "--measure", address],
            stdout=subprocess.PIPE, text=True, check=True, env=os.environ,
        )  # fmt: skip
        delays = network.delays
    found = json.loads(done.stdout.splitlines()[-1])
    latency = f"{LATENCY_MS:g} ms" if delays else "no latency (this kernel has no netem)"
    print(f"2 workers, {RATE / 1e9:g} Gbit/s, {latency}\n")
    print(markdown_table(
        ["network", "state, MB", "measured, s", "predicted, s", "of it work", "of it transfers"],
        [(name, f"{x['bytes'] / 1e6:.1f}", f"{x['measured']:.3f}",
          f"{sum(x['predicted'].values()):.3f}", f"{x['predicted']['work']:.3f}",
          f"{x['predicted']['transfers']:.3f}") for name, x in found.items()],
    ))  # fmt: skip
    if options.output is not None:
        write_json(options.output, found | {"delays": delays})


if __name__ == "__main__":
    main()
