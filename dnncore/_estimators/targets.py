"""Targets of a regression: what is learnt of them when they come in blocks."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import check_array

from .._core.moments import Moments
from .survey import Survey


class TargetSurvey(Survey):
    """What is learnt of targets: their shape, mean and scale.

    Attributes
    ----------
    ndim : int
        1, or 2 if there are several outputs.
    """

    def __init__(self) -> None:
        self.ndim: int | None = None

    def add(self, y: Any, weight: NDArray[Any] | None) -> NDArray[np.float64]:
        columns = check_targets(y)
        ndim, n_outputs = columns.ndim, columns.shape[1] if columns.ndim == 2 else 1
        if self.moments is None:
            self.ndim, self.moments = ndim, Moments.empty(n_outputs)
        elif (ndim, n_outputs) != (self.ndim, len(self.moments.mean)):
            raise ValueError(
                f"y must have {len(self.moments.mean)} outputs as before, got shape {np.shape(y)}"
            )
        return columns.reshape(len(columns), -1)


def check_targets(y: Any) -> NDArray[np.float64]:
    """y as float64, a single column as (n_samples,)."""
    y = check_array(y, ensure_2d=False, dtype=np.float64, input_name="y")
    return y.ravel() if y.ndim == 2 and y.shape[1] == 1 else y  # type: ignore[no-any-return]
