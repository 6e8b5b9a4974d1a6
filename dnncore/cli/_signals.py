"""SIGTERM as Ctrl-C, so that a model in training is kept; processes that Ctrl-C does not reach."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing import resource_tracker


@contextmanager
def sigterm_as_ctrl_c() -> Iterator[None]:
    """Raise KeyboardInterrupt on SIGTERM, unless the caller has a handler of its own."""
    ends_the_process = signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    if not (ends_the_process and threading.current_thread() is threading.main_thread()):
        yield
        return
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)


@contextmanager
def ctrl_c_held_back() -> Iterator[None]:
    """Hold back Ctrl-C, forever in the threads and processes that are started in this context.

    A terminal sends it to child processes, too, which this process still needs to end well. Windows
    has no such mask.
    """
    if sys.platform == "win32":
        yield
        return
    resource_tracker.ensure_running()  # which multiprocessing would do, and then let it through
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
