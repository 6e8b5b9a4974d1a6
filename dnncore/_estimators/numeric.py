"""Targets of a regression: one or more numbers per row."""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.metrics import d2_pinball_score, r2_score
from sklearn.utils.validation import check_array, column_or_1d

from .._core.checks import in_range_of_floats
from .._core.moments import Moments
from .._network.back_propagation import apply_output
from .learnt import LearntNumbers
from .plain import are_plain_numbers
from .targets import TargetLearner, Targets


class NumberTargets(Targets):
    """Encoding of numeric targets of known shape, mean and scale.

    Parameters
    ----------
    learnt : LearntNumbers
        What has been learned about the targets.
    quantiles : sequence of n_outputs floats
        Levels of the outputs, if these are quantiles.
    """

    min_score_rows: ClassVar[int] = 2  # R2 requires a variance
    min_auto_rows: ClassVar[int] = 100  # few rows with large errors dominate the squared error

    def __init__(self, learnt: LearntNumbers, quantiles: Sequence[float] = ()) -> None:
        self._learnt, self._quantiles = learnt, quantiles

    def check(self, name: str, y: Any) -> NDArray[np.float64]:
        numbers = _as_float64(name, y, self._learnt.output)
        n_outputs = 1 if self._learnt.output == "sorted" else len(self._learnt.mean)
        if numbers.size != len(numbers) * n_outputs:
            raise ValueError(f"{name} must have {n_outputs} outputs, got shape {np.shape(y)}")
        return numbers

    def encode(
        self, y: NDArray[Any], dtype: np.dtype[Any], *, training: bool = False
    ) -> NDArray[Any]:
        columns = y.reshape(len(y), -1)
        mean, scale = self._learnt.mean, self._learnt.scale
        encoded = (
            columns / np.exp(mean) if self._learnt.output == "exp" else (columns - mean) / scale
        )
        return np.ascontiguousarray(encoded, dtype=dtype)

    def read(
        self, y: Any, dtype: np.dtype[Any]
    ) -> tuple[NDArray[Any], NDArray[np.intp] | None] | None:
        learnt = self._learnt
        if not are_plain_numbers(y) or (learnt.output == "exp" and y.min() < 0):
            return None
        form = (len(y),) if learnt.one_target else (len(y), len(learnt.mean))
        if y.shape != form:
            return None
        return self.encode(y.astype(np.float64, copy=False), dtype, training=True), None

    def output(self) -> tuple[int, str]:
        return len(self._learnt.mean), self._learnt.output

    def strata(self, y: NDArray[Any]) -> None:
        return None

    def score(
        self, logits: NDArray[Any], encoded: NDArray[Any], weight: NDArray[Any] | None
    ) -> float:
        outputs = apply_output(self._learnt.output, logits.copy())
        if self._learnt.output == "sorted":
            return self.quantile_score(encoded[:, 0], outputs, weight)
        with np.errstate(over="ignore"):  # an error that is infinite gives the worst score
            return float(r2_score(encoded, outputs, sample_weight=weight))

    def quantile_score(
        self, y: NDArray[Any], outputs: NDArray[Any], weight: ArrayLike | None
    ) -> float:
        """Return the D2 of outputs of shape (n, n_quantiles), averaged over the quantiles."""
        scores = [
            d2_pinball_score(y, column, sample_weight=weight, alpha=level)
            for column, level in zip(outputs.T, self._quantiles, strict=True)
        ]
        return float(np.mean(scores))

    def in_units_of_y(self, logits: NDArray[Any]) -> NDArray[Any]:
        """Convert logits of shape (n, n_outputs), in place, to predictions in the form of y."""
        predictions = self._learnt.predictions(logits)
        return predictions.ravel() if self._learnt.ndim == 1 else predictions


