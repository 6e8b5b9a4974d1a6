"""Reading of partitions: their rows, checked as the local estimators check them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._core.checks import Matrix, is_sparse
from .._core.labels import Labels
from .._data.blocks import Block
from .._estimators.block_rows import checked_block
from .._estimators.interface import snapshot
from .._estimators.learning import RowsLearner
from .._estimators.rows import CheckedRows, LabelledRows, RowChecker, labelled
from .._estimators.targets import Targets
from .._estimators.validation import require_finite_outputs
from .._training.sources import ArraySource
from ..network import Network


@dataclass(frozen=True)
class Place:
    """Names the rows of a partition in errors."""

    index: int
    name: str

    def place(self, row: int) -> str:
        return f"row {row} of partition {self.index} of {self.name}"


@dataclass(frozen=True)
class Reader:
    """Reader of the partitions of a fit; it is sent to the workers.

    Attributes
    ----------
    owner : Estimator
        Local estimator with the parameters of the fit, for the checks of X.
    dtype : numpy.dtype or None
        Dtype of the network; None in the first pass, where every partition has its own.
    n_features : int or None
        Number of columns of X, likewise.
    name : str
        Name of X in errors.
    """

    owner: Any
    dtype: np.dtype[Any] | None = None
    n_features: int | None = None
    name: str = "X"

    def rows(self, index: int, X: Any, y: Any, weight: Any) -> tuple[CheckedRows, Any] | None:
        """Return checked rows, and the estimator that has their columns; None without rows."""
        shape = getattr(X, "shape", ())
        n = shape[0] if shape else 0
        block = Block(X, y, weight, n, 0, index, Place(index, self.name))
        with block.faults():
            if not shape:
                raise TypeError(
                    f"{self.name} must be an array, data frame or CSR matrix, got "
                    f"{type(X).__name__}"
                )
            if np.shape(y)[:1] != (n,):
                raise ValueError(f"y must have {n} rows, like X, got shape {np.shape(y)}")
        if n == 0:
            return None
        owner = snapshot(self.owner)
        checker = RowChecker(owner, self.dtype, owner.missing_values != "error", self.n_features)
        return checked_block(block, checker), owner


class Part(NamedTuple):
    """Encoded rows.

    Attributes
    ----------
    X : array or CSR matrix of shape (n, n_features)
    labels : array
        As in :class:`dnncore._estimators.rows.LabelledRows`.
    weight, sample_weight : arrays of shape (n,) or None
        Weights in the loss, and in scores.
    """

    X: Matrix
    labels: NDArray[Any]
    weight: NDArray[Any] | None
    sample_weight: NDArray[Any] | None

    @property
    def n_rows(self) -> int:
        return int(self.X.shape[0])

    @property
    def total(self) -> float:
        """Sum of the weights in the loss."""
        return float(self.n_rows if self.weight is None else self.weight.sum(dtype=np.float64))

    def take(self, rows: NDArray[np.intp] | slice) -> Part:
        arrays = (self.labels, self.weight, self.sample_weight)
        return Part(self.X[rows], *(None if x is None else x[rows] for x in arrays))  # type: ignore[arg-type]

    def source(self) -> ArraySource:
        return ArraySource(self.X, Labels.of(self.labels, self.weight, scaled=False))

    @classmethod
    def joined(cls, parts: list[Part]) -> Part | None:
        """Return the rows of several parts; None of none."""
        if len(parts) < 2:
            return parts[0] if parts else None
        X = [part.X for part in parts]
        if any(map(is_sparse, X)):
            from scipy.sparse import csr_matrix, vstack

            rows = vstack([csr_matrix(x) for x in X], format="csr")
        else:
            rows = np.concatenate(X)
        others = zip(*(part[1:] for part in parts), strict=True)
        return cls(rows, *(None if x[0] is None else np.concatenate(x) for x in others))  # type: ignore[arg-type]


@dataclass(frozen=True)
class Draws:
    """Random numbers of the rows with a weight, by which validation rows are chosen.

    Attributes
    ----------
    lowest : array
        The lowest ones of rows that may be held out, of each partition as many as a score needs.
    highest : array of shape (n_classes,)
        The highest one of each class, or in the first place that of all rows if there are no
        classes; -1 without any.
    """

    lowest: NDArray[np.float64]
    highest: NDArray[np.float64]

    def __add__(self, other: Draws) -> Draws:
        return Draws(
            np.concatenate([self.lowest, other.lowest]), np.maximum(self.highest, other.highest)
        )


@dataclass(frozen=True)
class Group:
    """The prepared rows of consecutive partitions.

    Attributes
    ----------
    train : Part or None
        Training rows.
    held_out : Part or None
        Validation rows that are split off.
    bounds : tuple of int
        Number of training rows up to the end of each partition, from the first of the group to
        the last.
    learned : RowsLearner or None
        Moments and class totals of the training rows.
    draws : Draws
    """

    train: Part | None
    held_out: Part | None
    bounds: tuple[int, ...]
    learned: RowsLearner | None
    draws: Draws


@dataclass(frozen=True)
class Preparation:
    """How partitions become encoded rows; it is sent to the workers.

    Attributes
    ----------
    reader : Reader
        Reader of the partitions.
    targets : Targets
        Encoding of the targets.
    learner : RowsLearner or None
        Learner that has read all rows, with the class weights; None if these do not matter.
    split : (int, float) or None
        Seed of the choice of validation rows, and their fraction: the rows with a random number
        below it. None: there are none.
    spared : array of shape (n_classes,) or None
        Random number of the row of each class that is not split off, as in :class:`Draws`.
    validates : bool
        Whether all rows are those of a validation set.
    network : Network or None
        New network, of which the outputs for the rows must be finite; None if they are.
    """

    reader: Reader
    targets: Targets
    learner: RowsLearner | None
    split: tuple[int, float] | None = None
    spared: NDArray[np.float64] | None = None
    validates: bool = False
    network: Network | None = None

    def part(self, index: int, X: Any, y: Any, weight: Any) -> PreparedPart | None:
        """Return the rows of a partition, encoded and divided; None without rows."""
        read = self.reader.rows(index, X, y, weight)
        if read is None:
            return None
        checked, owner = read
        with checked.faults():
            if self.network is not None:
                require_finite_outputs(self.network, checked.X, vars(owner))
            checked = replace(checked, y=self.targets.check("y", checked.y))
        learner = self.learner
        rows = labelled(checked, self.targets, None if learner is None else learner.targets)
        held_out, draws = self._held_out(index, rows)
        train, kept = ~held_out, None
        learned = None if learner is None else learner.for_part()
        if train.any():
            kept = _taken(rows, train)
            if learned is not None:
                learned.learn_weighted([kept])
        own = _taken(rows, held_out).for_validation(self.targets) if held_out.any() else None
        return PreparedPart(_part(kept), _part(own), learned, draws)

    def _held_out(self, index: int, rows: LabelledRows) -> tuple[NDArray[np.bool_], Draws]:
        """Choose validation rows among those with a weight: the same whenever it is called.

        Returns which rows they are, and the random numbers by which they are chosen.
        """
        if self.split is None:
            return np.full(rows.n_rows, self.validates), self._no_draws()
        seed, fraction = self.split
        draws = np.random.default_rng([seed, index]).random(rows.n_rows)
        strata = self.targets.strata(rows.y)
        if strata is None:
            strata = np.zeros(rows.n_rows, np.intp)
        weight = rows.sample_weight
        may_be_chosen = np.ones(rows.n_rows, bool) if weight is None else weight > 0.0
        highest = self._no_draws().highest
        np.maximum.at(highest, strata[may_be_chosen], draws[may_be_chosen])
        if self.spared is not None:
            may_be_chosen &= draws < self.spared[strata]
        found = Draws(self._lowest(draws[may_be_chosen]), highest)
        return may_be_chosen & (draws < fraction), found

    def _no_draws(self) -> Draws:
        n_classes, _ = self.targets.output()
        return Draws(np.zeros(0), np.full(n_classes, -1.0))

    def _lowest(self, draws: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the lowest numbers, as many as a score needs rows."""
        n = self.targets.min_score_rows
        return np.partition(draws, n)[:n] if len(draws) > n else draws

    def group(self, parts: list[PreparedPart | None]) -> Group:
        """Join the rows of consecutive partitions."""
        present = [part for part in parts if part is not None]
        sizes = [0 if part is None or part.train is None else part.train.n_rows for part in parts]
        learned = None
        for part in present:
            if learned is None:
                learned = part.learned
            elif part.learned is not None:
                learned.merge(part.learned)
        return Group(
            Part.joined([part.train for part in present if part.train is not None]),
            Part.joined([part.held_out for part in present if part.held_out is not None]),
            tuple(np.cumsum(sizes).tolist()),
            learned,
            sum((part.draws for part in present), self._no_draws()),
        )


class PreparedPart(NamedTuple):
    """Encoded rows of a partition, and what was learned from those for training."""

    train: Part | None
    held_out: Part | None
    learned: RowsLearner | None
    draws: Draws


def _taken(rows: LabelledRows, chosen: NDArray[np.bool_]) -> LabelledRows:
    """Select rows; unlike in `LabelledRows.take`, their weights may all be zero."""
    if chosen.all():
        return rows
    weight, sample_weight = (
        None if w is None else w[chosen] for w in (rows.weight, rows.sample_weight)
    )
    return LabelledRows(rows.X[chosen], rows.y[chosen], rows.labels[chosen], weight, sample_weight)


def _part(rows: LabelledRows | None) -> Part | None:
    return None if rows is None else Part(rows.X, rows.labels, rows.weight, rows.sample_weight)
