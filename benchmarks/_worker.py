"""A worker process: makes one task, then runs it as often as it is asked to.

Started by `_harness.Worker`. Arguments: the file descriptor of the connection, and the
processors to stay on.
"""

import importlib
import os
import signal
import sys
import traceback
from multiprocessing.connection import Connection

# Errors that are no fault: a library that is not installed, a job it has no means for.
KINDS = {"ModuleNotFoundError": "not installed", "Unavailable": "unavailable"}


def main() -> None:
    connection = Connection(int(sys.argv[1]))
    # Before any import that counts processors.
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, map(int, sys.argv[2].split(",")))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent hears it and ends its workers
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
        # The traceback has been shown; what is stored must not name this machine's files.
        connection.send((kind or "failed", str(error) if kind else type(error).__name__))


def resolve(name: str):
    """The function that "module:function" means."""
    module, function = name.split(":")
    return getattr(importlib.import_module(module), function)


if __name__ == "__main__":
    main()
