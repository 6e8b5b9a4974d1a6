"""The files that DATA stands for; standard input and pipes as files that can be read again."""

from __future__ import annotations

import glob
import os
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from ._arguments import CommandError
from ._output import ALIASES
from ._signals import sigterm_as_ctrl_c
from .tables import PARQUET, FileList, Source

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


def source_of(given: Sequence[str]) -> Source | None:
    """Return the file that DATA names, or the Parquet files of folders, patterns and several names.

    Raises
    ------
    CommandError
        If there are none, or files of another format among them.
    """
    found = [(name, _expanded(name)) for name in given]
    if not found:
        return None
    if len(found) == 1 and found[0][1] == [given[0]]:
        return given[0]
    paths = [path for _, paths in found for path in paths]
    for path in paths:
        if not path.lower().endswith(PARQUET):
            raise CommandError(f"several files must be Parquet files (.parquet), got {path}")
    more = f" and {len(given) - 1} more" if len(given) > 1 else ""
    return FileList(given[0] + more, tuple(paths))


def paths_of(source: Source | None) -> list[str]:
    """Return the paths of all files."""
    if isinstance(source, FileList):
        return list(source.paths)
    return [] if source is None else [source]


def _expanded(name: str) -> list[str]:
    """Return the paths of the files that a name stands for, in order."""
    if os.path.isdir(name):
        names = sorted(x for x in os.listdir(name) if x.lower().endswith(PARQUET))
        if not names:
            raise CommandError(f"{name}: no Parquet files (.parquet) in this folder")
        return [os.path.join(name, x) for x in names]
    if os.path.lexists(name) or not glob.has_magic(name):
        return [name]
    found = sorted(glob.glob(name, recursive=True))
    if not found:
        raise CommandError(f"no files match {name!r}")
    return [path for each in found for path in _expanded(each)]


@contextmanager
def as_file(path: Source | None) -> Iterator[Source | None]:
    """Yield the path of a regular file: that of a copy for standard input, '-', or a pipe."""
    if not isinstance(path, str) or not (path == STANDARD_INPUT or _is_pipe(path)):
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
