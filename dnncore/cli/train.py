"""``dnncore train``: train a model on a table and evaluate it on held-out rows."""

from __future__ import annotations

import argparse
import importlib.util
import os
import sys
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np

from .. import modelfile
from .._data.atomic import write_atomically
from .._data.columns import Table, feature_names
from .._estimators.interface import (
    Estimator,
    TabularModel,
    early_stopping_of,
    is_fitted,
    learnt_of,
    loss_options_of,
    trainer_of,
    unfinished_ensemble_of,
    unfinished_fit_of,
)
from .._estimators.learnt import SINGLE
from . import _tabular
from ._arguments import CommandError, check_destination, csv_format, require_packages
from ._checkpoint import checkpoints
from ._division import Parts, PartsInBlocks, PartsInMemory, Shares
from ._input import as_file, paths_of, source_of
from ._metrics import Scores, with_rows
from ._model import LoadedModel, LoadedTabular, load_model
from ._options import (
    NETWORK,
    TABULAR,
    add_options,
    check_options,
    choose_model,
    in_options,
    new_estimator,
    new_tabular,
    only,
    reconfigure,
)
from ._output import INTERRUPTED, OK, one_line, plural, show_notes, warn
from ._progress import Progress
from ._report import Report, facts_on
from ._scoring import score_rows
from ._signals import sigterm_as_ctrl_c
from .tables import (
    ColumnDataset,
    Dataset,
    FileList,
    See,
    Source,
    has_named_columns,
    is_npz,
    matrix_data,
    see_all,
    size_of,
    training_data,
    training_frame,
)

WARNED_CLASSES = 100  # of integers, which may be meant as numbers
# Maximum size in bytes of the validation set when rows are read in blocks.
MAX_VALIDATION = 10e6


def add_parser(commands: Any) -> None:
    parser = commands.add_parser(
        "train",
        usage="dnncore train [DATA ...] [--target COLUMN] [options]",
        help="train a model, evaluate it on held-out rows and save it",
        description="Train a classifier or, with --regression, a regressor, evaluate it on "
        "held-out rows, and save it together with its learning curve. For a table with named "
        "columns, the model is an ensemble of networks; otherwise, or with --model network, it is "
        "a single network. Text and boolean columns are categories. The model file stores the "
        "encoding.",
        epilog="Rows are split into training and test rows, for a single network also into "
        "validation rows, stratified by class unless they are read in blocks. Every numeric "
        f"column is scaled. Only a single network has {only(NETWORK)}; only an ensemble has "
        f"{only(TABULAR)}. Empty cells, NA, NaN and null are missing values. A column of a CSV "
        "file with both numbers and text must be named by --categorical. Ctrl-C, or SIGTERM, "
        "stops training early: the model is evaluated and saved, and the exit status is 130.",
    )
    parser.set_defaults(run=run)
    add_options(parser)


def run(arguments: argparse.Namespace) -> int:
    with as_file(source_of(arguments.data)) as arguments.data:
        return _run(arguments)


def _run(arguments: argparse.Namespace) -> int:
    require_packages("cli", sklearn="scikit-learn", safetensors="safetensors")
    arguments.saved = None if arguments.resume is None else load_model(arguments.resume)
    choose_model(arguments)
    if arguments.resume is not None:
        _check_resumed(arguments)
    check_options(arguments)
    if not arguments.quiet:
        require_packages("cli", rich="rich")
    if arguments.cluster is not None:
        require_packages("dask", dask="Dask", distributed="Dask (distributed)")
    plot = _check_files(arguments)
    title = "Handwritten digits" if arguments.data is None else _name(arguments.data)
    with _cluster(arguments):
        if arguments.cluster is None:
            _check_memory(arguments)
        train = _train_tabular if arguments.model == TABULAR else _train_network
        with sigterm_as_ctrl_c():
            fitted, parts, interrupted = train(arguments, title)
        report = None
        if arguments.report is not None:
            facts = facts_on(arguments.data or "digits", fitted.target, parts.sizes)
            report = Report(arguments.report, title, facts)
        scores = score_rows(fitted, parts.held_out(), fitted.table, report)
    if plot is not None:
        _draw(fitted.saved, plot, title, scores)
    if scores.rows:
        if not arguments.quiet:
            scores.show()
        print(f"Held-out {with_rows(scores)}")
    print(f"Model written to {arguments.output}")
    if plot is not None:
        print(f"Learning curve written to {plot}")
    if arguments.report is not None:
        print(f"Report written to {arguments.report}")
    return INTERRUPTED if interrupted else OK


