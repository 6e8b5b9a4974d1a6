"""Worker processes that take turns, summaries, machine description, command-line options."""

from __future__ import annotations

import argparse
import contextlib
import datetime
import importlib.metadata
import json
import multiprocessing
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
PACKAGES = (
    "dnncore", "numpy", "scipy", "scikit-learn", "torch", "jax", "jaxlib", "tensorflow",
    "tensorflow-cpu", "mlx", "onnxruntime", "openvino", "skorch", "thinc",
)  # fmt: skip

# Threads of OpenMP, OpenBLAS, Eigen and others continue to spin for up to 0.2 s after a call.
PAUSE = 0.3
ANSWER_WITHIN = 1200  # seconds, including compilation


class WorkerError(Exception):
    """The task is not available or has failed; the message gives the reason."""


class Worker:
    """A process that runs one task.

    Parameters
    ----------
    maker : str
        "module:function". The function is called in the process with `arguments`, and returns
        the task.
    arguments : tuple, default=()
        Arguments of the function.
    threads : int, default=1
        Number of threads, and number of processors to which the process is pinned.
    python : str, optional
        The interpreter; default: this one.
    """

    def __init__(
        self,
        maker: str,
        arguments: Sequence[object] = (),
        *,
        threads: int = 1,
        python: str = sys.executable,
    ) -> None:
        self._connection, other_end = multiprocessing.Pipe()
        with other_end:
            self._process = subprocess.Popen(
                [python, "-W", "ignore", HERE / "_worker.py", str(other_end.fileno()),
                 ",".join(map(str, available_cpus()[-threads:]))],
                pass_fds=[other_end.fileno()],
                env=os.environ | environment(threads),
            )  # fmt: skip
        self._connection.send((maker, tuple(arguments)))

    def wait_until_ready(self) -> None:
        self._receive()

    def __call__(self, *arguments: object) -> Any:
        """Run the task once."""
        try:
            self._connection.send(arguments)
        except BrokenPipeError:
            raise self._died() from None
        return self._receive()

    def _receive(self) -> Any:
        if not self._connection.poll(ANSWER_WITHIN):
            raise WorkerError(f"failed: no answer within {ANSWER_WITHIN} s")
        try:
            kind, value = self._connection.recv()
        except (EOFError, ConnectionResetError):
            raise self._died() from None
        if kind in ("ready", "result"):
            return value
        raise WorkerError(f"{kind}: {value}")

    def _died(self) -> WorkerError:
        return WorkerError(f"failed: the process ended with exit code {self._process.wait()}")

    def close(self) -> None:
        self._connection.close()
        self._process.terminate()
        self._process.wait()


