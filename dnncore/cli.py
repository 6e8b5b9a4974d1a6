"""The command line: ``dnncore train``, ``dnncore predict`` and ``dnncore info``.

Results go to standard output, progress and errors to standard error. Exit status: 0 when all is
well, 2 after an error, which is one line, 130 after Ctrl-C (the model in training is evaluated and
saved first), 141 when the reader of the output has gone.
"""

from __future__ import annotations

import argparse
import csv
import importlib.util
import io
import math
import os
import sys
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn

import numpy as np
from numpy.typing import NDArray

import dnncore

from ._tables import TableError, read_features, read_training
from ._threads import MAX_THREADS
from .modelfile import ModelFileError, load, write_atomically
from .network import Network

if TYPE_CHECKING:
    from rich.console import Console

    from ._estimator import DNNEstimator
    from .classifier import DNNClassifier
    from .training import EpochInfo

__all__ = ["main"]

OK, ERROR, INTERRUPTED, BROKEN_PIPE = 0, 2, 130, 141


class CommandError(Exception):
    """Something that the user can put right."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the ``dnncore`` command.

    Parameters
    ----------
    argv : sequence of str, optional
        Arguments; by default those of the process.

    Returns
    -------
    int
        Exit status.
    """
    if isinstance(sys.stdout, io.TextIOWrapper):
        # A terminal may lack the letters of a class.
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        arguments = _parser().parse_args(argv)
        status: int = arguments.run(arguments)
        sys.stdout.flush()
        return status
    except BrokenPipeError:
        _discard_output()
        return BROKEN_PIPE
    except KeyboardInterrupt:
        return _report("interrupted", INTERRUPTED)
    except MemoryError as error:
        return _report(f"error: out of memory: {error}")
    except OSError as error:
        if error.filename is None:
            _discard_output()
            return _report(f"error: {error}")
        return _report(f"error: {error.filename}: {error.strerror}")
    except (CommandError, ImportError, ModelFileError, TableError) as error:
        return _report(f"error: {error}")


