"""Output of the commands: messages, tables, colours, streams."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from .tables import Dataset

ALIASES: dict[str, str] = {}  # what messages call copies of standard input and of pipes, by path
OK, ERROR, INTERRUPTED, BROKEN_PIPE = 0, 2, 130, 141


def report(message: str, status: int = ERROR) -> int:
    """Print one line to standard error and return the status."""
    for path, name in ALIASES.items():
        message = message.replace(path, name)
    print(f"dnncore: {shortened(one_line(message))}", file=sys.stderr)
    return status


def shortened(message: str, n_most: int = 600) -> str:
    """Omit the middle of a long message, such as one that quotes a long cell."""
    if len(message) <= n_most:
        return message
    return f"{message[: n_most // 2]} ... {message[-n_most // 2 :]}"


def warn(message: str) -> None:
    report(f"warning: {message}")


def show_notes(data: Dataset) -> None:
    """Print the notes on the way a file is read, a line each."""
    for text in data.notes:
        report(f"note: {text}")


def discard_output() -> None:
    """Redirect standard output to the null device, so that the flush at exit does not fail."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def plural(count: int, noun: str) -> str:
    return f"{count} {noun}" + ("" if count == 1 else "s")


def one_line(text: str) -> str:
    """Return `text` without line breaks and control characters, which names may contain."""
    spaced = " ".join(text.split())
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in spaced)


def print_facts(facts: Mapping[str, str]) -> None:
    """Print names and values in two columns."""
    width = max(map(len, facts)) + 2
    for name, value in facts.items():
        print(f"{name:{width}}{one_line(value)}")


def warn_of_unknown(data: Dataset) -> None:
    """Warn about values that are not categories of the model, in one line per column."""
    for name, counts in data.unknown.items():
        value, rows = next(iter(counts.items()))
        more = f" and {plural(len(counts) - 1, 'more value')}" if len(counts) > 1 else ""
        warn(
            f"{data.path}: column {name!r} has {value!r} ({plural(rows, 'row')}){more}, not among "
            "the categories of the model: encoded as zeros"
        )


def console(stream: Any) -> Console:
    """Return a rich console that prints text unchanged, with colours only on a terminal."""
    from rich.console import Console

    return Console(
        file=stream,
        force_terminal=stream.isatty(),
        markup=False,
        emoji=False,
        highlight=False,
    )


def print_table(table: Table) -> None:
    writer = console(sys.stdout)
    with writer.capture() as capture:  # On a broken pipe, rich would exit the process.
        writer.print(table)
    print(capture.get(), end="")
