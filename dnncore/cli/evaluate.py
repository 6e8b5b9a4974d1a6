"""``dnncore evaluate``: the metrics of a model on labelled rows."""

from __future__ import annotations

import argparse
import json
import os
from typing import Any

from ._arguments import TABLE_HELP, add_csv_format, check_destination, csv_format, require_packages
from ._input import as_file
from ._metrics import ClassScores, Scores, with_rows
from ._model import LoadedTabular, load_model
from ._output import OK, show_notes, warn_of_unknown
from ._report import Report, facts_on
from ._scoring import score_rows


def add_parser(commands: Any) -> None:
    parser = commands.add_parser(
        "evaluate",
        usage="dnncore evaluate MODEL DATA [--target COLUMN] [--report FILE] [--json]",
        help="evaluate a model on rows with known targets",
        description="Evaluate a model on rows with known targets. For a classifier: accuracy, "
        "log-loss, precision, recall and F1 of every class, and the confusion matrix if there are "
        "at most 12 classes. For a regressor: R2, RMSE and MAE, or for quantiles the loss and the "
        "share of targets up to each. All files except NPZ are read in "
        "blocks and may be larger than memory.",
    )
    parser.set_defaults(run=run)
    parser.add_argument("model", metavar="MODEL", help="model file")
    parser.add_argument("data", metavar="DATA", help=TABLE_HELP)
    parser.add_argument(
        "--target",
        metavar="COLUMN",
        help="column with the targets; if DATA is an NPY file, the NPY file with the targets "
        "(default: the column that the model was trained on)",
    )
    add_csv_format(parser)
    parser.add_argument("--report", metavar="FILE", help="write an HTML report")
    parser.add_argument("--json", action="store_true", help="print the metrics as JSON")


def run(arguments: argparse.Namespace) -> int:
    with as_file(arguments.data) as arguments.data:
        return _run(arguments)


def _run(arguments: argparse.Namespace) -> int:
    if not arguments.json:
        require_packages("cli", rich="rich")
    if arguments.report is not None:
        check_destination("--report", arguments.report, [arguments.model, arguments.data])
    model = load_model(arguments.model, arguments.data)
    if arguments.report is not None and not isinstance(model, LoadedTabular):
        model.estimator("--report")
    data = model.rows(
        arguments.data, target=arguments.target, with_target=True, csv_format=csv_format(arguments)
    )
    show_notes(data)
    title = f"{os.path.basename(arguments.model)} on {os.path.basename(arguments.data)}"
    report = None
    if arguments.report is not None:
        target = arguments.target or model.target
        report = Report(arguments.report, title, facts_on(arguments.data, target))
    scores = score_rows(model, data, data.table, report)
    warn_of_unknown(data)
    if arguments.json:
        print(json.dumps(scores.as_dict(), indent=2))
        return OK
    _show(scores)
    if report is not None:
        print(f"Report written to {arguments.report}")
    return OK


def _show(scores: Scores) -> None:
    scores.show()
    if isinstance(scores, ClassScores):
        scores.show_confusion()
    text = with_rows(scores)
    print(text[0].upper() + text[1:])
