"""A fit that is not finished, which a checkpoint keeps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .._training.fit_state import FitState


@dataclass(frozen=True)
class UnfinishedFit:
    """What an estimator needs to complete a fit.

    Attributes
    ----------
    state : FitState
        State of the training.
    split : dict or None
        State of the NumPy RandomState that has split off the validation set; None if it has not.
    partitions : str or None
        Fingerprint of the partitions of a Dask collection; None of other rows.
    """

    state: FitState
    split: dict[str, Any] | None = None
    partitions: str | None = None
