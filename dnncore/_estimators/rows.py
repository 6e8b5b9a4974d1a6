"""Rows that are checked: X, y and weights in memory, as the network takes them."""

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
from .._core.labels import weights
from .._data.blocks import Block
from .._training.sources import ArraySource
from ..network import Network
from .targets import TargetLearner, Targets

DTYPES = (np.float64, np.float32)  # float32 stays that, all else becomes float64


@dataclass(frozen=True)
class CheckedRows:
    """Some rows, checked, as they were given otherwise.

    Attributes
    ----------
    X : array or CSR matrix (n, n_features)
    y : array
    sample_weight : array (n,) or None
    block : Block or None
        What they come from.
    """

    X: check.Matrix
    y: Any
    sample_weight: NDArray[Any] | None
    block: Block | None = None

    def faults(self) -> AbstractContextManager[None]:
        """Say of an error which block it is about."""
        return nullcontext() if self.block is None else self.block.faults()


@dataclass(frozen=True)
class LabelledRows:
    """Rows to train on or to judge by, checked.

    Attributes
    ----------
    X : array or CSR matrix (n, n_features)
    y : array
        As the user gave it, for scorers.
    labels : array
        Class indices (n,), or label rows or targets (n, n_outputs), as the trainer takes them.
    weight : array (n,) or None
        Sample weights, times class weights for rows to train on.
    sample_weight : array (n,) or None
    given : object
        X as the user gave it, for scorers.
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

    def source(self, network: Network) -> ArraySource:
        """As the trainer of a network takes them."""
        return ArraySource(self.X, network.check_labels(self.labels, self.weight, self.n_rows))

    def take(self, rows: NDArray[np.intp]) -> LabelledRows:
        """Some of the rows; weights that are all zero there are refused."""
        weight, sample_weight = (
            None if w is None else weights(w[rows], len(rows), self.X.dtype)
            for w in (self.weight, self.sample_weight)
        )
        return LabelledRows(
            self.X[rows], self.y[rows], self.labels[rows], weight, sample_weight,
            _safe_indexing(self.given, rows),
        )  # fmt: skip

    def to_judge_by(self, targets: Targets) -> LabelledRows:
        """The same as validation rows, without class weights and label smoothing."""
        labels = targets.encode("y", self.y, self.X.dtype)
        return replace(self, labels=labels, weight=self.sample_weight)


class RowChecker:
    """Checks X and y once, where they come in; the first rows settle what the others must be.

    Parameters
    ----------
    owner : estimator
        Whose `n_features_in_` and `feature_names_in_` the first rows set, and the others must go
        with.
    dtype : numpy.dtype or None
        Of the network; None if there is none yet, and these are the first rows.
    may_miss : bool
        Whether NaN stands for a missing value.

    Attributes
    ----------
    dtype : numpy.dtype
        Known once rows have been checked, as is `n_features`.
    may_miss : bool
    """

    def __init__(self, owner: Any, dtype: np.dtype[Any] | None, may_miss: bool) -> None:
        self._owner = owner
        self.dtype: Any = dtype
        self.may_miss = may_miss

    @property
    def n_features(self) -> int:
        return int(self._owner.n_features_in_)

    def X(self, name: str, X: Any) -> check.Matrix:
        """X of rows that come after others."""
        return self._as_taken(name, validate_data(self._owner, X, **self._options()))

    def X_y(self, X: Any, y: Any, *, finite: bool = True) -> tuple[check.Matrix, Any]:
        """X and y of rows to train on; y is not sparse. Without `finite` the caller looks for NaN
        and infinity in X, in an array of floats."""
        options = self._options()
        if not finite:
            options["ensure_all_finite"] = False
        X, y = validate_data(self._owner, X, y, multi_output=True, **options)
        self.dtype = X.dtype
        return self._as_taken("X", X), y.toarray() if issparse(y) else y  # type: ignore[attr-defined]

    def _options(self) -> dict[str, Any]:
        """How scikit-learn is to check X."""
        first = self.dtype is None
        return {
            "dtype": DTYPES if first else self.dtype, "reset": first, "order": "C",
            "accept_sparse": "csr", "ensure_all_finite": "allow-nan" if self.may_miss else True,
        }  # fmt: skip

    @staticmethod
    def _as_taken(name: str, X: Any) -> check.Matrix:
        return check.csr(name, X) if issparse(X) else X

    # ------------------------------------------------------------------- all that goes with X

    def training_rows(self, X: Any, y: Any, sample_weight: ArrayLike | None) -> CheckedRows:
        """Rows in memory to train on."""
        X, y = self.X_y(X, y)
        weight = None
        if sample_weight is not None:
            weight = weights(sample_weight, X.shape[0], X.dtype)
        return CheckedRows(X, y, weight)

    def validation_rows(
        self, X: Any, y: Any, sample_weight: ArrayLike | None, targets: Targets
    ) -> LabelledRows | None:
        """Rows to judge by, if there are any."""
        if (X is None) != (y is None):
            raise ValueError("X_val and y_val must be given together")
        if X is None:
            if sample_weight is not None:
                raise ValueError("sample_weight_val needs X_val and y_val")
            return None
        given = X
        y = np.asarray(y.toarray() if issparse(y) else y)  # type: ignore[attr-defined]
        X = self.X("X_val", X)
        check_consistent_length(X, y)
        labels = targets.encode("y_val", y, self.dtype)
        weight = None
        if sample_weight is not None:
            weight = weights(sample_weight, X.shape[0], self.dtype)
        return LabelledRows(X, y, labels, weight, weight, indexable_rows(given, X))


def indexable_rows(given: Any, X: check.Matrix) -> Any:
    """X as the user gave it, or, if it was sparse, in a form of which rows can be taken."""
    return X if issparse(given) else given


def labelled(
    rows: CheckedRows, targets: Targets, learner: TargetLearner, given: Any = None
) -> LabelledRows:
    """Rows to train on, with labels as the trainer takes them and the weights of their classes.

    Weights may be all zero in a block, as others may have some.
    """
    n, dtype = rows.X.shape[0], rows.X.dtype
    weight = rows.sample_weight
    with rows.faults():
        labels = targets.encode("y", rows.y, dtype, training=True)
        factor = learner.row_weight(rows.y)
        if factor is not None:
            weight = factor if weight is None else weight * factor
            weight = weights(weight, n, dtype, may_be_zero=rows.block is not None)
    return LabelledRows(rows.X, rows.y, labels, weight, rows.sample_weight, given)
