"""Checkpoints: model files written during training, from which a killed fit goes on."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

from ._core import checks as check

__all__ = ["Checkpoint"]


@dataclass(frozen=True)
class Checkpoint:
    """Where and how often a fit writes a model file from which it can go on.

    It is the parameter `checkpoint` of :class:`dnncore.DNNClassifier`,
    :class:`dnncore.DNNRegressor`, :class:`dnncore.tabular.TabularClassifier` and
    :class:`dnncore.tabular.TabularRegressor`. The file is written after an epoch, as
    :meth:`dnncore.DNNClassifier.save` with ``solver_state=True`` does, with the state of the fit in
    addition; of an ensemble, after a member is finished, with all members that are. A file that
    cannot be written is a warning; training goes on.

    To go on, load the file and call `fit` or `fit_blocks` with ``warm_start=True`` and the same
    rows. The fit is then completed: `max_iter` counts all its epochs, or the missing members are
    trained, and the model has the same bits as if training had not been interrupted.

    Parameters
    ----------
    path : str or path-like
        File to write.
    seconds : float, default=60.0
        Least time between two files, and before the first one; 0 for a file after every epoch, or
        after every member.

    Examples
    --------
    >>> from dnncore import DNNClassifier
    >>> from dnncore.checkpoints import Checkpoint
    >>> model = DNNClassifier(checkpoint=Checkpoint("model.safetensors", seconds=60))
    """

    path: str | os.PathLike[str]
    seconds: float = 60.0

    def __post_init__(self) -> None:
        if not isinstance(self.path, str | os.PathLike):
            raise TypeError(f"path must be a str or path-like, got {self.path!r}")
        check.number("seconds", self.seconds, low=0.0, may_be_infinite=True)

    def write(self, model: Any) -> None:
        """Write a model; a class of its own may store more in the file."""
        model.save(self.path, solver_state=True)
