"""The nodes of a model of tables in an ONNX graph: the encoding, and the mean of networks."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .._core.names import REGRESSION_OUTPUTS
from .._data.table_columns import BEYOND_CLIP, CLIP
from ._description import plain_labels
from ._onnx_graph import Graph
from ._onnx_network import append_layers, append_output
from ._table_description import TableDescription

INT64 = np.dtype(np.int64)


def append_table(graph: Graph, table: TableDescription) -> None:
    """Append a model of tables from the input X to its outputs."""
    mean = _append_mean(graph, table, _append_encoding(graph, table))
    double = graph.type_code(table.dtype)
    if table.output in REGRESSION_OUTPUTS:
        _append_numbers(graph, table, graph.add("Cast", mean, to=double))
        return
    graph.add("Cast", mean, output="probabilities", to=double)
    if table.output == "logistic":
        positive = graph.add("Greater", "probabilities", graph.number(0.5, table.dtype))
        graph.add("Cast", positive, output="label", to=graph.type_code(INT64))
        graph.declare_output("label", INT64, table.n_outputs)
    else:
        assert table.classes is not None
        labels = plain_labels(table.classes)
        most = graph.add("ArgMax", "probabilities", axis=1, keepdims=0)
        graph.add("Gather", graph.constant("classes", labels), most, output="label", axis=0)
        graph.declare_output("label", labels.dtype)
    graph.declare_output("probabilities", table.dtype, table.n_outputs)


def _append_mean(graph: Graph, table: TableDescription, inputs: str) -> str:
    total = ""
    for network in table.networks:
        z = append_layers(graph, network, inputs)
        z = append_output(graph, table.output, z, network.dtype, table.n_outputs)
        total = graph.add("Add", total, z) if total else z
    count = np.full((), len(table.networks), table.networks[0].dtype)
    return graph.add("Div", total, graph.constant("n_networks", count))


def _append_numbers(graph: Graph, table: TableDescription, z: str) -> None:
    operators = ("Mul", "Add", "Max", "Min")
    if table.units is not None:
        mean, scale, low, high = table.units.T.copy()
        for operator, array in zip(operators, (scale, mean, low, high), strict=True):
            z = graph.add(operator, z, graph.constant(f"target_{operator.lower()}", array))
    graph.add("Identity", z, output="variable")
    graph.declare_output("variable", table.dtype, table.n_outputs)


def _append_encoding(graph: Graph, table: TableDescription) -> str:
    """Append the encoding, and return the name of the inputs of the networks."""
    parts = []
    if table.numbers.columns.size:
        x = _columns(graph, "numbers", "X", table.numbers.columns)
        is_missing = graph.add("IsNaN", x)
        parts.append(_scaled(graph, table, x, is_missing))
        if table.numbers.indicated.size:
            parts.append(_columns(graph, "indicated", is_missing, table.numbers.indicated))
    if table.category_features.columns.size:
        parts.append(_categories(graph, table))
    real = graph.type_code(table.networks[0].dtype)
    parts = [graph.add("Cast", part, to=real) for part in parts]
    return parts[0] if len(parts) == 1 else graph.add("Concat", *parts, axis=1)


def _scaled(graph: Graph, table: TableDescription, x: str, is_missing: str) -> str:
    """Append NumberColumn.scaled."""
    _, half_median, half_scale, _ = table.numbers
    constant = half_scale == 0

    def number(value: float) -> str:
        return graph.number(value, table.dtype)

    halved = graph.add("Mul", x, number(0.5))
    shifted = graph.add("Sub", halved, graph.constant("half_medians", half_median))
    scales = graph.constant("half_scales", np.where(constant, 1.0, half_scale))
    z = graph.add("Div", shifted, scales)
    z = graph.add("Clip", z, number(-BEYOND_CLIP), number(BEYOND_CLIP))
    ratio = graph.add("Div", z, number(CLIP))
    square = graph.add("Add", graph.add("Mul", ratio, ratio), number(1.0))
    z = graph.add("Div", z, graph.add("Sqrt", square))
    is_zero = is_missing
    if constant.any():
        is_zero = graph.add("Or", is_missing, graph.constant("constant", constant))
    return graph.add("Where", is_zero, number(0.0), z)


def _categories(graph: Graph, table: TableDescription) -> str:
    """Append the features of the categories: where a code is the one of the feature."""
    columns, n_values, feature_column, feature_code = table.category_features
    x = _columns(graph, "categories", "X", columns)
    end = graph.constant("n_values", n_values.astype(np.float64))
    zero, minus_one = (graph.number(value, table.dtype) for value in (0.0, -1.0))
    is_missing = graph.add("Or", graph.add("IsNaN", x), graph.add("Equal", x, minus_one))
    in_range = graph.add("And", graph.add("GreaterOrEqual", x, zero), graph.add("Less", x, end))
    known = graph.add("And", in_range, graph.add("Equal", x, graph.add("Floor", x)))
    code = graph.add("Where", known, x, end)
    missing_code = graph.constant("missing_code", n_values.astype(np.float64) + 1)
    code = graph.add("Where", is_missing, missing_code, code)
    spread = _columns(graph, "feature_column", code, feature_column)
    return graph.add("Equal", spread, graph.constant("feature_code", feature_code.astype(float)))


def _columns(graph: Graph, name: str, x: str, columns: NDArray[np.intp]) -> str:
    return graph.add("Gather", x, graph.constant(name, columns.astype(np.int64)), axis=1)