@contextmanager
def _cluster(arguments: argparse.Namespace) -> Iterator[None]:
    """Set `arguments.client` to a client of the cluster, None without one."""
    if arguments.cluster is None:
        arguments.client = None
        yield
        return
    from ._cluster import connected

    with connected(arguments.cluster) as arguments.client:
        yield


def _train_network(arguments: argparse.Namespace, title: str) -> tuple[LoadedModel, Parts, bool]:
    """Train and save a network; return it, the parts of the data, and whether it was stopped."""
    model, data = _resumed(arguments) if arguments.resume else _new(arguments)
    if not arguments.quiet:
        show_notes(data)
    parts = _divide(arguments, model, data)
    _warn_of_many_classes(parts)
    division = parts.fingerprint
    if arguments.resume:
        _check_division(arguments.resume, division, parts)
    if not arguments.quiet:
        _announce(title, data, parts)

    def save(trained: Estimator, *, solver_state: bool) -> None:
        _name_features(trained, data.table)
        modelfile.save(
            trained,
            arguments.output,
            table=data.table,
            solver_state=solver_state,
            division=division,
        )

    interrupted = _fit(model, parts, arguments, partial(save, solver_state=True))
    save(model, solver_state=arguments.solver_state)
    return LoadedModel(model, data.table), parts, interrupted


def _train_tabular(arguments: argparse.Namespace, title: str) -> tuple[LoadedModel, Parts, bool]:
    """Train and save an ensemble; see `_train_network`."""
    model = _resumed_tabular(arguments) if arguments.resume else new_tabular(arguments)
    data = _table(arguments)
    if not arguments.quiet:
        show_notes(data)
    shares = Shares(arguments.test_size, 0.0, int(model.random_state))
    parts = PartsInMemory(data, shares, labels=not arguments.regression)
    _warn_of_many_classes(parts)
    if not arguments.quiet:
        _tabular.announce(title, data, parts, model)
    table = tuple(column for column in data.table or () if column.is_target)
    save = partial(modelfile.save, path=arguments.output, table=table or None)
    interrupted = _tabular.fit(model, parts, arguments, partial(save, solver_state=True))
    save(model)
    return LoadedTabular(model, table), parts, interrupted


# ---- before training ------------------------------------------------------------------------


def _check_resumed(arguments: argparse.Namespace) -> None:
    """Raise if the model of --resume is of another kind than --model."""
    saved: LoadedModel = arguments.saved
    if arguments.model == NETWORK:
        saved.estimator("--resume")
    elif not isinstance(saved, LoadedTabular) or unfinished_ensemble_of(saved.saved) is None:
        found = f"{type(saved.saved).__name__} in {arguments.resume}"
        raise CommandError(
            "--resume needs an ensemble that is not finished, which --checkpoint writes, or a "
            f"single network with --model network, got the {found}"
        )


def _check_files(arguments: argparse.Namespace) -> str | None:
    """Raise if a result could not be written; return the path of the plot."""
    plot = _plot_destination(arguments)
    taken = paths_of(arguments.data)
    if arguments.target is not None and not has_named_columns(arguments.data):
        taken.append(arguments.target)
    # The model that is completed may be replaced by the complete one only.
    check_destination("--output", arguments.output, taken)
    taken += [path for path in (arguments.output, arguments.resume) if path is not None]
    for option, path in {"--plot": plot, "--report": arguments.report}.items():
        if path is not None:
            check_destination(option, path, taken)
            taken.append(path)
    return plot


