"""``dnncore explain``: back-propagation in numbers."""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np

from .._core.names import ACTIVATIONS
from .._data.atomic import write_atomically
from . import _arguments as types
from ._arguments import CommandError, check_destination
from ._output import OK

SIZES, ROWS, LEARNING_RATE = (2, 3, 2), 3, 0.5


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
    if arguments.sizes[-1] < 2:
        raise CommandError(
            f"--sizes must end with the number of classes, at least 2, got {arguments.sizes[-1]}"
        )
    if arguments.html is not None:
        check_destination("--html", arguments.html, ())
    # On call: the other commands start without these modules.
    from ._worked_example import example_page, show, worked_example

    names = ("sizes", "rows", "activation", "learning_rate", "seed")
    example = worked_example(**{name: getattr(arguments, name) for name in names})
    with np.printoptions(precision=4, suppress=True, threshold=200, linewidth=100):
        if arguments.html is None:
            show(example)
        else:
            write_atomically(arguments.html, example_page(example).encode())
    return OK
