"""``dnncore bench``: how fast this machine trains and scores a network."""

from __future__ import annotations

import argparse
import json
from typing import Any

from .._core.config import configuration
from ..network import Network
from ..predictor import Predictor
from . import _arguments as types
from ._arguments import CommandError
from ._model import load_model
from ._output import OK
from ._timing import Measured, Speeds, measure

LAYERS = (784, 256, 10)


def add_parser(commands: Any) -> None:
    parser = commands.add_parser(
        "bench",
        usage="dnncore bench [MODEL] [--json] [options]",
        help="measure how fast this machine trains and scores a network",
        description="Measure how fast this machine trains and scores a network of the shape of "
        "MODEL, on rows by chance: a training step of Adam, scoring of many rows and of one, each "
        "beside the rate at which BLAS multiplies large matrices, which is the limit of any "
        "implementation. Nothing is learnt, and no file is written.",
        epilog="The figures are those of a machine as busy as it is at the time; other work on it "
        "makes them worse. All kinds of measurement take turns, so that it disturbs all alike.",
    )
    parser.set_defaults(run=run)
    parser.add_argument("model", metavar="MODEL", nargs="?", help="model file")
    parser.add_argument(
        "--layers",
        metavar="N",
        type=types.count,
        nargs="+",
        help="sizes of the layers, from input to output, instead of MODEL (default: 784 256 10)",
    )
    parser.add_argument(
        "--batch-size",
        metavar="N",
        type=types.count,
        default=128,
        help="rows of a training step (default: %(default)s)",
    )
    parser.add_argument(
        "--seconds",
        metavar="F",
        type=types.positive,
        default=8.0,
        help="time to spend, about (default: %(default)g)",
    )
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")


def run(arguments: argparse.Namespace) -> int:
    network = _network(arguments)
    speeds = measure(network, arguments.batch_size, arguments.seconds)
    if arguments.json:
        print(json.dumps(_as_dict(network, speeds, arguments), indent=2))
    else:
        _show(network, speeds, arguments.batch_size)
    return OK


def _network(arguments: argparse.Namespace) -> Network:
    """A network of the shape asked for, whose weights say nothing."""
    layers = arguments.layers
    if arguments.model is not None and layers is not None:
        raise CommandError("--layers: the sizes of the layers are those of MODEL")
    if arguments.model is None:
        sizes = tuple(layers or LAYERS)
        if len(sizes) < 2:
            raise CommandError(f"--layers must be at least 2 sizes, got {len(sizes)}")
        network, norm = Network(sizes, dtype="float32", seed=0, activation="relu"), True
    else:
        like = load_model(arguments.model).network
        network = Network(
            like.layer_sizes, dtype=like.dtype, seed=0, activation=like.activation,
            output=like.output,
        )  # fmt: skip
        norm = isinstance(like, Predictor) or like.mean_ is not None
    if norm:
        n_features = network.layer_sizes[0]
        network.set_norm([0.0] * n_features, [1.0] * n_features)
    return network


def _description(network: Network) -> str:
    sizes = "-".join(map(str, network.layer_sizes))
    return f"{sizes}, {network.activation}, {network.output}, {network.dtype}"


def _show(network: Network, speeds: Speeds, batch_size: int) -> None:
    cpu = configuration()["cpu"]
    print(f"network    {_description(network)}")
    print(
        f"machine    {cpu['machine']}, {cpu['selected']}, processors for this process: "
        f"{cpu['available_cpus']}\n"
    )
    rows = [("", *(f"{n} thread{'s' * (n > 1)}" for n in speeds.by_threads))]
    shown = speeds.by_threads.values()
    rows += [
        (f"training step of {batch_size} rows, us", *(_spread(m.step_us) for m in shown)),
        ("  rows a second", *(f"{m.training_rows_per_second:,.0f}" for m in shown)),
        ("  share of the GEMM rate", *(f"{m.gemm_share:.0%}" for m in shown)),
        ("scoring, rows a second", *(f"{m.scoring_rows_per_second.median:,.0f}" for m in shown)),
        ("GEMM rate, GFLOP/s", *(f"{m.gemm_gflops:.0f}" for m in shown)),
    ]
    one = speeds.one_row_us
    rows.append(("one row, us", f"p50 {one['p50']:.2f}, p99 {one['p99']:.2f}"))
    width = max(len(value) for row in rows[:-1] for value in row[1:]) + 3
    for name, *values in rows:
        print((f"{name:34}" + "".join(f"{value:{width}}" for value in values)).rstrip())
    print(
        f"\nMedians of {speeds.rounds} rounds, in brackets the lowest and the highest. The GEMM "
        "rate is the best that BLAS\nreached with large square matrices, in the same rounds. "
        "Another machine, or this one with other\nwork to do, gives other figures."
    )


def _spread(measured: Measured) -> str:
    return f"{measured.median:,.1f} ({measured.lowest:,.1f} to {measured.highest:,.1f})"


def _as_dict(network: Network, speeds: Speeds, arguments: argparse.Namespace) -> dict[str, Any]:
    return {
        "network": {
            "layer_sizes": list(network.layer_sizes),
            "activation": network.activation,
            "output": network.output,
            "dtype": str(network.dtype),
        },
        "solver": "adam",
        "batch_size": arguments.batch_size,
        "rounds": speeds.rounds,
        "threads": [
            {
                "threads": n,
                "training_step_us": m.step_us._asdict(),
                "training_rows_per_second": m.training_rows_per_second,
                "gemm_share": m.gemm_share,
                "scoring_rows_per_second": m.scoring_rows_per_second._asdict(),
                "gemm_gflops": m.gemm_gflops,
            }
            for n, m in speeds.by_threads.items()
        ],
        "one_row_us": speeds.one_row_us,
        "machine": configuration(),
    }
