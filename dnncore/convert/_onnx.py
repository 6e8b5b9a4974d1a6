"""Export to ONNX, for ONNX Runtime and other tools that read ONNX."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from .._data.atomic import write_atomically
from ._description import Description, describe
from ._onnx_graph import Graph
from ._onnx_network import append_network
from ._onnx_table import append_table
from ._table_description import TableDescription, describe_table

if TYPE_CHECKING:
    from ._table_description import AnyModel

MAX_BYTES = 2**31 - 1  # of a protobuf message
MAX_HEADER_BYTES = 1 << 20  # allowance for everything except the weights


def to_onnx(model: AnyModel, path: str | os.PathLike[str]) -> None:
    """Write a model as an ONNX file.

    The graph has one input, ``X`` (n, n_features), of the model's dtype, for any number of rows
    n. The outputs have the names that skl2onnx uses:

    ``label``
        Classifier: int64, string, double or bool (n,), from `classes_` (0, 1, ... for a
        Network); multi-label: int64 0 and 1 (n, n_outputs).
    ``probabilities``
        Classifier: (n, n_outputs), as a tensor rather than a sequence of maps.
    ``variable``
        Regressor, or a network with an output for regression: (n, n_outputs), in the units of
        the targets.

    Parameters
    ----------
    model : Network, fitted estimator, Predictor or TablePredictor
        Or a scikit-learn Pipeline of scalers (StandardScaler, RobustScaler, MinMaxScaler,
        MaxAbsScaler) and a fitted DNNClassifier or DNNRegressor.
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
    The input and the numbers in the output of a TabularClassifier, TabularRegressor or
    TablePredictor are double. A row is one for :class:`~dnncore.table_predictor.TablePredictor`,
    whose notes describe it. The encoding, and all networks in their own type, are inside; the
    metadata ``categories`` has a JSON list with the categories of each column, null for numbers.

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
    table = describe_table(model)
    proto = onnx_model(describe(model) if table is None else table)
    write_atomically(path, proto.SerializeToString(deterministic=True))


def onnx_model(description: Description | TableDescription, *, raw_scores: bool = False) -> Any:
    """Return the ONNX model of a description; `raw_scores` as for `append_network`."""
    graph = Graph()
    n_bytes = description.n_bytes + MAX_HEADER_BYTES
    if n_bytes > MAX_BYTES:
        raise ValueError(f"an ONNX file must be smaller than 2 GiB, got {n_bytes} bytes")
    if isinstance(description, TableDescription):
        append_table(graph, description)
    else:
        append_network(graph, description, raw_scores=raw_scores)
    return graph.finish(description)
