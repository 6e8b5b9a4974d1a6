from collections.abc import Sequence
from typing import Any

from numpy import float64, intp
from numpy.typing import NDArray

from .piecewise_linear import PiecewiseLinear

SCORING_ROWS: int
ACTIVATION_CODES: dict[str, int]
OUTPUT_CODES: dict[str, int]
LOSS_CODES: dict[str, int]
UPDATE_CODES: dict[str, int]

def input_rows(
    X: Any,
    mean: NDArray[Any] | None,
    scale: NDArray[Any] | None,
    missing: NDArray[intp] | None,
) -> NDArray[Any]: ...
def multiplies_stored(
    X: Any,
    mean: NDArray[Any] | None,
    missing: NDArray[intp] | None,
    embedding: PiecewiseLinear | None,
    builtin: bool,
) -> bool: ...

class Engine:
    batch_size: int
    mean: NDArray[Any] | None
    scale: NDArray[Any] | None

    def __init__(
        self,
        layer_sizes: tuple[int, ...],
        parameters: NDArray[Any],
        mean: NDArray[Any] | None,
        scale: NDArray[Any] | None,
        batch_size: int,
        n_threads: int,
        training: bool = True,
        builtin: bool = False,
        activation: str = "logistic",
        output: str = "softmax",
        missing: NDArray[intp] | None = None,
        factors: Sequence[tuple[float, float, float]] | None = None,
        embedding: PiecewiseLinear | None = None,
        csr: bool = False,
    ) -> None: ...
    def score(self, X: Any, out: NDArray[Any], as_logits: bool = False) -> None: ...
    def prepare(
        self,
        update: str,
        state1: NDArray[Any],
        state2: NDArray[Any],
        *,
        alpha: float,
        momentum: float = 0.0,
        beta1: float = 0.0,
        beta2: float = 0.0,
        epsilon: float = 0.0,
        weight_decay: float = 0.0,
        loss: str = "cross_entropy",
        loss_parameters: NDArray[float64] | None = None,
        dropout: float = 0.0,
        dropout_seed: int = 0,
        max_grad_norm: float = 0.0,
    ) -> None: ...
    def train_epoch(
        self,
        X: Any,
        label: NDArray[intp] | None,
        L: NDArray[Any] | None,
        sample_weight: NDArray[Any] | None,
        order: NDArray[intp] | None,
        *,
        rate: float,
        steps_before: int,
        rates: NDArray[float64] | None = None,
        time_left: float = ...,
        loss_before: float = ...,
    ) -> tuple[float, int]: ...
    def update(self, gradient: NDArray[Any], *, rate: float, steps_before: int) -> None: ...
