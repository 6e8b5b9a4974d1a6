"""Worker processes that take turns, medians and spread, the machine, the options."""

from __future__ import annotations

import argparse
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
    "dnncore", "numpy", "scipy", "scikit-learn", "torch", "jax", "jaxlib", "onnxruntime",
    "skorch", "thinc",
)  # fmt: skip

# Threads of OpenMP, OpenBLAS, Eigen and others go on spinning after a call, for up to 0.2 s.
PAUSE = 0.3
ANSWER_WITHIN = 1200  # seconds, compilation included


class WorkerError(Exception):
    """The task cannot be had or has failed; the message says how."""


class Worker:
    """A process with one task.

    Parameters
    ----------
    maker : str
        "module:function". Called in the process with `arguments`, it returns the task.
    arguments : tuple
    threads : int
        Threads allowed, and processors the process is kept on.
    python : str
        The interpreter, by default this one.
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
    """The processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return sorted(os.sched_getaffinity(0))
    return list(range(os.cpu_count() or 1))


def environment(threads: int) -> dict[str, str]:
    """What tells libraries the number of threads, read when they are loaded."""
    names = (
        "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "BLIS_NUM_THREADS",
        "VECLIB_MAXIMUM_THREADS", "NUMEXPR_NUM_THREADS",
        "NPROC",  # XLA's; where processes can be kept on processors, it counts those anyway
    )  # fmt: skip
    return dict.fromkeys(names, str(threads)) | {
        "JAX_PLATFORMS": "cpu",
        # PyTorch's compiler would keep a pool of processes.
        "TORCHINDUCTOR_COMPILE_THREADS": "1",
    }


@dataclass
class Outcome:
    """Of `take_turns`: each name is in one of the two.

    Attributes
    ----------
    results : dict from name to list
        What the task returned in each round.
    absent : dict from name to str
        Why there is no result.
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
    """Run every task once a round, one after the other, each in a process of its own.

    What disturbs the machine for a while thus hits all alike. Who begins changes from round to
    round.

    Parameters
    ----------
    tasks : mapping from name to (maker, its arguments)
        As for `Worker`.
    rounds : iterable of sequences
        For each round the arguments that all tasks are called with.
    threads : int
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
    """The result of one call of a task, in a process of its own."""
    worker = Worker(maker, arguments, threads=threads)
    try:
        worker.wait_until_ready()
        return worker()
    finally:
        worker.close()


def summary(values: Iterable[float]) -> dict[str, float]:
    """Median and extremes."""
    values = list(values)
    return {"median": statistics.median(values), "low": min(values), "high": max(values)}


# -------------------------------------------------------------------------------- the machine


def describe_machine() -> dict[str, Any]:
    """Processor, operating system, versions, and how busy the machine is."""
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
    installed = {d.name for d in importlib.metadata.distributions()}
    return {name: importlib.metadata.version(name) for name in PACKAGES if name in installed}


def configuration_task():
    """In the worker: instruction set and BLAS that dnncore has chosen here."""
    from dnncore import show_config

    def task() -> dict[str, Any]:
        config = show_config("dicts")
        for library in config["blas"]:
            del library["file"]  # a path of this machine
        return config

    return task


def warn_if_busy() -> None:
    load = os.getloadavg()[0]
    if load > 0.5:
        print(f"warning: the load average is {load:.1f}; times on a busy machine mean little")


# -------------------------------------------------------------------------------- the options


@dataclass(frozen=True)
class Options:
    """What the command lines of all benchmarks have in common.

    Attributes
    ----------
    quick : bool
        Few rounds of little work: shows that everything works; the times mean little.
    contenders : tuple of str or None
        Only these.
    threads : tuple of int
        Thread counts to measure with.
    """

    quick: bool
    contenders: tuple[str, ...] | None
    threads: tuple[int, ...]

    @property
    def rounds(self) -> int:
        return 2 if self.quick else 7

    def choose(self, contenders: Iterable[str]) -> list[str]:
        """Those of the names that are wanted."""
        return [c for c in contenders if self.contenders is None or c in self.contenders]


def parse(
    description: str | None, contenders: Iterable[str], argv: Sequence[str] | None = None
) -> tuple[Options, Path | None]:
    """The options of a command line, and where to write the results."""
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
        "--quick", action="store_true", help="few rounds, little work: the times mean little"
    )
    parser.add_argument(
        "--contenders",
        nargs="+",
        choices=sorted(contenders),
        metavar="NAME",
        help=f"only these: {', '.join(contenders)} (default: all that are installed)",
    )
    parser.add_argument(
        "--threads",
        nargs="+",
        type=int,
        choices=range(1, n_cpus + 1),
        metavar="N",
        default=sorted({1, n_cpus}),
        help=f"thread counts (default: 1 and all processors, here {n_cpus})",
    )
    return parser


def options_of(arguments: argparse.Namespace) -> Options:
    contenders = None if arguments.contenders is None else tuple(arguments.contenders)
    return Options(arguments.quick, contenders, tuple(arguments.threads))


def write_json(path: Path, results: Mapping[str, Any]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(results, indent=1) + "\n")


def markdown_table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """A Markdown table; the first column left-aligned, the others right-aligned."""
    lines = [header, [":--"] + ["--:"] * (len(header) - 1), *rows]
    return "\n".join("| " + " | ".join(map(str, line)) + " |" for line in lines)


def microseconds(value: float) -> str:
    """With three significant digits or more."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}"


def count(n: int, noun: str) -> str:
    return f"{n} {noun}" + ("" if n == 1 else "s")


def absences(rows: Iterable[tuple[str, Mapping[str, str]]]) -> str:
    """A Markdown list of what has no result, and why; each contender and reason once.

    Parameters
    ----------
    rows : iterable of (name of the row, reason of each absent contender)
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
