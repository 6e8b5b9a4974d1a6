"""The safetensors container: 8 bytes with the length of the header, the header in JSON, the data.

Files are not read with the package safetensors, for two reasons: it maps them into memory, so that
the process crashes if a file is truncated meanwhile, and it accepts duplicate names. In addition,
scoring does not need the package.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from . import _json

LENGTH_BYTES = 8
# The header becomes objects that take up to 30 times its memory. It may be long where the data are
# much longer: names of features come with weights.
MAX_HEADER, HEADER_SHARE = 2**24, 0.25
MAX_SIZE = 2**63 - 1
DTYPES: dict[str, np.dtype[Any]] = {"F32": np.dtype("<f4"), "F64": np.dtype("<f8")}
NAMES = {"float32": "F32", "float64": "F64"}
CHECKSUM = "checksum"


class ModelFileError(ValueError):
    """The file is not a model file, is damaged, or has an unsupported version."""

    __module__ = "dnncore.modelfile"  # the public location


def require(condition: object, message: str) -> None:
    """Raise ModelFileError unless the condition holds."""
    if not condition:
        raise ModelFileError(message)


def parse(text: str, what: str) -> Any:
    """Decode a JSON text, which error messages call `what`."""
    try:
        return _json.decode(text)
    except ValueError as error:
        raise ModelFileError(f"{what} must be valid JSON: {error}") from error


@dataclass(frozen=True)
class Entry:
    """The entry of a tensor in the header; `begin` and `end` are byte offsets into the data."""

    dtype: str
    shape: tuple[int, ...]
    begin: int
    end: int

    @classmethod
    def of(cls, tensor: NDArray[Any]) -> Entry:
        """Return the entry of a single tensor."""
        name = tensor.dtype.name
        return cls(NAMES.get(name, name), tensor.shape, 0, tensor.nbytes)


def max_header(n_bytes: int) -> int:
    """Return the largest permitted length of the header of a file with these bytes of data."""
    return max(MAX_HEADER, int(HEADER_SHARE * n_bytes))


def read_header(file: BinaryIO) -> tuple[dict[str, str], dict[str, Any], int]:
    """Return the metadata, the unchecked entries of the tensors, and the length of the data.

    A length that exceeds the size of the file is rejected before anything is allocated.
    """
    size = os.fstat(file.fileno()).st_size
    length = int.from_bytes(file.read(LENGTH_BYTES), "little")
    n_bytes = size - LENGTH_BYTES - length
    require(
        n_bytes >= 0 and 2 <= length <= max_header(n_bytes),
        f"not a readable safetensors file: {size} bytes cannot contain a header of {length}",
    )
    try:
        text = file.read(length).decode()
    except UnicodeDecodeError as error:
        raise ModelFileError(f"the header must be UTF-8: {error}") from error
    header = parse(text, "the header")
    require(isinstance(header, dict), "the header must be a JSON object")
    metadata = header.pop("__metadata__", {})
    require(
        isinstance(metadata, dict) and all(isinstance(x, str) for x in metadata.values()),
        "the metadata must be strings",
    )
    return metadata, header, n_bytes


def check_entries(header: dict[str, Any], n_bytes: int) -> dict[str, Entry]:
    """Return the tensors in the order of their data; raise if there are gaps or overlaps."""
    entries = sorted(
        ((name, _entry(name, description)) for name, description in header.items()),
        key=lambda item: (item[1].begin, item[1].end),
    )
    ends = [0, *(entry.end for _, entry in entries)]
    for (name, entry), end in zip(entries, ends, strict=False):
        require(entry.begin == end, f"{name!r:.80} must begin at byte {end}, got {entry.begin}")
    require(ends[-1] == n_bytes, f"the data must have {ends[-1]} bytes, got {n_bytes}")
    return dict(entries)


def _entry(name: str, description: object) -> Entry:
    require(
        isinstance(description, dict) and set(description) == {"dtype", "shape", "data_offsets"},
        f"{name!r:.80} must have a dtype, a shape and data_offsets",
    )
    assert isinstance(description, dict)
    dtype, shape, offsets = (description[key] for key in ("dtype", "shape", "data_offsets"))
    require(
        isinstance(dtype, str) and dtype in DTYPES,
        f"{name!r:.80} must have dtype F32 or F64, got {dtype!r:.80}",
    )
    # No tensor of a model has more dimensions; multiplying many sizes would only take time.
    require(
        _are_sizes(shape) and 1 <= len(shape) <= 2,
        f"{name!r:.80} must have a shape of 1 or 2 sizes, got {shape!r:.80}",
    )
    require(
        _are_sizes(offsets) and len(offsets) == 2,
        f"{name!r:.80} must have data_offsets of 2 numbers, got {offsets!r:.80}",
    )
    expected = math.prod(shape) * DTYPES[dtype].itemsize
    require(
        offsets[1] - offsets[0] == expected,
        f"{name!r:.80} must have {expected} bytes, got {offsets[1] - offsets[0]}",
    )
    return Entry(dtype, tuple(shape), *offsets)


def _are_sizes(values: object) -> bool:
    return isinstance(values, list) and all(type(x) is int and 0 <= x <= MAX_SIZE for x in values)


def read_tensors(file: BinaryIO, entries: Mapping[str, Entry]) -> dict[str, NDArray[Any]]:
    """Read the tensors, which start at the current position, as copies in memory."""
    tensors = {}
    for name, entry in entries.items():
        data = np.empty(entry.end - entry.begin, np.uint8)
        require(
            file.readinto(data) == data.size,  # type: ignore[attr-defined]
            "the file was truncated while it was read",
        )
        tensors[name] = data.view(DTYPES[entry.dtype]).reshape(entry.shape)
    return tensors


def checksum(metadata: Mapping[str, str], tensors: Mapping[str, NDArray[Any]]) -> str:
    """Return the SHA-256 of the metadata and tensors, independent of their order in the file.

    A CRC would also detect a flipped bit, but a SHA-256 identifies the model as well, and takes
    no longer to compute than the file to read.
    """
    texts = sorted((key, value) for key, value in metadata.items() if key != CHECKSUM)
    entries = {name: Entry.of(tensors[name]) for name in sorted(tensors)}
    shapes = [(name, entry.dtype, entry.shape) for name, entry in entries.items()]
    digest = hashlib.sha256(json.dumps([texts, shapes], separators=(",", ":")).encode())
    for name, entry in entries.items():
        digest.update(np.ravel(tensors[name]).astype(DTYPES[entry.dtype], copy=False).data)
    return digest.hexdigest()


def serialize(metadata: Mapping[str, str], tensors: Mapping[str, NDArray[Any]]) -> bytes:
    """Return the bytes of the file; the same contents give the same bytes.

    ValueError if the header would be too long to be read.
    """
    try:
        from safetensors.numpy import save
    except ModuleNotFoundError as error:
        raise ImportError("saving needs safetensors: pip install 'dnncore[cli]'") from error
    data = save(dict(tensors), metadata=dict(metadata))
    # The package writes the metadata in random order.
    end = LENGTH_BYTES + int.from_bytes(data[:LENGTH_BYTES], "little")
    header = json.loads(data[LENGTH_BYTES:end])
    header["__metadata__"] = dict(sorted(header["__metadata__"].items()))
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % LENGTH_BYTES)  # keeps the tensors aligned
    limit = max_header(len(data) - end)
    if len(text) > limit:
        raise ValueError(f"names and categories must take at most {limit} bytes, got {len(text)}")
    return len(text).to_bytes(LENGTH_BYTES, "little") + text + data[end:]
