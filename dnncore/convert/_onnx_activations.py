"""The nodes of an activation function in an ONNX graph."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..reference import SELU_NEGATIVE, SELU_POSITIVE
from ._onnx_graph import Graph

OPERATORS = {"logistic": "Sigmoid", "tanh": "Tanh", "relu": "Relu"}

# With t = (x - 5) / (x + 5), this polynomial in t, highest power first, is
# (x + 5) exp(x^2 / 2) times the probability that a standard normal variable exceeds x.
NORMAL_TAIL = (
    -3.007631270075267e-10,
    1.4374786970628013e-09,
    7.940016785324257e-09,
    -8.310448139702694e-09,
    -6.60157321332451e-08,
    4.089935091606242e-08,
    4.3289371638422297e-07,
    -3.3554979475603234e-07,
    -2.768960637291881e-06,
    3.980389809690202e-06,
    1.6681045018329303e-05,
    -4.9762656206096116e-05,
    -5.9375675843984204e-05,
    0.0005448990335960265,
    -0.0007978694078357624,
    -0.0029933767667254334,
    0.020795066800821337,
    -0.06911863870656891,
    0.1650203661703382,
    -0.3135331566712962,
    0.4953056159699773,
    -0.6653825028900567,
    0.769193049750063,
)


def append_activation(graph: Graph, name: str, z: str, dtype: np.dtype[Any]) -> str:
    """Append an activation function: one operator, or several that exist in this version and that
    ONNX Runtime has for float64."""
    if name == "identity":
        return z
    if name in OPERATORS:
        return graph.add(OPERATORS[name], z)
    if name == "silu":
        return graph.add("Mul", z, graph.add("Sigmoid", z))

    def number(value: float) -> str:
        return graph.number(value, dtype)

    if name == "selu":
        # Selu has constants of type float.
        below = graph.add("Sub", graph.add("Exp", graph.add("Min", z, number(0.0))), number(1.0))
        scaled = graph.add("Mul", below, number(SELU_NEGATIVE))
        above = graph.add("Mul", z, number(SELU_POSITIVE))
        return graph.add("Where", graph.add("Greater", z, number(0.0)), above, scaled)
    if name == "gelu" and dtype == np.float64:
        # ONNX Runtime has no Erf for float64; see normal_tail in csrc/ops/activations.h.
        x = graph.add("Min", graph.add("Abs", z), number(39.0))
        r = graph.add("Div", number(1.0), graph.add("Add", x, number(5.0)))
        t = graph.add("Mul", graph.add("Sub", x, number(5.0)), r)
        p = number(NORMAL_TAIL[0])
        for coefficient in NORMAL_TAIL[1:]:
            p = graph.add("Add", graph.add("Mul", p, t), number(coefficient))
        half = graph.add("Mul", graph.add("Mul", x, x), number(-0.5))
        tail = graph.add("Mul", graph.add("Mul", graph.add("Exp", half), p), r)
        return graph.add("Sub", graph.add("Max", z, number(0.0)), graph.add("Mul", x, tail))
    if name == "gelu":
        erf = graph.add("Erf", graph.add("Mul", z, number(math.sqrt(0.5))))
        doubled = graph.add("Mul", z, graph.add("Add", erf, number(1.0)))
        return graph.add("Mul", doubled, number(0.5))
    # With e = exp(-|z|), tanh(log(1 + exp(z))) is a fraction of sums of positive terms.
    e = graph.add("Exp", graph.add("Neg", graph.add("Abs", z)))
    square = graph.add("Mul", e, e)
    positive = graph.add("Greater", z, number(0.0))
    twice = graph.add("Add", e, e)
    one = graph.add("Add", twice, number(1.0))
    top = graph.add("Where", positive, one, graph.add("Add", square, twice))
    double = graph.add("Add", square, square)
    rest = graph.add("Where", positive, double, number(2.0))
    return graph.add("Mul", z, graph.add("Div", top, graph.add("Add", top, rest)))
