"""Targets, as an estimator sees them: what is learnt of them, and how the trainer takes them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from .._core.moments import Moments


class Targets(ABC):
    """Targets of which all has been learnt.

    Attributes
    ----------
    min_score_rows : int
        Rows that a score needs at least.
    """

    min_score_rows: ClassVar[int] = 1

    @abstractmethod
    def encode(
        self, name: str, y: Any, dtype: np.dtype[Any], *, training: bool = False
    ) -> NDArray[Any]:
        """Targets of n rows as the trainer takes them: class indices (n,), or (n, n_outputs).

        `name` is that of y in errors; labels to train on are smoothed.
        """

    @abstractmethod
    def output(self) -> tuple[int, str]:
        """Number of outputs of the network, and which output it has."""

    @abstractmethod
    def strata(self, y: NDArray[Any]) -> NDArray[Any] | None:
        """Labels by which rows are divided evenly, if there are any."""

    @abstractmethod
    def score(
        self, logits: NDArray[Any], encoded: NDArray[Any], weight: NDArray[Any] | None
    ) -> float:
        """Accuracy or R2 of logits (n, n_outputs)."""


class TargetLearner(ABC):
    """Learns targets from rows that come in blocks; rows in memory are one block.

    `learn` takes in all rows. `finish` then settles what classes and numbers there are, and with
    them `row_weight`, the class weights. `add_totals` takes in the rows to train on, with the
    weights that they have in the end; without class weights it may be called block by block after
    `learn`.

    Attributes
    ----------
    weighs : bool
        Whether there are class weights.
    moments : Moments or None
        Of the numbers that `learn` returns, if they are wanted.
    """

    weighs: bool = False
    moments: Moments | None = None

    @abstractmethod
    def learn(self, y: Any) -> NDArray[Any]:
        """Take in the targets of a block.

        Returns
        -------
        array
            The same, checked: labels as they came, a single column as (n,); or float64.
        """

    @abstractmethod
    def finish(self) -> None:
        """To be called when all rows have been taken in; raises ValueError if it is not all that
        there must be."""

    @abstractmethod
    def learnt(self) -> Any:
        """What has been learnt so far: LearntLabels or LearntNumbers."""

    def row_weight(self, y: Any) -> NDArray[np.float64] | None:
        """What the sample weights of rows are to be multiplied by, if by anything."""
        return None

    def add_totals(self, y: Any, weight: NDArray[Any] | None) -> None:  # noqa: B027
        """Take in the weights of the classes in some rows to train on."""
