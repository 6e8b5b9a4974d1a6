"""What the two estimators on Dask collections share."""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Mapping
from copy import deepcopy
from typing import Any, ClassVar, Self

import numpy as np

from .._core import checks as check
from .._core.labels import check_total
from .._estimators.base import OF_COLUMNS, DNNEstimator
from .._estimators.callbacks import fit_with_callbacks
from .._estimators.checkpointing import (
    generator_of_split,
    require_same_partitions,
    require_same_validation,
    resumed_fit,
)
from .._estimators.interface import snapshot, unchanged_on_error
from .._estimators.learning import RowsLearner
from .._estimators.randomness import random_of
from .._estimators.rows import RowChecker
from .._estimators.targets import Targets
from .._estimators.trainers import prepare_trainer
from .._estimators.unfinished import UnfinishedFit
from .._estimators.validation import require_rows, splits, validation
from .._training.solvers import N_STATES
from ..network import Network
from ..training import Trainer
from ._cluster import Cluster, cluster_of
from ._fit import Fit, first_pass, require_split, require_weight, strategy_of
from ._lazy import lazy_method, lazy_score
from ._partitions import Partitions, fingerprint_of, is_collection
from ._reader import Preparation, Reader
from ._rounds import AVERAGE, EXACT, Rounds
from ._scores import score_of
from ._sizes import rows_of_a_group

logger = logging.getLogger("dnncore")

STRATEGIES = ("auto", EXACT, AVERAGE)
VALIDATION_NAMES = ("X_val", "y_val", "sample_weight_val")


def with_parameters_of(local: type) -> Callable[[type], type]:
    """Decorate a class so that its constructor shows the parameters of `local` before its own."""

    def decorate(cls: type) -> type:
        init: Any = cls.__init__  # type: ignore[misc]
        own = inspect.signature(init).parameters.values()
        own_named = [p for p in own if p.kind == p.KEYWORD_ONLY]
        shared = inspect.signature(local.__init__).parameters.values()  # type: ignore[misc]
        init.__signature__ = inspect.Signature([*shared, *own_named])
        return cls

    return decorate


