"""The start of the ``dnncore`` command, before its modules are imported, which takes a while."""

from __future__ import annotations

import os
import signal

INTERRUPTED = 130


def main() -> int:
    """Run the command; Ctrl-C ends it without a traceback even while its modules are imported.

    Returns
    -------
    int
        Exit status.
    """
    # Not the default where Ctrl-C is ignored: then, it stays ignored.
    takes_ctrl_c = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if takes_ctrl_c:
        signal.signal(signal.SIGINT, lambda *_: os._exit(INTERRUPTED))
    from .cli import main as run

    if takes_ctrl_c:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        return run()
    finally:
        # After Ctrl-C in the execution of a string, as in dataclasses, `python -m` ends by SIGINT
        # even if it was caught, unless another string is executed.
        exec("")
        if takes_ctrl_c:
            # The command is over: the default, which Python restores, would replace its status.
            signal.signal(signal.SIGINT, signal.SIG_IGN)


if __name__ == "__main__":
    raise SystemExit(main())
