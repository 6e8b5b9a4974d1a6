"""Build a model from the metadata and tensors of a file, which match the schema."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._core.checks import INT_MAX
from .._core.moments import Moments
from .._core.names import REGRESSION_OUTPUTS
from .._core.piecewise_linear import PiecewiseLinear
from .._data.table_rows import TableRows
from .._estimators.interface import (
    Estimator,
    Learnt,
    LearntTable,
    TabularModel,
    adopt_trainer,
    adopt_unfinished_ensemble,
    adopt_unfinished_fit,
    check_params,
    check_parts,
    loss_options_of,
    restore,
    restore_tabular,
    restored_history,
)
from .._estimators.learnt import (
    MULTILABEL,
    SINGLE,
    SOFT,
    LearntLabels,
    LearntNumbers,
    LearntTableLabels,
    LearntTableNumbers,
)
from .._training.history import History
from ..network import Network
from ..predictor import Predictor
from ..table_predictor import TablePredictor
from . import _classes, _ensemble_fit, _fit, _params, _schema, _solver
from ._header import ModelFileError, require
from ._schema import (
    IMPORTANCES,
    NETWORK,
    PREDICTOR,
    REGRESSOR,
    TABULAR,
    TABULAR_CLASSIFIER,
    Metadata,
    is_count,
    member_prefix,
)

LABEL_KINDS = {SINGLE: "softmax", SOFT: "softmax", MULTILABEL: "logistic"}  # required output

Tensors = dict[str, NDArray[Any]]


def build(metadata: Metadata, tensors: Tensors) -> Network | Predictor | Estimator | TabularModel:
    """Return the model that was saved."""
    if metadata["kind"] == PREDICTOR:
        return _predictor(metadata, tensors)
    if metadata["kind"] in TABULAR:
        return _tabular(metadata, tensors)
    network = _network(metadata, tensors)
    if metadata["kind"] == NETWORK:
        return network
    return _estimator(network, metadata, tensors)


def build_predictor(metadata: Metadata, tensors: Tensors) -> Predictor | TablePredictor:
    """Return the predictor of a model of any kind; does not need scikit-learn."""
    if metadata["kind"] == PREDICTOR:
        return _predictor(metadata, tensors)
    if metadata["kind"] in TABULAR:
        return _table_predictor(metadata, tensors)
    network = _network(metadata, tensors)
    learnt = None if metadata["kind"] == NETWORK else _learnt(metadata, tensors)
    predictor = network.freeze(**({} if learnt is None else learnt.freeze_options))
    return _with_table(predictor, metadata)


def _with_table(predictor: Predictor, metadata: Metadata) -> Predictor:
    """Let a predictor take tables, if the file has their columns."""
    if "table" in metadata:
        may_miss = predictor.fill is not None
        predictor.encoder = TableRows(metadata["table"], predictor.dtype, may_miss)
    return predictor


def _table_predictor(metadata: Metadata, tensors: Tensors) -> TablePredictor:
    networks = [_network(metadata, own) for own in _members(metadata, tensors)]
    return TablePredictor(
        metadata["encoder"],
        [network.freeze() for network in networks],
        **_learnt_table(metadata, tensors).freeze_options,
    )


def _predictor(metadata: Metadata, tensors: Tensors) -> Predictor:
    sizes = metadata["layer_sizes"]
    learnt = [f"embedding.{name}" for name in "sVc"] if "embedding" in metadata else []
    parts = [tensors[name].ravel() for name in learnt] + [
        tensors[f"layers.{layer}.{part}"].ravel()
        for layer in range(len(sizes) - 1)
        for part in ("weight", "bias")
    ]
    predictor = Predictor(
        sizes,
        np.concatenate(parts, dtype=metadata["dtype"]),
        _classes.build(metadata["classes"], sizes[-1], ordered=False),
        activation=metadata["activation"],
        output=metadata["output"],
        mean=tensors.get("norm.mean"),
        scale=tensors.get("norm.scale"),
        fill=tensors.get("missing.fill"),
        missing=metadata.get("missing"),
        embedding=_embedding(metadata, tensors),
    )
    return _with_table(predictor, metadata)


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
            n_rows=int(np.clip(count.max(), 1, INT_MAX)),  # the file has the weights only
        )
    return network


def _learnt(metadata: Metadata, tensors: Tensors) -> Learnt:
    """Return what an estimator learns besides the network."""
    regressor = metadata["kind"] == REGRESSOR
    return (_regressor if regressor else _classifier)(metadata, tensors)


def _regressor(metadata: Metadata, tensors: Tensors) -> LearntNumbers:
    output = metadata["output"]
    require(
        output in REGRESSION_OUTPUTS,
        f"output of a {REGRESSOR} must be one of {REGRESSION_OUTPUTS}, got {output!r:.80}",
    )
    return LearntNumbers(_ndim(metadata), tensors["target.mean"], tensors["target.scale"], output)


def _ndim(metadata: Metadata) -> int:
    """Return the number of dimensions of the targets of a regressor."""
    ndim, n_outputs = metadata["target_ndim"], metadata["layer_sizes"][-1]
    require(
        type(ndim) is int and ndim == (1 if n_outputs == 1 else 2),
        f"target_ndim must match the number of outputs, {n_outputs}, got {ndim!r:.80}",
    )
    return int(ndim)


def _classifier(metadata: Metadata, tensors: Tensors) -> LearntLabels:
    kind, output = metadata["label_kind"], metadata["output"]
    require(
        LABEL_KINDS.get(kind) == output,
        f"label_kind must match output {output!r}, got {kind!r:.80}",
    )
    classes = _classes.build(metadata["classes"], metadata["layer_sizes"][-1], ordered=True)
    require(
        kind == SINGLE or np.array_equal(classes, np.arange(len(classes))),
        f"classes of {kind} labels must be 0, 1, ..., got {classes!s:.80}",
    )
    if output != "softmax":
        return LearntLabels(kind, classes)
    total = tensors["class_total"]
    require(total.any(), "class_total must not be all zero")
    return LearntLabels(kind, classes, _prior(tensors), total)


def _prior(tensors: Tensors) -> NDArray[np.float64]:
    prior = tensors["class_prior"]
    require(abs(prior.sum() - 1.0) < 1e-6, f"class_prior must sum to 1, got {prior.sum()}")
    return prior


def _estimator(network: Network, metadata: Metadata, tensors: Tensors) -> Estimator:
    import dnncore  # raises an error with installation instructions

    learnt = _learnt(metadata, tensors)
    for key in ("n_iter", "t"):
        require(is_count(metadata[key]), f"{key} must be a non-negative integer")
    model: Estimator = _unfitted(getattr(dnncore, metadata["kind"]), metadata)
    restore(
        model,
        network=network,
        learnt=learnt,
        feature_names=_feature_names(metadata),
        table=metadata.get("table"),
        history=_history(tensors, metadata["n_iter"], metadata["t"], metadata["metrics"]),
    )
    try:
        check_parts(model)
    except ValueError as error:
        raise ModelFileError(f"params: {error}") from error
    if "solver" in metadata:
        vectors = [tensors[f"solver.state.{i}"] for i in range(metadata["solver"]["n_vectors"])]
        trainer = _solver.build(
            network, model.history_, metadata["solver"], vectors, loss_options_of(model)
        )
        adopt_trainer(model, trainer)
        if "fit" in metadata:
            schedule = trainer.solver.schedule
            adopt_unfinished_fit(model, _fit.build(metadata["fit"], tensors, schedule, vectors))
    return model


def _unfitted(kind: Any, metadata: Metadata) -> Any:
    """Return an unfitted estimator with the stored parameters."""
    model = kind(**_params.build(metadata["params"], set(kind().get_params())))
    try:
        check_params(model)
    except (TypeError, ValueError) as error:
        raise ModelFileError(f"params: {error}") from error
    return model


def _tabular(metadata: Metadata, tensors: Tensors) -> TabularModel:
    import dnncore  # raises an error with installation instructions

    tabular: Any = dnncore.tabular
    learnt = _learnt_table(metadata, tensors)
    members = _members(metadata, tensors)
    model: TabularModel = _unfitted(getattr(tabular, metadata["kind"]), metadata)
    restore_tabular(
        model,
        networks=[_network(metadata, own) for own in members],
        encoder=tabular.TableEncoder.of(metadata["encoder"], metadata["dtype"]),
        histories=[
            _history(own, counts["n_iter"], counts["t"])
            for own, counts in zip(members, metadata["members"], strict=True)
        ],
        learnt=learnt,
        importances=tensors.get(IMPORTANCES),
    )
    if "fit" in metadata:
        unfinished = _ensemble_fit.build(metadata["fit"], model.histories_)
        adopt_unfinished_ensemble(model, unfinished)
    return model


def _members(metadata: Metadata, tensors: Tensors) -> list[Tensors]:
    """Return the tensors of each member, by their names without its prefix."""
    n_members = len(metadata["members"])
    members: dict[str, Tensors] = {member_prefix(index): {} for index in range(n_members)}
    for name, tensor in tensors.items():
        first, *rest = name.split(".", 2)
        if first == "members":
            members[f"{first}.{rest[0]}."][rest[1]] = tensor
    return list(members.values())


def _learnt_table(metadata: Metadata, tensors: Tensors) -> LearntTable:
    """Return what a tabular model learns besides the encoder and the networks."""
    if metadata["kind"] == TABULAR_CLASSIFIER:
        require(metadata["output"] == "softmax", "output of a TabularClassifier must be 'softmax'")
        classes = _classes.build(metadata["classes"], metadata["layer_sizes"][-1], ordered=True)
        return LearntTableLabels(classes, _prior(tensors), float(tensors["temperature"][0]))
    require(metadata["output"] == "identity", "output of a TabularRegressor must be 'identity'")
    low, high = tensors["target.low"], tensors["target.high"]
    require((low <= high).all(), "target.low must not be higher than target.high")
    return LearntTableNumbers(
        _ndim(metadata), tensors["target.mean"], tensors["target.scale"], low, high
    )


def _feature_names(metadata: Metadata) -> NDArray[Any] | None:
    names, n_features = metadata["feature_names"], _schema.n_features(metadata)
    if names is None:
        return None
    named = isinstance(names, list) and all(isinstance(name, str) for name in names)
    require(
        named and len(names) == n_features, f"feature_names must be null or {n_features} strings"
    )
    return np.array(names, dtype=object)


def _history(tensors: Tensors, n_iter: int, t: int, metrics: Sequence[str] = ()) -> History:
    def values(name: str) -> list[float]:
        found: list[float] = tensors.get(f"history.{name}", np.empty(0)).tolist()
        return found

    return restored_history(
        values("loss"),
        values("validation_score"),
        values("validation_loss"),
        n_iter=n_iter,
        t=t,
        metrics={name: values(f"metrics.{i}") for i, name in enumerate(metrics)},
    )
