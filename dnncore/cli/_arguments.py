"""Argument types and checks shared by the commands."""

from __future__ import annotations

import argparse
import importlib.util
import io
import math
import os
import stat
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NoReturn

from .._core.threads import MAX_THREADS
from .._data.csv_format import CsvFormat
from ._output import ERROR, one_line, shortened

TABLE_HELP = (
    "CSV file with a header row, Parquet file (.parquet), NPZ file with arrays X and y, or NPY "
    "file with a matrix; - for standard input"
)


class CommandError(Exception):
    """An error that the user can correct."""


class Parser(argparse.ArgumentParser):
    """Argument parser that reports an error in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(
            ERROR, f"dnncore: error: {shortened(one_line(message))} (see '{self.prog} --help')\n"
        )


def number(
    kind: Callable[[str], Any], description: str, valid: Callable[[Any], bool]
) -> Callable[[str], Any]:
    """Return an argument type: a number of the given kind that is valid."""

    def parse(text: str) -> Any:
        try:
            value = kind(text)
        except ValueError:
            value = None
        if value is None or not valid(value):
            raise argparse.ArgumentTypeError(f"must be {description}, got {text!r}")
        return value

    return parse


def _check_new_file(option: str, path: str, real: Path) -> None:
    """Raise unless a file of this name can be written."""
    if os.path.exists(real) and not os.access(real, os.W_OK):
        raise CommandError(f"{option}: {path!r} is read-only")
    try:
        with suppress(FileNotFoundError):
            os.stat(real)  # a name may be too long
        # Not of that name: a process that is killed would leave an empty file.
        tempfile.TemporaryFile(dir=real.parent).close()
    except OSError as error:
        raise CommandError(f"{option}: cannot write {path!r}: {error.strerror}") from error


def character(text: str) -> str:
    """Argument type: a single character, which a shell may not let through, by name or escaped."""
    text = {"tab": "\t", "\\t": "\t", "space": " "}.get(text, text)
    if len(text) != 1:
        raise argparse.ArgumentTypeError(f"must be one character, tab or space, got {text!r}")
    return text


def encoding(text: str) -> str:
    """Argument type: the name of an encoding of text."""
    try:
        io.TextIOWrapper(io.BytesIO(), encoding=text)  # takes only encodings of text
    except LookupError:
        raise argparse.ArgumentTypeError(
            f"must be the name of an encoding, such as utf-8, cp1252 or utf-16, got {text!r}"
        ) from None
    return text


def add_csv_format(parser: Any) -> None:
    """Add the options for the format of a CSV file."""
    csv = parser.add_argument_group("format of a CSV file (default: according to its beginning)")
    csv.add_argument(
        "--delimiter",
        metavar="C",
        type=character,
        help="character between cells: a comma, a semicolon, tab, a vertical bar or any other",
    )
    csv.add_argument(
        "--decimal", choices=(".", ","), help="decimal separator (default: a point, in doubt)"
    )
    csv.add_argument(
        "--thousands",
        metavar="C",
        type=character,
        help="separator of thousands in numbers (default: none, in doubt)",
    )
    csv.add_argument(
        "--encoding",
        metavar="NAME",
        type=encoding,
        help="encoding of the text, such as cp1252 (default: UTF-8, or UTF-16 with a byte order "
        "mark; cp1252 if it cannot be UTF-8)",
    )


def csv_format(arguments: argparse.Namespace) -> CsvFormat:
    """Return what is known of the format of a CSV file."""
    if arguments.thousands is not None and arguments.thousands == arguments.decimal:
        raise CommandError(f"--thousands and --decimal must differ, got {arguments.decimal!r}")
    return CsvFormat(*(getattr(arguments, name) for name in CsvFormat._fields))


count = number(int, "an integer >= 1", lambda value: value >= 1)
threads = number(
    int, f"an integer from 1 to {MAX_THREADS}", lambda value: 1 <= value <= MAX_THREADS
)
seed = number(int, "an integer from 0 to 4294967295", lambda value: 0 <= value < 2**32)
fraction = number(float, "a number >= 0 and < 1", lambda value: 0 <= value < 1)
quantile = number(float, "a number > 0 and < 1", lambda value: 0 < value < 1)
positive = number(float, "a finite number > 0", lambda value: 0 < value < math.inf)
penalty = number(float, "a finite number >= 0", lambda value: 0 <= value < math.inf)


def require_packages(extra: str, **packages: str) -> None:
    """Raise unless all modules can be found; `packages` maps modules to distributions."""
    for module, distribution in packages.items():
        if importlib.util.find_spec(module) is None:
            raise CommandError(f"{distribution} is not installed: pip install 'dnncore[{extra}]'")


def check_destination(option: str, path: str, inputs: Sequence[str]) -> None:
    """Raise in advance if a result cannot be written or would overwrite an input."""
    # That of the file itself, if the path is a link.
    real = Path(os.path.realpath(path))
    parent = Path(path).parent if not os.path.islink(path) else real.parent
    if not parent.is_dir():
        raise CommandError(f"{option}: there is no directory {str(parent)!r}")
    try:
        if os.path.lexists(path) and not stat.S_ISREG(os.stat(path).st_mode):
            raise CommandError(f"{option}: {path!r} is not a regular file")
    except FileNotFoundError:
        pass  # a link to a file that is to be written
    except OSError as error:  # such as links in a circle
        raise CommandError(f"{option}: {path!r}: {error.strerror}") from error
    _check_new_file(option, path, real)
    for other in inputs:
        if os.path.realpath(path) == os.path.realpath(other):
            raise CommandError(f"{option}: {path!r} is also an input or another output")
