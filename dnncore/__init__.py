"""Dense neural networks on a CPU, trained and served at the speed of the hardware.

``DNNClassifier`` and ``DNNRegressor`` are scikit-learn estimators, built on ``Network`` and
``training.Trainer``. ``kernels`` contains the forward and backward functions of each layer, and
``reference`` the same functions in plain NumPy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ._version import __version__

if TYPE_CHECKING:
    from . import (
        blocks,
        checkpoints,
        convert,
        display,
        kernels,
        modelfile,
        predictor,
        reference,
        report,
        tabular,
        training,
    )
    from ._core.config import show_config
    from .classifier import DNNClassifier
    from .convert import from_torch, to_c, to_onnx, to_torch
    from .gradient_check import gradcheck
    from .modelfile import load
    from .network import Network, PiecewiseLinear
    from .regressor import DNNRegressor

__all__ = [
    "DNNClassifier",
    "DNNRegressor",
    "Network",
    "PiecewiseLinear",
    "__version__",
    "blocks",
    "checkpoints",
    "convert",
    "display",
    "from_torch",
    "gradcheck",
    "kernels",
    "load",
    "modelfile",
    "predictor",
    "reference",
    "report",
    "show_config",
    "tabular",
    "to_c",
    "to_onnx",
    "to_torch",
    "training",
]


# The module of each name. All are imported on first use, because some need an optional package,
# and because the command line starts before they are.
_MODULES = {
    "DNNClassifier": "classifier",
    "DNNRegressor": "regressor",
    "Network": "network",
    "PiecewiseLinear": "network",
    "from_torch": "convert",
    "gradcheck": "gradient_check",
    "load": "modelfile",
    "show_config": "_core.config",
    "to_c": "convert",
    "to_onnx": "convert",
    "to_torch": "convert",
}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    if name in _MODULES:
        value = getattr(_imported(_MODULES[name]), name)
    else:
        value = _imported(name)
    globals()[name] = value
    return value


def _imported(name: str) -> Any:
    """Import a module of the package; explain why compiled modules cannot be imported."""
    from importlib import import_module

    import numpy.typing  # noqa: F401 - first, since threads cannot import parts of it at once

    try:
        return import_module(f".{name}", __name__)
    except ImportError as error:
        missing = getattr(error, "name", None) or ""
        if missing in (f"{__name__}._core.csrc", f"{__name__}.kernels"):
            raise ImportError(
                "the compiled modules of dnncore are missing; in a source tree, run "
                "'pip install .' and change to another folder, or run 'pip install -e .'"
            ) from error
        raise


def __dir__() -> list[str]:
    return sorted(__all__)
