"""The activations in a wide type, by formulas that are accurate everywhere."""

from collections.abc import Callable

import numpy as np

LOWEST = -12000  # where x exp(x) is 0 in long double; -inf times 0 would be NaN


def sigmoid(x: np.ndarray) -> np.ndarray:
    return np.exp(np.minimum(x, 0)) / (1 + np.exp(-np.abs(x)))


def selu(x: np.ndarray) -> np.ndarray:
    scale, alpha = x.dtype.type("1.05070098735548049342"), x.dtype.type("1.67326324235437728481")
    return np.where(x > 0, scale * x, scale * alpha * np.expm1(np.minimum(x, 0)))


# silu, gelu and mish are z g(z). The terms of their slope are g(z) and z g'(z).


def silu_terms(z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return sigmoid(z), np.clip(z, LOWEST, -LOWEST) * sigmoid(z) * sigmoid(-z)


def gelu_terms(z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """NumPy and SciPy have no erfc of a long double."""
    one = z.dtype.type(1)
    size = np.minimum(np.abs(z), 140)  # beyond, the density is 0
    high = size.astype(np.float32).astype(z.dtype)  # its square is exact
    rest = (size - high) * (size + high)
    density = np.exp(-high * high / 2) * np.exp(-rest / 2) / np.sqrt(8 * np.arctan(one))
    # Phi(z) - 1/2 near 0, of positive terms; far from it, the continued fraction of Laplace.
    term = near = np.minimum(size, 2)
    for k in range(3, 75, 2):
        term = term * np.minimum(size, 2) ** 2 / k
        near = near + term
    far = np.maximum(size, 2)
    for k in range(100, 0, -1):
        far = np.maximum(size, 2) + k / far
    tail = np.where(size < 2, one / 2 - density * near, density / far)
    return np.where(z < 0, tail, 1 - tail), np.clip(z, -140, 140) * density


def mish_terms(z: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    s = np.maximum(z, 0) + np.log1p(np.exp(-np.abs(z)))
    e = np.exp(-s) ** 2
    return np.tanh(s), np.clip(z, LOWEST, -LOWEST) * (4 * e / (1 + e) ** 2) * sigmoid(z)


TERMS = {"silu": silu_terms, "gelu": gelu_terms, "mish": mish_terms}


def _product(
    terms: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]],
) -> Callable[[np.ndarray], np.ndarray]:
    return lambda z: np.maximum(z, LOWEST) * terms(z)[0]


ACTIVATIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    "sigmoid": sigmoid,
    "tanh": np.tanh,
    "selu": selu,
    **{name: _product(terms) for name, terms in TERMS.items()},
}
