"""A fit that is not finished, which a checkpoint keeps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .._training.fit_state import FitState

ROWS = "rows"
# What the members of an ensemble depend on, in the order in which it is compared. The rows are the
# last, since some of the parameters change their weights or their encoding.
CONDITIONS = (
    "n_members", "hidden_layer_sizes", "activation", "n_bins", "embedding_size", "max_categories",
    "class_weight", "learning_rate_init", "weight_decay", "dropout", "max_grad_norm", "batch_size",
    "max_iter", ROWS,
)  # fmt: skip


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


@dataclass(frozen=True)
class UnfinishedEnsemble:
    """What a tabular estimator needs to complete a fit, beside its networks.

    Attributes
    ----------
    ends : tuple of (str or None)
        How the training of each member ended; None for a member that is not finished. The networks
        of the estimator are those of the finished members.
    random : dict
        State of the NumPy RandomState from which the fit has begun.
    conditions : mapping of str to str
        What the members depend on, by the names in `CONDITIONS`: the values of parameters as text
        ('None' for one that the estimator does not have), and a hash of the ``rows``.
    """

    ends: tuple[str | None, ...]
    random: dict[str, Any]
    conditions: Mapping[str, str]

    @property
    def n_finished(self) -> int:
        """Number of finished members."""
        return sum(end is not None for end in self.ends)


class OtherRowsError(ValueError):
    """A fit is to be completed on other rows than it was begun with."""
