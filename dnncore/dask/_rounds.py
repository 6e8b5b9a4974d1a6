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
from ._sizes import LEVELS, levels_of_a_task
from ._tasks import Average, State, evaluate, gradient, held_out_of, train
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

    def tree(
        self,
        name: str,
        task: Callable[[int, Any], tuple[Any, ...]],
        chosen: Sequence[int] | None = None,
        levels: int = LEVELS,
    ) -> tuple[Graph, Key]:
        """Return the tasks that add the values of a task on each group, and the key of the sum.

        Parameters
        ----------
        name : str
            Name of the task, for which the scheduler learns how long it takes.
        task : callable
            Function that returns the task of a group, given its index and its node.
        chosen : sequence of int, default=None
            Indices of the groups; all by default.
        levels : int
            Number of levels of the tree of sums in a task.
        """
        unique = uuid4().hex
        indices = self.nodes.keys() if chosen is None else chosen
        keys: dict[int, Key] = {i: (f"dnncore-{name}-{unique}", i) for i in indices}
        leaves: Graph = {key: task(i, self.nodes[i]) for i, key in keys.items()}
        graph, root = sum_graph(f"dnncore-add-{unique}", keys, self.n_partitions, levels)
        return merged(leaves, graph), root

    def sum(
        self,
        cluster: Cluster,
        name: str,
        task: Callable[[int, Any], tuple[Any, ...]],
        shared: Graph | None = None,
        chosen: Sequence[int] | None = None,
        levels: int = LEVELS,
    ) -> Any:
        """Run a task on each group, and return the sum of the values; None without any.

        `shared` are nodes that the tasks refer to; the other parameters are those of `tree`.
        """
        if not self.nodes:
            return None
        graph, root = self.tree(name, task, chosen, levels)
        return cluster.get(merged(self.graph, shared or {}, graph), [root])[0]

    def without_training_rows(self) -> Groups:
        """Return groups of the validation rows, which are small enough to be there for a round."""
        if not self.graph:  # kept with the others
            return self
        name = f"dnncore-held-out-{uuid4().hex}"
        graph: Graph = {(name, i): (held_out_of, node) for i, node in self.nodes.items()}
        return Groups(graph, {i: (name, i) for i in self.nodes}, self.n_partitions)


