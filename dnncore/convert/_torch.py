"""Convert models to and from PyTorch Sequential modules."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .._core import checks as check
from .._core.names import OUTPUTS
from .._core.piecewise_linear import PiecewiseLinear
from ..network import Network
from ._description import describe

if TYPE_CHECKING:
    import torch

    from ._description import Model

MODULES = {
    "logistic": "Sigmoid",
    "tanh": "Tanh",
    "relu": "ReLU",
    "selu": "SELU",
    "silu": "SiLU",
    "gelu": "GELU",
    "mish": "Mish",
    "identity": "Identity",
}
FUNCTIONS = {module: name for name, module in MODULES.items() if name != "identity"}
FUNCTIONS["Softmax"] = "softmax"
OWN_FUNCTIONS = {"Exp": "exp", "Sort": "sorted"}  # modules of dnncore
NO_EFFECT = ("Identity", "Dropout", "Flatten")  # when rows are scored


def to_torch(model: Model, *, logits: bool = False) -> torch.nn.Sequential:
    """Convert a model to a PyTorch module.

    Parameters
    ----------
    model : Network, fitted DNNClassifier or DNNRegressor, or Predictor
        Or a scikit-learn Pipeline, as for :func:`to_onnx`.
    logits : bool
        Whether to omit the output function, as ``torch.nn.CrossEntropyLoss``,
        ``torch.nn.BCEWithLogitsLoss`` and ``torch.nn.PoissonNLLLoss`` require.

    Returns
    -------
    torch.nn.Sequential
        ``Norm`` (input standardisation), ``Missing`` (missing values) and ``Embedding``
        (:class:`dnncore.PiecewiseLinear`), if the model has them;
        ``Linear`` and an activation for each hidden layer; ``Linear``; for standardised targets
        ``Rescale``; finally the output function: ``Softmax``, ``Sigmoid``, ``Exp``, ``Sort`` or
        none. The parameters are trainable copies, of the model's dtype. ``Norm``, ``Missing``,
        ``Embedding``, ``Rescale``, ``Exp`` and ``Sort`` are modules of dnncore, which must be
        installed to unpickle the whole module; their arrays are part of the ``state_dict``, and
        only those that an embedding learns are trained.

    Raises
    ------
    TypeError
        If `model` is not a model.
    ValueError
        If an estimator is not fitted, or a parameter of the model is not finite.
    ImportError
        If PyTorch is not installed.

    Notes
    -----
    The module does not contain the labels: output i corresponds to ``classes_[i]``.
    """
    torch = _require_torch("to_torch")
    from ._torch_modules import Exp, Rescale, Sort

    description = describe(model)
    modules = [step.to_torch() for step in description.steps]
    last = len(description.layers) - 1
    for number, layer in enumerate(description.layers):
        linear = torch.nn.Linear(*layer.W.shape, device="meta")  # no values, which are set below
        linear.weight = torch.nn.Parameter(torch.from_numpy(np.array(layer.W.T, order="C")))
        linear.bias = torch.nn.Parameter(torch.from_numpy(np.array(layer.b)))
        modules.append(linear)
        if number < last:
            modules.append(getattr(torch.nn, MODULES[layer.activation])())
    if description.rescale is not None:
        modules.append(Rescale(description.rescale.scale, description.rescale.mean))
    if not logits and description.output != "identity":
        softmax = torch.nn.Softmax(dim=-1)
        functions = {
            "softmax": softmax,
            "logistic": torch.nn.Sigmoid(),
            "exp": Exp(),
            "sorted": Sort(),
        }
        modules.append(functions[description.output])
    return torch.nn.Sequential(*modules)  # type: ignore[no-any-return, unused-ignore]


def from_torch(sequential: torch.nn.Sequential, *, output: str | None = None) -> Network:
    """Convert a PyTorch module to a network.

    Parameters
    ----------
    sequential : torch.nn.Sequential
        ``Linear`` modules, all float32 or all float64, each but the last followed by the same
        activation: ``Sigmoid``, ``Tanh``, ``ReLU``, ``SELU``, ``SiLU``, ``GELU`` (without
        approximation), ``Mish`` or none. The last one may be followed by
        ``Softmax`` over the columns or ``Sigmoid``. ``Identity``, ``Dropout`` and ``Flatten`` are
        omitted, because they have no effect when a row is scored. ``Norm``, ``Missing``,
        ``Embedding``, ``Rescale``, ``Exp`` and ``Sort`` of :func:`to_torch` are supported;
        ``Rescale`` is folded into the last layer. Sequential modules may be nested.
    output : {'softmax', 'logistic', 'identity', 'exp', 'sorted'}, optional
        Function applied to the outputs of the last ``Linear``. Default: that of the module, which
        is 'identity' if it returns logits. Pass 'softmax' for a module that was trained with
        ``CrossEntropyLoss``, 'logistic' for one trained with ``BCEWithLogitsLoss``.

    Returns
    -------
    Network
        A network with copies of the parameters; a missing bias becomes 0.

    Raises
    ------
    TypeError
        If `sequential` is not a Sequential, a parameter has another dtype, or a module has no
        counterpart in a Network; the error names the module and its index.
    ValueError
        If the modules are in another order, the sizes of layers do not match, a parameter is not
        finite, or `output` contradicts the module.
    ImportError
        If PyTorch is not installed.
    """
    torch = _require_torch("from_torch")
    if not isinstance(sequential, torch.nn.Sequential):
        raise TypeError(
            f"sequential must be a torch.nn.Sequential, got {type(sequential).__name__}"
        )
    if output is not None:
        output = check.choice("output", output, OUTPUTS)
    stack = _read(_flat(sequential, torch), _known_kinds(torch))
    return _build(stack, _activation_of(stack), _output_of(stack, output))


def _require_torch(function: str) -> Any:
    try:
        import torch
    except ModuleNotFoundError as error:
        raise ImportError(f"{function} needs PyTorch: pip install torch") from error
    return torch


def _known_kinds(torch: Any) -> dict[type, str]:
    from . import _torch_modules as own

    names = ("Linear", *FUNCTIONS, *NO_EFFECT)
    known = {getattr(torch.nn, name): name for name in names}
    own_names = ("Norm", "Missing", "Embedding", "Rescale", *OWN_FUNCTIONS)
    return known | {getattr(own, name): name for name in own_names}


def _flat(sequential: Any, torch: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield index and module, also of nested ones: '2.0' is the first within the third."""
    for index, module in enumerate(sequential):
        if type(module) is torch.nn.Sequential:
            yield from _flat(module, torch, f"{prefix}{index}.")
        else:
            yield f"{prefix}{index}", module


