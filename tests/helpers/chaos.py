"""Disturb fits on a cluster of processes at random moments; compare with undisturbed fits.

    python tests/helpers/chaos.py --rounds 60 --seed 0

A cluster is a scheduler and workers, processes of their own, half of the time under nannies, which
start a lost worker again. Every round is a fit of one of several configurations, which is disturbed
once or several times: a worker is killed (SIGKILL), added, retired, or stopped for a while
(SIGSTOP), the memory of one worker or of all is filled until Dask pauses them, and freed again, or
the scheduler is killed. The model must have the bits of an undisturbed fit. After the
loss of the scheduler, the fit must end within a minute by one ConnectionError, with the model of
the last round; the checkpoint must go on to the same bits. The last output is a table.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import dask
import numpy as np
import psutil

CONFIGURATIONS: dict[str, dict[str, Any]] = {
    "average, kept": {"keep_rows": True, "max_iter": 14},
    "average, read anew": {"keep_rows": False, "max_iter": 9},
    "exact, kept": {"keep_rows": True, "strategy": "exact", "max_iter": 9},
    "lbfgs, kept": {"keep_rows": True, "solver": "lbfgs", "max_iter": 9},
}
N_PARTITIONS, ROWS, READ_SECONDS = 12, 2000, 0.05
ROUND_SECONDS = 0.1  # that a fit waits after a round, so that most events meet it
SHARE_IN_ROUNDS = 0.7  # of the fits that are disturbed after the first round
LONGEST = 2.0  # seconds until an event
SECONDS = 120.0  # until a fit that does not end is a fault
SCHEDULER_SECONDS = 60.0  # until the loss of the scheduler must have been told
EVENTS = ("kill", "add", "retire", "stop", "fill", "fill-all", "scheduler")
WEIGHTS = (50, 10, 10, 10, 8, 2, 10)
MEMORY, FULL = "600MB", 0.87  # limit of a worker, and the share that a filled one uses: above 80%
PAUSE_SECONDS = 3.0


def read(index: int) -> tuple[Any, Any]:
    """Return the rows and labels of a partition, as slowly as a file."""
    time.sleep(READ_SECONDS)
    rng = np.random.default_rng([1, index])
    X = rng.normal(size=(ROWS, 10)).astype(np.float32)
    return X, (X[:, 0] * X[:, 1] > 0.0).astype(int)


class Processes:
    """A scheduler and its workers, each a process of its own.

    Parameters
    ----------
    n_workers : int
        Number of workers, of one thread each.
    nanny : bool
        Whether a nanny starts a worker again after its process has ended.
    """

    def __init__(self, n_workers: int, nanny: bool) -> None:
        self._n_workers, self._nanny = n_workers, nanny
        self._folder = tempfile.TemporaryDirectory()
        self._file = Path(self._folder.name) / "scheduler.json"
        self._scheduler = self._start(
            "distributed.cli.dask_scheduler", "--port", "0", "--no-dashboard",
            "--dashboard-address", ":0", "--no-show", "--scheduler-file", str(self._file),
            "--host", "127.0.0.1",
        )  # fmt: skip
        self._workers: list[subprocess.Popen[bytes]] = []

    def _start(self, module: str, *options: str) -> subprocess.Popen[bytes]:
        command = f"from {module} import main; main()"
        here = [os.fspath(Path(__file__).parent), os.environ.get("PYTHONPATH", "")]
        environment = {"PYTHONPATH": os.pathsep.join(here), "OMP_NUM_THREADS": "1"}
        return subprocess.Popen(
            [sys.executable, "-c", command, *options], stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL, env=os.environ | environment,
        )  # fmt: skip

    def client(self) -> Any:
        """Return a client, once there are as many workers as in the beginning."""
        from distributed import Client

        client = Client(scheduler_file=str(self._file), timeout=30, set_as_default=False)
        self._workers = [worker for worker in self._workers if worker.poll() is None]
        for _ in range(self._n_workers - len(self._workers)):
            self.add()
        client.wait_for_workers(self._n_workers, timeout=60)
        return client

    @property
    def is_usable(self) -> bool:
        """Whether the scheduler runs, and there are not many more workers than in the beginning."""
        return self._scheduler.poll() is None and len(self._workers) <= 2 * self._n_workers

    def add(self) -> None:
        self._workers.append(
            self._start(
                "distributed.cli.dask_worker", "--nthreads", "1", "--no-dashboard",
                "--nanny" if self._nanny else "--no-nanny", "--local-directory",
                self._folder.name, "--scheduler-file", str(self._file), "--host", "127.0.0.1",
                "--memory-limit", MEMORY,
            )
        )  # fmt: skip

    def processes_of_workers(self) -> list[psutil.Process]:
        """Return the processes that run tasks: not those of nannies."""
        found = []
        for worker in self._workers:
            with suppress(psutil.NoSuchProcess):
                process = psutil.Process(worker.pid)
                if process.status() == psutil.STATUS_ZOMBIE:
                    continue
                children = [p for p in process.children() if "spawn_main" in " ".join(p.cmdline())]
                found += children if self._nanny else [process]
        return found

    def kill_scheduler(self) -> None:
        self._scheduler.kill()
        self._scheduler.wait()

    def close(self) -> None:
        for process in [self._scheduler, *self._workers]:
            with suppress(psutil.NoSuchProcess):
                for child in psutil.Process(process.pid).children(recursive=True):
                    with suppress(psutil.NoSuchProcess):
                        child.kill()
            process.kill()
            process.wait()
        self._folder.cleanup()


def estimator(name: str, client: Any = None, **options: Any) -> Any:
    from dnncore.dask import DaskDNNClassifier

    return DaskDNNClassifier(
        (16,), client=client, random_state=0, early_stopping=False, tol=0.0,
        n_iter_no_change=np.inf, **CONFIGURATIONS[name] | options,
    )  # fmt: skip


def fit(model: Any) -> Any:
    parts = [dask.delayed(read)(i) for i in range(N_PARTITIONS)]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return model.fit([part[0] for part in parts], [part[1] for part in parts])


def small_groups() -> None:
    """Let every partition be a task, as large ones are."""
    from dnncore.dask import _base

    _base.rows_of_a_group = lambda *of_network: ROWS  # type: ignore[assignment]


def fill_memory(dask_worker: Any) -> None:
    """Use so much memory that Dask pauses this worker."""
    if getattr(dask_worker, "ballast", None) is None:
        limit = dask_worker.memory_manager.memory_limit
        free = FULL * limit - dask_worker.monitor.get_process_memory()
        dask_worker.ballast = np.ones(max(0, int(free)), np.uint8)


def free_memory(dask_worker: Any) -> None:
    dask_worker.ballast = None


def are_paused(client: Any, workers: list[str]) -> bool:
    """Return whether the scheduler gives these workers no tasks."""
    known = client.scheduler_info(n_workers=-1)["workers"]
    return all(known[worker]["status"] == "paused" for worker in workers if worker in known)


class Filling(threading.Thread):
    """Fills the memory of workers, waits until they are paused, and frees it a while later.

    Parameters
    ----------
    client : distributed.Client
    workers : list of str
        Addresses of the workers.
    runs : callable
        Function that returns whether the fit runs.

    Attributes
    ----------
    met : bool
        Whether the workers were paused while the fit ran.
    """

    def __init__(self, client: Any, workers: list[str], runs: Callable[[], bool]) -> None:
        super().__init__(daemon=True)
        self._client, self._workers, self._runs, self.met = client, workers, runs, False
        self.start()

    def run(self) -> None:
        with suppress(Exception):  # other events end workers and connections
            self._client.run(fill_memory, workers=self._workers, on_error="ignore")
            end = time.monotonic() + PAUSE_SECONDS
            while not are_paused(self._client, self._workers) and time.monotonic() < end:
                time.sleep(0.02)
            self.met = self._runs() and are_paused(self._client, self._workers)
            time.sleep(PAUSE_SECONDS)
        with suppress(Exception):
            self._client.run(free_memory, workers=self._workers, on_error="ignore")


def disturb(
    event: str, processes: Processes, client: Any, rng: random.Random, runs: Callable[[], bool]
) -> Filling | None:
    """Let something happen to a cluster; return what takes a while."""
    running = processes.processes_of_workers()
    if event == "kill" and running:
        with suppress(psutil.NoSuchProcess):
            rng.choice(running).kill()
        if not processes._nanny:  # the next worker comes as by a batch system
            processes.add()
    elif event == "add":
        processes.add()
    elif event == "retire":
        workers = list(client.scheduler_info(n_workers=-1)["workers"])
        if len(workers) > 1:
            client.retire_workers([rng.choice(workers)])
    elif event in ("fill", "fill-all"):
        workers = sorted(client.scheduler_info(n_workers=-1)["workers"])
        if workers:
            chosen = workers if event == "fill-all" else [rng.choice(workers)]
            return Filling(client, chosen, runs)
    elif event == "stop" and running:
        process = rng.choice(running)
        with suppress(psutil.NoSuchProcess):
            process.send_signal(signal.SIGSTOP)
            threading.Timer(1.5, lambda: _go_on(process)).start()
    elif event == "scheduler":
        processes.kill_scheduler()
    return None


def _go_on(process: psutil.Process) -> None:
    with suppress(psutil.NoSuchProcess):
        process.send_signal(signal.SIGCONT)


class Outcome(threading.Thread):
    """A fit in a thread: its model, its error and how long it took."""

    def __init__(self, model: Any) -> None:
        super().__init__(daemon=True)
        self.model, self.error, self.end = model, None, 0.0

    def run(self) -> None:
        try:
            fit(self.model)
        except BaseException as error:
            self.error = error
        self.end = time.monotonic()


def disturbed(
    name: str, events: list[tuple[float, str]], processes: Processes, client: Any, expected: str,
    rng: random.Random, in_rounds: bool,
) -> tuple[str, list[tuple[float, str]]]:  # fmt: skip
    """Run a fit, and let events happen at their times; return its outcome, and which happened.

    The times count from the beginning or, with `in_rounds`, from the end of the first round.
    """
    from dnncore.checkpoints import Checkpoint

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.safetensors"
        rounds: list[Any] = []
        model = estimator(name, client, checkpoint=Checkpoint(path, seconds=0))

        def after_round(info: Any) -> None:
            rounds.append(model.network_.parameters.copy())
            time.sleep(ROUND_SECONDS)

        model.callback = after_round
        outcome, lost = Outcome(model), None
        outcome.start()
        while in_rounds and outcome.is_alive() and not rounds:
            time.sleep(0.005)
        begin, happened = time.monotonic(), []
        fillings: dict[int, Filling] = {}
        for moment, event in events:
            outcome.join(max(0.0, begin + moment - time.monotonic()))
            if not outcome.is_alive() or lost is not None:
                break
            filling = disturb(event, processes, client, rng, outcome.is_alive)
            if filling is not None:
                fillings[len(happened)] = filling
            happened.append((moment, event))
            lost = time.monotonic() if event == "scheduler" else None
        outcome.join(SECONDS)
        for i, filling in fillings.items():
            filling.join()
            if not filling.met:
                happened[i] = happened[i][0], f"{happened[i][1]}, too late"
        if outcome.is_alive():
            return "HANGS", happened
        if lost is None or outcome.error is None:
            return after_the_end(outcome, expected), happened
        if not isinstance(outcome.error, ConnectionError):
            return after_the_end(outcome, expected), happened
        if outcome.end - lost > SCHEDULER_SECONDS:
            return f"LATE: {outcome.end - lost:.0f} s", happened
        if rounds and not np.array_equal(rounds[-1], model.network_.parameters):
            return "OTHER PARAMETERS than of the last round", happened
        return resumed(name, path, expected), happened


def after_the_end(outcome: Outcome, expected: str) -> str:
    """Return what became of a fit that the scheduler has survived."""
    from partitioned import digest

    if outcome.error is not None:
        return f"FAILS: {type(outcome.error).__name__}: {str(outcome.error)[:100]}"
    return "same bits" if digest(outcome.model) == expected else "OTHER BITS"


def resumed(name: str, path: Path, expected: str) -> str:
    """Go on from a checkpoint, on the threads of this process."""
    from partitioned import digest

    from dnncore import load
    from dnncore.dask import DaskDNNClassifier

    if not path.exists():
        return "ConnectionError before the first round"
    options = CONFIGURATIONS[name]
    model = DaskDNNClassifier.from_local(
        load(path), strategy=options.get("strategy", "auto"), keep_rows=options["keep_rows"]
    )
    fit(model.set_params(warm_start=True))
    same = digest(model) == expected
    return "ConnectionError, checkpoint goes on to the same bits" if same else "OTHER BITS"


def run(n_rounds: int, seed: int, events: tuple[str, ...] = EVENTS,
        say: Callable[[str], None] = print) -> Counter[tuple[str, bool, str]]:  # fmt: skip
    """Disturb so many fits; return how often each event had each outcome."""
    from partitioned import digest

    small_groups()
    rng = random.Random(seed)
    expected, table = {}, Counter()
    names, clusters = list(CONFIGURATIONS), {}
    weights = [WEIGHTS[EVENTS.index(event)] for event in events]
    try:
        for i in range(n_rounds):
            name, nanny = names[i % len(names)], rng.random() < 0.5
            if name not in expected:
                expected[name] = digest(fit(estimator(name)))
            chosen = rng.choices(events, weights, k=rng.choice((1, 2, 3)))
            in_rounds = rng.random() < SHARE_IN_ROUNDS
            moments = sorted(rng.uniform(0.0, LONGEST) for _ in chosen)
            happens = list(zip(moments, chosen, strict=True))
            processes = clusters.get(nanny) or clusters.setdefault(nanny, Processes(2, nanny))
            client = processes.client()
            begin = time.monotonic()
            found, happened = disturbed(
                name, happens, processes, client, expected[name], rng, in_rounds
            )
            seconds = time.monotonic() - begin
            with suppress(Exception):
                client.close(timeout=2)
            if is_fault(found) or not processes.is_usable:
                clusters.pop(nanny).close()
            for _, event in happened:
                table[event, nanny, found] += 1
            when = ", ".join(f"{event} at {moment:.2f} s" for moment, event in happened)
            when += " after the first round" if in_rounds else ""
            manner = "nannies" if nanny else "no nannies"
            say(f"{i + 1}: {name}, {manner}, {when}: {found} ({seconds:.1f} s)")
    finally:
        for processes in clusters.values():
            processes.close()
    return table


def is_fault(outcome: str) -> bool:
    return outcome.split(":")[0].split()[0].isupper() and outcome != "same bits"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=60, help="(default: %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="(default: %(default)s)")
    parser.add_argument("--events", choices=EVENTS, nargs="+", default=list(EVENTS))
    options = parser.parse_args()
    table = run(options.rounds, options.seed, tuple(options.events),
                lambda line: print(line, flush=True))  # fmt: skip
    print("\n| event | nannies | outcome of the fit | times |\n|---|---|---|---|")
    for (event, nanny, outcome), n in sorted(table.items()):
        print(f"| {event} | {'yes' if nanny else 'no'} | {outcome} | {n} |")
    sys.exit(any(is_fault(outcome) for _, _, outcome in table))


if __name__ == "__main__":
    main()