def _plot_destination(arguments: argparse.Namespace) -> str | None:
    if arguments.no_plot:
        return None
    if arguments.plot is not None:
        require_packages("plot", matplotlib="Matplotlib")
        return str(arguments.plot)
    return "learning_curve.png" if importlib.util.find_spec("matplotlib") else None


def _name(data: Source) -> str:
    return one_line(data.name if isinstance(data, FileList) else os.path.basename(data))


def _new(arguments: argparse.Namespace) -> tuple[Estimator, Dataset]:
    """Return the estimator that the options describe, and its data."""
    dtype = None if arguments.dtype is None else np.dtype(arguments.dtype)
    if arguments.data is None:
        data = _digits(dtype or np.dtype(np.float32), arguments.regression)
    else:
        data = training_data(
            _source(arguments),
            arguments.target,
            dtype=dtype,
            regression=arguments.regression,
            categorical=arguments.categorical,
            ignore=arguments.ignore,
            may_miss=arguments.missing not in (None, "error"),
            csv_format=csv_format(arguments),
            see=_see(arguments),
        )
    return new_estimator(arguments), data


def _source(arguments: argparse.Namespace) -> Source:
    """Return the files of DATA: for workers, which have another folder, by absolute paths."""
    data: Source = arguments.data
    if arguments.cluster is None:
        return data
    return FileList(str(data), tuple(map(os.path.abspath, paths_of(data))))


def _see(arguments: argparse.Namespace) -> See:
    """Return what reads the rows to learn the encoding of their columns."""
    if arguments.cluster is None:
        return see_all
    from ._cluster import see_on

    return see_on(arguments.client)


def _check_memory(arguments: argparse.Namespace) -> None:
    """Raise if the rows of an ensemble do not fit into memory, or by default train a network."""
    if arguments.data is None or (arguments.model == NETWORK and not is_npz(arguments.data)):
        return
    size = size_of(arguments.data, csv_format(arguments)) / 1e6
    if size <= arguments.memory:
        return
    if arguments.model == NETWORK:
        raise _npz_in_blocks(arguments.data)
    problem = f"{arguments.data} has {size:.1f} MB, more than --memory {arguments.memory:g}"
    if not arguments.model_by_default:
        raise CommandError(
            f"{problem}, and an ensemble needs all rows in memory; increase --memory, or use "
            "--model network"
        )
    warn(f"{problem}: a network is trained on blocks of rows")
    arguments.model = NETWORK
    choose_model(arguments)


def _table(arguments: argparse.Namespace) -> Dataset:
    """Return the data for an ensemble."""
    if arguments.data is None:
        return _digits(np.dtype(np.float64), arguments.regression)
    return training_frame(
        arguments.data,
        arguments.target,
        regression=arguments.regression,
        categorical=arguments.categorical,
        ignore=arguments.ignore,
        csv_format=csv_format(arguments),
    )


def _digits(dtype: np.dtype[Any], regression: bool) -> Dataset:
    from sklearn.datasets import load_digits

    digits = load_digits()
    return matrix_data(
        "digits",
        digits.data,
        digits.target,
        names=digits.feature_names,
        dtype=dtype,
        regression=regression,
    )


def _resumed(arguments: argparse.Namespace) -> tuple[Estimator, Dataset]:
    """Return the estimator in a model file, ready to resume training, and its data."""
    saved: LoadedModel = arguments.saved
    model = saved.estimator("--resume")
    if trainer_of(model) is None:
        warn(f"{arguments.resume} has no solver state: {model.solver} is restarted")
    reconfigure(model, arguments)
    if arguments.data is None:
        digits = _digits(saved.dtype, saved.classes is None)
        if _features(saved.table) != _features(digits.table):
            raise CommandError(
                f"--resume needs DATA: {arguments.resume} was not trained on the digits, which "
                "are the default"
            )
        return model, digits
    return model, saved.rows(
        _source(arguments),
        target=arguments.target,
        with_target=True,
        csv_format=csv_format(arguments),
    )


