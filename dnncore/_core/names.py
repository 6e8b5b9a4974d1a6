"""The names of activations, outputs, losses and engines.

Except for the engines, ``engine.pyx`` maps each name to its code in the C layer.
"""

from __future__ import annotations

from math import inf
from typing import Any

from .checks import choice, number, quantile_levels

ACTIVATIONS = ("identity", "logistic", "tanh", "relu", "selu", "silu", "gelu", "mish")
# Activations whose derivative is not a function of their output.
NOT_OF_OUTPUT = ("silu", "gelu", "mish")
OUTPUTS = ("softmax", "logistic", "identity", "exp", "sorted")
# Outputs that are numbers rather than probabilities.
REGRESSION_OUTPUTS = ("identity", "exp", "sorted")
# The losses available for each output; the first is the default.
LOSSES = {
    "softmax": ("cross_entropy",),
    "logistic": ("binary_cross_entropy",),
    "identity": ("squared_error", "huber", "absolute_error"),
    "exp": ("poisson",),
    "sorted": ("quantile",),
}
# The output of each loss of a regression.
REGRESSION_LOSSES = {loss: output for output in REGRESSION_OUTPUTS for loss in LOSSES[output]}
# The interval of the targets of an output, if they cannot be any numbers.
TARGET_INTERVALS = {"logistic": (0.0, 1.0), "exp": (0.0, inf)}
ENGINES = ("auto", "builtin", "blas")


def check_loss(loss: str | None, output: str) -> str:
    """Return `loss`, checked to be available for `output`, or the default if it is None."""
    return LOSSES[output][0] if loss is None else choice("loss", loss, LOSSES[output])


def loss_parameters(loss: str, n_outputs: int, huber_delta: Any, quantiles: Any) -> list[float]:
    """Return the parameters of a loss as the C layer takes them.

    Raises
    ------
    TypeError, ValueError
        If a parameter is invalid, even if this loss does not use it, or if there is not a quantile
        for each output.
    """
    delta = number("huber_delta", huber_delta, low=0.0, low_open=True)
    levels = None if quantiles is None else quantile_levels("quantiles", quantiles)
    if loss == "quantile":
        if levels is None or len(levels) != n_outputs:
            raise ValueError(
                f"quantiles must be {n_outputs} numbers for {n_outputs} outputs with "
                f"loss='quantile', got {quantiles!r}"
            )
        return list(levels)
    return [delta] if loss == "huber" else []
