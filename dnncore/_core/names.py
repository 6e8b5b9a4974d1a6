"""The names of activations, outputs, losses and engines.

Except for the engines, ``engine.pyx`` maps each name to its code in the C layer.
"""

from __future__ import annotations

from .checks import choice

ACTIVATIONS = ("identity", "logistic", "tanh", "relu", "selu", "silu", "gelu", "mish")
# Activations whose derivative is not a function of their output.
NOT_OF_OUTPUT = ("silu", "gelu", "mish")
OUTPUTS = ("softmax", "logistic", "identity")
# The losses available for each output; the first is the default.
LOSSES = {
    "softmax": ("cross_entropy",),
    "logistic": ("binary_cross_entropy",),
    "identity": ("squared_error", "huber"),
}
ENGINES = ("auto", "builtin", "blas")


def check_loss(loss: str | None, output: str) -> str:
    """Return `loss`, checked to be available for `output`, or the default if it is None."""
    return LOSSES[output][0] if loss is None else choice("loss", loss, LOSSES[output])
