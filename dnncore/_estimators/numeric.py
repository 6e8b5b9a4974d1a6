"""Targets of a regression: one or more numbers per row."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import r2_score
from sklearn.utils.validation import check_array

from .._core.moments import Moments
from .learnt import LearntNumbers
from .targets import TargetLearner, Targets


class NumberTargets(Targets):
    """Encoding of numeric targets of known shape, mean and scale."""

    min_score_rows: ClassVar[int] = 2  # R2 requires a variance

    def __init__(self, learnt: LearntNumbers) -> None:
        self._learnt = learnt

    def encode(
        self, name: str, y: Any, dtype: np.dtype[Any], *, training: bool = False
    ) -> NDArray[Any]:
        columns = check_array(y, ensure_2d=False, dtype=np.float64, input_name=name)
        columns = columns.reshape(len(columns), -1)
        mean, scale = self._learnt.mean, self._learnt.scale
        if columns.shape[1:] != mean.shape:
            raise ValueError(f"{name} must have {len(mean)} outputs, got shape {np.shape(y)}")
        return np.ascontiguousarray((columns - mean) / scale, dtype=dtype)

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
        self._known, self._norm = known, norm
        self._form: tuple[int, int] | None = None  # number of dimensions and of outputs
        if known is not None:
            self._form = known.ndim, len(known.mean)

    def learn(self, y: Any) -> NDArray[np.float64]:
        columns: NDArray[np.float64] = check_array(
            y, ensure_2d=False, dtype=np.float64, input_name="y"
        )
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
        pass

    def learnt(self) -> LearntNumbers:
        if self._known is not None:
            return self._known
        assert self._form is not None  # there were rows
        ndim, n_outputs = self._form
        if self.moments is None:
            return LearntNumbers(ndim, np.zeros(n_outputs), np.ones(n_outputs))
        return LearntNumbers(ndim, self.moments.mean, self.moments.scale(np.float64))
