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
NORM_ROWS = 20  # more rows for mean and scale: a single row, standardised by itself, would be 0
LEGEND = (
    "Rows are samples. @: matrix product; *: element by element; .T: transpose;\n"
    "w: weight of a row, 1/n; logistic = sigmoid;\n"
    f"mean, scale: of each column of x, over these rows and {NORM_ROWS} more."
)
COLOURS = "Orange cells are positive, blue ones negative: the stronger, the larger in their array."
SLIPS = (
    "Five slips that are easily made. These numbers come from another network, with three layers\n"
    "of 3 units, and 3 rows, so that wrong products have a valid shape, too. Shown is the first\n"
    "row of each array:"
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
    seen = rng.normal(3.0, 2.0, (rows + NORM_ROWS, sizes[0])).round(1)
    X, y = (
        seen[:rows],
        rng.permutation(np.arange(rows) % sizes[-1]),
    )  # all classes, if there is room
    network = Network(sizes, seed=seed, activation=activation)
    network.update_norm(seen)
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
    print(f"{_title(example.network)}\n\n{LEGEND}")
    for caption, quantities in _parts(example):
        print(f"\n{caption}\n{'-' * len(caption)}")
        for quantity in quantities:
            print(f"\n{quantity}")
    print(f"\n{_losses(example)}\n\n{example.check}\n\n{SLIPS}")
    for i, shown in enumerate(example.slips, 1):
        print(f"\n{i}. {shown.slip.text}")
        for source, formula, values in _lines(shown):
            print(f"   {source:10}{formula:52} {values}")


def _lines(shown: ShownSlip) -> Iterable[tuple[str, str, NDArray[Any]]]:
    """Return the sources of the numbers, with their formulas and the first row of the array."""
    return (
        ("slip", shown.slip.formula, shown.wrong),
        ("measured", "", shown.measured),
        ("dnncore", shown.formula, shown.right),
    )


def example_page(example: Example) -> str:
    """Return an example as a page, which refers to nothing outside it."""
    parts = [
        section(caption, Markup(trace_html(quantities))) for caption, quantities in _parts(example)
    ]
    parts.append(element("p", _losses(example)))
    check = element("div", element("pre", example.check), class_="scroll")
    parts.append(section("Central differences", check))
    slips = [
        part
        for i, shown in enumerate(example.slips, 1)
        for part in (element("h3", f"{i}. {shown.slip.text}"), _slip_table(shown))
    ]
    parts.append(section("Five slips", element("p", SLIPS), *slips))
    title = _title(example.network)
    return page(title, element("h1", title), element("p", LEGEND), element("p", COLOURS), *parts)


def _slip_table(shown: ShownSlip) -> Markup:
    rows = [
        (source, *(element("code", text) for text in (formula or "central differences", values)))
        for source, formula, values in _lines(shown)
    ]
    return table(("source", "formula", "first row"), rows, text=(0, 1, 2))
