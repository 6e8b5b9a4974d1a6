"""Time and memory of imports, size on disk and of the wheel, and peak memory of a training run."""

from __future__ import annotations

import importlib.metadata
import io
import json
import resource
import statistics
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from _harness import (
    Options,
    WorkerError,
    absences,
    markdown_table,
    parse,
    run_once,
    write_json,
)
from _problems import Training
from _worker import resolve
from contenders import TRAINERS

# For each library, the modules that a user imports, and its distributions.
IMPORTS = {
    "numpy": ("numpy", ["numpy"]),
    "dnncore": ("dnncore, dnncore.training", ["dnncore"]),
    "dnncore's predictor": ("dnncore.predictor", ["dnncore"]),
    "dnncore's estimator": ("dnncore.classifier", ["dnncore", "scikit-learn"]),
    "sklearn": ("sklearn.neural_network", ["scikit-learn"]),
    "torch": ("torch", ["torch"]),
    "jax": ("jax, jax.numpy", ["jax", "jaxlib"]),
    "tensorflow": ("tensorflow", ["tensorflow-cpu"]),
    "mlx": ("mlx.core", ["mlx", "mlx-cpu"]),
    "skorch": ("skorch", ["skorch", "torch"]),
    "thinc": ("thinc.api", ["thinc"]),
    "onnxruntime": ("onnxruntime", ["onnxruntime"]),
    "openvino": ("openvino", ["openvino"]),
}

# What is enough, where that is less than the requirements of the distribution.
ENOUGH = {"dnncore's predictor": {"numpy"}}

PROBLEM = Training(layer_sizes=(784, 256, 10), batch_size=128, steps=100)

IMPORT_AND_MEASURE = """
import time
start = time.perf_counter()
import {}
print(time.perf_counter() - start)
import resource
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)
"""


def measure(options: Options) -> dict[str, Any]:
    """Return import time and sizes of each library, and peak memory of each contender."""
    libraries = []
    for name, (modules, distributions) in IMPORTS.items():
        if options.contenders is not None and name not in options.contenders:
            continue
        library = {"name": name}
        library |= measure_library(modules, distributions, ENOUGH.get(name), options)
        libraries.append(library)
        print(f"{name:20}" + ", ".join(f"{k} {v:,.4g}" for k, v in library.items() if _is(v)))
        if "absent" in library:
            print(f"{'':20}{library['absent']}")
    memory = []
    for name in options.choose(TRAINERS):
        entry: dict[str, Any] = {"name": name}
        try:
            entry["peak_mb"] = run_once("footprint:memory_task", (name,)) / 1e6
            print(f"{name:20}peak of training {entry['peak_mb']:,.0f} MB")
        except WorkerError as error:
            entry["absent"] = str(error)
            print(f"{name:20}{error}")
        memory.append(entry)
    return {"libraries": libraries, "memory": memory}


def _is(value: object) -> bool:
    return isinstance(value, float)


def measure_library(
    modules: str, own: list[str], enough: set[str] | None, options: Options
) -> dict[str, Any]:
    try:
        files = [path for name in own for path in installed_files(name)]
        needed = closure(own) if enough is None else enough
        all_files = files + [path for name in needed for path in installed_files(name)]
    except importlib.metadata.PackageNotFoundError as error:
        return {"absent": f"not installed: {error.name}"}
    except FileNotFoundError as error:
        return {"absent": str(error)}
    seconds, mb = import_cost(modules, 3 if options.quick else 11)
    result: dict[str, Any] = {
        "import_s": seconds,
        "import_mb": mb,
        "installed_mb": size_mb(files),
        "installed_with_requirements_mb": size_mb(all_files),
        "requirements": sorted(needed),
    }
    if not options.quick:
        result["wheel_mb"] = zipped_mb(files)
    return result


