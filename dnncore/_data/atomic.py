"""Atomic replacement of files: a concurrent reader sees either the old or the new file."""

from __future__ import annotations

import os
import secrets
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

DESCRIPTORS = "/proc/self/fd"  # Linux


@contextmanager
def write_in_one_step(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Open a temporary file that replaces `path` when the block ends without an error.

    The permissions of a file that is replaced are kept.

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
        with _created(temporary) as file:
            if os.chmod in os.supports_fd:
                with suppress(FileNotFoundError):  # there is none yet, or no longer
                    os.chmod(file.fileno(), stat.S_IMODE(path.stat().st_mode))
            yield file
            file.flush()
            os.fsync(file.fileno())
            if os.fstat(file.fileno()).st_nlink == 0:
                # With a directory descriptor, which is not used, os.link follows the link.
                os.link(f"{DESCRIPTORS}/{file.fileno()}", temporary, src_dir_fd=file.fileno())
                os.replace(temporary, path)  # at once: the name would survive a kill
                return
        os.replace(temporary, path)
    except OSError as error:
        if str(temporary) not in (error.filename or str(temporary), error.filename2):
            raise  # raised by something else in the block
        raise OSError(error.errno, error.strerror, str(path)) from error
    finally:
        with suppress(OSError):  # the folder may have vanished, or become read-only
            temporary.unlink()


def _created(path: Path) -> BinaryIO:
    """Create a file, if possible without a name, so that nothing is left of a killed process."""
    if sys.platform == "linux" and os.path.isdir(DESCRIPTORS):
        with suppress(OSError):  # not every file system can
            return open(path, "wb", opener=_unnamed)
    return open(path, "xb")


if sys.platform == "linux":

    def _unnamed(path: str, flags: int) -> int:
        folder, flags = os.path.dirname(path), os.O_TMPFILE | os.O_WRONLY | os.O_CLOEXEC
        return os.open(folder, flags, 0o666)


def write_atomically(path: str | os.PathLike[str], data: bytes | memoryview) -> None:
    """Replace the contents of `path` by `data`; raises the errors of :func:`write_in_one_step`."""
    with write_in_one_step(path) as file:
        file.write(data)
