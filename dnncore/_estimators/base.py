"""What DNNClassifier and DNNRegressor have in common: parameters, fit, and the fitted model."""

from __future__ import annotations

import numbers
import os
import warnings
from abc import ABCMeta, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial, reduce
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import issparse
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import check_scoring, get_scorer
from sklearn.model_selection import train_test_split
from sklearn.utils import _safe_indexing, check_random_state
from sklearn.utils.validation import (
    check_consistent_length,
    check_is_fitted,
    validate_data,
)

from .._core import checks as check
from .._core.engine import ACTIVATIONS
from .._core.threads import ENGINES, MAX_THREADS
from .._html import estimator_html
from .._training.settings import check_patience
from ..network import Network
from ..predictor import Predictor
from ..training import (
    DEFAULT_BATCH_SIZE,
    LBFGS,
    SGD,
    Adam,
    EpochInfo,
    History,
    Trainer,
    Validation,
)
from .callbacks import CallbackSupport, EpochHooks, fit_with_callbacks
from .progress import check_progress_bar, progress_bar
from .survey import CheckedBlocks, Survey

MISSING_VALUES = ("error", "mean", "indicator")
ENDS = {
    "max_iter": "max_iter={0.max_iter} epochs are over and the loss still improves",
    "max_fun": "max_fun={0.max_fun} evaluations of the loss are over and it still improves",
    "max_time": "max_time={0.max_time} seconds are over and the loss still improves",
}


@dataclass
class Rows:
    """Rows to train on or to judge by, checked.

    Attributes
    ----------
    X : array or CSR matrix (n, n_features)
    y : array
        As the user gave it, for scorers.
    labels : array
        Class indices (n,), or label rows or targets (n, n_outputs), as the trainer takes them.
    weight : array (n,) or None
        Sample weights, times class weights for rows to train on.
    sample_weight : array (n,) or None
    given : object
        X as the user gave it, for scorers.
    """

    X: check.Matrix
    y: Any
    labels: NDArray[Any]
    weight: NDArray[Any] | None
    sample_weight: NDArray[Any] | None
    given: Any

    @property
    def n_features(self) -> int:
        return int(self.X.shape[1])

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.X.dtype  # type: ignore[no-any-return]

    def features_with_nan(self) -> NDArray[np.intp]:
        return check.features_with_nan(self.X)

    def take(self, rows: NDArray[np.intp]) -> Rows:
        """Some of the rows; weights that are all zero there are refused."""
        weight, sample_weight = (
            None if w is None else check.weights(w[rows], len(rows), self.X.dtype)
            for w in (self.weight, self.sample_weight)
        )
        return Rows(
            self.X[rows], self.y[rows], self.labels[rows], weight, sample_weight,
            _safe_indexing(self.given, rows),
        )  # fmt: skip


def _input_options(missing: bool) -> dict[str, Any]:
    """How scikit-learn is to check X."""
    finite = "allow-nan" if missing else True
    return {"order": "C", "accept_sparse": "csr", "ensure_all_finite": finite}


def _as_rows(name: str, X: Any, given: Any) -> tuple[check.Matrix, Any]:
    """Checked X as the engine takes it; and X as given, in a form of which rows can be taken."""
    if not issparse(X):
        return X, given
    X = check.csr(name, X)
    return X, X if issparse(given) else given


def takes_mini_batches(estimator: Any) -> bool:
    """Whether an estimator has `partial_fit`, for scikit-learn's `available_if`."""
    if estimator.solver == "lbfgs":
        raise AttributeError("partial_fit needs solver='adam' or 'sgd', got solver='lbfgs'")
    return True


