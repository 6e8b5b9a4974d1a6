"""The options of ``dnncore train``, and the estimator that they describe."""

from __future__ import annotations

import argparse
import os
import re
from typing import Any

from .._core import checks as check
from .._core.names import REGRESSION_LOSSES
from .._estimators.interface import Estimator, TabularModel
from . import _arguments as types
from ._arguments import TABLE_HELP, CommandError
from ._input import paths_of
from ._model import LoadedTabular
from .tables import PARQUET, has_named_columns

# The estimator's parameter that an option sets, and its value if the option is not given; None
# keeps the estimator's default.
PARAMETERS: dict[str, tuple[str, Any]] = {
    "hidden": ("hidden_layer_sizes", (100,)),
    "activation": ("activation", None),
    "loss": ("loss", None),
    "quantiles": ("quantiles", None),
    "missing": ("missing_values", None),
    "dropout": ("dropout", None),
    "class_weight": ("class_weight", None),
    "epochs": ("max_iter", 100),
    "max_time": ("max_time", None),
    "batch_size": ("batch_size", 32),
    "learning_rate": ("learning_rate_init", 0.002),
    "schedule": ("learning_rate", None),
    "solver": ("solver", "adam"),
    "weight_decay": ("weight_decay", None),
    "alpha": ("alpha", 1e-4),
    "max_grad_norm": ("max_grad_norm", None),
    "early_stopping": ("early_stopping", False),
    "threads": ("n_threads", None),
    "seed": ("random_state", 0),
}
TABULAR_PARAMETERS = {
    "members": "n_members",
    "activation": "activation",
    "dropout": "dropout",
    "class_weight": "class_weight",
    "epochs": "max_iter",
    "max_time": "max_time",
    "batch_size": "batch_size",
    "learning_rate": "learning_rate_init",
    "weight_decay": "weight_decay",
    "max_grad_norm": "max_grad_norm",
    "threads": "n_threads",
    "seed": "random_state",
}
TABULAR, NETWORK = "tabular", "network"  # values of --model
# Options of only one kind of model.
TABULAR_ONLY = ("members",)
NETWORK_ONLY = (
    "hidden", "loss", "quantiles", "missing", "dtype", "schedule", "solver", "alpha",
    "early_stopping", "validation_fraction", "solver_state", "blocks", "cluster",
)  # fmt: skip
# Options of files that the command itself reads.
NOT_ON_A_CLUSTER = ("blocks", "memory", "delimiter", "decimal", "thousands", "encoding")
DEFAULT_MEMORY = 1000.0  # MB
# Options that cannot be changed when training is resumed, and those that the file of a network has.
FIXED = ("regression", "hidden", "activation", "loss", "quantiles", "missing", "dtype")
KNOWN_TO_A_NETWORK = ("categorical", "ignore")


def add_options(train: argparse.ArgumentParser) -> None:
    train.add_argument(
        "data",
        metavar="DATA",
        nargs="*",
        help=f"{TABLE_HELP}; or several Parquet files with the same columns: their names, a folder "
        "of them or a pattern such as 'data/*.parquet' (default: the handwritten digits that ship "
        "with scikit-learn)",
    )
    train.add_argument(
        "--target",
        metavar="COLUMN",
        help="column to predict; if DATA is an NPY file, the NPY file with the targets",
    )
    train.add_argument(
        "--regression",
        action="store_true",
        help="predict a numeric target",
    )
    train.add_argument(
        "--model",
        choices=(TABULAR, NETWORK),
        help="tabular: an ensemble of networks that encodes the columns, of any kind and with "
        "missing values (TabularClassifier or TabularRegressor); network: a single network "
        "(DNNClassifier or DNNRegressor). Default: tabular for a file with named columns, unless "
        "an option is given that only a network has",
    )
    _add_columns(train.add_argument_group("columns"))
    types.add_csv_format(train)
    _add_files(train.add_argument_group("output files"))
    _add_rows(train.add_argument_group("rows"))
    _add_network(train.add_argument_group("network"))
    _add_training(train.add_argument_group("training"))
    train.add_argument("--quiet", action="store_true", help="omit progress and per-class scores")


