"""Build a model from the metadata and tensors of a file, which match the schema."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._core.moments import Moments
from .._core.piecewise_linear import PiecewiseLinear
from .._estimators.interface import Estimator, Learnt, adopt_trainer, check_params, restore
from .._estimators.learnt import MULTILABEL, SINGLE, SOFT, LearntLabels, LearntNumbers
from ..network import Network
from ..predictor import Predictor
from . import _classes, _params, _schema, _solver
from ._header import ModelFileError, require
from ._schema import NETWORK, PREDICTOR, REGRESSOR, Metadata, is_count

LABEL_KINDS = {SINGLE: "softmax", SOFT: "softmax", MULTILABEL: "logistic"}  # required output

Tensors = dict[str, NDArray[Any]]


def build(metadata: Metadata, tensors: Tensors) -> Network | Predictor | Estimator:
    """Return the model that was saved."""
    if metadata["kind"] == PREDICTOR:
        return _predictor(metadata, tensors)
    network = _network(metadata, tensors)
    if metadata["kind"] == NETWORK:
        return network
    return _estimator(network, metadata, tensors)


def build_predictor(metadata: Metadata, tensors: Tensors) -> Predictor:
    """Return the predictor of a model of any kind; does not need scikit-learn."""
    if metadata["kind"] == PREDICTOR:
        return _predictor(metadata, tensors)
    network = _network(metadata, tensors)
    if metadata["kind"] == NETWORK:
        return network.freeze()
    return network.freeze(**_learnt(metadata, tensors).freeze_options)


def _predictor(metadata: Metadata, tensors: Tensors) -> Predictor:
    sizes = metadata["layer_sizes"]
    learnt = [f"embedding.{name}" for name in "sVc"] if "embedding" in metadata else []
    parts = [tensors[name].ravel() for name in learnt] + [
        tensors[f"layers.{layer}.{part}"].ravel()
        for layer in range(len(sizes) - 1)
        for part in ("weight", "bias")
    ]
    return Predictor(
        sizes,
        np.concatenate(parts, dtype=metadata["dtype"]),
        _classes.build(metadata["classes"], sizes[-1], ordered=False),
        activation=metadata["activation"],
        output=metadata["output"],
        fill=tensors.get("missing.fill"),
        missing=metadata.get("missing"),
        embedding=_embedding(metadata, tensors),
    )


def _embedding(metadata: Metadata, tensors: Tensors) -> PiecewiseLinear | None:
    if "embedding" not in metadata:
        return None
    sizes = metadata["embedding"]
    return PiecewiseLinear(
        tensors["embedding.lower"], tensors["embedding.inverse_width"], sizes["n_inputs"],
        sizes["size"],
    )  # fmt: skip


def _network(metadata: Metadata, tensors: Tensors) -> Network:
    network = Network(
        metadata["layer_sizes"], dtype=metadata["dtype"], seed=0,
        activation=metadata["activation"], output=metadata["output"],
        missing=metadata.get("missing"), embedding=_embedding(metadata, tensors),
    )  # fmt: skip
    for name, array in (network.embedding_._asdict() if network.embedding_ else {}).items():
        array[...] = tensors[f"embedding.{name}"].reshape(array.shape)
    for layer, (W, b) in enumerate(zip(network.coefs_, network.intercepts_, strict=True)):
        W[...] = tensors[f"layers.{layer}.weight"]
        b[...] = tensors[f"layers.{layer}.bias"]
    if "norm.mean" in tensors:
        network.set_norm(tensors["norm.mean"], tensors["norm.scale"])
    if "norm.moments.count" in tensors:
        count = tensors["norm.moments.count"].astype(np.float64, copy=False)
        network.moments_ = Moments(
            float(count[0]) if network.missing is None else count,
            tensors["norm.moments.mean"].astype(np.float64, copy=False),
            tensors["norm.moments.variance"].astype(np.float64, copy=False),
            tensors.get("norm.range.low"),
            tensors.get("norm.range.high"),
        )
    return network


def _learnt(metadata: Metadata, tensors: Tensors) -> Learnt:
    """Return what an estimator learns besides the network."""
    regressor = metadata["kind"] == REGRESSOR
    return (_regressor if regressor else _classifier)(metadata, tensors)


def _regressor(metadata: Metadata, tensors: Tensors) -> LearntNumbers:
    require(metadata["output"] == "identity", "output of a DNNRegressor must be 'identity'")
    ndim, n_outputs = metadata["target_ndim"], metadata["layer_sizes"][-1]
    require(
        type(ndim) is int and ndim == (1 if n_outputs == 1 else 2),
        f"target_ndim must match the number of outputs, {n_outputs}, got {ndim!r:.80}",
    )
    return LearntNumbers(ndim, tensors["target.mean"], tensors["target.scale"])


def _classifier(metadata: Metadata, tensors: Tensors) -> LearntLabels:
    kind, output = metadata["label_kind"], metadata["output"]
    require(
        LABEL_KINDS.get(kind) == output,
        f"label_kind must match output {output!r}, got {kind!r:.80}",
    )
    classes = _classes.build(metadata["classes"], metadata["layer_sizes"][-1], ordered=True)
    if output != "softmax":
        return LearntLabels(kind, classes)
    prior, total = tensors["class_prior"], tensors["class_total"]
    require(total.any(), "class_total must not be all zero")
    require(abs(prior.sum() - 1.0) < 1e-6, f"class_prior must sum to 1, got {prior.sum()}")
    return LearntLabels(kind, classes, prior, total)


def _estimator(network: Network, metadata: Metadata, tensors: Tensors) -> Estimator:
    import dnncore  # raises an error with installation instructions

    learnt = _learnt(metadata, tensors)
    for key in ("n_iter", "t"):
        require(is_count(metadata[key]), f"{key} must be a non-negative integer")
    kind = getattr(dnncore, metadata["kind"])
    model: Estimator = kind(**_params.build(metadata["params"], set(kind().get_params())))
    try:
        check_params(model)
    except (TypeError, ValueError) as error:
        raise ModelFileError(f"params: {error}") from error
    restore(
        model,
        network=network,
        learnt=learnt,
        feature_names=_feature_names(metadata),
        n_iter=metadata["n_iter"],
        t=metadata["t"],
        **_history(metadata, tensors),
    )
    if "solver" in metadata:
        vectors = [tensors[f"solver.state.{i}"] for i in range(metadata["solver"]["n_vectors"])]
        adopt_trainer(model, _solver.build(network, model.history_, metadata["solver"], vectors))
    return model


def _feature_names(metadata: Metadata) -> NDArray[Any] | None:
    names, n_features = metadata["feature_names"], _schema.n_features(metadata)
    if names is None:
        return None
    named = isinstance(names, list) and all(isinstance(name, str) for name in names)
    require(
        named and len(names) == n_features, f"feature_names must be null or {n_features} strings"
    )
    return np.array(names, dtype=object)


def _history(metadata: Metadata, tensors: Tensors) -> dict[str, Any]:
    def values(name: str) -> list[float]:
        found: list[float] = tensors.get(f"history.{name}", np.empty(0)).tolist()
        return found

    return {
        "loss_curve": values("loss"),
        "validation_scores": values("validation_score"),
        "validation_losses": values("validation_loss"),
        "metrics": {name: values(f"metrics.{i}") for i, name in enumerate(metadata["metrics"])},
    }
