"""Standard input and pipes as files, which can be read more than once."""

from __future__ import annotations

import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from ._arguments import CommandError
from ._output import ALIASES
from ._signals import sigterm_as_ctrl_c

STANDARD_INPUT = "-"
# The suffix of a file by its first bytes; others are CSV.
SUFFIXES = {
    b"PAR1": ".parquet",
    b"\x93NUMPY": ".npy",
    b"PK\x03\x04": ".npz",
    b"\x1f\x8b": ".csv.gz",
    b"BZh": ".csv.bz2",
    b"\x04\x22\x4d\x18": ".csv.lz4",
    b"\x28\xb5\x2f\xfd": ".csv.zst",
}


@contextmanager
def as_file(path: str | None) -> Iterator[str | None]:
    """Yield the path of a regular file: that of a copy for standard input, '-', or a pipe."""
    if path is None or not (path == STANDARD_INPUT or _is_pipe(path)):
        yield path
        return
    name, alias = ("standard input",) * 2 if path == STANDARD_INPUT else ("pipe", path)
    # However the process ends, the copy is removed, except by SIGKILL.
    with sigterm_as_ctrl_c(), tempfile.TemporaryDirectory(prefix="dnncore-") as folder:
        with _opened(path) as source:
            copied = _copied(source, os.path.join(folder, name))
        ALIASES[copied] = alias
        yield copied


def _opened(path: str) -> AbstractContextManager[Any]:
    if path != STANDARD_INPUT:
        return open(path, "rb")
    if sys.stdin is None:
        raise CommandError("DATA is -, but there is no standard input")
    return nullcontext(sys.stdin.buffer)


def _is_pipe(path: str) -> bool:
    try:
        mode = os.stat(path).st_mode
    except OSError:  # is reported when it is opened
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISCHR(mode)


def _copied(source: Any, path: str) -> str:
    """Copy a stream to a file, and return its path with a suffix that tells its format."""
    with open(path, "wb") as file:
        start = source.read(1 << 16)
        file.write(start)
        shutil.copyfileobj(source, file, 1 << 20)
    suffix = next((x for magic, x in SUFFIXES.items() if start.startswith(magic)), ".csv")
    os.rename(path, path + suffix)
    return path + suffix
