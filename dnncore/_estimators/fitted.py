"""The fitted attributes of an estimator that its network and its history provide."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._training.history import History
from ..network import Network


class FittedAttributes:
    """The fitted attributes of scikit-learn's multilayer perceptrons.

    Attributes
    ----------
    network_ : Network
        The trained network.
    history_ : History
        The history of its training.
    stop_reason_ : str
        How the last `fit` ended, as :meth:`dnncore.training.Trainer.fit` returns it, or
        'interrupted'; there is none after `partial_fit`, nor in a file.
    """

    network_: Network
    history_: History
    stop_reason_: str
    early_stopping: bool | str

    @property
    def coefs_(self) -> list[NDArray[Any]]:
        return self.network_.coefs_

    @property
    def intercepts_(self) -> list[NDArray[Any]]:
        return self.network_.intercepts_

    @property
    def loss_curve_(self) -> list[float]:
        return self.history_.loss_curve

    @property
    def loss_(self) -> float:
        # A fit that diverged in its first epoch has none.
        return self.history_.loss_curve[-1] if self.history_.loss_curve else np.nan

    @property
    def best_loss_(self) -> float | None:
        # As in scikit-learn, whose early_stopping is True or False.
        by_score = self.early_stopping and self.early_stopping != "auto"
        return None if by_score else self.history_.best_loss

    @property
    def validation_scores_(self) -> list[float] | None:
        return self.history_.validation_scores or None

    @property
    def validation_losses_(self) -> list[float] | None:
        return self.history_.validation_losses or None

    @property
    def best_validation_score_(self) -> float | None:
        history = self.history_
        return history.best_validation_score if history.validation_scores else None

    @property
    def n_iter_(self) -> int:
        return self.history_.n_iter

    @property
    def t_(self) -> int:
        return self.history_.t

    @property
    def n_layers_(self) -> int:
        return len(self.network_.layer_sizes)

    @property
    def n_outputs_(self) -> int:
        return self.network_.layer_sizes[-1]

    @property
    def out_activation_(self) -> str:
        from sklearn.utils.validation import check_is_fitted

        check_is_fitted(self)
        return self.network_.output