def _discard_output() -> None:
    """Spare the interpreter a vain flush of standard output on its way out."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _report(message: str, status: int = ERROR) -> int:
    print(f"dnncore: {_one_line(message)}", file=sys.stderr)
    return status


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}" + ("" if count == 1 else "s")


def _one_line(text: str) -> str:
    """Return `text` without line breaks and control characters, which names in a file may hold."""
    spaced = " ".join(text.split())
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in spaced)


# ---- arguments ----------------------------------------------------------------------------------


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        self.exit(ERROR, f"dnncore: error: {_one_line(message)} (see '{self.prog} --help')\n")


def _number(
    kind: Callable[[str], Any], description: str, valid: Callable[[Any], bool]
) -> Callable[[str], Any]:
    """Return an argument type: a number of one kind in a range."""

    def parse(text: str) -> Any:
        try:
            value = kind(text)
        except ValueError:
            value = None
        if value is None or not valid(value):
            raise argparse.ArgumentTypeError(f"must be {description}, got {text!r}")
        return value

    return parse


_count = _number(int, "an integer >= 1", lambda value: value >= 1)
_threads = _number(
    int, f"an integer from 1 to {MAX_THREADS}", lambda value: 1 <= value <= MAX_THREADS
)
_seed = _number(int, "an integer from 0 to 4294967295", lambda value: 0 <= value < 2**32)
_fraction = _number(float, "a number >= 0 and < 1", lambda value: 0 <= value < 1)
_rate = _number(float, "a finite number > 0", lambda value: 0 < value < math.inf)
_penalty = _number(float, "a finite number >= 0", lambda value: 0 <= value < math.inf)


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="dnncore",
        description="Train dense neural-network classifiers on a CPU, and predict with them, or "
        "with any other model that dnncore has saved.",
        epilog="Without data, 'dnncore train' learns the handwritten digits of scikit-learn.",
    )
    parser.add_argument("--version", action="version", version=f"dnncore {dnncore.__version__}")
    commands = parser.add_subparsers(metavar="COMMAND", required=True)
    _add_train(commands)
    _add_predict(commands)
    _add_info(commands)
    return parser


def _add_train(commands: Any) -> None:
    train = commands.add_parser(
        "train",
        usage="dnncore train [DATA] [--target COLUMN] [options]",
        help="train a classifier, measure it on held-out rows and save it",
        description="Train a classifier, measure it on held-out rows that it has never seen, "
        "and save it with its learning curve. Numbers to predict, or several labels in a row, are "
        "for DNNRegressor and DNNClassifier in Python.",
        epilog="Rows are divided, class by class, into test rows, validation rows and training "
        "rows. Every feature is standardised by the network. Empty cells, NA, NaN and null count "
        "as missing and are refused. Ctrl-C ends the training early: the model so far is "
        "measured and saved, and the exit status is 130.",
    )
    train.set_defaults(run=_train)
    train.add_argument(
        "data",
        metavar="DATA",
        nargs="?",
        help="CSV file with a header row, or NPZ file with arrays X and y (default: the "
        "handwritten digits that scikit-learn ships)",
    )
    train.add_argument(
        "--target", metavar="COLUMN", help="column of the CSV file with the class labels"
    )

    files = train.add_argument_group("files to write")
    files.add_argument(
        "--output",
        metavar="FILE",
        default="model.safetensors",
        help="model file (default: %(default)s)",
    )
    plot = files.add_mutually_exclusive_group()
    plot.add_argument(
        "--plot",
        metavar="FILE",
        help="learning curve as a PNG image (default: learning_curve.png if Matplotlib is there)",
    )
    plot.add_argument("--no-plot", action="store_true", help="draw no learning curve")

    rows = train.add_argument_group("rows")
    rows.add_argument(
        "--test-size",
        metavar="F",
        type=_fraction,
        default=0.2,
        help="share of the rows that is held out; 0 measures nothing (default: %(default)s)",
    )
    rows.add_argument(
        "--validation-fraction",
        metavar="F",
        type=_fraction,
        default=0.1,
        help="share of the other rows to watch the training by; 0 for none (default: %(default)s)",
    )
    rows.add_argument(
        "--seed",
        type=_seed,
        default=0,
        metavar="N",
        help="seed of the division, initial weights and order of rows (default: %(default)s)",
    )

    network = train.add_argument_group("network and training")
    network.add_argument(
        "--hidden",
        metavar="N",
        type=_count,
        nargs="*",
        default=[100],
        help="sizes of the hidden layers, from input to output; no number: none (default: 100)",
    )
    network.add_argument(
        "--epochs",
        metavar="N",
        type=_count,
        default=100,
        help="passes over the training rows at most (default: %(default)s)",
    )
    network.add_argument(
        "--batch-size",
        metavar="N",
        type=_count,
        default=32,
        help="rows of a mini-batch (default: %(default)s)",
    )
    network.add_argument(
        "--learning-rate",
        metavar="F",
        type=_rate,
        default=0.002,
        help="step size of the solver (default: %(default)s)",
    )
    network.add_argument(
        "--solver",
        choices=("adam", "sgd"),
        default="adam",
        help="adam, or sgd with Nesterov momentum 0.9 (default: %(default)s)",
    )
    network.add_argument(
        "--alpha",
        metavar="F",
        type=_penalty,
        default=1e-4,
        help="L2 penalty of the weights (default: %(default)s)",
    )
    network.add_argument(
        "--early-stopping",
        action=argparse.BooleanOptionalAction,
        default=False,
        help="stop when the validation accuracy, not the training loss, no longer improves, and "
        "keep the weights of the best epoch (default: off)",
    )
    network.add_argument(
        "--dtype",
        choices=("float32", "float64"),
        default="float32",
        help="of the data and weights (default: %(default)s)",
    )
    network.add_argument(
        "--threads",
        metavar="N",
        type=_threads,
        help="threads; the results do not depend on it (default: as many as the work occupies)",
    )
    train.add_argument("--quiet", action="store_true", help="no progress and no table of classes")


def _add_predict(commands: Any) -> None:
    predict = commands.add_parser(
        "predict",
        usage="dnncore predict MODEL DATA [--output FILE] [--proba]",
        help="predict the classes, or numbers, of new rows",
        description="Predict the classes of new rows, or the numbers of a regressor, and write "
        "them as CSV with a column 'prediction'; of a model with several labels or numbers in a "
        "row, with the columns 'prediction_0', 'prediction_1' and so on.",
    )
    predict.set_defaults(run=_predict)
    predict.add_argument("model", metavar="MODEL", help="model file")
    predict.add_argument(
        "data",
        metavar="DATA",
        help="CSV file with a column of the name of each feature, other columns being ignored; or "
        "NPZ file with an array X",
    )
    predict.add_argument(
        "--output", metavar="FILE", help="file to write (default: standard output)"
    )
    predict.add_argument(
        "--proba",
        action="store_true",
        help="add a column for each class, called like the class, with its probability; not for "
        "a regressor",
    )


def _add_info(commands: Any) -> None:
    info = commands.add_parser(
        "info",
        usage="dnncore info [MODEL]",
        help="show the configuration of dnncore, or what a model file holds",
        description="Show the configuration of dnncore, or what a model file holds.",
    )
    info.set_defaults(run=_info)
    info.add_argument("model", metavar="MODEL", nargs="?", help="model file")


def _require_packages(extra: str, **packages: str) -> None:
    """Raise unless all modules can be found; `packages` maps them to their distributions."""
    for module, distribution in packages.items():
        if importlib.util.find_spec(module) is None:
            raise CommandError(f"{distribution} is not installed: pip install 'dnncore[{extra}]'")


def _check_destination(option: str, path: str, inputs: Sequence[str]) -> None:
    """Raise before the work is done if its result cannot be written, or would replace an input."""
    parent = Path(path).parent
    if not parent.is_dir():
        raise CommandError(f"{option}: there is no directory {str(parent)!r}")
    if os.path.exists(path) and not os.path.isfile(path):
        raise CommandError(f"{option}: {path!r} is not a regular file")
    for other in inputs:
        if os.path.realpath(path) == os.path.realpath(other):
            raise CommandError(f"{option}: {path!r} is also an input or another output")


# ---- train --------------------------------------------------------------------------------------


class _Data(NamedTuple):
    title: str
    X: NDArray[Any]  # (n_samples, n_features)
    y: NDArray[Any]  # (n_samples,)
    feature_names: list[str] | None


class _Rows(NamedTuple):
    """Indices of rows."""

    train: NDArray[np.intp]
    validation: NDArray[np.intp]
    test: NDArray[np.intp]


def _train(arguments: argparse.Namespace) -> int:
    if arguments.early_stopping and arguments.validation_fraction == 0:
        raise CommandError("--early-stopping needs validation rows, got --validation-fraction 0")
    _require_packages("cli", sklearn="scikit-learn", safetensors="safetensors")
    if not arguments.quiet:
        _require_packages("cli", rich="rich")
    plot = _plot_destination(arguments)
    inputs = [arguments.data] if arguments.data else []
    _check_destination("--output", arguments.output, inputs)
    if plot is not None:
        _check_destination("--plot", plot, [*inputs, arguments.output])

    data = _read_training(arguments)
    rows = _divide(data, arguments.test_size, arguments.validation_fraction, arguments.seed)
    if not arguments.quiet:
        n_classes = len(np.unique(data.y))
        print(
            f"{data.title}: {len(data.y)} rows, {_plural(data.X.shape[1], 'feature')}, "
            f"{n_classes} classes\n"
            f"{len(rows.train)} rows to train on, {len(rows.validation)} to validate, "
            f"{len(rows.test)} held out",
            file=sys.stderr,
        )
    model, interrupted = _fit(data, rows, arguments)
    model.save(arguments.output)

    predicted, _ = _scores(model, data.X[rows.test])
    actual = data.y[rows.test]
    accuracy = float(np.mean(predicted == actual)) if len(actual) else None
    if plot is not None:
        _draw(model, plot, data.title, accuracy)
    if accuracy is not None:
        if not arguments.quiet:
            _print_table(model.classes_, actual, predicted)
        print(f"Held-out accuracy {accuracy:.4f} ({_plural(len(actual), 'row')})")
    print(f"Model written to {arguments.output}")
    if plot is not None:
        print(f"Learning curve written to {plot}")
    return INTERRUPTED if interrupted else OK


def _plot_destination(arguments: argparse.Namespace) -> str | None:
    if arguments.no_plot:
        return None
    if arguments.plot is not None:
        _require_packages("plot", matplotlib="Matplotlib")
        return str(arguments.plot)
    return "learning_curve.png" if importlib.util.find_spec("matplotlib") else None


def _read_training(arguments: argparse.Namespace) -> _Data:
    dtype = np.dtype(arguments.dtype)
    if arguments.data is None:
        if arguments.target is not None:
            raise CommandError("--target names a column of DATA, which is missing")
        from sklearn.datasets import load_digits

        digits = load_digits()
        return _Data(
            "Handwritten digits", digits.data.astype(dtype), digits.target, digits.feature_names
        )
    X, y, feature_names = read_training(arguments.data, arguments.target, dtype)
    return _Data(_one_line(os.path.basename(arguments.data)), X, y, feature_names)


def _divide(data: _Data, test_size: float, validation_fraction: float, seed: int) -> _Rows:
    """Divide the rows into parts with the same shares of the classes."""
    classes, counts = np.unique(data.y, return_counts=True)
    if len(classes) < 2:
        raise CommandError(f"all rows are of one class, {str(classes[0])!r}; training needs two")
    n_parts = 1 + (test_size > 0) + (validation_fraction > 0)
    rarest = int(np.argmin(counts))
    if counts[rarest] < n_parts:
        raise CommandError(
            f"class {str(classes[rarest])!r} has {_plural(counts[rarest], 'row')}, too few to "
            "divide into training, validation and test rows; --validation-fraction 0 and "
            "--test-size 0 leave parts out"
        )
    try:
        rest, test = _split(np.arange(len(data.y)), data.y, test_size, seed)
        train, validation = _split(rest, data.y, validation_fraction, seed)
    except ValueError as error:
        raise CommandError(f"{len(data.y)} rows cannot be divided: {error}") from error
    if len(np.unique(data.y[train])) < len(classes):
        raise CommandError("no training rows are left of some class; divide off smaller parts")
    return _Rows(train, validation, test)


def _split(
    rows: NDArray[np.intp], y: NDArray[Any], fraction: float, seed: int
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Divide off a fraction of the rows, the same of every class."""
    from sklearn.model_selection import train_test_split

    if fraction == 0:
        return rows, rows[:0]
    rest, part = train_test_split(rows, test_size=fraction, stratify=y[rows], random_state=seed)
    return rest, part


