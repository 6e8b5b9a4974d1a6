"""Learning of class labels: their kind, the classes, and their frequencies and weights."""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import column_or_1d
from sklearn.utils.class_weight import compute_class_weight

from .labels import check_known, could_be_soft, kind_as_before, kind_of_labels
from .learnt import MULTILABEL, SINGLE, SOFT, LearntLabels
from .plain import are_plain_labels
from .targets import TargetLearner


class LabelLearner(TargetLearner):
    """Learner of class labels.

    Parameters
    ----------
    known : LearntLabels or None
        Labels of the previous training when training resumes: kind and classes must be the same.
    classes : array of shape (n_classes,) or None
        Sorted classes, if no others are allowed; not all of them need occur. Only with one label
        per row.
    class_weight : mapping, 'balanced' or None
        Weights of the classes.
    accumulates : bool
        Whether the labels follow those of `known`: not all classes need occur, and the class totals
        are added.
    in_blocks : bool
        Whether the labels come in several blocks. The dtype of the classes is then that of the
        labels or, if a class does not occur, the common dtype of the labels and the classes
        allowed.
    """

    def __init__(
        self,
        known: LearntLabels | None,
        classes: NDArray[Any] | None,
        class_weight: Mapping[Any, float] | str | None,
        *,
        accumulates: bool = False,
        in_blocks: bool = False,
    ) -> None:
        self._known, self._accumulates, self._in_blocks = known, accumulates, in_blocks
        self._class_weight = class_weight
        self.weighs = class_weight is not None
        self._named = classes is not None
        self._kind = None if known is None else known.kind
        if classes is None and known is not None:
            classes = known.classes
        # With one label per row, no other classes are allowed.
        self._allowed = classes if self._named or self._kind == SINGLE else None
        self._classes: NDArray[Any] | None = None
        self._counts = np.zeros(0, np.intp)  # number of rows of each class
        self._totals = np.zeros(0)
        if classes is not None and not (in_blocks and self._allowed is not None):
            self._set_classes(classes)
        self._weighed = False
        self._n_rows = 0
        self._may_be_soft = known is None  # for the rows so far

    # ---------------------------------------------------------------------------- all rows

    def learn(self, y: Any) -> NDArray[Any]:
        self._settle_kind(y)
        if self._kind == SINGLE:
            y = y if are_plain_labels(y) else column_or_1d(y, warn=True)
            found, counts = _classes_and_counts(y)
            self._adopt_classes(found)
            self._counts[np.searchsorted(self._classes, found)] += counts  # type: ignore[arg-type]
        else:
            y = np.asarray(y)
            self._adopt_columns(y.shape[1])
            self._counts += np.count_nonzero(y, axis=0)
        self._n_rows += len(y)
        return y  # type: ignore[no-any-return]

    def merge(self, other: Self) -> None:
        if other._kind is None or other._classes is None:  # of no rows
            return
        self._may_be_soft &= other._may_be_soft
        self._adopt_kind(other._kind)
        if self._kind == SINGLE:
            self._adopt_classes(other._classes)
            indices = np.searchsorted(self._classes, other._classes)  # type: ignore[arg-type]
        else:
            self._adopt_columns(len(other._classes))
            indices = np.arange(len(other._classes))
        self._counts[indices] += other._counts
        self._totals[indices] += other._totals
        self._n_rows += other._n_rows
        self._weighed |= other._weighed

    def for_part(self) -> Self:
        part = copy(self)
        part._counts, part._totals = np.zeros_like(self._counts), np.zeros_like(self._totals)
        part._n_rows = 0
        return part

    def _settle_kind(self, y: Any) -> None:
        before = self._kind
        if self._known is not None:
            kind = kind_as_before(self._known.kind, y)
            if kind != before:
                raise ValueError(f"the model was trained on {before} labels, got {kind} labels")
        else:
            kind = kind_of_labels(y)
            self._may_be_soft &= could_be_soft(kind, y)
        if self._named and kind != SINGLE:
            raise ValueError(f"classes needs one label per row, got {kind} labels")
        self._adopt_kind(kind)

    def _adopt_kind(self, kind: str) -> None:
        before = self._kind
        if before is None:
            self._kind = kind
        elif {kind, before} == {MULTILABEL, SOFT} and self._may_be_soft:
            self._kind = SOFT  # some probabilities happen to be 0 and 1
        elif kind != before:
            raise ValueError(f"y must have {before} labels as before, got {kind} labels")

    def _adopt_columns(self, n_columns: int) -> None:
        if self._classes is None:
            self._set_classes(np.arange(n_columns))
        elif n_columns != len(self._classes):
            raise ValueError(f"y must have {len(self._classes)} columns as before, got {n_columns}")

    def _adopt_classes(self, found: NDArray[Any]) -> None:
        if self._allowed is not None:
            check_known("y", found, self._allowed)
            if not self._in_blocks:
                return
        before = self._classes
        if before is None:
            self._set_classes(found)
            return
        if _is_text(before) != _is_text(found):
            raise ValueError(
                f"y must have labels of one type, got {found.dtype} after {before.dtype}"
            )
        if not np.isin(found, before).all():
            self._set_classes(np.union1d(before, found))

    def _set_classes(self, classes: NDArray[Any]) -> None:
        """Replace the classes by a sorted superset; new classes have count and total 0."""
        counts, totals = np.zeros(len(classes), np.intp), np.zeros(len(classes))
        if self._classes is not None:
            old = np.searchsorted(classes, self._classes)
            counts[old], totals[old] = self._counts, self._totals
        self._classes, self._counts, self._totals = classes, counts, totals

    def finish(self) -> None:
        if self._allowed is not None:
            self._adopt_classes(self._allowed)
        assert self._classes is not None  # there were rows
        resumes = self._allowed is not None and not (self._named or self._accumulates)
        if resumes and not self._counts.all():
            raise ValueError(
                "warm_start needs y to have the same classes as in the previous fit, "
                f"{self._allowed}, got {self._classes[self._counts > 0]}"
            )
        if self._class_weight is not None:
            self._weights = self._class_weights(self._class_weight, self._classes)

    # ---------------------------------------------------------------------- class weights

    def _class_weights(
        self, class_weight: Mapping[Any, float] | str, classes: NDArray[Any]
    ) -> NDArray[np.float64]:
        """Compute class weights as in scikit-learn's ``compute_sample_weight``.

        Returns the weights of the classes, of shape (n_classes,). For multi-label targets, the
        shape is (n_classes, 2), for 0 and 1 in each column; the weight of a row is a product.
        """
        if self._kind == SOFT:
            raise ValueError("class_weight needs class labels, got soft labels")
        if class_weight == "balanced" and self._kind == SINGLE:
            return _balanced(self._counts)
        if class_weight == "balanced":
            columns = np.stack([self._n_rows - self._counts, self._counts], axis=1)
            return np.array([_balanced(counts) for counts in columns])
        if self._kind == MULTILABEL:
            raise ValueError("class_weight must be 'balanced' for multi-label targets")
        present = self._counts > 0
        found = classes[present]
        weights = np.ones(len(present))
        weights[present] = compute_class_weight(class_weight, classes=found, y=found)
        return weights

    def row_weight(self, y: Any) -> NDArray[np.float64] | None:
        if self._class_weight is None:
            return None
        if self._kind == SINGLE:
            rows: NDArray[np.float64] = self._weights[self._indices(y)]
            return rows
        columns = np.asarray(y).astype(np.intp).T
        factors = [w[column] for w, column in zip(self._weights, columns, strict=True)]
        return np.asarray(np.prod(factors, axis=0))

    def _indices(self, y: Any) -> NDArray[np.intp]:
        assert self._classes is not None
        indices: NDArray[np.intp] = np.searchsorted(self._classes, np.ravel(y))
        return indices

    # ---------------------------------------------------------------------- training rows

    def add_totals(self, y: Any, weight: NDArray[Any] | None) -> None:
        self._weighed = True
        if self._kind == SINGLE:
            indices = self._indices(y)
            if weight is None:
                self._totals += np.bincount(indices, minlength=len(self._totals))
                return
            # Added one by one, so that blocks give the same sums as all rows at once.
            with np.errstate(over="ignore"):
                np.add.at(self._totals, indices, weight.astype(np.float64))
        elif self._kind == SOFT or self._may_be_soft:
            w = np.ones(len(y)) if weight is None else weight.astype(np.float64)
            self._totals += w @ y

    def learnt(self) -> LearntLabels:
        assert self._kind is not None and self._classes is not None  # there were rows
        if self._kind == MULTILABEL or not self._weighed:
            return LearntLabels(self._kind, self._classes)
        totals = self._totals
        if self._accumulates and self._known is not None and self._known.totals is not None:
            totals = self._known.totals + totals
        return LearntLabels(self._kind, self._classes, totals / totals.sum(), totals)


def _classes_and_counts(y: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.intp]]:
    """Return the sorted classes of labels (n,), and the number of rows of each."""
    if y.dtype.kind == "i" and y.size > 0:
        first, last = int(y.min()), int(y.max())
        if last - first < len(y):  # counted without sorting
            counts = np.bincount(np.subtract(y, first, dtype=np.intp))
            present = counts.nonzero()[0]
            return (present + first).astype(y.dtype), counts[present]
    return np.unique(y, return_counts=True)


def _balanced(counts: NDArray[np.intp]) -> NDArray[np.float64]:
    weights = np.ones(len(counts))
    present = counts > 0
    weights[present] = counts.sum() / (present.sum() * counts[present].astype(np.float64))
    return weights


def _is_text(labels: NDArray[Any]) -> bool:
    if labels.dtype.kind == "O":
        return isinstance(labels[0], str)
    return labels.dtype.kind in "US"
