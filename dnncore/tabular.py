"""Tables: classifier, regressor, and the encoder that turns a table into a matrix of floats."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._core.optional import scikit_learn_for

with scikit_learn_for(__name__):
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
from ._network.back_propagation import apply_output
from .checkpoints import Checkpoint
from .ensemble import scale_logits
from .table_predictor import TablePredictor
from .training import EpochInfo

__all__ = ["TableEncoder", "TablePredictor", "TabularClassifier", "TabularRegressor"]


class TabularClassifier(ClassifierMixin, TabularEstimator):  # type: ignore[misc]
    """Classifier of the rows of a table: an ensemble of networks, without any preprocessing.

    The table may have numbers, categories, dates and missing values; see :class:`TableEncoder`.

    Parameters
    ----------
    n_members : int, default=8
        Number of networks. Each is trained without one of as many folds of the rows, which
        chooses its best epoch; with fewer than 5 members, there are 5 folds.
    hidden_layer_sizes : int or sequence of int, default=(128, 128, 128)
        Number of units in each hidden layer.
    activation : str, default='silu'
        Activation function of the hidden layers, as in :class:`dnncore.DNNClassifier`.
    n_bins : int, default=16
        Number of bins of the embedding of a number; see :class:`dnncore.PiecewiseLinear`. With 0,
        numbers are not embedded.
    embedding_size : int, default=3
        Number of learnt functions of a number.
    categorical_features : 'from_dtype', None, or sequence, default='from_dtype'
        Columns of categories, as in :class:`TableEncoder`.
    max_categories : int, default=64
        Largest number of categories of a column, as in :class:`TableEncoder`.
    class_weight : mapping, 'balanced' or None, default=None
        Weights of the classes in training, as in :class:`dnncore.DNNClassifier`.
    learning_rate_init : float or None, default=None
        Largest learning rate, for a unit with a single input; weights of a layer with n inputs
        have 1 / sqrt(n) of it. None: 0.04.
    weight_decay : float, default=0.02
        Decoupled weight decay per step, as a fraction of the weight and of the learning rate.
    dropout : float in [0, 1), default=0.1
        Probability that an output of a hidden layer is dropped in a step.
    max_grad_norm : float, default=None
        Largest Euclidean norm of the gradient of a step, over all parameters of a member; a
        gradient with a larger norm is scaled to it.
    batch_size : int, default=256
        Number of rows per mini-batch, limited to the number of rows.
    max_iter : int, default=64
        Number of epochs. The learning rate goes through four cycles ('coslog4'); a member ends
        after a cycle that has not improved the loss of its held-out rows.
    max_time : float or None, default=None
        Time budget in seconds. If it does not suffice for `max_iter` epochs, there are fewer, and
        also fewer members if need be; the result then depends on the speed of the machine.
    n_threads : int or None, default=None
        Number of members that are trained at the same time, each by one thread, and number of
        threads for scoring. None: the number of processors. The result does not depend on it.
    importances : bool, default=False
        Whether to compute `feature_importances_`.
    random_state : int, RandomState or None, default=None
        Seed of the folds, the initial weights, the order of rows, and dropout.
    warm_start : bool, default=False
        Whether `fit` completes the fit of a model from a `checkpoint`: it trains the members that
        are missing, on the same rows and with the same parameters. `random_state` then has no
        effect: the seeds of all members were drawn when the fit began. Without such a fit, a new
        one begins.
    verbose : bool, default=False
        Whether to show a progress bar (with tqdm).
    callback : callable or None, default=None
        Function called with the index of a member and a :class:`dnncore.training.EpochInfo` after
        each of its epochs; all training ends if it returns True.
    checkpoint : dnncore.checkpoints.Checkpoint, default=None
        Model file that `fit` writes every so often, with the members that are finished, and from
        which it completes a fit that was killed.

    Attributes
    ----------
    ensemble_ : dnncore.ensemble.Ensemble
        The networks.
    encoder_ : TableEncoder
        The encoder of the columns.
    histories_ : list of dnncore.training.History
        Losses of each member after each epoch, on its own and on its held-out rows.
    stop_reason_ : str
        How `fit` ended; the first of these that holds for any member: 'interrupted' by Ctrl-C,
        'stopped' by the callback, 'max_time', 'diverged', or 'converged' (a cycle did not help, or
        the schedule has ended). Absent in a model from a file.
    n_iter_ : int array of shape (n_members,)
        Number of epochs of each member.
    classes_ : array of shape (n_classes,)
        Sorted classes.
    class_prior_ : array of shape (n_classes,)
        Class frequencies in the training rows.
    temperature_ : float
        Temperature that the logits are divided by, which minimises the log-loss of the
        held-out rows.
    oof_predict_proba_ : array of shape (n_samples, n_classes)
        Probabilities of the training rows, each from the member that was trained without it; NaN
        for a row that no member held out.
    feature_importances_ : array of shape (n_columns,)
        With `importances`: how much the loss of the held-out rows grows when the cells of a
        column are permuted among them (log-loss).
    feature_names_in_ : array of str of shape (n_columns,)
        Names of the columns, if all their labels are strings.
    n_features_in_ : int
        Number of columns.

    Notes
    -----
    Columns are encoded by :class:`TableEncoder`; no preprocessing is needed. A member is a network
    with a piecewise-linear embedding of the numbers (Gorishniy, Rubachev and Babenko 2022) and a
    learnt scale of all its inputs, trained by AdamW with the schedule and the learning rates of
    RealMLP (Holzmueller, Grinsztajn and Steinwart 2024). Same rows, same seed, same bits, on every
    processor and for any number of threads, except with `max_time`.

    References
    ----------
    D. Holzmueller, L. Grinsztajn, I. Steinwart, "Better by default: strong pre-tuned MLPs and
    boosted trees on tabular data", 2024, arXiv:2407.04491.

    Y. Gorishniy, I. Rubachev, A. Babenko, "On embeddings for numerical features in tabular deep
    learning", 2022, arXiv:2203.05556.

    Examples
    --------
    >>> from dnncore.tabular import TabularClassifier
    >>> rows = [[1.0, "red"], [2.0, "blue"], [None, "red"], [4.0, "blue"]] * 25
    >>> labels = ["stop", "go", "stop", "go"] * 25
    >>> model = TabularClassifier(n_members=2, max_iter=8, random_state=0).fit(rows, labels)
    >>> model.predict([[3.0, "red"], [3.0, "blue"]])
    array(['stop', 'go'], dtype='<U4')
    """

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
        max_grad_norm: float | None = None,
        batch_size: int = 256,
        max_iter: int = 64,
        max_time: float | None = None,
        n_threads: int | None = None,
        importances: bool = False,
        random_state: Any = None,
        warm_start: bool = False,
        verbose: bool = False,
        callback: Callable[[int, EpochInfo], object] | None = None,
        checkpoint: Checkpoint | None = None,
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
        self.max_grad_norm = max_grad_norm
        self.batch_size = batch_size
        self.max_iter = max_iter
        self.max_time = max_time
        self.n_threads = n_threads
        self.importances = importances
        self.random_state = random_state
        self.warm_start = warm_start
        self.verbose = verbose
        self.callback = callback
        self.checkpoint = checkpoint

    def fit(self, X: Any, y: Any, sample_weight: ArrayLike | None = None) -> TabularClassifier:
        """Fit the model to a table.

        Parameters
        ----------
        X : table of shape (n_samples, n_features)
            DataFrame of pandas or polars, Arrow table, array, or list of rows; see
            :class:`TableEncoder`.
        y : array of shape (n_samples,)
            Class labels: numbers, strings or Booleans.
        sample_weight : array of shape (n_samples,), default=None
            Weights of the rows, non-negative and not all zero.

        Returns
        -------
        TabularClassifier
            The fitted model.

        Raises
        ------
        TypeError, ValueError
            If an argument or a parameter is invalid, or is not that of the fit that `warm_start`
            completes; the model is unchanged.
        KeyboardInterrupt
            On Ctrl-C before any member has been trained for an epoch; the model is unchanged.

        Warns
        -----
        UserWarning
            If training ends with fewer members, because of Ctrl-C, `max_time` or `callback`.
        """
        self._fit(X, y, sample_weight)
        return self

    def predict_proba(self, X: Any) -> NDArray[Any]:
        """Predict class probabilities.

        Parameters
        ----------
        X : table of shape (n_samples, n_features)
            Rows to score, with the columns of `fit` in any order if they have names.

        Returns
        -------
        array of shape (n_samples, n_classes)
            Mean probabilities of the members, in the order of `classes_`.
        """
        return self._mean_outputs(X)[0]

    def predict_log_proba(self, X: Any) -> NDArray[Any]:
        """Predict the logarithms of the class probabilities.

        Parameters
        ----------
        X : table of shape (n_samples, n_features)
            Rows to score, with the columns of `fit` in any order if they have names.

        Returns
        -------
        array of shape (n_samples, n_classes)
            Log-probabilities, in the order of `classes_`; always finite.
        """
        p = self.predict_proba(X)
        log_p: NDArray[Any] = np.log(np.maximum(p, np.finfo(p.dtype).tiny))
        return log_p

    def predict(self, X: Any) -> NDArray[Any]:
        """Predict the most probable class of each row.

        Parameters
        ----------
        X : table of shape (n_samples, n_features)
            Rows to score, with the columns of `fit` in any order if they have names.

        Returns
        -------
        array of shape (n_samples,)
            Predicted classes.
        """
        p, learnt = self._mean_outputs(X)
        labels: NDArray[Any] = learnt.classes[p.argmax(axis=1)]
        return labels

    def _new_learner(self) -> LabelLearner:
        return LabelLearner(None, None, self.class_weight)

    def _checked_y(self, y: Any) -> NDArray[Any]:
        labels = super()._checked_y(y)
        check_classification_targets(labels)
        return labels

    def _targets(self, learnt: LearntLabels) -> LabelTargets:
        if learnt.kind != SINGLE:
            raise ValueError(f"y must have one label per row, got {learnt.kind} labels")
        return LabelTargets(learnt, 0.0)

    def _learning_rate(self) -> float:
        return 0.04 if self.learning_rate_init is None else self.learning_rate_init

    def _learnt_before(
        self, learnt: LearntLabels, y: NDArray[Any], labels: Labels
    ) -> LearntTableLabels:
        assert learnt.prior is not None
        return LearntTableLabels(learnt.classes, learnt.prior, temperature=1.0)

    def _finish(
        self, y: NDArray[Any], labels: Labels,
        held_out: list[NDArray[np.intp]], logits: list[NDArray[Any]],
    ) -> None:  # fmt: skip
        """Find the temperature, and fold it into the networks."""
        rows, z = np.concatenate(held_out), np.concatenate(logits)
        assert labels.label is not None
        weight = None if labels.weight is None else labels.weight[rows]
        self.temperature_ = temperature(z, labels.label[rows], weight)
        for network in self.ensemble_.networks:
            scale_logits(network, 1.0 / self.temperature_)
        z /= z.dtype.type(self.temperature_)
        self.oof_predict_proba_ = np.full((len(y), z.shape[1]), np.nan, z.dtype)
        self.oof_predict_proba_[rows] = apply_output(self.ensemble_.output, z)

    def _learnt(self) -> LearntTableLabels:
        return LearntTableLabels(self.classes_, self.class_prior_, self.temperature_)

    def _adopt_learnt(self, learnt: LearntTableLabels) -> None:
        self.classes_, self.class_prior_ = learnt.classes, learnt.prior
        self.temperature_ = learnt.temperature


class TabularRegressor(RegressorMixin, TabularEstimator):  # type: ignore[misc]
    """Regressor of the rows of a table: an ensemble of networks, without any preprocessing.

    The table may have numbers, categories, dates and missing values; see :class:`TableEncoder`.

    Parameters
    ----------
    n_members : int, default=8
        Number of networks. Each is trained without one of as many folds of the rows, which
        chooses its best epoch; with fewer than 5 members, there are 5 folds.
    hidden_layer_sizes : int or sequence of int, default=(128, 128, 128)
        Number of units in each hidden layer.
    activation : str, default='silu'
        Activation function of the hidden layers, as in :class:`dnncore.DNNRegressor`.
    n_bins : int, default=16
        Number of bins of the embedding of a number; see :class:`dnncore.PiecewiseLinear`. With 0,
        numbers are not embedded.
    embedding_size : int, default=3
        Number of learnt functions of a number.
    categorical_features : 'from_dtype', None, or sequence, default='from_dtype'
        Columns of categories, as in :class:`TableEncoder`.
    max_categories : int, default=64
        Largest number of categories of a column, as in :class:`TableEncoder`.
    learning_rate_init : float or None, default=None
        Largest learning rate, for a unit with a single input; weights of a layer with n inputs
        have 1 / sqrt(n) of it. None: 0.1.
    weight_decay : float, default=0.02
        Decoupled weight decay per step, as a fraction of the weight and of the learning rate.
    dropout : float in [0, 1), default=0.1
        Probability that an output of a hidden layer is dropped in a step.
    max_grad_norm : float, default=None
        Largest Euclidean norm of the gradient of a step, over all parameters of a member; a
        gradient with a larger norm is scaled to it.
    batch_size : int, default=256
        Number of rows per mini-batch, limited to the number of rows.
    max_iter : int, default=64
        Number of epochs. The learning rate goes through four cycles ('coslog4'); a member ends
        after a cycle that has not improved the loss of its held-out rows.
    max_time : float or None, default=None
        Time budget in seconds. If it does not suffice for `max_iter` epochs, there are fewer, and
        also fewer members if need be; the result then depends on the speed of the machine.
    n_threads : int or None, default=None
        Number of members that are trained at the same time, each by one thread, and number of
        threads for scoring. None: the number of processors. The result does not depend on it.
    importances : bool, default=False
        Whether to compute `feature_importances_`.
    random_state : int, RandomState or None, default=None
        Seed of the folds, the initial weights, the order of rows, and dropout.
    warm_start : bool, default=False
        Whether `fit` completes the fit of a model from a `checkpoint`: it trains the members that
        are missing, on the same rows and with the same parameters. `random_state` then has no
        effect: the seeds of all members were drawn when the fit began. Without such a fit, a new
        one begins.
    verbose : bool, default=False
        Whether to show a progress bar (with tqdm).
    callback : callable or None, default=None
        Function called with the index of a member and a :class:`dnncore.training.EpochInfo` after
        each of its epochs; all training ends if it returns True.
    checkpoint : dnncore.checkpoints.Checkpoint, default=None
        Model file that `fit` writes every so often, with the members that are finished, and from
        which it completes a fit that was killed.

    Attributes
    ----------
    ensemble_ : dnncore.ensemble.Ensemble
        The networks.
    encoder_ : TableEncoder
        The encoder of the columns.
    histories_ : list of dnncore.training.History
        Losses of each member after each epoch, on its own and on its held-out rows.
    stop_reason_ : str
        How `fit` ended; the first of these that holds for any member: 'interrupted' by Ctrl-C,
        'stopped' by the callback, 'max_time', 'diverged', or 'converged' (a cycle did not help, or
        the schedule has ended). Absent in a model from a file.
    n_iter_ : int array of shape (n_members,)
        Number of epochs of each member.
    target_mean_, target_scale_ : array of shape (n_outputs,)
        Mean and standard deviation of the targets, which standardise them for training.
    target_range_ : two arrays of shape (n_outputs,)
        Smallest and largest target; predictions are limited to them.
    oof_prediction_ : array of the shape of y
        Predictions for the training rows, each from the member that was trained without it; NaN
        for a row that no member held out.
    feature_importances_ : array of shape (n_columns,)
        With `importances`: how much the loss of the held-out rows grows when the cells of a
        column are permuted among them, relative to the variance of the targets.
    feature_names_in_ : array of str of shape (n_columns,)
        Names of the columns, if all their labels are strings.
    n_features_in_ : int
        Number of columns.

    Notes
    -----
    Columns are encoded by :class:`TableEncoder`; no preprocessing is needed. A member is a network
    with a piecewise-linear embedding of the numbers (Gorishniy, Rubachev and Babenko 2022) and a
    learnt scale of all its inputs, trained by AdamW with the schedule and the learning rates of
    RealMLP (Holzmueller, Grinsztajn and Steinwart 2024). Same rows, same seed, same bits, on every
    processor and for any number of threads, except with `max_time`.

    References
    ----------
    D. Holzmueller, L. Grinsztajn, I. Steinwart, "Better by default: strong pre-tuned MLPs and
    boosted trees on tabular data", 2024, arXiv:2407.04491.

    Y. Gorishniy, I. Rubachev, A. Babenko, "On embeddings for numerical features in tabular deep
    learning", 2022, arXiv:2203.05556.

    Examples
    --------
    >>> from dnncore.tabular import TabularRegressor
    >>> rows = [[i, "red" if i % 2 else "blue"] for i in range(100)]
    >>> y = [i + 10 * (i % 2) for i in range(100)]
    >>> model = TabularRegressor(n_members=2, random_state=0).fit(rows, y)
    >>> bool(model.score(rows, y) > 0.95)
    True
    """

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
        max_grad_norm: float | None = None,
        batch_size: int = 256,
        max_iter: int = 64,
        max_time: float | None = None,
        n_threads: int | None = None,
        importances: bool = False,
        random_state: Any = None,
        warm_start: bool = False,
        verbose: bool = False,
        callback: Callable[[int, EpochInfo], object] | None = None,
        checkpoint: Checkpoint | None = None,
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
        self.max_grad_norm = max_grad_norm
        self.batch_size = batch_size
        self.max_iter = max_iter
        self.max_time = max_time
        self.n_threads = n_threads
        self.importances = importances
        self.random_state = random_state
        self.warm_start = warm_start
        self.verbose = verbose
        self.callback = callback
        self.checkpoint = checkpoint

    def fit(self, X: Any, y: Any, sample_weight: ArrayLike | None = None) -> TabularRegressor:
        """Fit the model to a table.

        Parameters
        ----------
        X : table of shape (n_samples, n_features)
            DataFrame of pandas or polars, Arrow table, array, or list of rows; see
            :class:`TableEncoder`.
        y : array of shape (n_samples,) or (n_samples, n_outputs)
            Targets.
        sample_weight : array of shape (n_samples,), default=None
            Weights of the rows, non-negative and not all zero.

        Returns
        -------
        TabularRegressor
            The fitted model.

        Raises
        ------
        TypeError, ValueError
            If an argument or a parameter is invalid, or is not that of the fit that `warm_start`
            completes; the model is unchanged.
        KeyboardInterrupt
            On Ctrl-C before any member has been trained for an epoch; the model is unchanged.

        Warns
        -----
        UserWarning
            If training ends with fewer members, because of Ctrl-C, `max_time` or `callback`.
        """
        self._fit(X, y, sample_weight)
        return self

    def predict(self, X: Any) -> NDArray[Any]:
        """Predict the targets, in the units of y.

        Parameters
        ----------
        X : table of shape (n_samples, n_features)
            Rows to score, with the columns of `fit` in any order if they have names.

        Returns
        -------
        array of shape (n_samples,) or (n_samples, n_outputs)
            Mean predictions of the members, with the number of dimensions of y in training.
        """
        return self._in_units_of_y(*self._mean_outputs(X))

    @staticmethod
    def _in_units_of_y(outputs: NDArray[Any], learnt: LearntTableNumbers) -> NDArray[Any]:
        numbers = outputs.astype(np.float64) * learnt.scale + learnt.mean
        numbers = np.clip(numbers, learnt.low, learnt.high)
        return numbers.ravel() if learnt.ndim == 1 else numbers

    def _new_learner(self) -> NumberLearner:
        return NumberLearner(None, norm=True)

    def _targets(self, learnt: LearntNumbers) -> NumberTargets:
        return NumberTargets(learnt)

    def _learning_rate(self) -> float:
        return 0.1 if self.learning_rate_init is None else self.learning_rate_init

    def _learnt_before(
        self, learnt: LearntNumbers, y: NDArray[Any], labels: Labels
    ) -> LearntTableNumbers:
        columns = y.reshape(len(y), -1)
        if labels.weight is not None:
            columns = columns[labels.weight > 0]
        return LearntTableNumbers(
            learnt.ndim, learnt.mean, learnt.scale, columns.min(axis=0), columns.max(axis=0)
        )

    def _finish(
        self, y: NDArray[Any], labels: Labels,
        held_out: list[NDArray[np.intp]], logits: list[NDArray[Any]],
    ) -> None:  # fmt: skip
        self.oof_prediction_ = np.full(y.shape, np.nan)
        outputs = np.concatenate(logits)
        self.oof_prediction_[np.concatenate(held_out)] = self._in_units_of_y(
            outputs, self._learnt()
        )

    def _learnt(self) -> LearntTableNumbers:
        return LearntTableNumbers(
            self._target_ndim, self.target_mean_, self.target_scale_, *self.target_range_
        )

    def _adopt_learnt(self, learnt: LearntTableNumbers) -> None:
        self._target_ndim = learnt.ndim
        self.target_mean_, self.target_scale_ = learnt.mean, learnt.scale
        self.target_range_ = learnt.low, learnt.high

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags
