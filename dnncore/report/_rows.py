"""The rows that a report covers, as a numeric matrix with feature names."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.sparse import issparse
from sklearn.preprocessing import StandardScaler
from sklearn.utils.validation import check_array, check_is_fitted

from .._core.labels import weights
from .._data.frames import open_frame
from .._data.table_columns import CategoryColumn
from .._estimators.interface import TabularModel
from ..display._weights import image_shape_of
from ._figures import image
from ._html import Markup, number

MIN_PIXELS = 49  # the fewest features that may be a square image
MAX_NOTABLE = 4
CHUNK = 8192


@dataclass(frozen=True)
class Rows:
    """Rows to report on.

    Attributes
    ----------
    given : object
        X as passed by the user, for the model.
    X : array or CSR matrix (n, n_features)
        The same rows as a numeric matrix, with NaN for missing values.
    weight : array (n,) or None
        Sample weights.
    names : list of n_features str
        Names of the features.
    named : bool
        Whether the names were given, rather than generated (x0, x1, ...).
    image_shape : (height, width) or None
        Shape of a row as an image; None if rows are not images.
    numbers : array (n,) of int
        Numbers by which rows are listed.
    """

    given: Any
    X: Any
    weight: NDArray[np.float64] | None
    names: list[str]
    named: bool
    image_shape: tuple[int, int] | None
    numbers: NDArray[np.intp]

    @classmethod
    def of(
        cls,
        model: Any,
        X: Any,
        sample_weight: ArrayLike | None,
        feature_names: Sequence[str] | None,
        image_shape: tuple[int, int] | None,
        row_numbers: ArrayLike | None = None,
    ) -> Rows:
        """Check the arguments of a report that describe its rows, and return the rows."""
        check_is_fitted(model)
        given = X
        if isinstance(model, TabularModel):
            X, feature_names = _table_features(model, X)
            n_features = X.shape[1]
        else:
            n_features = model.n_features_in_
        values = _numbers(X, n_features)
        weight = None
        if sample_weight is not None:
            weight = weights(sample_weight, values.shape[0], np.float64)
        known = feature_names
        if known is None:
            known = getattr(model, "feature_names_in_", None)
        names = [f"x{i}" for i in range(n_features)] if known is None else [str(x) for x in known]
        if isinstance(feature_names, str) or len(names) != n_features:
            raise ValueError(f"feature_names must be {n_features} names, got {feature_names!r:.80}")
        if image_shape is not None:
            image_shape = image_shape_of(n_features, image_shape)
        elif _looks_like_an_image(n_features, known):
            image_shape = image_shape_of(n_features, None)
        n_rows = values.shape[0]
        numbers = np.arange(n_rows) if row_numbers is None else np.asarray(row_numbers)
        if numbers.shape != (n_rows,) or numbers.dtype.kind not in "iu":
            raise ValueError(f"row_numbers must be {n_rows} integers, got {row_numbers!r:.80}")
        return cls(given, values, weight, names, known is not None, image_shape, numbers)

    @property
    def n(self) -> int:
        return int(self.X.shape[0])

    @property
    def weights(self) -> NDArray[np.float64]:
        """Sample weights; ones by default."""
        return np.ones(self.n) if self.weight is None else self.weight

    def dense(self, rows: Any = slice(None), columns: Any = slice(None)) -> NDArray[np.float64]:
        """Return some rows and columns as a dense array."""
        return np.asarray(as_dense(self.X[rows][:, columns]), np.float64)

    def mean(self, values: NDArray[Any]) -> float:
        """Return the weighted mean over rows."""
        return float(np.average(values, weights=self.weight))

    @cached_property
    def _mean_and_scale(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        scaler = StandardScaler(with_mean=not issparse(self.X))
        for start in range(0, self.n, CHUNK):  # a copy of all rows might not fit into memory
            scaler.partial_fit(self.X[start : start + CHUNK])
        return scaler.mean_, np.sqrt(scaler.var_)

    def describe(self, row: int, label: str) -> Markup | str:
        """Return a row as an image, or a list of the values farthest from their means."""
        x = self.dense([row])[0]
        if self.image_shape is not None:
            return image(x.reshape(self.image_shape), label)
        mean, scale = self._mean_and_scale
        with np.errstate(divide="ignore", invalid="ignore"):
            deviation = np.where(scale > 0, (x - mean) / scale, 0.0)
        order = np.argsort(-np.abs(np.nan_to_num(deviation)), kind="stable")[:MAX_NOTABLE]
        return ", ".join(
            f"{self.names[i]} {number(x[i])} ({number(deviation[i], 2)}\u00a0sd)"
            for i in order
            if np.isfinite(deviation[i])
        )


def _table_features(model: TabularModel, X: Any) -> tuple[NDArray[np.float64], list[str]]:
    """Return a table as features, and their names: numbers as they are, a 0 or 1 per category.

    Infinite numbers, which a model of tables takes, count as missing: they have no mean.
    """
    encoding = model.encoder_.encoding_
    features, names = [], []
    for column, values in zip(encoding.columns, encoding.values(open_frame(X)).T, strict=True):
        if isinstance(column, CategoryColumn):
            features += [values == code for code in range(len(column.values))]
            names += [f"{column.name}={value}" for value in column.values]
        else:
            features.append(np.where(np.isinf(values), np.nan, values))
            names.append(column.name)
    return np.column_stack(features).astype(np.float64), names


def _numbers(X: Any, n_features: int) -> Any:
    dtypes = (np.float64, np.float32)
    values = check_array(
        X, accept_sparse="csr", dtype=dtypes, ensure_all_finite="allow-nan", input_name="X"
    )
    if values.shape[1] != n_features:
        raise ValueError(f"X must have {n_features} features, got shape {values.shape}")
    return values


def as_dense(y: Any) -> NDArray[Any]:
    """Return labels as a dense array; multi-label indicators may be sparse."""
    return np.asarray(y.toarray() if hasattr(y, "toarray") else y)


def _looks_like_an_image(n_features: int, names: Sequence[str] | None) -> bool:
    square = n_features >= MIN_PIXELS and math.isqrt(n_features) ** 2 == n_features
    return square and (names is None or all(str(name).startswith("pixel") for name in names))