class DaskEstimator(DNNEstimator):
    """Base class; see DaskDNNClassifier and DaskDNNRegressor."""

    own_params: ClassVar[tuple[str, ...]] = ("client", "strategy", "keep_rows")
    local_class: ClassVar[Any]

    client: Any
    strategy: str
    keep_rows: bool | str

    def _set_own_params(self, client: Any, strategy: str, keep_rows: bool | str) -> None:
        self.client, self.strategy, self.keep_rows = client, strategy, keep_rows

    # ------------------------------------------------------------------ local estimators

    def to_local(self) -> Any:
        """Return a local estimator with the same parameters and the fitted attributes.

        Returns
        -------
        DNNClassifier or DNNRegressor
            Estimator that shares the network with this one.
        """
        return _with_attributes(self.local_class, vars(self), self.own_params)

    @classmethod
    def from_local(
        cls,
        model: Any,
        *,
        client: Any = None,
        strategy: str = "auto",
        keep_rows: bool | str = "auto",
    ) -> Self:
        """Return an estimator on Dask with the parameters and fitted attributes of a local one.

        Parameters
        ----------
        model : DNNClassifier or DNNRegressor
            Local estimator, such as one that :func:`dnncore.load` has read from a checkpoint.
        client, strategy, keep_rows
            Parameters of this class.
        """
        if not isinstance(model, cls.local_class):
            raise TypeError(
                f"model must be a {cls.local_class.__name__}, got {type(model).__name__}"
            )
        found: Self = _with_attributes(cls, vars(model), ())
        found._set_own_params(client, strategy, keep_rows)
        return found

    def save(self, path: Any, *, solver_state: bool = False) -> None:
        """Write the fitted model to a file, as the local estimator does.

        :func:`dnncore.load` returns a local estimator; see :meth:`from_local`.
        """
        self.to_local().save(path, solver_state=solver_state)

    def __getstate__(self) -> dict[str, Any]:
        return {**super().__getstate__(), "client": None}

    def __sklearn_clone__(self) -> Self:
        without: Any = snapshot(self)
        without.client = None  # it cannot be copied
        found: Self = super(DaskEstimator, without).__sklearn_clone__()
        found.client = self.client
        return found

    def _check_params(self) -> None:
        super()._check_params()
        check.choice("strategy", self.strategy, STRATEGIES)
        if not isinstance(self.keep_rows, bool) and self.keep_rows != "auto":
            raise ValueError(f"keep_rows must be True, False or 'auto', got {self.keep_rows!r}")

    # -------------------------------------------------------------------------- training

    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        *,
        X_val: Any = None,
        y_val: Any = None,
        sample_weight_val: Any = None,
    ) -> Self:
        """Fit the model.

        Parameters
        ----------
        X : Dask array or DataFrame, or list of delayed partitions, of shape (n_samples, n_features)
            Training rows; partitions may be unknown in size, empty, of one class, or scipy CSR
            matrices. An array in memory trains the local estimator.
        y, sample_weight : likewise
            As in the local estimator, with the partitions of X.
        X_val, y_val, sample_weight_val : Dask collections or arrays, default=None
            Validation set. `scoring` needs one in memory.

        Returns
        -------
        DaskDNNClassifier or DaskDNNRegressor
            The fitted model.

        Raises
        ------
        TypeError, ValueError
            If an argument, a parameter or a partition is invalid; the model is unchanged.
        ConnectionError
            If the scheduler is lost. The model has the parameters of the last complete round.

        Warns
        -----
        UserWarning
            If no task runs for half a minute, as there is no worker, or those that have the tasks
            are paused by Dask since their memory is nearly full. The fit waits, or gives the tasks
            to other workers.

        All others are those of the local estimator.
        """
        if is_collection(X):
            self._fit_collections(X, y, sample_weight, X_val, y_val, sample_weight_val)
            return self
        super().fit(
            X, y, sample_weight, X_val=X_val, y_val=y_val, sample_weight_val=sample_weight_val
        )
        return self

    @fit_with_callbacks
    def _fit_collections(
        self, X: Any, y: Any, sample_weight: Any, X_val: Any, y_val: Any, sample_weight_val: Any
    ) -> None:
        cluster = cluster_of(self.client)
        try:
            self._fit_on(cluster, X, y, sample_weight, X_val, y_val, sample_weight_val)
        finally:
            cluster.release()

    def _fit_on(
        self, cluster: Cluster, X: Any, y: Any, sample_weight: Any, X_val: Any, y_val: Any,
        sample_weight_val: Any,
    ) -> None:  # fmt: skip
        with unchanged_on_error(self, "_direct"):
            self._check_params()
            partitions = Partitions.of(X, y, sample_weight, ("X", "y", "sample_weight"))
            validation_set = self._validation_set(X_val, y_val, sample_weight_val)
            before, unfinished = self._resumed_network(), resumed_fit(self)
            owner, learner, learned = self._learned(cluster, partitions, before)
            fingerprint = fingerprint_of(learned.sizes)
            require_same_partitions(unfinished, fingerprint)
            targets = self._targets(learner.targets.learnt())
            strategy = strategy_of(self, sum(learned.sizes))
            logger.info("strategy %r for %d rows", strategy, sum(learned.sizes))
            fit = Fit(cluster, self, owner)
            split, split_state = None, None
            with random_of(self.random_state) as random:
                trainer = prepare_trainer(self, before, targets, learner, random)
                if X_val is None and self._splits_off(learned.n_weighted, targets, unfinished):
                    n = int(np.ceil(self.validation_fraction * learned.n_weighted))
                    require_split(self, n, learned.n_weighted, targets)
                    random = generator_of_split(unfinished, random)
                    if self.checkpoint is not None:
                        split_state = random.get_state(legacy=False)
                    split = int(random.randint(2**31)), float(self.validation_fraction)
            reader = Reader(owner, trainer.network.dtype, trainer.network.n_features)
            may_overflow = learned.is_large and before is None
            preparation = Preparation(
                reader, targets, learner, split, network=trainer.network if may_overflow else None
            )
            batch_size = None if self.batch_size == "auto" else int(self.batch_size)
            limit = self._rows_of_a_group(trainer, strategy, learned)
            preparation, groups, weighed = fit.prepare_split(
                partitions, learned, preparation, limit, self.keep_rows
            )
            require_weight("the training rows", weighed.n_train, weighed.weight)
            if weighed.learned is not None:
                learner.merge(weighed.learned)
            checked: Any = snapshot(self)
            for name in OF_COLUMNS:
                checked.__dict__.pop(name, None)
                if hasattr(owner, name):
                    setattr(checked, name, getattr(owner, name))
            held_out: Any = weighed if split is not None else X_val
            require_same_validation(unfinished, held_out)
            self._adopt(trainer, learner, checked)
            self.strategy_ = strategy
            plan = fit.plan(trainer, targets)
            source = Rounds(
                cluster, groups, dict(weighed.sizes), plan, strategy, batch_size,
                validates=split is not None,
            )  # fmt: skip
            source.set_steps(trainer)
            validate = None
            if split is not None:
                n_spared = int(np.count_nonzero(weighed.draws.highest >= 0.0))
                require_split(self, weighed.n_held_out, learned.n_weighted, targets, n_spared)
                check_total(weighed.weight_held_out)
                self._require_no_scoring()
                validate = source.validation(fit.score, trainer.network)
            elif validation_set is not None:
                validate = fit.validation(
                    validation_set, preparation, plan, trainer.network, limit, self.keep_rows
                )
            else:
                checker = RowChecker(checked, reader.dtype, self.missing_values != "error",
                                     reader.n_features)  # fmt: skip
                rows = checker.validation_rows(
                    X_val, y_val, sample_weight_val, targets, learner.targets
                )
                require_rows("X_val", rows, targets)
                validate = validation(self, trainer.network, rows, targets)
        self._run(trainer, source, validate, None, unfinished, split_state, fingerprint)

    def _learned(
        self, cluster: Any, partitions: Partitions, before: Network | None
    ) -> tuple[Any, RowsLearner, Any]:
        """Learn from all rows; return an estimator with their columns, the learner and the rest."""
        owner = self._for_workers()
        dtype, n_features, known = None, None, None
        if before is not None:
            dtype, n_features, known = before.dtype, before.n_features, self._learnt()
            for name in OF_COLUMNS:
                if hasattr(self, name):
                    setattr(owner, name, getattr(self, name))
        targets = self._new_learner(known, None, accumulates=False, in_blocks=True)
        norm = bool(self.norm) and before is None
        empty = RowsLearner(targets, norm=norm, missing_values=self.missing_values)
        learned = first_pass(cluster, partitions, Reader(owner, dtype, n_features), empty)
        assert learned.learner is not None
        return learned.owner, learned.learner, learned

    def _for_workers(self) -> Any:
        """Return a local estimator with what the checks of rows depend on, and no more."""
        params = {k: v for k, v in self.get_params(deep=False).items() if k not in self.own_params}
        unused = ("callback", "checkpoint", "random_state", "scoring")
        return self.local_class(**{**params, **dict.fromkeys(unused), "verbose": False})

    def _splits_off(
        self, n_weighted: int, targets: Targets, unfinished: UnfinishedFit | None
    ) -> bool:
        if unfinished is not None:
            return unfinished.split is not None
        return splits(self, n_weighted, targets)

    def _of_trainer(self, trainer: Trainer) -> dict[str, Any]:
        return {**super()._of_trainer(trainer), "strategy_": None}  # of a local fit

    def _rows_of_a_group(self, trainer: Trainer, strategy: str, learned: Any) -> float:
        """Return the largest number of rows of partitions that are read together."""
        n_vectors = 2 if strategy == EXACT else 1 + N_STATES[trainer.solver.update]
        row_bytes = learned.n_bytes / sum(learned.sizes)
        rows = rows_of_a_group(trainer.network, row_bytes, n_vectors)
        if strategy == EXACT and self.batch_size != "auto":
            rows = min(rows, self.batch_size)
        return rows

    def _validation_set(self, X: Any, y: Any, sample_weight: Any) -> Partitions | None:
        """Return the partitions of a validation set on the workers, before rows are read."""
        if (X is None) != (y is None):
            raise ValueError("X_val and y_val must be given together")
        if X is None and sample_weight is not None:
            raise ValueError("sample_weight_val needs X_val and y_val")
        if not is_collection(X):
            return None
        self._require_no_scoring()
        return Partitions.of(X, y, sample_weight, VALIDATION_NAMES)

    def _require_no_scoring(self) -> None:
        if self.scoring is not None:
            raise ValueError("scoring needs X_val and y_val in memory, not on workers")

    # --------------------------------------------------------------------------- scoring

    def _lazily(self, method: str, X: Any, shape: tuple[int, ...], dtype: Any) -> Any:
        """Return the array that a method of the local estimator gives, block by block."""
        return lazy_method(self._local_for_scoring(), method, X, shape, np.dtype(dtype))

    def _local_for_scoring(self) -> Any:
        """Return a local estimator that a task scores with: on its own thread, not trainable.

        It has a network of its own, which a later fit does not change.
        """
        network, _ = self._network_and_learnt()  # raises unless fitted
        local = self.to_local()
        local.network_ = deepcopy(network)
        for name in ("_trainer", "_direct", "_unfinished", "history_"):
            vars(local).pop(name, None)
        local.callback = local.checkpoint = None
        local.n_threads = self.n_threads or 1
        return local

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> Any:
        """Return the score of the local estimator.

        Parameters
        ----------
        X, y, sample_weight
            Rows, as in `fit`: Dask collections, or arrays in memory.

        Returns
        -------
        float or dask.array.Array of shape ()
            The score. Of collections, a lazy array, which ``float(...)`` computes.
        """
        if not is_collection(X):
            return super().score(X, y, sample_weight)
        network, learnt = self._network_and_learnt()
        partitions = Partitions.of(X, y, sample_weight, ("X", "y", "sample_weight"))
        score = score_of(self._targets(learnt), network.output)
        return lazy_score(self._local_for_scoring(), partitions, score)


def _with_attributes(cls: type, attributes: Mapping[str, Any], without: tuple[str, ...]) -> Any:
    found: Any = object.__new__(cls)
    without = (*without, "_direct", "_checked_params")
    found.__dict__.update({k: v for k, v in attributes.items() if k not in without})
    return found
