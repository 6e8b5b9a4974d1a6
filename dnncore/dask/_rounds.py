"""Rounds: an epoch as graphs of tasks, whose results are combined here."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any
from uuid import uuid4

import numpy as np
from numpy.typing import NDArray

from .._training.fit_state import Snapshot
from .._training.gradients import GradientSums
from .._training.history import Validation
from .._training.lbfgs import mean_and_penalty
from .._training.optimizer import Optimizer
from .._training.sources import RemoteRows
from ._cluster import Cluster, Graph, Key, Value, merged
from ._tasks import Average, State, evaluate, gradient, train
from ._tree import sum_graph

EXACT, AVERAGE = "exact", "average"


@dataclass(frozen=True)
class Groups:
    """Groups of partitions, as nodes of a graph.

    Attributes
    ----------
    graph : dict
        Tasks that lead to the rows that are not kept.
    nodes : dict of int to node
        Prepared rows of each group, by the index of its first partition.
    n_partitions : int
        Number of partitions.
    """

    graph: Graph
    nodes: Mapping[int, Any]
    n_partitions: int

    def sum(
        self,
        cluster: Cluster,
        task: Callable[[int, Any], tuple[Any, ...]],
        shared: Graph | None = None,
        chosen: Sequence[int] | None = None,
    ) -> Any:
        """Run a task on each group, and return the sum of the values; None without any.

        Parameters
        ----------
        cluster : Cluster
            Where the tasks run.
        task : callable
            Function that returns the task of a group, given its index and its node.
        shared : dict, default=None
            Nodes that the tasks refer to.
        chosen : sequence of int, default=None
            Indices of the groups; all by default.
        """
        name = f"dnncore-{uuid4().hex}"
        indices = self.nodes.keys() if chosen is None else chosen
        keys: dict[int, Key] = {i: (name, i) for i in indices}
        if not keys:
            return None
        leaves: Graph = {key: task(i, self.nodes[i]) for i, key in keys.items()}
        graph, root = sum_graph(f"{name}-sum", keys, self.n_partitions)
        return cluster.get(merged(self.graph, shared or {}, leaves, graph), root)


class Rounds(RemoteRows):
    """The training rows of a fit on a cluster.

    Parameters
    ----------
    cluster : Cluster
        Where the tasks run.
    groups : Groups
        Groups of partitions.
    sizes : mapping of int to int
        Number of training rows of each group.
    plan : node
        The :class:`Plan` of the tasks, as a node.
    strategy : {'exact', 'average'}
        Whether a step takes the gradient of all rows, or groups are trained on and averaged.
    batch_size : int or None
        Least number of rows of a step with 'exact'; None for all rows.
    """

    def __init__(
        self,
        cluster: Cluster,
        groups: Groups,
        sizes: Mapping[int, int],
        plan: Any,
        strategy: str,
        batch_size: int | None,
    ) -> None:
        self._cluster, self._groups, self._plan = cluster, groups, plan
        self._sizes = {index: n for index, n in sizes.items() if n > 0}
        self._strategy, self._batch_size = strategy, batch_size
        self._largest = max(self._sizes.values())

    def set_steps(self, optimizer: Optimizer) -> None:
        """Compute the number of steps of an epoch."""
        if self._strategy == AVERAGE:
            self.n_steps = optimizer._n_steps(self._largest)
        else:
            self.n_steps = len(self._batches(list(self._sizes)))

    def train_epoch(
        self, optimizer: Optimizer, end: float, rates: NDArray[np.float64] | None
    ) -> tuple[float, int]:
        if self._strategy == AVERAGE:
            return self._average(optimizer, rates)
        return self._steps(optimizer, end, rates)

    def _average(
        self, optimizer: Optimizer, rates: NDArray[np.float64] | None
    ) -> tuple[float, int]:
        arrays, steps = optimizer.snapshot()
        seed = int(optimizer._rng.integers(2**63))
        state = State(arrays, steps, optimizer.learning_rate, rates, seed, optimizer._dropout_seed)
        average: Average = self._sum(train, state)
        optimizer.restore(Snapshot(average.arrays, average.steps))
        return average.loss / average.n_rows, average.n_rows

    def _steps(
        self, optimizer: Optimizer, end: float, rates: NDArray[np.float64] | None
    ) -> tuple[float, int]:
        order = list(self._sizes)
        if optimizer.shuffle and self.n_steps > 1:
            order = [order[i] for i in optimizer._rng.permutation(len(order))]
        summed, n_rows = 0.0, 0
        for step, batch in enumerate(self._batches(order)):
            sums = self._gradient(optimizer.network.parameters, batch)
            loss, of_loss = 0.0, sums.gradient  # of rows without a weight, as in a local step
            if sums.weight > 0.0:
                loss, of_loss = mean_and_penalty(optimizer.network, sums, optimizer.alpha)
            rate = optimizer.learning_rate
            if rates is not None:
                rate = float(rates[min(step, len(rates) - 1)])
            optimizer._update_from(of_loss, rate)
            summed, n_rows = summed + loss * sums.n_rows, n_rows + sums.n_rows
            if time.monotonic() >= end:
                break
        return summed / n_rows, n_rows

    def _batches(self, order: list[int]) -> list[list[int]]:
        """Divide groups into mini-batches."""
        if self._batch_size is None:
            return [order]
        batches: list[list[int]] = [[]]
        n_rows = 0
        for index in order:
            if n_rows >= self._batch_size:
                batches.append([])
                n_rows = 0
            batches[-1].append(index)
            n_rows += self._sizes[index]
        return batches

    def gradient_sums(self, optimizer: Optimizer, parameters: NDArray[Any]) -> GradientSums:
        return self._gradient(parameters, None)

    def _gradient(self, parameters: NDArray[Any], chosen: Sequence[int] | None) -> GradientSums:
        sums: GradientSums = self._sum(gradient, State([parameters.copy()]), chosen)
        return sums

    def loss(self, optimizer: Optimizer) -> float:
        sums = evaluated(
            self._cluster, self._groups, self._plan, optimizer.network.parameters, "train"
        )
        network = optimizer.network
        return float(sums.loss / sums.weight + network.penalty(optimizer.alpha / sums.weight))

    def _sum(
        self, function: Callable[..., Any], state: State, chosen: Sequence[int] | None = None
    ) -> Any:
        key = f"dnncore-state-{uuid4().hex}"
        return self._groups.sum(
            self._cluster,
            lambda index, node: (partial(function, index), self._plan, key, node),
            {key: Value(state)},
            chosen or list(self._sizes),
        )


def evaluated(
    cluster: Cluster, groups: Groups, plan: Any, parameters: NDArray[Any], which: str
) -> Any:
    """Return the sums of losses and scores over the rows 'train' or 'held_out' of all groups."""
    key = f"dnncore-state-{uuid4().hex}"
    state = Value(State([parameters.copy()]))
    return groups.sum(
        cluster, lambda index, node: (partial(evaluate, which), plan, key, node), {key: state}
    )


def validation_of(
    cluster: Cluster, groups: Groups, plan: Any, score: Any, network: Any
) -> Callable[[], Validation]:
    """Return the function that evaluates the held-out rows of groups."""

    def validate() -> Validation:
        sums = evaluated(cluster, groups, plan, network.parameters, "held_out")
        loss = float(sums.loss / sums.weight)
        if not np.isfinite(loss):
            return Validation(-np.inf, np.inf)
        return Validation(score.of(sums.score), loss)

    return validate