def import_cost(modules: str, rounds: int) -> tuple[float, float]:
    """Return the median time of the import statement in new processes, after a warm-up, and the
    memory of such a process in MB."""
    # Not started by this large process: on Linux, ru_maxrss begins with the memory of the parent.
    command = ["sh", "-c", '"$0" -c "$1"; :', sys.executable, IMPORT_AND_MEASURE.format(modules)]
    unit = 1e6 if sys.platform == "darwin" else 1e6 / 1024
    measured = [
        subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
        for _ in range(1 + rounds)
    ]
    seconds, memory = zip(*(map(float, words) for words in measured[1:]), strict=True)
    return statistics.median(seconds), statistics.median(memory) / unit


# ------------------------------------------------------------------------------ sizes on disk


def installed_files(name: str) -> list[Path]:
    """Return the files of a distribution, without byte code, which is generated locally."""
    distribution = importlib.metadata.distribution(name)
    origin = json.loads(distribution.read_text("direct_url.json") or "{}")
    if origin.get("dir_info", {}).get("editable"):
        raise FileNotFoundError(f"{name} is an editable install: install its wheel to measure it")
    files = [Path(str(file.locate())) for file in distribution.files or []]
    return [path for path in files if path.is_file() and path.suffix != ".pyc"]


def closure(own: list[str]) -> set[str]:
    """Return the direct and indirect requirements of the distributions `own`, except optional
    ones."""
    from packaging.requirements import Requirement
    from packaging.utils import canonicalize_name

    known = {canonicalize_name(name) for name in own}
    todo, found = list(known), set()
    while todo:
        for text in importlib.metadata.requires(todo.pop()) or []:
            requirement = Requirement(text)
            name = canonicalize_name(requirement.name)
            marker = requirement.marker
            if name not in known and (marker is None or marker.evaluate({"extra": ""})):
                known.add(name)
                found.add(name)
                todo.append(name)
    return found


def size_mb(files: list[Path]) -> float:
    return sum(path.stat().st_size for path in files) / 1e6


def zipped_mb(files: list[Path]) -> float:
    """Return the size of the files as a deflated zip, the format of a wheel."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for number, path in enumerate(files):
            archive.write(path, str(number))
    return buffer.getbuffer().nbytes / 1e6


# ------------------------------------------------------------------------------------- memory


def memory_task(contender: str) -> Callable[[], float]:
    """In the worker: return the peak memory of the process after two epochs, in bytes."""
    epoch = resolve(TRAINERS[contender])(PROBLEM)

    def task() -> float:
        epoch()
        epoch()
        return peak_bytes()

    return task


def peak_bytes() -> float:
    status = Path("/proc/self/status")
    if status.exists():
        # Not ru_maxrss: on Linux its initial value is the memory of the process that forked.
        line = next(line for line in status.read_text().splitlines() if "VmHWM" in line)
        return float(line.split()[1]) * 1024
    return float(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


# ------------------------------------------------------------------------------------- output


def markdown(results: dict[str, Any]) -> str:
    """Return tables of the libraries and of peak memory."""
    columns = {
        "import_s": "import, s",
        "import_mb": "memory, MB",
        "installed_mb": "installed, MB",
        "installed_with_requirements_mb": "with requirements, MB",
        "wheel_mb": "wheel, MB",
    }
    libraries = [entry for entry in results["libraries"] if "absent" not in entry]
    memory = [entry for entry in results["memory"] if "absent" not in entry]
    parts = [
        "### Import and size",
        markdown_table(
            ["library", *columns.values()],
            [
                [entry["name"]] + [f"{entry[c]:,.3g}" if c in entry else "" for c in columns]
                for entry in libraries
            ],
        ),
        f"### Peak memory of a process training {PROBLEM.name}",
        markdown_table(
            ["contender", "MB"], [[entry["name"], f"{entry['peak_mb']:,.0f}"] for entry in memory]
        ),
    ]
    missing = {
        entry["name"]: entry["absent"]
        for entry in results["libraries"] + results["memory"]
        if "absent" in entry
    }
    if missing:
        parts += ["No result:", absences([("", missing)])]
    return "\n\n".join(parts)


if __name__ == "__main__":
    options, output = parse(__doc__, dict.fromkeys([*IMPORTS, *TRAINERS]))
    results = measure(options)
    print("\n" + markdown(results))
    if output:
        write_json(output, results)