@dataclass
class _Layer:
    W: NDArray[Any]
    b: NDArray[Any]
    where: str  # the last module that belongs to it
    function: str = "identity"


@dataclass
class _Stack:
    norm: tuple[NDArray[Any], NDArray[Any]] | None
    missing: NDArray[Any] | None
    embedding: dict[str, NDArray[Any]] | None
    layers: list[_Layer]
    rescale: tuple[NDArray[Any], NDArray[Any]] | None


def _read(modules: Iterator[tuple[str, Any]], known: dict[type, str]) -> _Stack:
    """Read the modules, checking that each may follow the previous one."""
    stack = _Stack(None, None, None, [], None)
    for index, module in modules:
        # The exact type: a subclass of Linear may compute something else.
        kind = known.get(type(module), "")
        where = f"module {index} ({type(module).__name__})"
        if not kind:
            raise TypeError(
                f"{where} has no counterpart in a Network, which supports "
                f"{', '.join(known.values())}"
            )
        if kind in NO_EFFECT:
            continue
        if stack.rescale is not None and kind not in OWN_FUNCTIONS:
            raise ValueError(f"{where} must not follow Rescale")
        if kind in ("Missing", "Norm") and stack.embedding is not None:
            raise ValueError(f"{where} must not follow Embedding")
        if kind == "Missing":
            if stack.missing is not None or stack.layers:
                raise ValueError(f"{where} must occur only once, before the first Linear")
            if _array(module.fill, where).any():
                raise ValueError(f"{where} must have fill 0, as in a Network")
            stack.missing = module.features.cpu().numpy()
        elif kind == "Norm":
            if stack.norm is not None or stack.missing is not None or stack.layers:
                raise ValueError(f"{where} must be the first module")
            stack.norm = _array(module.mean, where), _array(module.scale, where)
        elif kind == "Embedding":
            if stack.norm is not None or stack.missing is not None or stack.layers:
                raise ValueError(f"{where} must be the first module")
            names = ("lower", "inverse_width", "s", "V", "c")
            stack.embedding = {name: _array(getattr(module, name), where) for name in names}
        elif kind == "Linear":
            stack.layers.append(_linear(module, where, stack))
        elif not stack.layers or stack.layers[-1].function != "identity":
            raise ValueError(f"{where} must follow a Linear")
        elif kind == "Rescale":
            stack.rescale = _array(module.scale, where), _array(module.mean, where)
        else:
            if kind == "Softmax" and module.dim not in (-1, 1):
                raise ValueError(f"{where} must be over the columns, dim=-1, got dim={module.dim}")
            if kind == "GELU" and module.approximate != "none":
                raise ValueError(
                    f"{where} must have approximate='none', got {module.approximate!r}"
                )
            function = (FUNCTIONS | OWN_FUNCTIONS)[kind]
            stack.layers[-1].function, stack.layers[-1].where = function, where
    if not stack.layers:
        raise ValueError("sequential must contain a Linear, got none")
    return stack


