"""Convert a model to the metadata and tensors of its file."""

from __future__ import annotations

from copy import copy
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._data.columns import Table
from .._data.table_rows import TableRows
from .._estimators.interface import (
    Estimator,
    TabularModel,
    check_parts,
    learnt_of,
    network_and_learnt_of,
    snapshot,
    trainer_of,
    unfinished_ensemble_of,
    unfinished_fit_of,
)
from .._estimators.learnt import LearntLabels, LearntNumbers, LearntTableLabels
from .._training.history import History
from .._version import __version__
from ..network import Network
from ..predictor import Predictor
from . import _classes, _ensemble_fit, _fit, _params, _schema, _solver

Tensors = dict[str, NDArray[Any]]
Described = tuple[dict[str, Any], Tensors]  # metadata before JSON encoding


def describe(
    model: Network | Predictor | Estimator | TabularModel, solver_state: bool
) -> Described:
    """Return the metadata and tensors of a model; TypeError if it is not a model."""
    if isinstance(model, TabularModel):
        return _tabular(model, solver_state)
    if isinstance(model, Network | Predictor):
        if solver_state:
            raise ValueError(
                f"solver_state needs a DNNClassifier or DNNRegressor, got a {type(model).__name__}"
            )
        return _network(model) if isinstance(model, Network) else _predictor(model)
    return _estimator(model, solver_state)


def table_of(model: Network | Predictor | Estimator | TabularModel) -> Table | None:
    """Return the table of the file from which a model was loaded."""
    if isinstance(model, Predictor):
        return model.encoder.table if isinstance(model.encoder, TableRows) else None
    return getattr(model, "table_", None)


def _layers(kind: str, model: Network | Predictor, parameters: NDArray[Any]) -> Described:
    """Return the metadata and tensors that networks and predictors share."""
    metadata: dict[str, Any] = {
        "format": _schema.FORMAT,
        "format_version": _schema.VERSION,
        "kind": kind,
        "dnncore_version": __version__,
        "dtype": model.dtype.name,
        "activation": model.activation,
        "output": model.output,
        "layer_sizes": model.layer_sizes,
    }
    if model.missing is not None:
        metadata["missing"] = model.missing.tolist()
    tensors: Tensors = {}
    start = 0
    if model.embedding is not None:
        embedding, start = model.embedding, model.embedding.n_parameters
        metadata["embedding"] = {name: getattr(embedding, name) for name in _schema.EMBEDDING_SIZES}
        arrays = {"lower": embedding.lower, "inverse_width": embedding.inverse_width}
        arrays |= embedding.views(parameters)._asdict()
        arrays["V"] = arrays["V"].reshape(-1, embedding.n_bins)
        tensors = {f"embedding.{name}": array for name, array in arrays.items()}
    for layer, (k, m) in enumerate(pairwise(model.layer_sizes)):
        weight, bias = parameters[start : start + k * m], parameters[start + k * m :]
        tensors |= {
            f"layers.{layer}.weight": weight.reshape(k, m),
            f"layers.{layer}.bias": bias[:m],
        }
        start += (k + 1) * m
    return metadata, tensors


def _predictor(predictor: Predictor) -> Described:
    predictor = copy(predictor)  # of a single version, should another thread refresh it
    metadata, tensors = _layers(_schema.PREDICTOR, predictor, predictor.parameters)
    named = ("norm.mean", predictor.mean), ("norm.scale", predictor.scale)
    for name, array in (*named, ("missing.fill", predictor.fill)):
        if array is not None:
            tensors[name] = array
    return metadata | {"classes": _classes.describe(predictor.classes_)}, tensors


def _network(network: Network) -> Described:
    metadata, tensors = _layers(_schema.NETWORK, network, network.parameters)
    if network.mean_ is not None and network.scale_ is not None:
        tensors |= {"norm.mean": network.mean_, "norm.scale": network.scale_}
    if network.moments_ is not None:
        tensors |= {
            "norm.moments.count": np.atleast_1d(np.float64(network.moments_.count)),
            "norm.moments.mean": network.moments_.mean,
            "norm.moments.variance": network.moments_.variance,
        }
        if network.moments_.low is not None and network.moments_.high is not None:
            tensors |= {
                "norm.range.low": network.moments_.low,
                "norm.range.high": network.moments_.high,
            }
    return metadata, tensors


