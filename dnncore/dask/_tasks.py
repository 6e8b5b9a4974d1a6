"""The tasks: pure functions of partitions and parameters, whose values are added in a tree."""

from __future__ import annotations

import sys
from copy import deepcopy
from dataclasses import dataclass, field, replace
from functools import reduce
from operator import add
from typing import Any, NamedTuple

import numpy as np
from dask.sizeof import sizeof
from numpy.typing import NDArray

from .._core.labels import Labels
from .._estimators.learning import RowsLearner
from .._estimators.rows import CheckedRows
from .._estimators.validation import may_overflow
from .._training.fit_state import Snapshot
from .._training.gradients import GradientSums, RowGradients, tree_sum
from ..network import Network
from ..training import Trainer
from ._cluster import Value, value_of
from ._reader import Draws, Group, Part, Reader
from ._scores import Score, ScoreSums
from ._tree import plus

# ------------------------------------------------------------------------------ first pass


@dataclass(frozen=True)
class Learned:
    """What the first pass has learned from partitions.

    Attributes
    ----------
    learner : RowsLearner or None
        Targets, dtype and number of columns; None without rows.
    owner : Estimator or None
        Estimator that has the columns of the first rows.
    sizes : tuple of int
        Number of rows of each partition.
    n_bytes : int
        Size of X, y and weights, as the network takes them.
    total : float
        Sum of the sample weights.
    n_weighted : int
        Number of rows that have a weight.
    first : Block or None
        The first partition with rows, without these, for errors.
    is_large : bool
        Whether there are numbers so large that a network may overflow, with norm=False.
    """

    learner: RowsLearner | None
    owner: Any
    sizes: tuple[int, ...]
    n_bytes: int
    total: float
    n_weighted: int = 0
    first: Any = None
    is_large: bool = False

    def __add__(self, other: Learned) -> Learned:
        learner, owner = self.learner, self.owner
        if learner is None or other.learner is None:
            learner, owner = (other.learner, other.owner) if learner is None else (learner, owner)
        else:
            learner = deepcopy(learner)
            with other.first.faults():
                require_same_names(owner, other.owner)
                learner.merge(other.learner)
        return Learned(
            learner, owner, self.sizes + other.sizes, self.n_bytes + other.n_bytes,
            self.total + other.total, self.n_weighted + other.n_weighted,
            self.first if self.learner is not None else other.first,
            self.is_large or other.is_large,
        )  # fmt: skip


def require_same_names(before: Any, other: Any) -> None:
    """Raise ValueError if partitions have different columns."""
    names: list[Any] = [getattr(owner, "feature_names_in_", None) for owner in (before, other)]
    if not np.array_equal(*names):
        lists = ["no names" if x is None else x.tolist() for x in names]
        raise ValueError(f"X must have the columns of the partitions before, {lists[0]}, got "
                         f"{lists[1]}")  # fmt: skip


def learn(reader: Any, empty: Any, parts: list[list[Any]]) -> Learned:
    """Learn from consecutive partitions, each with its index, X, y and weights."""
    return reduce(add, (_learn(value_of(reader), value_of(empty), *part) for part in parts))


def _learn(reader: Reader, empty: RowsLearner, index: Any, X: Any, y: Any, w: Any) -> Learned:
    read = reader.rows(value_of(index), X, y, w)
    if read is None:
        return measured(None)
    checked, owner = read
    learner = deepcopy(empty)
    learner.add([checked])
    assert checked.block is not None
    first = checked.block._replace(X=None, y=None, sample_weight=None)
    is_large = not owner.norm and may_overflow(checked.X)
    return replace(measured(checked), learner=learner, owner=owner, first=first, is_large=is_large)


def measure(reader: Any, parts: list[list[Any]]) -> Learned:
    """Return the sizes of consecutive partitions, as `learn` does, and nothing else."""
    read = (value_of(reader).rows(value_of(index), *part) for index, *part in parts)
    return reduce(add, (measured(rows if rows is None else rows[0]) for rows in read))


