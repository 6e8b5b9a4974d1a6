"""The interface of targets: how an estimator learns them and encodes them for the trainer."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from .._core.moments import Moments


class Targets(ABC):
    """Encoding of targets after they have been learned.

    Attributes
    ----------
    min_score_rows : int
        Minimum number of rows for a score.
    min_auto_rows : int
        Minimum number of rows for a validation set that ``early_stopping='auto'`` splits off: a
        smaller one tells too little to give up training rows for it.
    smooths : bool
        Whether training targets are encoded otherwise than those of a validation set.
    """

    min_score_rows: ClassVar[int] = 1
    min_auto_rows: ClassVar[int] = 20
    smooths: bool = False

    @abstractmethod
    def check(self, name: str, y: Any) -> NDArray[Any]:
        """Check that targets have the form of those learned; `name` is their name in errors."""

    @abstractmethod
    def encode(
        self, y: NDArray[Any], dtype: np.dtype[Any], *, training: bool = False
    ) -> NDArray[Any]:
        """Encode checked targets of n rows for the trainer.

        The result contains class indices of shape (n,), or has shape (n, n_outputs). Training
        labels are smoothed.
        """

    @abstractmethod
    def read(
        self, y: Any, dtype: np.dtype[Any]
    ) -> tuple[NDArray[Any], NDArray[np.intp] | None] | None:
        """Encode training targets that are plain arrays of the form learned.

        Returns
        -------
        labels : array
            As `encode` returns them.
        indices : array of shape (n,) or None
            Class indices, if there is one label per row.

        None instead of both, if the targets need to be checked.
        """

    @abstractmethod
    def output(self) -> tuple[int, str]:
        """Return the number of outputs of the network, and its output activation."""

    @abstractmethod
    def strata(self, y: NDArray[Any]) -> NDArray[Any] | None:
        """Return the class indices for a stratified split, if there are any."""

    @abstractmethod
    def score(
        self, logits: NDArray[Any], encoded: NDArray[Any], weight: NDArray[Any] | None
    ) -> float:
        """Return the accuracy or R2 of logits of shape (n, n_outputs)."""


class TargetLearner(ABC):
    """Learner of targets from blocks of rows; rows in memory are a single block.

    `learn` is called with all rows. `finish` then determines the classes and the class weights,
    which `row_weight` uses. `add_totals` is called with the training rows and their final weights;
    without class weights, it may be called for each block after `learn`.

    Attributes
    ----------
    weighs : bool
        Whether there are class weights.
    moments : Moments or None
        Moments of the numbers that `learn` returns; None if they are not needed.
    """

    weighs: bool = False
    moments: Moments | None = None

    @abstractmethod
    def learn(self, y: Any) -> NDArray[Any]:
        """Learn the targets of a block.

        Returns
        -------
        array
            Checked targets: labels of the given type, a single column with shape (n,); or float64.
        """

    @abstractmethod
    def merge(self, other: Self) -> None:
        """Add what a learner of further rows has learned, before `finish` or after it."""

    @abstractmethod
    def finish(self) -> None:
        """End the pass over all rows; raise ValueError if required classes are absent."""

    @abstractmethod
    def for_part(self) -> Self:
        """Return a learner of the totals of a part of the rows, to be merged; after `finish`."""

    @abstractmethod
    def learnt(self) -> Any:
        """Return what has been learned so far: LearntLabels or LearntNumbers."""

    def row_weight(self, y: Any) -> NDArray[np.float64] | None:
        """Return the factors of the sample weights of rows, if there are any."""
        return None

    def add_totals(self, y: Any, weight: NDArray[Any] | None) -> None:  # noqa: B027
        """Add the weights of some training rows to the class totals."""
