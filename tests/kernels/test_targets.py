"""Labels, targets and weights of the losses."""

from itertools import product

import numpy as np
import pytest
from kernelcases import (
    CROSS_ENTROPIES,
    OUTPUT_LOSSES,
    SHAPES,
    WEIGHTED,
    as_tuple,
    call,
    each_dtype,
    each_unweighted_case,
    error_bounds,
    loss_options,
    make_arguments,
    same_bits,
)

from dnncore import kernels


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


@each_unweighted_case
def test_weights_of_any_real_type(case, module):
    arguments = make_arguments(case, 17, 8, np.float32)
    ones = np.arange(17) % 2
    expected = call(module, case, arguments | {"sample_weight": ones.astype(np.float32)})
    types = (bool, np.int8, np.uint64, np.float16, np.float64, np.longdouble, ">f8")
    for weights in (ones.tolist(), *(ones.astype(real) for real in types)):
        assert same_bits(call(module, case, arguments | {"sample_weight": weights}), expected)


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
    wrong = {"squared_error": 1e15, "poisson_deviance": 80}.get(name, 1e30)
    arguments["z"][4] = np.linspace(-wrong, wrong, 17)
    options = loss_options(name, 17)
    rows = {key: x for key, x in arguments.items() if key not in options}
    repeated = {key: np.repeat(x, counts, axis=0) for key, x in rows.items()} | options
    loss, dz = call(module, case, arguments | {"sample_weight": counts})
    expected_loss, rows = call(module, case, repeated)
    expected_dz = np.zeros_like(dz)
    np.add.at(expected_dz, np.repeat(np.arange(5), counts), rows)
    atol = (16 + 17) * np.finfo(dtype).eps
    np.testing.assert_allclose(loss, expected_loss, rtol=atol)
    largest = max(1, np.abs(expected_dz).max()) if name == "poisson_deviance" else 1
    np.testing.assert_allclose(dz, expected_dz, rtol=0, atol=atol * largest)


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
