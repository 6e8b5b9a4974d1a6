"""What ``dnncore train`` does for an ensemble of networks, instead of for a single one."""

from __future__ import annotations

import argparse
import sys
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._data.table_columns import CategoryColumn
from .._estimators.interface import TabularModel, unfinished_ensemble_of
from .._estimators.unfinished import OtherRowsError
from .._training.history import mean_history
from ._arguments import CommandError
from ._checkpoint import checkpoints
from ._division import PartsInMemory
from ._options import in_options
from ._output import plural, warn
from ._progress import Progress
from .tables import Dataset


def announce(title: str, data: Dataset, parts: PartsInMemory, model: TabularModel) -> None:
    train, _, test = parts.sizes
    classes = "" if parts.n_classes is None else f", {parts.n_classes} classes"
    print(
        f"{title}: {train + test} rows, {plural(data.n_features, 'column')}{classes}\n"
        f"{train} training rows for {plural(model.n_members, 'network')}, {test} held-out rows",
        file=sys.stderr,
    )


def fit(
    model: TabularModel,
    parts: PartsInMemory,
    arguments: argparse.Namespace,
    save: Callable[[TabularModel], None],
) -> bool:
    """Train the networks; return whether Ctrl-C stopped them. `save` writes checkpoints."""
    unfinished = unfinished_ensemble_of(model)
    n_missing = model.n_members - (0 if unfinished is None else unfinished.n_finished)
    progress = Progress(n_missing * model.max_iter, "", quiet=arguments.quiet)
    model.set_params(callback=progress.after_member_epoch)
    with (
        checkpoints(model, arguments, save),
        warnings.catch_warnings(record=True) as caught,
        progress,
    ):
        warnings.simplefilter("always")
        try:
            parts.fit(model)
        except OtherRowsError as error:
            raise CommandError(
                f"{arguments.resume} was trained on other rows, in another order, or split or "
                "encoded in another way; repeat DATA, --test-size, --seed, --categorical and "
                "--ignore"
            ) from error
        except (TypeError, ValueError) as error:
            raise CommandError(in_options(str(error))) from error
    model.set_params(callback=None)
    for message in dict.fromkeys(in_options(str(warning.message)) for warning in caught):
        warn(message)
    _warn_of_many_categories(model)
    if not arguments.quiet:
        print(_summary(model, parts.y_train), file=sys.stderr)
    return model.stop_reason_ == "interrupted"


def _warn_of_many_categories(model: TabularModel) -> None:
    for column in model.encoder_.encoding_.columns:
        if isinstance(column, CategoryColumn) and column.other:
            warn(
                f"column {column.name!r} has more than {len(column.values)} different values: the "
                f"most frequent ones count, the others are one; --ignore {column.name!r} omits it"
            )


def _summary(model: TabularModel, y: NDArray[Any]) -> str:
    networks = plural(len(model.histories_), "network")
    n_epochs = sum(history.n_iter for history in model.histories_)
    losses = [history.validation_losses for history in model.histories_]
    most = model.n_members * model.max_iter
    ended = plural(n_epochs, "epoch")
    if n_epochs < most:
        ended = f"{n_epochs} of {plural(most, 'epoch')}{_reason(model)}"
    text = f"Trained {networks} for {ended}"
    if all(losses):
        text += f": validation loss {np.mean([min(curve) for curve in losses]):.4f}"
    return f"{text}, {_out_of_fold(model, y)}"


def _reason(model: Any) -> str:
    """Say why training has ended before the last epoch of all networks."""
    reason = model.stop_reason_
    if reason == "interrupted":
        return ", when it was interrupted"
    if reason == "max_time":
        return f" (--max-time {model.max_time:g}, and each until more did not help)"
    if reason == "diverged":
        return ", as some networks diverged"
    return ", each until more did not help"


def _out_of_fold(model: Any, y: NDArray[Any]) -> str:
    """Score the predictions of each network for the rows that it was trained without."""
    if hasattr(model, "classes_"):
        p = model.oof_predict_proba_
        known = ~np.isnan(p[:, 0])
        right = model.classes_[p[known].argmax(axis=1)] == y[known]
        return f"out-of-fold accuracy {right.mean():.4f}"
    found = model.oof_prediction_.reshape(len(y), -1)
    known = ~np.isnan(found[:, 0])
    numbers = y.reshape(found.shape)[known]
    spread = ((numbers - numbers.mean(axis=0)) ** 2).sum(axis=0)
    errors = ((found[known] - numbers) ** 2).sum(axis=0)
    if not (spread > 0.0).all():
        return "out-of-fold R2 undefined"
    return f"out-of-fold R2 {np.mean(1.0 - errors / spread):.4f}"


def curve(model: Any) -> dict[str, Any]:
    """Return the arguments of :func:`learning_curve` that depend on the model."""
    history = mean_history(model.histories_)
    network, n_networks = model.ensemble_.networks[0], len(model.ensemble_.networks)
    return {
        "loss": history.loss_curve,
        "validation_scores": None,
        "validation_loss": history.validation_losses,
        "subtitle": f"{n_networks} x " + "-".join(map(str, network.layer_sizes)) + ", adamw",
        "best_is_kept": False,  # Each network has its own.
        "loss_name": "cross-entropy" if hasattr(model, "classes_") else "squared error",
    }