def _fit(data: _Data, rows: _Rows, arguments: argparse.Namespace) -> tuple[DNNClassifier, bool]:
    """Return the fitted classifier, and whether Ctrl-C ended its training."""
    from sklearn.exceptions import ConvergenceWarning

    from .classifier import DNNClassifier

    validate = len(rows.validation) > 0
    progress = _Progress(arguments.epochs, quiet=arguments.quiet)
    model = DNNClassifier(
        tuple(arguments.hidden),
        solver=arguments.solver,
        alpha=arguments.alpha,
        batch_size=arguments.batch_size,
        learning_rate_init=arguments.learning_rate,
        max_iter=arguments.epochs,
        random_state=arguments.seed,
        early_stopping=arguments.early_stopping,
        n_threads=arguments.threads,
        callback=progress,
    )
    with warnings.catch_warnings(record=True) as caught, progress:
        warnings.simplefilter("always")
        warnings.simplefilter("ignore", ConvergenceWarning)  # The user chose the epochs.
        try:
            model.fit(
                data.X[rows.train],
                data.y[rows.train],
                X_val=data.X[rows.validation] if validate else None,
                y_val=data.y[rows.validation] if validate else None,
            )
        except ValueError as error:
            raise CommandError(str(error)) from error
    messages = [str(warning.message) for warning in caught]
    interrupted = any("interrupted" in message for message in messages)
    if model.n_iter_ == 0:
        if interrupted:
            raise KeyboardInterrupt
        raise CommandError("; ".join(messages))
    for message in messages:
        _report(f"warning: {message}")
    if not arguments.quiet:
        print(_summary(model), file=sys.stderr)
    if data.feature_names is not None:
        model.feature_names_in_ = np.array(data.feature_names, dtype=object)
    return model, interrupted


