"""Convert fitted multi-layer perceptrons of scikit-learn."""

from __future__ import annotations

from copy import deepcopy
from typing import Any, TypeVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.validation import check_is_fitted

from .._core.moments import Moments
from .._estimators.interface import Estimator, Learnt, restore, restored_history
from .._estimators.learnt import MULTILABEL, SINGLE, LearntLabels, LearntNumbers
from ..network import Network

Kind = TypeVar("Kind", bound=Estimator)


def classifier_from_sklearn(kind: type[Kind], model: Any, class_prior: ArrayLike | None) -> Kind:
    """See DNNClassifier.from_sklearn; `kind` is that class or a subclass."""
    scaler, mlp, names = _parts(model, MLPClassifier)
    classes = np.array(mlp.classes_)
    if len(classes) < 2:
        raise ValueError(f"model must have been fitted on at least 2 classes, got {classes}")
    coefs, intercepts = list(mlp.coefs_), list(mlp.intercepts_)
    multilabel = mlp.out_activation_ == "logistic" and mlp.n_outputs_ > 1
    learnt = LearntLabels(MULTILABEL, classes)
    if not multilabel:
        if mlp.n_outputs_ == 1:
            # sigmoid(z) is the second value of softmax(-z/2, z/2), and halving is exact.
            half = np.array([-0.5, 0.5], coefs[-1].dtype)
            coefs[-1], intercepts[-1] = coefs[-1] * half, intercepts[-1] * half
        prior = _priors(class_prior, len(classes))
        # n_iter_ counts the epochs of the last call only, and lbfgs does not update t_.
        rows = mlp.t_ / len(mlp.loss_curve_) if mlp.t_ else 1.0
        learnt = LearntLabels(SINGLE, classes, prior, prior * rows)
    elif class_prior is not None:
        raise ValueError("class_prior must be None for a multi-label model, which has no priors")
    network = _network(mlp, coefs, intercepts, "logistic" if multilabel else "softmax")
    return _assemble(kind, mlp, scaler, names, network, {}, learnt)


def regressor_from_sklearn(kind: type[Kind], model: Any) -> Kind:
    """See DNNRegressor.from_sklearn; `kind` is that class or a subclass."""
    scaler, mlp, names = _parts(model, MLPRegressor)
    n, output = mlp.n_outputs_, mlp.out_activation_
    learnt = LearntNumbers(1 if n == 1 else 2, np.zeros(n), np.ones(n), output)
    network = _network(mlp, mlp.coefs_, mlp.intercepts_, output)
    # As in scikit-learn, refitting does not standardise the targets.
    return _assemble(kind, mlp, scaler, names, network, {"norm_target": False}, learnt)


def _parts(model: Any, kind: type) -> tuple[StandardScaler | None, Any, NDArray[Any] | None]:
    """Return the scaler, the perceptron, and the feature names."""
    steps = [("", model)]
    if isinstance(model, Pipeline):
        steps = [(name, step) for name, step in model.steps if step not in (None, "passthrough")]
    kinds = [kind] if len(steps) == 1 else [StandardScaler, kind]
    if len(steps) != len(kinds) or not all(
        isinstance(step, wanted) for (_, step), wanted in zip(steps, kinds, strict=True)
    ):
        raise TypeError(
            f"model must be a fitted {kind.__name__}, or a Pipeline of StandardScaler and "
            f"{kind.__name__}, got {_describe(model)}"
        )
    for _, step in steps:
        check_is_fitted(step)
    first, mlp = steps[0][1], steps[-1][1]
    names = getattr(first, "feature_names_in_", None)
    return (first if len(steps) == 2 else None), mlp, names


def _describe(model: Any) -> str:
    kind = type(model).__name__
    if not isinstance(model, Pipeline):
        return kind
    steps = (f"{name}: {type(step).__name__}" for name, step in model.steps)
    return f"a {kind} of {', '.join(steps)}"


def _priors(class_prior: ArrayLike | None, n: int) -> NDArray[np.float64]:
    """Return the class priors, normalised; uniform by default."""
    prior = np.ones(n) if class_prior is None else np.asarray(class_prior, np.float64)
    if prior.shape != (n,) or not (np.isfinite(prior).all() and (prior > 0).all()):
        raise ValueError(f"class_prior must be {n} positive numbers, got {class_prior!r}")
    shares: NDArray[np.float64] = prior / prior.sum()
    return shares


def _network(mlp: Any, coefs: list[Any], intercepts: list[Any], output: str) -> Network:
    sizes = [coefs[0].shape[0], *(b.size for b in intercepts)]
    network = Network(sizes, dtype=coefs[0].dtype, seed=0, activation=mlp.activation, output=output)
    for W, b, coef, intercept in zip(
        network.coefs_, network.intercepts_, coefs, intercepts, strict=True
    ):
        if not (np.isfinite(coef).all() and np.isfinite(intercept).all()):
            raise ValueError("model must be finite, got NaN or infinity in coefs_ or intercepts_")
        W[...], b[...] = coef, intercept
    return network


def _adopt_scaler(network: Network, scaler: StandardScaler) -> bool:
    """Use the scaler as input standardisation; return whether further training may update it."""
    n = network.layer_sizes[0]
    network.set_norm(
        scaler.mean_ if scaler.with_mean else np.zeros(n),
        scaler.scale_ if scaler.with_std else np.ones(n),
    )
    if not (scaler.with_mean and scaler.with_std):
        return False
    count = float(np.min(scaler.n_samples_seen_))
    network.moments_ = Moments(count, scaler.mean_.copy(), scaler.var_.copy(), n_rows=int(count))
    return True


def _assemble(
    kind: type[Kind],
    mlp: Any,
    scaler: StandardScaler | None,
    names: NDArray[Any] | None,
    network: Network,
    params: dict[str, Any],
    learnt: Learnt,
) -> Kind:
    """Return the fitted estimator, with the parameters that both libraries have."""
    norm = scaler is not None and _adopt_scaler(network, scaler)
    own = kind._get_param_names()
    shared = {name: x for name, x in mlp.get_params(deep=False).items() if name in own}
    # The fitted structure is used, even if the parameters were changed afterwards.
    fitted = {"hidden_layer_sizes": network.layer_sizes[1:-1], "norm": norm}
    model = kind(**deepcopy(shared) | fitted | params)
    restore(
        model,
        network=network,
        learnt=learnt,
        feature_names=None if names is None else np.array(names),
        history=restored_history(
            [float(loss) for loss in getattr(mlp, "loss_curve_", [mlp.loss_])],
            [float(x) for x in getattr(mlp, "validation_scores_", None) or []],
            [],
            n_iter=int(mlp.n_iter_),
            t=int(mlp.t_),
        ),
    )
    return model
