"""What other packages may use of an estimator, beside its public attributes.

:class:`Estimator` is the type of :class:`dnncore.DNNClassifier` and :class:`dnncore.DNNRegressor`
for ``isinstance``, and the functions are all that is internal and needed elsewhere: by files of
models, exports, reports, displays and the command line. To import it needs no scikit-learn.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from functools import reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._core.checks import Matrix
from .._training.history import History
from ..network import Network
from ..training import Trainer
from .fitted import FittedAttributes
from .learnt import LearntLabels, LearntNumbers

Learnt = LearntLabels | LearntNumbers


class Estimator(FittedAttributes, ABC):
    """A DNNClassifier or DNNRegressor. What is abstract here is behind the functions below."""

    n_features_in_: int
    feature_names_in_: NDArray[Any]

    # parameters that both have
    solver: str
    max_iter: int
    warm_start: bool
    random_state: Any

    @abstractmethod
    def get_params(self, deep: bool = True) -> dict[str, Any]: ...

    @abstractmethod
    def set_params(self, **params: Any) -> Any: ...

    @abstractmethod
    def _check_params(self) -> None: ...

    @abstractmethod
    def _learnt(self) -> Learnt: ...

    @abstractmethod
    def _adopt_learnt(self, learnt: Any) -> None: ...

    @abstractmethod
    def _adopt_trainer(self, trainer: Trainer) -> None: ...

    @abstractmethod
    def _encode(self, name: str, y: Any, dtype: np.dtype[Any]) -> NDArray[Any]: ...

    @abstractmethod
    def _check_X(self, X: Any) -> Matrix: ...

    @abstractmethod
    def _loss_options(self) -> dict[str, Any]: ...


def check_params(model: Estimator) -> None:
    """Raise TypeError or ValueError if a parameter does not fit."""
    model._check_params()


def is_fitted(model: Estimator) -> bool:
    """Whether the model has a network."""
    return hasattr(model, "network_")


def learnt_of(model: Estimator) -> Any:
    """What a fitted model has learnt of its targets: LearntLabels or LearntNumbers."""
    return model._learnt()


def trainer_of(model: Estimator) -> Trainer | None:
    """The trainer, with the solver's state; None if the model was not trained since it was loaded
    or converted."""
    return getattr(model, "_trainer", None)


def encoded_targets(model: Estimator, name: str, y: Any, dtype: np.dtype[Any]) -> NDArray[Any]:
    """The targets of some rows as the network of a fitted model is trained on them.

    Parameters
    ----------
    model : fitted Estimator
    name : str
        Of `y`, in errors.
    y : array
        As `fit` takes it, but not sparse.
    dtype : numpy.dtype
        Of the result, where it is not indices.

    Returns
    -------
    array
        Indices of classes (n,); 0 and 1, or probabilities (n, n_classes), without label
        smoothing; or targets (n, n_outputs), standardised with `norm_target`.

    Raises
    ------
    ValueError
        If the targets are not of the form that the model was trained on.
    """
    return model._encode(name, y, dtype)


def checked_rows(model: Estimator, X: Any) -> Matrix:
    """X (n, n_features), as `predict` takes it, in the form that the network of a fitted model
    takes: checked."""
    return model._check_X(X)


def loss_options_of(model: Estimator) -> dict[str, Any]:
    """Arguments of :meth:`dnncore.Network.loss`, by which a model is trained."""
    return model._loss_options()


def restore(
    model: Estimator,
    *,
    network: Network,
    learnt: Learnt,
    feature_names: NDArray[Any] | None,
    loss_curve: list[float],
    validation_scores: list[float],
    validation_losses: list[float],
    n_iter: int,
    t: int,
    metrics: dict[str, list[float]] | None = None,
) -> None:
    """Make a model that is not fitted the one that a file, or another library, describes.

    It has no trainer: without :func:`adopt_trainer` the solver starts afresh.
    """
    model.network_ = network
    model.history_ = History(
        loss_curve,
        validation_scores,
        validation_losses,
        metrics or {},
        best_loss=min(loss_curve, default=np.inf),
        best_validation_score=reduce(max, validation_scores, -np.inf),  # past any NaN
        n_iter=n_iter,
        t=t,
    )
    model.n_features_in_ = network.n_features
    if feature_names is not None:
        model.feature_names_in_ = feature_names
    model._adopt_learnt(learnt)


def adopt_trainer(model: Estimator, trainer: Trainer) -> None:
    """Let a model go on in its training with this trainer, its network and its history."""
    model._adopt_trainer(trainer)


@contextmanager
def without_feature_names(model: Estimator) -> Iterator[None]:
    """Meanwhile the model takes arrays whose columns are known to be in order.

    scikit-learn would warn of each one that it has no names, though the model has.
    """
    names = model.__dict__.pop("feature_names_in_", None)
    try:
        yield
    finally:
        if names is not None:
            model.feature_names_in_ = names
