"""The worked example of ``dnncore explain``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._html import trace_html
from ..gradient_check import GradientCheck, gradcheck
from ..network import Network, Quantity, Trace
from ..report._html import Markup, element, page, section, table
from ..training import SGD, Trainer
from ._slips import ShownSlip, shown_slips

CAPTIONS = ("Forward pass", "Loss", "Backward pass", "One step of gradient descent")
SLIPS = (
    "Five slips that are easily made. In a network with layers of 3 units and 3 rows, where even "
    "the wrong products have a valid shape; the first row of each array:"
)


class Example(NamedTuple):
    """A worked example of back-propagation."""

    network: Network  # after the step
    trace: Trace
    updated: list[Quantity]
    loss_after: float
    check: GradientCheck
    slips: list[ShownSlip]


def worked_example(
    sizes: Sequence[int], rows: int, activation: str, learning_rate: float, seed: int
) -> Example:
    """Pass random rows of random classes through a network, and train it with them for a step."""
    rng = np.random.default_rng(seed)
    X = rng.normal(3.0, 2.0, (rows, sizes[0])).round(1)
    y = rng.integers(0, sizes[-1], rows)
    network = Network(sizes, seed=seed, activation=activation)
    network.update_norm(X)
    trace, check = network.trace(X, y), gradcheck(network, X, y)
    solver = SGD(learning_rate, momentum=0.0)
    Trainer(network, solver, alpha=0.0, batch_size=len(X), shuffle=False).run_epoch(X, y)
    updated = [
        Quantity(name, value, None, f"{name} = {name} - {learning_rate:g} * d{name}", "")
        for layer, pair in enumerate(zip(network.coefs_, network.intercepts_, strict=True), 1)
        for name, value in zip((f"W_{layer}", f"b_{layer}"), pair, strict=True)
    ]
    return Example(network, trace, updated, network.loss(X, y), check, shown_slips(seed))


def _parts(example: Example) -> Iterable[tuple[str, list[Quantity]]]:
    """Return the quantities of each part of the example, with its caption."""
    quantities, names = list(example.trace), example.trace.names
    loss, backward = names.index("p") + 1, names.index("loss") + 1
    parts = quantities[:loss], quantities[loss:backward], quantities[backward:], example.updated
    return zip(CAPTIONS, parts, strict=True)


def _title(network: Network) -> str:
    sizes = "-".join(map(str, network.layer_sizes))
    return f"Back-propagation in a network {sizes} ({network.activation}, {network.output})"


def _losses(example: Example) -> str:
    return f"Loss before the step: {example.trace.loss:.6f}, after it: {example.loss_after:.6f}"


def show(example: Example) -> None:
    """Print an example."""
    print(_title(example.network))
    for caption, quantities in _parts(example):
        print(f"\n{caption}\n{'-' * len(caption)}")
        for quantity in quantities:
            print(f"\n{quantity}")
    print(f"\n{_losses(example)}\n\n{example.check}\n\n{SLIPS}")
    for i, shown in enumerate(example.slips, 1):
        print(f"\n{i}. {shown.slip.text}")
        for name, values in _lines(shown):
            print(f"   {name:60}{values}")


def _lines(shown: ShownSlip) -> Iterable[tuple[str, NDArray[Any]]]:
    return (
        (f"slip      {shown.slip.formula}", shown.wrong),
        ("measured", shown.measured),
        (f"dnncore   {shown.formula}", shown.right),
    )


def example_page(example: Example) -> str:
    """Return an example as a page, which refers to nothing outside it."""
    parts = [
        section(caption, Markup(trace_html(quantities))) for caption, quantities in _parts(example)
    ]
    parts.append(element("p", _losses(example)))
    parts.append(section("Central differences", element("pre", example.check)))
    rows = [
        (text, name, np.array2string(values, precision=4, suppress_small=True))
        for i, shown in enumerate(example.slips, 1)
        for text, (name, values) in zip(
            (f"{i}. {shown.slip.text}", "", ""), _lines(shown), strict=True
        )
    ]
    slips = table(("slip", "formula", "first row"), rows, text=(0, 1, 2))
    parts.append(section("Five slips", element("p", SLIPS), slips))
    return page(_title(example.network), element("h1", _title(example.network)), *parts)
