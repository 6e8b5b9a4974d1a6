"""Files that are replaced in one step."""

from __future__ import annotations

import os
import secrets
from pathlib import Path


def write_atomically(path: str | os.PathLike[str], data: bytes | memoryview) -> None:
    """Replace the file `path` by one with `data`, in one step.

    Raises
    ------
    OSError
        If that fails, or `path` is not a regular file; then it is as before.
    """
    # A rename onto a symbolic link or a device would replace the link or the device.
    path = Path(os.path.realpath(path))
    if path.exists() and not path.is_file():
        raise OSError(f"{path} is not a regular file")
    temporary = path.with_name(f".dnncore-{secrets.token_hex(8)}.tmp")
    try:
        with open(temporary, "xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error
    finally:
        temporary.unlink(missing_ok=True)
