"""dnncore.kernels against dnncore.reference: value, dtype, and whether both raise."""

import inspect
import re
from itertools import combinations, product
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from dnncore import kernels, reference
from dnncore._core import csrc

DTYPES = (np.float32, np.float64)
# Astride the width of a vector (4, 8 or 16 numbers) and of the lanes of a sum (8 or 16).
SHAPES = tuple(product((0, 1, 2, 5, 17), (1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 33, 65)))
# Astride the block of 2048 numbers that the C code treats together.
LARGE_SHAPES = ((2, 2047), (1, 2048), (3, 2049), (2, 5000), (2049, 1), (1025, 2), (300, 7))

ACTIVATIONS = ("sigmoid", "tanh", "relu")
ELEMENTWISE = (*ACTIVATIONS, *(f"{name}_backward" for name in ACTIVATIONS))
CROSS_ENTROPIES = ("cross_entropy", "cross_entropy_backward", "softmax_cross_entropy")
# Losses that are a sum over the outputs of a row.
OUTPUT_LOSSES = ("sigmoid_cross_entropy", "squared_error", "huber_error")
WEIGHTED = ("unweighted", "weighted")
# A case is a function and, for those that take labels or targets, the kind of them and weights.
CASES = (
    *((name,) for name in reference.__all__ if name not in CROSS_ENTROPIES + OUTPUT_LOSSES),
    *product(CROSS_ENTROPIES, ("classes", "rows"), WEIGHTED),
    *product(OUTPUT_LOSSES, ("targets",), WEIGHTED),
)
OUT_CASES = tuple(case for case in CASES if case[0] != "cross_entropy")
IN_PLACE_CASES = tuple(case for case in OUT_CASES if not case[0].startswith("affine"))


def case_id(case: tuple[str, ...]) -> str:
    return "-".join(case)


each_case = pytest.mark.parametrize("case", CASES, ids=case_id)
each_out_case = pytest.mark.parametrize("case", OUT_CASES, ids=case_id)
each_unweighted_case = pytest.mark.parametrize(
    "case", [case for case in CASES if case[-1] == "unweighted"], ids=case_id
)
each_dtype = pytest.mark.parametrize("dtype", DTYPES)
each_module = pytest.mark.parametrize(
    "module", (kernels, reference), ids=lambda module: module.__name__
)


def make_arguments(case: tuple[str, ...], n: int, m: int, dtype: type) -> dict[str, np.ndarray]:
    rng = np.random.default_rng([n, m])

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
        case ("sigmoid" | "tanh" | "relu" | "softmax" | "log_softmax",):
            return {"z": 3 * normal(n, m)}
        case ("sigmoid_backward" | "tanh_backward" | "relu_backward" as name,):
            activation = getattr(reference, name.removesuffix("_backward"))
            return {"da": normal(n, m), "a": activation(3 * normal(n, m))}
        case ("softmax_backward",):
            return {"dp": normal(n, m), "p": probabilities()}
        case (name, "targets", weights):
            probability = name == "sigmoid_cross_entropy"
            # Some of the targets are 0 and 1; outputs are on both sides of Huber's delta.
            Y = normal(n, m).clip(0, 1) if probability else normal(n, m)
            w = {"sample_weight": positive(n)} if weights == "weighted" else {}
            return {"z": 3 * normal(n, m), "Y": Y} | w
        case (name, labels, weights):
            first = {"z": normal(n, m)} if name.startswith("softmax") else {"p": probabilities()}
            L = rng.integers(0, m, n, dtype=np.intp) if labels == "classes" else probabilities()
            w = {"sample_weight": positive(n)} if weights == "weighted" else {}
            return first | {"L": L} | w
    raise AssertionError(case)


def call(module: ModuleType, case: tuple[str, ...], arguments: dict[str, Any]) -> Any:
    return getattr(module, case[0])(**arguments)


