"""Tables: classifier, regressor, and the encoder that turns a table into a matrix of floats."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import ClassifierMixin, RegressorMixin
from sklearn.utils.multiclass import check_classification_targets

from ._core.labels import Labels
from ._data.table_encoder import TableEncoder
from ._estimators.calibration import temperature
from ._estimators.label_learning import LabelLearner
from ._estimators.labels import LabelTargets
from ._estimators.learnt import (
    SINGLE,
    LearntLabels,
    LearntNumbers,
    LearntTableLabels,
    LearntTableNumbers,
)
from ._estimators.numeric import NumberLearner, NumberTargets
from ._estimators.tabular import TabularEstimator
from .ensemble import outputs_of, scale_logits
from .table_predictor import TablePredictor
from .training import EpochInfo

__all__ = ["TableEncoder", "TablePredictor", "TabularClassifier", "TabularRegressor"]


class TabularClassifier(ClassifierMixin, TabularEstimator):  # type: ignore[misc]
    """Classifier of the rows of a table: an ensemble of networks, no preprocessing needed."""

    def __init__(
        self,
        *,
        n_members: int = 8,
        hidden_layer_sizes: int | Sequence[int] = (128, 128, 128),
        activation: str = "silu",
        n_bins: int = 16,
        embedding_size: int = 3,
        categorical_features: Any = "from_dtype",
        max_categories: int = 64,
        class_weight: Mapping[Any, float] | str | None = None,
        learning_rate_init: float | None = None,
        weight_decay: float = 0.02,
        dropout: float = 0.1,
        batch_size: int = 256,
        max_iter: int = 64,
        max_time: float | None = None,
        n_threads: int | None = None,
        random_state: Any = None,
        verbose: bool = False,
        callback: Callable[[int, EpochInfo], object] | None = None,
    ) -> None:
        self.n_members = n_members
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.n_bins = n_bins
        self.embedding_size = embedding_size
        self.categorical_features = categorical_features
        self.max_categories = max_categories
        self.class_weight = class_weight
        self.learning_rate_init = learning_rate_init
        self.weight_decay = weight_decay
        self.dropout = dropout
        self.batch_size = batch_size
        self.max_iter = max_iter
        self.max_time = max_time
        self.n_threads = n_threads
        self.random_state = random_state
        self.verbose = verbose
        self.callback = callback

    def fit(self, X: Any, y: Any, sample_weight: ArrayLike | None = None) -> TabularClassifier:
        """Fit the model to a table."""
        self._fit(X, y, sample_weight)
        return self

    def predict_proba(self, X: Any) -> NDArray[Any]:
        """Predict class probabilities."""
        return self._mean_outputs(X)

    def predict_log_proba(self, X: Any) -> NDArray[Any]:
        """Predict the logarithms of the class probabilities."""
        p = self.predict_proba(X)
        return np.log(np.maximum(p, np.finfo(p.dtype).tiny))

    def predict(self, X: Any) -> NDArray[Any]:
        """Predict the most probable class of each row."""
        labels: NDArray[Any] = self.classes_[self.predict_proba(X).argmax(axis=1)]
        return labels

    def _new_learner(self) -> LabelLearner:
        return LabelLearner(None, None, self.class_weight)

    def _checked_y(self, y: Any) -> NDArray[Any]:
        y = super()._checked_y(y)
        check_classification_targets(y)
        return y

    def _targets(self, learnt: LearntLabels) -> LabelTargets:
        if learnt.kind != SINGLE:
            raise ValueError(f"y must have one label per row, got {learnt.kind} labels")
        return LabelTargets(learnt, 0.0)

    def _learning_rate(self) -> float:
        return 0.04 if self.learning_rate_init is None else self.learning_rate_init

    def _finish(
        self, learnt: LearntLabels, targets: LabelTargets, y: NDArray[Any], labels: Labels,
        held_out: list[NDArray[np.intp]], logits: list[NDArray[Any]],
    ) -> None:  # fmt: skip
        """Find the temperature, and fold it into the networks."""
        assert learnt.prior is not None
        self.classes_, self.class_prior_ = learnt.classes, learnt.prior
        rows, z = np.concatenate(held_out), np.concatenate(logits)
        assert labels.label is not None
        weight = None if labels.weight is None else labels.weight[rows]
        self.temperature_ = temperature(z, labels.label[rows], weight)
        for network in self.ensemble_.networks:
            scale_logits(network, 1.0 / self.temperature_)
        z /= z.dtype.type(self.temperature_)
        self.oof_predict_proba_ = np.full((len(y), z.shape[1]), np.nan, z.dtype)
        self.oof_predict_proba_[rows] = outputs_of(self.ensemble_.networks[0], z)

    def _learnt(self) -> LearntTableLabels:
        return LearntTableLabels(self.classes_, self.class_prior_, self.temperature_)

    def _adopt_learnt(self, learnt: LearntTableLabels) -> None:
        self.classes_, self.class_prior_ = learnt.classes, learnt.prior
        self.temperature_ = learnt.temperature


class TabularRegressor(RegressorMixin, TabularEstimator):  # type: ignore[misc]
    """Regressor of the rows of a table: an ensemble of networks, no preprocessing needed."""

    def __init__(
        self,
        *,
        n_members: int = 8,
        hidden_layer_sizes: int | Sequence[int] = (128, 128, 128),
        activation: str = "silu",
        n_bins: int = 16,
        embedding_size: int = 3,
        categorical_features: Any = "from_dtype",
        max_categories: int = 64,
        learning_rate_init: float | None = None,
        weight_decay: float = 0.02,
        dropout: float = 0.1,
        batch_size: int = 256,
        max_iter: int = 64,
        max_time: float | None = None,
        n_threads: int | None = None,
        random_state: Any = None,
        verbose: bool = False,
        callback: Callable[[int, EpochInfo], object] | None = None,
    ) -> None:
        self.n_members = n_members
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.n_bins = n_bins
        self.embedding_size = embedding_size
        self.categorical_features = categorical_features
        self.max_categories = max_categories
        self.learning_rate_init = learning_rate_init
        self.weight_decay = weight_decay
        self.dropout = dropout
        self.batch_size = batch_size
        self.max_iter = max_iter
        self.max_time = max_time
        self.n_threads = n_threads
        self.random_state = random_state
        self.verbose = verbose
        self.callback = callback

    def fit(self, X: Any, y: Any, sample_weight: ArrayLike | None = None) -> TabularRegressor:
        """Fit the model to a table."""
        self._fit(X, y, sample_weight)
        return self

    def predict(self, X: Any) -> NDArray[Any]:
        """Predict the targets, in the units of y."""
        return self._in_units_of_y(self._mean_outputs(X))

    def _in_units_of_y(self, outputs: NDArray[Any]) -> NDArray[Any]:
        numbers = outputs.astype(np.float64) * self.target_scale_ + self.target_mean_
        numbers = np.clip(numbers, *self.target_range_)
        return numbers.ravel() if self._target_ndim == 1 else numbers

    def _new_learner(self) -> NumberLearner:
        return NumberLearner(None, norm=True)

    def _targets(self, learnt: LearntNumbers) -> NumberTargets:
        return NumberTargets(learnt)

    def _learning_rate(self) -> float:
        return 0.1 if self.learning_rate_init is None else self.learning_rate_init

    def _finish(
        self, learnt: LearntNumbers, targets: NumberTargets, y: NDArray[Any], labels: Labels,
        held_out: list[NDArray[np.intp]], logits: list[NDArray[Any]],
    ) -> None:  # fmt: skip
        self._target_ndim = learnt.ndim
        self.target_mean_, self.target_scale_ = learnt.mean, learnt.scale
        columns = y.reshape(len(y), -1)
        self.target_range_ = columns.min(axis=0), columns.max(axis=0)
        self.oof_prediction_ = np.full(y.shape, np.nan)
        self.oof_prediction_[np.concatenate(held_out)] = self._in_units_of_y(np.concatenate(logits))

    def _learnt(self) -> LearntTableNumbers:
        return LearntTableNumbers(
            self._target_ndim, self.target_mean_, self.target_scale_, *self.target_range_
        )

    def _adopt_learnt(self, learnt: LearntTableNumbers) -> None:
        self._target_ndim = learnt.ndim
        self.target_mean_, self.target_scale_ = learnt.mean, learnt.scale
        self.target_range_ = learnt.low, learnt.high
