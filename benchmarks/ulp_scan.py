"""Largest error of exp, log and the activation functions over all float32 bit patterns.

The error is the distance from the correctly rounded result in representable numbers (ULP); the
correctly rounded result is the float64 result rounded to float32. Infinity counts as the number
after the largest one; NaN instead of a number, or a number instead of NaN, is an error of billions.
Among the inputs with the largest error, the one with the result farthest from the exact one is
shown. A complete scan takes 2 to 3 minutes per function on one core of a 2020s x86-64 machine;
--stride 97 takes seconds.
"""

import argparse
import time
from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray
from scipy import special

from dnncore import kernels
from dnncore._core import csrc

N_PATTERNS = 2**32
BLOCK = 2**20


def sigmoid(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.exp(np.minimum(x, 0)) / (1 + np.exp(-np.abs(x)))


def mish(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.maximum(x, -700) * np.tanh(np.log1p(np.exp(x)))


def silu(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.maximum(x, -700) * sigmoid(x)


def gelu(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.maximum(x, -50) * special.erfc(-x * np.sqrt(0.5)) / 2


def selu(x: NDArray[np.float64]) -> NDArray[np.float64]:
    below = 1.7580993408473768 * np.expm1(np.minimum(x, 0))
    return np.where(x > 0, 1.0507009873554805 * x, below)


FLOAT64: dict[str, Callable[[NDArray[np.float64]], NDArray[np.float64]]] = {
    "exp": np.exp,
    "log": np.log,
    "sigmoid": sigmoid,
    "tanh": np.tanh,
    "selu": selu,
    "silu": silu,
    "gelu": gelu,
    "mish": mish,
}


def float32_blocks(stride: int) -> Iterator[NDArray[np.float32]]:
    """Yield every `stride`-th float32 in the order of the bit patterns."""
    for start in range(0, N_PATTERNS, BLOCK * stride):
        stop = min(start + BLOCK * stride, N_PATTERNS)
        yield np.arange(start, stop, stride, dtype=np.uint32).view(np.float32)


def ordinal(x: NDArray[np.float32]) -> NDArray[np.int64]:
    """Return the index of float32 numbers in increasing order.

    Neighbours differ by 1, and -0 equals +0. All NaN have the same index, far beyond that of
    infinity.
    """
    i = x.view(np.int32).astype(np.int64)
    return np.where(np.isnan(x), 2 * N_PATTERNS, np.where(i < 0, -(2**31) - i, i))


def largest_error(name: str, stride: int) -> tuple[int, float, np.float32]:
    """Return the largest error of a function in ULP, the unrounded error, and the input."""
    function = getattr(csrc if name in ("exp", "log") else kernels, name)
    worst = (-1, 0.0, np.float32(np.nan))
    for x in float32_blocks(stride):
        actual = function(x)
        with np.errstate(all="ignore"):
            exact = FLOAT64[name](x.astype(np.float64))
            expected = exact.astype(np.float32)
        error = np.abs(ordinal(actual) - ordinal(expected))
        at = np.flatnonzero(error == error.max())
        with np.errstate(all="ignore"):
            distance = np.abs(actual[at] - exact[at]) / np.spacing(np.abs(expected[at]))
        distance = np.nan_to_num(distance, nan=0.0, posinf=0.0)
        i = distance.argmax()
        worst = max(worst, (int(error.max()), float(distance[i]), x[at[i]]), key=lambda w: w[:2])
    return worst


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--function",
        choices=[*FLOAT64, "all"],
        default="all",
        help="function to scan (default: all)",
    )
    parser.add_argument(
        "--stride",
        type=int,
        default=1,
        help="scan every STRIDE-th pattern; a prime number covers all exponents (default: 1)",
    )
    arguments = parser.parse_args()
    if arguments.stride < 1:
        parser.error(f"--stride must be at least 1, got {arguments.stride}")

    print(f"instruction set {csrc.selected()}, stride {arguments.stride}")
    for name in FLOAT64 if arguments.function == "all" else [arguments.function]:
        start = time.perf_counter()
        error, distance, where = largest_error(name, arguments.stride)
        seconds = time.perf_counter() - start
        print(
            f"{name:8} {error} ULP ({distance:.3f} from the exact result) "
            f"at {where} ({float(where).hex()}), {seconds:.1f} s",
            flush=True,
        )


if __name__ == "__main__":
    main()
