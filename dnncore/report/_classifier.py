"""The report on a classifier's predictions for labelled rows."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support
from sklearn.utils import check_consistent_length

from .._estimators.interface import encoded_targets, learnt_of
from .._estimators.learnt import MULTILABEL
from ..display._axes import BLUE, ORANGE, finish
from ._figures import svg
from ._html import Markup, element, fixed, number, percent, section, table
from ._matrix import confusions, matrix
from ._ranking import Ranking, ranking_section, rankings
from ._rows import Rows, as_dense

MAX_CLASSES = 100  # in the table of scores and in the confusion matrix
N_BINS = 10
Z = 1.96  # 97.5% quantile of the normal distribution, for 95% confidence


class ClassifierReport:
    """The sections of a report that are specific to classifiers.

    Parameters
    ----------
    model : fitted DNNClassifier
    rows : Rows
    y : array
        Labels of the kind that the model was trained on.
    n_cases : int
        Number of rows with the highest loss to list.

    Attributes
    ----------
    p : array (n, n_classes)
        Probabilities.
    truth, predicted : array (n,), or (n, n_classes) of 0 and 1 if multi-label
        Class indices; for soft labels, of the most probable class.
    loss : array (n,)
        Log-loss of each row, averaged over the labels if multi-label. As in scikit-learn,
        probabilities are clipped at the machine epsilon of their dtype.
    """

    def __init__(self, model: Any, rows: Rows, y: Any, n_cases: int) -> None:
        check_consistent_length(rows.X, y)
        self.rows, self.n_cases = rows, n_cases
        self.names = list(map(str, model.classes_))
        self.multilabel = learnt_of(model).kind == MULTILABEL
        labels = encoded_targets(model, "y", as_dense(y), np.dtype(np.float64))
        if self.multilabel:
            logits = model.decision_function(rows.given)
            z = np.asarray(logits, np.float64)
            self.p = np.exp(-np.logaddexp(0, -z))
            self.truth, self.predicted = labels > 0.5, z > 0
            most = -_lowest_log(logits)
            right, wrong = (np.minimum(np.logaddexp(0, s), most) for s in (-z, z))
            self.loss = (labels * right + (1 - labels) * wrong).mean(axis=1)
            return
        given = model.predict_log_proba(rows.given)
        z = np.asarray(given, np.float64)
        log_p = log_softmax(z, axis=1)  # float32 probabilities sum to 1 only approximately
        self.p = np.exp(log_p)
        self.predicted = log_p.argmax(axis=1)
        log_p = np.maximum(log_p, _lowest_log(given))
        if labels.ndim == 1:
            self.truth = labels
            self.loss = -log_p[np.arange(rows.n), labels]
        else:
            self.truth = labels.argmax(axis=1)
            self.loss = -(labels * log_p).sum(axis=1)

    @property
    def right(self) -> NDArray[np.bool_]:
        """Whether all labels of a row are predicted correctly."""
        same = self.truth == self.predicted
        return np.asarray(same.all(axis=1) if self.multilabel else same)

    def _scores(self) -> tuple[NDArray[np.float64], ...]:
        """Return precision, recall, F1 and support of each class; NaN where undefined."""
        scores: tuple[NDArray[np.float64], ...] = precision_recall_fscore_support(
            self.truth,
            self.predicted,
            labels=range(len(self.names)),
            sample_weight=self.rows.weight,
            zero_division=np.nan,
        )
        return scores

    def figures(self) -> dict[str, object]:
        """Return the main metrics."""
        accuracy = self.rows.mean(self.right)
        _, recall, f1, _ = self._scores()
        shown: object = percent(accuracy)
        if self.rows.weight is None:
            low, high = _wilson(accuracy, self.rows.n)
            interval = f" (95% CI {100 * low:.1f}–{100 * high:.1f}%)"
            shown = element("span", percent(accuracy), element("small", interval))
        values = {"Subset accuracy" if self.multilabel else "Accuracy": shown}
        if not self.multilabel:
            counts = np.bincount(self.truth, self.rows.weights)
            values["Most frequent class"] = percent(float(counts.max() / counts.sum()))
            values["Balanced accuracy"] = percent(_mean(recall))
        aucs = [each.auc for each in self._rankings]
        if aucs:
            values["AUC" if len(aucs) == 1 else "Mean AUC"] = fixed(float(np.mean(aucs)))
        return {
            **values,
            "Mean F1": fixed(_mean(f1)),
            "Log-loss": number(self.rows.mean(self.loss)),
            "Misclassified rows": number(self.rows.n - int(self.right.sum())),
        }

    def target_counts(self) -> tuple[list[str], NDArray[Any]]:
        """Return the classes and the number of rows of each."""
        if self.multilabel:
            return self.names, self.truth.sum(axis=0)
        return self.names, np.bincount(self.truth, minlength=len(self.names))

    def sections(self) -> Iterator[Markup]:
        yield section("Scores by class", self._score_table())
        if not self.multilabel:
            yield section("Confusion matrix", *self._confusion())
        yield section("Rows with the highest loss", *self._cases())
        yield ranking_section(self._rankings, self.rows.weight)
        yield section("Calibration", *self._calibration())

    @cached_property
    def _rankings(self) -> list[Ranking]:
        if self.multilabel:
            return rankings(self.names, self.truth, self.p, self.rows.weight)
        if len(self.names) > MAX_CLASSES:
            return []
        happened = self.truth[:, None] == np.arange(len(self.names))
        return rankings(self.names, happened, self.p, self.rows.weight)

    # ----------------------------------------------------------------------------- scores

    def _score_table(self) -> Markup:
        scores = self._scores()
        order, caption = np.arange(len(self.names)), ""
        if len(order) > MAX_CLASSES:
            order = np.argsort(np.nan_to_num(scores[2], nan=np.inf), kind="stable")[:MAX_CLASSES]
            caption = f"The {MAX_CLASSES} of {len(self.names):,} classes with the lowest F1."
        lines: list[tuple[object, ...]] = [
            (self.names[i], *(fixed(values[i]) for values in scores[:3]), number(scores[3][i]))
            for i in order
        ]
        means = (fixed(_mean(values)) for values in scores[:3])
        lines.append(("mean / total", *means, number(scores[3].sum())))
        support = "rows" if self.rows.weight is None else "weight"
        return table(
            ("class", "precision", "recall", "F1", support), lines, caption=caption, total=True
        )

    def _confusion(self) -> Iterator[Markup]:
        n_classes = len(self.names)
        C = confusion_matrix(
            self.truth, self.predicted, labels=range(n_classes), sample_weight=self.rows.weight
        )
        if n_classes <= MAX_CLASSES:
            yield matrix(C, self.names)
        if n_classes > 2:
            yield confusions(C, self.names)

    # ------------------------------------------------------------------------------ cases

    def _cases(self) -> Iterator[Markup]:
        wrong = self.rows.n - int(self.right.sum())
        share = f"{number(wrong)} of {number(self.rows.n)} rows ({percent(wrong / self.rows.n)})"
        yield element(
            "p",
            f"{share} are misclassified; they are marked with a cross."
            if wrong
            else "No row is misclassified.",
        )
        order = np.argsort(-self.loss, kind="stable")[: self.n_cases]
        if len(order) == 0:
            return
        p_header = () if self.multilabel else ("p(predicted)", "p(true)")
        shown = "image" if self.rows.image_shape else "values farthest from the mean"
        yield table(
            ("row", "", "true", "predicted", *p_header, "loss", shown),
            (self._case(int(row)) for row in order),
            text=(1, 2, 3, 5 + len(p_header)),
            caption="" if self.rows.image_shape else "sd: standard deviation in these rows.",
        )

    def _case(self, row: int) -> tuple[object, ...]:
        truth, predicted = (self._labels(labels[row]) for labels in (self.truth, self.predicted))
        mark = "" if self.right[row] else element("span", "✗", class_="wrong")
        p: tuple[str, ...] = ()
        if not self.multilabel:
            p = tuple(fixed(self.p[row, labels[row]]) for labels in (self.predicted, self.truth))
        shown = self.rows.numbers[row]
        label = f"Row {shown}: true {truth}, predicted {predicted}"
        return (
            number(shown), mark, truth, predicted, *p, fixed(self.loss[row]),
            self.rows.describe(row, label),
        )  # fmt: skip

    def _labels(self, labels: Any) -> str:
        if self.multilabel:
            return ", ".join(self.names[i] for i in np.flatnonzero(labels)) or "none"
        return self.names[int(labels)]

    # ------------------------------------------------------------------------ calibration

    def _calibration(self) -> Iterator[Markup]:
        what, p, happened = self._events()
        weight = np.repeat(self.rows.weights, len(p) // self.rows.n)
        bins = Reliability.of(p, happened, weight)
        counted = self.rows.weight is None
        intervals = " Vertical lines are 95% confidence intervals." if counted else ""
        yield element(
            "p",
            f"Reliability diagram for {what}. If the model is well calibrated, the points lie on "
            "the diagonal: a probability of 0.8, for example, is right in 80% of the cases. The "
            "expected calibration error, the weighted mean distance of the points from the "
            f"diagonal, is {percent(bins.error)}.{intervals}",
        )
        yield svg(
            "calibration", "Observed frequency against predicted probability", (6, 5.5),
            lambda figure: _plot_reliability(figure, bins, counted),
        )  # fmt: skip

    def _events(self) -> tuple[str, NDArray[np.float64], NDArray[np.bool_]]:
        """Return a description of the event, its probabilities, and whether it occurred."""
        if self.multilabel:
            return "the probabilities of the labels", self.p.ravel(), self.truth.ravel()
        if len(self.names) == 2:
            return f"the probability of {self.names[1]}", self.p[:, 1], self.truth == 1
        return "the probability of the predicted class", self.p.max(axis=1), self.right


class Reliability(NamedTuple):
    """Mean predicted probability, observed frequency and weight of each non-empty bin."""

    predicted: NDArray[np.float64]
    observed: NDArray[np.float64]
    weight: NDArray[np.float64]

    @classmethod
    def of(
        cls, p: NDArray[np.float64], happened: NDArray[np.bool_], weight: NDArray[np.float64]
    ) -> Reliability:
        place = np.minimum((p * N_BINS).astype(int), N_BINS - 1)
        sums = [np.bincount(place, weight * values, N_BINS) for values in (1.0, p, happened)]
        total, ps, events = (np.asarray(x, np.float64)[sums[0] > 0] for x in sums)
        return cls(ps / total, events / total, total)

    @property
    def error(self) -> float:
        """Expected calibration error: the weighted mean of |observed - predicted|."""
        return float(np.average(np.abs(self.observed - self.predicted), weights=self.weight))


def _plot_reliability(figure: Any, bins: Reliability, counted: bool) -> None:
    curve, shares = figure.subplots(2, 1, sharex=True, height_ratios=(4, 1))
    curve.plot(
        [0, 1], [0, 1], color="grey", linestyle="--", linewidth=1, label="perfect calibration"
    )
    curve.plot(bins.predicted, bins.observed, "o-", color=BLUE, label="this model")
    if counted:  # A bin of a single row tells next to nothing.
        ends = [_wilson(share, int(n)) for share, n in zip(bins.observed, bins.weight, strict=True)]
        curve.vlines(bins.predicted, *np.transpose(ends), color=BLUE, alpha=0.4, linewidth=3)
    curve.set(xlim=(0, 1), ylim=(0, 1.02), ylabel="observed frequency")
    curve.legend(frameon=False, loc="upper left")
    shares.bar(bins.predicted, bins.weight / bins.weight.sum(), 0.04, color=ORANGE)
    shares.set(xlabel="predicted probability", ylabel="fraction of rows")
    for ax in (curve, shares):
        finish(ax)


def _wilson(share: float, n: int) -> tuple[float, float]:
    """Return the Wilson score interval for a fraction of n rows."""
    middle = (share + Z * Z / (2 * n)) / (1 + Z * Z / n)
    half = Z / (1 + Z * Z / n) * np.sqrt(share * (1 - share) / n + Z * Z / (4 * n * n))
    return max(0.0, middle - half), min(1.0, middle + half)


def _lowest_log(values: Any) -> float:
    """Return the logarithm at which probabilities of the same dtype are clipped."""
    return float(np.log(np.finfo(np.asarray(values).dtype).eps))


def _mean(values: NDArray[np.float64]) -> float:
    """Return the mean over the classes for which the value is defined."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if len(known) else float("nan")
