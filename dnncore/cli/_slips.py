"""The five mistakes of ``docs/explanation/errata.md``, with their numbers."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._gradient_check.differences import measured
from .._gradient_check.of_network import Losses
from .._network.formulas import evaluate
from ..network import Network

SIZE = 3  # of the layers, and number of rows: otherwise, two of the products have no valid shape


class Slip(NamedTuple):
    """A mistake that is easily made in the derivation."""

    text: str
    formula: str  # the wrong one

    @property
    def name(self) -> str:
        """Name of the quantity that is wrong."""
        return self.formula.partition(" = ")[0]


class ShownSlip(NamedTuple):
    """A slip with the numbers that it gives, in the first row of the array."""

    slip: Slip
    wrong: NDArray[Any]
    measured: NDArray[Any]  # by central differences
    right: NDArray[Any]  # by the kernel
    formula: str  # the right one


SLIPS = (
    Slip("the cross-entropy is -L log p, with a minus sign", "dp = w * L / p"),
    Slip("the Jacobian of softmax is not its diagonal alone", "dz_2 = dp * p * (1 - p)"),
    Slip("the delta passes back through the weights", "dz_1 = dz_2 * a_1 * (1 - a_1)"),
    Slip("samples are rows: a transposed times delta", "dW_1 = dz_1 @ a_0.T"),
    Slip("norm has a derivative of its own", "dx = da_0"),
)


def shown_slips(seed: int) -> list[ShownSlip]:
    """Return the slips in a small network of which all layers have the same size."""
    rng = np.random.default_rng(seed)
    X, y = rng.normal(3.0, 2.0, (SIZE, SIZE)), np.arange(SIZE)
    network = Network((SIZE, SIZE, SIZE), seed=seed)
    network.update_norm(X)
    trace = network.trace(X, y)
    losses = Losses(network, trace, network.check_labels(y, None, SIZE), 0.0, {})
    quantities = {quantity.name: quantity.value for quantity in trace}
    shown = []
    for slip in SLIPS:
        x, loss = losses.of(slip.name[1:])
        wrong, right = evaluate(slip.formula, quantities), quantities[slip.name]
        differences = measured(loss, x, rng)
        formula = trace[slip.name].formula
        shown.append(ShownSlip(slip, wrong[0], differences[0], right[0], formula))
    return shown
