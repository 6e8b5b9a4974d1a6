"""The formulas of the derivation in NumPy, with the names of a :class:`dnncore.network.Trace`.

They are the definitions, which overflow for large arguments where the kernels do not.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

# Of each activation: a, as a function of z, and dz, as one of da and of a or z.
ACTIVATIONS = {
    "identity": ("{z}", "{da}"),
    "logistic": ("1 / (1 + exp(-{z}))", "{da} * {a} * (1 - {a})"),
    "tanh": ("tanh({z})", "{da} * (1 - {a}) * (1 + {a})"),
    "relu": ("maximum({z}, 0)", "where({a} > 0, {da}, 0)"),
    "selu": (
        "where({z} > 0, SELU_POSITIVE * {z}, SELU_NEGATIVE * (exp({z}) - 1))",
        "{da} * where({a} > 0, SELU_POSITIVE, {a} + SELU_NEGATIVE)",
    ),
    "silu": ("{z} * sigmoid({z})", "{da} * sigmoid({z}) * (1 + {z} * (1 - sigmoid({z})))"),
    "gelu": ("{z} * Phi({z})", "{da} * (Phi({z}) + {z} * phi({z}))"),
    "mish": (
        "{z} * tanh(softplus({z}))",
        "{da} * (tanh(softplus({z})) + {z} * (1 - tanh(softplus({z}))**2) * sigmoid({z}))",
    ),
}
# Of each output: p, as a function of the logits z, and dz, as one of dp and p.
OUTPUTS = {
    "softmax": (
        "exp({z}) / sum(exp({z}), axis=1, keepdims=True)",
        "p * (dp - sum(dp * p, axis=1, keepdims=True))",
    ),
    "logistic": ("1 / (1 + exp(-{z}))", "dp * p * (1 - p)"),
    "identity": ("{z}", "dp"),
    "exp": ("exp({z})", "dp * p"),
    "sorted": ("sort({z}, axis=1)", ""),
}
# Of each loss: the loss, dp and dz. The weights w (n, 1) of the rows sum to 1.
LOSSES = {
    "cross_entropy": (
        "-sum(w * L * log(p))",
        "-w * L / p",
        "w * (p * sum(L, axis=1, keepdims=True) - L)",
    ),
    "binary_cross_entropy": (
        "-sum(w * (Y * log(p) + (1 - Y) * log(1 - p)))",
        "w * ((1 - Y) / (1 - p) - Y / p)",
        "w * (p - Y)",
    ),
    "squared_error": ("sum(w * ({z} - Y)**2) / 2", "w * (p - Y)", "w * ({z} - Y)"),
    "huber": (
        "sum(w * where(abs({z} - Y) <= delta, ({z} - Y)**2 / 2, "
        "delta * (abs({z} - Y) - delta / 2)))",
        "w * clip(p - Y, -delta, delta)",
        "w * clip({z} - Y, -delta, delta)",
    ),
    "absolute_error": ("sum(w * abs({z} - Y))", "w * sign(p - Y)", "w * sign({z} - Y)"),
    "poisson": ("sum(w * (xlogy(Y, Y / p) - Y + p))", "w * (1 - Y / p)", "w * (p - Y)"),
    "quantile": (
        "sum(w * maximum(q * (Y - {z}), (1 - q) * ({z} - Y)))",
        "",
        "w * where({z} > Y, 1 - q, where({z} < Y, -q, 0))",
    ),
}
# What formulas take from the module `reference`.
_OF_REFERENCE = (
    "SELU_NEGATIVE",
    "SELU_POSITIVE",
    "piecewise_linear",
    "piecewise_linear_backward",
    "sigmoid",
)


def evaluate(formula: str, quantities: Mapping[str, Any]) -> Any:
    """Evaluate the right-hand side of a formula of this package in NumPy."""
    from scipy import special  # on call: importing a network does not need these

    from .. import reference

    functions = {
        **vars(np),
        **{name: getattr(reference, name) for name in _OF_REFERENCE},
        "softplus": lambda z: np.logaddexp(0, z),
        "Phi": special.ndtr,  # the normal distribution function
        "phi": lambda z: np.exp(-(z**2) / 2) / math.sqrt(2 * math.pi),  # its density
        "xlogy": special.xlogy,  # x log y, 0 where x is
    }
    _, _, right = formula.partition(" = ")
    return eval(right, functions, dict(quantities))
