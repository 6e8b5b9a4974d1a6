"""Class labels: of which kind they are, and what is learnt of them when they come in blocks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import column_or_1d
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets, type_of_target

from .._core.labels import check_total
from .survey import Survey

SINGLE, MULTILABEL, SOFT = "single", "multilabel", "soft"


def kind_of_labels(y: Any) -> str:
    """One label a row, several labels a row (an indicator), or rows of probabilities."""
    kind = type_of_target(y, input_name="y")
    y = np.asarray(y)
    several = kind == "multilabel-indicator"
    if several and not np.isin(y, (0, 1)).all():
        raise ValueError(f"y of two dimensions must be an indicator of 0 and 1, got {np.unique(y)}")
    if several:
        return MULTILABEL
    if y.ndim == 2 and y.shape[1] > 1 and y.dtype.kind == "f":
        if not ((y >= 0).all() and np.allclose(y.sum(axis=1), 1.0, atol=1e-3)):
            raise ValueError(
                "y of two dimensions must be an indicator of 0 and 1, or rows of probabilities "
                "that add up to 1"
            )
        return SOFT
    if kind not in ("binary", "multiclass"):
        check_classification_targets(y)
    return SINGLE


def sums_to_one(y: NDArray[Any]) -> bool:
    """Whether an indicator may as well be rows of probabilities."""
    return bool((np.sum(y, axis=1) == 1).all())


class LabelSurvey(Survey):
    """What is learnt of labels.

    Parameters
    ----------
    known : array, optional
        The classes, if there are to be no others; with one label a row.
    kind : {'single', 'multilabel', 'soft'}, optional
        What they are to be taken for, if they can be.
    class_weight : mapping, 'balanced' or None

    Attributes
    ----------
    kind : {'single', 'multilabel', 'soft'}
    classes : array (n_classes,)
        In order; of labels of several outputs 0, 1, ...
    counts : array (n_classes,)
        How many rows have the class.
    totals : array (n_classes,)
        Sums of the weights of the rows of each class, or of probabilities times weights.
    """

    classes: NDArray[Any]

    def __init__(
        self,
        known: NDArray[Any] | None = None,
        kind: str | None = None,
        class_weight: Mapping[Any, float] | str | None = None,
    ) -> None:
        self._known, self.kind, self._class_weight = known, kind, class_weight
        self.weighs = class_weight is not None
        self.counts: NDArray[np.intp] = np.zeros(0, np.intp)
        self.totals = np.zeros(0)
        self._n_rows = 0
        self._may_be_soft = True

    def add(self, y: Any, weight: NDArray[Any] | None) -> None:
        """Take in the labels of some rows."""
        kind = kind_of_labels(y)
        if kind == SINGLE:
            y = column_or_1d(y, warn=True)
            classes = np.unique(y)
        else:
            classes = np.arange(y.shape[1])
            self._may_be_soft &= kind == SOFT or sums_to_one(y)
        self._settle_kind(kind)
        if self._n_rows == 0:
            self.classes = classes[:0]
        if kind == SINGLE:
            self._adopt_classes(classes)
            indices = np.searchsorted(self.classes, y)
            self.counts += np.bincount(indices, minlength=len(self.classes))
            # One after another, so that blocks give the sums that all rows at once would.
            np.add.at(self.totals, indices, 1.0 if weight is None else weight.astype(np.float64))
        else:
            if self._n_rows and len(classes) != len(self.classes):
                raise ValueError(
                    f"y must have {len(self.classes)} columns as before, got {len(classes)}"
                )
            self._adopt_classes(classes)
            w = np.ones(len(y)) if weight is None else weight.astype(np.float64)
            self.counts += np.count_nonzero(y, axis=0)
            self.totals += w @ y
        self._n_rows += len(y)

    def _settle_kind(self, kind: str) -> None:
        if self.kind is None:
            self.kind = kind
        elif {kind, self.kind} == {MULTILABEL, SOFT} and self._may_be_soft:
            self.kind = SOFT  # some probabilities happen to be 0 and 1
        elif kind != self.kind:
            raise ValueError(f"y has {kind} labels, but {self.kind} ones came before")

    def _adopt_classes(self, found: NDArray[Any]) -> None:
        if self._known is not None:
            new = found[~np.isin(found, self._known)]
            if len(new):
                raise ValueError(f"y has classes {new} that are not among {self._known}")
        before = self.classes
        if len(before) and _is_text(before) != _is_text(found):
            raise ValueError(
                f"y must have labels of one type, got {found.dtype} after {before.dtype}"
            )
        if len(before) and np.isin(found, before).all():
            return
        self.classes = np.union1d(before, found) if len(before) else found
        self.counts = self._spread(self.counts, before, self.classes)
        self.totals = self._spread(self.totals, before, self.classes)

    @staticmethod
    def _spread(values: NDArray[Any], old: NDArray[Any], new: NDArray[Any]) -> NDArray[Any]:
        """Values of the old classes, and 0 for the others, in the order of the new ones."""
        spread = np.zeros(len(new), values.dtype)
        spread[np.searchsorted(new, old)] = values
        return spread

    def finish(self) -> None:
        """To be called when all labels have been taken in."""
        if self._known is not None:
            if self.kind != SINGLE:
                raise ValueError(f"classes goes with one label a row, got {self.kind} labels")
            self._adopt_classes(self._known)
        if self._class_weight is not None:
            self._weights = self._class_weights(self._class_weight)
            if self.kind == SINGLE:
                self.totals = self.totals * self._weights
        check_total(self.totals.sum())

    def _class_weights(self, class_weight: Mapping[Any, float] | str) -> NDArray[np.float64]:
        """What `class_weight` means, as scikit-learn's ``compute_sample_weight`` has it.

        Weights of the classes (n_classes,); for labels of several outputs (n_classes, 2), of a 0
        and a 1 in each column, to be multiplied.
        """
        if self.kind == SOFT:
            raise ValueError("class_weight needs labels, not rows of probabilities")
        if class_weight == "balanced" and self.kind == SINGLE:
            return _balanced(self.counts)
        if class_weight == "balanced":
            columns = np.stack([self._n_rows - self.counts, self.counts], axis=1)
            return np.array([_balanced(counts) for counts in columns])
        if self.kind == MULTILABEL:
            raise ValueError("class_weight must be 'balanced' for labels of several outputs")
        came = self.counts > 0
        found = self.classes[came]
        weights = np.ones(len(came))
        weights[came] = compute_class_weight(class_weight, classes=found, y=found)
        return weights

    def row_weight(self, y: Any) -> NDArray[np.float64] | None:
        if self._class_weight is None:
            return None
        if self.kind == SINGLE:
            rows: NDArray[np.float64] = self._weights[
                np.searchsorted(self.classes, column_or_1d(y))
            ]
            return rows
        columns = np.asarray(y).astype(np.intp).T
        factors = [w[column] for w, column in zip(self._weights, columns, strict=True)]
        return np.asarray(np.prod(factors, axis=0))


def _balanced(counts: NDArray[np.intp]) -> NDArray[np.float64]:
    weights = np.ones(len(counts))
    there = counts > 0
    weights[there] = counts.sum() / (there.sum() * counts[there].astype(np.float64))
    return weights


def _is_text(labels: NDArray[Any]) -> bool:
    if labels.dtype.kind == "O":
        return isinstance(labels[0], str)
    return labels.dtype.kind in "US"
