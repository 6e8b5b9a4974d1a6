"""A description of a model, from which all exporters work."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._core.names import REGRESSION_OUTPUTS
from .._estimators.interface import Estimator, network_and_learnt_of, snapshot
from ..network import Network
from ..predictor import Predictor
from ._steps import Embedding, Missing, Norm, Step

Model = Network | Predictor | Estimator


@dataclass(frozen=True)
class Layer:
    """``activation(a W + b)``, with W (n_in, n_out) and b (n_out,)."""

    W: NDArray[Any]
    b: NDArray[Any]
    activation: str


@dataclass(frozen=True)
class Rescale:
    """``z scale + mean`` per output, which converts logits to the units of the targets."""

    scale: NDArray[Any]
    mean: NDArray[Any]


@dataclass(frozen=True)
class Description:
    """The computation of a model, step by step.

    Attributes
    ----------
    dtype : numpy.dtype
        Type of the rows, all parameters and the outputs.
    steps : tuple of Step
        Preprocessing steps before the first layer.
    layers : tuple of Layer
        The layers. The activation of the last one is 'identity'; its outputs are the logits.
    output : {'softmax', 'logistic', 'identity', 'exp', 'sorted'}
        Function applied to the logits: class probabilities, independent probabilities of the
        labels (multi-label), or those of regressions.
    rescale : Rescale or None
        Step between the last layer and the output function, for a regressor with standardised
        targets.
    classes : array (n_outputs,) or None
        Labels of the outputs; None for regression.
    feature_names : tuple of str or None
        Names of the features, if known.
    n_features : int
        Number of columns of X.
    """

    dtype: np.dtype[Any]
    steps: tuple[Step, ...]
    layers: tuple[Layer, ...]
    output: str
    rescale: Rescale | None
    classes: NDArray[Any] | None
    feature_names: tuple[str, ...] | None
    n_features: int

    @property
    def n_outputs(self) -> int:
        return int(self.layers[-1].b.size)

    @property
    def n_parameters(self) -> int:
        embedded = sum(s.form.n_parameters for s in self.steps if isinstance(s, Embedding))
        return embedded + sum(layer.W.size + layer.b.size for layer in self.layers)

    @property
    def n_bytes(self) -> int:
        return self.n_parameters * self.dtype.itemsize

    def __str__(self) -> str:
        sizes = [self.n_features, *(layer.b.size for layer in self.layers)]
        activation = f", {self.layers[0].activation}" if len(self.layers) > 1 else ""
        steps = "".join(f"with {step.title}, " for step in self.steps)
        return f"{'-'.join(map(str, sizes))}, {steps}{self.dtype}{activation}, {self.output}"


def describe(model: Model | Any) -> Description:
    """Return the description of a model; its arrays may be views of the model's arrays.

    Raises
    ------
    TypeError
        If `model` is not a model.
    ValueError
        If an estimator is not fitted, or a parameter of the model is not finite.
    """
    if isinstance(model, Predictor):
        description = _of_predictor(model)
    elif isinstance(model, Network):
        description = _of_network(model)
    else:
        description = _of_estimator(model)
    named = {
        f"{name} of layer {number}": array
        for number, layer in enumerate(description.layers)
        for name, array in (("weights", layer.W), ("biases", layer.b))
    }
    for step in description.steps:
        if isinstance(step, Embedding):
            named |= {f"{name} of the embedding": x for name, x in step.learnt._asdict().items()}
    if (rescale := description.rescale) is not None:
        named |= {"target_scale": rescale.scale, "target_mean": rescale.mean}
    for name, array in named.items():
        if not np.isfinite(array).all():
            raise ValueError(
                f"a model must be finite to be exported, got NaN or infinity in {name}"
            )
    return description


def _of_predictor(predictor: Predictor) -> Description:
    predictor = copy(predictor)  # of a single version, should another thread refresh it
    network = Network(
        predictor.layer_sizes, dtype=predictor.dtype, seed=0, activation=predictor.activation,
        output=predictor.output, missing=predictor.missing, embedding=predictor.embedding,
    )  # fmt: skip
    network.parameters[...] = predictor.parameters
    network.set_norm(predictor.mean, predictor.scale)
    return _of_network(network, classes=predictor.classes_, fill=predictor.fill)


def _of_network(
    network: Network,
    *,
    classes: NDArray[Any] | None = None,
    target_mean: NDArray[Any] | None = None,
    target_scale: NDArray[Any] | None = None,
    feature_names: tuple[str, ...] | None = None,
    fill: NDArray[Any] | None = None,
) -> Description:
    """Describe a network; the options are those of `Network.freeze`, with `fill` 0 by default."""
    steps: list[Step] = []
    if network.mean_ is not None and network.scale_ is not None:
        steps.append(Norm(network.mean_, network.scale_))
    if network.missing is not None:
        fill = np.zeros(network.n_features, network.dtype) if fill is None else fill
        steps.append(Missing(fill, network.missing))
    if network.embedding is not None and network.embedding_ is not None:
        steps.append(Embedding(network.embedding, network.embedding_))
    last = len(network.coefs_) - 1
    layers = tuple(
        Layer(W, b, network.activation if number < last else "identity")
        for number, (W, b) in enumerate(zip(network.coefs_, network.intercepts_, strict=True))
    )
    rescale = None
    if target_mean is not None and target_scale is not None:
        rescale = Rescale(target_scale.astype(network.dtype), target_mean.astype(network.dtype))
    if network.output in REGRESSION_OUTPUTS:
        classes = None
    elif classes is None:
        classes = np.arange(network.layer_sizes[-1])
    return Description(
        network.dtype, tuple(steps), layers, network.output, rescale, classes, feature_names,
        network.n_features,
    )  # fmt: skip


def _of_pipeline(steps: list[tuple[str, Any]]) -> Description:
    """Describe a pipeline of scikit-learn: scalers, and an estimator of dnncore."""
    *before, (_, last) = steps
    description = describe(last)
    norms: list[Step] = []
    for name, scaler in before:
        if scaler in (None, "passthrough"):
            continue
        norm = _norm_of(scaler)
        if norm is None:
            raise TypeError(
                "model must be an estimator, or a Pipeline of scalers and an estimator, got the "
                f"step {name!r}, {scaler!r:.80}; convert this step with another tool, or leave it "
                "out: the estimators scale their inputs"
            )
        arrays = (np.broadcast_to(x, description.n_features) for x in norm)
        norms.append(Norm(*(np.array(x, description.dtype) for x in arrays)))
    names = getattr(next((x for _, x in steps if hasattr(x, "transform")), last),
                    "feature_names_in_", None)  # fmt: skip
    return replace(
        description,
        steps=(*norms, *description.steps),
        feature_names=None if names is None else tuple(map(str, names)),
    )


def _norm_of(scaler: Any) -> tuple[Any, Any] | None:
    """Return mean and scale of a fitted scaler, or None if it is none."""
    from sklearn import preprocessing
    from sklearn.utils.validation import check_is_fitted

    names = {
        preprocessing.StandardScaler: ("mean_", "scale_"),
        preprocessing.RobustScaler: ("center_", "scale_"),
        preprocessing.MaxAbsScaler: (None, "scale_"),
        preprocessing.MinMaxScaler: ("min_", "scale_"),
    }.get(type(scaler))
    if names is None or getattr(scaler, "clip", False):
        return None
    check_is_fitted(scaler)
    if not getattr(scaler, "with_mean", True):  # but it has a mean
        names = (None, names[1])
    shift, scale = (
        default if name is None or getattr(scaler, name) is None else getattr(scaler, name)
        for name, default in zip(names, (0.0, 1.0), strict=True)
    )
    if isinstance(scaler, preprocessing.MinMaxScaler):  # x * scale + shift
        return -shift / scale, 1.0 / scale
    return shift, scale


def _of_estimator(model: Any) -> Description:
    steps = getattr(model, "steps", None)
    if isinstance(steps, list):
        return _of_pipeline(steps)
    if not isinstance(model, Estimator):
        raise TypeError(
            "model must be a Network, DNNClassifier, DNNRegressor or Predictor, "
            f"got {type(model).__name__}"
        )
    network, learnt = network_and_learnt_of(model := snapshot(model))
    names = getattr(model, "feature_names_in_", None)
    return _of_network(
        network,
        feature_names=None if names is None else tuple(map(str, names)),
        **learnt.freeze_options,
    )


def plain_labels(classes: NDArray[Any]) -> NDArray[Any]:
    """Return classes as int64, bool, float64, or strings in an object array.

    Raises
    ------
    TypeError, ValueError
        If they have another type, do not fit into int64, or are not valid Unicode.
    """
    if classes.dtype.kind in "iu":
        if int(classes.max()) > np.iinfo(np.int64).max:
            raise ValueError(f"classes must fit into int64 to be exported, got {classes.max()}")
        return classes.astype(np.int64)
    if classes.dtype.kind == "b":
        return classes
    if classes.dtype in (np.float16, np.float32, np.float64):
        return classes.astype(np.float64)
    values = classes.tolist()
    if not all(isinstance(value, str) for value in values):
        raise TypeError(
            "classes must be integers, strings, floats or booleans to be exported, "
            f"got {classes.dtype}"
        )
    try:
        for value in values:
            value.encode()
    except UnicodeEncodeError as error:
        raise ValueError(f"classes must be valid Unicode to be exported, got {error}") from error
    return np.array(values, dtype=object)