def _linear(module: Any, where: str, stack: _Stack) -> _Layer:
    W = _array(module.weight, where).T
    b = np.zeros(W.shape[1], W.dtype) if module.bias is None else _array(module.bias, where)
    before = stack.layers[-1].W if stack.layers else None
    if before is not None and before.shape[1] != W.shape[0]:
        raise ValueError(f"{where} must take {before.shape[1]} features, got {W.shape[0]}")
    if before is not None and before.dtype != W.dtype:
        raise TypeError(f"{where} must be {before.dtype} like the previous layers, got {W.dtype}")
    return _Layer(W, b, where)


def _array(tensor: Any, where: str) -> NDArray[Any]:
    dtype = str(tensor.dtype).removeprefix("torch.")
    if dtype not in ("float32", "float64"):
        raise TypeError(f"{where} must be float32 or float64, got {dtype}")
    array: NDArray[Any] = tensor.detach().cpu().numpy()
    if not np.isfinite(array).all():
        raise ValueError(f"{where} must be finite, got NaN or infinity")
    return array


def _activation_of(stack: _Stack) -> str:
    """Return the activation of the hidden layers, which must be the same for all."""
    hidden = stack.layers[:-1]
    for layer in hidden:
        if layer.function in ("softmax", *OWN_FUNCTIONS.values()):
            raise ValueError(f"{layer.where} must be the last module")
        if layer.function != hidden[0].function:
            raise ValueError(
                "hidden layers must all have the activation of the first, "
                f"{hidden[0].function!r}, got {layer.function!r} at {layer.where}"
            )
    return hidden[0].function if hidden else "identity"


def _output_of(stack: _Stack, wanted: str | None) -> str:
    last = stack.layers[-1]
    if last.function not in OUTPUTS:
        raise ValueError(f"{last.where} must not be the last module: it is not an output function")
    fixed = last.function != "identity" or stack.rescale is not None
    if fixed and wanted not in (None, last.function):
        raise ValueError(f"output must be {last.function!r}, as in the module, got {wanted!r}")
    return wanted or last.function


def _build(stack: _Stack, activation: str, output: str) -> Network:
    sizes = [stack.layers[0].W.shape[0], *(layer.b.size for layer in stack.layers)]
    embedding = None
    if (arrays := stack.embedding) is not None:
        n_numeric, size = arrays["c"].shape
        n_inputs = arrays["s"].size - n_numeric * size
        embedding = PiecewiseLinear(arrays["lower"], arrays["inverse_width"], n_inputs, size)
    network = Network(
        sizes, dtype=stack.layers[0].W.dtype, seed=0, activation=activation, output=output,
        missing=stack.missing, embedding=embedding,
    )  # fmt: skip
    if arrays is not None and network.embedding_ is not None:
        for name, learnt in network.embedding_._asdict().items():
            learnt[...] = arrays[name]
    for layer, W, b in zip(stack.layers, network.coefs_, network.intercepts_, strict=True):
        W[...], b[...] = layer.W, layer.b
    if stack.norm is not None:
        network.set_norm(*stack.norm)
    if stack.rescale is not None:
        scale, mean = stack.rescale
        network.coefs_[-1][...] *= scale
        network.intercepts_[-1][...] = network.intercepts_[-1] * scale + mean
    return network