def as_tuple(result: Any) -> tuple[Any, ...]:
    return result if isinstance(result, tuple) else (result,)


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
    n_terms: tuple[int, ...] = (m,)
    match case[0]:
        case "norm" | "norm_backward" | "cross_entropy_backward":
            n_terms = (0,)
        case name if name in ELEMENTWISE:
            n_terms = (0,)
        case "affine":
            magnitudes = (A["a"] @ A["W"] + A["b"],)
            n_terms = (m + 1,)
        case "affine_backward":
            magnitudes = (A["dz"] @ A["W"].T, A["a"].T @ A["dz"], A["dz"].sum(axis=0))
            n_terms = (m, n, n)
        case "log_softmax":
            magnitudes = (1 + magnitudes[0],)
        case "softmax_backward":
            magnitudes = (A["p"] * (A["dp"] + (A["dp"] * A["p"]).sum(axis=1, keepdims=True)),)
        case "softmax_cross_entropy":
            L = reference._label_rows(arguments["L"], first, "z")
            w = reference._weights(arguments.get("sample_weight"), first)
            p_plus_L = reference.softmax(first) * L.sum(axis=1, keepdims=True) + L
            magnitudes = (1 + magnitudes[0], w[:, np.newaxis] * p_plus_L)
            n_terms = (m, m)
        case "sigmoid_cross_entropy":
            w = reference._weights(arguments.get("sample_weight"), first)
            # Of max(z, 0) - Y z + log(1 + exp(-|z|)).
            terms = A["z"].astype(float) + 1
            p_plus_Y = reference.sigmoid(first) + A["Y"]
            magnitudes = (w @ terms.sum(axis=1), w[:, np.newaxis] * p_plus_Y)
            n_terms = (m, 0)
        case "squared_error" | "huber_error":
            n_terms = (m, 0)
    info = np.finfo(first.dtype)
    return [
        (16 + k) * float(info.eps) * np.asarray(magnitude, float) + 4 * info.smallest_subnormal
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


# ------------------------------------------------------------------------------- values


@each_dtype
@each_case
def test_agrees_with_reference(case, dtype):
    for n, m in SHAPES:
        check_against_reference(case, make_arguments(case, n, m, dtype))


@each_dtype
@each_case
def test_agrees_with_reference_beyond_a_block(case, dtype):
    for n, m in LARGE_SHAPES:
        check_against_reference(case, make_arguments(case, n, m, dtype))


@pytest.mark.parametrize("isa", [name for name in csrc.available() if name != "generic"])
@each_dtype
@each_case
def test_instruction_sets_return_the_same_bits(case, dtype, isa):
    before = csrc.selected()
    try:
        for n, m in SHAPES + LARGE_SHAPES:
            arguments = make_arguments(case, n, m, dtype)
            csrc.select("generic")
            expected = call(kernels, case, arguments)
            csrc.select(isa)
            assert same_bits(call(kernels, case, arguments), expected), (n, m)
    finally:
        csrc.select(before)


@each_dtype
@pytest.mark.parametrize("name", ACTIVATIONS)
@pytest.mark.parametrize("shape", [(), (0,), (17,), (2, 0, 3), (2, 3, 5), (5, 1, 1, 7)])
def test_activations_take_any_shape(shape, name, dtype):
    z = np.asarray(np.random.default_rng(0).normal(size=shape), dtype)
    a, expected = (getattr(module, name)(z) for module in (kernels, reference))
    assert isinstance(a, np.ndarray)
    assert a.shape == shape
    assert a.dtype == dtype
    np.testing.assert_allclose(a, expected, rtol=16 * np.finfo(dtype).eps)
    dz, expected = (getattr(module, f"{name}_backward")(z, a) for module in (kernels, reference))
    assert dz.shape == shape
    np.testing.assert_allclose(dz, expected, rtol=16 * np.finfo(dtype).eps)


@each_dtype
def test_reference_agrees_with_scipy(dtype):
    special = pytest.importorskip("scipy.special")
    z = make_arguments(("softmax",), 17, 33, dtype)["z"]
    rtol = (16 + 33) * float(np.finfo(dtype).eps)
    np.testing.assert_allclose(reference.sigmoid(z), special.expit(z), rtol=rtol)
    np.testing.assert_allclose(reference.softmax(z), special.softmax(z, axis=1), rtol=rtol)
    np.testing.assert_allclose(reference.log_softmax(z), special.log_softmax(z, axis=1), rtol=rtol)
    Y = make_arguments(("sigmoid_cross_entropy", "targets", "unweighted"), 17, 33, dtype)["Y"]
    losses = -Y * special.log_expit(z) - (1 - Y) * special.log_expit(-z)
    loss, _ = reference.sigmoid_cross_entropy(z, Y)
    assert loss == pytest.approx(losses.sum(axis=1).mean(), rel=rtol)
    loss, _ = reference.huber_error(z, Y, delta=0.5)
    assert loss == pytest.approx(special.huber(dtype(0.5), z - Y).sum(axis=1).mean(), rel=rtol)


@each_module
@each_dtype
@pytest.mark.parametrize("weights", WEIGHTED)
def test_one_output_counts_like_a_softmax_of_two(weights, dtype, module):
    """The softmax of 0 and z is 1 - p and p, with p = sigmoid(z)."""
    case = ("sigmoid_cross_entropy", "targets", weights)
    arguments = make_arguments(case, 65, 1, dtype)
    loss, dz = call(module, case, arguments)
    z, Y = arguments.pop("z"), arguments.pop("Y")
    two, L = np.hstack([np.zeros_like(z), z]), np.hstack([1 - Y, Y])
    expected_loss, expected_dz = module.softmax_cross_entropy(two, L, **arguments)
    eps = float(np.finfo(dtype).eps)
    assert loss == pytest.approx(expected_loss, rel=16 * eps)
    np.testing.assert_allclose(dz, expected_dz[:, 1:], rtol=0, atol=16 * eps)


@each_module
@each_dtype
def test_a_small_loss_is_not_rounded_away(dtype, module):
    """Of an output that is right by far the loss is exp(-|z|), although p is 0 or 1."""
    z = np.array([[-1], [1]], dtype) * np.linspace(5, 80, 76, dtype=dtype)
    Y = (z > 0).astype(dtype)
    eps = float(np.finfo(dtype).eps)
    for i in range(z.shape[1]):
        loss, _ = module.sigmoid_cross_entropy(z[:, i : i + 1], Y[:, i : i + 1])
        exact = np.log1p(np.exp(-float(z[1, i])))
        assert loss == pytest.approx(exact, rel=16 * eps, abs=0)


@each_module
@each_dtype
@pytest.mark.parametrize("delta", [0.25, 1, 3.5, np.float32(0.1), 1e-30, 1e30])
def test_delta_of_huber_error(delta, dtype, module):
    for n, m in ((5, 17), (3, 2049)):
        arguments = make_arguments(("huber_error", "targets", "weighted"), n, m, dtype)
        loss, dz = module.huber_error(**arguments, delta=delta)
        expected_loss, expected_dz = reference.huber_error(**arguments, delta=delta)
        eps = float(np.finfo(dtype).eps)
        assert loss == pytest.approx(expected_loss, rel=(16 + m) * eps, abs=0)
        np.testing.assert_allclose(dz, expected_dz, rtol=16 * eps)
        if delta == 1e30:
            assert same_bits((loss, dz), module.squared_error(**arguments))
        # The same number in the type of z.
        assert same_bits((loss, dz), module.huber_error(**arguments, delta=dtype(delta)))


# -------------------------------------------------------------------------- signatures


def test_functions_are_those_of_reference():
    public = {
        name
        for name, member in vars(kernels).items()
        if not name.startswith("_") and getattr(member, "__module__", None) == kernels.__name__
    }
    assert public == set(reference.__all__)


@pytest.mark.parametrize("name", reference.__all__)
def test_signatures_are_equal(name):
    def parameters(module):
        signature = inspect.signature(getattr(module, name))
        return [(p.name, p.kind, p.default) for p in signature.parameters.values()]

    assert parameters(kernels) == parameters(reference)


# ----------------------------------------------------------------------------- layouts


def strided(x: np.ndarray) -> np.ndarray:
    big = np.full([2 * size for size in x.shape], 77, x.dtype)
    view = big[(slice(None, None, 2),) * x.ndim]
    view[...] = x
    return view


def reversed_axes(x: np.ndarray) -> np.ndarray:
    return np.flip(np.flip(x).copy())


def read_only(x: np.ndarray) -> np.ndarray:
    x = x.copy()
    x.flags.writeable = False
    return x


def unaligned(x: np.ndarray) -> np.ndarray:
    view = np.zeros(x.nbytes + 1, np.uint8)[1:].view(x.dtype).reshape(x.shape)
    view[...] = x
    assert not view.flags.aligned
    return view


@pytest.mark.parametrize(
    "layout", [np.asfortranarray, strided, reversed_axes, read_only, unaligned, np.ndarray.tolist]
)
@each_case
def test_layout_of_the_arguments_does_not_matter(case, layout):
    arguments = make_arguments(case, 5, 17, np.float64)  # the type of a list of floats
    expected = call(kernels, case, arguments)
    laid_out = {name: layout(x) for name, x in arguments.items()}
    assert same_bits(call(kernels, case, laid_out), expected)
    for name, x in arguments.items():  # one at a time, too
        assert same_bits(call(kernels, case, arguments | {name: layout(x)}), expected)


@each_case
def test_arguments_are_left_alone(case):
    arguments = make_arguments(case, 5, 17, np.float32)
    copies = {name: x.copy() for name, x in arguments.items()}
    call(kernels, case, arguments)
    for name, x in arguments.items():
        assert same_bits(x, copies[name]), name


# --------------------------------------------------------------------------------- out


def outputs(case: tuple[str, ...], arguments: dict[str, np.ndarray]) -> tuple[np.ndarray, ...]:
    """New arrays of the shapes of the results, filled with a value that must not survive."""
    result = as_tuple(call(reference, case, arguments))
    return tuple(np.full_like(x, 77) for x in result if isinstance(x, np.ndarray))


def as_out(out: tuple[Any, ...]) -> Any:
    return out if len(out) > 1 else out[0]


@each_module
@each_dtype
@each_out_case
def test_out_is_written_and_returned(case, dtype, module):
    for n, m in ((0, 3), (1, 1), (5, 17), (17, 8)):
        arguments = make_arguments(case, n, m, dtype)
        expected = call(module, case, arguments)
        out = outputs(case, arguments)
        result = call(module, case, arguments | {"out": as_out(out)})
        assert same_bits(result, expected)
        arrays = [x for x in as_tuple(result) if isinstance(x, np.ndarray)]
        assert all(x is y for x, y in zip(arrays, out, strict=True))


@each_module
def test_out_of_affine_backward_may_be_given_in_part(module):
    arguments = make_arguments(("affine_backward",), 5, 17, np.float32)
    expected = module.affine_backward(**arguments)
    dW = np.empty_like(arguments["W"])
    result = module.affine_backward(**arguments, out=(None, dW, None))
    assert result[1] is dW
    assert same_bits(result, expected)


@each_module
@each_dtype
@pytest.mark.parametrize("case", IN_PLACE_CASES, ids=case_id)
def test_in_place(case, dtype, module):
    for n, m in ((0, 3), (1, 1), (5, 17), (17, 8), (3, 2049)):
        arguments = make_arguments(case, n, m, dtype)
        expected = call(module, case, arguments)
        first = next(iter(arguments.values()))
        result = call(module, case, arguments | {"out": first})
        assert as_tuple(result)[-1] is first
        assert same_bits(result, expected)


@each_module
@each_out_case
def test_out_of_another_kind_is_refused(case, module):
    arguments = make_arguments(case, 5, 17, np.float32)
    good = outputs(case, arguments)
    for i, x in enumerate(good):
        bad_outputs = (
            (TypeError, x.tolist()),
            (TypeError, x.astype(np.float64)),
            (TypeError, x.astype(x.dtype.newbyteorder())),
            (ValueError, x[:-1]),
            (ValueError, x[..., :-1].copy()),
            (ValueError, x[np.newaxis]),
            (ValueError, read_only(x)),
        )
        for error, bad in bad_outputs:
            out = as_out((*good[:i], bad, *good[i + 1 :]))
            # NumPy's own message about a read-only array is good enough for the reference.
            match = "^out" if module is kernels else None
            with pytest.raises(error, match=match):
                call(module, case, arguments | {"out": out})


@each_module
def test_out_of_affine_backward_is_a_tuple_of_three(module):
    arguments = make_arguments(("affine_backward",), 5, 17, np.float32)
    da, dW, db = outputs(("affine_backward",), arguments)
    for out in (da, (da, dW), [da, dW, db], (da, dW, db, db)):
        with pytest.raises(TypeError, match="out"):
            module.affine_backward(**arguments, out=out)


@pytest.mark.parametrize("layout", [np.asfortranarray, strided, reversed_axes, unaligned])
@each_out_case
def test_out_must_be_contiguous_and_aligned(case, layout):
    arguments = make_arguments(case, 5, 17, np.float32)
    good = outputs(case, arguments)
    for i, x in enumerate(good):
        bad = layout(x)
        if bad.flags.c_contiguous and bad.flags.aligned:  # a vector in Fortran's order
            continue
        with pytest.raises(ValueError, match=r"^out"):
            call(kernels, case, arguments | {"out": as_out((*good[:i], bad, *good[i + 1 :]))})


def overlapping(x: np.ndarray, y: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Copies of two arrays, the last number of the one in the memory of the other's first."""
    memory = np.zeros(x.nbytes + y.nbytes, np.uint8)
    a = memory[: x.nbytes].view(x.dtype).reshape(x.shape)
    start = x.nbytes - x.itemsize
    b = memory[start : start + y.nbytes].view(y.dtype).reshape(y.shape)
    b[...], a[...] = y, x
    assert np.shares_memory(a, b)
    return a, b


@each_dtype
@each_out_case
def test_out_must_not_overlap_an_argument_in_part(case, dtype):
    arguments = make_arguments(case, 5, 17, dtype)
    good = outputs(case, arguments)
    for (i, x), (name, argument) in product(enumerate(good), arguments.items()):
        argument, bad = overlapping(argument, x)
        out = as_out((*good[:i], bad, *good[i + 1 :]))
        with pytest.raises(ValueError, match=r"^out.*overlap"):
            call(kernels, case, arguments | {name: argument, "out": out})


@each_dtype
@each_out_case
def test_out_must_not_be_another_argument_than_the_first(case, dtype):
    arguments = make_arguments(case, 33, 33, dtype)
    good = outputs(case, arguments)
    others = list(arguments.items())[case in IN_PLACE_CASES :]
    for (i, x), (name, argument) in product(enumerate(good), others):
        if argument.shape == x.shape and argument.dtype == x.dtype:
            out = as_out((*good[:i], argument, *good[i + 1 :]))
            with pytest.raises(ValueError, match=r"^out.*overlap"):
                call(kernels, case, arguments | {name: argument, "out": out})


@each_dtype
def test_outputs_of_affine_backward_must_not_overlap(dtype):
    arguments = make_arguments(("affine_backward",), 5, 17, dtype)
    for i, j in combinations(range(3), 2):
        out = list(outputs(("affine_backward",), arguments))
        out[i], out[j] = overlapping(out[i], out[j])
        with pytest.raises(ValueError, match=r"^out.*overlap"):
            kernels.affine_backward(**arguments, out=tuple(out))


# ---------------------------------------------------------------------- labels, weights


@each_module
@pytest.mark.parametrize("integer", [*np.typecodes["AllInteger"], ">i4", ">u2"])
@pytest.mark.parametrize("name", CROSS_ENTROPIES)
def test_labels_of_any_integer_type(name, integer, module):
    # More classes than int8 can count: the labels must be compared with m in a wider type.
    arguments = make_arguments((name, "classes", "weighted"), 17, 200, np.float32)
    arguments["L"] %= 128
    expected = getattr(module, name)(**arguments)
    arguments["L"] = arguments["L"].astype(integer)
    assert same_bits(getattr(module, name)(**arguments), expected)


@each_dtype
@pytest.mark.parametrize("weights", ["unweighted", "weighted"])
@pytest.mark.parametrize("name", CROSS_ENTROPIES)
def test_classes_count_like_one_hot_rows(name, weights, dtype):
    for n, m in SHAPES:
        case = (name, "classes", weights)
        arguments = make_arguments(case, n, m, dtype)
        expected = as_tuple(call(kernels, case, arguments))
        bounds = error_bounds(case, arguments, expected)
        arguments["L"] = np.eye(m, dtype=dtype)[arguments["L"]]
        actual = as_tuple(call(kernels, case, arguments))
        for x, y, bound in zip(actual, expected, bounds, strict=True):
            assert np.all(np.abs(x - y) <= bound)


@each_module
@each_unweighted_case
def test_weights_of_any_real_type(case, module):
    arguments = make_arguments(case, 17, 8, np.float32)
    ones = np.arange(17) % 2
    expected = call(module, case, arguments | {"sample_weight": ones.astype(np.float32)})
    types = (bool, np.int8, np.uint64, np.float16, np.float64, np.longdouble, ">f8")
    for weights in (ones.tolist(), *(ones.astype(real) for real in types)):
        assert same_bits(call(module, case, arguments | {"sample_weight": weights}), expected)


@each_module
@each_dtype
@pytest.mark.parametrize(
    ("name", "labels"),
    [
        *product(["softmax_cross_entropy"], ["classes", "rows"]),
        *product(OUTPUT_LOSSES, ["targets"]),
    ],
)
def test_whole_weights_count_like_repeated_rows(name, labels, dtype, module):
    counts = np.array([0, 1, 2, 3, 0])
    case = (name, labels, "unweighted")
    arguments = make_arguments(case, 5, 17, dtype)
    # A row that does not count may be as wrong as it likes, if its loss is a number.
    wrong = 1e15 if name == "squared_error" else 1e30
    arguments["z"][4] = np.linspace(-wrong, wrong, 17)
    repeated = {name: np.repeat(x, counts, axis=0) for name, x in arguments.items()}
    loss, dz = call(module, case, arguments | {"sample_weight": counts})
    expected_loss, rows = call(module, case, repeated)
    expected_dz = np.zeros_like(dz)
    np.add.at(expected_dz, np.repeat(np.arange(5), counts), rows)
    atol = (16 + 17) * np.finfo(dtype).eps
    np.testing.assert_allclose(loss, expected_loss, rtol=atol)
    np.testing.assert_allclose(dz, expected_dz, rtol=0, atol=atol)


@each_module
@each_dtype
@each_unweighted_case
@pytest.mark.parametrize("end", ["smallest_subnormal", "tiny", "max"])
def test_only_the_ratios_of_weights_count(end, case, dtype, module):
    """Also where their sum overflows, or is so small that its inverse does."""
    arguments = make_arguments(case, 4, 17, dtype)
    ratios = np.array([1, 2, 3, 4], dtype)
    expected = as_tuple(call(module, case, arguments | {"sample_weight": ratios}))
    unit = getattr(np.finfo(dtype), end) / (4 if end == "max" else 1)
    result = as_tuple(call(module, case, arguments | {"sample_weight": unit * ratios}))
    for x, y in zip(result, expected, strict=True):
        np.testing.assert_allclose(x, y, rtol=4 * np.finfo(dtype).eps)


@each_module
@each_dtype
@each_unweighted_case
def test_no_rows(case, dtype, module):
    for weights in WEIGHTED:
        arguments = make_arguments((*case[:-1], weights), 0, 3, dtype)
        for x in as_tuple(call(module, case, arguments)):
            if isinstance(x, float):
                assert x == 0.0
            else:
                assert x.shape == (0, 3)
                assert x.dtype == dtype


# ------------------------------------------------------------------------------- errors


def float_names(case: tuple[str, ...], arguments: dict[str, np.ndarray]) -> list[str]:
    return [
        name for name, x in arguments.items() if x.dtype.kind == "f" and name != "sample_weight"
    ]


@each_module
@each_case
def test_other_types_are_refused(case, module):
    arguments = make_arguments(case, 5, 17, np.float32)
    for name in float_names(case, arguments):
        x = arguments[name]
        for other in (int, bool, complex, object, np.float16, np.longdouble, ">f4", "<U8"):
            if np.dtype(other) in (np.float32, np.float64):  # where longdouble is double
                continue
            with pytest.raises(TypeError, match=f"^{name} must be .*float32 or float64"):
                call(module, case, arguments | {name: x.astype(other)})


@each_module
@each_dtype
@each_case
def test_mixed_types_are_refused(case, dtype, module):
    arguments = make_arguments(case, 5, 17, dtype)
    other = np.float64 if dtype is np.float32 else np.float32
    for name in float_names(case, arguments)[1:]:
        with pytest.raises(TypeError, match=f"^{name} must have dtype"):
            call(module, case, arguments | {name: arguments[name].astype(other)})


@each_module
@each_case
def test_wrong_shapes_are_refused(case, module):
    arguments = make_arguments(case, 5, 17, np.float32)
    first, *others = arguments
    for name in others:
        x = arguments[name]
        wrong = [x[:-1], np.concatenate([x, x[:1]])]
        if x.ndim == 2:
            wrong += [x[:, :-1], np.concatenate([x, x[:, :1]], axis=1)]
        for y in wrong:
            with pytest.raises(ValueError, match="must have shape"):
                call(module, case, arguments | {name: y})
        if name != "L":  # which may be of one or of two dimensions, each with its own type
            with pytest.raises(ValueError, match=f"^{name} must have shape"):
                call(module, case, arguments | {name: x[np.newaxis]})
    if case[0] not in ELEMENTWISE:
        for y in (arguments[first][0], arguments[first][np.newaxis]):
            with pytest.raises(ValueError, match=f"^{first} must have shape"):
                call(module, case, arguments | {first: y})


@each_module
@pytest.mark.parametrize(
    "case", [case for case in CASES if case[0] not in ELEMENTWISE], ids=case_id
)
def test_no_columns_are_refused(case, module):
    arguments = make_arguments(case, 5, 17, np.float32)
    first = next(iter(arguments))
    with pytest.raises(ValueError, match=f"^{first} must have shape"):
        call(module, case, arguments | {first: arguments[first][:, :0]})


@each_module
@pytest.mark.parametrize("name", CROSS_ENTROPIES)
def test_labels_that_are_no_classes_are_refused(name, module):
    arguments = make_arguments((name, "classes", "weighted"), 5, 17, np.float32)

    def raises(error, L, match):
        with pytest.raises(error, match=match):
            getattr(module, name)(**arguments | {"L": L})

    raises(TypeError, np.zeros(5), "^L must be .*float64")
    raises(TypeError, np.zeros(5, np.float32), "^L must be .*float32")
    raises(TypeError, np.zeros(5, bool), "^L must be .*bool")
    raises(TypeError, np.zeros(5, object), "^L must be .*object")
    raises(TypeError, ["a"] * 5, "^L must be .*U1")
    raises(TypeError, np.zeros((5, 17), int), "^L must be .*int64")
    raises(ValueError, 0, "^L must have shape")
    raises(ValueError, np.zeros((5, 17, 1), int), "^L must have shape")
    raises(ValueError, [0, 1, -1, 17, 3], r"^L must lie in \[0, 17\), got -1 in row 2")
    raises(ValueError, [0, 16, 1, 17, -3], r"^L must lie in \[0, 17\), got 17 in row 3")
    huge = np.array([0, 0, 0, 0, 2**64 - 1], np.uint64)
    raises(ValueError, huge, f"got {2**64 - 1} in row 4")


@each_module
@pytest.mark.parametrize("weights", WEIGHTED)
def test_targets_that_are_no_probabilities_are_refused(weights, module):
    case = ("sigmoid_cross_entropy", "targets", weights)
    arguments = make_arguments(case, 5, 17, np.float64)
    for bad in (-0.25, 1.5, np.nextafter(1, 2), -5e-324, np.nan, np.inf):
        Y = arguments["Y"].copy()
        Y[2, 3] = Y[4, 16] = bad
        match = re.escape(f"Y must lie in [0, 1], got {bad} in row 2, column 3")
        with pytest.raises(ValueError, match=f"^{match}$"):
            call(module, case, arguments | {"Y": Y})


@each_module
@pytest.mark.parametrize("name", OUTPUT_LOSSES)
def test_classes_are_no_targets(name, module):
    arguments = make_arguments((name, "targets", "unweighted"), 5, 17, np.float64)
    with pytest.raises(TypeError, match=r"^Y must be a float32 or float64 array, got int"):
        getattr(module, name)(arguments["z"], np.arange(5))
    with pytest.raises(ValueError, match=r"^Y must have shape"):
        getattr(module, name)(arguments["z"], np.arange(5.0))


@each_module
@each_dtype
def test_delta_that_is_no_positive_number_is_refused(dtype, module):
    arguments = make_arguments(("huber_error", "targets", "weighted"), 5, 17, dtype)
    out = np.full_like(arguments["z"], 77)
    beyond = [1e-50, 1e300] if dtype is np.float32 else []  # 0 and infinity in the type of z
    for delta in (0, -1, -0.5, np.inf, np.nan, *beyond):
        with pytest.raises(ValueError, match=r"^delta must lie in \[.*, got "):
            module.huber_error(**arguments, delta=delta, out=out)
    for delta in (None, "1", True, 1j, np.ones(1), np.True_):
        with pytest.raises(TypeError, match=r"^delta must be a number, got "):
            module.huber_error(**arguments, delta=delta, out=out)
    assert np.all(out == 77)


@each_module
@each_dtype
@each_unweighted_case
def test_weights_that_do_not_weigh_are_refused(case, dtype, module):
    arguments = make_arguments(case, 3, 17, dtype)

    def raises(error, weights):
        with pytest.raises(error, match=r"^sample_weight must"):
            call(module, case, arguments | {"sample_weight": weights})

    raises(ValueError, [1, 2, -1])
    raises(ValueError, [1, 2, np.nan])
    raises(ValueError, [1, 2, np.inf])
    raises(ValueError, [0, 0, 0])
    raises(ValueError, [1, 2])
    raises(ValueError, [[1, 2, 3]])
    raises(ValueError, 1.0)
    raises(TypeError, [1, 2, 3j])
    raises(TypeError, ["1", "2", "3"])
    raises(TypeError, np.ones(3, object))
    if dtype is np.float32:  # what counts is the weight in the type of the logits
        raises(ValueError, [1, 2, 1e300])
        raises(ValueError, [1e-300, 0, 0])


# -------------------------------------------------------------------- saturated inputs


def saturated_logits(dtype: type, m: int) -> np.ndarray:
    """Rows of m logits at the ends of what the type can hold, two values taking turns."""
    info = np.finfo(dtype)
    ends = [info.max, -info.max, 1e30, -1e30, info.tiny, -info.smallest_subnormal, 0.0, -0.0, 1.0]
    ends += [88.0, -88.0, 104.0, -104.0, 710.0, -746.0]  # where exp over- or underflows
    rows = []
    for low, high in product(ends, ends):
        row = np.full(m, low)
        row[::2] = high
        rows.append(row)
    return np.array(rows, dtype)


@each_dtype
@pytest.mark.parametrize("m", [1, 2, 3, 8, 17])
def test_saturated_logits(m, dtype):
    z = saturated_logits(dtype, m)
    for name in (*ACTIVATIONS, "softmax", "log_softmax"):
        assert np.all(np.isfinite(getattr(kernels, name)(z))), name
        check_against_reference((name,), {"z": z})
    one_hot = np.eye(m, dtype=dtype)
    uniform = np.full(m, 1 / 16, dtype)  # a power of 2: sums are exact, and below the maximum
    for row in z:  # one by one, because the largest loss would hide the others
        for L in (np.array([0]), np.array([m - 1]), one_hot[-1:], uniform[np.newaxis]):
            arguments = {"z": row[np.newaxis], "L": L}
            loss, dz = kernels.softmax_cross_entropy(**arguments)
            assert np.isfinite(loss)
            assert np.all(np.isfinite(dz))
            check_against_reference(("softmax_cross_entropy",), arguments)


@each_dtype
def test_saturated_activations_backward(dtype):
    info = np.finfo(dtype)
    da = np.array([info.max, -info.max, 1e30, info.tiny, -info.smallest_subnormal, 0.0, 1.0])
    a = np.array([0, info.smallest_subnormal, info.tiny, 0.5, 1 - info.epsneg, 1])
    da, a = (x.astype(dtype) for x in np.meshgrid(da, np.concatenate([a, -a])))
    check_against_reference(("sigmoid_backward",), {"da": da, "a": np.abs(a)})
    check_against_reference(("tanh_backward",), {"da": da, "a": a})
    assert np.array_equal(kernels.relu_backward(da, a), np.where(a > 0, da, 0))


@each_dtype
@pytest.mark.parametrize("m", [1, 2, 3, 8, 17])
def test_saturated_output_losses(m, dtype):
    z = saturated_logits(dtype, m)
    z /= 32 if m > 1 else 1  # so that a row can be summed
    tiny = np.finfo(dtype).smallest_subnormal
    for row, y in product(z, (0, 1, 0.75, tiny)):  # one by one, as above
        arguments = {"z": row[np.newaxis], "Y": np.full((1, m), y, dtype)}
        for name in OUTPUT_LOSSES:
            loss, dz = getattr(kernels, name)(**arguments)
            assert np.all(np.isfinite(dz)), name
            if name != "squared_error":
                assert 0 <= loss < np.inf, name
            elif not np.isfinite(loss):  # the square of a number beyond 1e19 or 1e154
                assert np.abs(row).max() > np.sqrt(np.finfo(dtype).max)
                assert same_bits((loss, dz), reference.squared_error(**arguments))
                continue
            check_against_reference((name, "targets", "unweighted"), arguments)


@each_module
@each_dtype
def test_nan_passes_through(dtype, module):
    for m in (1, 3, 8, 17, 33):
        z, Y = np.linspace(-2, 2, m, dtype=dtype), np.full(m, 0.25, dtype)
        for i in range(m):
            bad = z.copy()
            bad[i] = np.nan
            others = np.arange(m) != i
            for name in ACTIVATIONS:
                a = getattr(module, name)(bad)
                assert np.isnan(a[i]), name
                assert same_bits(a[others], getattr(module, name)(z)[others]), name
            for name in OUTPUT_LOSSES:
                loss, dz = getattr(module, name)(bad[np.newaxis], Y[np.newaxis])
                assert np.isnan(loss), name
                assert np.isnan(dz[0, i]), name
                expected = getattr(module, name)(z[np.newaxis], Y[np.newaxis])[1]
                assert same_bits(dz[0, others], expected[0, others]), name


@each_dtype
@pytest.mark.parametrize("m", [1, 2, 3, 8, 17])
def test_saturated_probabilities(m, dtype):
    p = reference.softmax(saturated_logits(dtype, m))
    assert m == 1 or p.min() == 0
    p = np.concatenate([p, np.full((1, m), np.finfo(dtype).smallest_subnormal, dtype)])
    one_hot = np.eye(m, dtype=dtype)
    for row, label in product(p, (0, m - 1)):
        for L in (np.array([label]), one_hot[label : label + 1]):
            arguments = {"p": row[np.newaxis], "L": L}
            assert np.isfinite(kernels.cross_entropy(**arguments))
            assert np.all(np.isfinite(kernels.cross_entropy_backward(**arguments)))
            check_against_reference(("cross_entropy",), arguments)
            check_against_reference(("cross_entropy_backward",), arguments)


@each_module
@each_dtype
def test_the_largest_loss_does_not_overflow_by_rounding(dtype, module):
    """The mean of numbers at the end of the range, weighted by rounded weights."""
    big = np.finfo(dtype).max
    for k in range(1, 100):
        rows = np.tile(np.array([[big, -big]], dtype), (k, 1))
        loss, dz = module.softmax_cross_entropy(rows, np.ones(k, int))
        assert np.isfinite(loss), f"{k} rows"
        assert np.all(np.isfinite(dz))
        row = np.full((1, k + 1), -big, dtype)
        L = np.full((1, k + 1), 1 / k, dtype)
        row[0, 0], L[0, 0] = big, 0
        loss, dz = module.softmax_cross_entropy(row, L)
        assert np.isfinite(loss), f"distribution over {k} classes"
        assert np.all(np.isfinite(dz))


# ------------------------------------------------------------ properties, any finite logit


def any_logits(dtype: type) -> st.SearchStrategy[np.ndarray]:
    finite = st.floats(width=np.dtype(dtype).itemsize * 8, allow_nan=False, allow_infinity=False)
    return arrays(dtype, array_shapes(min_dims=2, max_dims=2, max_side=20), elements=finite)


each_logits = given(st.one_of(any_logits(np.float32), any_logits(np.float64)))
repeatable = settings(derandomize=True, deadline=None, max_examples=300)


@repeatable
@each_logits
def test_sigmoid_of_any_logits(z):
    a = kernels.sigmoid(z)
    assert np.all((a >= 0) & (a <= 1))
    assert np.all((a >= 0.5) == (z >= 0) | (a == 0.5))
    eps = np.finfo(z.dtype).eps
    np.testing.assert_allclose(a + kernels.sigmoid(-z), 1, rtol=4 * eps)
    check_against_reference(("sigmoid",), {"z": z})


@repeatable
@each_logits
def test_tanh_of_any_logits(z):
    a = kernels.tanh(z)
    assert np.all(np.abs(a) <= np.minimum(np.abs(z), 1))
    assert same_bits(kernels.tanh(-z), -a)
    check_against_reference(("tanh",), {"z": z})


@repeatable
@each_logits
def test_relu_of_any_logits(z):
    a = kernels.relu(z)
    assert np.array_equal(a, reference.relu(z))
    assert np.array_equal(kernels.relu_backward(z, a), a)


@repeatable
@each_logits
def test_softmax_of_any_logits(z):
    p = kernels.softmax(z)
    assert np.all((p >= 0) & (p <= 1))
    m = z.shape[1]
    np.testing.assert_allclose(p.sum(axis=1), 1, rtol=(16 + m) * np.finfo(z.dtype).eps)
    assert np.all(p.max(axis=1) == p[np.arange(len(z)), z.argmax(axis=1)])
    check_against_reference(("softmax",), {"z": z})


@repeatable
@each_logits
def test_log_softmax_of_any_logits(z):
    log_p = kernels.log_softmax(z)
    assert np.all((log_p >= -np.finfo(z.dtype).max) & (log_p <= 0))
    check_against_reference(("log_softmax",), {"z": z})


@repeatable
@given(st.data(), st.booleans(), st.booleans())
def test_softmax_cross_entropy_of_any_logits(data, single, weighted):
    z = data.draw(any_logits(np.float32 if single else np.float64))
    n, m = z.shape
    L = data.draw(arrays(np.int64, n, elements=st.integers(0, m - 1)))
    arguments = {"z": z, "L": L}
    if weighted:
        arguments["sample_weight"] = data.draw(
            arrays(z.dtype, n, elements=st.floats(0.125, 8, width=32))
        )
    loss, dz = kernels.softmax_cross_entropy(**arguments)
    assert 0 <= loss < np.inf
    assert np.all(np.abs(dz) <= 1)
    # A softmax moves along its row only: the gradient of a row sums to 0.
    eps = np.finfo(z.dtype).eps
    np.testing.assert_allclose(dz.sum(axis=1), 0, atol=(16 + m) * eps)
    check_against_reference(("softmax_cross_entropy",), arguments)


@repeatable
@given(st.data(), st.booleans())
def test_sigmoid_cross_entropy_of_any_logits(data, single):
    z = data.draw(any_logits(np.float32 if single else np.float64))
    z = z if single else z / 32  # their sum over a row is a float64
    Y = data.draw(arrays(z.dtype, z.shape, elements=st.floats(0, 1, width=32)))
    loss, dz = kernels.sigmoid_cross_entropy(z, Y)
    assert 0 <= loss < np.inf
    assert np.all(np.abs(dz) <= 1)
    check_against_reference(("sigmoid_cross_entropy",), {"z": z, "Y": Y})