def measured(checked: CheckedRows | None) -> Learned:
    """Return the size of a partition; None stands for no rows."""
    if checked is None:
        return Learned(None, None, (0,), 0, 0.0)
    n, weight = checked.X.shape[0], checked.sample_weight
    n_bytes = _n_bytes(checked.X) + n * checked.X.dtype.itemsize
    total = float(n if weight is None else weight.sum(dtype=np.float64))
    n_weighted = n if weight is None else int(np.count_nonzero(weight))
    return Learned(None, None, (n,), n_bytes, total, n_weighted)


def _n_bytes(X: Any) -> int:
    arrays = [X] if isinstance(X, np.ndarray) else [X.data, X.indices, X.indptr]
    return sum(array.nbytes for array in arrays)


# ------------------------------------------------------------------------------ prepared rows


def prepare(preparation: Any, parts: list[list[Any]]) -> Group:
    """Return the prepared rows of consecutive partitions."""
    preparation = value_of(preparation)
    return preparation.group([preparation.part(value_of(index), *part) for index, *part in parts])  # type: ignore[no-any-return]


@dataclass(frozen=True)
class Weighed:
    """Numbers and weights of the rows of groups, and what was learned from those for training.

    Attributes
    ----------
    learned : RowsLearner or None
    n_train, n_held_out : int
    weight, weight_held_out : float
        Sums of the weights in the loss.
    sizes : tuple of (int, int)
        Index of each group, and the number of its training rows.
    draws : Draws
    """

    learned: RowsLearner | None
    n_train: int
    n_held_out: int
    weight: float
    weight_held_out: float
    sizes: tuple[tuple[int, int], ...]
    draws: Draws

    def __add__(self, other: Weighed) -> Weighed:
        learned = self.learned
        if learned is None or other.learned is None:
            learned = learned or other.learned
        else:
            learned = deepcopy(learned)
            learned.merge(other.learned)
        return Weighed(
            learned, self.n_train + other.n_train, self.n_held_out + other.n_held_out,
            self.weight + other.weight, self.weight_held_out + other.weight_held_out,
            self.sizes + other.sizes, self.draws + other.draws,
        )  # fmt: skip


def weigh(index: int, group: Any) -> Weighed:
    """Return the numbers, weights and moments of a group."""
    rows: Group = value_of(group)
    (n, weight), (n_held_out, weight_held_out) = (
        (0, 0.0) if part is None else (part.n_rows, part.total)
        for part in (rows.train, rows.held_out)
    )
    return Weighed(rows.learned, n, n_held_out, weight, weight_held_out, ((index, n),), rows.draws)


# ------------------------------------------------------------------------------ rounds


@dataclass(frozen=True)
class Plan:
    """What is the same in all rounds of a fit.

    Attributes
    ----------
    network : Network
        Network, of which the parameters are replaced.
    settings : dict
        Arguments of the trainer.
    score : Score
        Score on the validation set.
    """

    network: Network
    settings: dict[str, Any]
    score: Score
    loss_options: dict[str, Any] = field(default_factory=dict)

    def trainer(self, state: State, index: int) -> Trainer:
        """Return a trainer for a group of partitions."""
        seed = np.random.SeedSequence([state.seed, index])
        trainer = Trainer(deepcopy(self.network), seed=seed, **self.settings)
        if state.dropout_seed is not None:
            of_group = np.random.SeedSequence([state.dropout_seed, index])
            trainer._dropout_seed = int(of_group.generate_state(1, np.uint64)[0] >> np.uint64(1))
        if len(state.arrays) > 1 or state.steps:
            trainer.restore(Snapshot(state.arrays, state.steps))
        else:
            trainer.network.parameters[...] = state.arrays[0]
        trainer.learning_rate = state.rate
        return trainer


class State(NamedTuple):
    """What the tasks of a round depend on, apart from the rows.

    Attributes
    ----------
    arrays : list of arrays of shape (n_parameters,)
        The parameters and, for local epochs, the solver's state.
    steps : int
        Number of steps so far.
    rate : float
        Learning rate.
    rates : array or None
        Learning rate of each step.
    seed : int
        Seed of the round.
    dropout_seed : int or None
    """

    arrays: list[NDArray[Any]]
    steps: int = 0
    rate: float = 0.0
    rates: NDArray[np.float64] | None = None
    seed: int = 0
    dropout_seed: int | None = None

    @property
    def n_bytes(self) -> int:
        return sum(array.nbytes for array in self.arrays)


