"""The base class of DNNClassifier and DNNRegressor: fit, fit_blocks and partial_fit."""

from __future__ import annotations

import os
import warnings
from abc import ABCMeta, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import check_is_fitted

from .._core.checks import Matrix
from .._core.csrc import all_finite
from .._training.history import Validation
from .._training.loop import level_of_caller
from .._training.settings import StopSettings
from .._training.sources import ArraySource, BlockSource, RemoteRows
from .._training.trainer import fit_source
from ..network import Network
from ..predictor import Predictor
from ..training import Trainer
from .block_rows import BlockRows, LabelledBlocks
from .callbacks import CallbackSupport, epoch_calls, fit_with_callbacks
from .checkpointing import (
    after_epoch,
    generator_of_split,
    require_same_partitions,
    require_same_validation,
    resumed_fit,
)
from .direct import DirectTraining
from .html import estimator_html
from .interface import (
    AUTO,
    Estimator,
    early_stopping_of,
    snapshot,
    table_rows_of,
    unchanged_on_error,
)
from .learning import RowsLearner
from .params import ParamValues, are_unchanged, param_values, validate_params
from .randomness import random_of
from .rows import LabelledRows, RowChecker, indexable_rows, labelled
from .targets import TargetLearner, Targets
from .trainers import check_network, prepare_trainer
from .unfinished import UnfinishedFit
from .validation import require_finite_outputs, require_rows, split, splits_rows, validation