def _add_columns(columns: Any) -> None:
    columns.add_argument(
        "--categorical",
        metavar="COLUMN",
        nargs="+",
        action="extend",
        default=[],
        help="columns to treat as categories even if they contain numbers, dates or very many "
        "different values",
    )
    columns.add_argument(
        "--ignore",
        metavar="COLUMN",
        nargs="+",
        action="extend",
        default=[],
        help="columns not used as features",
    )
    columns.add_argument(
        "--missing",
        choices=("error", "mean", "indicator"),
        help="treatment of missing values in numeric columns: raise an error, replace them with "
        "the mean of the column, or also add an indicator feature (default: error); with mean or "
        "indicator, a missing category is encoded as zeros",
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
        help="store the state of the solver in the model file, so that --resume "
        "continues training exactly; without it, the file is smaller (default: store it)",
    )
    files.add_argument(
        "--checkpoint",
        metavar="SECONDS",
        type=types.penalty,
        help="also write the model file during training, after an epoch, at most that often: "
        "--resume completes a training that was killed as if it had not been; of an ensemble, "
        "after a network is finished (default: write it at the end)",
    )
    plot = files.add_mutually_exclusive_group()
    plot.add_argument(
        "--plot",
        metavar="FILE",
        help="learning curve as a PNG image (default: learning_curve.png if Matplotlib is "
        "installed)",
    )
    plot.add_argument("--no-plot", action="store_true", help="do not plot the learning curve")
    files.add_argument(
        "--report", metavar="FILE", help="HTML report on the predictions for the held-out rows"
    )


def _add_rows(rows: Any) -> None:
    rows.add_argument(
        "--test-size",
        metavar="F",
        type=types.fraction,
        default=0.2,
        help="fraction of the rows to hold out as a test set; 0 skips the evaluation (default: "
        "%(default)s)",
    )
    rows.add_argument(
        "--validation-fraction",
        metavar="F",
        type=types.fraction,
        help="fraction of the remaining rows to use as a validation set; 0 for none (default: 0.1)",
    )
    rows.add_argument(
        "--seed",
        type=types.seed,
        metavar="N",
        help="seed of the split, the initial weights, the order of rows and dropout (default: 0)",
    )
    rows.add_argument(
        "--memory",
        metavar="MB",
        type=types.positive,
        help="if the rows need more memory than this, train a network, and read them in blocks in "
        f"every epoch; an error if an option asks for an ensemble (default: {DEFAULT_MEMORY:g})",
    )
    rows.add_argument(
        "--blocks",
        action="store_true",
        help="read the rows in blocks whatever their size",
    )
    rows.add_argument(
        "--cluster",
        metavar="ADDRESS",
        help="train a network on the workers of a Dask cluster, which read the row groups of "
        "Parquet files from a file system that all of them have: the address of its scheduler, "
        "such as tcp://10.0.0.1:8786, or local for a cluster of the processors of this machine",
    )


def _add_network(network: Any) -> None:
    network.add_argument(
        "--hidden",
        metavar="N",
        type=types.count,
        nargs="*",
        help="sizes of the hidden layers, from input to output; without numbers, no "
        "hidden layers (default: 100)",
    )
    network.add_argument(
        "--activation",
        choices=("relu", "selu", "silu", "gelu", "mish", "logistic", "tanh", "identity"),
        help="activation function of the hidden layers (default: relu)",
    )
    network.add_argument(
        "--dropout",
        metavar="F",
        type=types.fraction,
        help="probability of dropping a hidden unit's output in a training step (default: 0)",
    )
    network.add_argument(
        "--loss",
        choices=tuple(REGRESSION_LOSSES),
        help="loss, with --regression only (default: squared_error)",
    )
    network.add_argument(
        "--quantiles",
        metavar="F",
        type=types.quantile,
        nargs="+",
        help="quantiles that --loss quantile predicts, in ascending order (default: 0.1 0.5 0.9)",
    )
    network.add_argument(
        "--dtype",
        choices=("float32", "float64"),
        help="type of the data and weights (default: float32, or float64 if a column has numbers "
        "of more digits than float32 keeps)",
    )


