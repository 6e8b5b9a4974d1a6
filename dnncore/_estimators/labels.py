"""Class labels of known kind and classes, encoded for the trainer."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import column_or_1d
from sklearn.utils.multiclass import check_classification_targets, type_of_target

from .._core.checks import contiguous
from .._core.csrc import all_between
from .learnt import MULTILABEL, SINGLE, SOFT, LearntLabels
from .plain import are_plain_labels
from .targets import Targets


def kind_of_labels(y: Any) -> str:
    """Return the kind of labels: one label per row, multi-label indicators, or soft labels."""
    if are_plain_labels(y):
        return SINGLE
    kind = type_of_target(y, input_name="y")
    y = np.asarray(y)
    several = kind == "multilabel-indicator"
    if several and not np.isin(y, (0, 1)).all():
        raise ValueError(f"a two-dimensional y must be an indicator of 0 and 1, got {np.unique(y)}")
    if several:
        return MULTILABEL
    if y.ndim == 2 and y.shape[1] > 1 and y.dtype.kind == "f":
        if not ((y >= 0).all() and np.allclose(y.sum(axis=1), 1.0, atol=1e-3)):
            raise ValueError(
                "a two-dimensional y must be an indicator of 0 and 1, or soft labels: "
                "probabilities that sum to 1 in each row"
            )
        return SOFT
    if kind not in ("binary", "multiclass"):
        check_classification_targets(y)
    return SINGLE


def could_be_soft(kind: str, y: NDArray[Any]) -> bool:
    """Return whether labels are soft, or an indicator that could also be soft labels."""
    return kind == SOFT or (kind == MULTILABEL and bool((np.sum(y, axis=1) == 1).all()))


def kind_as_before(before: str, y: Any) -> str:
    """Return the kind of labels that follow others: soft labels may happen to be all 0 and 1."""
    kind = kind_of_labels(y)
    return SOFT if before == SOFT and could_be_soft(kind, y) else kind


class LabelTargets(Targets):
    """Encoding of labels of known kind and classes.

    Parameters
    ----------
    learnt : LearntLabels
        Kind and classes.
    smoothing : float in [0, 1)
        Fraction of each training label that is spread evenly over all classes.
    """

    def __init__(self, learnt: LearntLabels, smoothing: float) -> None:
        self._kind, self._classes = learnt.kind, learnt.classes
        self._smoothing, self.smooths = smoothing, smoothing > 0.0
        self._first = _first_of_consecutive(self._classes) if self._kind == SINGLE else None

    def check(self, name: str, y: Any) -> NDArray[Any]:
        if self._kind == SINGLE:
            labels: NDArray[Any] = column_or_1d(y, warn=True)
            check_known(name, labels, self._classes)
            return labels
        rows, n_classes = np.asarray(y), len(self._classes)
        shaped = rows.ndim == 2 and rows.shape[1] == n_classes
        if not shaped or kind_as_before(self._kind, y) != self._kind:
            raise ValueError(
                f"{name} must have {self._kind} labels of {n_classes} classes, "
                f"got shape {rows.shape}"
            )
        return rows

    def encode(
        self, y: NDArray[Any], dtype: np.dtype[Any], *, training: bool = False
    ) -> NDArray[Any]:
        smoothing = self._smoothing if training else 0.0
        if self._kind == SINGLE:
            return self._rows_of(np.searchsorted(self._classes, y), dtype, smoothing)
        return self._smoothed(contiguous(y, dtype), smoothing)

    def read(
        self, y: Any, dtype: np.dtype[Any]
    ) -> tuple[NDArray[Any], NDArray[np.intp] | None] | None:
        classes = self._classes
        if self._kind != SINGLE or not are_plain_labels(y) or y.dtype.kind != classes.dtype.kind:
            return None
        indices: NDArray[np.intp]
        if self._first is None:
            indices = classes.searchsorted(y)
            known = (classes.take(indices, mode="clip") == y).all()
        else:
            indices = y.astype(np.intp, copy=False)
            known = all_between(indices, self._first, self._first + len(classes))
            if self._first != 0:
                indices = indices - self._first
        return (self._rows_of(indices, dtype, self._smoothing), indices) if known else None

    def _rows_of(
        self, indices: NDArray[np.intp], dtype: np.dtype[Any], smoothing: float
    ) -> NDArray[Any]:
        """Return class indices as they are or, if they are smoothed, as label rows."""
        if smoothing == 0.0:
            return indices
        rows = np.zeros((len(indices), len(self._classes)), dtype)
        rows[np.arange(len(indices)), indices] = 1.0
        return self._smoothed(rows, smoothing)

    def _smoothed(self, rows: NDArray[Any], smoothing: float) -> NDArray[Any]:
        mean = 0.5 if self._kind == MULTILABEL else 1.0 / len(self._classes)
        return np.asarray(rows + smoothing * (mean - rows), rows.dtype)

    def output(self) -> tuple[int, str]:
        return len(self._classes), "logistic" if self._kind == MULTILABEL else "softmax"

    def strata(self, y: NDArray[Any]) -> NDArray[Any] | None:
        return np.searchsorted(self._classes, y) if self._kind == SINGLE else None

    def score(
        self, logits: NDArray[Any], encoded: NDArray[Any], weight: NDArray[Any] | None
    ) -> float:
        if self._kind == MULTILABEL:
            right = ((logits > 0) == (encoded > 0.5)).all(axis=1)
        else:
            label = encoded if encoded.ndim == 1 else encoded.argmax(axis=1)
            right = logits.argmax(axis=1) == label
        if weight is None:
            return np.count_nonzero(right) / len(right)
        return float(np.average(right, weights=weight))


def _first_of_consecutive(classes: NDArray[Any]) -> int | None:
    """Return the first class if they are consecutive integers of some signed type."""
    if classes.dtype.kind != "i" or classes.dtype.itemsize > np.dtype(np.intp).itemsize:
        return None
    first, last = int(classes[0]), int(classes[-1])
    return first if last - first == len(classes) - 1 else None


def check_known(name: str, y: NDArray[Any], classes: NDArray[Any]) -> None:
    """Raise ValueError if a label is not one of the classes."""
    known = np.isin(y, classes)
    if not known.all():
        raise ValueError(f"{name} has classes {np.unique(y[~known])} that are not among {classes}")
