"""The base class of DNNClassifier and DNNRegressor: fit, fit_blocks and partial_fit."""

from __future__ import annotations

import os
import warnings
from abc import ABCMeta, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from .._core.checks import Matrix
from .._training.history import Validation
from .._training.settings import StopSettings
from .._training.sources import BlockSource, Source
from .._training.trainer import fit_source
from ..network import Network
from ..predictor import Predictor
from ..training import Trainer
from .block_rows import BlockRows, LabelledBlocks
from .callbacks import CallbackSupport, epoch_calls, fit_with_callbacks
from .direct import DirectTraining
from .html import estimator_html
from .interface import AUTO, Estimator, early_stopping_of, table_rows_of
from .learning import RowsLearner
from .params import ParamValues, are_unchanged, param_values, validate_params
from .rows import LabelledRows, RowChecker, indexable_rows, labelled
from .targets import TargetLearner, Targets
from .trainers import prepare_trainer
from .validation import require_rows, split, splits_rows, validation

ENDS = {
    "max_iter": "max_iter={0.max_iter} epochs completed, but training has not converged",
    "max_fun": "max_fun={0.max_fun} loss evaluations completed, but training has not converged",
    "max_time": "max_time={0.max_time} seconds have passed, but training has not converged",
}


def takes_mini_batches(estimator: Any) -> bool:
    """Return whether an estimator has `partial_fit`, for scikit-learn's `available_if`."""
    if estimator.solver == "lbfgs":
        raise AttributeError(
            "partial_fit needs solver='adam', 'adamw' or 'sgd', got solver='lbfgs'"
        )
    return True


