from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._core.engine import Engine

class Stepper:
    n_features: int
    n_outputs: int
    max_rows: int
    dtype: np.dtype[Any]
    mean: NDArray[Any] | None
    scale: NDArray[Any] | None
    @property
    def n_forward(self) -> int: ...
    def __init__(
        self,
        network: Any,
        engine: Engine,
        counter: NDArray[np.int64],
        rate: NDArray[np.float64],
        *,
        low: float = ...,
        high: float = ...,
    ) -> None: ...
    def try_step(self, X: Any, y: Any, sample_weight: Any) -> float | None: ...
    def try_learn_one(self, x: Any, y: Any) -> float | None: ...
    def try_forward(self, X: Any, out: Any) -> NDArray[Any] | None: ...
    def try_backward(self, d_outputs: Any, dz: Any) -> bool: ...
    def step_on(
        self,
        X: Any,
        label: NDArray[np.intp] | None,
        L: NDArray[Any] | None,
        sample_weight: NDArray[Any] | None,
    ) -> float: ...
    def forward_on(self, X: NDArray[Any], out: NDArray[Any]) -> None: ...
