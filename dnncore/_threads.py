"""How many threads a call gets, and BLAS held to one thread for each of them."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

from threadpoolctl import ThreadpoolController

from . import _csrc
from ._validation import integer

# Below so many multiply-adds per thread and step, a second thread's share does not pay for
# the two barriers and the cache lines that travel.
WORK_PER_THREAD = 1_000_000
MAX_THREADS = 256  # as in csrc/team.c


def available_cpus() -> int:
    """The processors that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def resolve_n_threads(n_threads: int | None, work: int) -> int:
    """`n_threads` itself, or for None as many as `work` multiply-adds a step occupy."""
    if n_threads is not None:
        return integer("n_threads", n_threads, low=1, high=MAX_THREADS)
    return max(1, min(available_cpus(), work // WORK_PER_THREAD))


ENGINES = ("auto", "builtin", "blas")


def use_builtin(engine: str) -> bool:
    """Whether dnncore's own products are used rather than BLAS."""
    return engine == "builtin" or (engine == "auto" and _csrc.selected() != "generic")


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