@dataclass(frozen=True)
class Average:
    """Weighted mean of parameters and solver's states, and sums of the losses.

    Attributes
    ----------
    arrays : list of arrays of shape (n_parameters,)
    weight : float
        Sum of the weights of the rows.
    loss : float
        Sum over the rows of the loss of their mini-batch.
    n_rows : int
        Number of rows.
    steps : int
        Largest number of steps so far.
    """

    arrays: list[NDArray[Any]]
    weight: float
    loss: float
    n_rows: int
    steps: int

    def __add__(self, other: Average) -> Average:
        weight = self.weight + other.weight
        share = other.weight / weight
        with np.errstate(over="ignore", invalid="ignore"):  # the loop finds it
            arrays = [
                _mean(mean, x, mean.dtype.type(share))
                for mean, x in zip(self.arrays, other.arrays, strict=True)
            ]
        return Average(
            arrays, weight, self.loss + other.loss, self.n_rows + other.n_rows,
            max(self.steps, other.steps),
        )  # fmt: skip


def _mean(mean: NDArray[Any], x: NDArray[Any], share: Any) -> NDArray[Any]:
    """Return ``mean + share * (x - mean)``, with memory for one array only."""
    found: NDArray[Any] = x - mean
    found *= share
    found += mean
    return found


def train(index: int, plan: Any, state: Any, group: Any) -> Average | None:
    """Train for one epoch on a group of partitions; None without a weighted row."""
    rows = value_of(group).train
    if rows is None or rows.total == 0.0:
        return None
    state = value_of(state)
    trainer = value_of(plan).trainer(state, index)
    loss, n_rows = trainer._train_epoch(rows.source(), np.inf, state.rates)
    arrays, steps = trainer.snapshot()
    return Average(arrays, rows.total, loss * n_rows, n_rows, steps)


def gradient(index: int, plan: Any, state: Any, group: Any) -> GradientSums | None:
    """Return the loss and gradient of a group of partitions, added in the tree of these."""
    rows: Group = value_of(group)
    if rows.train is None:
        return None
    state, part = value_of(state), rows.train
    trainer = value_of(plan).trainer(state, index)
    starts = [0, *rows.bounds[:-1]]

    def of_partition(i: int) -> GradientSums | None:
        if starts[i] == rows.bounds[i]:
            return None
        return _sums(trainer, part.take(slice(starts[i], rows.bounds[i])), state.arrays[0])

    sums: GradientSums | None = tree_sum(len(starts), of_partition, plus)
    return sums


def _sums(trainer: Trainer, part: Part, parameters: NDArray[Any]) -> GradientSums:
    labels = Labels.of(part.labels, part.weight, scaled=False)
    return RowGradients(trainer, part.X, labels)(parameters)


def held_out_of(group: Any) -> Group:
    """Return a group of the validation rows alone."""
    rows: Group = value_of(group)
    return replace(rows, train=None, learned=None)


def evaluate(which: str, plan: Any, state: Any, group: Any) -> ScoreSums | None:
    """Return the loss and the score of the training or validation rows of a group."""
    part: Part | None = getattr(value_of(group), which)
    if part is None:
        return None
    plan = value_of(plan)
    network = deepcopy(plan.network)
    network.parameters[...] = value_of(state).arrays[0]
    labels = Labels.of(part.labels, part.weight, scaled=False)
    logits = network.logits(part.X, n_threads=1, engine=plan.settings["engine"])
    score = plan.score.sums(logits, part.labels, part.sample_weight)
    loss = 0.0
    if labels.total > 0.0:
        loss = labels.total * network.mean_loss(logits, labels, **plan.loss_options)
    return ScoreSums(loss, labels.total, score)


# Dask writes the largest values of a worker to disk, and moves tasks to their largest arguments.
def size_with_attributes(value: Any) -> int:
    """Return the number of bytes of a value, which Dask takes to be that of its object alone."""
    return int(sys.getsizeof(value) + sum(map(sizeof, vars(value).values())))


sizeof.register((Value, Group, Draws, Average, GradientSums, ScoreSums), size_with_attributes)
