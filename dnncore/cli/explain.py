"""``dnncore explain``: back-propagation in numbers."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._core.names import ACTIVATIONS
from .._data.atomic import write_atomically
from .._html import trace_html
from ..gradient_check import GradientCheck, gradcheck
from ..network import Network, Quantity, Trace
from ..report._html import Markup, element, page, section, table
from ..training import SGD, Trainer
from . import _arguments as types
from ._arguments import CommandError, check_destination
from ._output import OK
from ._slips import ShownSlip, shown_slips

SIZES, ROWS, LEARNING_RATE = (2, 3, 2), 3, 0.5
CAPTIONS = ("Forward pass", "Loss", "Backward pass", "One step of gradient descent")
SLIPS = (
    "Five slips that are easily made. In a network with layers of 3 units and 3 rows, where even "
    "the wrong products have a valid shape; the first row of each array:"
)


class Example(NamedTuple):
    """A worked example of back-propagation."""

    network: Network  # after the step
    trace: Trace
    learning_rate: float
    updated: list[Quantity]
    loss_after: float
    check: GradientCheck
    slips: list[ShownSlip]


def add_parser(commands: Any) -> None:
    parser = commands.add_parser(
        "explain",
        usage="dnncore explain [options]",
        help="show back-propagation in a small network, number by number",
        description="Show back-propagation in a small network with random rows: every quantity of "
        "the forward and the backward pass with its formula, one step of gradient descent, the "
        "comparison with central differences, and the mistakes that are easily made. All numbers "
        "are computed by the kernels.",
    )
    parser.set_defaults(run=run)
    parser.add_argument(
        "--sizes",
        metavar="N",
        type=types.count,
        nargs="+",
        default=list(SIZES),
        help="sizes of all layers, from input to output (default: 2 3 2)",
    )
    parser.add_argument(
        "--rows", metavar="N", type=types.count, default=ROWS,
        help="number of rows (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--activation", choices=ACTIVATIONS, default="logistic",
        help="activation function (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--learning-rate", metavar="F", type=types.positive, default=LEARNING_RATE,
        help="learning rate of the step (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--seed", metavar="N", type=types.seed, default=0,
        help="seed of the weights and the rows (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--html", metavar="FILE", help="write a page with images of the arrays to this file instead"
    )


def run(arguments: argparse.Namespace) -> int:
    if len(arguments.sizes) < 2:
        raise CommandError(f"--sizes must be at least 2 sizes, got {len(arguments.sizes)}")
    if arguments.html is not None:
        check_destination("--html", arguments.html, ())
    example = _example(arguments)
    if arguments.html is None:
        with np.printoptions(precision=4, suppress=True, threshold=200, linewidth=100):
            _show(example)
    else:
        write_atomically(arguments.html, _page(example).encode())
    return OK


def _example(arguments: argparse.Namespace) -> Example:
    rng = np.random.default_rng(arguments.seed)
    sizes = tuple(arguments.sizes)
    X = rng.normal(3.0, 2.0, (arguments.rows, sizes[0])).round(1)
    y = rng.integers(0, sizes[-1], arguments.rows)
    network = Network(sizes, seed=arguments.seed, activation=arguments.activation)
    network.update_norm(X)
    trace, check = network.trace(X, y), gradcheck(network, X, y)
    solver = SGD(arguments.learning_rate, momentum=0.0)
    Trainer(network, solver, alpha=0.0, batch_size=len(X), shuffle=False).run_epoch(X, y)
    updated = [
        Quantity(name, value, None, f"{name} = {name} - {arguments.learning_rate:g} * d{name}", "")
        for layer, pair in enumerate(zip(network.coefs_, network.intercepts_, strict=True), 1)
        for name, value in zip((f"W_{layer}", f"b_{layer}"), pair, strict=True)
    ]
    loss_after = network.loss(X, y)
    slips = shown_slips(arguments.seed)
    return Example(network, trace, arguments.learning_rate, updated, loss_after, check, slips)


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


def _show(example: Example) -> None:
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


def _page(example: Example) -> str:
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
