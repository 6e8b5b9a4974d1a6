"""Targets of a regression: one or more numbers per row."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import r2_score
from sklearn.utils.validation import check_array

from .._core.moments import Moments
from .learnt import LearntNumbers
from .plain import are_plain_numbers
from .targets import TargetLearner, Targets


class NumberTargets(Targets):
    """Encoding of numeric targets of known shape, mean and scale."""

    min_score_rows: ClassVar[int] = 2  # R2 requires a variance
    min_auto_rows: ClassVar[int] = 100  # few rows with large errors dominate the squared error

    def __init__(self, learnt: LearntNumbers) -> None:
        self._learnt = learnt

    def check(self, name: str, y: Any) -> NDArray[np.float64]:
        numbers = _as_float64(name, y)
        n_outputs = len(self._learnt.mean)
        if numbers.size != len(numbers) * n_outputs:
            raise ValueError(f"{name} must have {n_outputs} outputs, got shape {np.shape(y)}")
        return numbers

    def encode(
        self, y: NDArray[Any], dtype: np.dtype[Any], *, training: bool = False
    ) -> NDArray[Any]:
        columns = y.reshape(len(y), -1)
        return np.ascontiguousarray((columns - self._learnt.mean) / self._learnt.scale, dtype=dtype)

    def read(
        self, y: Any, dtype: np.dtype[Any]
    ) -> tuple[NDArray[Any], NDArray[np.intp] | None] | None:
        n_outputs = len(self._learnt.mean)
        if not are_plain_numbers(y) or y.ndim != self._learnt.ndim or y.size != len(y) * n_outputs:
            return None
        return self.encode(y.astype(np.float64, copy=False), dtype, training=True), None

    def output(self) -> tuple[int, str]:
        return len(self._learnt.mean), "identity"

    def strata(self, y: NDArray[Any]) -> None:
        return None

    def score(
        self, logits: NDArray[Any], encoded: NDArray[Any], weight: NDArray[Any] | None
    ) -> float:
        return float(r2_score(encoded, logits, sample_weight=weight))

    def in_units_of_y(self, outputs: NDArray[Any]) -> NDArray[Any]:
        """Convert outputs of shape (n, n_outputs), in place, to predictions in the form of y."""
        outputs *= self._learnt.scale.astype(outputs.dtype)
        outputs += self._learnt.mean.astype(outputs.dtype)
        return outputs.ravel() if self._learnt.ndim == 1 else outputs


class NumberLearner(TargetLearner):
    """Learner of the shape, mean and scale of numeric targets.

    Parameters
    ----------
    known : LearntNumbers or None
        Targets of the previous training when training resumes: mean and scale stay the same.
    norm : bool
        Whether to compute mean and scale.
    """

    def __init__(self, known: LearntNumbers | None, norm: bool) -> None:
        self._learnt, self._norm = known, norm
        self._form: tuple[int, int] | None = None  # number of dimensions and of outputs
        if known is not None:
            self._form = known.ndim, len(known.mean)

    def learn(self, y: Any) -> NDArray[np.float64]:
        columns = _as_float64("y", y)
        if columns.ndim == 2 and columns.shape[1] == 1:
            columns = columns.ravel()
        form = columns.ndim, columns.shape[1] if columns.ndim == 2 else 1
        if self._form is None:
            self._form = form
            self.moments = Moments.empty(form[1]) if self._norm else None
        elif form != self._form:
            raise ValueError(
                f"y must have {self._form[1]} outputs as before, got shape {np.shape(y)}"
            )
        return columns

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
            scale = self.moments.scale(np.float64)
        self._learnt = LearntNumbers(ndim, mean, scale)

    def learnt(self) -> LearntNumbers:
        assert self._learnt is not None  # finish has been called
        return self._learnt


def _as_float64(name: str, y: Any) -> NDArray[np.float64]:
    if are_plain_numbers(y):
        return np.asarray(y, np.float64)
    dtype = np.asarray(y).dtype
    if dtype.kind in "Mm":  # NumPy would convert times to numbers of an arbitrary unit
        raise TypeError(f"{name} must be numbers, got {dtype}")
    try:
        numbers: NDArray[np.float64] = check_array(
            y, ensure_2d=False, dtype=np.float64, input_name=name
        )
    except TypeError as error:  # of an object that is no number
        raise TypeError(f"{name} must be numbers: {error}") from None
    return numbers