def _add_training(training: Any) -> None:
    training.add_argument(
        "--resume",
        metavar="MODEL",
        help="resume the training of a model file, with the options it was trained with unless "
        "given here; an error if validation or held-out rows are not those of its training, "
        "because DATA, --test-size, --validation-fraction, --seed or --blocks differ. Of an "
        "ensemble, a file of --checkpoint: the missing networks are trained",
    )
    training.add_argument(
        "--epochs",
        metavar="N",
        type=types.count,
        help="maximum number of passes over the training rows; with --resume, of additional passes "
        "or, for a network of --checkpoint, of all passes (default: 100; tabular: 64)",
    )
    training.add_argument(
        "--members",
        metavar="N",
        type=types.count,
        help="number of networks (default: 8)",
    )
    training.add_argument(
        "--max-time",
        metavar="SECONDS",
        type=types.positive,
        help="maximum training time",
    )
    training.add_argument(
        "--batch-size",
        metavar="N",
        type=types.count,
        help="number of rows per mini-batch (default: 32; tabular: 256)",
    )
    training.add_argument(
        "--learning-rate",
        metavar="F",
        type=types.positive,
        help="initial learning rate (default: 0.002; tabular: chosen by the recipe)",
    )
    training.add_argument(
        "--schedule",
        choices=("constant", "newbob", "cosine", "coslog4"),
        help="change of the learning rate during training: none; half it and return to the best "
        "weights when the loss stalls; half a cosine to 0; four cycles to 0 (default: constant)",
    )
    training.add_argument(
        "--solver",
        choices=("adam", "adamw", "sgd"),
        help="adam, adamw, or sgd with Nesterov momentum 0.9 (default: adam)",
    )
    training.add_argument(
        "--weight-decay",
        metavar="F",
        type=types.penalty,
        help="decoupled weight decay of adamw (default: 0.01; tabular: 0.02)",
    )
    training.add_argument(
        "--alpha",
        metavar="F",
        type=types.penalty,
        help="strength of the L2 penalty on the weights (default: 1e-4)",
    )
    training.add_argument(
        "--max-grad-norm",
        metavar="F",
        type=types.positive,
        help="largest norm of the gradient of a training step; a larger gradient is scaled to it "
        "(default: no limit)",
    )
    training.add_argument(
        "--class-weight",
        choices=("balanced",),
        help="balanced: give all classes the same total weight (default: give all rows the same "
        "weight)",
    )
    training.add_argument(
        "--early-stopping",
        action=argparse.BooleanOptionalAction,
        help="monitor the score on the validation set instead of the training loss: stop when it "
        "no longer improves, and restore the weights of the best epoch (default: off)",
    )
    training.add_argument(
        "--threads",
        metavar="N",
        type=types.threads,
        help="number of threads, which does not affect the results (default: chosen according to "
        "the amount of work)",
    )


def choose_model(arguments: argparse.Namespace) -> None:
    """Set the kind of model, `arguments.model`, and the defaults that depend on it.

    With --resume, `arguments.saved` is the loaded model, otherwise None.
    `arguments.model_by_default` tells whether no option has decided on the kind.

    Raises
    ------
    CommandError
        If options of both kinds are given.
    """
    network, tabular = (
        [name for name in names if not any(getattr(arguments, name) is x for x in (None, False))]
        for names in (NETWORK_ONLY, TABULAR_ONLY)
    )
    resumed = arguments.saved is not None
    arguments.model_by_default = arguments.model is None and not (network or tabular or resumed)
    if arguments.model is None and resumed:
        arguments.model = TABULAR if isinstance(arguments.saved, LoadedTabular) else NETWORK
    elif arguments.model is None:
        named = arguments.data is not None and has_named_columns(arguments.data)
        arguments.model = NETWORK if network or not (named or tabular) else TABULAR
    other, given = (TABULAR, tabular) if arguments.model == NETWORK else (NETWORK, network)
    if given:
        both = network and tabular and arguments.model == NETWORK
        also = f", got {_flag(network[0])}" if both else ""
        raise CommandError(f"{_flag(given[0])} needs --model {other}{also}")
    if arguments.cluster is not None:
        _check_cluster(arguments)
    if arguments.memory is None:
        arguments.memory = DEFAULT_MEMORY
    if arguments.model == NETWORK:
        if arguments.validation_fraction is None:
            arguments.validation_fraction = 0.1
        if arguments.solver_state is None:
            arguments.solver_state = True


def _check_cluster(arguments: argparse.Namespace) -> None:
    given = [name for name in NOT_ON_A_CLUSTER if getattr(arguments, name) not in (None, False)]
    if given:
        raise CommandError(f"{_flag(given[0])} cannot be used with --cluster")
    if arguments.data is None:
        raise CommandError("--cluster needs DATA, which is missing")
    other = [path for path in paths_of(arguments.data) if not path.lower().endswith(PARQUET)]
    if other:
        raise CommandError(f"--cluster needs Parquet files (.parquet), got {other[0]}")


def only(model: str) -> str:
    """List the options that only one kind of model has."""
    return ", ".join(map(_flag, TABULAR_ONLY if model == TABULAR else NETWORK_ONLY))


def _flag(name: str) -> str:
    return "--" + name.replace("_", "-")


