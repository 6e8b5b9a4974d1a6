"""Checked rows: X, y and weights in memory, in the form the network takes."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import issparse
from sklearn.utils import _safe_indexing
from sklearn.utils.validation import check_consistent_length, validate_data

from .._core import checks as check
from .._core.checks import in_range_of_floats
from .._core.csrc import all_finite
from .._core.labels import Labels, check_total, usable, weights
from .._data.blocks import Block
from .._data.table_rows import TableRows
from .._training.sources import ArraySource
from .interface import without_feature_names
from .nullable import without_nullable
from .plain import are_plain_labels, are_plain_numbers, is_plain_matrix, is_taken_as_it_is
from .targets import TargetLearner, Targets

DTYPES = (np.float64, np.float32)  # float32 stays float32, anything else becomes float64


@dataclass(frozen=True)
class CheckedRows:
    """Checked rows, otherwise as given by the user.

    Attributes
    ----------
    X : array or CSR matrix of shape (n, n_features)
    y : array
    sample_weight : array of shape (n,) or None
    block : Block or None
        Block that contains the rows.
    """

    X: check.Matrix
    y: Any
    sample_weight: NDArray[Any] | None
    block: Block | None = None

    def faults(self) -> AbstractContextManager[None]:
        """Add to an error which block caused it."""
        return nullcontext() if self.block is None else self.block.faults()


@dataclass(frozen=True)
class LabelledRows:
    """Checked training or validation rows.

    Attributes
    ----------
    X : array or CSR matrix of shape (n, n_features)
    y : array
        Targets as given by the user, for scorers.
    labels : array
        Targets encoded for the trainer: class indices of shape (n,), or label rows or targets of
        shape (n, n_outputs).
    weight : array of shape (n,) or None
        Weights in the loss: sample weights, multiplied by class weights.
    sample_weight : array of shape (n,) or None
        Sample weights, for scores.
    given : object
        X as given by the user, for scorers.
    """

    X: check.Matrix
    y: Any
    labels: NDArray[Any]
    weight: NDArray[Any] | None
    sample_weight: NDArray[Any] | None = None
    given: Any = None

    @property
    def n_rows(self) -> int:
        return int(self.X.shape[0])

    def source(self) -> ArraySource:
        """Return the rows as a source for a trainer."""
        return ArraySource(self.X, Labels.of(self.labels, self.weight))

    def take(self, rows: NDArray[np.intp]) -> LabelledRows:
        """Select rows; weights that are all zero are rejected."""
        weight, sample_weight = (
            None if w is None else weights(w[rows], len(rows), self.X.dtype)
            for w in (self.weight, self.sample_weight)
        )
        X = self.X[rows]
        given = X if self.given is self.X else _taken(self.given, rows)
        return LabelledRows(
            X, self.y[rows], self.labels[rows], weight, sample_weight, given
        )  # fmt: skip

    def for_validation(self, targets: Targets) -> LabelledRows:
        """Return the rows as a validation set, without label smoothing."""
        if not targets.smooths:
            return self
        return replace(self, labels=targets.encode(self.y, self.X.dtype))


class RowChecker:
    """Checker of the X and y given by the user; the first rows define what later ones must match.

    Parameters
    ----------
    owner : estimator
        The first rows set its `n_features_in_` and `feature_names_in_`; later rows must match
        them.
    dtype : numpy.dtype or None
        Dtype of the network; None if there is no network yet, so that these are the first rows.
    may_miss : bool
        Whether NaN represents a missing value.
    n_features : int or None
        Number of columns that the network takes, if there is one.

    Attributes
    ----------
    dtype : numpy.dtype
        Dtype of X, known once rows have been checked.
    n_features : int
        Number of columns of X, known once rows have been checked. Only this one is relied on: that
        of the owner may change, if its rows have an ``__array__`` that fits it.
    may_miss : bool
        Whether NaN represents a missing value.
    """

    def __init__(
        self,
        owner: Any,
        dtype: np.dtype[Any] | None,
        may_miss: bool,
        n_features: int | None = None,
    ) -> None:
        self._owner = owner
        self.dtype: Any = dtype
        self.n_features = n_features
        self.may_miss = may_miss

    def X(self, name: str, X: Any) -> check.Matrix:
        """Check the X of rows after the first ones."""
        if is_taken_as_it_is(self._owner, X, self.dtype, self.n_features):
            return X
        encoded = self._table_rows(X)
        if encoded is not X:
            if encoded.ndim != 2:
                raise ValueError(f"{name} must be a table: Expected 2D array, got a single row")
        else:
            with in_range_of_floats(name):
                encoded = validate_data(self._owner, X, **self._options())
        return self._as_taken(name, encoded)

    def X_y(self, X: Any, y: Any, *, finite: bool = True) -> tuple[check.Matrix, Any]:
        """Check X and y of training rows; the returned y is dense.

        With `finite=False`, X is an array of floats that the caller checks for NaN and infinity.
        """
        if finite and self._are_plain(X, y):
            if self.dtype is None:
                self._owner.n_features_in_ = X.shape[1]
                for name in ("feature_names_in_", "table_"):
                    vars(self._owner).pop(name, None)
            self.dtype, self.n_features = X.dtype, X.shape[1]
            return X, y
        options = self._options()
        if not finite:
            options["ensure_all_finite"] = False
        if self.dtype is None:
            vars(self._owner).pop("table_", None)
        encoded = self._table_rows(X)
        context = nullcontext() if encoded is X else without_feature_names(self._owner)
        with context, in_range_of_floats("X"):
            y = without_nullable("y", y)
            X, y = validate_data(self._owner, encoded, y, multi_output=True, **options)
        self.dtype = X.dtype
        if self.n_features is None:
            self.n_features = X.shape[1]
        return self._as_taken("X", X), y.toarray() if issparse(y) else y  # type: ignore[attr-defined]

    def _are_plain(self, X: Any, y: Any) -> bool:
        """Return whether training rows need no conversion, and match the first rows."""
        if not (are_plain_labels(y) or are_plain_numbers(y)):
            return False
        if type(X) is not np.ndarray or X.shape[:1] != y.shape[:1]:
            return False
        if self.dtype is None:
            return is_plain_matrix(X)
        return is_taken_as_it_is(self._owner, X, self.dtype, self.n_features)

    def _table_rows(self, X: Any) -> Any:
        """Encode a table by its columns, if the model file of the owner had them."""
        table = getattr(self._owner, "table_", None)
        return X if table is None else TableRows(table, self.dtype, self.may_miss)(X)

    def _options(self) -> dict[str, Any]:
        """Return the options of scikit-learn's check of X."""
        first = self.dtype is None
        return {
            "dtype": DTYPES if first else self.dtype, "reset": first, "order": "C",
            "accept_sparse": "csr", "ensure_all_finite": "allow-nan" if self.may_miss else True,
        }  # fmt: skip

    def _as_taken(self, name: str, X: Any) -> check.Matrix:
        if X.shape[1] != self.n_features:
            raise ValueError(
                f"{name} has {X.shape[1]} features, but the network has {self.n_features}"
            )
        return check.csr(name, X) if issparse(X) else check.contiguous(X)

    # ---------------------------------------------------------------- X, y and their weights

    def training_rows(
        self, X: Any, y: Any, sample_weight: ArrayLike | None, *, accumulates: bool = False
    ) -> CheckedRows:
        """Check training rows in memory: all of them or, if it `accumulates`, those of a call."""
        X, y = self.X_y(X, y)
        weight = None
        if sample_weight is not None:
            weight = weights(sample_weight, X.shape[0], X.dtype)
            if accumulates:
                with np.errstate(over="ignore"):
                    check_total(float(weight.sum(dtype=np.float64)))
            else:
                weight = usable(weight)
        return CheckedRows(X, y, weight)

    def validation_rows(
        self,
        X: Any,
        y: Any,
        sample_weight: ArrayLike | None,
        targets: Targets,
        learner: TargetLearner,
    ) -> LabelledRows | None:
        """Check the validation set, if there is one."""
        if (X is None) != (y is None):
            raise ValueError("X_val and y_val must be given together")
        if X is None:
            if sample_weight is not None:
                raise ValueError("sample_weight_val needs X_val and y_val")
            return None
        given = X
        y = y.toarray() if issparse(y) else np.asarray(without_nullable("y_val", y))  # type: ignore[attr-defined]
        X = self.X("X_val", X)
        check_consistent_length(X, y)
        weight = None
        if sample_weight is not None:
            weight = usable(weights(sample_weight, X.shape[0], self.dtype))
        checked = CheckedRows(X, targets.check("y_val", y), weight)
        rows = labelled(checked, targets, learner, indexable_rows(given, X))
        return rows.for_validation(targets)