class NumberLearner(TargetLearner):
    """Learner of the shape, mean and scale of numeric targets.

    Parameters
    ----------
    known : LearntNumbers or None
        Targets of the previous training when training resumes: mean and scale stay the same.
    norm : bool
        Whether to compute mean and scale.
    output : str
        Output function of the network.
    n_quantiles : int
        Number of outputs, if these are quantiles of one target.
    """

    def __init__(
        self,
        known: LearntNumbers | None,
        norm: bool,
        output: str = "identity",
        n_quantiles: int = 1,
    ) -> None:
        self._learnt, self._norm = known, norm
        self._output = output if known is None else known.output
        self._n_quantiles = n_quantiles
        self._form: tuple[int, int] | None = None  # number of dimensions and of targets
        if self._output == "sorted":
            self._form = 1, 1
        elif known is not None:
            self._form = known.ndim, len(known.mean)

    def learn(self, y: Any) -> NDArray[np.float64]:
        columns = _as_float64("y", y, self._output)
        if columns.ndim == 2 and columns.shape[1] == 1:
            # Only an estimator of several targets takes a column without a warning.
            columns = column_or_1d(columns, warn=self._output == "sorted")
        form = columns.ndim, columns.shape[1] if columns.ndim == 2 else 1
        self._adopt_form(form, np.shape(y))
        if self._learnt is None and self._norm and self.moments is None:
            self.moments = Moments.empty(form[1])
        return columns

    def _adopt_form(self, form: tuple[int, int], shape: tuple[object, ...]) -> None:
        if self._form is None:
            self._form = form
        elif form != self._form:
            why = "with loss='quantile'" if self._output == "sorted" else "as before"
            raise ValueError(f"y must have {self._form[1]} outputs {why}, got shape {shape}")

    def merge(self, other: Self) -> None:
        if other._form is not None:
            ndim, n_targets = other._form
            self._adopt_form(other._form, ("n", n_targets)[:ndim])
        if other.moments is not None:
            before = self.moments
            self.moments = other.moments if before is None else before.merged(other.moments)

    def for_part(self) -> Self:
        part = copy(self)
        part.moments = None
        return part

    def finish(self) -> None:
        if self._learnt is not None:
            return
        assert self._form is not None  # there were rows
        ndim, n_outputs = self._form
        mean, scale = np.zeros(n_outputs), np.ones(n_outputs)
        if self.moments is not None:
            mean, variance = self.moments.mean, self.moments.variance
            if not np.isfinite(variance).all():
                raise ValueError(
                    "y must have a variance within the range of float64, got larger targets: "
                    "divide them by a constant"
                )
            if self._output == "exp":
                mean = np.log(np.where(mean > 0, mean, 1.0))
            else:
                scale = self.moments.scale(np.float64)
        if self._output == "sorted":
            ndim = 1 if self._n_quantiles == 1 else 2
            mean, scale = (np.repeat(x, self._n_quantiles) for x in (mean, scale))
        self._learnt = LearntNumbers(ndim, mean, scale, self._output)

    def learnt(self) -> LearntNumbers:
        assert self._learnt is not None  # finish has been called
        return self._learnt


def _as_float64(name: str, y: Any, output: str) -> NDArray[np.float64]:
    numbers = np.asarray(y, np.float64) if are_plain_numbers(y) else _converted(name, y)
    if output == "exp" and numbers.size and numbers.min() < 0:
        raise ValueError(f"{name} must not be negative with loss='poisson', got {numbers.min()}")
    return numbers


def _converted(name: str, y: Any) -> NDArray[np.float64]:
    dtype = np.asarray(y).dtype
    if dtype.kind in "Mm":  # NumPy would convert times to numbers of an arbitrary unit
        raise TypeError(f"{name} must be numbers, got {dtype}")
    try:
        with in_range_of_floats(name):
            return check_array(  # type: ignore[no-any-return]
                y, ensure_2d=False, dtype=np.float64, input_name=name
            )
    except TypeError as error:  # of an object that is no number
        raise TypeError(f"{name} must be numbers: {error}") from None
