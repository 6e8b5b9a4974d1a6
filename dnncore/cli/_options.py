"""The options of ``dnncore train``, and the estimator that they ask for."""

from __future__ import annotations

import argparse
from typing import Any

from .._estimators.interface import Estimator
from . import _arguments as types
from ._arguments import TABLE_HELP, CommandError

# The estimator's parameter that an option sets, and its value where the option is not given; a
# None leaves it to the estimator.
PARAMETERS: dict[str, tuple[str, Any]] = {
    "hidden": ("hidden_layer_sizes", (100,)),
    "activation": ("activation", None),
    "loss": ("loss", None),
    "missing": ("missing_values", None),
    "dropout": ("dropout", None),
    "class_weight": ("class_weight", None),
    "epochs": ("max_iter", 100),
    "max_time": ("max_time", None),
    "batch_size": ("batch_size", 32),
    "learning_rate": ("learning_rate_init", 0.002),
    "solver": ("solver", "adam"),
    "alpha": ("alpha", 1e-4),
    "early_stopping": ("early_stopping", None),
    "threads": ("n_threads", None),
    "seed": ("random_state", 0),
}
# What a model that goes on in its training cannot change.
FIXED = ("regression", "hidden", "activation", "loss", "missing", "dtype", "categorical", "ignore")


def add_options(train: argparse.ArgumentParser) -> None:
    train.add_argument(
        "data",
        metavar="DATA",
        nargs="?",
        help=f"{TABLE_HELP} (default: the handwritten digits that scikit-learn ships)",
    )
    train.add_argument(
        "--target",
        metavar="COLUMN",
        help="column with the labels, or numbers; of an NPY file the NPY file with them",
    )
    train.add_argument(
        "--regression", action="store_true", help="predict numbers: train a DNNRegressor"
    )
    _add_columns(train.add_argument_group("columns"))
    _add_files(train.add_argument_group("files to write"))
    _add_rows(train.add_argument_group("rows"))
    _add_network(train.add_argument_group("network"))
    _add_training(train.add_argument_group("training"))
    train.add_argument("--quiet", action="store_true", help="no progress and no table of classes")


def _add_columns(columns: Any) -> None:
    columns.add_argument(
        "--categorical",
        metavar="COLUMN",
        nargs="+",
        action="extend",
        default=[],
        help="columns whose values are categories although they are numbers, dates, or very many",
    )
    columns.add_argument(
        "--ignore",
        metavar="COLUMN",
        nargs="+",
        action="extend",
        default=[],
        help="columns that are no features",
    )
    columns.add_argument(
        "--missing",
        choices=("error", "mean", "indicator"),
        help="missing cells are an error, count as the column's mean, or do so and are marked in a "
        "feature of their own (default: error); a missing category counts as none",
    )


def _add_files(files: Any) -> None:
    files.add_argument(
        "--output",
        metavar="FILE",
        default="model.safetensors",
        help="model file (default: %(default)s)",
    )
    files.add_argument(
        "--solver-state",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="whether the model file can go on in its training by --resume; without it is smaller "
        "(default: yes)",
    )
    plot = files.add_mutually_exclusive_group()
    plot.add_argument(
        "--plot",
        metavar="FILE",
        help="learning curve as a PNG image (default: learning_curve.png if Matplotlib is there)",
    )
    plot.add_argument("--no-plot", action="store_true", help="draw no learning curve")
    files.add_argument(
        "--report", metavar="FILE", help="report on the held-out rows as an HTML page"
    )


def _add_rows(rows: Any) -> None:
    rows.add_argument(
        "--test-size",
        metavar="F",
        type=types.fraction,
        default=0.2,
        help="share of the rows that is held out; 0 measures nothing (default: %(default)s)",
    )
    rows.add_argument(
        "--validation-fraction",
        metavar="F",
        type=types.fraction,
        default=0.1,
        help="share of the other rows to watch the training by; 0 for none (default: %(default)s)",
    )
    rows.add_argument(
        "--seed",
        type=types.seed,
        metavar="N",
        help="seed of the division, initial weights and order of rows (default: 0)",
    )
    rows.add_argument(
        "--memory",
        metavar="MB",
        type=types.positive,
        default=1000.0,
        help="rows that take more memory than that are read in blocks, again for every epoch "
        "(default: %(default)g)",
    )
    rows.add_argument("--blocks", action="store_true", help="read in blocks in any case")


