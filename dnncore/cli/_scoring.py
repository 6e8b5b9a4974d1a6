"""Score rows block by block, for the metrics and for the report."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .._data.columns import Table, feature_names
from ._metrics import Scores, scores_of
from ._model import LoadedModel
from ._report import Report
from .tables import TableRows


def score_rows(
    model: LoadedModel, blocks: Iterable[TableRows], table: Table | None, report: Report | None
) -> Scores:
    """Predict for rows with known targets, and write the report on them if there is one.

    Parameters
    ----------
    model : LoadedModel
    blocks : iterable of TableRows
        Rows with targets.
    table : tuple of Column, or None
        Encoding of the columns as features, for the report.
    report : Report or None
    """
    scores = scores_of(model)
    for block in blocks:
        y: Any = block.y
        scores.update(y, model.score(block.X))
        if report is not None:
            report.add(block.X, y, block.numbers)
    if report is not None:
        report.write(model, feature_names(table) if table else None)
    return scores
