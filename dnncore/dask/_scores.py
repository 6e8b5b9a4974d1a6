"""Losses and scores on validation rows, from sums over their parts."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import accuracy_score

from .._core.moments import Moments
from .._estimators.numeric import NumberTargets
from .._estimators.targets import Targets
from .._network.back_propagation import apply_output


@dataclass(frozen=True)
class ScoreSums:
    """Sums over rows.

    Attributes
    ----------
    loss : float
        Sum of the weighted losses.
    weight : float
        Sum of their weights.
    score : object
        Sums of a :class:`Score`; they can be added.
    """

    loss: float
    weight: float
    score: Any

    def __add__(self, other: ScoreSums) -> ScoreSums:
        return ScoreSums(
            self.loss + other.loss, self.weight + other.weight, self.score + other.score
        )


class Score(ABC):
    """A score that is a function of sums over the rows."""

    @abstractmethod
    def sums(self, logits: NDArray[Any], encoded: NDArray[Any], weight: NDArray[Any] | None) -> Any:
        """Return the sums over some rows.

        Parameters
        ----------
        logits : array of shape (n, n_outputs)
            Logits.
        encoded : array
            Targets, as `Targets.encode` returns them.
        weight : array of shape (n,) or None
            Sample weights.
        """

    @abstractmethod
    def of_predictions(self, y: Any, predictions: NDArray[Any], weight: NDArray[Any] | None) -> Any:
        """Return the sums over some rows, given targets and predictions in the units of y."""

    @abstractmethod
    def of(self, sums: Any) -> float:
        """Return the score, given the sums over all rows."""


def score_of(targets: Targets, output: str) -> Score:
    """Return the score that the local estimator computes."""
    if not isinstance(targets, NumberTargets):
        return Accuracy(targets)
    return D2(targets) if output == "sorted" else R2(output)


class Accuracy(Score):
    """Fraction of rows with the right class."""

    def __init__(self, targets: Targets) -> None:
        self._targets = targets

    def sums(
        self, logits: NDArray[Any], encoded: NDArray[Any], weight: NDArray[Any] | None
    ) -> NDArray[np.float64]:
        return self._sums(lambda: self._targets.score(logits, encoded, weight), len(logits), weight)

    def of_predictions(
        self, y: Any, predictions: NDArray[Any], weight: NDArray[Any] | None
    ) -> NDArray[np.float64]:
        return self._sums(
            lambda: accuracy_score(y, predictions, sample_weight=weight), len(predictions), weight
        )

    def _sums(
        self, score: Callable[[], float], n: int, weight: NDArray[Any] | None
    ) -> NDArray[np.float64]:
        total = float(n if weight is None else weight.sum(dtype=np.float64))
        return np.array([total * score(), total]) if total > 0.0 else np.zeros(2)

    def of(self, sums: Any) -> float:
        _require_weight(sums[1])
        return float(sums[0] / sums[1])


@dataclass(frozen=True)
class R2Sums:
    """Moments of targets, and sums of squared residuals."""

    moments: Moments
    residual: NDArray[np.float64]

    def __add__(self, other: R2Sums) -> R2Sums:
        return R2Sums(self.moments.merged(other.moments), self.residual + other.residual)


class R2(Score):
    """R2, averaged over the outputs."""

    def __init__(self, output: str) -> None:
        self._output = output

    def sums(
        self, logits: NDArray[Any], encoded: NDArray[Any], weight: NDArray[Any] | None
    ) -> R2Sums:
        return self.of_predictions(encoded, apply_output(self._output, logits.copy()), weight)

    def of_predictions(
        self, y: Any, predictions: NDArray[Any], weight: NDArray[Any] | None
    ) -> R2Sums:
        target, outputs = _targets_and_outputs(y, predictions)
        moments = Moments.empty(target.shape[1])
        moments.update(target, weight)
        with np.errstate(over="ignore", invalid="ignore"):
            squares = np.square(outputs - target)
        if weight is not None:
            squares *= weight[:, None]
        return R2Sums(moments, squares.sum(axis=0))

    def of(self, sums: Any) -> float:
        _require_weight(sums.moments.count)
        total = sums.moments.variance * sums.moments.count
        scores = np.where(sums.residual == 0.0, 1.0, 0.0)  # of a constant target
        varies = total > 0.0
        scores[varies] = 1.0 - sums.residual[varies] / total[varies]
        return float(scores.mean())


@dataclass(frozen=True)
class Rows:
    """Targets, outputs and weights of all rows: quantiles are no sums."""

    y: NDArray[Any]
    outputs: NDArray[Any]
    weight: NDArray[Any] | None

    def __add__(self, other: Rows) -> Rows:
        weights = (self.weight, other.weight)
        return Rows(
            np.concatenate([self.y, other.y]),
            np.concatenate([self.outputs, other.outputs]),
            None if weights[0] is None else np.concatenate(weights),  # type: ignore[arg-type]
        )


class D2(Score):
    """D2 of quantiles, for which the validation rows' targets and outputs come to one place."""

    def __init__(self, targets: NumberTargets) -> None:
        self._targets = targets

    def sums(
        self, logits: NDArray[Any], encoded: NDArray[Any], weight: NDArray[Any] | None
    ) -> Rows:
        return Rows(encoded[:, 0], apply_output("sorted", logits.copy()), weight)

    def of_predictions(
        self, y: Any, predictions: NDArray[Any], weight: NDArray[Any] | None
    ) -> Rows:
        outputs = _columns(predictions)
        target, _ = _targets_and_outputs(y, outputs[:, :1])
        return Rows(target[:, 0], outputs, weight)

    def of(self, sums: Any) -> float:
        if sums.weight is not None:
            _require_weight(float(sums.weight.sum()))
        return self._targets.quantile_score(sums.y, sums.outputs, sums.weight)


def _require_weight(total: float) -> None:
    if not total > 0.0:
        raise ValueError("sample_weight must not be all zero")


def _targets_and_outputs(y: Any, outputs: Any) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return finite targets of the shape of the outputs, and these."""
    target, outputs = _columns(y), _columns(outputs)
    if target.shape != outputs.shape:
        raise ValueError(f"y must have {outputs.shape[1]} outputs, got shape {np.shape(y)}")
    if not np.isfinite(target).all():
        raise ValueError("y must be finite")
    return target, outputs


def _columns(x: Any) -> NDArray[np.float64]:
    """Return numbers as an array of shape (n, n_outputs)."""
    numbers = np.asarray(x, dtype=np.float64)
    return np.ascontiguousarray(numbers.reshape(len(numbers), -1))
