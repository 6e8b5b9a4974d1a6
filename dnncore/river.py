"""Estimators for river, which learn from a stream of dicts.

They need the extra: ``pip install 'dnncore[river]'``.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from ._core.optional import package_for

with package_for(__name__, "river", name="river", extra="river"):
    from river import base, stats
    from river.utils import dataframe

from . import kernels
from ._river.growing import GrowingNetwork
from .training import SGD, Adam, Trainer

__all__ = ["NetworkClassifier", "NetworkRegressor"]

DEFAULT_LEARNING_RATE = 0.003
LARGEST = float(np.finfo(np.float32).max)


# A mini-batch is one step on all rows, as in river's linear models, which skip it too.
SKIPPED_CHECKS = {"check_learn_many_matches_learn_one"}


class GrowingModel:
    """What the two estimators have in common: their parameters, and the network."""

    _output: ClassVar[str]

    def __init__(
        self,
        hidden_layer_sizes: int | Sequence[int] = (100,),
        activation: str = "relu",
        solver: SGD | Adam | None = None,
        norm: bool = True,
        max_grad_norm: float | None = None,
        seed: int | None = None,
    ) -> None:
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.solver = solver
        self.norm = norm
        self.max_grad_norm = max_grad_norm
        self.seed = seed
        self._growing = GrowingNetwork(
            hidden_layer_sizes, activation=activation, output=self._output,
            solver=Adam(DEFAULT_LEARNING_RATE) if solver is None else solver, norm=norm,
            max_grad_norm=max_grad_norm, seed=seed,
        )  # fmt: skip
        self._begin()

    def _begin(self) -> None:
        """Create what has been learnt of the targets, which is nothing yet."""

    @property
    def features(self) -> list[Any]:
        return list(self._growing.columns)

    @property
    def trainer(self) -> Trainer | None:
        return self._growing.trainer

    def _unit_test_skips(self) -> set[str]:
        return SKIPPED_CHECKS


class NetworkClassifier(GrowingModel, base.MiniBatchClassifier):  # type: ignore[misc]
    """Dense neural network that classifies the rows of a stream, for river.

    Features and classes may appear at any time: the network grows, and keeps what it has learnt.
    A feature that is not in a row, or is NaN, counts as missing, and takes the value of its mean.
    Features must be numbers. Computation is in float32.

    Parameters
    ----------
    hidden_layer_sizes : int or sequence of int, default=(100,)
        Number of units in each hidden layer; ``[]`` gives a linear model (river cannot clone
        an empty tuple).
    activation : str, default='relu'
        Activation function of the hidden layers, as in :class:`dnncore.Network`.
    solver : SGD, Adam or AdamW, default=None
        Solver of :mod:`dnncore.training`; by default, ``Adam(0.003)``.
    norm : bool, default=True
        Whether to standardise the features by the mean and scale of all rows so far; the scale is
        that of :meth:`dnncore.Network.update_norm`.
    max_grad_norm : float, default=None
        Largest Euclidean norm of the gradient of a step; a larger gradient is scaled to it.
    seed : int, default=None
        Seed of the initial weights.

    Attributes
    ----------
    classes : list
        Labels seen so far, in the order of the outputs.
    features : list
        Features seen so far, in the order of the inputs.
    trainer : Trainer or None
        Trainer of the network ``trainer.network``; None before the first row. Another one takes
        its place when the network grows. ``trainer.learning_rate`` may be set.

    See Also
    --------
    NetworkRegressor : The same for numbers.
    dnncore.training.Trainer.learn_one : A step on an array.

    Notes
    -----
    A row is one step of the solver, and so is a mini-batch of :meth:`learn_many`. The inputs grow
    in powers of two, so that growing is rare; new weights are initial weights, and the solver's
    state of the others is kept. The order of the features in a row does not matter.

    Examples
    --------
    >>> from dnncore.river import NetworkClassifier
    >>> model = NetworkClassifier((20,), seed=0)
    >>> for i in range(200):
    ...     x = i % 7 / 3.0
    ...     model.learn_one({"x": x, "y": 1.0 - x}, "high" if x > 1.0 else "low")
    >>> model.predict_one({"x": 0.1, "y": 0.9})
    'low'
    """

    _output = "softmax"

    def _begin(self) -> None:
        self._index: dict[Hashable, int] = {}

    @property
    def classes(self) -> list[Any]:
        return list(self._index)

    @property
    def _multiclass(self) -> bool:
        return True

    def learn_one(self, x: Mapping[Any, Any], y: Any) -> None:
        """Make one step on a row.

        Parameters
        ----------
        x : dict from feature to number
            Row.
        y : hashable
            Label.

        Raises
        ------
        TypeError, ValueError
            If a feature is not a number, or not finite in float32, or the label is NaN; the model
            is unchanged.

        Warns
        -----
        DivergenceWarning
            If the loss, a parameter or the solver's state is no longer finite; the step is undone.
        """
        label = self._index.get(y)
        if label is None:
            _check_labels([y])
            row = self._growing.learn_row(x, len(self._index) + 1)
            label = self._index[y] = len(self._index)
        else:
            row = self._growing.learn_row(x, len(self._index))
        self._growing.step(row, label)

    def predict_proba_one(self, x: Mapping[Any, Any], **kwargs: Any) -> dict[Any, float]:
        """Return the probability of each class seen so far."""
        if not self._index:
            return {}
        p = self._growing.outputs(x).tolist()
        total = sum(p)  # 1, but for the rounding of float32
        return {label: value / total for label, value in zip(self._index, p, strict=True)}

    def predict_one(self, x: Mapping[Any, Any], **kwargs: Any) -> Any:
        """Return the class with the highest probability; None before the first row."""
        if not self._index:
            return None
        return self.classes[self._growing.outputs(x).argmax()]

    def learn_many(self, X: Any, y: Any) -> None:
        """Make one step on a mini-batch.

        Parameters
        ----------
        X : data frame of shape (n, n_features)
            Rows, in a frame of pandas, polars or another library that river supports.
        y : series of shape (n,)
            Labels.
        """
        features, values, _ = _read_frame(X)
        labels = dataframe.into_series(y).to_list()
        _check_lengths(values, labels)
        new = {label: None for label in labels if label not in self._index}
        _check_labels(new)
        rows = self._growing.learn_rows(features, values, len(self._index) + len(new))
        for label in new:
            self._index[label] = len(self._index)
        self._growing.step(rows, np.array([self._index[label] for label in labels]))

    def predict_proba_many(self, X: Any) -> Any:
        """Return the probabilities as a data frame with a column for each class."""
        features, values, frame = _read_frame(X)
        p = np.empty((len(values), 0))
        if self._index:
            p = kernels.softmax(self._growing.logits(features, values)).astype(np.float64)
            p /= p.sum(axis=1, keepdims=True)
        columns = dict(zip(self._index, p.T, strict=True))
        return dataframe.to_native_frame(columns, like=frame)

    def predict_many(self, X: Any) -> Any:
        """Return the classes with the highest probability as a series."""
        features, values, frame = _read_frame(X)
        labels = [None] * len(values)
        if self._index:
            classes = self.classes
            labels = [classes[i] for i in self._growing.logits(features, values).argmax(axis=1)]
        return dataframe.to_native_series(labels, name=None, like=frame)


class NetworkRegressor(GrowingModel, base.MiniBatchRegressor):  # type: ignore[misc]
    """Dense neural network that predicts numbers from the rows of a stream, for river.

    It is trained on the squared error. Everything else is as in :class:`NetworkClassifier`.

    Parameters
    ----------
    hidden_layer_sizes : int or sequence of int, default=(100,)
        Number of units in each hidden layer; ``[]`` gives a linear model (river cannot clone
        an empty tuple).
    activation : str, default='relu'
        Activation function of the hidden layers, as in :class:`dnncore.Network`.
    solver : SGD, Adam or AdamW, default=None
        Solver of :mod:`dnncore.training`; by default, ``Adam(0.003)``.
    norm : bool, default=True
        Whether to standardise the features, as in :class:`NetworkClassifier`, and the target by
        its mean and standard deviation so far.
    max_grad_norm : float, default=None
        Largest Euclidean norm of the gradient of a step; a larger gradient is scaled to it.
    seed : int, default=None
        Seed of the initial weights.

    Attributes
    ----------
    features : list
        Features seen so far, in the order of the inputs.
    trainer : Trainer or None
        Trainer of the network, as in :class:`NetworkClassifier`.

    Examples
    --------
    >>> from dnncore.river import NetworkRegressor
    >>> model = NetworkRegressor((20,), seed=0)
    >>> for i in range(500):
    ...     model.learn_one({"x": i % 7}, 100.0 + i % 7)
    >>> abs(model.predict_one({"x": 3}) - 103.0) < 0.5
    True
    """

    _output = "identity"

    def _begin(self) -> None:
        self._variance = stats.Var(ddof=0)
        self._mean, self._scale = 0.0, 1.0

    def learn_one(self, x: Mapping[Any, Any], y: float) -> None:
        """Make one step on a row.

        Parameters
        ----------
        x : dict from feature to number
            Row.
        y : float
            Target.

        Raises
        ------
        TypeError, ValueError
            If a feature or the target is not a number, or not finite in float32; the model is
            unchanged.

        Warns
        -----
        DivergenceWarning
            If the loss, a parameter or the solver's state is no longer finite; the step is undone.
        """
        y = _target(y)
        row = self._growing.learn_row(x, 1)
        self._learn_target(y)
        self._growing.step(row, (y - self._mean) / self._scale)

    def predict_one(self, x: Mapping[Any, Any]) -> float:
        """Return the prediction for a row; 0 before the first row."""
        if self._growing.trainer is None:
            return 0.0
        return self._growing.outputs(x).item() * self._scale + self._mean

    def learn_many(self, X: Any, y: Any) -> None:
        """Make one step on a mini-batch.

        Parameters
        ----------
        X : data frame of shape (n, n_features)
            Rows, in a frame of pandas, polars or another library that river supports.
        y : series of shape (n,)
            Targets.
        """
        features, values, _ = _read_frame(X)
        targets = np.asarray(dataframe.into_series(y).to_numpy(), np.float64)
        _check_lengths(values, targets)
        if not (np.abs(targets) <= LARGEST).all():
            raise ValueError("y must be finite in float32")
        rows = self._growing.learn_rows(features, values, 1)
        for target in targets.tolist():
            self._learn_target(target)
        targets = ((targets - self._mean) / self._scale).astype(np.float32)
        self._growing.step(rows, targets[:, None])

    def predict_many(self, X: Any) -> Any:
        """Return the predictions as a series."""
        features, values, frame = _read_frame(X)
        predictions = np.zeros(len(values))
        if self._growing.trainer is not None:
            z = self._growing.logits(features, values).astype(np.float64)
            predictions = z[:, 0] * self._scale + self._mean
        return dataframe.to_native_series(predictions, name=None, like=frame)

    def _learn_target(self, y: float) -> None:
        if self.norm:
            self._variance.update(y)
            self._mean = self._variance.mean.get()
            self._scale = math.sqrt(self._variance.get()) or 1.0


def _read_frame(X: Any) -> tuple[Sequence[Hashable], NDArray[np.float64], Any]:
    """Return the names of the columns, the values of shape (n, n_features), and river's frame."""
    frame = dataframe.into_frame(X)
    return frame.columns, dataframe.to_numpy(frame), frame


def _check_labels(labels: Iterable[Any]) -> None:
    """Refuse NaN, which differs from itself: each one would be a class of its own."""
    if any(isinstance(label, (float, np.floating)) and math.isnan(label) for label in labels):
        raise ValueError("y must not be NaN")


def _target(y: Any) -> float:
    """Return a target as a float; one that float32 does not contain would spoil its moments."""
    try:
        size = math.fabs(y)
    except OverflowError:
        size = math.inf
    except TypeError:
        raise TypeError(f"y must be a number, got {y!r:.40}") from None
    if not size <= LARGEST:
        raise ValueError(f"y must be finite in float32, got {y!r:.40}")
    return float(y)


def _check_lengths(values: NDArray[np.float64], y: Sequence[Any] | NDArray[Any]) -> None:
    if len(values) == 0:
        raise ValueError("X must have at least 1 row")
    if len(y) != len(values):
        raise ValueError(f"y must have a target for each of the {len(values)} rows, got {len(y)}")
