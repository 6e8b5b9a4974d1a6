"""``dnncore bench``: the speed of training and scoring on this machine."""

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
        "MODEL on random rows: a training step with Adam, scoring of many rows and of a single "
        "row. The speed of training is also given relative to the GEMM rate, the rate at which "
        "BLAS multiplies large matrices, which limits any implementation. No model is trained and "
        "no file is written.",
        epilog="Other work on the machine makes the results worse. All measurements are "
        "interleaved, so that it affects them equally.",
    )
    parser.set_defaults(run=run)
    parser.add_argument("model", metavar="MODEL", nargs="?", help="model file")
    parser.add_argument(
        "--layers",
        metavar="N",
        type=types.count,
        nargs="+",
        help="sizes of all layers, from input to output, instead of MODEL (default: 784 256 10)",
    )
    parser.add_argument(
        "--batch-size",
        metavar="N",
        type=types.count,
        default=128,
        help="number of rows per training step (default: %(default)s)",
    )
    parser.add_argument(
        "--seconds",
        metavar="F",
        type=types.positive,
        default=8.0,
        help="approximate duration of the measurement (default: %(default)g)",
    )
    parser.add_argument("--json", action="store_true", help="print the results as JSON")


def run(arguments: argparse.Namespace) -> int:
    network = _network(arguments)
    speeds = measure(network, arguments.batch_size, arguments.seconds)
    if arguments.json:
        print(json.dumps(_as_dict(network, speeds, arguments), indent=2))
    else:
        _show(network, speeds, arguments.batch_size)
    return OK


def _network(arguments: argparse.Namespace) -> Network:
    """Return an untrained network of the requested shape."""
    layers = arguments.layers
    if arguments.model is not None and layers is not None:
        raise CommandError("--layers cannot be used with MODEL")
    if arguments.model is None:
        sizes = tuple(layers or LAYERS)
        if len(sizes) < 2:
            raise CommandError(f"--layers must be at least 2 sizes, got {len(sizes)}")
        network, norm = Network(sizes, dtype="float32", seed=0, activation="relu"), True
    else:
        like = load_model(arguments.model).network
        network = Network(
            like.layer_sizes, dtype=like.dtype, seed=0, activation=like.activation,
            output=like.output, embedding=like.embedding,
        )  # fmt: skip
        norm = isinstance(like, Predictor) or like.mean_ is not None
        norm = norm and like.embedding is None
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
        f"machine    {cpu['machine']}, {cpu['selected']}, processors available: "
        f"{cpu['available_cpus']}\n"
    )
    rows = [("", *(f"{n} thread{'s' * (n > 1)}" for n in speeds.by_threads))]
    shown = speeds.by_threads.values()
    rows += [
        (f"training step of {batch_size} rows, us", *(_spread(m.step_us) for m in shown)),
        ("  rows per second", *(f"{m.training_rows_per_second:,.0f}" for m in shown)),
        ("  share of GEMM rate", *(f"{m.gemm_share:.0%}" for m in shown)),
        ("scoring, rows per second", *(f"{m.scoring_rows_per_second.median:,.0f}" for m in shown)),
        ("GEMM rate, GFLOP/s", *(f"{m.gemm_gflops:.0f}" for m in shown)),
    ]
    one = speeds.one_row_us
    rows.append(("one row, us", f"p50 {one['p50']:.2f}, p99 {one['p99']:.2f}"))
    width = max(len(value) for row in rows[:-1] for value in row[1:]) + 3
    for name, *values in rows:
        print((f"{name:34}" + "".join(f"{value:{width}}" for value in values)).rstrip())
    print(
        f"\nMedians of {speeds.rounds} rounds, with the lowest and highest in parentheses. The "
        "GEMM rate is the best that\nBLAS reached with large square matrices in the same rounds. "
        "Results depend on the machine and on\nother work running on it."
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
