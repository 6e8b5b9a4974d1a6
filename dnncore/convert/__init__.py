"""Conversion of models to and from other tools: ONNX, C, PyTorch, scikit-learn.

``to_onnx`` and ``to_c`` write files; ``to_torch`` and ``from_torch`` convert to and from PyTorch
modules. All are also available as ``dnncore.to_onnx`` and so on. ``register_skl2onnx`` lets
skl2onnx convert scikit-learn pipelines with our estimators in them. Scikit-learn models are
converted by ``DNNClassifier.from_sklearn`` and ``DNNRegressor.from_sklearn``. A model is a Network,
a fitted DNNClassifier or DNNRegressor, or a Predictor.
"""

from ._c import to_c
from ._onnx import to_onnx
from ._skl2onnx import register_skl2onnx
from ._torch import from_torch, to_torch

__all__ = ["from_torch", "register_skl2onnx", "to_c", "to_onnx", "to_torch"]
