"""Collect scored rows for the report, which needs all of them at once."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._estimators.interface import without_feature_names
from ._division import joined
from ._model import LoadedModel, LoadedTabular
from ._output import one_line, warn

MAX_VALUES = 2_000_000


class Report:
    """Collect rows up to a memory limit, then write the report of a model on them."""

    def __init__(self, path: str, title: str) -> None:
        self._path, self._title = path, one_line(title)
        self._X: list[Any] = []
        self._y: list[NDArray[Any]] = []
        self._rows = 0
        self._n_omitted = 0

    def add(self, X: Any, y: NDArray[Any]) -> None:
        n_rows, n_features = X.shape
        taken = min(n_rows, max(0, MAX_VALUES // n_features - self._rows))
        if taken:
            # Copies: a view would keep the whole block in memory.
            self._X.append(X[:taken].copy() if isinstance(X, np.ndarray) else X[:taken])
            self._y.append(y[:taken].copy())
        self._rows += taken
        self._n_omitted += n_rows - taken

    def write(self, model: LoadedModel, feature_names: list[str] | None) -> None:
        """Write the report."""
        from ..report import write_report

        rows = joined(self._X), np.concatenate(self._y)
        if isinstance(model, LoadedTabular):
            write_report(model.saved, *rows, self._path, title=self._title)
        else:
            estimator = model.estimator("--report")
            if feature_names is None:
                feature_names = getattr(estimator, "feature_names_in_", None)
            with without_feature_names(estimator):
                write_report(
                    estimator, *rows, self._path, title=self._title, feature_names=feature_names
                )
        if self._n_omitted:
            warn(
                f"{self._path}: the report covers only the first {self._rows} rows; "
                f"{self._n_omitted} are omitted"
            )
