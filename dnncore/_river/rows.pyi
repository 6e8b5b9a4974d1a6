from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

def no_moments(n_columns: int) -> NDArray[np.float64]: ...
def read_row(
    x: Mapping[Any, Any], columns: dict[Hashable, int], values: NDArray[np.float64]
) -> bool: ...
def update_moments(values: NDArray[np.float64], moments: NDArray[np.float64]) -> None: ...
def standardise(
    values: NDArray[np.float64], moments: NDArray[np.float64], out: NDArray[np.float32]
) -> None: ...
