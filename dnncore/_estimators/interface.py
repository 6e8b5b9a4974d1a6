"""The internal interface of the estimators for the other packages of dnncore.

:class:`Estimator` is the common type of :class:`dnncore.DNNClassifier` and
:class:`dnncore.DNNRegressor` for ``isinstance``, and :class:`TabularModel` that of
:class:`dnncore.tabular.TabularClassifier` and :class:`dnncore.tabular.TabularRegressor`. The
functions give model files, exports, reports, displays and the command line everything they need
beyond the public attributes. Importing this module does not require scikit-learn.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import reduce
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from .._core.checks import Matrix
from .._data.columns import Table
from .._data.table_rows import TableRows
from .._training.history import History
from ..ensemble import Ensemble
from ..network import Network
from ..table_predictor import TablePredictor
from ..training import Trainer
from .fitted import FittedAttributes
from .learnt import LearntLabels, LearntNumbers, LearntTableLabels, LearntTableNumbers
from .nullable import without_nullable
from .unfinished import UnfinishedEnsemble, UnfinishedFit

if TYPE_CHECKING:
    from .._data.table_encoder import TableEncoder  # needs scikit-learn

Learnt = LearntLabels | LearntNumbers
LearntTable = LearntTableLabels | LearntTableNumbers

AUTO = "auto"  # the default of early_stopping


class Model(ABC):
    """An Estimator or a TabularModel; the functions below call its abstract methods."""

    # parameters of all classes
    max_iter: int
    random_state: Any

    @abstractmethod
    def get_params(self, deep: bool = True) -> dict[str, Any]: ...

    @abstractmethod
    def set_params(self, **params: Any) -> Any: ...

    @abstractmethod
    def _check_params(self) -> None: ...

    @abstractmethod
    def _learnt(self) -> Any: ...

    @abstractmethod
    def _adopt_learnt(self, learnt: Any) -> None: ...

    @abstractmethod
    def _encode(self, name: str, y: Any, dtype: np.dtype[Any]) -> NDArray[Any]: ...


class Estimator(FittedAttributes, Model):
    """A DNNClassifier or DNNRegressor."""

    n_features_in_: int
    feature_names_in_: NDArray[Any]
    table_: Table  # only of a model that was trained by the command line, on named columns

    # parameters of both classes
    solver: str
    warm_start: bool
    scoring: Any

    _unfinished: UnfinishedFit | None = None

    @classmethod
    @abstractmethod
    def _get_param_names(cls) -> list[str]: ...

    @abstractmethod
    def _adopt_trainer(self, trainer: Trainer) -> None: ...

    @abstractmethod
    def _rows_for(self, network: Network, X: Any) -> Matrix: ...

    @abstractmethod
    def _check_parts(self) -> None: ...

    @abstractmethod
    def _network_and_learnt(self) -> tuple[Network, Any]: ...

    @abstractmethod
    def _loss_options(self) -> dict[str, Any]: ...


class TabularModel(Model):
    """A TabularClassifier or TabularRegressor.

    Attributes
    ----------
    ensemble_ : Ensemble
    encoder_ : TableEncoder
    histories_ : list of History
        The history of the training of each network.
    stop_reason_ : str
        How `fit` ended; there is none in a file.
    """

    ensemble_: Ensemble
    encoder_: TableEncoder
    histories_: list[History]
    stop_reason_: str
    feature_importances_: NDArray[np.float64]

    n_members: int  # a parameter of both classes

    _unfinished: UnfinishedEnsemble | None = None

    @abstractmethod
    def freeze(self) -> TablePredictor: ...

    @abstractmethod
    def _adopt_encoder(self, encoder: TableEncoder) -> None: ...


AnyModel = TypeVar("AnyModel", bound=Model)


def snapshot(model: AnyModel) -> AnyModel:
    """Return a shallow copy with the attributes of one moment.

    Another thread may fit the model anew meanwhile: it replaces all fitted attributes at once.
    """
    copy = object.__new__(type(model))
    vars(copy).update(vars(model))
    return copy


def replace_attributes(model: Model, attributes: Mapping[str, Any]) -> None:
    """Let a model have these attributes only; other threads see those of before or all of these."""
    own = vars(model)
    own.update(attributes)
    for name in own.keys() - attributes.keys():
        own.pop(name, None)


@contextmanager
def unchanged_on_error(model: Model, *forgotten: str) -> Iterator[None]:
    """Restore the attributes of a model after an error, but those that are to be forgotten."""
    before = {name: value for name, value in vars(model).items() if name not in forgotten}
    try:
        yield
    except BaseException:
        replace_attributes(model, before)
        raise


def check_params(model: Model) -> None:
    """Raise TypeError or ValueError if a parameter is invalid."""
    model._check_params()


def check_parts(model: Estimator) -> None:
    """Raise ValueError if the parameters of a fitted model require another network.

    They may have been changed since it was fitted.
    """
    model._check_parts()


def is_fitted(model: Estimator) -> bool:
    """Return whether the model has a network."""
    return hasattr(model, "network_")


def learnt_of(model: Model) -> Any:
    """Return what a fitted model has learned about its targets: a `Learnt` or a `LearntTable`."""
    return model._learnt()


def network_and_learnt_of(model: Estimator) -> tuple[Network, Any]:
    """Return the network and a `Learnt` of the same fit, even if another thread fits the model.

    Raises
    ------
    sklearn.exceptions.NotFittedError
        If the model is not fitted.
    """
    return model._network_and_learnt()


def trainer_of(model: Estimator) -> Trainer | None:
    """Return the trainer, which holds the solver's state.

    None if the model has not been trained since it was loaded or converted.
    """
    return getattr(model, "_trainer", None)


def unfinished_fit_of(model: Estimator) -> UnfinishedFit | None:
    """Return the fit that a model from a checkpoint can complete, or None."""
    return model._unfinished


def adopt_unfinished_fit(model: Estimator, unfinished: UnfinishedFit) -> None:
    """Let `fit` with `warm_start` complete a fit."""
    model._unfinished = unfinished


def unfinished_ensemble_of(model: TabularModel) -> UnfinishedEnsemble | None:
    """Return the fit that an ensemble from a checkpoint can complete, or None."""
    return model._unfinished


def forget_fit(model: TabularModel) -> None:
    """Remove all fitted attributes, also those of a fit that is not finished."""
    for name in [name for name in vars(model) if name.endswith("_") or name == "_unfinished"]:
        delattr(model, name)


def adopt_unfinished_ensemble(model: TabularModel, unfinished: UnfinishedEnsemble) -> None:
    """Let `fit` with `warm_start` complete the fit of an ensemble."""
    model._unfinished = unfinished


def encoded_targets(model: Model, name: str, y: Any, dtype: np.dtype[Any]) -> NDArray[Any]:
    """Encode targets as the network of a fitted model is trained on them.

    Parameters
    ----------
    model : Model
        Fitted model.
    name : str
        Name of `y` in errors.
    y : array
        Targets in the form that `fit` takes, but not sparse.
    dtype : numpy.dtype
        Dtype of the result, unless it contains class indices.

    Returns
    -------
    array
        Class indices of shape (n,); indicators or probabilities of shape (n, n_classes), without
        label smoothing; or targets of shape (n, n_outputs), standardised with `norm_target`.

    Raises
    ------
    ValueError
        If the form of the targets differs from that in training.
    """
    return model._encode(name, without_nullable(name, y), dtype)


def checked_rows(model: Estimator, network: Network, X: Any) -> Matrix:
    """Check X of shape (n, n_features), as passed to `predict`, and convert it for the network."""
    return model._rows_for(network, X)


def network_inputs(
    model: Network | Estimator, X: Any, y: Any
) -> tuple[Network, Matrix, Any, dict[str, Any]]:
    """Return the network of a model, X and y as it takes them, and the arguments of its loss.

    Those of a network are returned as they are. `y` may be None.

    Raises
    ------
    TypeError, ValueError
        If `model` is of another type or not fitted, or `X` or `y` do not go with it.
    """
    if isinstance(model, Network):
        return model, X, y, {}
    if not isinstance(model, Estimator):
        raise TypeError(
            f"model must be a Network, DNNClassifier or DNNRegressor, got {type(model).__name__}"
        )
    from sklearn.utils.validation import check_consistent_length, check_is_fitted

    check_is_fitted(model)
    network = model.network_
    X = checked_rows(model, network, X)
    if y is not None:
        check_consistent_length(X, y)
        y = y.toarray() if hasattr(y, "toarray") else np.asarray(y)
        y = encoded_targets(model, "y", y, network.dtype)
    return network, X, y, loss_options_of(model)


def loss_options_of(model: Estimator) -> dict[str, Any]:
    """Return the arguments of :meth:`dnncore.Network.loss` that the model is trained with."""
    return model._loss_options()


def early_stopping_of(model: Estimator, *, validated: bool) -> bool | str:
    """Return what early stopping goes by: True for the score, 'loss', or False without it.

    The default, 'auto', goes by the loss on the validation set, if there is one, or by the first
    scorer. It does not stop a training that later calls continue.

    Parameters
    ----------
    model : Estimator
        Model, fitted or not.
    validated : bool
        Whether there is a validation set in training.
    """
    if model.early_stopping != AUTO:
        return bool(model.early_stopping)
    if not validated or model.warm_start:
        return False
    return "loss" if model.scoring is None else True


def restore(
    model: Estimator,
    *,
    network: Network,
    learnt: Learnt,
    feature_names: NDArray[Any] | None,
    history: History,
    table: Table | None = None,
) -> None:
    """Give an unfitted model the fitted attributes read from a file or from another library.

    The model has no trainer: without :func:`adopt_trainer`, the solver starts afresh.
    """
    model.network_ = network
    model.history_ = history
    model.n_features_in_ = network.n_features
    if feature_names is not None:
        model.feature_names_in_ = feature_names
    if table is not None:
        model.table_ = table
    model._adopt_learnt(learnt)


def restored_history(
    loss_curve: list[float],
    validation_scores: list[float],
    validation_losses: list[float],
    *,
    n_iter: int,
    t: int,
    metrics: dict[str, list[float]] | None = None,
) -> History:
    """Return a history, given its curves and the numbers of epochs and samples."""
    return History(
        loss_curve,
        validation_scores,
        validation_losses,
        metrics or {},
        best_loss=min(loss_curve, default=np.inf),
        best_validation_score=reduce(max, validation_scores, -np.inf),  # ignores NaN
        n_iter=n_iter,
        t=t,
    )


def restore_tabular(
    model: TabularModel,
    *,
    networks: Sequence[Network],
    encoder: TableEncoder,
    histories: list[History],
    learnt: LearntTable,
    importances: NDArray[np.float64] | None,
) -> None:
    """Give an unfitted tabular model the fitted attributes read from a file."""
    model._adopt_encoder(encoder)
    if importances is not None:
        model.feature_importances_ = importances
    model.ensemble_ = Ensemble(networks)
    model.histories_ = histories
    model._adopt_learnt(learnt)


def table_rows_of(network: Network, table: Table) -> TableRows:
    """Return the encoding of tables as rows of a network that was trained on their columns."""
    return TableRows(table, network.dtype, network.missing is not None)


def adopt_trainer(model: Estimator, trainer: Trainer) -> None:
    """Let the model resume training with this trainer, its network and its history."""
    model._adopt_trainer(trainer)


@contextmanager
def without_feature_names(model: Estimator) -> Iterator[None]:
    """Let the model accept arrays with columns that are known to be in order.

    Otherwise, scikit-learn would warn about each array without feature names.
    """
    names = model.__dict__.pop("feature_names_in_", None)
    try:
        yield
    finally:
        if names is not None:
            model.feature_names_in_ = names
