"""Dense neural networks on a CPU, trained and served at the speed of the hardware.

``DNNClassifier`` and ``DNNRegressor`` are scikit-learn estimators, built on ``Network`` and
``training.Trainer``. ``kernels`` contains the forward and backward functions of each layer, and
``reference`` the same functions in plain NumPy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

try:
    from . import kernels
except (ImportError, TypeError) as error:
    # Cython compares the signatures of SciPy's BLAS functions with those at compile time; they
    # differ in builds of SciPy with 64-bit BLAS integers.
    if "cython_blas" in str(error):
        raise ImportError(
            "this build of dnncore cannot call the BLAS of the installed SciPy, which was built "
            "with a different BLAS interface (64-bit integers?); install a standard build of "
            f"SciPy, or build dnncore against this one: {error}"
        ) from error
    if getattr(error, "name", None) in (__name__, f"{__name__}.kernels"):
        raise ImportError(
            "the compiled modules of dnncore are missing; in a source tree, run "
            "'pip install .' and change to another folder, or run 'pip install -e .'"
        ) from error
    raise

from ._core.config import show_config
from ._version import __version__
from .network import Network, PiecewiseLinear

if TYPE_CHECKING:
    from . import (
        blocks,
        convert,
        display,
        modelfile,
        predictor,
        reference,
        report,
        tabular,
        training,
    )
    from .classifier import DNNClassifier
    from .convert import from_torch, to_c, to_onnx, to_torch
    from .modelfile import load
    from .regressor import DNNRegressor

_LAZY_MODULES = (
    "blocks",
    "convert",
    "display",
    "modelfile",
    "predictor",
    "reference",
    "report",
    "tabular",
    "training",
)

__all__ = [
    "DNNClassifier",
    "DNNRegressor",
    "Network",
    "PiecewiseLinear",
    "__version__",
    "blocks",
    "convert",
    "display",
    "from_torch",
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


def __getattr__(name: str) -> Any:
    """Import names on first use that need an optional package or are rarely needed."""
    from importlib import import_module

    if name in _LAZY_MODULES:
        return import_module(f".{name}", __name__)
    if name in ("from_torch", "to_c", "to_onnx", "to_torch"):
        return getattr(import_module(".convert", __name__), name)
    if name == "load":
        return import_module(".modelfile", __name__).load
    if name in ("DNNClassifier", "DNNRegressor"):
        return getattr(import_module(f".{name.removeprefix('DNN').lower()}", __name__), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
