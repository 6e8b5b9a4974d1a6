"""SHA-256 digests of trained models, to verify that a change preserves all results bit for bit.

    python benchmarks/digests.py before.json        # with the version before the change installed
    python benchmarks/digests.py after.json --compare before.json

Each digest covers the parameters, input standardisation, loss curve and predictions of a model.
Every configuration runs on each instruction set of the processor, with one and with two threads, or
with those that `--threads` names. With dnncore's own matrix products, which all configurations but
`BY_BLAS` use, the digests depend on neither.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import warnings
from typing import Any

import numpy as np
from _configurations import CONFIGURATIONS

BY_BLAS = {"blas", "network_gradients"}  # which layers and networks without an engine use


def digest(arrays: list[Any]) -> str:
    sha = hashlib.sha256()
    for array in arrays:
        if array is None:
            sha.update(b"none")
            continue
        array = np.asarray(array)
        text = array.dtype.kind in "UO"
        sha.update(f"{array.shape}{'' if text else array.dtype}".encode())
        sha.update(repr(array.tolist()).encode() if text else np.ascontiguousarray(array).tobytes())
    return sha.hexdigest()


def run_here(n_threads: int) -> dict[str, str]:
    from dnncore import DNNClassifier, DNNRegressor
    from dnncore.training import Trainer

    warnings.simplefilter("ignore")
    for cls in (DNNClassifier, DNNRegressor, Trainer):  # 'auto' is BLAS without vector instructions
        cls.__init__.__kwdefaults__["engine"] = "builtin"  # type: ignore[misc, index]
    return {name: digest(run(n_threads)) for name, run in sorted(CONFIGURATIONS.items())}


def every_instruction_set() -> list[str]:
    """Return the value of DNNCORE_DISABLE_CPU_FEATURES that selects each instruction set."""
    import dnncore

    sets = dnncore.show_config("dicts")["cpu"]["instruction_sets"]  # type: ignore[index]
    return [" ".join(sets[:i]) for i in range(len(sets))]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("output", type=pathlib.Path)
    parser.add_argument("--compare", type=pathlib.Path, help="digests to compare with")
    parser.add_argument(
        "--threads", type=int, nargs="+", default=[1, 2], help="numbers of threads (default: 1 2)"
    )
    parser.add_argument("--worker", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker:
        arguments.output.write_text(json.dumps(run_here(arguments.worker)))
        return
    found: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as folder:
        for disabled in every_instruction_set():
            for n_threads in arguments.threads:
                file = pathlib.Path(folder, "digests.json")
                subprocess.run(
                    [sys.executable, __file__, file, "--worker", str(n_threads)], check=True,
                    env=os.environ | {"DNNCORE_DISABLE_CPU_FEATURES": disabled},
                )  # fmt: skip
                where = f"without [{disabled}], threads {n_threads}"
                found |= {
                    f"{name}, {where}": value
                    for name, value in json.loads(file.read_text()).items()
                }
    arguments.output.write_text(json.dumps(found, indent=1))
    print(f"{len(CONFIGURATIONS)} configurations, {len(found)} digests")
    differing = [
        name
        for name in sorted(CONFIGURATIONS.keys() - BY_BLAS)
        if len({value for key, value in found.items() if key.startswith(f"{name}, ")}) > 1
    ]
    if differing:
        sys.exit(f"not the same for all instruction sets and threads: {', '.join(differing)}")
    if arguments.compare:
        before = json.loads(arguments.compare.read_text())
        changed = sorted(name for name in found.keys() & before if found[name] != before[name])
        print(f"{len(found.keys() & before)} compared, {len(changed)} changed", *changed, sep="\n")
        sys.exit(bool(changed))


if __name__ == "__main__":
    main()