def _summary(model: DNNClassifier) -> str:
    text = f"Trained {_plural(model.n_iter_, 'epoch')}: loss {model.loss_curve_[-1]:.4f}"
    scores = model.validation_scores_
    if scores and model.early_stopping:
        best = max(scores)
        return f"{text}; kept epoch {scores.index(best) + 1}, validation accuracy {best:.4f}"
    return f"{text}, validation accuracy {scores[-1]:.4f}" if scores else text


class _Progress:
    """Callback of the estimator that shows the epochs on standard error.

    On a terminal a bar is drawn; elsewhere every tenth part of the epochs gives a line.
    """

    def __init__(self, epochs: int, *, quiet: bool) -> None:
        self._every = max(1, epochs // 10)
        self._quiet = quiet
        self._bar: Any = None
        if not quiet and sys.stderr.isatty():
            from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

            self._bar = Progress(
                TextColumn("epoch"),
                MofNCompleteColumn(),
                BarColumn(),
                TextColumn("{task.description}"),
                console=_console(sys.stderr),
            )
            self._task = self._bar.add_task("", total=epochs)

    def __enter__(self) -> None:
        if self._bar is not None:
            self._bar.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def __call__(self, info: EpochInfo) -> None:
        if self._quiet:
            return
        text = f"loss {info.loss:.4f}"
        if info.validation_score is not None:
            text += f"  validation accuracy {info.validation_score:.4f}"
        if self._bar is not None:
            self._bar.update(self._task, completed=info.epoch, description=text)
        elif info.epoch == 1 or info.epoch % self._every == 0:
            print(f"epoch {info.epoch}/{info.max_iter}  {text}", file=sys.stderr, flush=True)


def _console(stream: Any) -> Console:
    """Return a rich console that takes text as it is, and writes colours to a terminal only."""
    from rich.console import Console

    return Console(
        file=stream,
        force_terminal=stream.isatty(),
        markup=False,
        emoji=False,
        highlight=False,
    )


def _print_table(classes: NDArray[Any], y: NDArray[Any], predicted: NDArray[Any]) -> None:
    """Print precision, recall, F1 and number of rows of each class, and their plain means."""
    from rich import box
    from rich.table import Table
    from sklearn.metrics import precision_recall_fscore_support

    scores = precision_recall_fscore_support(y, predicted, labels=classes, zero_division=0.0)
    table = Table(box=box.SIMPLE_HEAD, show_footer=True)
    table.add_column("class", "mean", overflow="fold")
    for name, values in zip(("precision", "recall", "F1"), scores, strict=False):
        table.add_column(name, f"{np.mean(values):.4f}", justify="right")
    table.add_column("count", str(len(y)), justify="right")
    for label, precision, recall, f1, count in zip(classes, *scores, strict=True):
        numbers = (f"{value:.4f}" for value in (precision, recall, f1))
        table.add_row(_one_line(str(label)), *numbers, str(count))
    console = _console(sys.stdout)
    with console.capture() as capture:  # rich would end the process itself on a broken pipe.
        console.print(table)
    print(capture.get(), end="")


def _draw(model: DNNClassifier, path: str, title: str, accuracy: float | None) -> None:
    from ._plot import learning_curve

    subtitle = "-".join(map(str, model.network_.layer_sizes)) + f", {model.solver}"
    if accuracy is not None:
        subtitle += f", held-out accuracy {accuracy:.1%}"
    image = learning_curve(
        model.loss_curve_,
        model.validation_scores_,
        title=title,
        subtitle=subtitle,
        best_is_kept=bool(model.early_stopping),
    )
    write_atomically(path, image)


# ---- predict ------------------------------------------------------------------------------------


def _predict(arguments: argparse.Namespace) -> int:
    if arguments.output is not None:
        _check_destination("--output", arguments.output, [arguments.model, arguments.data])
    model = load(arguments.model)
    network = model if isinstance(model, Network) else model.network_
    if arguments.proba and network.output == "identity":
        raise CommandError(f"--proba: {arguments.model} predicts numbers, not classes")
    X = read_features(
        arguments.data,
        getattr(model, "feature_names_in_", None),
        network.layer_sizes[0],
        network.dtype,
    )
    predicted, probabilities = _scores(model, X)
    if network.output == "softmax":
        columns, header = [predicted.tolist()], ["prediction"]
    else:
        columns, header = _as_text(predicted), ["prediction"]
        if len(columns) > 1:
            header = [f"prediction_{i}" for i in range(len(columns))]
    if arguments.proba:
        header += map(str, _classes(model))
        columns += _as_text(probabilities)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(zip(*columns, strict=True))
    # A table is UTF-8 whatever the locale, like the tables that are read.
    table = memoryview(text.getvalue().encode())
    if arguments.output is not None:
        write_atomically(arguments.output, table)
        return OK
    while table:  # An unbuffered stream may take a part.
        table = table[sys.stdout.buffer.write(table) :]
    return OK


def _as_text(columns: NDArray[Any]) -> list[list[str]]:
    """Return the columns of an array, each number as short as its dtype allows."""
    text: list[list[str]] = columns.T.astype(str).tolist()
    return text


def _classes(model: Network | DNNEstimator) -> NDArray[Any]:
    """Return the classes, which a Network only numbers."""
    if isinstance(model, Network):
        return np.arange(model.layer_sizes[-1])
    classes: NDArray[Any] = model._freeze_options()["classes"]
    return classes


def _scores(model: Network | DNNEstimator, X: NDArray[Any]) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return what is predicted for the rows of X, and the outputs: probabilities or numbers.

    Predicted are classes (n,), labels of 0 and 1 (n, n_outputs), or the numbers themselves.

    The network is asked itself: the columns of X are in order, but the estimator would warn that
    an array has no column names.
    """
    network = model if isinstance(model, Network) else model.network_
    outputs = network.predict_proba(X)
    if network.output == "softmax":
        return _classes(model)[np.argmax(outputs, axis=1)], outputs
    if network.output == "logistic":
        return (outputs > 0.5).astype(np.intp), outputs
    if not isinstance(model, Network):
        units = model._freeze_options()
        outputs *= units["target_scale"].astype(outputs.dtype)
        outputs += units["target_mean"].astype(outputs.dtype)
    return outputs, outputs


# ---- info ---------------------------------------------------------------------------------------


def _info(arguments: argparse.Namespace) -> int:
    if arguments.model is None:
        dnncore.show_config()
        return OK
    model = load(arguments.model)
    network = model if isinstance(model, Network) else model.network_
    size = os.path.getsize(arguments.model)
    layers = "-".join(map(str, network.layer_sizes))
    facts = {
        "file": f"{arguments.model} ({size / 1000:.1f} kB)",
        "kind": type(model).__name__,
        "layer sizes": f"{layers} ({network.n_parameters} weights and biases)",
        "activation": network.activation,
        "output": network.output,
        "dtype": str(network.dtype),
        "norm": "no" if network.mean_ is None else "yes",
    }
    if isinstance(model, Network):
        _print_facts(facts)
        return OK
    names = getattr(model, "feature_names_in_", None)
    if network.output != "identity":
        classes = _classes(model)
        facts["classes"] = f"{len(classes)}: {_start(classes)} ({classes.dtype})"
    facts |= {
        "features": f"{model.n_features_in_}: {'no names' if names is None else _start(names)}",
        "trained": f"{_plural(model.n_iter_, 'epoch')}, {_plural(model.t_, 'row')} in all",
    }
    if model.loss_curve_:
        facts["loss"] = f"{model.loss_curve_[-1]:.4f} in the last epoch"
    if model.validation_scores_:
        # Accuracy, R2, or what the parameter scoring asked for.
        facts["validation"] = f"best score {max(model.validation_scores_):.4f}"
    _print_facts(facts)
    params = model.get_params(deep=False)
    del params["callback"]  # It is no part of a file.
    print("parameters")
    _print_facts({f"  {name}": repr(value) for name, value in params.items()})
    return OK


def _print_facts(facts: dict[str, str]) -> None:
    width = max(map(len, facts)) + 2
    for name, value in facts.items():
        print(f"{name:{width}}{_one_line(value)}")


def _start(values: NDArray[Any]) -> str:
    """Return the first few values, separated by commas."""
    return ", ".join(map(str, values[:10])) + (", ..." if len(values) > 10 else "")
