import os
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ._core.piecewise_linear import PiecewiseLinear

class Predictor:
    layer_sizes: tuple[int, ...]
    n_features: int
    dtype: np.dtype[Any]
    activation: str
    output: str
    classes_: NDArray[Any]
    missing: NDArray[np.intp] | None
    embedding: PiecewiseLinear | None
    encoder: Callable[[Any], Any] | None
    def __init__(
        self,
        layer_sizes: Sequence[int],
        parameters: NDArray[Any],
        classes: ArrayLike | None = None,
        *,
        activation: str = "logistic",
        output: str = "softmax",
        mean: ArrayLike | None = None,
        scale: ArrayLike | None = None,
        fill: ArrayLike | None = None,
        missing: ArrayLike | None = None,
        embedding: PiecewiseLinear | None = None,
    ) -> None: ...
    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Any: ...
    def save(self, path: str | os.PathLike[str]) -> None: ...
    @property
    def parameters(self) -> NDArray[Any]: ...
    @property
    def mean(self) -> NDArray[Any] | None: ...
    @property
    def scale(self) -> NDArray[Any] | None: ...
    @property
    def fill(self) -> NDArray[Any] | None: ...
    def refresh(self, network: Any) -> None: ...
    def __call__(self, x: Any, out: NDArray[Any] | None = None) -> NDArray[Any]: ...
    def predict_proba(self, X: Any) -> NDArray[Any]: ...
    def predict(self, x: Any) -> Any: ...

def frozen(
    network: Any, classes: ArrayLike | None, units: NDArray[np.float64] | None
) -> Predictor: ...