class DNNEstimator(CallbackSupport, BaseEstimator, metaclass=ABCMeta):  # type: ignore[misc]
    """Base class; see DNNClassifier and DNNRegressor for the parameters."""

    _least_validation_rows = 1

    # ------------------------------------------------- what the two kinds do in their own way

    @abstractmethod
    def _check_training_targets(
        self, y: Any, resume: bool, classes: Any, weight: NDArray[Any] | None
    ) -> Any:
        """y as the model knows it; sets what is learnt from it (`classes_` and the like)."""

    @abstractmethod
    def _encode(self, name: str, y: Any, dtype: np.dtype[Any], smoothed: bool) -> NDArray[Any]:
        """Checked y in the form that the trainer takes."""

    @abstractmethod
    def _class_weight_of(self, y: Any) -> NDArray[Any] | None:
        """A weight for each row from the parameter class_weight, if there is one."""

    @abstractmethod
    def _adopt_rows(self, rows: Rows, anew: bool) -> None:
        """Learn what else is to be learnt from the rows, together with those of earlier calls
        or `anew`."""

    @abstractmethod
    def _survey_of(self, classes: Any, resume: bool) -> Survey:
        """What is to be learnt of targets that come in blocks."""

    @abstractmethod
    def _adopt_survey(self, survey: Any, classes: Any, resume: bool) -> None:
        """Set what has been learnt of them (`classes_` and the like)."""

    @abstractmethod
    def _output(self) -> tuple[int, str]:
        """Number of outputs, and which output the network has."""

    @abstractmethod
    def _stratify(self, rows: Rows) -> NDArray[Any] | None:
        """Labels by which the validation split is stratified."""

    @abstractmethod
    def _score_of(self, outputs: NDArray[Any], rows: Rows) -> float:
        """Accuracy or R2 of logits."""

    def _loss_options(self) -> dict[str, Any]:
        return {}

    # -------------------------------------------------------------------------- training

    @fit_with_callbacks
    def _fit(
        self,
        X: Any,
        y: Any,
        sample_weight: ArrayLike | None,
        X_val: Any,
        y_val: Any,
        sample_weight_val: ArrayLike | None,
    ) -> None:
        with self._as_before_on_error():
            self._validate_params()
            resume = bool(self.warm_start) and hasattr(self, "network_")
            rows = self._check_rows(X, y, sample_weight, resume, None)
            held_out = self._check_validation_rows(X_val, y_val, sample_weight_val, rows.X.dtype)
            self._require_validation_rows("X_val", held_out)
            random = check_random_state(self.random_state)
            trainer = self._prepare_trainer(rows, random, resume)
            if self.early_stopping and held_out is None:
                rows, held_out = self._split(rows, random)
                self._require_validation_rows(
                    f"validation_fraction={self.validation_fraction} of the rows", held_out
                )
            if self.norm and not resume:
                trainer.network.update_norm(rows.X, rows.weight)
            validate = self._validation(held_out, trainer.network)
            self._adopt(trainer)
            self._adopt_rows(rows, anew=True)
        self._run(partial(trainer.fit, rows.X, rows.labels, rows.weight), validate, rows)

    @fit_with_callbacks
    def _fit_blocks(
        self,
        blocks: Iterable[Any],
        classes: Any,
        X_val: Any,
        y_val: Any,
        sample_weight_val: ArrayLike | None,
    ) -> None:
        with self._as_before_on_error():
            self._validate_params()
            if self.solver == "lbfgs":
                raise ValueError("fit_blocks needs solver='adam' or 'sgd', got solver='lbfgs'")
            if X_val is None and (self.early_stopping or self.scoring is not None):
                raise ValueError("early_stopping and scoring need X_val and y_val in fit_blocks")
            resume = bool(self.warm_start) and hasattr(self, "network_")
            learns_norm = bool(self.norm) and not resume
            survey = self._survey_of(classes, resume)
            rows = CheckedBlocks(self, blocks, survey, resume)
            moments = rows.learn(learns_norm and not survey.weighs)
            self._adopt_survey(survey, classes, resume)
            held_out = self._check_validation_rows(X_val, y_val, sample_weight_val, rows.dtype)
            self._require_validation_rows("X_val", held_out)
            random = check_random_state(self.random_state)
            trainer = self._prepare_trainer(rows, random, resume)
            if learns_norm:
                trainer.network.adopt_moments(moments or rows.moments())
            validate = self._validation(held_out, trainer.network)
            self._adopt(trainer)
        self._run(partial(trainer.fit_blocks, rows), validate, None)

    def _run(
        self,
        fit: Callable[..., str],
        validate: Callable[[], Validation] | None,
        rows: Rows | None,
    ) -> None:
        """All epochs, and the warnings about how they ended."""
        try:
            with self._epoch_hooks(rows) as callback:
                end = fit(
                    max_iter=self.max_iter, tol=self.tol, n_iter_no_change=self.n_iter_no_change,
                    max_time=self.max_time, early_stopping=bool(self.early_stopping),
                    callback=callback, validate=validate,
                )  # fmt: skip
        except KeyboardInterrupt:
            warnings.warn("Training interrupted by user.", UserWarning, stacklevel=5)
        else:
            if end in ENDS:
                warnings.warn(ENDS[end].format(self), ConvergenceWarning, stacklevel=5)

    def _partial_fit(self, X: Any, y: Any, sample_weight: ArrayLike | None, classes: Any) -> None:
        with self._as_before_on_error():
            self._validate_params()
            if self.early_stopping:
                raise ValueError("partial_fit does not support early_stopping=True")
            resume = hasattr(self, "network_")
            rows = self._check_rows(X, y, sample_weight, resume, classes)
            random = check_random_state(self.random_state)
            trainer = self._prepare_trainer(rows, random, resume)
            self._adopt(trainer)
            self._adopt_rows(rows, anew=not resume)
        if self.norm:
            trainer.network.update_norm(rows.X, rows.weight)
        trainer.fit(
            rows.X, rows.labels, rows.weight, max_iter=1, max_time=self.max_time,
            callback=self.callback,
        )  # fmt: skip

    @contextmanager
    def _as_before_on_error(self) -> Iterator[None]:
        before = dict(self.__dict__)
        try:
            yield
        except BaseException:
            self.__dict__.clear()
            self.__dict__.update(before)
            raise

    @contextmanager
    def _epoch_hooks(self, rows: Rows | None) -> Iterator[Callable[[EpochInfo], bool] | None]:
        """What is called after each epoch: the callback, a progress bar, scikit-learn's hooks."""
        with ExitStack() as stack:
            calls: list[Callable[[EpochInfo], object]] = []
            if self.callback is not None:
                calls.append(self.callback)
            if self.verbose:
                calls.append(stack.enter_context(progress_bar(type(self).__name__, self.max_iter)))
            data = (rows.given, rows.y, rows.sample_weight) if rows else (None, None, None)
            hooks = EpochHooks.of(self, *data)
            if hooks is not None:
                calls.append(stack.enter_context(hooks))
            # All are called, whatever one answers.
            yield (lambda info: any([bool(call(info)) for call in calls])) if calls else None

    def _check_rows(
        self, X: Any, y: Any, sample_weight: ArrayLike | None, resume: bool, classes: Any
    ) -> Rows:
        dtype = self.network_.dtype if resume else None
        given = X
        X, y = self._check_X_y(X, y, dtype, reset=not resume)
        given = X if issparse(given) else given
        weight = None
        if sample_weight is not None:
            sample_weight = weight = check.weights(sample_weight, X.shape[0], X.dtype)
        y = self._check_training_targets(y, resume, classes, weight)
        labels = self._encode("y", y, X.dtype, smoothed=True)
        class_weight = self._class_weight_of(y)
        if class_weight is not None:
            weight = class_weight if weight is None else weight * class_weight
            weight = check.weights(weight, X.shape[0], X.dtype)
        return Rows(X, y, labels, weight, sample_weight, given)

    def _check_X_y(self, X: Any, y: Any, dtype: Any, *, reset: bool) -> tuple[check.Matrix, Any]:
        """X as the network takes it; None for `dtype`: float32 if it is that, else float64."""
        dtype = (np.float64, np.float32) if dtype is None else dtype
        X, y = validate_data(
            self, X, y, dtype=dtype, reset=reset, multi_output=True,
            **_input_options(self.missing_values != "error"),
        )  # fmt: skip
        X, _ = _as_rows("X", X, None)
        return X, y.toarray() if issparse(y) else y  # type: ignore[attr-defined]

    def _check_validation_rows(
        self, X_val: Any, y_val: Any, sample_weight: ArrayLike | None, dtype: np.dtype[Any]
    ) -> Rows | None:
        if (X_val is None) != (y_val is None):
            raise ValueError("X_val and y_val must be given together")
        if X_val is None:
            if sample_weight is not None:
                raise ValueError("sample_weight_val needs X_val and y_val")
            return None
        given = X_val
        if issparse(y_val):
            y_val = y_val.toarray()  # type: ignore[attr-defined]
        X_val = validate_data(
            self, X_val, dtype=dtype, reset=False, **_input_options(self.missing_values != "error")
        )
        X_val, given = _as_rows("X_val", X_val, given)
        y_val = np.asarray(y_val)
        check_consistent_length(X_val, y_val)
        labels = self._encode("y_val", y_val, dtype, smoothed=False)
        weight = None
        if sample_weight is not None:
            weight = check.weights(sample_weight, X_val.shape[0], dtype)
        return Rows(X_val, y_val, labels, weight, weight, given)

    def _require_validation_rows(self, name: str, held_out: Rows | None) -> None:
        least = self._least_validation_rows
        if held_out is not None and held_out.X.shape[0] < least:
            raise ValueError(
                f"{name} must be at least {least} rows for the score, got {held_out.X.shape[0]}"
            )

    def _split(self, rows: Rows, random: np.random.RandomState) -> tuple[Rows, Rows]:
        """Training and validation rows."""
        train, held_out = train_test_split(
            np.arange(rows.X.shape[0]),
            test_size=self.validation_fraction,
            stratify=self._stratify(rows),
            random_state=random,
        )
        judged = rows.take(held_out)
        judged.labels = self._encode("y", judged.y, rows.X.dtype, smoothed=False)
        judged.weight = judged.sample_weight
        return rows.take(train), judged

    def _validation(
        self, held_out: Rows | None, network: Network
    ) -> Callable[[], Validation] | None:
        """What looks at the held-out rows after each epoch."""
        scorers = self._scorers()
        if held_out is None:
            if scorers:
                raise ValueError(
                    "scoring needs validation rows: X_val and y_val, or early_stopping"
                )
            return None
        rows: Rows = held_out
        n = rows.X.shape[0]
        labels = network.check_labels(rows.labels, rows.weight, n)
        weight = {} if rows.weight is None else {"sample_weight": rows.weight}

        def validate() -> Validation:
            logits = network.logits(rows.X, n_threads=self.n_threads)
            metrics = {
                name: float(scorer(self, rows.given, rows.y, **weight))
                for name, scorer in scorers.items()
            }
            score = next(iter(metrics.values())) if metrics else self._score_of(logits, rows)
            return Validation(
                score, network.mean_loss(logits, labels, **self._loss_options()), metrics
            )

        return validate

    def _scorers(self) -> dict[str, Any]:
        """The scorers of the parameter scoring, by name."""
        scoring = self.scoring
        if scoring is None:
            return {}
        if isinstance(scoring, Mapping):
            return {str(name): check_scoring(self, scorer) for name, scorer in scoring.items()}
        if isinstance(scoring, str):
            return {scoring: get_scorer(scoring)}
        if callable(scoring):
            return {"score": scoring}
        if isinstance(scoring, Iterable) and all(isinstance(name, str) for name in scoring):
            return {name: get_scorer(name) for name in scoring}
        raise TypeError(
            f"scoring must be a scorer, its name, several names, or a mapping, got {scoring!r}"
        )

    def _prepare_trainer(
        self, rows: Rows | CheckedBlocks, random: np.random.RandomState, resume: bool
    ) -> Trainer:
        """The trainer of the last call if there is one to go on with, else a new one."""
        n_outputs, output = self._output()
        missing = self._missing_inputs(rows, resume)
        n_inputs = rows.n_features + (0 if missing is None else len(missing))
        sizes = (n_inputs, *self._hidden(), n_outputs)
        wanted = (sizes, self.activation, output)
        settings: dict[str, Any] = {
            "solver": self._solver(),
            "alpha": self.alpha,
            "batch_size": self._batch_size(),
            "shuffle": bool(self.shuffle),
            "n_threads": self.n_threads,
            "engine": self.engine,
            "dropout": self.dropout,
            **self._loss_options(),
        }
        if resume:
            network = self.network_
            has = (network.layer_sizes, network.activation, network.output)
            if has != wanted:
                raise ValueError(
                    "the model has layer sizes {}, activation {!r} and output {!r}, and cannot go "
                    "on with {}, {!r} and {!r}".format(*has, *wanted)
                )
        if resume and hasattr(self, "_trainer"):
            self._trainer.configure(**settings)
            return self._trainer
        if not resume:
            network = Network(
                sizes, dtype=rows.dtype, seed=random, activation=self.activation, output=output,
                missing=missing,
            )  # fmt: skip
        trainer = Trainer(network, seed=random.randint(2**31), **settings)
        if resume:
            trainer.history = self.history_
        return trainer

    def _missing_inputs(self, rows: Rows | CheckedBlocks, resume: bool) -> NDArray[np.intp] | None:
        """Features that have an input for missing values; None if NaN is refused.

        The rows of the first call decide.
        """
        way = self.missing_values
        if not resume:
            if way == "error":
                return None
            return rows.features_with_nan() if way == "indicator" else np.zeros(0, np.intp)
        missing = self.network_.missing
        n_missing = 0 if missing is None else missing.size
        if (missing is None) != (way == "error") or (way == "mean" and n_missing > 0):
            raise ValueError(
                f"missing_values must be as it was when the model was fitted first, got {way!r}"
            )
        return missing

    def _validate_params(self) -> None:
        """Check every parameter, whether or not this fit uses it."""
        self._hidden()
        self._solver()
        check.integer("max_fun", self.max_fun, low=1)
        check.choice("activation", self.activation, tuple(ACTIVATIONS))
        check.choice("missing_values", self.missing_values, MISSING_VALUES)
        if self.missing_values != "error" and not self.norm:
            raise ValueError(
                f"missing_values must be 'error' with norm=False, got {self.missing_values!r}"
            )
        check.number("alpha", self.alpha, low=0.0)
        check.integer("batch_size", self._batch_size(), low=1)
        check.integer("max_iter", self.max_iter, low=1)
        check.number("tol", self.tol, low=0.0)
        check_patience(self.n_iter_no_change)
        check.number("dropout", self.dropout, low=0.0, high=1.0, high_open=True)
        check.number(
            "validation_fraction", self.validation_fraction,
            low=0.0, high=1.0, low_open=True, high_open=True,
        )  # fmt: skip
        if self.verbose:
            check_progress_bar()
        if self.max_time is not None:
            check.number("max_time", self.max_time, low=0.0, low_open=True)
        self._scorers()
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

    def _solver(self) -> SGD | Adam | LBFGS:
        solver = check.choice("solver", self.solver, ("adam", "sgd", "lbfgs"))
        schedule = check.choice(
            "learning_rate", self.learning_rate, ("constant", "invscaling", "adaptive", "newbob")
        )
        if solver == "lbfgs":
            return LBFGS(self.max_fun)
        if solver == "sgd":
            return SGD(
                self.learning_rate_init,
                self.momentum,
                bool(self.nesterovs_momentum),
                schedule,
                self.power_t,
            )
        # As in scikit-learn, the schedules of 'sgd' do not apply to 'adam'.
        return Adam(
            self.learning_rate_init,
            self.beta_1,
            self.beta_2,
            self.epsilon,
            "newbob" if schedule == "newbob" else "constant",
        )

    def _adopt(self, trainer: Trainer) -> None:
        self._trainer = trainer
        self.network_ = trainer.network
        self.history_ = trainer.history

    def _restore(
        self,
        *,
        network: Network,
        feature_names: NDArray[Any] | None,
        loss_curve: list[float],
        validation_scores: list[float],
        validation_losses: list[float],
        n_iter: int,
        t: int,
        metrics: dict[str, list[float]] | None = None,
        **learnt: Any,
    ) -> None:
        """Become the fitted model that a file describes."""
        self.network_ = network
        self.history_ = History(
            loss_curve,
            validation_scores,
            validation_losses,
            metrics or {},
            best_loss=min(loss_curve, default=np.inf),
            best_validation_score=reduce(max, validation_scores, -np.inf),  # past any NaN
            n_iter=n_iter,
            t=t,
        )
        self.n_features_in_ = network.n_features
        if feature_names is not None:
            self.feature_names_in_ = feature_names
        for name, value in learnt.items():
            setattr(self, name, value)

    # -------------------------------------------------------------------------- scoring

    def _logits(self, X: Any) -> NDArray[Any]:
        check_is_fitted(self)
        return self.network_.logits(self._rows_of(X), n_threads=self.n_threads)

    def _rows_of(self, X: Any) -> check.Matrix:
        """Rows for the fitted network, checked."""
        X = validate_data(
            self, X, dtype=self.network_.dtype, reset=False,
            **_input_options(self.network_.missing is not None),
        )  # fmt: skip
        return _as_rows("X", X, X)[0]

    @abstractmethod
    def _freeze_options(self) -> dict[str, Any]:
        """Arguments of Network.freeze."""

    def freeze(self) -> Predictor:
        """A copy of the fitted model for scoring: one row in microseconds, in the units of `y`.

        Returns
        -------
        dnncore.predictor.Predictor
        """
        check_is_fitted(self)
        return self.network_.freeze(**self._freeze_options())

    def save(self, path: str | os.PathLike[str], *, solver_state: bool = False) -> None:
        """Write the fitted model to a safetensors file; :func:`dnncore.load` reads it.

        Parameters
        ----------
        path : str or path-like
        solver_state : bool
            Whether training is to go on after loading (by `partial_fit`, or `fit` with
            `warm_start`) with the same bits as without; see :func:`dnncore.modelfile.save`.
        """
        from ..modelfile import save

        save(self, path, solver_state=solver_state)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.input_tags.allow_nan = self.missing_values != "error"
        return tags

    # ------------------------------------------------------------------------ in notebooks

    def _repr_html_inner(self) -> str:
        return str(super()._repr_html_inner() + estimator_html(self))

    def _repr_mimebundle_(self, **kwargs: Any) -> dict[str, str]:
        bundle: dict[str, str] = super()._repr_mimebundle_(**kwargs)
        if "text/html" in bundle:
            bundle["text/html"] += estimator_html(self)
        return bundle

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
    def validation_losses_(self) -> list[float] | None:
        return self.history_.validation_losses or None

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
        return self.network_.output
