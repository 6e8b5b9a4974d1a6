"""What runs here: versions, instruction set, BLAS and its threads."""

from __future__ import annotations

import platform
from typing import Any

import numpy as np
import scipy

from .._version import __version__
from . import csrc
from .threads import available_cpus, single_threaded_blas


def configuration() -> dict[str, Any]:
    """The configuration as a nested dictionary of plain values.

    Returns
    -------
    dict
        ``versions``; ``cpu``: processors this process may use, instruction sets that can run
        and the one selected; ``blas``: for each BLAS library loaded its file, version,
        architecture and number of threads. scipy's is the one that dnncore calls.
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
    """Print the configuration, or return it.

    Parameters
    ----------
    mode : {'stdout', 'dicts'}
        As :func:`numpy.show_config`.

    Returns
    -------
    dict or None
        For 'dicts', a nested dictionary of plain values: ``versions``; ``cpu``: processors this
        process may use, instruction sets that can run and the one selected; ``blas``: for each
        BLAS library loaded its file, version, architecture and number of threads.

    Raises
    ------
    ValueError
        For another mode.
    """
    if mode not in ("stdout", "dicts"):
        raise ValueError(f"mode must be 'stdout' or 'dicts', got {mode!r}")
    if mode == "dicts":
        return configuration()
    print(_as_text(configuration()))  # noqa: T201 - printing is what was asked for
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
