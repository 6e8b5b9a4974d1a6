"""A worker process: creates one task, then runs it on request.

Started by `_harness.Worker`. Arguments: the file descriptor of the connection, and the processors
to which the process is pinned.
"""

import importlib
import os
import signal
import sys
import traceback
from multiprocessing.connection import Connection

# Expected errors: a library is not installed, or cannot perform a task.
KINDS = {"ModuleNotFoundError": "not installed", "Unavailable": "unavailable"}


def main() -> None:
    connection = Connection(int(sys.argv[1]))
    # Before any import that counts processors.
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, map(int, sys.argv[2].split(",")))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent handles it and ends its workers
    maker, arguments = connection.recv()
    try:
        task = resolve(maker)(*arguments)
        connection.send(("ready", None))
        while True:
            connection.send(("result", task(*connection.recv())))
    except EOFError:
        return  # the parent has finished
    except Exception as error:
        kind = KINDS.get(type(error).__name__)
        if kind is None:
            traceback.print_exc()
        # The traceback is only printed, because stored results must not contain local paths.
        connection.send((kind or "failed", str(error) if kind else type(error).__name__))


def resolve(name: str):
    """Import the function given as "module:function"."""
    module, function = name.split(":")
    return getattr(importlib.import_module(module), function)


if __name__ == "__main__":
    main()
