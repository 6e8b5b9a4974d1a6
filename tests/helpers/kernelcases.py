"""A case for every kernel, its arguments, and how far two results may differ."""

from itertools import product
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from exactactivations import TERMS

from dnncore import kernels, reference

DTYPES = (np.float32, np.float64)
# Astride the width of a vector (4, 8 or 16 numbers) and of the lanes of a sum (8 or 16).
SHAPES = tuple(product((0, 1, 2, 5, 17), (1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 33, 65)))
# Astride the block of 2048 numbers that the C code treats together.
LARGE_SHAPES = ((2, 2047), (1, 2048), (3, 2049), (2, 5000), (2049, 1), (1025, 2), (300, 7))

ACTIVATIONS = ("sigmoid", "tanh", "relu", "selu", "silu", "gelu", "mish", "exp")
# Those whose derivative is computed from their input rather than their output.
FROM_INPUT = ("silu", "gelu", "mish")
ELEMENTWISE = (*ACTIVATIONS, *(f"{name}_backward" for name in ACTIVATIONS))
CROSS_ENTROPIES = ("cross_entropy", "cross_entropy_backward", "softmax_cross_entropy")
# Losses that are a sum over the outputs of a row.
OUTPUT_LOSSES = (
    "sigmoid_cross_entropy",
    "squared_error",
    "huber_error",
    "absolute_error",
    "quantile_error",
    "poisson_deviance",
)
WEIGHTED = ("unweighted", "weighted")
# A case is a function and, for those that take labels or targets, the kind of them and weights.
CASES = (
    *((name,) for name in reference.__all__ if name not in CROSS_ENTROPIES + OUTPUT_LOSSES),
    *product(CROSS_ENTROPIES, ("classes", "rows"), WEIGHTED),
    *product(OUTPUT_LOSSES, ("targets",), WEIGHTED),
)
OUT_CASES = tuple(case for case in CASES if case[0] != "cross_entropy")
IN_PLACE_CASES = tuple(
    case
    for case in OUT_CASES
    if not case[0].startswith(("affine", "piecewise_linear", "sort_rows_backward"))
)


def case_id(case: tuple[str, ...]) -> str:
    return "-".join(case)


each_case = pytest.mark.parametrize("case", CASES, ids=case_id)
each_out_case = pytest.mark.parametrize("case", OUT_CASES, ids=case_id)
each_unweighted_case = pytest.mark.parametrize(
    "case", [case for case in CASES if case[-1] == "unweighted"], ids=case_id
)
each_dtype = pytest.mark.parametrize("dtype", DTYPES)


