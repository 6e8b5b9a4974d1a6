"""What fits on Dask do when a worker is killed, and with uneven partitions.

The same cases for dnncore.dask, lightgbm.dask and xgboost.dask: a worker is killed during training,
with or without a nanny; partitions are empty or have one class; the number of workers changes the
model or does not. Every case is a process of its own; a fit that does not end is ended.
`python benchmarks/chaos_peers.py --output chaos.json` prints a table of what happened.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from _harness import markdown_table, option_parser, options_of, write_json

LIBRARIES = ("dnncore", "lightgbm", "xgboost")
CASES = {
    "1 worker": {"n_workers": 1},
    "2 workers": {"n_workers": 2},
    "3 workers": {"n_workers": 3},
    "killed, nannies": {"n_workers": 2, "kill": True, "nanny": True},
    "killed, no nannies": {"n_workers": 2, "kill": True, "nanny": False},
    "an empty partition": {"n_workers": 2, "empty": True},
    "a worker without rows": {"n_workers": 3, "n_partitions": 2},
    "partitions of one class": {"n_workers": 2, "sorted": True},
}
N_PARTITIONS, ROWS, N_FEATURES, ROUNDS = 8, 10_000, 20, 40


def data(options: dict[str, Any]) -> tuple[Any, Any]:
    """Return Dask arrays of rows and classes."""
    import dask.array as da

    n_partitions = options.get("n_partitions", N_PARTITIONS)
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n_partitions * ROWS, N_FEATURES)).astype(np.float32)
    y = ((X[:, 0] * X[:, 1] > 0.0) ^ (rng.random(len(X)) < 0.1)).astype(np.int64)
    if options.get("sorted"):
        order = y.argsort(kind="stable")
        X, y = X[order], y[order]
    sizes = [ROWS] * n_partitions
    if options.get("empty"):
        sizes[1:1] = [0]
    return da.from_array(X, chunks=(tuple(sizes), -1)), da.from_array(y, chunks=(tuple(sizes),))


def fit(library: str, client: Any, X: Any, y: Any) -> bytes:
    """Fit; return the bytes of the model."""
    if library == "dnncore":
        from dnncore.dask import DaskDNNClassifier

        model = DaskDNNClassifier(
            (64,), client=client, random_state=0, max_iter=5 * ROUNDS, early_stopping=False,
            tol=0.0, n_iter_no_change=np.inf,
        )  # fmt: skip
        return model.fit(X, y).network_.parameters.tobytes()
    if library == "lightgbm":
        from lightgbm import DaskLGBMClassifier

        model = DaskLGBMClassifier(
            client=client, n_estimators=20 * ROUNDS, random_state=0, deterministic=True,
            force_row_wise=True, verbose=-1,
        )  # fmt: skip
        text = model.fit(X, y).booster_.model_to_string()
        return text.partition("\nparameters:")[0].encode()
    from xgboost.dask import DaskXGBClassifier

    model = DaskXGBClassifier(n_estimators=20 * ROUNDS, random_state=0, tree_method="hist")
    model.client = client
    return bytes(model.fit(X, y).get_booster().save_raw())


def case(library: str, name: str, seconds: float) -> dict[str, Any]:
    """Run a case in this process."""
    from distributed import Client, LocalCluster

    warnings.simplefilter("ignore")
    options = CASES[name] | {"seconds": seconds}
    if not options.get("nanny", True):
        return without_nannies(library, options)
    with (
        LocalCluster(n_workers=options["n_workers"], threads_per_worker=1, dashboard_address=":0",
                     silence_logs=50) as cluster,
        Client(cluster) as client,
    ):  # fmt: skip
        pids = list(client.run(os.getpid).values())
        return timed(library, client, options, pids)


def without_nannies(library: str, options: dict[str, Any]) -> dict[str, Any]:
    """Run a case with workers that nothing starts again."""
    from distributed import Client, LocalCluster

    with LocalCluster(n_workers=0, dashboard_address=":0", silence_logs=50) as cluster:
        command = "from distributed.cli.dask_worker import main; main()"
        workers = [
            subprocess.Popen(
                [sys.executable, "-c", command, cluster.scheduler_address, "--nthreads", "1",
                 "--no-nanny", "--no-dashboard"], stderr=subprocess.DEVNULL,
            )
            for _ in range(options["n_workers"])
        ]  # fmt: skip
        try:
            with Client(cluster) as client:
                client.wait_for_workers(len(workers))
                return timed(library, client, options, [worker.pid for worker in workers])
        finally:
            for worker in workers:
                worker.kill()


def timed(library: str, client: Any, options: dict[str, Any], pids: list[int]) -> dict[str, Any]:
    """Fit, and kill a worker once training has begun."""
    X, y = data(options)
    if options.get("kill"):  # first imports take long
        fit(library, client, X[:ROWS], y[:ROWS])
    if options.get("kill"):
        threading.Timer(2.0, os.kill, (pids[0], signal.SIGKILL)).start()
    threading.Timer(options["seconds"], hang, (options["seconds"],)).start()
    start = time.monotonic()
    try:
        model = fit(library, client, X, y)
    except Exception as error:
        outcome = {"error": f"{type(error).__name__}: {str(error)[:200]}"}
    else:
        outcome = {"digest": hashlib.sha256(model).hexdigest()[:12]}
    outcome["seconds"] = time.monotonic() - start
    return outcome


def run(library: str, name: str, seconds: float) -> dict[str, Any]:
    """Run a case in a process of its own."""
    command = [sys.executable, __file__, "--case", library, name, str(seconds)]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        start_new_session=True,
    )  # fmt: skip
    try:
        lines = process.communicate(timeout=5 * seconds)[0].splitlines()
    except subprocess.TimeoutExpired:
        return {"error": "hangs"}
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
    found: dict[str, Any] = json.loads(lines[-1]) if lines else {"error": "the client ended"}
    return found


def main() -> None:
    if sys.argv[1:2] == ["--case"]:
        library, name, seconds = sys.argv[2:]
        print(json.dumps(case(library, name, float(seconds))), flush=True)
        os._exit(0)
    parser = option_parser(__doc__, LIBRARIES)
    parser.add_argument("--output", type=Path, help="write the results to this JSON file")
    parser.add_argument("--cases", nargs="+", choices=CASES, default=list(CASES))
    parser.add_argument("--seconds", type=float, default=60.0,
                        help="until a fit hangs (default: %(default)s)")  # fmt: skip
    arguments = parser.parse_args()
    libraries, output = options_of(arguments).choose(LIBRARIES), arguments.output
    found = {
        name: {library: run(library, name, arguments.seconds) for library in libraries}
        for name in arguments.cases
    }
    rows = [
        (name, *(
            x.get("error") or f"ends, {x['seconds']:.0f} s, model {x['digest']}"
            for x in of_case.values()
        ))
        for name, of_case in found.items()
    ]  # fmt: skip
    print(markdown_table(["case", *libraries], rows))
    if output is not None:
        write_json(output, found)


def hang(seconds: float) -> None:
    print(json.dumps({"error": f"hangs (ended after {seconds:.0f} s)"}), flush=True)
    os.killpg(os.getpgid(0), signal.SIGKILL)


if __name__ == "__main__":
    main()
