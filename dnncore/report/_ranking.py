"""How well probabilities rank rows: ROC and precision-recall curves, and the areas below them."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import (
    average_precision_score,
    precision_recall_curve,
    roc_auc_score,
    roc_curve,
)

from ..display._axes import BLUE, GREEN, ORANGE, PURPLE, finish
from ._figures import svg
from ._html import Markup, element, section

MAX_CURVES = 6  # classes
MAX_POINTS = 200  # of a curve
MAX_LETTERS = 80  # of the name of a class
COLOURS = (BLUE, ORANGE, GREEN, PURPLE, "grey", "goldenrod")


class Ranking(NamedTuple):
    """One class against the others.

    Attributes
    ----------
    name : str
    happened : bool array (n,)
        Whether a row is of the class.
    p : array (n,)
        Its probability.
    auc, average_precision : float
        Areas below the curves.
    weight : float
        Weight of the rows of the class.
    """

    name: str
    happened: NDArray[np.bool_]
    p: NDArray[np.float64]
    auc: float
    average_precision: float
    weight: float


def rankings(
    names: list[str],
    happened: NDArray[np.bool_],
    p: NDArray[np.float64],
    weight: NDArray[np.float64] | None,
) -> list[Ranking]:
    """Return the classes (columns of `happened` and `p`) that some rows have and others have not.

    Of two classes that exclude each other, the second one is enough.
    """
    columns = [1] if len(names) == 2 and (happened.sum(axis=1) == 1).all() else range(len(names))
    weights = np.ones(len(p)) if weight is None else weight
    found = []
    for i in columns:
        y = happened[:, i]
        total = float(weights[y].sum())
        if 0.0 < total < weights.sum():
            auc = roc_auc_score(y, p[:, i], sample_weight=weight)
            precision = average_precision_score(y, p[:, i], sample_weight=weight)
            found.append(Ranking(names[i], y, p[:, i], float(auc), float(precision), total))
    return found


def ranking_section(found: list[Ranking], weight: NDArray[np.float64] | None) -> Markup:
    """Return the section on the most frequent classes."""
    if not found:
        return Markup("")
    shown = sorted(found, key=lambda each: -each.weight)[:MAX_CURVES]
    text = "ROC and precision-recall curves of "
    if len(found) == 1:
        text += f"the class {found[0].name}"
    else:
        some = f"the {len(shown)} most frequent" if len(shown) < len(found) else "all"
        text += f"{some} classes, each against the others"
    text += (
        ". The areas below both are in parentheses; by chance, that below the ROC curve is 0.5, "
        "and the other the share of the class."
    )
    return section(
        "Ranking",
        element("p", text),
        svg(
            "ranking", "ROC and precision-recall curves", (9, 3.8 + 0.25 * len(shown)),
            lambda figure: _plot(figure, shown, weight),
        ),
    )  # fmt: skip


def _plot(figure: Any, shown: list[Ranking], weight: NDArray[np.float64] | None) -> None:
    left, right = figure.subplots(1, 2)
    left.plot([0, 1], [0, 1], color="grey", linestyle="--", linewidth=1)
    lines, labels = [], []
    for each, colour in zip(shown, COLOURS, strict=False):
        false, true, _ = roc_curve(each.happened, each.p, sample_weight=weight)
        precision, recall, _ = precision_recall_curve(each.happened, each.p, sample_weight=weight)
        some = _some(len(false))
        lines += left.plot(false[some], true[some], color=colour)
        some = _some(len(recall))
        right.plot(recall[some], precision[some], color=colour, drawstyle="steps-post")
        labels.append(f"{_short(each.name)} ({each.auc:.3f}, {each.average_precision:.3f})")
    left.set(xlabel="false positive rate", ylabel="true positive rate")
    right.set(xlabel="recall", ylabel="precision")
    for ax in (left, right):
        ax.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.02))
        finish(ax)
    legend = figure.legend(lines, labels, frameon=False, loc="outside lower left")
    for text in legend.get_texts():
        text.set_parse_math(False)


def _short(name: str) -> str:
    name = name.encode(errors="backslashreplace").decode()
    return name if len(name) <= MAX_LETTERS else name[: MAX_LETTERS - 1] + "…"


def _some(n: int) -> NDArray[np.intp]:
    """Return the indices of at most MAX_POINTS points of a curve, with both ends."""
    return np.unique(np.linspace(0, n - 1, min(n, MAX_POINTS)).round().astype(np.intp))
