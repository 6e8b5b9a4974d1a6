"""The number of threads of a call, and the restriction of BLAS to one thread."""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from . import csrc
from .blas import load_blas
from .checks import integer

if TYPE_CHECKING:
    from threadpoolctl import LibController, ThreadpoolController

# The least work that justifies another thread, measured on two Zen 4 cores with networks from
# 20-50-2 to 784-256-10.
# Training: multiply-adds per thread and step, to outweigh two barriers and the transfer of cache
# lines; and rows per thread, because with few rows, reading the weights dominates.
STEP_WORK_PER_THREAD = 1_500_000
STEP_ROWS_PER_THREAD = 32
# Scoring, and single steps: multiply-adds per thread, to outweigh the 100 us that starting a thread
# takes.
SCORING_WORK_PER_THREAD = 5_000_000
MAX_THREADS = 256  # as in csrc/team.c


def available_cpus() -> int:
    """Return the number of processors that this process may use: the minimum of its affinity, the
    quota of its control group, and OMP_NUM_THREADS."""
    if hasattr(os, "sched_getaffinity"):
        cpus = len(os.sched_getaffinity(0))
    else:
        cpus = os.cpu_count() or 1
    return max(1, min(cpus, cgroup_quota(), _wanted_by_environment()))


def _wanted_by_environment() -> int:
    """Return OMP_NUM_THREADS, which joblib sets to divide processors among worker processes."""
    words = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    return int(words) if words.isascii() and words.isdigit() and int(words) > 0 else MAX_THREADS


@cache
def cgroup_quota(root: Path = Path("/sys/fs/cgroup"), own: Path = Path("/proc/self/cgroup")) -> int:
    """Return the CPU quota of the control group in processors, rounded up, at least 1.

    Without a quota or control groups, return MAX_THREADS.
    """
    try:
        lines = own.read_text().splitlines()
    except OSError:
        return MAX_THREADS
    quota = float(MAX_THREADS)
    for line in lines:
        number, controllers, group = line.split(":", 2)
        if number == "0":  # version 2: "quota period"; the quotas of all ancestors apply as well
            folder = root / group.lstrip("/")
            for place in (folder, *folder.parents):
                quota = min(quota, _quota_of(place / "cpu.max"))
        elif "cpu" in controllers.split(","):
            for place in (root / "cpu" / group.lstrip("/"), root / "cpu"):
                quota = min(
                    quota, _quota_of(place / "cpu.cfs_quota_us", place / "cpu.cfs_period_us")
                )
    return max(1, math.ceil(quota))


def _quota_of(*files: Path) -> float:
    """Return quota / period, which are in one file or in two; infinity without a quota."""
    try:
        words = " ".join(file.read_text() for file in files).split()
    except OSError:
        return math.inf
    if len(words) != 2 or words[0] in ("max", "-1"):
        return math.inf
    return float(words[0]) / float(words[1])


def threads_for_training(n_threads: int | None, batch_size: int, n_parameters: int) -> int:
    """Return `n_threads` or, if it is None, the number of threads suited to a mini-batch."""
    work = 3 * batch_size * n_parameters  # forward, deltas, gradient
    return _resolve(
        n_threads, min(work // STEP_WORK_PER_THREAD, batch_size // STEP_ROWS_PER_THREAD)
    )


def threads_for_step(n_threads: int | None, n_rows: int, n_parameters: int) -> int:
    """Return `n_threads` or, if it is None, the number of threads for a call of a single step."""
    work = 3 * n_rows * n_parameters
    return _resolve(n_threads, min(work // SCORING_WORK_PER_THREAD, n_rows // STEP_ROWS_PER_THREAD))


def threads_for_scoring(n_threads: int | None, work: int) -> int:
    """Return `n_threads` or, if it is None, that suited to `work` multiply-adds."""
    return _resolve(n_threads, work // SCORING_WORK_PER_THREAD)


def _resolve(n_threads: int | None, useful: int) -> int:
    if n_threads is not None:
        return integer("n_threads", n_threads, low=1, high=MAX_THREADS)
    return 1 if useful < 2 else min(available_cpus(), useful)


def use_builtin(engine: str) -> bool:
    """Return whether to use dnncore's own matrix products instead of BLAS.

    In measurements they are faster for batches of 8 to 2048 rows and widths of 10 to 1000 (see
    the table in benchmarks/results), so the choice does not depend on the shape.
    """
    return engine == "builtin" or (engine == "auto" and csrc.selected() != "generic")


class _BlasLimit:
    """Restricts BLAS to one thread while at least one caller is inside the context.

    The number of BLAS threads is a setting of the process. Callers are counted, so that
    overlapping calls from several Python threads restore the original number.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._callers: set[object] = set()
        self._controller: ThreadpoolController | None = None
        self._before: list[tuple[LibController, int]] = []  # numbers of threads to restore

    def after_fork(self) -> None:
        """Forget the callers in other threads, which a child process does not have.

        The next caller restores the numbers of threads.
        """
        self._lock = threading.Lock()
        self._callers = set()

    def controller(self) -> ThreadpoolController:
        # Finding the libraries takes milliseconds. SciPy's BLAS, which is the one called, must be
        # among them.
        if self._controller is None:
            load_blas()
            from threadpoolctl import ThreadpoolController

            self._controller = ThreadpoolController().select(user_api="blas")
        return self._controller

    # A signal handler may raise, as Ctrl-C does, between any two statements. What _enter has begun,
    # _leave undoes, however far that went; both may be run again.

    @contextmanager
    def __call__(self) -> Iterator[None]:
        caller = object()
        try:
            self._enter(caller)
            yield
        finally:
            try:
                self._leave(caller)
            except BaseException:
                self._leave(caller)
                raise

    def _enter(self, caller: object) -> None:
        with self._lock:
            if not self._before:
                libraries = self.controller().lib_controllers
                self._before = [(library, library.get_num_threads()) for library in libraries]
                for library, _ in self._before:
                    library.set_num_threads(1)
            self._callers.add(caller)

    def _leave(self, caller: object) -> None:
        with self._lock:
            self._callers.discard(caller)
            if not self._callers:
                for library, n_threads in self._before:
                    library.set_num_threads(n_threads)
                self._before = []


single_threaded_blas = _BlasLimit()


def blas_for(engine: str) -> AbstractContextManager[None]:
    """Return the context for running an engine, which restricts BLAS to one thread if used."""
    return nullcontext() if use_builtin(engine) else single_threaded_blas()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=single_threaded_blas.after_fork)
