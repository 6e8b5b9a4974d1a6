"""Metrics of predictions, accumulated block by block, and their display."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ._model import LoadedModel, Scored
from ._output import one_line, plural, print_table
from .tables import class_indices

# A wider confusion matrix would not fit a terminal.
MAX_MATRIX = 12


class Scores(Protocol):
    """Metrics of predictions, accumulated over blocks of rows.

    Attributes
    ----------
    rows : int
        Number of rows so far.
    """

    rows: int

    def update(self, y: NDArray[Any], scored: Scored) -> None:
        """Add some rows; y as returned by `LoadedModel.rows`."""
        ...

    def summary(self) -> str:
        """Return the main metrics in one line, without the number of rows."""
        ...

    def show(self) -> None:
        """Print the metrics of each class."""
        ...

    def as_dict(self) -> dict[str, Any]:
        """Return all metrics as plain values for JSON."""
        ...


def scores_of(model: LoadedModel) -> Scores:
    """Return empty scores of the kind that fits the model."""
    if model.output == "sorted":
        return QuantileScores(model.quantiles)
    if model.classes is None:
        return NumberScores(model.layer_sizes[-1])
    if model.output == "logistic":
        return LabelScores(model.classes)
    return ClassScores(model.classes)


class ClassScores:
    """Accuracy, log-loss and confusion matrix for one label per row.

    The log-loss is the mean of -log(p) of the true class, where p is clipped from below at the
    machine epsilon of its dtype, as in scikit-learn.
    """

    def __init__(self, classes: NDArray[Any]) -> None:
        self.rows = 0
        # (n_classes, n_classes): truth, prediction
        self.confusion = np.zeros((len(classes), len(classes)), np.int64)
        self._classes = classes
        self._log_loss = 0.0

    def update(self, y: NDArray[Any], scored: Scored) -> None:
        self.rows += len(y)
        actual = class_indices(self._classes, y)
        np.add.at(self.confusion, (actual, scored.predicted), 1)
        p = scored.outputs[np.arange(len(y)), actual]
        lowest = np.finfo(p.dtype).eps
        self._log_loss -= float(np.log(np.maximum(p, lowest).astype(np.float64)).sum())

    @property
    def accuracy(self) -> float:
        return float(np.trace(self.confusion)) / self.rows

    @property
    def log_loss(self) -> float:
        return self._log_loss / self.rows

    def by_class(self) -> NDArray[np.float64]:
        """Return precision, recall and F1 of each class (3, n_classes); 0 where undefined."""
        right = np.diagonal(self.confusion)
        predicted, actual = self.confusion.sum(axis=0), self.confusion.sum(axis=1)
        return _precision_recall_f1(right, predicted, actual)

    def summary(self) -> str:
        return f"accuracy {self.accuracy:.4f}, log-loss {self.log_loss:.4f}"

    def show(self) -> None:
        counts = self.confusion.sum(axis=1)
        _print_classes(self._classes.tolist(), self.by_class(), counts)

    def show_confusion(self) -> None:
        """Print the confusion matrix, unless it is too wide."""
        if len(self._classes) > MAX_MATRIX:
            return
        from rich import box
        from rich.table import Table

        names = [one_line(str(label)) for label in self._classes.tolist()]
        table = Table(box=box.SIMPLE_HEAD)
        table.add_column("true \\ predicted", overflow="fold")
        for name in names:
            table.add_column(name, justify="right", overflow="fold")
        for name, row in zip(names, self.confusion.tolist(), strict=True):
            table.add_row(name, *(str(count) if count else "." for count in row))
        print_table(table)

    def as_dict(self) -> dict[str, Any]:
        return {
            "rows": self.rows,
            "accuracy": self.accuracy,
            "log_loss": self.log_loss,
            "classes": _class_dicts(
                self._classes.tolist(), self.by_class(), self.confusion.sum(axis=1)
            ),
            "confusion_matrix": self.confusion.tolist(),
        }


class LabelScores:
    """Subset accuracy, log-loss and the metrics of each label, for multi-label targets.

    The subset accuracy is the fraction of rows with all labels correct. The log-loss is the
    binary cross-entropy, averaged over rows and labels.
    """

    def __init__(self, classes: NDArray[Any]) -> None:
        self.rows = 0
        self._classes = classes.tolist()
        self._counts = np.zeros((3, len(classes)), np.int64)  # correct, predicted, actual
        self._rows_right = 0
        self._log_loss = 0.0

    def update(self, y: NDArray[Any], scored: Scored) -> None:
        self.rows += len(y)
        predicted = scored.predicted
        self._rows_right += int((predicted == y).all(axis=1).sum())
        self._counts += [(predicted * y).sum(axis=0), predicted.sum(axis=0), y.sum(axis=0)]
        p = np.where(y == 1, scored.outputs, 1 - scored.outputs)
        lowest = np.finfo(p.dtype).eps
        self._log_loss -= float(np.log(np.maximum(p, lowest).astype(np.float64)).sum())

    @property
    def accuracy(self) -> float:
        return self._rows_right / self.rows

    @property
    def log_loss(self) -> float:
        return self._log_loss / self.rows / len(self._classes)

    def summary(self) -> str:
        return f"subset accuracy {self.accuracy:.4f}, log-loss {self.log_loss:.4f}"

    def show(self) -> None:
        _print_classes(self._classes, _precision_recall_f1(*self._counts), self._counts[2])

    def as_dict(self) -> dict[str, Any]:
        by_class = _precision_recall_f1(*self._counts)
        return {
            "rows": self.rows,
            "accuracy": self.accuracy,
            "log_loss": self.log_loss,
            "classes": _class_dicts(self._classes, by_class, self._counts[2]),
        }


class NumberScores:
    """R2 (averaged over outputs), RMSE and MAE (over all outputs), for regression."""

    def __init__(self, n_outputs: int) -> None:
        self.rows = 0
        self._mean = np.zeros(n_outputs)
        self._spread = np.zeros(n_outputs)  # sum of (y - mean)^2
        self._squares = np.zeros(n_outputs)
        self._sizes = np.zeros(n_outputs)

    def update(self, y: NDArray[Any], scored: Scored) -> None:
        y = y.reshape(scored.outputs.shape).astype(np.float64)
        errors = scored.outputs.astype(np.float64) - y
        self._squares += (errors**2).sum(axis=0)
        self._sizes += np.abs(errors).sum(axis=0)
        # Chan's formula, which merges the sums of squares of two sets of rows.
        n, mean = len(y), y.mean(axis=0)
        shift = mean - self._mean
        share = n / (self.rows + n)
        self._spread += ((y - mean) ** 2).sum(axis=0) + shift**2 * self.rows * share
        self._mean += shift * share
        self.rows += n

    @property
    def r2(self) -> float:
        """Coefficient of determination; NaN for a constant target."""
        if not (self._spread > 0).all():
            return math.nan
        return float(np.mean(1 - self._squares / self._spread))

    @property
    def rmse(self) -> float:
        return math.sqrt(float(self._squares.mean()) / self.rows)

    @property
    def mae(self) -> float:
        return float(self._sizes.mean()) / self.rows

    def summary(self) -> str:
        r2 = "undefined" if math.isnan(self.r2) else f"{self.r2:.4f}"
        return f"R2 {r2}, RMSE {self.rmse:.4g}, MAE {self.mae:.4g}"

    def show(self) -> None:
        pass  # The summary contains everything.

    def as_dict(self) -> dict[str, Any]:
        r2 = None if math.isnan(self.r2) else self.r2
        return {"rows": self.rows, "r2": r2, "rmse": self.rmse, "mae": self.mae}


class QuantileScores:
    """Quantile loss, averaged over quantiles, and the share of targets up to each quantile."""

    def __init__(self, quantiles: Sequence[float]) -> None:
        self.rows = 0
        self._levels = np.array(quantiles, np.float64)
        self._losses, self._covered = np.zeros((2, len(quantiles)))

    def update(self, y: NDArray[Any], scored: Scored) -> None:
        self.rows += len(y)
        above = y.reshape(-1, 1).astype(np.float64) - scored.outputs
        self._losses += np.maximum(self._levels * above, (self._levels - 1) * above).sum(axis=0)
        self._covered += (above <= 0).sum(axis=0)

    @property
    def quantile_loss(self) -> float:
        return float(self._losses.mean()) / self.rows

    @property
    def coverage(self) -> dict[float, float]:
        """Share of the targets that do not exceed the predicted quantile, by level."""
        shares = self._covered / self.rows
        return dict(zip(self._levels.tolist(), shares.tolist(), strict=True))

    def summary(self) -> str:
        shares = ", ".join(f"{level:g}: {share:.3f}" for level, share in self.coverage.items())
        return f"quantile loss {self.quantile_loss:.4g}, coverage {shares}"

    def show(self) -> None:
        pass  # The summary contains everything.

    def as_dict(self) -> dict[str, Any]:
        coverage = [{"quantile": q, "share": share} for q, share in self.coverage.items()]
        return {"rows": self.rows, "quantile_loss": self.quantile_loss, "coverage": coverage}


def _precision_recall_f1(
    right: NDArray[Any], predicted: NDArray[Any], actual: NDArray[Any]
) -> NDArray[np.float64]:
    def share(part: NDArray[Any], whole: NDArray[Any]) -> NDArray[np.float64]:
        return np.asarray(np.divide(part, whole, out=np.zeros(len(whole)), where=whole > 0))

    return np.stack(
        [share(right, predicted), share(right, actual), share(2 * right, predicted + actual)]
    )


def _class_dicts(
    classes: list[Any], by_class: NDArray[np.float64], counts: NDArray[Any]
) -> list[dict[str, Any]]:
    return [
        {"class": label, "precision": precision, "recall": recall, "f1": f1, "count": count}
        for label, (precision, recall, f1), count in zip(
            classes, by_class.T.tolist(), counts.tolist(), strict=True
        )
    ]


def _print_classes(classes: list[Any], by_class: NDArray[np.float64], counts: NDArray[Any]) -> None:
    """Print precision, recall, F1 and the number of rows of each class, and unweighted means."""
    from rich import box
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, show_footer=True)
    table.add_column("class", "mean", overflow="fold")
    for name, values in zip(("precision", "recall", "F1"), by_class, strict=True):
        table.add_column(name, f"{values.mean():.4f}", justify="right")
    table.add_column("count", str(counts.sum()), justify="right")
    for label, values, count in zip(classes, by_class.T, counts, strict=True):
        numbers = (f"{value:.4f}" for value in values)
        table.add_row(one_line(str(label)), *numbers, str(count))
    print_table(table)


def with_rows(scores: Scores) -> str:
    return f"{scores.summary()} ({plural(scores.rows, 'row')})"
