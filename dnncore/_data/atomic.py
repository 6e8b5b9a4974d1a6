"""Atomic replacement of files: a concurrent reader sees either the old or the new file."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO


@contextmanager
def write_in_one_step(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Open a temporary file that replaces `path` when the block ends without an error.

    Raises
    ------
    OSError
        If writing fails, or `path` is not a regular file; `path` is unchanged.
    """
    # A rename onto a symbolic link or a device would replace the link or the device.
    path = Path(os.path.realpath(path))
    if path.exists() and not path.is_file():
        raise OSError(f"{path} is not a regular file")
    temporary = path.with_name(f".dnncore-{secrets.token_hex(8)}.tmp")
    try:
        with open(temporary, "xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        if error.filename not in (None, str(temporary)):
            raise  # raised by something else in the block
        raise OSError(error.errno, error.strerror, str(path)) from error
    finally:
        temporary.unlink(missing_ok=True)


def write_atomically(path: str | os.PathLike[str], data: bytes | memoryview) -> None:
    """Replace the contents of `path` by `data`; raises the errors of :func:`write_in_one_step`."""
    with write_in_one_step(path) as file:
        file.write(data)
