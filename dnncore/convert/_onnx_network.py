"""The nodes of a network in an ONNX graph."""

from __future__ import annotations

from typing import Any

import numpy as np

from .._core.names import REGRESSION_OUTPUTS
from ._description import Description, plain_labels
from ._onnx_activations import append_activation
from ._onnx_graph import Graph


def append_network(graph: Graph, description: Description, *, raw_scores: bool = False) -> None:
    """Append a network from the input X to its outputs.

    With `raw_scores`, the probabilities are replaced by the values of `decision_function`, in two
    columns of opposite signs if there are two classes.
    """
    z = append_layers(graph, description, "X")
    if description.output in REGRESSION_OUTPUTS:
        _append_numbers(graph, description, z)
    elif description.output == "logistic":
        _append_indicators(graph, description, z)
        _append_scores(graph, description, "Identity" if raw_scores else "Sigmoid", z)
    else:
        _append_classes(graph, description, z)
        if raw_scores and description.n_outputs == 2:
            other = graph.constant("other_class", np.array([1, 0]))
            z = graph.add("Sub", z, graph.add("Gather", z, other, axis=1))
        _append_scores(graph, description, "Identity" if raw_scores else "Softmax", z)


def append_layers(graph: Graph, description: Description, a: str) -> str:
    """Append the steps and layers of a network, and return the name of the logits."""
    for step in description.steps:
        a = step.to_onnx(graph, a)
    for number, layer in enumerate(description.layers, start=1):
        W, b = graph.constant(f"W_{number}", layer.W), graph.constant(f"b_{number}", layer.b)
        a = graph.add("Gemm", a, W, b)
        a = append_activation(graph, layer.activation, a, description.dtype)
    return a


def append_output(graph: Graph, output: str, z: str, dtype: np.dtype[Any], n_outputs: int) -> str:
    """Append an output function, and return the name of the outputs."""
    if output == "softmax":
        return graph.add("Softmax", z, axis=1)
    if output == "logistic":
        return graph.add("Sigmoid", z)
    if output == "exp":
        return graph.add(
            "Min", graph.add("Exp", z), graph.number(float(np.finfo(dtype).max), dtype)
        )
    if output == "sorted":
        count = graph.constant("n_outputs", np.array([n_outputs], np.int64))
        return graph.add("TopK", z, count, axis=1, largest=0, n_unused=1)
    return z


def _append_scores(graph: Graph, description: Description, operator: str, z: str) -> None:
    graph.add(operator, z, output="probabilities")
    graph.declare_output("probabilities", description.dtype, description.n_outputs)


def _append_numbers(graph: Graph, description: Description, z: str) -> None:
    if description.rescale is not None:
        z = graph.add("Mul", z, graph.constant("target_scale", description.rescale.scale))
        z = graph.add("Add", z, graph.constant("target_mean", description.rescale.mean))
    z = append_output(graph, description.output, z, description.dtype, description.n_outputs)
    graph.add("Identity", z, output="variable")
    graph.declare_output("variable", description.dtype, description.n_outputs)


def _append_indicators(graph: Graph, description: Description, z: str) -> None:
    positive = graph.add("Greater", z, graph.constant("zero", np.zeros((), description.dtype)))
    int64 = np.dtype(np.int64)
    graph.add("Cast", positive, output="label", to=graph.type_code(int64))
    graph.declare_output("label", int64, description.n_outputs)


def _append_classes(graph: Graph, description: Description, z: str) -> None:
    assert description.classes is not None
    labels = plain_labels(description.classes)
    # Computed from the logits, as in DNNClassifier.predict: probabilities may be tied by rounding.
    most = graph.add("ArgMax", z, axis=1, keepdims=0)
    graph.add("Gather", graph.constant("classes", labels), most, output="label", axis=0)
    graph.declare_output("label", labels.dtype)
