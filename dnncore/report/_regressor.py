"""The report on a regressor's predictions for rows with known targets."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_array, check_consistent_length

from .._estimators.interface import learnt_of
from ..display._axes import BLUE, finish
from ._figures import svg
from ._html import Markup, element, fixed, number, section, table
from ._rows import Rows

MAX_PLOTTED = 6  # maximum number of outputs
MAX_POINTS = 2000


class RegressorReport:
    """The sections of a report that are specific to regressors.

    Parameters
    ----------
    model : fitted DNNRegressor
    rows : Rows
    y : array (n,) or (n, n_outputs)
        Targets.
    n_cases : int
        Number of rows with the largest errors to list.

    Attributes
    ----------
    truth, predicted, error : array (n, n_outputs)
        Targets, predictions, and predictions minus targets. All quantiles have the same target.
    """

    def __init__(self, model: Any, rows: Rows, y: Any, n_cases: int) -> None:
        truth = check_array(y, ensure_2d=False, dtype=np.float64, input_name="y")
        check_consistent_length(rows.X, truth)
        self.rows, self.n_cases = rows, n_cases
        self.truth: NDArray[np.float64] = truth.reshape(rows.n, -1)
        learnt = learnt_of(model)
        self.n_outputs = len(learnt.mean)
        self.levels = model.quantiles if learnt.output == "sorted" else None
        n_targets = self.n_outputs if self.levels is None else 1
        if self.truth.shape[1] != n_targets:
            raise ValueError(f"y must have {n_targets} outputs, got shape {np.shape(y)}")
        self.truth = np.repeat(self.truth, self.n_outputs // n_targets, axis=1)
        predicted = np.asarray(model.predict(rows.given), np.float64)
        self.predicted: NDArray[np.float64] = predicted.reshape(rows.n, -1)
        self.error = self.predicted - self.truth
        self.names = [f"y[{i}]" for i in range(self.n_outputs)] if self.n_outputs > 1 else ["y"]
        if self.levels is not None:
            self.names = [f"quantile {level:g}" for level in self.levels]

    def _scores(self, output: int) -> dict[str, float]:
        if self.levels is not None:
            return self._quantile_scores(output, self.levels[output])
        error, truth, weight = self.error[:, output], self.truth[:, output], self.rows.weights
        deviation = truth - self.rows.mean(truth)
        total = self.rows.mean(deviation**2)
        mse = self.rows.mean(error**2)
        return {
            "R²": 1 - mse / total if total > 0 else float("nan"),
            "RMSE": float(np.sqrt(mse)),
            "RMSE of the mean": float(np.sqrt(total)),
            "MAE": self.rows.mean(np.abs(error)),
            "Median absolute error": _quantile(np.abs(error), weight, 0.5),
            "95% of errors within": _quantile(np.abs(error), weight, 0.95),
            "Bias": self.rows.mean(error),
        }

    def _quantile_scores(self, output: int, level: float) -> dict[str, float]:
        error = self.error[:, output]
        return {
            "Quantile loss": self.rows.mean(np.maximum((1 - level) * error, -level * error)),
            "Targets up to it": self.rows.mean((error >= 0).astype(np.float64)),
        }

    def figures(self) -> dict[str, object]:
        """Return the main metrics."""
        scores = [self._scores(output) for output in range(self.n_outputs)]
        if len(scores) == 1:
            return {name: number(value) for name, value in scores[0].items()}
        main = next(iter(scores[0]))
        mean = float(np.mean([each[main] for each in scores]))
        return {f"Mean {main if main == 'R²' else main.lower()}": fixed(mean)}

    def target_counts(self) -> None:
        return None

    def sections(self) -> Iterator[Markup]:
        if self.n_outputs > 1:
            scores = [self._scores(output) for output in range(self.n_outputs)]
            lines = [
                (name, *(number(value) for value in each.values()))
                for name, each in zip(self.names, scores, strict=True)
            ]
            yield section("Scores by output", table(("output", *scores[0]), lines))
        yield section("Predictions and residuals", *self._plots())
        yield section("Rows with the largest errors", *self._cases())

    def _plots(self) -> Iterator[Markup]:
        shown = min(self.n_outputs, MAX_PLOTTED)
        if shown < self.n_outputs:
            yield element("p", f"The first {shown} of {self.n_outputs} outputs.", class_="muted")
        points = np.arange(self.rows.n)
        if self.rows.n > MAX_POINTS:
            points = np.random.default_rng(0).choice(self.rows.n, MAX_POINTS, replace=False)
            yield element("p", f"A random sample of {MAX_POINTS} rows.", class_="muted")
        for output in range(shown):
            if self.n_outputs > 1:
                yield element("h3", self.names[output])
            yield svg(
                f"residuals{output}",
                "Targets against predictions, and residuals",
                (9, 3.6),
                partial(self._plot, points, output),
            )

    def _plot(self, points: NDArray[np.intp], output: int, figure: Any) -> None:
        truth, predicted, error = (
            values[points, output] for values in (self.truth, self.predicted, self.error)
        )
        left, middle, right = figure.subplots(1, 3, width_ratios=(3, 3, 2))
        ends = [min(truth.min(), predicted.min()), max(truth.max(), predicted.max())]
        left.plot(ends, ends, color="grey", linestyle="--", linewidth=1)
        left.plot(predicted, truth, ".", color=BLUE, alpha=0.5, markeredgewidth=0)
        margin = 0.03 * (ends[1] - ends[0]) or 1.0
        limits = (ends[0] - margin, ends[1] + margin)
        left.set(xlabel="predicted", ylabel="true", xlim=limits, ylim=limits)
        middle.axhline(0, color="grey", linestyle="--", linewidth=1)
        middle.plot(predicted, error, ".", color=BLUE, alpha=0.5, markeredgewidth=0)
        middle.set(xlabel="predicted", ylabel="predicted − true")
        right.hist(self.error[:, output], bins=30, weights=self.rows.weights, color=BLUE)
        right.set(xlabel="predicted − true", ylabel="rows")
        for ax in (left, middle, right):
            _scale_ticks(ax.xaxis, 3 if ax is right else 5)
            if ax is not right:
                _scale_ticks(ax.yaxis, 5)
            finish(ax)

    def _cases(self) -> Iterator[Markup]:
        # The outputs may have different units.
        scale = np.sqrt(np.mean(self.error**2, axis=0))
        relative = np.abs(self.error) / np.where(scale > 0, scale, 1.0)
        order = np.argsort(-relative.max(axis=1), kind="stable")[: self.n_cases]
        if len(order) == 0:
            return
        several = self.n_outputs > 1
        header = ("row", *(("output",) if several else ()), "true", "predicted", "error")
        shown = "image" if self.rows.image_shape else "values farthest from the mean"
        lines = []
        for row in map(int, order):
            output = int(relative[row].argmax())
            truth, predicted, error = (
                values[row, output] for values in (self.truth, self.predicted, self.error)
            )
            name = (self.names[output],) if several else ()
            shown_row = self.rows.numbers[row]
            about = self.rows.describe(row, f"Row {shown_row}: true {truth:.6g}")
            lines.append((number(shown_row), *name, *map(number, (truth, predicted, error)), about))
        yield table(
            (*header, shown),
            lines,
            text=(1, 5) if several else (4,),
            caption="" if self.rows.image_shape else "sd: standard deviation in these rows.",
        )


def _scale_ticks(axis: Any, n_most: int) -> None:
    """Write very large and very small numbers with SI prefixes, few enough to have room."""
    from matplotlib.ticker import EngFormatter, MaxNLocator

    axis.set_major_locator(MaxNLocator(n_most))
    largest = np.abs(axis.get_view_interval()).max()
    if not 1e-3 <= largest < 1e4:
        axis.set_major_formatter(EngFormatter(sep="\u2009"))


def _quantile(values: NDArray[np.float64], weight: NDArray[np.float64], share: float) -> float:
    """Return the weighted quantile: the lowest value with a cumulative weight of `share`."""
    order = np.argsort(values)
    reached = np.cumsum(weight[order])
    return float(values[order][np.searchsorted(reached, share * reached[-1])])
