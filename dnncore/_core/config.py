"""Runtime configuration: versions, instruction set, BLAS and its threads."""

from __future__ import annotations

import platform
from typing import Any

import numpy as np
import scipy

from .._version import __version__
from . import csrc
from .threads import available_cpus, single_threaded_blas


def configuration() -> dict[str, Any]:
    """Return the configuration as a nested dictionary of plain values.

    Returns
    -------
    dict
        ``versions``; ``cpu``: number of processors available to this process, supported
        instruction sets and the selected one; ``blas``: file, version, architecture and number
        of threads of each loaded BLAS library. dnncore calls SciPy's.
    """
    controller = single_threaded_blas.controller()
    return {
        "versions": {
            "dnncore": __version__,
            "python": platform.python_version(),
            "numpy": np.__version__,
            "scipy": scipy.__version__,
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
            for library in controller.info()
        ],
    }


def show_config(mode: str = "stdout") -> dict[str, Any] | None:
    """Print or return versions, the instruction set in use, and the loaded BLAS libraries.

    Parameters
    ----------
    mode : {'stdout', 'dicts'}, default='stdout'
        Whether to print the configuration or to return it, as in :func:`numpy.show_config`.

    Returns
    -------
    dict or None
        If `mode` is 'dicts', a nested dictionary of plain values: ``versions``; ``cpu``: number
        of processors available to this process, supported instruction sets and the selected one;
        ``blas``: file, version, architecture and number of threads of each loaded BLAS library.

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
