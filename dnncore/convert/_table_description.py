"""A description of a model of tables, from which exporters work."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._core.names import REGRESSION_OUTPUTS
from .._data.table_columns import CategoryColumn
from .._data.table_encoding import TableEncoding
from .._estimators.interface import TabularModel
from ..table_predictor import TablePredictor
from ._description import Description, Model, describe

AnyModel = Model | TabularModel | TablePredictor


class Numbers(NamedTuple):
    """The columns of numbers, in the order of their features, which come first.

    Attributes
    ----------
    columns : intp array (n_numeric,)
        Their positions in a row.
    half_median, half_scale : array (n_numeric,)
        Halves, because the difference of two numbers may be larger than any float.
    indicated : intp array (n_indicators,)
        Which of them have an indicator of missing values, in the order of the features.
    """

    columns: NDArray[np.intp]
    half_median: NDArray[np.float64]
    half_scale: NDArray[np.float64]
    indicated: NDArray[np.intp]


class Categories(NamedTuple):
    """The columns of categories, and the features after the numbers and indicators.

    A code is the index of a category; their number for an unknown value, and that plus 1 for a
    missing one.

    Attributes
    ----------
    columns : intp array (n_categorical,)
        Their positions in a row.
    n_values : intp array (n_categorical,)
        Their numbers of categories.
    feature_column : intp array (n_category_features,)
        Which of these columns a feature belongs to.
    feature_code : intp array (n_category_features,)
        The code for which it is 1; -1 if it never is.
    """

    columns: NDArray[np.intp]
    n_values: NDArray[np.intp]
    feature_column: NDArray[np.intp]
    feature_code: NDArray[np.intp]


@dataclass(frozen=True)
class TableDescription:
    """The computation of a model of tables.

    Attributes
    ----------
    encoding : TableEncoding
        The encoding of a row of float64 as the inputs of the networks.
    networks : tuple of Description
        Networks whose outputs are averaged, in their dtype.
    units : float64 array (n_outputs, 4) or None
        For numbers: mean and scale, and limits to which ``output * scale + mean`` is clipped.
    classes : array (n_outputs,) or None
        Labels of the outputs; None for regression.
    """

    encoding: TableEncoding
    networks: tuple[Description, ...]
    units: NDArray[np.float64] | None
    classes: NDArray[Any] | None

    dtype = np.dtype(np.float64)  # of the rows and the outputs

    @property
    def n_features(self) -> int:
        """Number of columns."""
        return len(self.encoding.columns)

    @property
    def n_outputs(self) -> int:
        return self.networks[0].n_outputs

    @property
    def output(self) -> str:
        return self.networks[0].output

    @property
    def n_bytes(self) -> int:
        return sum(network.n_bytes for network in self.networks)

    @property
    def feature_names(self) -> tuple[str, ...] | None:
        """Names of the columns, if known."""
        columns = self.encoding.columns
        return tuple(column.name for column in columns) if self.encoding.named else None

    @property
    def categories(self) -> list[list[str] | None]:
        """Categories of each column; None for numbers."""
        return [
            list(column.values) if isinstance(column, CategoryColumn) else None
            for column in self.encoding.columns
        ]

    @cached_property
    def numbers(self) -> Numbers:
        positions = [i for i, values in enumerate(self.categories) if values is None]
        columns = self.encoding.numeric
        return Numbers(
            np.array(positions, np.intp),
            np.array([column.median * 0.5 for column in columns]),
            np.array([column.scale * 0.5 for column in columns]),
            np.flatnonzero([column.missing for column in columns]),
        )

    @cached_property
    def category_features(self) -> Categories:
        positions = [i for i, values in enumerate(self.categories) if values is not None]
        columns = self.encoding.categorical
        n_features = [column.n_features for column in columns]
        codes = [np.full(n, -1, np.intp) for n in n_features]
        for column, code in zip(columns, codes, strict=True):
            known = np.flatnonzero(column.feature_of_code >= 0)
            code[column.feature_of_code[known]] = known
        return Categories(
            np.array(positions, np.intp),
            np.array([len(column.values) for column in columns], np.intp),
            np.repeat(np.arange(len(columns)), n_features),
            np.concatenate([*codes, np.empty(0, np.intp)]),
        )

    def __str__(self) -> str:
        return f"{self.n_features} columns, mean of {len(self.networks)} of: {self.networks[0]}"


def describe_table(model: object) -> TableDescription | None:
    """Return the description of a model of tables, or None if it is another kind of model.

    Raises
    ------
    ValueError
        If an estimator is not fitted.
    """
    if isinstance(model, TabularModel):
        model = model.freeze()
    if not isinstance(model, TablePredictor):
        return None
    units = None
    if model.target_scale is not None:
        finite = np.finfo(np.float64)
        limits = (finite.min, finite.max) if model.target_range is None else model.target_range
        units = np.empty((model.n_outputs, 4))
        for i, values in enumerate((model.target_mean, model.target_scale, *limits)):
            units[:, i] = values
    return TableDescription(
        model.encoding,
        tuple(describe(predictor) for predictor in model.predictors),
        units,
        None if model.output in REGRESSION_OUTPUTS else model.classes_,
    )