def _resumed_tabular(arguments: argparse.Namespace) -> TabularModel:
    """Return the ensemble in a model file, whose training is to be completed.

    The options have its target, unless that is no column, and whether it is a number.
    """
    saved: LoadedTabular = arguments.saved
    if arguments.data is not None and has_named_columns(arguments.data):
        arguments.target = arguments.target or saved.target
    arguments.regression = saved.classes is None
    reconfigure(saved.saved, arguments)
    return saved.saved


def _npz_in_blocks(path: str) -> CommandError:
    return CommandError(
        f"{path} cannot be read in blocks, because it is an NPZ file; save its arrays as NPY "
        "files, or increase --memory"
    )


def _features(table: Table | None) -> list[str]:
    return [column.name for column in table or () if not column.is_target]


def _divide(arguments: argparse.Namespace, model: Estimator, data: Dataset) -> Parts:
    seed = int(model.random_state)
    shares = Shares(arguments.test_size, arguments.validation_fraction, seed)
    if isinstance(data, ColumnDataset) and arguments.cluster is not None:
        from ._cluster import PartsOnCluster

        return PartsOnCluster(data, shares, arguments.client, labels=_classifies(model))
    limit = 1e6 * arguments.memory
    if not arguments.blocks and data.size <= limit:
        return PartsInMemory(data, shares, labels=_has_one_label_per_row(model))
    if is_npz(data.path):
        raise _npz_in_blocks(data.path)
    validation = min(shares.validation, MAX_VALIDATION / max(data.size, 1))
    shares = shares._replace(validation=validation)
    return PartsInBlocks(data, shares, labels=_classifies(model))


def _warn_of_many_classes(parts: Parts) -> None:
    n_classes, is_number = parts.n_classes, parts.classes_are_integers
    if n_classes is not None and n_classes > WARNED_CLASSES and is_number:
        warn(
            f"the target has {n_classes} different integers, which are classes; --regression "
            "predicts it as a number"
        )


def _check_division(path: str, division: str, parts: Parts) -> None:
    """Raise if rows that a model has been trained on are now held out, or may be."""
    _, validation, test = parts.sizes
    known = modelfile.read_division(path)
    if known == division or not validation + test:
        return
    if known is None:
        warn(
            f"{path} does not tell the rows that it was trained on: validation and held-out "
            "rows may be among them"
        )
        return
    raise CommandError(
        f"{path} was trained on other rows, in another order or split in another way, so that "
        "validation and held-out rows may be among them; repeat DATA, --test-size, "
        "--validation-fraction, --seed, --blocks, --memory and --cluster, or train on all rows "
        "with --test-size 0 --validation-fraction 0"
    )


def _classifies(model: Estimator) -> bool:
    from sklearn.base import is_classifier

    return bool(is_classifier(model))


def _has_one_label_per_row(model: Estimator) -> bool:
    """Whether the target is one label per row."""
    return _classifies(model) and (not is_fitted(model) or learnt_of(model).kind == SINGLE)


def _score_name(model: Estimator) -> str:
    if _classifies(model):
        return "accuracy"
    return "D2" if loss_options_of(model)["loss"] == "quantile" else "R2"


def _announce(title: str, data: Dataset, parts: Parts) -> None:
    train, validation, test = parts.sizes
    classes = "" if parts.n_classes is None else f", {parts.n_classes} classes"
    print(
        f"{title}: {train + validation + test} rows, {plural(data.n_features, 'feature')}{classes}"
        f"\n{train} training rows, {validation} validation rows, {test} held-out rows",
        file=sys.stderr,
    )


# ---- training -------------------------------------------------------------------------------


