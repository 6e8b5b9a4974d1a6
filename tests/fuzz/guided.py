"""Model files or tables, changed where that reaches new code of dnncore.

`python tests/fuzz/guided.py model_files --seconds 900`, or `tables`, after `pip install atheris`
(Linux). libFuzzer keeps the inputs that reach branches of dnncore's Python code that no input has
reached before, and changes these further. It ends at the first finding and prints its file;
`python tests/fuzz/guided.py model_files FILE` repeats it. What is checked is what the search of the
same name checks. Model files are changed part by part, with a checksum that fits, or as bytes.
"""

import argparse
import importlib
import json
import os
import random
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

import atheris
import numpy as np
import safetensors
import safetensors.numpy

Parts = tuple[dict[str, str], dict[str, np.ndarray]]  # metadata, tensors

MAX_BYTES = 2**16


class ModelFiles:
    """What `load` and `Predictor.load` make of a file."""

    def __init__(self, search: Any) -> None:
        self.search = search
        self.seeds = [search.bytes_of(kind, search.FOLDER) for kind in search.KINDS]
        self.words = [json.dumps(scalar).encode() for scalar in search.SCALARS]

    def check(self, data: bytes) -> None:
        self.search.PATH.write_bytes(data)
        self.search.check(self.search.PATH)

    def mutate(self, data: bytes, max_size: int, seed: int) -> bytes:
        """Change the value of a key, a tensor, or any bytes of the file."""
        rng = random.Random(seed)
        parts = self.parts_of(data)
        if parts is None or rng.random() < 0.2:
            return atheris.Mutate(data, max_size)
        metadata, tensors = parts
        if tensors and rng.random() < 0.25:
            name = rng.choice(sorted(tensors))
            tensors[name] = changed_tensor(tensors[name])
        else:
            key = rng.choice(sorted(metadata))
            text = metadata[key].encode()
            metadata[key] = atheris.Mutate(text, 2 * len(text) + 64).decode(errors="ignore")
        metadata["checksum"] = self.search.checksum(metadata, tensors)
        changed = safetensors.numpy.save(tensors, metadata)
        return changed if len(changed) <= max_size else data

    def parts_of(self, data: bytes) -> Parts | None:
        """Return what the file contains; None if it is not that of a model."""
        try:
            tensors = safetensors.numpy.load(data)
            end = 8 + int.from_bytes(data[:8], "little")
            metadata = json.loads(data[8:end])["__metadata__"]
            self.search.checksum(metadata, tensors)  # KeyError: a dtype that no model has
        except (safetensors.SafetensorError, LookupError, ValueError):
            return None
        return (metadata, tensors) if metadata else None


def changed_tensor(tensor: np.ndarray) -> np.ndarray:
    """Change the bytes; the shape stays if their number does."""
    data = atheris.Mutate(tensor.tobytes(), tensor.nbytes + 16)
    whole = len(data) // tensor.itemsize * tensor.itemsize
    changed = np.frombuffer(data[:whole], tensor.dtype)
    return changed.reshape(tensor.shape) if changed.size == tensor.size else changed


class Tables:
    """What the command line makes of a CSV file, and of the option that its last byte selects."""

    mutate = None

    def __init__(self, search: Any) -> None:
        self.search = search
        rngs = map(np.random.default_rng, range(100))
        self.seeds = [search.csv_bytes(rng) + rng.bytes(1) for rng in rngs]
        self.words = [cell.encode() for cell in search.CELLS if cell]

    def check(self, data: bytes) -> None:
        if data:
            os.chdir(self.search.FOLDER)
            Path("data.csv").write_bytes(data[:-1])
            options = self.search.OPTIONS[data[-1] % len(self.search.OPTIONS)]
            self.search.train_and_use("data.csv", "--target", "y", *options)


TARGETS: dict[str, Callable[[Any], ModelFiles | Tables]] = {
    "model_files": ModelFiles,
    "tables": Tables,
}


def written_dictionary(words: Iterable[bytes], path: Path) -> Path:
    """Write the words in the format of libFuzzer."""
    lines = ['"' + "".join(f"\\x{byte:02x}" for byte in word) + '"' for word in words]
    path.write_text("\n".join(lines) + "\n")
    return path


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("target", choices=TARGETS)
    parser.add_argument("file", nargs="?", type=Path, help="a finding to repeat")
    parser.add_argument("--seconds", type=int, default=180, help="default: %(default)s")
    parser.add_argument("--seed", type=int, default=1, help="default: %(default)s")
    parsed = parser.parse_args(arguments)
    with atheris.instrument_imports(include=["dnncore"]):
        search = importlib.import_module(parsed.target)
    warnings.simplefilter("ignore")  # what is random need not converge
    target = TARGETS[parsed.target](search)
    if parsed.file:
        target.check(parsed.file.read_bytes())
        return
    corpus = Path(tempfile.mkdtemp(prefix="dnncore-corpus-"))
    for i, seed in enumerate(target.seeds):
        (corpus / str(i)).write_bytes(seed)
    words = written_dictionary(target.words, Path(tempfile.mkdtemp()) / "words")
    options = {
        "dict": words,
        "max_len": MAX_BYTES,
        "max_total_time": parsed.seconds,
        "seed": parsed.seed,
        "timeout": 300,  # of one input; a machine may be busy, or stop the process
        "print_final_stats": 1,
        "artifact_prefix": f"{Path.cwd()}/",
    }
    flags = [f"-{name}={value}" for name, value in options.items()]
    atheris.Setup([sys.argv[0], *flags, str(corpus)], target.check, custom_mutator=target.mutate)
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1:])
