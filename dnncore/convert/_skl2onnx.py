"""Converters for skl2onnx, which exports whole scikit-learn pipelines to ONNX."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np

from ._description import Description, describe
from ._onnx import onnx_model
from ._onnx_graph import OPSET

# As those of skl2onnx for other classifiers.
OPTIONS = {
    "zipmap": [True, False, "columns"],
    "output_class_labels": [False, True],
    "nocl": [True, False],
    "raw_scores": [True, False],
}


def register_skl2onnx() -> None:
    """Let skl2onnx convert DNNClassifier and DNNRegressor, alone or in a pipeline.

    Afterwards, ``skl2onnx.to_onnx`` and ``skl2onnx.convert_sklearn`` take these estimators where
    they take scikit-learn's own: as the last step of a Pipeline, in a search, in a
    VotingClassifier. A second call changes nothing.

    Raises
    ------
    ImportError
        If skl2onnx is not installed.

    Notes
    -----
    As for other estimators, the type of the input decides that of the numbers in the output, and
    labels are strings or int64. Inside, the model computes in its own type. Options are `zipmap`,
    `output_class_labels`, `nocl` and `raw_scores`. The target opset must be at least 13.

    Examples
    --------
    >>> import dnncore.convert, skl2onnx  # doctest: +SKIP
    >>> dnncore.convert.register_skl2onnx()  # doctest: +SKIP
    >>> proto = skl2onnx.to_onnx(pipeline, X[:1], options={"zipmap": False})  # doctest: +SKIP
    """
    try:
        from skl2onnx import update_registered_converter
    except ModuleNotFoundError as error:
        raise ImportError(
            "register_skl2onnx needs skl2onnx: pip install 'dnncore[onnx]' skl2onnx"
        ) from error
    from ..classifier import DNNClassifier
    from ..regressor import DNNRegressor

    update_registered_converter(
        DNNClassifier, "DnncoreDNNClassifier", _set_classifier_types, _convert, options=OPTIONS
    )
    update_registered_converter(DNNRegressor, "DnncoreDNNRegressor", _set_regressor_types, _convert)


def _set_classifier_types(operator: Any) -> None:
    """Set the types of label and probabilities; skl2onnx calls this before the conversion."""
    from skl2onnx.common.data_types import Int64TensorType
    from skl2onnx.common.shape_calculator import calculate_linear_classifier_output_shapes

    calculate_linear_classifier_output_shapes(operator)
    description = describe(operator.raw_operator)
    classes = description.classes
    assert classes is not None
    if classes.dtype.kind == "f" and (classes != np.trunc(classes)).any():
        raise ValueError(f"classes must be integers or strings for skl2onnx, got {classes}")
    if description.output == "logistic":
        n_rows = operator.inputs[0].get_first_dimension()
        operator.outputs[0].set_type(Int64TensorType([n_rows, description.n_outputs]))


def _set_regressor_types(operator: Any) -> None:
    """Set the type of the predictions."""
    from skl2onnx.common.data_types import guess_tensor_type
    from skl2onnx.common.utils import check_input_and_output_numbers

    check_input_and_output_numbers(operator, input_count_range=1, output_count_range=1)
    given = operator.inputs[0]
    number = type(guess_tensor_type(given.type))
    n_outputs = describe(operator.raw_operator).n_outputs
    operator.outputs[0].set_type(number([given.get_first_dimension(), n_outputs]))


def _convert(scope: Any, operator: Any, container: Any) -> None:
    """Add the graph of a model to that of the pipeline."""
    from skl2onnx.common.data_types import guess_proto_type

    if container.target_opset < OPSET:
        raise ValueError(f"target_opset must be at least {OPSET}, got {container.target_opset}")
    description, raw_scores = _wanted(scope, operator.raw_operator)
    graph = onnx_model(description, raw_scores=raw_scores).graph
    _add_graph(scope, container, graph)

    def cast(source: str, type_before: int, target: str, type_after: int) -> None:
        if type_before == type_after:
            container.add_node("Identity", source, target)
        else:
            container.add_node("Cast", source, target, to=type_after)

    (given,), (x,) = operator.inputs, graph.input
    cast(given.full_name, guess_proto_type(given.type), x.name, _element_type(x))
    for found, wanted in zip(graph.output, operator.outputs, strict=True):
        type_after = guess_proto_type(wanted.type)
        cast(found.name, _element_type(found), wanted.full_name, type_after)


def _add_graph(scope: Any, container: Any, graph: Any) -> None:
    """Give all that has a name in a graph one that the pipeline does not have, and add it.

    ``skl2onnx.helpers.add_onnx_graph`` may give constants the names of others.
    """
    unique = cache(scope.get_unique_variable_name)
    for node in graph.node:
        node.name = scope.get_unique_operator_name(node.name)
        node.input[:] = map(unique, node.input)
        node.output[:] = map(unique, node.output)
    for named in (*graph.initializer, *graph.input, *graph.output):
        named.name = unique(named.name)
    container.nodes += graph.node
    container.initializers += graph.initializer
    container.node_domain_version_pair_sets.add(("", OPSET))


def _element_type(value: Any) -> int:
    code: int = value.type.tensor_type.elem_type
    return code


def _wanted(scope: Any, model: Any) -> tuple[Description, bool]:
    """Return what the options ask for: a description, and whether to give raw scores."""
    description = describe(model)
    if description.classes is None:
        return description, False
    options = scope.get_options(model, {"nocl": False, "raw_scores": False})
    if options["nocl"]:
        description = replace(description, classes=np.arange(description.n_outputs))
    return description, bool(options["raw_scores"])
