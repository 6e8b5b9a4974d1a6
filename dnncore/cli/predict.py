"""``dnncore predict``: predictions for new rows, as CSV."""

from __future__ import annotations

import argparse
import csv
import io
import operator
import sys
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._data.atomic import write_in_one_step
from ._arguments import TABLE_HELP, CommandError, add_csv_format, check_destination, csv_format
from ._input import as_file
from ._model import LoadedModel, Scored, load_model
from ._output import OK, report, show_notes, warn_of_unknown
from .tables import Dataset, KeptCells, kept_cells


def add_parser(commands: Any) -> None:
    parser = commands.add_parser(
        "predict",
        usage="dnncore predict MODEL DATA [--keep COLUMN ...] [--output FILE] [--proba]",
        help="predict the targets of new rows",
        description="Predict the class or the numeric target of each row, and write the "
        "predictions as CSV with a column 'prediction' or, for a multi-label or multi-output "
        "model, with columns 'prediction_0', 'prediction_1' and so on. All files except NPZ "
        "are read in blocks and may be larger than memory. Classes are written as they are: a "
        "spreadsheet takes a cell that begins with =, +, - or @ as a formula.",
    )
    parser.set_defaults(run=run)
    parser.add_argument("model", metavar="MODEL", help="model file")
    parser.add_argument(
        "data",
        metavar="DATA",
        help=f"{TABLE_HELP}. Columns unknown to the model are ignored; unknown categories are "
        "encoded as zeros, with a warning",
    )
    add_csv_format(parser)
    parser.add_argument("--output", metavar="FILE", help="file to write (default: standard output)")
    parser.add_argument(
        "--keep",
        metavar="COLUMN",
        nargs="+",
        action="extend",
        default=[],
        help="columns of DATA, such as identifiers, to write before the predictions",
    )
    parser.add_argument(
        "--proba",
        action="store_true",
        help="add a column with the probability of each class, named after the class; for "
        "classifiers only",
    )


def run(arguments: argparse.Namespace) -> int:
    with as_file(arguments.data) as arguments.data:
        return _run(arguments)


def _run(arguments: argparse.Namespace) -> int:
    if arguments.output is not None:
        check_destination("--output", arguments.output, [arguments.model, arguments.data])
    model = load_model(arguments.model, arguments.data)
    if arguments.proba and model.classes is None:
        raise CommandError(f"--proba needs a classifier, {arguments.model} is a regression model")
    data = model.rows(arguments.data, csv_format=csv_format(arguments))
    show_notes(data)
    kept = None
    if arguments.keep:
        kept = kept_cells(arguments.data, arguments.keep, csv_format(arguments))
    lines = _lines(model, data, arguments.proba, kept)
    if arguments.output is not None:
        with write_in_one_step(arguments.output) as file:
            file.writelines(lines)
    else:
        for part in lines:
            _write(memoryview(part))
    warn_of_unknown(data)
    return OK


def _write(part: memoryview) -> None:
    while part:  # An unbuffered stream may write only a part.
        part = part[sys.stdout.buffer.write(part) :]


def _lines(
    model: LoadedModel, data: Dataset, proba: bool, kept: KeptCells | None
) -> Iterator[bytes]:
    """Yield the CSV output in UTF-8 whatever the locale, like the files that are read."""
    header = ["prediction"]
    if model.output != "softmax" and model.layer_sizes[-1] > 1:
        header = [f"prediction_{i}" for i in range(model.layer_sizes[-1])]
    if proba and model.classes is not None:
        header += _probability_names(header, list(map(str, model.classes)))
    keep = [] if kept is None else kept.names
    taken = [name for name in keep if name in header]
    if taken:
        raise CommandError(f"--keep: a column of the predictions is named {taken[0]!r}, too")
    rows: list[Any] = [[*keep, *header]]
    for _, scored in model.scored(data):
        found = zip(*_columns(model, scored, proba), strict=True)
        if kept is None:
            rows += found
        else:
            rows += map(operator.add, kept.take(len(scored.predicted)), found)
        yield _as_csv(rows)
        rows = []


def _probability_names(taken: list[str], classes: list[str]) -> list[str]:
    """Return the names of the columns of probabilities, none of which is taken."""
    if not set(taken) & set(classes):
        return classes
    names = [f"p({name})" for name in classes]
    report(
        f"note: a class is named like the column {taken[0]!r}: the columns of probabilities are "
        f"named {names[0]!r} and so on"
    )
    return names


def _columns(model: LoadedModel, scored: Scored, proba: bool) -> list[list[Any]]:
    if model.output == "softmax" and model.classes is not None:
        columns = [model.classes[scored.predicted].tolist()]
    else:
        columns = _as_text(scored.predicted)
    return columns + _as_text(scored.outputs) if proba else columns


def _as_text(columns: NDArray[Any]) -> list[list[Any]]:
    """Return the columns of an array, each number with the fewest digits its dtype allows."""
    text: list[list[Any]] = np.asarray(columns).T.astype(str).tolist()
    return text


def _as_csv(rows: list[Any]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()
