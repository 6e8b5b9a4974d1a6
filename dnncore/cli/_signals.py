"""SIGTERM as Ctrl-C, so that a model in training is kept when a process is asked to end."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


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
