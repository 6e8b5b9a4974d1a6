"""Export to ONNX, for ONNX Runtime and other tools that read ONNX."""

from __future__ import annotations

import json
import math
import os
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .._data.atomic import write_atomically
from .._version import __version__
from ..reference import SELU_NEGATIVE, SELU_POSITIVE
from ._description import Description, describe, plain_labels

if TYPE_CHECKING:
    from ._description import Model

OPSET = 13  # the oldest version in which all operators behave as they are used here
MAX_BYTES = 2**31 - 1  # of a protobuf message
MAX_HEADER_BYTES = 1 << 20  # allowance for everything except the weights

OPERATORS = {"logistic": "Sigmoid", "tanh": "Tanh", "relu": "Relu"}

# With t = (x - 5) / (x + 5), this polynomial in t, highest power first, is
# (x + 5) exp(x^2 / 2) times the probability that a standard normal variable exceeds x.
NORMAL_TAIL = (
    -3.007631270075267e-10,
    1.4374786970628013e-09,
    7.940016785324257e-09,
    -8.310448139702694e-09,
    -6.60157321332451e-08,
    4.089935091606242e-08,
    4.3289371638422297e-07,
    -3.3554979475603234e-07,
    -2.768960637291881e-06,
    3.980389809690202e-06,
    1.6681045018329303e-05,
    -4.9762656206096116e-05,
    -5.9375675843984204e-05,
    0.0005448990335960265,
    -0.0007978694078357624,
    -0.0029933767667254334,
    0.020795066800821337,
    -0.06911863870656891,
    0.1650203661703382,
    -0.3135331566712962,
    0.4953056159699773,
    -0.6653825028900567,
    0.769193049750063,
)


def to_onnx(model: Model, path: str | os.PathLike[str]) -> None:
    """Write a model as an ONNX file.

    The graph has one input, ``X`` (n, n_features), of the model's dtype, for any number of rows
    n. The outputs have the names that skl2onnx uses:

    ``label``
        Classifier: int64, string, double or bool (n,), from `classes_` (0, 1, ... for a
        Network); multi-label: int64 0 and 1 (n, n_outputs).
    ``probabilities``
        Classifier: (n, n_outputs), as a tensor rather than a sequence of maps.
    ``variable``
        Regressor, or any network with output 'identity': (n, n_outputs), in the units of the
        targets.

    Parameters
    ----------
    model : Network, fitted DNNClassifier or DNNRegressor, or Predictor
        The graph includes the input standardisation, the activations, the labels and the scale
        of the targets.
    path : str or path-like
        Path of the file, which is replaced atomically.

    Raises
    ------
    TypeError
        If `model` is not a model, or its classes have a type that ONNX does not support.
    ValueError
        If an estimator is not fitted, a parameter of the model is not finite, or the file would
        exceed the protobuf limit of 2 GiB.
    ImportError
        If the package onnx is not installed.
    OSError
        If the file cannot be written; an existing file is left unchanged.

    Notes
    -----
    The graph uses only operators of the standard domain, version 13 (ONNX 1.8, 2020). The
    metadata contain ``dnncore_version`` and, if the model has feature names, ``feature_names`` as
    a JSON list.

    Examples
    --------
    >>> import dnncore, onnxruntime  # doctest: +SKIP
    >>> dnncore.to_onnx(model, "model.onnx")  # doctest: +SKIP
    >>> session = onnxruntime.InferenceSession("model.onnx")  # doctest: +SKIP
    >>> label, probabilities = session.run(None, {"X": X})  # doctest: +SKIP
    """
    description = describe(model)
    graph = Graph()
    n_bytes = description.n_parameters * description.dtype.itemsize + MAX_HEADER_BYTES
    if n_bytes > MAX_BYTES:
        raise ValueError(f"an ONNX file must be smaller than 2 GiB, got {n_bytes} bytes")
    _append_model(graph, description)
    proto = graph.finish(description)
    write_atomically(path, proto.SerializeToString(deterministic=True))


