"""The base class of TabularClassifier and TabularRegressor: a table in, an ensemble out."""

from __future__ import annotations

import os
import warnings
from abc import ABCMeta, abstractmethod
from collections.abc import Callable
from contextlib import nullcontext
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_array, check_consistent_length, check_is_fitted

from .._core import checks as check
from .._core.labels import Labels, usable, weights
from .._core.threads import available_cpus
from .._data.table_encoder import TableEncoder
from .._training.history import EpochInfo
from .._training.loop import level_of_caller
from .._training.members import Member, Trained, train_members
from .._training.recipe import Recipe
from ..ensemble import Ensemble
from ..table_predictor import TablePredictor
from .checkpointing import CheckpointWriter, generator_in
from .ensemble_fit import conditions_of, require_same_conditions, with_finished
from .folds import folds
from .importances import permutation_importances
from .interface import (
    LearntTable,
    TabularModel,
    adopt_unfinished_ensemble,
    forget_fit,
    replace_attributes,
    snapshot,
    unfinished_ensemble_of,
)
from .nullable import without_nullable
from .params import validate_table_params
from .progress import progress_bar
from .rows import encoded
from .targets import TargetLearner, Targets
from .unfinished import UnfinishedEnsemble

MIN_ROWS = 2  # one to train on, and one to choose the best epoch


