"""exp, log and the activations of csrc/: errors in ULP, the same bits from every instruction set.

float32 goes over a fixed share of all bit patterns; benchmarks/ulp_scan.py goes over all of
them and found the same largest errors. float64 is sampled, and held against long double. The
bounds are those of csrc/ops.h.
"""

from collections.abc import Callable
from functools import cache

import exactactivations
import numpy as np
import pytest
from processes import run_python

from dnncore import kernels
from dnncore._core import csrc

# Largest distance from the correctly rounded result, in representable numbers.
ULP = {"exp": 1, "log": 1, "sigmoid": 2, "tanh": 2, "selu": 2, "silu": 3, "gelu": 6, "mish": 5}

FUNCTIONS: dict[str, Callable[[np.ndarray], np.ndarray]] = {
    name: getattr(csrc if name in ("exp", "log") else kernels, name) for name in ULP
}

# The inputs whose results are farthest from the exact ones.
WORST = {
    ("exp", np.float32): "0x1.4cc672p+2",
    ("exp", np.float64): "0x1.9216dbad6b92p+5",
    ("log", np.float32): "0x1.69cf3ep+0",
    ("log", np.float64): "0x1.6748f3056ed6dp+0",
    ("sigmoid", np.float32): "-0x1.b7fa08p+1",
    ("sigmoid", np.float64): "-0x1.364c2a6a48bf9p+2",
    ("tanh", np.float32): "0x1.bb62c8p-1",
    ("tanh", np.float64): "0x1.b9842941c76d2p-1",
    ("selu", np.float32): "-0x1.552ba2p-2",
    ("selu", np.float64): "-0x1.292030639d5c0p-4",
    ("silu", np.float32): "-0x1.7c16d4p+2",
    ("silu", np.float64): "-0x1.f0713edc325c0p+0",
    ("gelu", np.float32): "-0x1.c238bap+2",
    ("gelu", np.float64): "-0x1.8ffc20de7b39ep+4",
    ("mish", np.float32): "-0x1.9e154ep+1",
}

# A prime, so that all exponents meet all low bits: 4 million patterns of 2^32.
STRIDE = 1009

each_function = pytest.mark.parametrize("name", ULP)
each_dtype = pytest.mark.parametrize("dtype", [np.float32, np.float64])
each_other_isa = pytest.mark.parametrize(
    "isa", [isa for isa in csrc.available() if isa != "generic"]
)


@cache
def float32_patterns() -> np.ndarray:
    return np.arange(0, 2**32, STRIDE, dtype=np.uint32).view(np.float32)


@cache
def float64_samples() -> np.ndarray:
    """Random bit patterns, and many numbers where the functions are not constant."""
    rng = np.random.default_rng(0)
    n = 100_000
    return np.concatenate(
        [
            rng.integers(0, 2**64, n, dtype=np.uint64).view(np.float64),
            rng.uniform(-746, 710, n),
            rng.uniform(-745.2, -708.3, n),  # subnormal exp
            rng.uniform(-5, 5, n),
            rng.uniform(0.5, 2, n),  # log next to 0
            1 + rng.uniform(-1e-6, 1e-6, n),
            rng.uniform(-1e-6, 1e-6, n),
        ]
    )


def special(dtype: type) -> np.ndarray:
    """Zeros, infinities, NaN, the ends of the range, and both sides of every threshold."""
    info = np.finfo(dtype)
    ends = [info.max, info.tiny, info.smallest_subnormal, info.eps, 1.0, 2.0, 0.5, 1e30, 0.0]
    thresholds = [
        np.log(dtype(2)) / 2,  # where the argument is reduced
        np.log(info.max),  # where exp overflows
        -np.log(info.tiny),  # where exp(-x) is subnormal
        -np.log(info.smallest_subnormal) + np.log(dtype(2)),  # where it is 0
        *([89.0, 112.0] if dtype is np.float32 else [710.0, 760.0]),  # where it is clipped
        14.9 if dtype is np.float32 else 38.9,  # where gelu is clipped
        dtype(0.625),  # where tanh begins to use exp
        -np.log(info.eps / 4) / 2,  # where tanh is 1
    ]
    x = np.array(ends + thresholds, dtype)
    with np.errstate(over="ignore"):  # the number after the largest one is infinity
        x = np.concatenate([x, np.nextafter(x, dtype(np.inf)), np.nextafter(x, dtype(-np.inf))])
    return np.concatenate([x, -x, np.array([np.inf, -np.inf, np.nan], dtype)])


EXACT = {"exp": np.exp, "log": np.log} | exactactivations.ACTIVATIONS


def correctly_rounded(name: str, x: np.ndarray, wide: type) -> np.ndarray:
    """By way of a type with so many more bits that rounding twice hardly ever matters."""
    with np.errstate(all="ignore"):
        return EXACT[name](x.astype(wide)).astype(x.dtype)


def ordinal(x: np.ndarray) -> np.ndarray:
    """Number of each float in increasing order: neighbours differ by 1, and -0 is +0."""
    integer = np.dtype(f"i{x.itemsize}")
    i = x.view(integer)
    return np.where(i < 0, np.iinfo(integer).min - i, i).astype(np.int64)


def assert_within_ulp(name: str, x: np.ndarray, wide: type) -> None:
    actual, expected = FUNCTIONS[name](x), correctly_rounded(name, x, wide)
    assert actual.dtype == x.dtype
    np.testing.assert_array_equal(np.isnan(actual), np.isnan(expected))
    number = ~np.isnan(expected)
    error = np.abs(ordinal(actual[number]) - ordinal(expected[number]))
    worst = x[number][error.argmax()]
    assert error.max() <= ULP[name], f"{error.max()} ULP at {worst} = {float(worst).hex()}"