def _fit(
    model: Estimator,
    parts: Parts,
    arguments: argparse.Namespace,
    save: Callable[[Estimator], None],
) -> bool:
    """Train the model; return whether Ctrl-C stopped it. `save` writes checkpoints."""
    from sklearn.exceptions import ConvergenceWarning

    _name_features(model, None)  # scikit-learn would warn that the arrays have no names
    progress = Progress(model.max_iter, _score_name(model), quiet=arguments.quiet)
    model.set_params(callback=progress)
    before = _epochs_before(model) if arguments.resume else 0
    with (
        checkpoints(model, arguments, save),
        warnings.catch_warnings(record=True) as caught,
        progress,
    ):
        warnings.simplefilter("always")
        try:
            parts.fit(model)
        except ValueError as error:
            raise CommandError(in_options(str(error))) from error
    model.set_params(callback=None)
    # The user chose the number of epochs, or the time.
    messages = [in_options(str(x.message)) for x in caught if x.category is not ConvergenceWarning]
    interrupted = model.stop_reason_ == "interrupted"
    if model.n_iter_ == before:
        if interrupted:
            raise KeyboardInterrupt
        raise CommandError("; ".join(messages))
    for message in dict.fromkeys(messages):
        warn(message)
    if not arguments.quiet:
        print(_summary(model, model.n_iter_ - before), file=sys.stderr)
    return interrupted


def _epochs_before(model: Any) -> int:
    """Return the number of epochs of former fits; that of a checkpoint is not over."""
    unfinished = unfinished_fit_of(model)
    return int(model.n_iter_) - (0 if unfinished is None else int(unfinished.state.epoch))


def _name_features(model: Estimator, table: Table | None) -> None:
    """Let the model have the feature names of a table, or none."""
    vars(model).pop("feature_names_in_", None)
    if table is not None:
        model.feature_names_in_ = np.array(feature_names(table), dtype=object)


def _kept(model: Estimator) -> bool | str:
    """Return what the epoch goes by whose parameters the model has; False: it is the last."""
    return early_stopping_of(model, validated=bool(model.validation_losses_))


def _summary(model: Any, epochs: int) -> str:
    ended = plural(epochs, "epoch")
    if epochs < model.max_iter:
        ended = f"{epochs} of {plural(model.max_iter, 'epoch')}, {_reason(model)}"
    text = f"Trained for {ended}: loss {model.loss_curve_[-1]:.4f}"
    scores, name = model.validation_scores_, f"validation {_score_name(model)}"
    if not scores:
        return text
    kept = _kept(model)
    if not kept:
        return f"{text}, {name} {scores[-1]:.4f}"
    losses = model.validation_losses_
    best = losses.index(min(losses)) if kept == "loss" else scores.index(max(scores))
    return f"{text}; restored epoch {best + 1}, {name} {scores[best]:.4f}"


def _reason(model: Any) -> str:
    """Say why training has ended before the last epoch."""
    reason = model.stop_reason_
    if reason == "interrupted":
        return "when it was interrupted"
    if reason == "diverged":
        return "as it diverged"
    if reason == "max_time":
        return f"when --max-time {model.max_time:g} was over"
    kept = _kept(model)
    judged = {True: f"validation {_score_name(model)}", "loss": "validation loss"}
    what = judged.get(kept, "training loss")
    if model.learning_rate == "newbob":
        return f"as the {what} no longer improved with --schedule newbob"
    return f"as the {what} did not improve in {model.n_iter_no_change} epochs"


# ---- after training -------------------------------------------------------------------------


def _draw(model: Any, path: str, title: str, scores: Scores) -> None:
    from ._plot import learning_curve

    curve = (_tabular.curve if isinstance(model, TabularModel) else _curve)(model)
    if scores.rows:
        curve["subtitle"] += f", held-out {scores.summary()}"
    write_atomically(path, learning_curve(title=title, **curve))


def _curve(model: Estimator) -> dict[str, Any]:
    """Return the arguments of :func:`learning_curve` that depend on the model."""
    return {
        "loss": model.loss_curve_,
        "validation_scores": model.validation_scores_,
        "validation_loss": model.validation_losses_,
        "subtitle": "-".join(map(str, model.network_.layer_sizes)) + f", {model.solver}",
        "best_is_kept": bool(_kept(model)),
        "best_by_loss": _kept(model) == "loss",
        "score_name": _score_name(model).replace("2", "²"),
        "loss_name": "cross-entropy"
        if _classifies(model)
        else loss_options_of(model)["loss"].replace("_", " "),
    }
