"""``dnncore info``: the configuration, or the contents of a model file."""

from __future__ import annotations

import argparse
import os
import sys
from itertools import pairwise
from typing import Any

import dnncore

from .._estimators.interface import unfinished_ensemble_of, unfinished_fit_of
from ..network import Network
from ..predictor import Predictor
from ._model import LoadedModel, LoadedTabular, load_model
from ._output import OK, plural, print_facts

START = 10  # number of names or classes listed


def add_parser(commands: Any) -> None:
    parser = commands.add_parser(
        "info",
        usage="dnncore info [MODEL] [--all]",
        help="show the configuration of dnncore or describe a model file",
        description="Describe a model file or, without MODEL, show the configuration of dnncore: "
        "versions, processor and instruction sets, and BLAS libraries.",
    )
    parser.set_defaults(run=run)
    parser.add_argument("model", metavar="MODEL", nargs="?", help="model file")
    parser.add_argument(
        "--all", action="store_true", help=f"list all names and classes, not only {START}"
    )


def run(arguments: argparse.Namespace) -> int:
    if arguments.model is None:
        dnncore.show_config()
        return OK
    model = load_model(arguments.model)
    n_most = sys.maxsize if arguments.all else START
    facts = _network_facts(arguments.model, model)
    if model.classes is not None and not isinstance(model.saved, Network):
        classes = _start(model.classes, n_most)
        facts["classes"] = f"{len(model.classes)}: {classes} ({model.classes.dtype})"
    if isinstance(model.saved, Network | Predictor):
        print_facts(facts)
        return OK
    if isinstance(model, LoadedTabular):
        print_facts(facts | _tabular_facts(model, n_most))
    else:
        print_facts(facts | _estimator_facts(model, n_most))
    params = model.saved.get_params(deep=False)
    for name in ("callback", "checkpoint"):  # They are not stored in a file.
        params.pop(name, None)
    print("parameters")
    print_facts({f"  {name}": repr(value) for name, value in params.items()})
    return OK


def _network_facts(path: str, model: LoadedModel) -> dict[str, str]:
    sizes = model.layer_sizes
    n_parameters = sum((k + 1) * m for k, m in pairwise(sizes))
    embedding = model.network.embedding
    facts = {
        "file": f"{path} ({os.path.getsize(path) / 1000:.1f} kB)",
        "kind": type(model.saved).__name__,
        "layer sizes": f"{'-'.join(map(str, sizes))} ({n_parameters} weights and biases)",
        "activation": model.network.activation,
        "output": model.output,
        "dtype": str(model.dtype),
    }
    if embedding is not None:
        facts["embedding"] = f"{embedding} ({embedding.n_parameters} parameters)"
    if isinstance(model.network, Network):
        facts["norm"] = "no" if model.network.mean_ is None else "yes"
    return facts


def _tabular_facts(model: LoadedTabular, n_most: int) -> dict[str, str]:
    saved = model.saved
    encoding = saved.encoder_.encoding_
    names = [column.name for column in encoding.columns] if encoding.named else None
    facts = {} if model.target is None else {"target": model.target}
    n_networks, epochs = len(saved.histories_), sum(x.n_iter for x in saved.histories_)
    facts |= {
        "networks": f"{n_networks}, with {saved.ensemble_.n_parameters} parameters in total",
        "columns": f"{model.n_features}: {'no names' if names is None else _start(names, n_most)}",
        "encoded": f"{encoding.n_numeric} numbers, {len(encoding.categorical)} categories, "
        f"as {plural(encoding.n_features, 'feature')}",
        "trained": f"{plural(epochs, 'epoch')} of all networks",
    }
    unfinished = unfinished_ensemble_of(saved)
    if unfinished is not None:
        n_members = plural(len(unfinished.ends), "network")
        facts["unfinished"] = f"{unfinished.n_finished} of {n_members}"
    return facts


def _estimator_facts(model: LoadedModel, n_most: int) -> dict[str, str]:
    saved: Any = model.saved
    names = getattr(saved, "feature_names_in_", None)
    facts = {} if model.target is None else {"target": model.target}
    facts |= {
        "features": f"{model.n_features}: {'no names' if names is None else _start(names, n_most)}",
        "trained": f"{plural(saved.n_iter_, 'epoch')}, {plural(saved.t_, 'row')} in total",
    }
    unfinished = unfinished_fit_of(saved)
    if unfinished is not None:
        facts["unfinished"] = f"{unfinished.state.epoch} of {plural(saved.max_iter, 'epoch')}"
    if saved.loss_curve_:
        facts["loss"] = f"{saved.loss_curve_[-1]:.4f} in the last epoch"
    if saved.validation_scores_:
        # Accuracy, R2, D2, or the metric chosen with the parameter scoring.
        facts["validation"] = f"best score {max(saved.validation_scores_):.4f}"
    return facts


def _start(values: Any, n_most: int) -> str:
    """Return the first few values, separated by commas."""
    return ", ".join(map(str, values[:n_most])) + (", ..." if len(values) > n_most else "")