class TabularEstimator(BaseEstimator, TabularModel, metaclass=ABCMeta):  # type: ignore[misc]
    """Base class; see TabularClassifier and TabularRegressor for the parameters."""

    # -------------------------------------------- differences between the two estimators

    @abstractmethod
    def _new_learner(self) -> TargetLearner:
        """Return the learner of the targets."""

    @abstractmethod
    def _targets(self, learnt: Any) -> Targets:
        """Return the encoding of targets that the learned values define."""

    @abstractmethod
    def _learning_rate(self) -> float:
        """Return the learning rate of the recipe."""

    @abstractmethod
    def _learnt_before(self, learnt: Any, y: NDArray[Any], labels: Labels) -> LearntTable:
        """Return what is known of the targets before the members are trained."""

    @abstractmethod
    def _finish(
        self, y: NDArray[Any], labels: Labels,
        held_out: list[NDArray[np.intp]], logits: list[NDArray[Any]],
    ) -> None:  # fmt: skip
        """Learn from the logits of the rows that each member was trained without."""

    # -------------------------------------------------------------------------- training

    def _fit(self, X: Any, y: Any, sample_weight: ArrayLike | None) -> None:
        fitted = snapshot(self)  # so that other threads still see the previous fit, or all of this
        fitted._fit_copy(X, y, sample_weight)
        replace_attributes(self, vars(fitted))

    def _fit_copy(self, X: Any, y: Any, sample_weight: ArrayLike | None) -> None:
        self._check_params()
        before = snapshot(self)
        unfinished = unfinished_ensemble_of(self) if self.warm_start else None
        forget_fit(self)  # so that checkpoints have nothing of it
        rows, y, labels, targets = self._learn(X, y, sample_weight)
        if unfinished is None:
            random = check_random_state(self.random_state)
        else:
            random = generator_in(unfinished.random)
        begun, conditions = random.get_state(legacy=False), {}
        if self.checkpoint is not None or unfinished is not None:
            parameters, recipe = self.get_params(deep=False), self._recipe(len(rows))
            conditions = conditions_of(parameters, recipe, rows, labels)
        if unfinished is not None:
            require_same_conditions(unfinished.conditions, conditions)
        members = self._members(rows, labels, targets.strata(y), targets, random)
        if unfinished is not None:
            members = with_finished(
                members, unfinished, before.ensemble_.networks, before.histories_
            )
        after_member = self._after_member(members, begun, conditions)
        trained, self.stop_reason_ = self._train(members, rows, labels, after_member)
        self._adopt_members(trained)
        held_out = [member.held_out for member in trained]
        logits = [
            member.trainer.network.logits(
                rows[member.held_out], n_threads=self.n_threads, engine="builtin"
            )
            for member in trained
        ]
        self._finish(y, labels, held_out, logits)
        if self.importances:
            networks, features = self.ensemble_.networks, self.encoder_.encoding_.features
            self.feature_importances_ = permutation_importances(
                networks, rows, labels, held_out, features, random
            )

    def _learn(
        self, X: Any, y: Any, sample_weight: ArrayLike | None
    ) -> tuple[NDArray[Any], NDArray[Any], Labels, Targets]:
        """Learn the encoding of the columns and of the targets.

        Returns the encoded rows, the checked targets, the encoded targets with the weights of the
        rows, and the encoding of the targets.
        """
        y = self._checked_y(y)
        encoder = self._new_encoder()
        rows = encoder.fit_transform(X)
        self._adopt_encoder(encoder)
        check_consistent_length(X, y)
        if len(y) < MIN_ROWS:
            raise ValueError(f"X must have at least {MIN_ROWS} samples, got n_samples = 1")
        learner = self._new_learner()
        y = learner.learn(y)
        weight = None
        if sample_weight is not None:
            weight = usable(weights(sample_weight, len(y), rows.dtype))
        if learner.moments is not None:
            learner.moments.update(y.reshape(len(y), -1), weight)
        learner.finish()
        targets = self._targets(learner.learnt())
        factor = learner.row_weight(y)
        if factor is not None:
            total = factor if weight is None else weight * factor
            weight = weights(total, len(y), rows.dtype)
        labels = Labels.of(encoded(targets, y, rows.dtype, training=True), weight)
        learner.add_totals(y, weight)
        self._adopt_learnt(self._learnt_before(learner.learnt(), y, labels))
        return rows, y, labels, targets

    def _check_params(self) -> None:
        validate_table_params(self)

    def _new_encoder(self) -> TableEncoder:
        return TableEncoder(
            self.categorical_features, max_categories=self.max_categories, dtype=np.float32
        )

    def _adopt_encoder(self, encoder: TableEncoder) -> None:
        self.encoder_ = encoder
        self.n_features_in_ = encoder.n_features_in_
        if hasattr(encoder, "feature_names_in_"):
            self.feature_names_in_ = encoder.feature_names_in_

    def _checked_y(self, y: Any) -> NDArray[Any]:
        if y is None:
            raise ValueError(
                f"This {type(self).__name__} estimator requires y to be passed, but the target y "
                "is None."
            )
        checked: NDArray[Any] = check_array(
            without_nullable("y", y),
            ensure_2d=False, dtype=None, ensure_min_samples=0, input_name="y",
        )  # fmt: skip
        return checked

    def _members(
        self,
        rows: NDArray[Any],
        labels: Labels,
        strata: NDArray[Any] | None,
        targets: Targets,
        random: np.random.RandomState,
    ) -> list[Member]:
        """Return the members, each with a new network and its rows."""
        if strata is not None:
            strata = np.unique(strata, return_inverse=True)[1]
        recipe, (n_outputs, output) = self._recipe(len(rows)), targets.output()
        every = np.arange(len(rows))
        members = []
        for held_out in folds(len(rows), self.n_members, strata, random):
            train = np.setdiff1d(every, held_out, assume_unique=True)
            if labels.weight is not None and not labels.weight[train].any():
                train, held_out = every, every[:0]  # all the weight is in this fold
            seeds = random.randint(2**31, size=2)
            network = recipe.network(
                rows, self.encoder_.n_numeric_, n_outputs, output, int(seeds[0])
            )
            members.append(Member(recipe.trainer(network, int(seeds[1])), train, held_out))
        return members

    def _recipe(self, n_rows: int) -> Recipe:
        return Recipe(
            check.hidden_sizes("hidden_layer_sizes", self.hidden_layer_sizes),
            self.activation,
            self.n_bins,
            self.embedding_size,
            float(self._learning_rate()),
            float(self.weight_decay),
            float(self.dropout),
            None if self.max_grad_norm is None else float(self.max_grad_norm),
            min(self.batch_size, n_rows),
        )

    def _after_member(
        self, members: list[Member], random: dict[str, Any], conditions: dict[str, str]
    ) -> Callable[[int, str], None] | None:
        """Return what is called when a member is finished, and writes checkpoints.

        `random` and `conditions` are those of :class:`UnfinishedEnsemble`.
        """
        if self.checkpoint is None:
            return None
        writer, ends = CheckpointWriter(self.checkpoint), [member.end for member in members]

        def unfinished() -> TabularEstimator:
            model, now = snapshot(self), tuple(ends)
            model._adopt_members([x for x, end in zip(members, now, strict=True) if end])
            adopt_unfinished_ensemble(model, UnfinishedEnsemble(now, random, conditions))
            return model

        def call(index: int, end: str) -> None:
            ends[index] = end
            writer.offer(unfinished)

        return call

    def _adopt_members(self, members: list[Member]) -> None:
        self.ensemble_ = Ensemble([member.trainer.network for member in members])
        self.histories_ = [member.trainer.history for member in members]

    def _train(
        self,
        members: list[Member],
        rows: NDArray[Any],
        labels: Labels,
        after_member: Callable[[int, str], None] | None,
    ) -> Trained:
        n_threads = available_cpus() if self.n_threads is None else self.n_threads
        bar = nullcontext()
        if self.verbose:
            n_missing = sum(member.end is None for member in members)
            bar = progress_bar(type(self).__name__, self.max_iter * n_missing)  # type: ignore[assignment]
        with bar as show:
            trained = train_members(
                members, rows, labels, max_iter=self.max_iter, max_time=self.max_time,
                n_threads=n_threads, callback=_after_epoch(self.callback, show),
                after_member=after_member,
            )  # fmt: skip
        if len(trained.members) < len(members):
            warnings.warn(
                f"training ended with {len(trained.members)} of {len(members)} members",
                stacklevel=level_of_caller(),
            )
        return trained

    # -------------------------------------------------------------------------- scoring

    @property
    def n_iter_(self) -> NDArray[np.intp]:
        return np.array([history.n_iter for history in self.histories_])

    def freeze(self) -> TablePredictor:
        """Create a predictor: a copy for scoring, one row in microseconds.

        Returns
        -------
        TablePredictor
            Its outputs are those of `predict_proba` of a classifier, or `predict` of a regressor.
        """
        check_is_fitted(self)
        fitted = snapshot(self)
        networks = [network.freeze() for network in fitted.ensemble_.networks]
        options = fitted._learnt().freeze_options
        return TablePredictor(fitted.encoder_.encoding_, networks, **options)

    def _mean_outputs(self, X: Any) -> tuple[NDArray[Any], Any]:
        """Return the mean outputs for a table, and what was learned in the same fit."""
        check_is_fitted(self)
        fitted = snapshot(self)
        rows = fitted.encoder_.transform(X)
        return fitted.ensemble_.mean(rows, n_threads=self.n_threads), fitted._learnt()

    def _encode(self, name: str, y: Any, dtype: np.dtype[Any]) -> NDArray[Any]:
        targets = self._targets(self._learnt())
        return targets.encode(targets.check(name, y), dtype)

    def save(self, path: str | os.PathLike[str], *, solver_state: bool = False) -> None:
        """Write the fitted model to a safetensors file; :func:`dnncore.load` reads it.

        The file has everything but the out-of-fold predictions.

        Parameters
        ----------
        path : str or path-like
            File to write.
        solver_state : bool, default=False
            Whether to store what completes a fit that is not finished, for a model from a
            :class:`dnncore.checkpoints.Checkpoint`; others have none.
        """
        from ..modelfile import save

        save(self, path, solver_state=solver_state)

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "ensemble_")

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.categorical = True
        tags.input_tags.string = True
        return tags


def _after_epoch(
    callback: Callable[[int, EpochInfo], object] | None,
    show: Callable[[EpochInfo], None] | None,
) -> Callable[[int, EpochInfo], object] | None:
    if show is None:
        return callback

    def call(member: int, info: EpochInfo) -> bool:
        show(info)
        return callback is not None and bool(callback(member, info))

    return call