OF_COLUMNS = ("n_features_in_", "feature_names_in_", "table_")
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
        with unchanged_on_error(self, "_direct"):  # its trainer may be configured otherwise
            self._check_params()
            before, unfinished = self._resumed_network(), resumed_fit(self)
            require_same_partitions(unfinished, None)
            checked = snapshot(self)
            checker, learner = self._begin(checked, before, norm=bool(self.norm) and before is None)
            rows, targets = self._learnt_rows(X, y, sample_weight, checker, learner)
            held_out = checker.validation_rows(
                X_val, y_val, sample_weight_val, targets, learner.targets
            )
            require_rows("X_val", held_out, targets)
            split_state = None
            with random_of(self.random_state) as random:
                trainer = prepare_trainer(self, before, targets, learner, random)
                if held_out is None and self._splits(rows, targets, unfinished):
                    random = generator_of_split(unfinished, random)
                    if self.checkpoint is not None:
                        split_state = random.get_state(legacy=False)
                    rows, held_out = split(self, rows, targets, random)
                    name = f"the split with validation_fraction={self.validation_fraction}"
                    require_rows(name, held_out, targets)
            require_same_validation(unfinished, held_out)
            learner.learn_weighted([rows])
            if before is None and not self.norm:
                require_finite_outputs(trainer.network, rows.X, vars(checked))
            self._adopt(trainer, learner, checked)
            validate = validation(self, trainer.network, held_out, targets)
        self._run(trainer, rows.source(), validate, rows, unfinished, split_state)

    @fit_with_callbacks
    def _fit_blocks(
        self,
        blocks: Iterable[Any],
        classes: Any,
        X_val: Any,
        y_val: Any,
        sample_weight_val: ArrayLike | None,
    ) -> None:
        with unchanged_on_error(self, "_direct"):  # its trainer may be configured otherwise
            self._check_params()
            if self.solver == "lbfgs":
                raise ValueError(
                    "fit_blocks needs solver='adam', 'adamw' or 'sgd', got solver='lbfgs'"
                )
            required = self.early_stopping != AUTO and self.early_stopping
            if X_val is None and (required or self.scoring is not None):
                raise ValueError("early_stopping and scoring need X_val and y_val in fit_blocks")
            before, unfinished = self._resumed_network(), resumed_fit(self)
            require_same_partitions(unfinished, None)
            norm = bool(self.norm) and before is None
            checked = snapshot(self)
            checker, learner = self._begin(checked, before, classes, norm=norm, in_blocks=True)
            rows = BlockRows(blocks, checker)
            learner.learn(rows)
            targets = self._targets(learner.targets.learnt())
            held_out = checker.validation_rows(
                X_val, y_val, sample_weight_val, targets, learner.targets
            )
            require_rows("X_val", held_out, targets)
            require_same_validation(unfinished, held_out)
            with random_of(self.random_state) as random:
                trainer = prepare_trainer(self, before, targets, learner, random)
            if before is None and learner.has_large_blocks:
                for part in rows:  # read once more, which rows of ordinary size need not be
                    with part.faults():
                        require_finite_outputs(trainer.network, part.X, vars(checked))
            labelled_blocks = LabelledBlocks(rows, targets, learner.targets)
            learner.learn_weighted(labelled_blocks.rows())
            self._adopt(trainer, learner, checked)
            validate = validation(self, trainer.network, held_out, targets)
        self._run(trainer, BlockSource(labelled_blocks), validate, None, unfinished)

    def _partial_fit(self, X: Any, y: Any, sample_weight: ArrayLike | None, classes: Any) -> None:
        direct = self._direct if classes is None else None
        if direct is not None and direct.learn(self, X, y, sample_weight):
            return
        with unchanged_on_error(self, "_direct"):  # its trainer may be configured otherwise
            self._check_params()
            if self.early_stopping != AUTO and self.early_stopping:
                raise ValueError("partial_fit does not support early_stopping=True")
            before = getattr(self, "network_", None)
            norm = bool(self.norm)
            checked = snapshot(self)
            checker, learner = self._begin(checked, before, classes, norm=norm, accumulates=True)
            rows, targets = self._learnt_rows(
                X, y, sample_weight, checker, learner, accumulates=True
            )
            with random_of(self.random_state) as random:
                trainer = prepare_trainer(self, before, targets, learner, random)
            if norm and trainer.network.moments_ is not None:
                learner.moments = trainer.network.moments_.copy()
            learner.learn_weighted([rows])
            if before is None and not norm:
                require_finite_outputs(trainer.network, rows.X, vars(checked))
            self._adopt(trainer, learner, checked)
            settings = StopSettings(max_iter=1, max_time=self.max_time, callback=self.callback)
            if self._checked_params is not None and not learner.targets.weighs:
                self._direct = DirectTraining(self, self._checked_params, targets, settings)
        fit_source(trainer, rows.source(), settings)

    def _splits(
        self, rows: LabelledRows, targets: Targets, unfinished: UnfinishedFit | None
    ) -> bool:
        """Return whether a validation set is split off."""
        if unfinished is not None:
            return unfinished.split is not None
        return splits_rows(self, rows, targets)

    def _resumed_network(self) -> Network | None:
        """Return the network of the previous fit with `warm_start`, otherwise None."""
        return getattr(self, "network_", None) if self.warm_start else None

    def _begin(
        self,
        checked: DNNEstimator,
        before: Network | None,
        classes: Any = None,
        *,
        norm: bool,
        accumulates: bool = False,
        in_blocks: bool = False,
    ) -> tuple[RowChecker, RowsLearner]:
        """Return the checker and the learner of the rows of a fit.

        `checked` is the owner of the rows: a copy, so that other threads still see the columns of
        the previous fit. `before` is the network that training resumes from, if any.
        """
        dtype, known, n_features = None, None, None
        if before is not None:
            dtype, known, n_features = before.dtype, self._learnt(), before.n_features
        targets = self._new_learner(known, classes, accumulates=accumulates, in_blocks=in_blocks)
        return (
            RowChecker(checked, dtype, self.missing_values != "error", n_features),
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
        *,
        accumulates: bool = False,
    ) -> tuple[LabelledRows, Targets]:
        """Check rows in memory and learn their targets; return the training rows and targets."""
        checked = checker.training_rows(X, y, sample_weight, accumulates=accumulates)
        y = learner.learn([checked])
        if y is not checked.y:
            checked = replace(checked, y=y)
        targets = self._targets(learner.targets.learnt())
        given = indexable_rows(X, checked.X)
        return labelled(checked, targets, learner.targets, given), targets

    def _adopt(self, trainer: Trainer, learner: RowsLearner, checked: DNNEstimator) -> None:
        """Take over the network, the trainer and what was learned, before training."""
        network, columns = trainer.network, vars(checked)
        if learner.moments is not None:
            learner.moments.check(network.dtype, columns.get("feature_names_in_"))
            network.adopt_moments(learner.moments)
        self._set_fitted(
            **self._of_trainer(trainer),
            **self._of_learnt(learner.targets.learnt()),
            **{name: columns.get(name) for name in OF_COLUMNS},
        )

    def _set_fitted(self, **attributes: Any) -> None:
        """Set fitted attributes at once for other threads; those that are None do not exist."""
        own = self.__dict__
        own.update({name: value for name, value in attributes.items() if value is not None})
        for name, value in attributes.items():
            if value is None:
                own.pop(name, None)

    def _of_trainer(self, trainer: Trainer) -> dict[str, Any]:
        """Return the fitted attributes that a trainer provides."""
        network, history = trainer.network, trainer.history
        return {
            "_direct": None, "_unfinished": None, "_trainer": trainer, "network_": network,
            "history_": history, "stop_reason_": None,
        }  # fmt: skip

    @abstractmethod
    def _of_learnt(self, learnt: Any) -> dict[str, Any]:
        """Return the fitted attributes that the learned targets provide."""

    def _adopt_trainer(self, trainer: Trainer) -> None:
        self._set_fitted(**self._of_trainer(trainer))

    def _adopt_learnt(self, learnt: Any) -> None:
        self._set_fitted(**self._of_learnt(learnt))

    def _run(
        self,
        trainer: Trainer,
        source: ArraySource | BlockSource | RemoteRows,
        validate: Callable[[], Validation] | None,
        rows: LabelledRows | None,
        unfinished: UnfinishedFit | None,
        split_state: dict[str, Any] | None = None,
        partitions: str | None = None,
    ) -> None:
        """Run all epochs, or those that remain, and warn if training did not converge."""
        resumed = None if unfinished is None else unfinished.state
        early_stopping = (
            early_stopping_of(self, validated=validate is not None)
            if resumed is None
            else resumed.early_stopping
        )
        try:
            with epoch_calls(self, rows) as callback:
                self.stop_reason_ = fit_source(
                    trainer,
                    source,
                    StopSettings(
                        self.max_iter, self.tol, self.n_iter_no_change, validate, early_stopping,
                        self.max_time, callback, resumed=resumed,
                        checkpoint=after_epoch(self, split_state, partitions),
                    ),
                )  # fmt: skip
        except KeyboardInterrupt:
            self.stop_reason_ = "interrupted"
            warnings.warn(
                "Training interrupted by user.", UserWarning, stacklevel=level_of_caller()
            )
        else:
            if self.stop_reason_ in ENDS:
                warnings.warn(
                    ENDS[self.stop_reason_].format(self),
                    ConvergenceWarning,
                    stacklevel=level_of_caller(),
                )

    def _check_params(self) -> None:
        if not are_unchanged(self, self._checked_params):
            validate_params(self)
            self._checked_params = param_values(self)

    # -------------------------------------------------------------------------- scoring

    def _network_and_learnt(self) -> tuple[Network, Any]:
        fitted = self.__dict__
        while True:
            if "network_" not in fitted:
                check_is_fitted(self)
            network = self.network_
            learnt = self._learnt()
            if fitted.get("network_") is network:  # else another thread has just fitted it
                return network, learnt

    def _logits(self, X: Any) -> tuple[NDArray[Any], Any]:
        """Return the logits of rows, and what was learned of the targets in the same fit."""
        network, learnt = self._network_and_learnt()
        X = self._rows_for(network, X)
        logits = network.logits(X, n_threads=self.n_threads, engine=self.engine)
        if not all_finite(logits):
            row = int(np.argmin(np.isfinite(logits).all(axis=1)))
            raise ValueError(f"X must give finite outputs, but row {row} is too large for that")
        return logits, learnt

    def _check_parts(self) -> None:
        network, learnt = self._network_and_learnt()
        check_network(self, network, self._targets(learnt), network.n_features)

    def _rows_for(self, network: Network, X: Any) -> Matrix:
        may_miss = network.missing is not None
        return RowChecker(self, network.dtype, may_miss, network.n_features).X("X", X)

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
        network, learnt = self._network_and_learnt()
        predictor = network.freeze(**learnt.freeze_options)
        if hasattr(self, "table_"):
            predictor.encoder = table_rows_of(network, self.table_)
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