def in_options(message: str) -> str:
    """Replace the names of parameters in a message of an estimator by those of the options.

    Names of a single word without a value, which may be meant as such, and names in quotes, which
    may be those of columns, stay.
    """
    options = {name: _flag(option) for option, (name, _) in PARAMETERS.items()}
    message = re.sub(
        rf"(?<![\w'\"])({'|'.join(options)})=('?)([\w.+-]+)\2",
        lambda found: f"{options[found[1]]} {found[3]}",
        message,
    )
    message = re.sub(r"^y must", "the target must", message)
    message = re.sub(r"^(\w+ must be) None as in", r"\1 omitted as in", message)
    words = {name: _flag(option) for option, (name, _) in PARAMETERS.items() if "_" in name}
    words |= {name: _flag(option) for option, name in TABULAR_PARAMETERS.items() if "_" in name}
    words["X_val"] = "the validation set"
    names = rf"(?<![\w'\"])({'|'.join(words)})(?![\w'\"])"
    return re.sub(names, lambda found: words[found[0]], message)


def check_options(arguments: argparse.Namespace) -> None:
    """Raise if options contradict each other."""
    _check_data(arguments)
    if arguments.data is None and arguments.target is not None:
        raise CommandError("--target needs DATA, which is missing")
    if arguments.data is None and (arguments.categorical or arguments.ignore):
        raise CommandError("--categorical and --ignore need DATA, which is missing")
    if arguments.early_stopping and arguments.validation_fraction == 0:
        raise CommandError("--early-stopping needs a validation set, got --validation-fraction 0")
    if arguments.report is not None and arguments.test_size == 0:
        raise CommandError("--report needs held-out rows, got --test-size 0")
    if arguments.resume is not None:
        fixed = FIXED if arguments.model == TABULAR else FIXED + KNOWN_TO_A_NETWORK
        given = [name for name in fixed if getattr(arguments, name) not in (None, False, [])]
        if given:
            raise CommandError(f"--{given[0]} cannot be changed with --resume")
        return
    if arguments.loss is not None and not arguments.regression:
        raise CommandError("--loss needs --regression")
    if arguments.quantiles is not None and arguments.loss != "quantile":
        raise CommandError("--quantiles needs --loss quantile")
    if arguments.quantiles is not None:
        try:
            check.quantile_levels("--quantiles", arguments.quantiles)
        except ValueError as error:
            raise CommandError(str(error)) from error
    if arguments.class_weight is not None and arguments.regression:
        raise CommandError("--class-weight cannot be used with --regression")


def _check_data(arguments: argparse.Namespace) -> None:
    """Raise if the file of the data was taken for the last of several names of columns."""
    for option in ("ignore", "categorical"):
        names = getattr(arguments, option)
        if arguments.data is None and names and os.path.isfile(names[-1]):
            raise CommandError(
                f"DATA is missing: {names[-1]!r} counts as a column after --{option}; put DATA "
                "before the options"
            )


def new_tabular(arguments: argparse.Namespace) -> TabularModel:
    """Return the tabular estimator that the options describe."""
    from ..tabular import TabularClassifier, TabularRegressor

    kind = TabularRegressor if arguments.regression else TabularClassifier
    return kind(**({"random_state": 0} | _given(arguments)))


def new_estimator(arguments: argparse.Namespace) -> Estimator:
    """Return the estimator that the options describe."""
    from ..classifier import DNNClassifier
    from ..regressor import DNNRegressor

    kind = DNNRegressor if arguments.regression else DNNClassifier
    defaults = {name: value for name, value in PARAMETERS.values() if value is not None}
    return kind(**(defaults | _given(arguments)))


def reconfigure(model: Estimator | TabularModel, arguments: argparse.Namespace) -> None:
    """Replace the model's parameters with the options that were given."""
    if arguments.seed is None and model.random_state is None:
        arguments.seed = 0
    given = _given(arguments)
    unknown = sorted(set(given) - set(model.get_params(deep=False)))
    if unknown:
        raise CommandError(
            f"{in_options(unknown[0])} cannot be used with the {type(model).__name__} in "
            f"{arguments.resume}"
        )
    model.set_params(**given)


def _given(arguments: argparse.Namespace) -> dict[str, Any]:
    """Return the parameters whose options were given."""
    names = {option: name for option, (name, _) in PARAMETERS.items()}
    if arguments.model == TABULAR:
        names = TABULAR_PARAMETERS
    options = {name: getattr(arguments, option) for option, name in names.items()}
    given = {name: value for name, value in options.items() if value is not None}
    return {name: tuple(x) if isinstance(x, list) else x for name, x in given.items()}