needs_long_double = pytest.mark.skipif(
    np.finfo(np.longdouble).nmant < 63, reason="long double is no wider than double here"
)


@each_function
def test_float32_error(name):
    assert_within_ulp(name, float32_patterns(), np.float64)
    assert_within_ulp(name, special(np.float32), np.float64)


@needs_long_double
@each_function
def test_float64_error(name):
    assert_within_ulp(name, float64_samples(), np.longdouble)
    assert_within_ulp(name, special(np.float64), np.longdouble)


@needs_long_double
@pytest.mark.parametrize(("name", "dtype"), WORST)
def test_worst_inputs(name, dtype):
    x = np.array([float.fromhex(WORST[name, dtype])], dtype)
    error = ordinal(FUNCTIONS[name](x)) - ordinal(correctly_rounded(name, x, np.longdouble))
    assert np.abs(error) == ULP[name]


@each_dtype
def test_exact_values(dtype):
    info = np.finfo(dtype)
    inf, nan = dtype(np.inf), dtype(np.nan)
    subnormal = info.smallest_subnormal

    def check(function, pairs):
        x, expected = np.array(pairs, dtype).T.copy()
        actual, number = function(x), ~np.isnan(expected)
        np.testing.assert_array_equal(actual, expected)
        np.testing.assert_array_equal(np.signbit(actual[number]), np.signbit(expected[number]))

    exp = [(0, 1), (-0.0, 1), (subnormal, 1), (-subnormal, 1)]
    exp += [(inf, inf), (info.max, inf), (-inf, 0), (-info.max, 0), (nan, nan)]
    check(csrc.exp, exp)
    log = [(1, 0), (inf, inf), (0, -inf), (-0.0, -inf), (nan, nan)]
    log += [(-subnormal, nan), (-1, nan), (-info.max, nan), (-inf, nan)]
    check(csrc.log, log)
    sigmoid = [(0, 0.5), (-0.0, 0.5), (subnormal, 0.5), (-subnormal, 0.5)]
    sigmoid += [(inf, 1), (info.max, 1), (-inf, 0), (-info.max, 0), (nan, nan)]
    check(kernels.sigmoid, sigmoid)
    tanh = [(0, 0), (-0.0, -0.0), (subnormal, subnormal), (-subnormal, -subnormal)]
    tanh += [(info.tiny, info.tiny), (inf, 1), (info.max, 1), (-inf, -1), (-info.max, -1)]
    check(kernels.tanh, [*tanh, (nan, nan)])
    # 0 from below has no sign of its own after exp(z) - 1.
    selu = [(0, 0), (inf, inf), (-inf, -1.7580993408473768), (-info.max, -1.7580993408473768)]
    check(kernels.selu, [*selu, (nan, nan)])
    others = [(0, 0), (-0.0, -0.0), (info.max, info.max), (inf, inf), (-info.max, -0.0)]
    others += [(-inf, -0.0), (-1e30, -0.0), (1e30, dtype(1e30)), (nan, nan)]
    for function in (kernels.silu, kernels.gelu, kernels.mish):
        check(function, others)


@each_dtype
def test_tanh_is_odd(dtype):
    samples = float32_patterns() if dtype is np.float32 else float64_samples()
    x = np.concatenate([samples, special(dtype)])
    x = x[~np.isnan(x)]
    y = kernels.tanh(x)
    integer = f"u{x.itemsize}"
    np.testing.assert_array_equal(kernels.tanh(-x).view(integer), (-y).view(integer))
    np.testing.assert_array_equal(np.signbit(y), np.signbit(x))


@each_dtype
@each_function
def test_results_do_not_depend_on_the_position(name, dtype):
    """Vectors, and the numbers that are left at the end of a loop, go the same way."""
    function = FUNCTIONS[name]
    x = np.linspace(0.01, 20, 67, dtype=dtype)
    whole = function(x)
    for n in range(x.size + 1):
        np.testing.assert_array_equal(function(x[:n]), whole[:n])
        np.testing.assert_array_equal(function(x[n:]), whole[n:])


@each_other_isa
@each_function
def test_instruction_sets_return_the_same_bits(name, isa, select_isa):
    function = FUNCTIONS[name]
    for x in (
        float32_patterns(),
        float64_samples(),
        special(np.float32),
        special(np.float64),
    ):
        select_isa("generic")
        expected = function(x)
        select_isa(isa)
        actual = function(x)
        number = ~np.isnan(expected)
        integer = f"u{x.itemsize}"
        np.testing.assert_array_equal(np.isnan(actual), ~number)
        np.testing.assert_array_equal(actual[number].view(integer), expected[number].view(integer))


def test_instruction_sets_end_with_generic(select_isa):
    available = csrc.available()
    assert available[-1] == "generic"
    assert len(set(available)) == len(available)
    assert csrc.selected() in available
    for isa in available:
        select_isa(isa)
        assert csrc.selected() == isa
    with pytest.raises(ValueError, match=r"^name must be one of .*'sse9'"):
        select_isa("sse9")
    assert csrc.selected() == available[-1]


def selected_at_import(disabled):
    """The instruction set, and what is said on standard error."""
    code = "from dnncore._core import csrc; print(csrc.selected())"
    out, err = run_python(code, DNNCORE_DISABLE_CPU_FEATURES=disabled)
    return out.strip(), err


def test_instruction_sets_can_be_disabled():
    *others, generic = csrc.available()
    assert selected_at_import(", ".join(others).upper()) == (generic, "")


def test_unknown_instruction_sets_are_warned_of():
    selected, err = selected_at_import("mmx")
    assert selected == csrc.available()[0]
    assert "RuntimeWarning" in err
    assert "unknown features ['mmx']" in err
