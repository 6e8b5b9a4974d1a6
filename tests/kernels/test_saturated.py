"""Inputs at the ends of what a type can hold."""

from itertools import product

import numpy as np
import pytest
from kernelcases import (
    ACTIVATIONS,
    FROM_INPUT,
    OUTPUT_LOSSES,
    check_against_reference,
    each_dtype,
    loss_options,
    same_bits,
)

from dnncore import kernels, reference


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
        logits = z / 2 if name == "selu" else z  # selu(z) > z for z > 0
        assert np.all(np.isfinite(getattr(kernels, name)(logits))), name
        check_against_reference((name,), {"z": logits})
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
    check_against_reference(("selu_backward",), {"da": da / 2, "a": a})


@each_dtype
@pytest.mark.parametrize("name", FROM_INPUT)
def test_saturated_slopes(name, dtype):
    z = saturated_logits(dtype, 1)
    backward = getattr(kernels, f"{name}_backward")
    slope = backward(np.ones_like(z), z)
    check_against_reference((f"{name}_backward",), {"da": np.ones_like(z), "z": z})
    assert np.all(slope[z >= 100] == 1)
    assert np.all(slope[z <= -1000] == 0)
    ends = np.array([np.inf, -np.inf, np.nan], dtype)
    np.testing.assert_array_equal(backward(np.ones_like(ends), ends), [1, 0, np.nan])


@each_dtype
@pytest.mark.parametrize("m", [1, 2, 3, 8, 17])
def test_saturated_output_losses(m, dtype):
    z = saturated_logits(dtype, m)
    z /= 32 if m > 1 else 1  # so that a row can be summed
    tiny = np.finfo(dtype).smallest_subnormal
    for row, y in product(z, (0, 1, 0.75, tiny)):  # one by one, as above
        targets = {"z": row[np.newaxis], "Y": np.full((1, m), y, dtype)}
        for name in OUTPUT_LOSSES:
            arguments = targets | loss_options(name, m)
            loss, dz = getattr(kernels, name)(**arguments)
            assert np.all(np.isfinite(dz)), name
            if name == "poisson_deviance" and m > 1 and not np.isfinite(loss):
                assert dtype is np.float64  # the sum of the largest number and others
                assert np.any(row > 709)
                continue
            if name != "squared_error":
                assert 0 <= loss < np.inf, name
            elif not np.isfinite(loss):  # the square of a number beyond 1e19 or 1e154
                assert np.abs(row).max() > np.sqrt(np.finfo(dtype).max)
                assert same_bits((loss, dz), reference.squared_error(**arguments))
                continue
            check_against_reference((name, "targets", "unweighted"), arguments)


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
                options = loss_options(name, m)
                loss, dz = getattr(module, name)(bad[np.newaxis], Y[np.newaxis], **options)
                assert np.isnan(loss), name
                assert np.isnan(dz[0, i]), name
                expected = getattr(module, name)(z[np.newaxis], Y[np.newaxis], **options)[1]
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
