from typing import Any

from numpy import float64
from numpy.typing import NDArray

MOMENTS_ROWS: int

def available() -> tuple[str, ...]: ...
def selected() -> str: ...
def select(name: str) -> None: ...
def exp(x: NDArray[Any]) -> NDArray[Any]: ...
def log(x: NDArray[Any]) -> NDArray[Any]: ...
def all_finite(x: NDArray[Any]) -> bool: ...
def address(array: NDArray[Any]) -> int: ...
def add_moments(
    x: NDArray[Any],
    weight: NDArray[float64] | None,
    missing: bool,
    count: NDArray[float64],
    mean: NDArray[float64],
    variance: NDArray[float64],
) -> None: ...
def add_ranges(
    x: NDArray[Any],
    weight: NDArray[float64] | None,
    low: NDArray[float64],
    high: NDArray[float64],
) -> None: ...
def scales(
    mean: NDArray[float64],
    variance: NDArray[float64],
    low: NDArray[float64] | None,
    high: NDArray[float64] | None,
    error: float,
    out: NDArray[Any],
) -> None: ...
