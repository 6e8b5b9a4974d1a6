"""The command line: ``dnncore train``, ``predict``, ``evaluate``, ``export``, ``bench``, ``info``.

Results are written to standard output; progress, warnings and errors to standard error. The exit
status is 0 on success, 2 after an error, which is reported in one line, 130 after Ctrl-C (a model
in training is evaluated and saved first, after SIGTERM as well), and 141 if the reader of the
output closed the pipe.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import dnncore

from .._data.csv import NotThatEncoding
from .._data.files import FileError, UnusableFile
from .._data.parquet import UnreadableRow
from ..modelfile import ModelFileError
from . import bench, evaluate, export, info, predict, train
from ._arguments import CommandError, Parser
from ._output import BROKEN_PIPE, INTERRUPTED, discard_output, report

__all__ = ["main"]

COMMANDS = (train, predict, evaluate, export, bench, info)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the ``dnncore`` command.

    Parameters
    ----------
    argv : sequence of str, optional
        Command-line arguments. Default: those of the process.

    Returns
    -------
    int
        Exit status.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        # The encoding of the terminal may lack characters of a class name.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        with _ctrl_c_as_itself():
            arguments = parser().parse_args(argv)
            status: int = arguments.run(arguments)
            sys.stdout.flush()
        return status
    except BrokenPipeError:
        discard_output()
        return BROKEN_PIPE
    except KeyboardInterrupt:
        return report("interrupted", INTERRUPTED)
    except MemoryError as error:
        return report(f"error: out of memory: {error}")
    except OSError as error:
        if error.filename is None:
            discard_output()
            return report(f"error: {error}")
        return report(f"error: {error.filename}: {error.strerror}")
    except NotThatEncoding as error:
        return report(f"error: {error.path}: {error.problem}; --encoding names another encoding")
    except UnreadableRow as error:
        where = f"row {error.row + 1}, counted from 1, or one after it"
        return report(f"error: {error.path}: {where} cannot be read: {error.problem}")
    except UnusableFile as error:
        return report(f"error: {error.path}: not a usable {error.kind} file: {error.problem}")
    except (CommandError, FileError, ImportError, ModelFileError) as error:
        return report(f"error: {error}")


@contextmanager
def _ctrl_c_as_itself() -> Iterator[None]:
    """Raise KeyboardInterrupt instead of an error that it has caused.

    While a compiled module is imported, such as those of SciPy and Matplotlib made with pybind11,
    Ctrl-C becomes an ImportError.
    """
    try:
        yield
    except Exception as error:
        cause: BaseException | None = error
        while cause is not None:
            if isinstance(cause, KeyboardInterrupt):
                raise KeyboardInterrupt from error
            cause = cause.__cause__ or cause.__context__
        raise


def parser() -> Parser:
    """Return the parser of all commands."""
    whole = Parser(
        prog="dnncore",
        description="Train dense neural networks on a CPU, evaluate them, and predict with them or "
        "with any other model saved by dnncore.",
        epilog="Without data, 'dnncore train' uses the handwritten digits of scikit-learn.",
    )
    whole.add_argument("--version", action="version", version=f"dnncore {dnncore.__version__}")
    commands = whole.add_subparsers(metavar="COMMAND", required=True)
    for command in COMMANDS:
        command.add_parser(commands)
    return whole