def _add_network(network: Any) -> None:
    network.add_argument(
        "--hidden",
        metavar="N",
        type=types.count,
        nargs="*",
        help="sizes of the hidden layers, from input to output; no number: none (default: 100)",
    )
    network.add_argument(
        "--activation",
        choices=("relu", "logistic", "tanh", "identity"),
        help="of the hidden layers (default: relu)",
    )
    network.add_argument(
        "--dropout",
        metavar="F",
        type=types.fraction,
        help="share of the hidden outputs that each training step leaves out (default: 0)",
    )
    network.add_argument(
        "--loss",
        choices=("squared_error", "huber"),
        help="with --regression (default: squared_error)",
    )
    network.add_argument(
        "--dtype",
        choices=("float32", "float64"),
        help="of the data and weights (default: float32)",
    )


def _add_training(training: Any) -> None:
    training.add_argument(
        "--resume",
        metavar="MODEL",
        help="go on in the training of a model file, with the options that it was trained with "
        "where none are given here; the rows held out are the same if the file and --test-size, "
        "--validation-fraction and --seed are",
    )
    training.add_argument(
        "--epochs",
        metavar="N",
        type=types.count,
        help="passes over the training rows at most, with --resume: more passes (default: 100)",
    )
    training.add_argument(
        "--max-time", metavar="SECONDS", type=types.positive, help="end the training after so long"
    )
    training.add_argument(
        "--batch-size", metavar="N", type=types.count, help="rows of a mini-batch (default: 32)"
    )
    training.add_argument(
        "--learning-rate",
        metavar="F",
        type=types.positive,
        help="step size of the solver (default: 0.002)",
    )
    training.add_argument(
        "--solver",
        choices=("adam", "sgd"),
        help="adam, or sgd with Nesterov momentum 0.9 (default: adam)",
    )
    training.add_argument(
        "--alpha", metavar="F", type=types.penalty, help="L2 penalty of the weights (default: 1e-4)"
    )
    training.add_argument(
        "--class-weight",
        choices=("balanced",),
        help="balanced: every class counts the same, however few its rows (default: every row "
        "counts the same)",
    )
    training.add_argument(
        "--early-stopping",
        action=argparse.BooleanOptionalAction,
        help="stop when the score on the validation rows, not the training loss, no longer "
        "improves, and keep the weights of the best epoch (default: off)",
    )
    training.add_argument(
        "--threads",
        metavar="N",
        type=types.threads,
        help="threads; the results do not depend on it (default: as many as the work occupies)",
    )


def check_options(arguments: argparse.Namespace) -> None:
    """Raise if options contradict each other."""
    if arguments.data is None and arguments.target is not None:
        raise CommandError("--target names a column of DATA, which is missing")
    if arguments.data is None and (arguments.categorical or arguments.ignore):
        raise CommandError("--categorical and --ignore name columns of DATA, which is missing")
    if arguments.early_stopping and arguments.validation_fraction == 0:
        raise CommandError("--early-stopping needs validation rows, got --validation-fraction 0")
    if arguments.report is not None and arguments.test_size == 0:
        raise CommandError("--report needs held-out rows, got --test-size 0")
    if arguments.resume is not None:
        given = [name for name in FIXED if getattr(arguments, name) not in (None, False, [])]
        if given:
            raise CommandError(f"--{given[0]} cannot be changed with --resume")
        return
    if arguments.loss is not None and not arguments.regression:
        raise CommandError("--loss is for --regression")
    if arguments.class_weight is not None and arguments.regression:
        raise CommandError("--class-weight is not for --regression")


def new_estimator(arguments: argparse.Namespace) -> Estimator:
    """The estimator that the options ask for."""
    from ..classifier import DNNClassifier
    from ..regressor import DNNRegressor

    kind = DNNRegressor if arguments.regression else DNNClassifier
    defaults = {name: value for name, value in PARAMETERS.values() if value is not None}
    return kind(**(defaults | _given(arguments)))


def reconfigure(model: Estimator, arguments: argparse.Namespace) -> None:
    """Let the options that were given take the place of the model's."""
    given = _given(arguments)
    unknown = sorted(set(given) - set(model.get_params(deep=False)))
    if unknown:
        raise CommandError(
            f"{unknown[0]} is no parameter of a {type(model).__name__}, which {arguments.resume} is"
        )
    model.set_params(**given)


def _given(arguments: argparse.Namespace) -> dict[str, Any]:
    options = {name: getattr(arguments, option) for option, (name, _) in PARAMETERS.items()}
    given = {name: value for name, value in options.items() if value is not None}
    if "hidden_layer_sizes" in given:
        given["hidden_layer_sizes"] = tuple(given["hidden_layer_sizes"])
    return given