def available_cpus() -> list[int]:
    """Return the processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def environment(threads: int) -> dict[str, str]:
    """Return environment variables that set the number of threads of libraries at load time."""
    names = (
        "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS",
        "VECLIB_MAXIMUM_THREADS", "NUMEXPR_NUM_THREADS",
        "NPROC",  # XLA; if the process is pinned, XLA counts its processors anyway
    )  # fmt: skip
    return dict.fromkeys(names, str(threads)) | {
        "JAX_PLATFORMS": "cpu",
        "TF_CPP_MIN_LOG_LEVEL": "2",  # TensorFlow describes the processor otherwise
        # PyTorch's compiler would otherwise keep a pool of processes.
        "TORCHINDUCTOR_COMPILE_THREADS": "1",
    }


@dataclass
class Outcome:
    """The outcome of `take_turns`; each name is in one of the two dictionaries.

    Attributes
    ----------
    results : dict from name to list
        Results of the task in each round.
    absent : dict from name to str
        Reason why there is no result.
    """

    results: dict[str, list[Any]]
    absent: dict[str, str]


def take_turns(
    tasks: Mapping[str, tuple[str, Sequence[object]]],
    rounds: Iterable[Sequence[object]],
    *,
    threads: int,
    pythons: Mapping[str, str] | None = None,
) -> Outcome:
    """Run every task once per round, one after another, each in its own process.

    Disturbances of the machine then affect all tasks alike. Each round starts with a different
    task.

    Parameters
    ----------
    tasks : mapping from name to (maker, arguments)
        See `Worker`.
    rounds : iterable of sequences
        Arguments of the tasks in each round.
    threads : int
        Number of threads of each task.
    pythons : mapping from name to str, optional
        Interpreters of the tasks that do not run in this one.
    """
    pythons = pythons or {}
    outcome = Outcome({}, {})
    workers: dict[str, Worker] = {}

    def attempt(name: str, action: Callable[..., Any], *arguments: object) -> Any:
        try:
            return action(*arguments)
        except WorkerError as error:
            outcome.absent[name] = str(error)
            outcome.results.pop(name, None)
            workers.pop(name).close()

    try:
        for name, (maker, arguments) in tasks.items():
            python = pythons.get(name, sys.executable)
            workers[name] = Worker(maker, arguments, threads=threads, python=python)
        for name in list(workers):
            attempt(name, workers[name].wait_until_ready)
        outcome.results = {name: [] for name in workers}
        for number, arguments in enumerate(rounds):
            names = list(workers)
            first = number % max(1, len(names))
            for name in names[first:] + names[:first]:
                time.sleep(PAUSE)
                result = attempt(name, workers[name], *arguments)
                if name in workers:
                    outcome.results[name].append(result)
    finally:
        for worker in workers.values():
            worker.close()
    return outcome


def run_once(maker: str, arguments: Sequence[object] = (), *, threads: int = 1) -> Any:
    """Return the result of one call of a task, in its own process."""
    worker = Worker(maker, arguments, threads=threads)
    try:
        worker.wait_until_ready()
        return worker()
    finally:
        worker.close()


def summary(values: Iterable[float]) -> dict[str, float]:
    """Return median, minimum and maximum."""
    values = list(values)
    return {"median": statistics.median(values), "low": min(values), "high": max(values)}


# ------------------------------------------------------------------------------------ machine


def describe_machine() -> dict[str, Any]:
    """Return processor, operating system, versions and load average."""
    return {
        "processor": _processor(),
        "available_cpus": len(available_cpus()),
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "versions": _versions(),
        "dnncore": run_once("_harness:configuration_task"),
        "load_average": os.getloadavg()[0],
        "time": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }


def _processor() -> str:
    if sys.platform == "darwin":
        command = ["sysctl", "-n", "machdep.cpu.brand_string"]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _versions() -> dict[str, str]:
    versions = {}
    for name in PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            versions[name] = importlib.metadata.version(name)
    return versions


def configuration_task():
    """In the worker: return the instruction set and the BLAS that dnncore uses."""
    from dnncore import show_config

    def task() -> dict[str, Any]:
        config = show_config("dicts")
        for library in config["blas"]:
            del library["file"]  # a local path
        return config

    return task


def warn_if_busy() -> None:
    load = os.getloadavg()[0]
    if load > 0.5:
        print(f"warning: the load average is {load:.1f}; times on a busy machine are unreliable")


# ------------------------------------------------------------------------------------ options


@dataclass(frozen=True)
class Options:
    """The common command-line options of the benchmarks.

    Attributes
    ----------
    quick : bool
        Whether to run only a smoke test: few rounds and little work, with unreliable times.
    contenders : tuple of str or None
        Contenders to measure; None for all.
    threads : tuple of int
        Numbers of threads to measure.
    """

    quick: bool
    contenders: tuple[str, ...] | None
    threads: tuple[int, ...]

    @property
    def rounds(self) -> int:
        return 2 if self.quick else 7

    def choose(self, contenders: Iterable[str]) -> list[str]:
        """Return the selected contenders."""
        return [c for c in contenders if self.contenders is None or c in self.contenders]


def parse(
    description: str | None, contenders: Iterable[str], argv: Sequence[str] | None = None
) -> tuple[Options, Path | None]:
    """Return the options of a command line, and the output file or None."""
    parser = option_parser(description, contenders)
    parser.add_argument("--output", type=Path, help="write the results to this JSON file")
    arguments = parser.parse_args(argv)
    return options_of(arguments), arguments.output


def option_parser(description: str | None, contenders: Iterable[str]) -> argparse.ArgumentParser:
    n_cpus = len(available_cpus())
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--quick", action="store_true", help="smoke test: few rounds, little work, unreliable times"
    )
    parser.add_argument(
        "--contenders",
        nargs="+",
        choices=sorted(contenders),
        metavar="NAME",
        help=f"contenders to measure: {', '.join(contenders)} (default: all installed ones)",
    )
    parser.add_argument(
        "--threads",
        nargs="+",
        type=int,
        choices=range(1, n_cpus + 1),
        metavar="N",
        default=sorted({1, n_cpus}),
        help=f"numbers of threads (default: 1 and the number of processors, here {n_cpus})",
    )
    return parser


def options_of(arguments: argparse.Namespace) -> Options:
    contenders = None if arguments.contenders is None else tuple(arguments.contenders)
    return Options(arguments.quick, contenders, tuple(arguments.threads))


def write_json(path: Path, results: Mapping[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(results, indent=1) + "\n")


def markdown_table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a Markdown table, with the first column left-aligned and the others right-aligned."""
    lines = [header, [":--"] + ["--:"] * (len(header) - 1), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def microseconds(value: float) -> str:
    """Format a number with at least three significant digits (at least one decimal below 100)."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"


def count(n: int, noun: str) -> str:
    return f"{n} {noun}" + ("" if n == 1 else "s")


def absences(rows: Iterable[tuple[str, Mapping[str, str]]]) -> str:
    """Return a Markdown list of missing results and their reasons, each only once.

    Parameters
    ----------
    rows : iterable of (name of the row, reason for each absent contender)
    """
    rows = list(rows)
    where: dict[tuple[str, str], list[str]] = {}
    for row, absent in rows:
        for contender, reason in absent.items():
            where.setdefault((contender, reason), []).append(row)
    return "\n".join(
        f"- {contender}: {reason}" + ("" if len(names) == len(rows) else f" ({'; '.join(names)})")
        for (contender, reason), names in where.items()
    )