def make_arguments(
    case: tuple[str, ...], n: int, m: int, dtype: type, seed: int | None = None
) -> dict[str, np.ndarray]:
    rng = np.random.default_rng([n, m] if seed is None else seed)

    def normal(*shape: int) -> np.ndarray:
        return rng.standard_normal(shape).astype(dtype)

    def positive(*shape: int) -> np.ndarray:
        return rng.uniform(0.5, 2.0, shape).astype(dtype)

    def probabilities() -> np.ndarray:
        return reference.softmax(2 * normal(n, m))

    k = max(66 - m, 1)  # another size than m, as varied as m
    match case:
        case ("norm",):
            return {"x": normal(n, m), "mean": normal(m), "scale": positive(m)}
        case ("norm_backward",):
            return {"da": normal(n, m), "scale": positive(m)}
        case ("affine",):
            return {"a": normal(n, k), "W": normal(k, m), "b": normal(m)}
        case ("affine_backward",):
            return {"dz": normal(n, m), "a": normal(n, k), "W": normal(k, m)}
        case (name,) if name in (*ACTIVATIONS, "softmax", "log_softmax", "sort_rows"):
            return {"z": 3 * normal(n, m)}
        case (name,) if name in ELEMENTWISE:
            return {"da": normal(n, m)} | source(name.removesuffix("_backward"), 3 * normal(n, m))
        case ("piecewise_linear" | "piecewise_linear_backward" as name,):
            numbers, n_bins, size = min((m + 1) // 2, 17), 1 + (m - 1) % 17, 1 + m % 5
            used = rng.random((numbers, n_bins)) < 0.9
            arguments = {
                "x": normal(n, m),
                "lower": normal(numbers, n_bins),
                "inverse_width": positive(numbers, n_bins) * used,
                "s": normal(numbers * size + m),
                "V": normal(numbers, size, n_bins),
                "c": normal(numbers, size),
            }
            if name == "piecewise_linear":
                return arguments
            return {"dout": normal(n, numbers * size + m)} | arguments
        case ("sort_rows_backward",):
            return {"dout": normal(n, m), "z": normal(n, m).round(1)}  # some are equal
        case ("softmax_backward",):
            return {"dp": normal(n, m), "p": probabilities()}
        case (name, "targets", weights):
            probability = name == "sigmoid_cross_entropy"
            # Some of the targets are 0 and 1; outputs are on both sides of Huber's delta.
            Y = normal(n, m).clip(0, 1) if probability else normal(n, m)
            if name == "poisson_deviance":
                Y = Y.clip(0)
            w = {"sample_weight": positive(n)} if weights == "weighted" else {}
            return {"z": 3 * normal(n, m), "Y": Y} | loss_options(name, m) | w
        case (name, labels, weights):
            first = {"z": normal(n, m)} if name.startswith("softmax") else {"p": probabilities()}
            L = rng.integers(0, m, n, dtype=np.intp) if labels == "classes" else probabilities()
            w = {"sample_weight": positive(n)} if weights == "weighted" else {}
            return first | {"L": L} | w
    raise AssertionError(case)


def loss_options(name: str, m: int) -> dict[str, np.ndarray]:
    """The other arguments of a loss of m outputs."""
    return {"quantiles": np.arange(1, m + 1) / (m + 1)} if name == "quantile_error" else {}


def source(name: str, z: np.ndarray, module: ModuleType = reference) -> dict[str, np.ndarray]:
    """What the derivative of an activation is computed from, as a keyword argument."""
    return {"z": z} if name in FROM_INPUT else {"a": getattr(module, name)(z)}


def call(module: ModuleType, case: tuple[str, ...], arguments: dict[str, Any]) -> Any:
    return getattr(module, case[0])(**arguments)


def as_tuple(result: Any) -> tuple[Any, ...]:
    return result if isinstance(result, tuple) else (result,)


def shares(arguments: dict[str, np.ndarray], n: int) -> np.ndarray:
    """What each row has of all weights."""
    weight = arguments.get("sample_weight", np.ones(n)).astype(float)
    return weight / weight.sum()


def error_bounds(
    case: tuple[str, ...], arguments: dict[str, np.ndarray], expected: tuple[Any, ...]
) -> list[np.ndarray]:
    """By how much each output may differ between two ways of rounding.

    A sum of k terms, in whatever order, is off by at most k eps / 2 times the sum of their
    absolute values: k eps for two of them. The other operations of a kernel, some ten correct
    to 1 to 3 ULP each (exp and log), are covered by 16 eps. Subnormal results are off by units.
    """
    A = {name: np.abs(x) for name, x in arguments.items()}
    first = next(iter(arguments.values()))
    n, m = first.shape
    magnitudes: tuple[Any, ...] = tuple(np.abs(x) for x in expected)
    n_terms: tuple[Any, ...] = (m,)
    units: Any = 4
    match case[0]:
        case "norm" | "norm_backward" | "cross_entropy_backward":
            n_terms = (0,)
        case name if name.removesuffix("_backward") in FROM_INPUT:
            # Where exp(-|z|) is subnormal, the product with z is off by |z| units.
            z = A["z"].clip(max=1000).astype(float)
            units = 4 * (1 + z)
            n_terms = (0,)
            if name.endswith("_backward"):
                gate, bend = TERMS[name.removesuffix("_backward")](arguments["z"].astype(float))
                magnitudes = (A["da"] * (gate + np.abs(bend)),)
                units = units * np.maximum(1, A["da"].astype(float))
        case name if name in ELEMENTWISE:
            n_terms = (0,)
        case "affine":
            magnitudes = (A["a"] @ A["W"] + A["b"],)
            n_terms = (m + 1,)
        case "affine_backward":
            magnitudes = (A["dz"] @ A["W"].T, A["a"].T @ A["dz"], A["dz"].sum(axis=0))
            n_terms = (m, n, n)
        case "piecewise_linear" | "piecewise_linear_backward":
            q = reference._encoded(arguments["x"], arguments["lower"], A["inverse_width"])
            u = reference._embedded(A["x"], q, A["V"], A["c"])
            size, n_bins = A["V"].shape[1:]
            magnitudes, n_terms = (A["s"] * u,), (n_bins + 1,)
            if case[0] == "piecewise_linear_backward":
                absolute = A | {name: arguments[name] for name in ("x", "lower")}
                dx, _, dV, dc = reference.piecewise_linear_backward(**absolute)
                magnitudes = (dx, (A["dout"] * u).sum(axis=0), dV, dc)
                n_terms = (size * n_bins + 1, n + n_bins + 1, n, n)
        case "log_softmax":
            magnitudes = (1 + magnitudes[0],)
        case "softmax_backward":
            magnitudes = (A["p"] * (A["dp"] + (A["dp"] * A["p"]).sum(axis=1, keepdims=True)),)
        case "softmax_cross_entropy":
            L = arguments["L"] if arguments["L"].ndim == 2 else np.eye(m)[arguments["L"]]
            w = shares(arguments, n)
            p_plus_L = reference.softmax(first) * L.sum(axis=1, keepdims=True) + L
            magnitudes = (1 + magnitudes[0], w[:, np.newaxis] * p_plus_L)
            n_terms = (m, m)
        case "sigmoid_cross_entropy":
            w = shares(arguments, n)
            # Of max(z, 0) - Y z + log(1 + exp(-|z|)).
            terms = A["z"].astype(float) + 1
            p_plus_Y = reference.sigmoid(first) + A["Y"]
            magnitudes = (w @ terms.sum(axis=1), w[:, np.newaxis] * p_plus_Y)
            n_terms = (m, 0)
        case "poisson_deviance":
            w = shares(arguments, n)
            m_plus_Y = reference.exp(first) + A["Y"].astype(float)
            log_Y = np.abs(np.log(np.where(A["Y"] > 0, A["Y"], 1)))
            with np.errstate(over="ignore"):
                terms = m_plus_Y + A["Y"] * (log_Y + A["z"])
                magnitudes = (w @ terms.sum(axis=1), w[:, np.newaxis] * m_plus_Y)
            n_terms = (m, 0)
        case "squared_error" | "huber_error" | "absolute_error" | "quantile_error":
            n_terms = (m, 0)
        case "sort_rows" | "sort_rows_backward":
            n_terms = (-16,)
            units = 0
    info = np.finfo(first.dtype)
    return [
        (16 + k) * float(info.eps) * np.asarray(magnitude, float) + units * info.smallest_subnormal
        for k, magnitude in zip(n_terms, magnitudes, strict=True)
    ]


def check_against_reference(case: tuple[str, ...], arguments: dict[str, np.ndarray]) -> None:
    expected = as_tuple(call(reference, case, arguments))
    actual = as_tuple(call(kernels, case, arguments))
    bounds = error_bounds(case, arguments, expected)
    shapes = {name: x.shape for name, x in arguments.items()}
    for x, y, bound in zip(actual, expected, bounds, strict=True):
        assert type(x) is type(y)
        assert np.shape(x) == np.shape(y), shapes
        assert np.asarray(x).dtype == np.asarray(y).dtype
        error = np.abs(np.subtract(x, y, dtype=float))
        assert np.all(error <= bound), f"{shapes}: off by {np.max(error / bound)} times the bound"


def same_bits(result: Any, expected: Any) -> bool:
    """Also where -0.0 == 0.0 and nan != nan."""
    return all(
        np.asarray(x).tobytes() == np.asarray(y).tobytes()
        for x, y in zip(as_tuple(result), as_tuple(expected), strict=True)
    )