class Graph:
    """An ONNX graph that is built node by node; values are referred to by name."""

    def __init__(self) -> None:
        try:
            import onnx
        except ModuleNotFoundError as error:
            raise ImportError("to_onnx needs onnx: pip install 'dnncore[onnx]'") from error
        self._onnx = onnx
        self._nodes: list[Any] = []
        self._constants: list[Any] = []
        self._numbers: set[str] = set()
        self._outputs: list[Any] = []

    def constant(self, name: str, array: NDArray[Any]) -> str:
        """Store an array, of numbers or strings, and return its name."""
        self._constants.append(self._onnx.numpy_helper.from_array(array, name))
        return name

    def number(self, value: float, dtype: np.dtype[Any]) -> str:
        """Store a number, once, and return its name."""
        name = f"number_{value!r}"
        if name not in self._numbers:
            self._numbers.add(self.constant(name, np.array(value, dtype)))
        return name

    def add(self, operator: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        """Append a node and return the name of its output."""
        output = output or f"{operator.lower()}_{len(self._nodes)}"
        node = self._onnx.helper.make_node(operator, inputs, [output], output, **attributes)
        self._nodes.append(node)
        return output

    def declare_output(self, name: str, dtype: np.dtype[Any], *columns: int) -> None:
        """Declare the value with this name, of shape (n, *columns), as an output."""
        self._outputs.append(self._value(name, dtype, *columns))

    def type_code(self, dtype: np.dtype[Any]) -> int:
        """Return the ONNX code of an element type."""
        code: int = self._onnx.helper.np_dtype_to_tensor_dtype(dtype)
        return code

    def _value(self, name: str, dtype: np.dtype[Any], *columns: int) -> Any:
        code = self.type_code(dtype)
        return self._onnx.helper.make_tensor_value_info(name, code, ["n", *columns])

    def finish(self, description: Description) -> Any:
        """Return the complete model."""
        helper = self._onnx.helper
        X = self._value("X", description.dtype, description.n_features)
        graph = helper.make_graph(self._nodes, "dnncore", [X], self._outputs, self._constants)
        opset = helper.make_opsetid("", OPSET)
        proto = helper.make_model(
            graph, opset_imports=[opset], ir_version=helper.find_min_ir_version_for([opset]),
            producer_name="dnncore", producer_version=__version__, doc_string=str(description),
        )  # fmt: skip
        metadata = {"dnncore_version": __version__}
        if description.feature_names is not None:
            metadata["feature_names"] = json.dumps(description.feature_names)
        helper.set_model_props(proto, metadata)
        return proto


def _append_model(graph: Graph, description: Description) -> None:
    a = "X"
    for step in description.steps:
        a = step.to_onnx(graph, a)
    for number, layer in enumerate(description.layers, start=1):
        W, b = graph.constant(f"W_{number}", layer.W), graph.constant(f"b_{number}", layer.b)
        a = graph.add("Gemm", a, W, b)
        a = _append_activation(graph, layer.activation, a, description.dtype)
    if description.output == "identity":
        _append_numbers(graph, description, a)
    elif description.output == "logistic":
        _append_indicators(graph, description, a)
    else:
        _append_classes(graph, description, a)


def _append_activation(graph: Graph, name: str, z: str, dtype: np.dtype[Any]) -> str:
    """Append an activation function: one operator, or several that exist in this version and that
    ONNX Runtime has for float64."""
    if name == "identity":
        return z
    if name in OPERATORS:
        return graph.add(OPERATORS[name], z)
    if name == "silu":
        return graph.add("Mul", z, graph.add("Sigmoid", z))

    def number(value: float) -> str:
        return graph.number(value, dtype)

    if name == "selu":
        # Selu has constants of type float.
        below = graph.add("Sub", graph.add("Exp", graph.add("Min", z, number(0.0))), number(1.0))
        scaled = graph.add("Mul", below, number(SELU_NEGATIVE))
        above = graph.add("Mul", z, number(SELU_POSITIVE))
        return graph.add("Where", graph.add("Greater", z, number(0.0)), above, scaled)
    if name == "gelu" and dtype == np.float64:
        # ONNX Runtime has no Erf for float64; see normal_tail in csrc/ops/activations.h.
        x = graph.add("Min", graph.add("Abs", z), number(39.0))
        r = graph.add("Div", number(1.0), graph.add("Add", x, number(5.0)))
        t = graph.add("Mul", graph.add("Sub", x, number(5.0)), r)
        p = number(NORMAL_TAIL[0])
        for coefficient in NORMAL_TAIL[1:]:
            p = graph.add("Add", graph.add("Mul", p, t), number(coefficient))
        half = graph.add("Mul", graph.add("Mul", x, x), number(-0.5))
        tail = graph.add("Mul", graph.add("Mul", graph.add("Exp", half), p), r)
        return graph.add("Sub", graph.add("Max", z, number(0.0)), graph.add("Mul", x, tail))
    if name == "gelu":
        erf = graph.add("Erf", graph.add("Mul", z, number(math.sqrt(0.5))))
        doubled = graph.add("Mul", z, graph.add("Add", erf, number(1.0)))
        return graph.add("Mul", doubled, number(0.5))
    # With e = exp(-|z|), tanh(log(1 + exp(z))) is a fraction of sums of positive terms.
    e = graph.add("Exp", graph.add("Neg", graph.add("Abs", z)))
    square = graph.add("Mul", e, e)
    positive = graph.add("Greater", z, number(0.0))
    twice = graph.add("Add", e, e)
    one = graph.add("Add", twice, number(1.0))
    top = graph.add("Where", positive, one, graph.add("Add", square, twice))
    double = graph.add("Add", square, square)
    rest = graph.add("Where", positive, double, number(2.0))
    return graph.add("Mul", z, graph.add("Div", top, graph.add("Add", top, rest)))


def _append_numbers(graph: Graph, description: Description, z: str) -> None:
    if description.rescale is None:
        graph.add("Identity", z, output="variable")
    else:
        scaled = graph.add("Mul", z, graph.constant("target_scale", description.rescale.scale))
        mean = graph.constant("target_mean", description.rescale.mean)
        graph.add("Add", scaled, mean, output="variable")
    graph.declare_output("variable", description.dtype, description.n_outputs)


def _append_indicators(graph: Graph, description: Description, z: str) -> None:
    positive = graph.add("Greater", z, graph.constant("zero", np.zeros((), description.dtype)))
    int64 = np.dtype(np.int64)
    graph.add("Cast", positive, output="label", to=graph.type_code(int64))
    graph.add("Sigmoid", z, output="probabilities")
    graph.declare_output("label", int64, description.n_outputs)
    graph.declare_output("probabilities", description.dtype, description.n_outputs)


def _append_classes(graph: Graph, description: Description, z: str) -> None:
    assert description.classes is not None
    labels = plain_labels(description.classes)
    # Computed from the logits, as in DNNClassifier.predict: probabilities may be tied by rounding.
    most = graph.add("ArgMax", z, axis=1, keepdims=0)
    graph.add("Gather", graph.constant("classes", labels), most, output="label", axis=0)
    graph.add("Softmax", z, output="probabilities", axis=1)
    graph.declare_output("label", labels.dtype)
    graph.declare_output("probabilities", description.dtype, description.n_outputs)