class DNNEstimator(CallbackSupport, BaseEstimator, Estimator, metaclass=ABCMeta):  # type: ignore[misc]
    """Base class; see DNNClassifier and DNNRegressor for the parameters."""

    # What the last call has checked and made, for the next one.
    _checked_params: ParamValues | None = None
    _direct: DirectTraining | None = None

    def __getstate__(self) -> dict[str, Any]:
        state = super().__getstate__()
        return {k: v for k, v in state.items() if k not in ("_checked_params", "_direct")}

    # -------------------------------------------- differences between the two estimators

    @abstractmethod
    def _new_learner(
        self, known: Any, classes: Any, *, accumulates: bool, in_blocks: bool
    ) -> TargetLearner:
        """Return the learner of the targets; `known` are those of the previous training, if any."""

    @abstractmethod
    def _targets(self, learnt: Any) -> Targets:
        """Return the encoding of targets that the learned values define."""

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
        with self._unchanged_on_error():
            self._check_params()
            before = self._resumed_network()
            checker, learner = self._begin(before, norm=bool(self.norm) and before is None)
            rows, targets = self._learnt_rows(X, y, sample_weight, checker, learner)
            held_out = checker.validation_rows(
                X_val, y_val, sample_weight_val, targets, learner.targets
            )
            require_rows("X_val", held_out, targets)
            random = check_random_state(self.random_state)
            trainer = prepare_trainer(self, before, targets, learner, random)
            if held_out is None and splits_rows(self, rows, targets):
                rows, held_out = split(self, rows, targets, random)
                name = f"the split with validation_fraction={self.validation_fraction}"
                require_rows(name, held_out, targets)
            learner.learn_weighted([rows])
            self._adopt(trainer, learner)
            validate = validation(self, held_out, targets)
        self._run(rows.source(), validate, rows)

    @fit_with_callbacks
    def _fit_blocks(
        self,
        blocks: Iterable[Any],
        classes: Any,
        X_val: Any,
        y_val: Any,
        sample_weight_val: ArrayLike | None,
    ) -> None:
        with self._unchanged_on_error():
            self._check_params()
            if self.solver == "lbfgs":
                raise ValueError(
                    "fit_blocks needs solver='adam', 'adamw' or 'sgd', got solver='lbfgs'"
                )
            required = self.early_stopping != AUTO and self.early_stopping
            if X_val is None and (required or self.scoring is not None):
                raise ValueError("early_stopping and scoring need X_val and y_val in fit_blocks")
            before = self._resumed_network()
            norm = bool(self.norm) and before is None
            checker, learner = self._begin(before, classes, norm=norm, in_blocks=True)
            rows = BlockRows(blocks, checker)
            learner.learn(rows)
            targets = self._targets(learner.targets.learnt())
            held_out = checker.validation_rows(
                X_val, y_val, sample_weight_val, targets, learner.targets
            )
            require_rows("X_val", held_out, targets)
            random = check_random_state(self.random_state)
            trainer = prepare_trainer(self, before, targets, learner, random)
            labelled_blocks = LabelledBlocks(rows, targets, learner.targets)
            learner.learn_weighted(labelled_blocks.rows())
            self._adopt(trainer, learner)
            validate = validation(self, held_out, targets)
        self._run(BlockSource(labelled_blocks), validate, None)

    def _partial_fit(self, X: Any, y: Any, sample_weight: ArrayLike | None, classes: Any) -> None:
        direct = self._direct if classes is None else None
        if direct is not None and direct.learn(self, X, y, sample_weight):
            return
        with self._unchanged_on_error():
            self._check_params()
            if self.early_stopping != AUTO and self.early_stopping:
                raise ValueError("partial_fit does not support early_stopping=True")
            before = getattr(self, "network_", None)
            norm = bool(self.norm)
            checker, learner = self._begin(before, classes, norm=norm, accumulates=True)
            rows, targets = self._learnt_rows(X, y, sample_weight, checker, learner)
            random = check_random_state(self.random_state)
            trainer = prepare_trainer(self, before, targets, learner, random)
            if norm:
                learner.moments = trainer.network.moments_
            learner.learn_weighted([rows])
            self._adopt(trainer, learner)
            settings = StopSettings(max_iter=1, max_time=self.max_time, callback=self.callback)
            if self._checked_params is not None and not learner.targets.weighs:
                self._direct = DirectTraining(self, self._checked_params, targets, settings)
        fit_source(trainer, rows.source(), settings)

    @contextmanager
    def _unchanged_on_error(self) -> Iterator[None]:
        before = dict(self.__dict__)
        try:
            yield
        except BaseException:
            before.pop("_direct", None)  # the trainer may have been configured otherwise
            self.__dict__.clear()
            self.__dict__.update(before)
            raise

    def _resumed_network(self) -> Network | None:
        """Return the network of the previous fit with `warm_start`, otherwise None."""
        return getattr(self, "network_", None) if self.warm_start else None

    def _begin(
        self,
        before: Network | None,
        classes: Any = None,
        *,
        norm: bool,
        accumulates: bool = False,
        in_blocks: bool = False,
    ) -> tuple[RowChecker, RowsLearner]:
        """Return the checker and the learner of the rows of a fit.

        `before` is the network that training resumes from, if any.
        """
        dtype, known = (None, None) if before is None else (before.dtype, self._learnt())
        targets = self._new_learner(known, classes, accumulates=accumulates, in_blocks=in_blocks)
        return (
            RowChecker(self, dtype, may_miss=self.missing_values != "error"),
            RowsLearner(
                targets, norm=norm, missing_values=self.missing_values, in_blocks=in_blocks
            ),
        )

    def _learnt_rows(
        self,
        X: Any,
        y: Any,
        sample_weight: ArrayLike | None,
        checker: RowChecker,
        learner: RowsLearner,
    ) -> tuple[LabelledRows, Targets]:
        """Check rows in memory and learn their targets; return the training rows and targets."""
        checked = checker.training_rows(X, y, sample_weight)
        checked = replace(checked, y=learner.learn([checked]))
        targets = self._targets(learner.targets.learnt())
        given = indexable_rows(X, checked.X)
        return labelled(checked, targets, learner.targets, given), targets

    def _adopt(self, trainer: Trainer, learner: RowsLearner) -> None:
        """Take over the network, the trainer and the learned targets before training."""
        if learner.moments is not None:
            trainer.network.adopt_moments(learner.moments)
        self._adopt_trainer(trainer)
        self._adopt_learnt(learner.targets.learnt())

    def _adopt_trainer(self, trainer: Trainer) -> None:
        self._direct = None
        self._trainer = trainer
        self.network_ = trainer.network
        self.history_ = trainer.history

    def _run(
        self,
        source: Source,
        validate: Callable[[], Validation] | None,
        rows: LabelledRows | None,
    ) -> None:
        """Run all epochs, and warn if training did not converge."""
        try:
            with epoch_calls(self, rows) as callback:
                end = fit_source(
                    self._trainer,
                    source,
                    StopSettings(
                        self.max_iter, self.tol, self.n_iter_no_change, validate,
                        early_stopping_of(self, validated=validate is not None),
                        self.max_time, callback,
                    ),
                )  # fmt: skip
        except KeyboardInterrupt:
            warnings.warn("Training interrupted by user.", UserWarning, stacklevel=5)
        else:
            if end in ENDS:
                warnings.warn(ENDS[end].format(self), ConvergenceWarning, stacklevel=5)

    def _check_params(self) -> None:
        if not are_unchanged(self, self._checked_params):
            validate_params(self)
            self._checked_params = param_values(self)

    # -------------------------------------------------------------------------- scoring

    def _logits(self, X: Any) -> NDArray[Any]:
        if "network_" not in vars(self):
            check_is_fitted(self)
        network = self.network_  # for X and its scores, even if another thread fits a new one
        X = self._rows_for(network, X)
        return network.logits(X, n_threads=self.n_threads, engine=self.engine)

    def _check_X(self, X: Any) -> Matrix:
        return self._rows_for(self.network_, X)

    def _rows_for(self, network: Network, X: Any) -> Matrix:
        """Check rows for a network, which is that of the estimator unless it was just fitted."""
        rows = RowChecker(self, network.dtype, network.missing is not None).X("X", X)
        if rows.shape[1] != network.n_features:
            raise ValueError(
                f"X has {rows.shape[1]} features, but the network has {network.n_features}"
            )
        return rows

    def _encode(self, name: str, y: Any, dtype: np.dtype[Any]) -> NDArray[Any]:
        targets = self._targets(self._learnt())
        return targets.encode(targets.check(name, y), dtype)

    def freeze(self) -> Predictor:
        """Return a copy of the fitted model for scoring: one row in microseconds.

        Returns
        -------
        dnncore.predictor.Predictor
            Predictor with outputs in the units of `y`.
        """
        check_is_fitted(self)
        predictor = self.network_.freeze(**self._learnt().freeze_options)
        if hasattr(self, "table_"):
            predictor.encoder = table_rows_of(self.network_, self.table_)
        return predictor

    def save(self, path: str | os.PathLike[str], *, solver_state: bool = False) -> None:
        """Write the fitted model to a safetensors file; :func:`dnncore.load` reads it.

        Parameters
        ----------
        path : str or path-like
            File to write.
        solver_state : bool, default=False
            Whether to store the solver's state, so that training (by `partial_fit`, or `fit` with
            `warm_start`) can resume bit for bit after loading; see
            :func:`dnncore.modelfile.save`.
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
