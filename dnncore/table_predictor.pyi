from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._data.table_encoding import TableEncoding
from .predictor import Predictor

class TablePredictor:
    encoding: TableEncoding
    predictors: tuple[Predictor, ...]
    n_features: int
    n_outputs: int
    output: str
    dtype: np.dtype[Any]
    classes_: NDArray[Any]
    target_mean: NDArray[np.float64] | None
    target_scale: NDArray[np.float64] | None
    target_range: tuple[NDArray[np.float64], NDArray[np.float64]] | None
    def __init__(
        self,
        encoding: TableEncoding | Mapping[str, Any],
        predictors: Sequence[Predictor],
        classes: ArrayLike | None = None,
        *,
        target_mean: ArrayLike | None = None,
        target_scale: ArrayLike | None = None,
        target_range: tuple[ArrayLike, ArrayLike] | None = None,
    ) -> None: ...
    @property
    def feature_names(self) -> tuple[str, ...] | None: ...
    @property
    def categories(self) -> tuple[tuple[str, ...] | None, ...]: ...
    def __call__(self, x: Any, out: NDArray[Any] | None = None) -> NDArray[np.float64]: ...
    def encode(self, X: Any) -> NDArray[np.float64]: ...
    def predict_proba(self, X: Any) -> NDArray[np.float64]: ...
    def predict(self, x: Any) -> Any: ...
