"""A fit on collections: the passes that learn from the rows, and the source of the rounds."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any
from uuid import uuid4

import numpy as np

from .._core.labels import check_total
from .._estimators.learning import RowsLearner
from .._estimators.params import trainer_settings
from .._estimators.targets import Targets
from .._training.history import Validation
from ..network import Network
from ..training import Trainer
from ._cluster import Cluster, Graph, Key, Value, merged, n_threads_of_a_task
from ._partitions import Partitions
from ._reader import Draws, Preparation, Reader
from ._rounds import AVERAGE, EXACT, Groups, evaluated, validation_of
from ._scores import score_of
from ._sizes import LEVELS
from ._tasks import Learned, Plan, Weighed, learn, measure, prepare, weigh
from ._tree import group, sum_graph

logger = logging.getLogger("dnncore")


def parts_of(partitions: Partitions, indices: range) -> list[list[Any]]:
    """Return the arguments of tasks that read partitions: index, X, y, weight.

    The index is a :class:`Value`, since a number may be a key of the user's graph.
    """
    weight = partitions.weight
    return [
        [Value(i), partitions.X[i], partitions.y[i], None if weight is None else weight[i]]
        for i in indices
    ]


def first_pass(
    cluster: Cluster, partitions: Partitions, reader: Reader, empty: RowsLearner
) -> Learned:
    """Learn the targets, the dtype and the columns of all rows.

    Raises
    ------
    TypeError, ValueError
        If rows are invalid; the error names their partition.
    """
    learned = _over_partitions(cluster, partitions, learn, reader, empty)
    if learned.learner is None:
        raise ValueError(f"{reader.name} must have at least 1 row, got {partitions.n} partitions")
    check_total(learned.total)
    learned.learner.targets.finish()
    return learned


def _over_partitions(
    cluster: Cluster, partitions: Partitions, function: Callable[..., Learned], *shared: Any
) -> Learned:
    """Return the sum of what a function finds in partitions of sizes that are not known.

    It is called with the shared values and a list of one partition: together, several may be too
    large.
    """
    name = f"dnncore-{function.__name__}-{uuid4().hex}"
    nodes: Graph = {(name, "shared", i): Value(value) for i, value in enumerate(shared)}
    keys: dict[int, Key] = {i: (name, i) for i in range(partitions.n)}
    tasks: Graph = {
        key: (function, *nodes, parts_of(partitions, range(i, i + 1))) for i, key in keys.items()
    }
    sums, root = sum_graph(f"dnncore-add-{uuid4().hex}", keys, partitions.n, LEVELS)
    learned: Learned = cluster.get(merged(partitions.graph, nodes, tasks, sums), [root])[0]
    return learned


class Fit:
    """A fit of an estimator on collections.

    Parameters
    ----------
    cluster : Cluster
        Where the tasks run.
    estimator : Estimator
        The estimator, of which the parameters are valid.
    local : Estimator
        Local estimator with these parameters, and the columns of X.
    """

    def __init__(self, cluster: Cluster, estimator: Any, local: Any) -> None:
        self._cluster, self._estimator, self._local = cluster, estimator, local

    def prepare(
        self,
        partitions: Partitions,
        learned: Learned,
        preparation: Preparation,
        limit: float,
        keep: bool | str,
    ) -> tuple[Groups, Weighed]:
        """Group partitions, and prepare their rows; return the groups and what they contain.

        `keep` is the parameter `keep_rows`.
        """
        name = f"dnncore-rows-{uuid4().hex}"
        shared: Graph = {f"{name}-preparation": Value(preparation)}
        ranges = group(learned.sizes, limit)
        keys: dict[int, Key] = {indices.start: (name, indices.start) for indices in ranges}
        tasks: Graph = {
            keys[indices.start]: (
                prepare, f"{name}-preparation", parts_of(partitions, indices)
            )
            for indices in ranges
        }  # fmt: skip
        graph = merged(partitions.graph, shared, tasks)
        kept = learned.n_bytes <= self._cluster.memory() if keep == "auto" else bool(keep)
        nodes: Mapping[int, Any] = keys
        if kept:
            values = self._cluster.keep(graph, list(keys.values()))
            nodes, graph = dict(zip(keys, values, strict=True)), {}
        logger.info(
            "%d partitions in %d groups, whose rows are %s", partitions.n, len(ranges),
            "kept" if kept else "read anew in every round",
        )  # fmt: skip
        groups = Groups(graph, nodes, partitions.n)
        weighed = groups.sum(self._cluster, "weigh", lambda i, node: (partial(weigh, i), node))
        return groups, weighed or Weighed(None, 0, 0, 0.0, 0.0, (), Draws(np.zeros(0), np.zeros(0)))

    def prepare_split(
        self, partitions: Partitions, learned: Learned, preparation: Preparation, limit: float,
        keep: bool | str,
    ) -> tuple[Preparation, Groups, Weighed]:  # fmt: skip
        """Prepare rows so that each class is trained on, and a score has the rows that it needs.

        Chance may have it otherwise if there are few rows, or few of a class. Returns the final
        preparation too.
        """
        least = preparation.targets.min_score_rows
        while True:
            groups, weighed = self.prepare(partitions, learned, preparation, limit, keep)
            split, lowest, highest = preparation.split, weighed.draws.lowest, weighed.draws.highest
            if split is None:
                return preparation, groups, weighed
            seed, fraction = split
            if preparation.spared is None and ((highest >= 0.0) & (highest < fraction)).any():
                preparation = replace(preparation, spared=highest)  # all rows were split off
            elif weighed.n_held_out < least <= lowest.size:
                fraction = float(np.nextafter(np.sort(lowest)[least - 1], 1.0))
                preparation = replace(preparation, split=(seed, fraction))
            else:
                return preparation, groups, weighed
            self._cluster.release()

    def plan(self, trainer: Trainer, targets: Targets) -> Any:
        """Send what is the same in all rounds to the cluster; return its node."""
        estimator, network = self._estimator, trainer.network
        settings = trainer_settings(estimator)
        settings["n_threads"] = n_threads_of_a_task(estimator.n_threads)
        settings["engine"] = "builtin" if estimator.engine == "auto" else estimator.engine
        self.score = score_of(targets, network.output)
        plan = Plan(network, settings, self.score, trainer._loss_options)
        key = f"dnncore-plan-{uuid4().hex}"
        return self._cluster.keep({key: Value(plan)}, [key])[0]

    def validation(
        self,
        partitions: Partitions,
        preparation: Preparation,
        plan: Any,
        network: Network,
        limit: float,
        keep: bool | str,
    ) -> Callable[[], Validation]:
        """Return the function that evaluates a validation set on the workers.

        `limit` and `keep` are as in `prepare`.
        """
        reader = replace(preparation.reader, name="X_val")
        of_all = replace(preparation, reader=reader, split=None, validates=True, network=None)
        measured = _over_partitions(self._cluster, partitions, measure, reader)
        least = preparation.targets.min_score_rows
        require_weight("X_val", sum(measured.sizes), measured.total, least)
        groups, weighed = self.prepare(partitions, measured, of_all, limit, keep)
        require_weight("X_val", weighed.n_held_out, weighed.weight_held_out, least)
        return validation_of(
            lambda: evaluated(self._cluster, groups, plan, network.parameters, "held_out"),
            self.score,
        )


def require_weight(name: str, n_rows: int, weight: float, least: int = 1) -> None:
    """Raise ValueError if there are too few rows, or their weights have no usable sum."""
    if n_rows < least:
        raise ValueError(f"{name} must have at least {least} rows, got {n_rows}")
    check_total(weight)


def require_split(
    estimator: Any, n: int, n_weighted: int, targets: Targets, n_spared: int = 1
) -> None:
    """Raise ValueError if n of the rows with a weight are too few validation rows for a score.

    `n_spared` is the number of rows that are never split off.
    """
    if n < targets.min_score_rows:
        raise ValueError(
            f"the split with validation_fraction={estimator.validation_fraction:g} must have at "
            f"least {targets.min_score_rows} rows for the score, got {n} of {n_weighted}, of which "
            f"at least {n_spared} must be for training: pass X_val and y_val, raise "
            "validation_fraction, or set early_stopping=False"
        )


def strategy_of(estimator: Any, n_rows: int) -> str:
    """Return the strategy: 'auto' takes the gradient of all rows where the local model does.

    That gradient has no dropout, which is drawn anew in every mini-batch.
    """
    if estimator.solver == "lbfgs":
        if estimator.strategy == AVERAGE:
            raise ValueError(
                "strategy must be 'exact' or 'auto' with solver='lbfgs', got 'average'"
            )
        return EXACT
    if estimator.strategy == EXACT and estimator.dropout > 0.0:
        raise ValueError(
            f"dropout must be 0 with strategy='exact', got {estimator.dropout}: "
            "strategy='average' trains with dropout"
        )
    if estimator.strategy != "auto":
        return str(estimator.strategy)
    whole = estimator.batch_size != "auto" and estimator.batch_size >= n_rows
    return EXACT if whole and estimator.dropout == 0.0 else AVERAGE