def _estimator(model: Estimator, solver_state: bool) -> Described:
    if not isinstance(model, Estimator):
        raise TypeError(
            f"model must be a {', '.join(_schema.KINDS[:-1])} or {_schema.KINDS[-1]}, "
            f"got {type(model).__name__}"
        )
    model = snapshot(model)  # of a single fit, should another thread fit it
    network, learnt = network_and_learnt_of(model)
    try:
        check_parts(model)
    except ValueError as error:
        raise ValueError(f"the model cannot be saved: {error}") from error
    metadata, tensors = _network(network)
    names = getattr(model, "feature_names_in_", None)
    metadata |= {
        "feature_names": names,
        "params": _params.describe(model),
        "n_iter": model.n_iter_,
        "t": model.t_,
    }
    own = _labels(learnt) if isinstance(learnt, LearntLabels) else _numbers(learnt)
    metadata, tensors = metadata | own[0], tensors | own[1]
    metadata["metrics"] = list(model.history_.metrics)
    tensors |= _history(model.history_)
    if solver_state:
        _add_solver(model, metadata, tensors)
    return metadata, tensors


def _labels(learnt: LearntLabels) -> Described:
    metadata = {
        "kind": _schema.CLASSIFIER,
        "classes": _classes.describe(learnt.classes),
        "label_kind": learnt.kind,
    }
    if learnt.prior is None or learnt.totals is None:
        return metadata, {}
    return metadata, {"class_prior": learnt.prior, "class_total": learnt.totals}


def _numbers(learnt: LearntNumbers) -> Described:
    metadata = {"kind": _schema.REGRESSOR, "target_ndim": learnt.ndim}
    return metadata, {"target.mean": learnt.mean, "target.scale": learnt.scale}


def _history(history: History) -> Tensors:
    tensors = {"history.loss": np.array(history.loss_curve, np.float64)}
    optional = {
        "validation_score": history.validation_scores,
        "validation_loss": history.validation_losses,
    }
    numbered = {f"metrics.{i}": values for i, values in enumerate(history.metrics.values())}
    for name, values in {**optional, **numbered}.items():
        if values or name in numbered:
            tensors[f"history.{name}"] = np.array(values, np.float64)
    return tensors


def _tabular(model: TabularModel, solver_state: bool) -> Described:
    from sklearn.utils.validation import check_is_fitted

    check_is_fitted(model)
    model = snapshot(model)
    metadata: dict[str, Any] = {}
    tensors: Tensors = {}
    networks = model.ensemble_.networks
    for index, (network, history) in enumerate(zip(networks, model.histories_, strict=True)):
        metadata, own = _network(network)
        own |= _history(history)
        prefix = _schema.member_prefix(index)
        tensors |= {prefix + name: tensor for name, tensor in own.items()}
    metadata |= {
        "encoder": model.encoder_.encoding_.to_json(),
        "params": _params.describe(model),
        "members": [{"n_iter": x.n_iter, "t": x.t} for x in model.histories_],
    }
    importances = getattr(model, "feature_importances_", None)
    if importances is not None:
        tensors[_schema.IMPORTANCES] = importances
    learnt = learnt_of(model)
    if isinstance(learnt, LearntTableLabels):
        metadata |= {
            "kind": _schema.TABULAR_CLASSIFIER, "classes": _classes.describe(learnt.classes)
        }  # fmt: skip
        tensors |= {
            "class_prior": learnt.prior, "temperature": np.array([learnt.temperature])
        }  # fmt: skip
    else:
        metadata |= {"kind": _schema.TABULAR_REGRESSOR, "target_ndim": learnt.ndim}
        tensors |= {
            f"target.{name}": getattr(learnt, name) for name in ("mean", "scale", "low", "high")
        }
    if solver_state:
        unfinished = unfinished_ensemble_of(model)
        if unfinished is None:
            raise ValueError(
                "solver_state needs a DNNClassifier or DNNRegressor, or an ensemble from a "
                f"checkpoint, got a {type(model).__name__} whose fit is finished"
            )
        metadata["fit"] = _ensemble_fit.describe(unfinished, model.histories_)
    return metadata, tensors


def _add_solver(model: Estimator, metadata: dict[str, Any], tensors: Tensors) -> None:
    trainer = trainer_of(model)
    if trainer is None:
        raise ValueError(
            "the model has no solver state: it has not been trained since it was loaded or "
            "converted"
        )
    metadata["solver"], vectors = _solver.describe(trainer)
    tensors |= {f"solver.state.{i}": vector for i, vector in enumerate(vectors)}
    unfinished = unfinished_fit_of(model)
    if unfinished is not None:
        metadata["fit"], of_fit = _fit.describe(unfinished)
        tensors |= of_fit