@dataclass(frozen=True)
class Latest:
    """What was computed last, and the parameters with which it was."""

    parameters: NDArray[Any] | None = None
    value: Any = None

    def at(self, parameters: NDArray[Any]) -> Any:
        """Return the value if the parameters are the same, otherwise None."""
        same = self.parameters is not None and np.array_equal(self.parameters, parameters)
        return self.value if same else None


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
    validates : bool
        Whether groups have validation rows. They are read together with the training rows: these
        are trained on and evaluated in one graph.
    """

    def __init__(
        self,
        cluster: Cluster,
        groups: Groups,
        sizes: Mapping[int, int],
        plan: Any,
        strategy: str,
        batch_size: int | None,
        validates: bool,
    ) -> None:
        self._cluster, self._groups, self._plan = cluster, groups, plan
        self._sizes = {index: n for index, n in sizes.items() if n > 0}
        self._strategy, self._batch_size = strategy, batch_size
        self._largest = max(self._sizes.values())
        self._validates = validates
        self._gradients = self._scores = Latest()

    def set_steps(self, optimizer: Optimizer) -> None:
        """Compute the number of steps of an epoch."""
        if self._strategy == AVERAGE:
            self.n_steps = optimizer._n_steps(self._largest)
        else:
            self.n_steps = len(self._batches(list(self._sizes)))
        self._takes_all_rows = self._strategy == EXACT and self.n_steps == 1

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
        average: Average = self._evaluated_sum(train, state)
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
            parameters = optimizer.network.parameters
            if self._takes_all_rows:
                sums = self._gradient(parameters)
            else:
                sums = self._sum(gradient, State([parameters.copy()]), batch)
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
        return self._gradient(parameters)

    def _gradient(self, parameters: NDArray[Any]) -> GradientSums:
        sums: GradientSums | None = self._gradients.at(parameters)
        if sums is None:
            state = State([parameters.copy()])
            sums = self._evaluated_sum(gradient, state)
            if self._validates:  # which asks for these parameters, once they are those of a step
                self._gradients = Latest(state.arrays[0], sums)
        return sums

    def loss(self, optimizer: Optimizer) -> float:
        sums = evaluated(
            self._cluster, self._groups, self._plan, optimizer.network.parameters, "train"
        )
        network = optimizer.network
        return float(sums.loss / sums.weight + network.penalty(optimizer.alpha / sums.weight))

    def validation(self, score: Any, network: Any) -> Callable[[], Validation]:
        """Return the function that evaluates the validation rows of the groups.

        An average is evaluated where it is made. A gradient is evaluated where it is taken, so
        that the step after the validation has its gradient already.
        """

        def sums() -> Any:
            parameters = network.parameters
            if self._scores.at(parameters) is None and self._takes_all_rows:
                self._gradient(parameters)
            found = self._scores.at(parameters)
            if found is None:
                found = evaluated(self._cluster, self._groups, self._plan, parameters, "held_out")
                self._scores = Latest(parameters.copy(), found)
            return found

        return validation_of(sums, score)

    def _task(self, function: Callable[..., Any], key: Key) -> Callable[[int, Any], Any]:
        return lambda index, node: (partial(function, index), self._plan, key, node)

    def _sum(self, function: Callable[..., Any], state: State, chosen: Sequence[int]) -> Any:
        key = f"dnncore-state-{uuid4().hex}"
        task, levels = self._task(function, key), levels_of_a_task(state.n_bytes)
        return self._groups.sum(
            self._cluster, function.__name__, task, {key: Value(state)}, chosen, levels
        )

    def _evaluated_sum(self, function: Callable[..., Any], state: State) -> Any:
        """Return the sum over all groups; evaluate their validation rows in the same graph.

        They are evaluated with the parameters of the sum if it is an average, else of the state.
        """
        chosen = list(self._sizes)
        if not self._validates:
            return self._sum(function, state, chosen)
        key: Key = f"dnncore-state-{uuid4().hex}"
        shared: Graph = {key: Value(state)}
        graph, root = self._groups.tree(
            function.__name__, self._task(function, key), chosen, levels_of_a_task(state.n_bytes)
        )
        groups, parameters = self._groups, key
        if function is train:
            groups, parameters = self._groups.without_training_rows(), root
        tasks, of_scores = groups.tree(
            "evaluate",
            lambda index, node: (partial(evaluate, "held_out"), self._plan, parameters, node),
        )
        whole = merged(self._groups.graph, groups.graph, shared, graph, tasks)
        found, scores = self._cluster.get(whole, [root, of_scores])
        at = found.arrays[0] if function is train else state.arrays[0]
        self._scores = Latest(at, scores)
        return found


def evaluated(
    cluster: Cluster, groups: Groups, plan: Any, parameters: NDArray[Any], which: str
) -> Any:
    """Return the sums of losses and scores over the rows 'train' or 'held_out' of all groups."""
    key = f"dnncore-state-{uuid4().hex}"
    state = Value(State([parameters.copy()]))
    return groups.sum(
        cluster,
        "evaluate",
        lambda index, node: (partial(evaluate, which), plan, key, node),
        {key: state},
    )


def validation_of(sums: Callable[[], Any], score: Any) -> Callable[[], Validation]:
    """Return the function that makes a loss and a score of sums over validation rows."""

    def validate() -> Validation:
        found = sums()
        loss = float(found.loss / found.weight)
        if not np.isfinite(loss):
            return Validation(-np.inf, np.inf)
        return Validation(score.of(found.score), loss)

    return validate
