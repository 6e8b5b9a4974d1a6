"""``dnncore predict``: the classes, or numbers, of new rows, as CSV."""

from __future__ import annotations

import argparse
import csv
import io
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._data.atomic import write_in_one_step
from ._arguments import TABLE_HELP, CommandError, check_destination
from ._model import LoadedModel, Scored, load_model
from ._output import OK, warn_of_unknown
from .tables import Dataset


def add_parser(commands: Any) -> None:
    parser = commands.add_parser(
        "predict",
        usage="dnncore predict MODEL DATA [--output FILE] [--proba]",
        help="predict the classes, or numbers, of new rows",
        description="Predict the classes of new rows, or the numbers of a regressor, and write "
        "them as CSV with a column 'prediction'; of a model with several labels or numbers in a "
        "row, with the columns 'prediction_0', 'prediction_1' and so on. Files of any size are "
        "read and written piece by piece.",
    )
    parser.set_defaults(run=run)
    parser.add_argument("model", metavar="MODEL", help="model file")
    parser.add_argument(
        "data",
        metavar="DATA",
        help=f"{TABLE_HELP}. Columns that the model does not know are ignored; a category that it "
        "does not know counts as none, with a warning",
    )
    parser.add_argument("--output", metavar="FILE", help="file to write (default: standard output)")
    parser.add_argument(
        "--proba",
        action="store_true",
        help="add a column for each class, called like the class, with its probability; not for "
        "a regressor",
    )


def run(arguments: argparse.Namespace) -> int:
    if arguments.output is not None:
        check_destination("--output", arguments.output, [arguments.model, arguments.data])
    model = load_model(arguments.model)
    if arguments.proba and model.classes is None:
        raise CommandError(f"--proba: {arguments.model} predicts numbers, not classes")
    data = model.rows(arguments.data)
    lines = _lines(model, data, arguments.proba)
    if arguments.output is not None:
        with write_in_one_step(arguments.output) as file:
            file.writelines(lines)
    else:
        for part in lines:
            _write(memoryview(part))
    warn_of_unknown(data)
    return OK


def _write(part: memoryview) -> None:
    while part:  # An unbuffered stream may take a part of it.
        part = part[sys.stdout.buffer.write(part) :]


def _lines(model: LoadedModel, data: Dataset, proba: bool) -> Iterator[bytes]:
    """The table, UTF-8 whatever the locale, like the tables that are read."""
    header = ["prediction"]
    if model.output != "softmax" and model.layer_sizes[-1] > 1:
        header = [f"prediction_{i}" for i in range(model.layer_sizes[-1])]
    if proba and model.classes is not None:
        header += map(str, model.classes)
    rows: list[Any] = [header]
    for _, scored in model.scored(data):
        rows += zip(*_columns(model, scored, proba), strict=True)
        yield _as_csv(rows)
        rows = []


def _columns(model: LoadedModel, scored: Scored, proba: bool) -> list[list[Any]]:
    if model.output == "softmax" and model.classes is not None:
        columns = [model.classes[scored.predicted].tolist()]
    else:
        columns = _as_text(scored.predicted)
    return columns + _as_text(scored.outputs) if proba else columns


def _as_text(columns: NDArray[Any]) -> list[list[Any]]:
    """Return the columns of an array, each number as short as its dtype allows."""
    text: list[list[Any]] = np.asarray(columns).T.astype(str).tolist()
    return text


def _as_csv(rows: list[Any]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()
