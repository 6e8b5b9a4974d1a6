"""DNNClassifier: the network as a scikit-learn estimator."""

from __future__ import annotations

import numbers
import os
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.utils import check_random_state, column_or_1d
from sklearn.utils.multiclass import check_classification_targets, unique_labels
from sklearn.utils.validation import check_consistent_length, check_is_fitted, validate_data

from . import _validation as check
from . import kernels
from ._threads import ENGINES, MAX_THREADS
from .network import Network
from .predictor import Predictor
from .training import DEFAULT_BATCH_SIZE, SGD, Adam, EpochInfo, History, Trainer


class DNNClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Dense neural network: norm, sigmoid layers, softmax, trained on the cross-entropy.

    Parameters that :class:`sklearn.neural_network.MLPClassifier` has too mean the same here.
    All computation is in float32 if `fit` gets float32, else in float64.

    Parameters
    ----------
    hidden_layer_sizes : int or sequence of int
        Units of each hidden layer; ``()`` is multinomial logistic regression.
    solver : {'adam', 'sgd'}
    alpha : float
        L2 penalty of the weights, divided by the weight of the mini-batch.
    batch_size : int or 'auto'
        Rows of a mini-batch; 'auto' is 200. At most all rows.
    learning_rate : {'constant', 'invscaling', 'adaptive'}
        Schedule of 'sgd'; see :class:`dnncore.training.SGD`.
    learning_rate_init : float
        The default is five times that of `MLPClassifier`: on standardised input a sigmoid
        network gets as far with it in a fraction of the epochs.
    power_t : float
        Exponent of 'invscaling'.
    max_iter : int
        Epochs at most.
    shuffle : bool
        Whether every epoch takes the rows in a new order.
    random_state : int, RandomState or None
        Of the initial weights, the order of rows and the validation split.
    tol : float
        Improvement of loss or score that counts.
    warm_start : bool
        Whether `fit` goes on from the parameters, norm and solver state of the last one.
    momentum : float
        Of 'sgd'.
    nesterovs_momentum : bool
    early_stopping : bool
        Stop when the accuracy on validation rows no longer improves, and keep the best
        parameters. The rows are `X_val` or, without it, a stratified split.
    validation_fraction : float
        Share of the rows in that split.
    beta_1, beta_2, epsilon : float
        Of 'adam'.
    n_iter_no_change : int
        Training stops after more than so many epochs in a row without improvement.
    norm : bool
        Whether the network standardises each feature by mean and scale of the training rows.
    n_threads : int, optional
        Default: as many as the work occupies.
    engine : {'auto', 'builtin', 'blas'}
        Whose matrix products training uses; see :class:`dnncore.training.Trainer`.
    callback : callable, optional
        Called with a :class:`dnncore.training.EpochInfo` after every epoch.

    Attributes
    ----------
    network_ : Network
    history_ : dnncore.training.History
    classes_ : array (n_classes,)
    n_features_in_ : int
    feature_names_in_ : array of str
        Where `fit` got a data frame with string column names.
    coefs_, intercepts_ : list of arrays
        Weights (n_in, n_out) and biases (n_out,): views of ``network_.parameters``.
    loss_, best_loss_ : float
        Loss of the last epoch, and the lowest (None with `early_stopping`).
    loss_curve_ : list of float
    validation_scores_ : list of float or None
        Accuracy on the validation rows after each epoch.
    best_validation_score_ : float or None
    n_iter_, t_ : int
        Epochs, and samples trained on.
    n_layers_, n_outputs_ : int
    out_activation_ : str

    Notes
    -----
    Two classes have two outputs and a softmax, where `MLPClassifier` has one and a sigmoid.

    Examples
    --------
    >>> from dnncore import DNNClassifier
    >>> from sklearn.datasets import load_iris
    >>> X, y = load_iris(return_X_y=True)
    >>> model = DNNClassifier(learning_rate_init=0.01, random_state=0).fit(X, y)
    >>> bool(model.score(X, y) > 0.95)
    True
    """

    def __init__(
        self,
        hidden_layer_sizes: int | Sequence[int] = (100,),
        *,
        solver: str = "adam",
        alpha: float = 1e-4,
        batch_size: int | str = "auto",
        learning_rate: str = "constant",
        learning_rate_init: float = 5e-3,
        power_t: float = 0.5,
        max_iter: int = 200,
        shuffle: bool = True,
        random_state: int | np.random.RandomState | None = None,
        tol: float = 1e-4,
        warm_start: bool = False,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-8,
        n_iter_no_change: int = 10,
        norm: bool = True,
        n_threads: int | None = None,
        engine: str = "auto",
        callback: Callable[[EpochInfo], object] | None = None,
    ) -> None:
        self.hidden_layer_sizes = hidden_layer_sizes
        self.solver = solver
        self.alpha = alpha
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.learning_rate_init = learning_rate_init
        self.power_t = power_t
        self.max_iter = max_iter
        self.shuffle = shuffle
        self.random_state = random_state
        self.tol = tol
        self.warm_start = warm_start
        self.momentum = momentum
        self.nesterovs_momentum = nesterovs_momentum
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.n_iter_no_change = n_iter_no_change
        self.norm = norm
        self.n_threads = n_threads
        self.engine = engine
        self.callback = callback

    # -------------------------------------------------------------------------- training

    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: ArrayLike | None = None,
        *,
        X_val: Any = None,
        y_val: Any = None,
    ) -> DNNClassifier:
        """Train until nothing improves, or for `max_iter` epochs.

        Parameters
        ----------
        X : array or data frame (n_samples, n_features)
            float32 stays float32; anything else becomes float64. Finite.
        y : array (n_samples,)
            Class labels, integers or strings.
        sample_weight : array (n_samples,), optional
            Not negative and not all zero. Counts in the loss and in norm.
        X_val, y_val : arrays (n, n_features) and (n,), optional
            Validation rows: scored after each epoch, and used by `early_stopping`.

        Returns
        -------
        DNNClassifier
            Itself.

        Raises
        ------
        TypeError, ValueError
            If an argument or a parameter does not fit; the model is as before.

        Warns
        -----
        sklearn.exceptions.ConvergenceWarning
            If `max_iter` is reached first.
        dnncore.training.DivergenceWarning
            If the loss ceases to be finite; the last finite parameters are kept.
        UserWarning
            On Ctrl-C, which ends training; the model is usable.
        """
        with self._as_before_on_error():
            self._validate_params()
            resume = bool(self.warm_start) and hasattr(self, "network_")
            X, label = self._check_training_rows(X, y, resume, self.classes_ if resume else None)
            if resume and len(np.unique(label)) != len(self.classes_):
                raise ValueError(
                    "warm_start needs y to have the same classes as in the previous fit, "
                    f"{self.classes_}, got {self.classes_[np.unique(label)]}"
                )
            weight = self._check_weight(sample_weight, X)
            X_val, label_val = self._check_validation_rows(X_val, y_val, X.dtype)
            random = check_random_state(self.random_state)
            trainer = self._prepare_trainer(X, random, resume)
            if self.early_stopping and X_val is None:
                X, X_val, label, label_val, weight = self._split(X, label, weight, random)
            if self.norm and not resume:
                trainer.network.update_norm(X, weight)
            validate = None if X_val is None else self._validator(X_val, label_val)
            self._adopt(trainer)
        try:
            end = trainer.fit(
                X, label, weight, max_iter=self.max_iter, tol=self.tol,
                n_iter_no_change=self.n_iter_no_change, validate=validate,
                early_stopping=bool(self.early_stopping), callback=self.callback,
            )  # fmt: skip
        except KeyboardInterrupt:
            warnings.warn("Training interrupted by user.", UserWarning, stacklevel=2)
        else:
            if end == "max_iter":
                warnings.warn(
                    f"max_iter={self.max_iter} epochs are over and the loss still improves",
                    ConvergenceWarning,
                    stacklevel=2,
                )
        return self

    def partial_fit(
        self,
        X: Any,
        y: Any,
        sample_weight: ArrayLike | None = None,
        classes: Any = None,
    ) -> DNNClassifier:
        """Train one epoch on the rows given, and let norm take them in.

        Parameters
        ----------
        X, y, sample_weight
            As in :meth:`fit`.
        classes : array (n_classes,)
            All labels that will ever come; needed in the first call.

        Returns
        -------
        DNNClassifier
            Itself.

        Raises
        ------
        TypeError, ValueError
            If an argument or a parameter does not fit; the model is as before.
        """
        with self._as_before_on_error():
            self._validate_params()
            if self.early_stopping:
                raise ValueError("partial_fit does not support early_stopping=True")
            resume = hasattr(self, "network_")
            X, label = self._check_training_rows(X, y, resume, self._all_classes(classes, resume))
            weight = self._check_weight(sample_weight, X)
            trainer = self._prepare_trainer(X, check_random_state(self.random_state), resume)
            self._adopt(trainer)
        if self.norm:
            trainer.network.update_norm(X, weight)
        trainer.fit(X, label, weight, max_iter=1, callback=self.callback)
        return self

    @contextmanager
    def _as_before_on_error(self) -> Iterator[None]:
        before = dict(self.__dict__)
        try:
            yield
        except BaseException:
            self.__dict__.clear()
            self.__dict__.update(before)
            raise

    def _all_classes(self, classes: Any, resume: bool) -> Any:
        """The classes of a call to partial_fit."""
        if classes is None and not resume:
            raise ValueError("classes must be passed on the first call to partial_fit.")
        if classes is None:
            return self.classes_
        classes = unique_labels(classes)
        if resume and not np.array_equal(classes, self.classes_):
            raise ValueError(f"classes must be {self.classes_} as before, got {classes}")
        return classes

    def _check_training_rows(
        self, X: Any, y: Any, resume: bool, classes: NDArray[Any] | None
    ) -> tuple[NDArray[Any], NDArray[np.intp]]:
        """Rows as an array, labels as indices of `classes_`: the ones given, or those of y."""
        dtype = self.network_.dtype if resume else (np.float64, np.float32)
        X, y = validate_data(self, X, y, dtype=dtype, order="C", reset=not resume)
        check_classification_targets(y)
        self.classes_ = np.unique(y) if classes is None else classes
        return X, self._indices("y", y)

    def _indices(self, name: str, y: NDArray[Any]) -> NDArray[np.intp]:
        known = np.isin(y, self.classes_)
        if not known.all():
            new = np.unique(y[~known])
            raise ValueError(f"{name} has classes {new} that are not among {self.classes_}")
        return np.searchsorted(self.classes_, y)

    def _check_weight(self, sample_weight: ArrayLike | None, X: NDArray[Any]) -> Any:
        if sample_weight is None:
            return None
        return check.weights(sample_weight, X.shape[0], X.dtype)

    def _check_validation_rows(
        self, X_val: Any, y_val: Any, dtype: np.dtype[Any]
    ) -> tuple[Any, Any]:
        if (X_val is None) != (y_val is None):
            raise ValueError("X_val and y_val must be given together")
        if X_val is None:
            return None, None
        X_val = validate_data(self, X_val, dtype=dtype, order="C", reset=False)
        y_val = column_or_1d(y_val, warn=True)
        check_consistent_length(X_val, y_val)
        return X_val, self._indices("y_val", y_val)

    def _split(
        self, X: Any, label: Any, weight: Any, random: np.random.RandomState
    ) -> tuple[Any, Any, Any, Any, Any]:
        """Training and validation rows and labels, and the weights of the training rows."""
        rows, rows_val = train_test_split(
            np.arange(X.shape[0]),
            test_size=self.validation_fraction,
            stratify=label,
            random_state=random,
        )
        weight = None if weight is None else check.weights(weight[rows], len(rows), X.dtype)
        return X[rows], X[rows_val], label[rows], label[rows_val], weight

    def _prepare_trainer(
        self, X: NDArray[Any], random: np.random.RandomState, resume: bool
    ) -> Trainer:
        """The trainer of the last call if there is one to go on with, else a new one."""
        sizes = (X.shape[1], *self._hidden(), len(self.classes_))
        settings: dict[str, Any] = {
            "solver": self._solver(),
            "alpha": self.alpha,
            "batch_size": self._batch_size(),
            "shuffle": bool(self.shuffle),
            "n_threads": self.n_threads,
            "engine": self.engine,
        }
        if resume and sizes != self.network_.layer_sizes:
            raise ValueError(
                f"the model has layer sizes {self.network_.layer_sizes} and cannot go on with "
                f"{sizes}"
            )
        if resume and hasattr(self, "_trainer"):
            self._trainer.configure(**settings)
            return self._trainer
        network = self.network_ if resume else Network(sizes, dtype=X.dtype, seed=random)
        trainer = Trainer(network, seed=random.randint(2**31), **settings)
        if resume:
            trainer.history = self.history_
        return trainer

    def _validate_params(self) -> None:
        """Check every parameter, whether or not this fit uses it."""
        self._hidden()
        self._solver()
        check.number("alpha", self.alpha, low=0.0)
        check.integer("batch_size", self._batch_size(), low=1)
        check.integer("max_iter", self.max_iter, low=1)
        check.number("tol", self.tol, low=0.0)
        check.integer("n_iter_no_change", self.n_iter_no_change, low=1)
        check.number(
            "validation_fraction", self.validation_fraction,
            low=0.0, high=1.0, low_open=True, high_open=True,
        )  # fmt: skip
        check_random_state(self.random_state)
        if self.n_threads is not None:
            check.integer("n_threads", self.n_threads, low=1, high=MAX_THREADS)
        check.choice("engine", self.engine, ENGINES)
        if self.callback is not None and not callable(self.callback):
            raise TypeError(f"callback must be callable or None, got {self.callback!r}")

    def _hidden(self) -> tuple[int, ...]:
        sizes = self.hidden_layer_sizes
        if isinstance(sizes, numbers.Integral):
            sizes = (int(sizes),)
        elif isinstance(sizes, str) or not isinstance(sizes, Iterable):
            raise TypeError(f"hidden_layer_sizes must be an int or ints, got {sizes!r}")
        return tuple(check.integer("hidden_layer_sizes", size, low=1) for size in sizes)

    def _batch_size(self) -> Any:
        return DEFAULT_BATCH_SIZE if self.batch_size == "auto" else self.batch_size

    def _solver(self) -> SGD | Adam:
        if check.choice("solver", self.solver, ("adam", "sgd")) == "adam":
            return Adam(self.learning_rate_init, self.beta_1, self.beta_2, self.epsilon)
        return SGD(
            self.learning_rate_init,
            self.momentum,
            bool(self.nesterovs_momentum),
            self.learning_rate,
            self.power_t,
        )

    def _validator(self, X: NDArray[Any], label: NDArray[np.intp]) -> Callable[[], float]:
        def accuracy() -> float:
            logits = self.network_.decision_function(X, n_threads=self.n_threads)
            return float(np.mean(logits.argmax(axis=1) == label))

        return accuracy

    def _adopt(self, trainer: Trainer) -> None:
        self._trainer = trainer
        self.network_ = trainer.network
        self.history_ = trainer.history

    def _restore(
        self,
        *,
        network: Network,
        classes: NDArray[Any],
        feature_names: NDArray[Any] | None,
        loss_curve: Sequence[float],
        validation_scores: Sequence[float] | None,
        n_iter: int,
        t: int,
    ) -> None:
        """Become the fitted model that a file describes."""
        losses, scores = list(loss_curve), list(validation_scores or ())
        self.network_ = network
        self.history_ = History(
            losses, scores, min(losses, default=np.inf), max(scores, default=-np.inf), n_iter, t
        )
        self.classes_ = classes
        self.n_features_in_ = network.layer_sizes[0]
        if feature_names is not None:
            self.feature_names_in_ = feature_names

    # -------------------------------------------------------------------------- scoring

    def decision_function(self, X: Any) -> NDArray[Any]:
        """Logits, the confidence before softmax.

        Parameters
        ----------
        X : array or data frame (n_samples, n_features)

        Returns
        -------
        array (n_samples, n_classes), or for two classes (n_samples,)
            Of the dtype the model was trained in. For two classes the difference of the
            two logits: positive where the second class is predicted.
        """
        logits = self._logits(X)
        return logits[:, 1] - logits[:, 0] if len(self.classes_) == 2 else logits

    def predict(self, X: Any) -> NDArray[Any]:
        """The most probable class of each row.

        Parameters
        ----------
        X : array or data frame (n_samples, n_features)

        Returns
        -------
        array (n_samples,)
        """
        best = self._logits(X).argmax(axis=1)
        labels: NDArray[Any] = self.classes_[best]
        return labels

    def predict_proba(self, X: Any) -> NDArray[Any]:
        """Class probabilities, in the order of `classes_`.

        Parameters
        ----------
        X : array or data frame (n_samples, n_features)

        Returns
        -------
        array (n_samples, n_classes)
        """
        logits = self._logits(X)
        return kernels.softmax(logits, out=logits)

    def predict_log_proba(self, X: Any) -> NDArray[Any]:
        """Logarithms of the class probabilities, computed from the logits: always finite.

        Parameters
        ----------
        X : array or data frame (n_samples, n_features)

        Returns
        -------
        array (n_samples, n_classes)
        """
        logits = self._logits(X)
        return kernels.log_softmax(logits, out=logits)

    def _logits(self, X: Any) -> NDArray[Any]:
        check_is_fitted(self)
        X = validate_data(self, X, dtype=self.network_.dtype, order="C", reset=False)
        return self.network_.decision_function(X, n_threads=self.n_threads)

    def freeze(self) -> Predictor:
        """A copy of the fitted model for scoring: one row in microseconds.

        Returns
        -------
        dnncore.predictor.Predictor
        """
        check_is_fitted(self)
        return self.network_.freeze(self.classes_)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the fitted model to a safetensors file; :func:`dnncore.load` reads it."""
        from .modelfile import save

        check_is_fitted(self)
        save(self, path)

    # ---------------------------------------------------- what the fitted model consists of

    @property
    def coefs_(self) -> list[NDArray[Any]]:
        return self.network_.coefs_

    @property
    def intercepts_(self) -> list[NDArray[Any]]:
        return self.network_.intercepts_

    @property
    def loss_curve_(self) -> list[float]:
        return self.history_.loss_curve

    @property
    def loss_(self) -> float:
        return self.history_.loss_curve[-1]

    @property
    def best_loss_(self) -> float | None:
        return None if self.early_stopping else self.history_.best_loss

    @property
    def validation_scores_(self) -> list[float] | None:
        return self.history_.validation_scores or None

    @property
    def best_validation_score_(self) -> float | None:
        history = self.history_
        return history.best_validation_score if history.validation_scores else None

    @property
    def n_iter_(self) -> int:
        return self.history_.n_iter

    @property
    def t_(self) -> int:
        return self.history_.t

    @property
    def n_layers_(self) -> int:
        return len(self.network_.layer_sizes)

    @property
    def n_outputs_(self) -> int:
        return self.network_.layer_sizes[-1]

    @property
    def out_activation_(self) -> str:
        check_is_fitted(self)
        return "softmax"