def _taken(given: Any, rows: NDArray[np.intp]) -> Any:
    return given[rows] if type(given) is np.ndarray else _safe_indexing(given, rows)


def indexable_rows(given: Any, X: check.Matrix) -> Any:
    """Return X as given by the user or, if its rows cannot be selected, as checked."""
    indexable = hasattr(given, "__getitem__") or hasattr(given, "iloc")
    return X if issparse(given) or not indexable else given


def encoded(
    targets: Targets, y: NDArray[Any], dtype: np.dtype[Any], *, training: bool = False
) -> NDArray[Any]:
    """Encode checked targets; raise ValueError if they are not finite in this dtype."""
    labels = targets.encode(y, dtype, training=training)
    if labels.dtype.kind == "f" and not all_finite(labels):
        raise ValueError("y must be finite")
    return labels


def labelled(
    rows: CheckedRows, targets: Targets, learner: TargetLearner | None, given: Any = None
) -> LabelledRows:
    """Return training rows with encoded labels and, with `learner`, class weights.

    The weights of a block may all be zero because other blocks may have positive weights.
    """
    n, dtype = rows.X.shape[0], rows.X.dtype
    weight = rows.sample_weight
    with rows.faults():
        labels = encoded(targets, rows.y, dtype, training=True)
        factor = None if learner is None else learner.row_weight(rows.y)
        if factor is not None:
            weight = factor if weight is None else weight * factor
            weight = weights(weight, n, dtype, may_be_zero=rows.block is not None)
    return LabelledRows(rows.X, rows.y, labels, weight, rows.sample_weight, given)
