"""Runtime configuration: versions, instruction set, BLAS and its threads."""

from __future__ import annotations

import platform
from importlib import metadata
from typing import Any

import numpy as np

from .._version import __version__
from . import csrc
from .threads import available_cpus, single_threaded_blas


def configuration() -> dict[str, Any]:
    """Return the configuration as a nested dictionary of plain values.

    Returns
    -------
    dict
        ``versions`` (None for SciPy if it is not installed); ``cpu``: number of processors
        available to this process, supported instruction sets and the selected one; ``blas``: file,
        version, architecture and number of threads of each loaded BLAS library. dnncore calls
        SciPy's; without it, the list is empty.
    """
    return {
        "versions": {
            "dnncore": __version__,
            "python": platform.python_version(),
            "numpy": np.__version__,
            "scipy": _version_of("scipy"),
        },
        "cpu": {
            "machine": platform.machine(),
            "available_cpus": available_cpus(),
            "instruction_sets": list(csrc.available()),
            "selected": csrc.selected(),
        },
        "blas": [
            {
                "library": library["internal_api"],
                "version": library["version"],
                "architecture": library.get("architecture"),
                "threads": library["num_threads"],
                "file": library["filepath"],
            }
            for library in _blas_libraries()
        ],
    }


def _version_of(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _blas_libraries() -> list[dict[str, Any]]:
    try:
        libraries: list[dict[str, Any]] = single_threaded_blas.controller().info()
    except ImportError:  # scoring needs none
        return []
    return libraries


def show_config(mode: str = "stdout") -> dict[str, Any] | None:
    """Print or return versions, the instruction set in use, and the loaded BLAS libraries.

    Parameters
    ----------
    mode : {'stdout', 'dicts'}, default='stdout'
        Whether to print the configuration or to return it, as in :func:`numpy.show_config`.

    Returns
    -------
    dict or None
        If `mode` is 'dicts', a nested dictionary of plain values: ``versions`` (None for SciPy if
        it is not installed); ``cpu``: number of processors available to this process, supported
        instruction sets and the selected one; ``blas``: file, version, architecture and number of
        threads of each loaded BLAS library, none without SciPy.

    Raises
    ------
    ValueError
        If `mode` is not one of the two.
    """
    if mode not in ("stdout", "dicts"):
        raise ValueError(f"mode must be 'stdout' or 'dicts', got {mode!r}")
    if mode == "dicts":
        return configuration()
    print(_as_text(configuration()))  # noqa: T201 - the purpose of this function
    return None


def _as_text(config: dict[str, Any]) -> str:
    lines = []
    for section in ("versions", "cpu"):
        lines.append(f"{section}:")
        for key, value in config[section].items():
            text = ", ".join(value) if isinstance(value, list) else value
            lines.append(f"  {key.replace('_', ' ')}: {text}")
    for library in config["blas"]:
        lines.append("blas:")
        lines += [f"  {key}: {value}" for key, value in library.items()]
    return "\n".join(lines)
