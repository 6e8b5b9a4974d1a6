"""The names that choose a function of a network, and how it is trained: all of them, once.

``engine.pyx`` gives each of them, but the engines, its number in the C layer.
"""

from __future__ import annotations

from .checks import choice

ACTIVATIONS = ("identity", "logistic", "tanh", "relu")
OUTPUTS = ("softmax", "logistic", "identity")
# The losses that go with each output; the first is the default.
LOSSES = {
    "softmax": ("cross_entropy",),
    "logistic": ("binary_cross_entropy",),
    "identity": ("squared_error", "huber"),
}
UPDATES = ("sgd", "momentum", "nesterov", "adam")
ENGINES = ("auto", "builtin", "blas")


def check_loss(loss: str | None, output: str) -> str:
    """`loss`, or the default one, if it goes with the output of a network."""
    return LOSSES[output][0] if loss is None else choice("loss", loss, LOSSES[output])
