"""Collect scored rows for the report, which needs all of them at once."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._estimators.interface import without_feature_names
from ._division import joined
from ._model import LoadedModel, LoadedTabular
from ._output import one_line, warn
from .tables import FileList, Source

MAX_VALUES = 2_000_000


class Report:
    """Collect rows up to a memory limit, then write the report of a model on them.

    Parameters
    ----------
    path, title : str
    facts : dict of str to str
        What the report tells about the data.
    """

    def __init__(self, path: str, title: str, facts: dict[str, str]) -> None:
        self._path, self._title, self._facts = path, one_line(title), facts
        self._X: list[Any] = []
        self._y: list[NDArray[Any]] = []
        self._numbers: list[NDArray[np.intp]] = []
        self._rows = 0
        self._n_omitted = 0

    def add(self, X: Any, y: NDArray[Any], numbers: NDArray[np.intp] | None) -> None:
        """Add rows; `numbers` as in `TableRows`."""
        n_rows, n_features = X.shape
        if numbers is None:
            numbers = self._rows + self._n_omitted + 1 + np.arange(n_rows)
        taken = min(n_rows, max(0, MAX_VALUES // n_features - self._rows))
        if taken:
            # Copies: a view would keep the whole block in memory.
            self._X.append(X[:taken].copy() if isinstance(X, np.ndarray) else X[:taken])
            self._y.append(y[:taken].copy())
            self._numbers.append(numbers[:taken].copy())
        self._rows += taken
        self._n_omitted += n_rows - taken

    def write(self, model: LoadedModel, feature_names: list[str] | None) -> None:
        """Write the report."""
        from ..report import write_report

        rows = joined(self._X), np.concatenate(self._y)
        options: dict[str, Any] = {
            "title": self._title,
            "row_numbers": np.concatenate(self._numbers),
            "data_summary": self._facts | {"Row numbers": "of the file, from 1"},
        }
        if isinstance(model, LoadedTabular):
            write_report(model.saved, *rows, self._path, **options)
        else:
            estimator = model.estimator("--report")
            if feature_names is None:
                feature_names = getattr(estimator, "feature_names_in_", None)
            with without_feature_names(estimator):
                write_report(estimator, *rows, self._path, feature_names=feature_names, **options)
        if self._n_omitted:
            warn(
                f"{self._path}: the report covers only the first {self._rows} rows; "
                f"{self._n_omitted} are omitted"
            )


def facts_on(
    path: Source, target: str | None, sizes: tuple[int, int, int] | None = None
) -> dict[str, str]:
    """Return what a report tells about the data; `sizes` of the parts as in `Parts`."""
    name = path.name if isinstance(path, FileList) else os.path.basename(path)
    facts = {"File": one_line(name)}
    if target is not None:
        facts["Target"] = one_line(target)
    if sizes is not None:
        train, validation, test = sizes
        parts = f"{train} training, {validation} validation, {test} held-out"
        facts["Rows of the file"] = f"{sum(sizes)}: {parts}"
    return facts | {"Date": datetime.now(UTC).astimezone().strftime("%Y-%m-%d %H:%M")}
