"""The settings of a fit: stopping criteria and callbacks, and factors of single layers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from .._core import checks as check
from .fit_state import FitState
from .history import EpochInfo, Validation


@dataclass(frozen=True)
class StopSettings:
    """The checked settings of one fit; see :meth:`dnncore.training.Trainer.fit`."""

    max_iter: int = 200
    tol: float = 1e-4
    n_iter_no_change: float = 10
    validate: Callable[[], Validation] | None = None
    early_stopping: bool | str = False
    max_time: float | None = None
    callback: Callable[[EpochInfo], object] | None = None
    # Not part of Trainer.fit: which of several epochs with the lowest validation loss
    # early_stopping='loss' keeps; the state that the fit goes on from; and a function that gets
    # the state after each epoch that is not the last.
    keep_last_best: bool = False
    resumed: FitState | None = None
    checkpoint: Callable[[FitState], object] | None = None

    def __post_init__(self) -> None:
        if self.early_stopping and self.validate is None:
            raise ValueError("early_stopping needs validate")
        if isinstance(self.early_stopping, str):
            check.choice("early_stopping", self.early_stopping, ("loss",))
        checked = {
            "max_iter": check.integer("max_iter", self.max_iter, low=1),
            "n_iter_no_change": check_patience(self.n_iter_no_change),
            "tol": check.number("tol", self.tol, low=0.0, may_be_infinite=True),
        }
        if self.max_time is not None:
            checked["max_time"] = check.number(
                "max_time", self.max_time, low=0.0, low_open=True, may_be_infinite=True
            )
        for name, value in checked.items():
            object.__setattr__(self, name, value)  # the dataclass is frozen


LayerFactors = tuple[float, float, float]  # of the rate of weights, of biases, of weight decay


def check_layer_factors(
    layer_factors: Sequence[Sequence[float]] | None, n_layers: int
) -> tuple[LayerFactors, ...] | None:
    """Check `layer_factors`; see :class:`dnncore.training.Trainer`."""
    if layer_factors is None:
        return None
    if len(layer_factors) != n_layers or any(len(factors) != 3 for factors in layer_factors):
        raise ValueError(
            f"layer_factors must be 3 numbers for each of {n_layers} layers, got {layer_factors!r}"
        )
    checked = (
        tuple(check.number("layer_factors", x, low=0.0) for x in factors)
        for factors in layer_factors
    )
    return tuple(checked)  # type: ignore[arg-type]


def check_patience(n_iter_no_change: object) -> float:
    """Check `n_iter_no_change`, which may be infinite."""
    if isinstance(n_iter_no_change, float) and n_iter_no_change == np.inf:
        return np.inf
    return check.integer("n_iter_no_change", n_iter_no_change, low=1)
