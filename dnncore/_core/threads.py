"""How many threads a call gets, and BLAS held to one thread for each of them."""

from __future__ import annotations

import math
import os
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cache
from pathlib import Path

from threadpoolctl import ThreadpoolController

from . import csrc
from .checks import integer

# When another thread pays, measured on two Zen 4 cores with networks of 20-50-2 to 784-256-10.
# Training: multiply-adds of its share of a step, against two barriers and the cache lines that
# travel; and rows of its share, because with few of them reading the weights is the work.
STEP_WORK_PER_THREAD = 1_500_000
STEP_ROWS_PER_THREAD = 32
# Scoring: multiply-adds of its share, against the 100 us that starting a thread takes.
SCORING_WORK_PER_THREAD = 5_000_000
MAX_THREADS = 256  # as in csrc/team.c


def available_cpus() -> int:
    """The processors that this process may use: affinity, quota of its cgroup, environment."""
    if hasattr(os, "sched_getaffinity"):
        cpus = len(os.sched_getaffinity(0))
    else:
        cpus = os.cpu_count() or 1
    return max(1, min(cpus, cgroup_quota(), _wanted_by_environment()))


def _wanted_by_environment() -> int:
    """OMP_NUM_THREADS, by which joblib shares the processors out to its worker processes."""
    words = os.environ.get("OMP_NUM_THREADS", "").split(",")[0].strip()
    return int(words) if words.isascii() and words.isdigit() and int(words) > 0 else MAX_THREADS


@cache
def cgroup_quota(root: Path = Path("/sys/fs/cgroup"), own: Path = Path("/proc/self/cgroup")) -> int:
    """Whole processors that the CPU quota of the control group allows, at least 1.

    MAX_THREADS without a quota, or where there are no control groups.
    """
    try:
        lines = own.read_text().splitlines()
    except OSError:
        return MAX_THREADS
    quota = float(MAX_THREADS)
    for line in lines:
        number, controllers, group = line.split(":", 2)
        if number == "0":  # version 2: "quota period", and every ancestor's counts as well
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
    """Quota over period, which stand in one file or in two; infinite if there is none."""
    try:
        words = " ".join(file.read_text() for file in files).split()
    except OSError:
        return math.inf
    if len(words) != 2 or words[0] in ("max", "-1"):
        return math.inf
    return float(words[0]) / float(words[1])


def threads_for_training(n_threads: int | None, batch_size: int, n_parameters: int) -> int:
    """`n_threads` itself, or for None as many as a mini-batch occupies."""
    work = 3 * batch_size * n_parameters  # forward, deltas, gradient
    return _resolve(
        n_threads, min(work // STEP_WORK_PER_THREAD, batch_size // STEP_ROWS_PER_THREAD)
    )


def threads_for_scoring(n_threads: int | None, n_rows: int, n_parameters: int) -> int:
    """`n_threads` itself, or for None as many as the rows occupy."""
    return _resolve(n_threads, n_rows * n_parameters // SCORING_WORK_PER_THREAD)


def _resolve(n_threads: int | None, useful: int) -> int:
    if n_threads is not None:
        return integer("n_threads", n_threads, low=1, high=MAX_THREADS)
    return 1 if useful < 2 else min(available_cpus(), useful)


def use_builtin(engine: str) -> bool:
    """Whether dnncore's own products are used rather than BLAS.

    They measure faster over batches of 8 to 2048 rows and widths of 10 to 1000 (the table is in
    benchmarks/results), so the choice does not depend on the shape.
    """
    return engine == "builtin" or (engine == "auto" and csrc.selected() != "generic")


class _BlasLimit:
    """Holds BLAS to one thread while at least one caller is inside.

    The number of BLAS threads belongs to the process. Counting callers makes sure that
    overlapping calls from several Python threads leave it as the first found it.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._callers = 0
        self._controller: ThreadpoolController | None = None
        self._limiter: object = None

    def controller(self) -> ThreadpoolController:
        # Finding the libraries takes milliseconds. The one that is called here, SciPy's,
        # has been loaded by the time of the first look.
        if self._controller is None:
            self._controller = ThreadpoolController().select(user_api="blas")
        return self._controller

    @contextmanager
    def __call__(self) -> Iterator[None]:
        with self._lock:
            if self._callers == 0:
                self._limiter = self.controller().limit(limits=1)
            self._callers += 1
        try:
            yield
        finally:
            with self._lock:
                self._callers -= 1
                if self._callers == 0:
                    self._limiter.restore_original_limits()  # type: ignore[attr-defined]


single_threaded_blas = _BlasLimit()


def blas_for(engine: str) -> AbstractContextManager[None]:
    """The context in which an engine runs: BLAS on one thread, if it is BLAS."""
    return nullcontext() if use_builtin(engine) else single_threaded_blas()


# A fork in the middle of another thread's call must not leave the child's lock held.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=lambda: single_threaded_blas.__init__())  # type: ignore[misc]
