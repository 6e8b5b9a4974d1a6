"""A model file as the commands use it, for every kind of model."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._core.names import REGRESSION_OUTPUTS
from .._data.categories import Categories
from .._data.columns import Column, Table
from .._data.csv_format import DETECT, CsvFormat
from .._estimators.interface import Estimator, TabularModel, learnt_of
from ..modelfile import ModelFileError, load, read_table
from ..network import Network
from ..predictor import Predictor
from ._arguments import CommandError
from .tables import ColumnKind, Dataset, Source, TableRows, scoring_data, scoring_frame


class Scored(NamedTuple):
    """The predictions of a model for some rows.

    Attributes
    ----------
    predicted : array (n,) or (n, n_outputs)
        Class indices (n,), labels 0 and 1 (multi-label), or predicted targets.
    outputs : array (n, n_outputs)
        Probabilities, or predicted targets.
    """

    predicted: NDArray[Any]
    outputs: NDArray[Any]


@dataclass(frozen=True)
class LoadedModel:
    """A model and the table layout stored with it.

    Attributes
    ----------
    saved : Network, DNNClassifier, DNNRegressor or Predictor
    table : tuple of Column, or None
    """

    saved: Any
    table: Table | None = None

    @property
    def network(self) -> Network | Predictor:
        saved = self.saved
        network: Network | Predictor = (
            saved if isinstance(saved, Network | Predictor) else saved.network_
        )
        return network

    @property
    def layer_sizes(self) -> tuple[int, ...]:
        return tuple(self.network.layer_sizes)

    @property
    def output(self) -> str:
        """softmax (one label per row), logistic (multi-label), or that of a regression."""
        return self.network.output

    @property
    def dtype(self) -> np.dtype[Any]:
        return self.network.dtype

    @property
    def n_features(self) -> int:
        """Number of columns of X; the network may have more inputs, for missing values."""
        return self.network.n_features

    @property
    def may_miss(self) -> bool:
        """Whether the model accepts missing values."""
        known = (getattr(self.network, name, None) for name in ("missing", "fill"))
        return any(value is not None for value in known)

    def estimator(self, what: str) -> Estimator:
        """Return the estimator that `what` needs; CommandError if the model is not one."""
        if isinstance(self.saved, Network | Predictor):
            raise CommandError(f"{what} needs an estimator, got a {type(self.saved).__name__}")
        return self.saved  # type: ignore[no-any-return]

    @property
    def target(self) -> str | None:
        """Name of the column that the model predicts."""
        return next((column.name for column in self.table or () if column.is_target), None)

    @property
    def classes(self) -> NDArray[Any] | None:
        """Classes of the outputs, 0, 1, ... for a Network; None for regression."""
        if self.output in REGRESSION_OUTPUTS:
            return None
        if isinstance(self.saved, Network):
            return np.arange(self.layer_sizes[-1])
        if isinstance(self.saved, Predictor):
            return self.saved.classes_
        classes: NDArray[Any] = learnt_of(self.saved).classes
        return classes

    @property
    def quantiles(self) -> tuple[float, ...]:
        """Levels of the outputs, for a model of quantiles.

        Raises
        ------
        CommandError
            If the file does not have them.
        """
        model: Any = self.estimator("the evaluation of quantiles")
        return tuple(model.quantiles)

    def score(self, X: NDArray[Any]) -> Scored:
        """Predict for some rows, with the network that every kind of model has."""
        if self.classes is None and not isinstance(self.saved, Network | Predictor):
            numbers = learnt_of(self.saved).predictions(self.saved.network_.decision_function(X))
            return Scored(numbers, numbers)
        outputs = self.network.predict_proba(X)
        if self.output == "softmax":
            return Scored(np.argmax(outputs, axis=1), outputs)
        if self.output == "logistic":
            return Scored((outputs > 0.5).astype(np.intp), outputs)
        return Scored(outputs, outputs)

    def rows(
        self,
        path: Source,
        *,
        target: str | None = None,
        with_target: bool = False,
        csv_format: CsvFormat = DETECT,
    ) -> Dataset:
        """Return the rows of a file in the form that the model expects."""
        return self._rows(
            path,
            n_features=self.n_features,
            target=target,
            with_target=with_target,
            classes=self.classes,
            csv_format=csv_format,
        )

    def _rows(self, path: Source, **options: Any) -> Dataset:
        return scoring_data(
            path,
            table=self.table,
            dtype=self.dtype,
            may_miss=self.may_miss,
            label_rows=self.output == "logistic",
            **options,
        )

    def scored(self, data: Dataset) -> Iterator[tuple[TableRows, Scored]]:
        for block in data:
            yield block, self.score(block.X)


class LoadedTabular(LoadedModel):
    """A TabularClassifier or TabularRegressor, and the name of its target."""

    saved: TabularModel

    @property
    def network(self) -> Network:
        """One of the networks, which all have the same form."""
        return self.saved.ensemble_.networks[0]

    @property
    def n_features(self) -> int:
        return self.saved.encoder_.n_features_in_

    @property
    def may_miss(self) -> bool:
        return True

    def estimator(self, what: str) -> Estimator:
        raise CommandError(
            f"{what} needs a DNNClassifier or DNNRegressor, which 'dnncore train --model network' "
            f"trains, got a {type(self.saved).__name__}"
        )

    def score(self, X: Any) -> Scored:
        model: Any = self.saved
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of columns with and without names
            try:
                if self.classes is None:
                    numbers = model.predict(X).reshape(X.shape[0], -1)
                    return Scored(numbers, numbers)
                p = model.predict_proba(X)
            except ValueError as error:
                raise CommandError(str(error)) from error
        return Scored(np.argmax(p, axis=1), p)

    def _rows(self, path: Source, **options: Any) -> Dataset:
        encoding = self.saved.encoder_.encoding_
        kinds: dict[str, ColumnKind] = {
            column.name: "number" if column.kind == "number" else "as it is"
            for column in encoding.columns
        }
        return scoring_frame(
            path,
            columns=kinds if encoding.named else None,
            categories={
                column.name: Categories(column.values)
                for column in encoding.categorical
                if not column.other  # otherwise, unknown values are nothing unusual
            },
            known_target=self.target,
            **options,
        )


def load_model(path: str, data: str | None = None) -> LoadedModel:
    """Read a model file of any kind; `data` is a file that the user may have taken for it."""
    try:
        saved = load(path)
    except ModelFileError as error:
        if data is not None and _is_model(data):
            raise CommandError(
                f"MODEL and DATA are swapped: {data} is a model file, {path} is not"
            ) from error
        raise
    table = read_table(path)
    if isinstance(saved, TabularModel):
        return LoadedTabular(saved, table)
    names = getattr(saved, "feature_names_in_", None)
    if table is None and names is not None:
        table = tuple(Column(str(name)) for name in names)
    return LoadedModel(saved, table)


def _is_model(path: str) -> bool:
    try:
        load(path)
    except (ModelFileError, OSError):
        return False
    return True
