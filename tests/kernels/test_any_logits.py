"""Properties that hold for any finite logits."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from kernelcases import FROM_INPUT, check_against_reference, same_bits

from dnncore import kernels, reference


def any_logits(dtype: type) -> st.SearchStrategy[np.ndarray]:
    finite = st.floats(width=np.dtype(dtype).itemsize * 8, allow_nan=False, allow_infinity=False)
    return arrays(dtype, array_shapes(min_dims=2, max_dims=2, max_side=20), elements=finite)


each_logits = given(st.one_of(any_logits(np.float32), any_logits(np.float64)))
thorough = settings(max_examples=300)


@thorough
@each_logits
def test_sigmoid_of_any_logits(z):
    a = kernels.sigmoid(z)
    assert np.all((a >= 0) & (a <= 1))
    assert np.all((a >= 0.5) == (z >= 0) | (a == 0.5))
    eps = np.finfo(z.dtype).eps
    np.testing.assert_allclose(a + kernels.sigmoid(-z), 1, rtol=4 * eps)
    check_against_reference(("sigmoid",), {"z": z})


@thorough
@each_logits
def test_tanh_of_any_logits(z):
    a = kernels.tanh(z)
    assert np.all(np.abs(a) <= np.minimum(np.abs(z), 1))
    assert same_bits(kernels.tanh(-z), -a)
    check_against_reference(("tanh",), {"z": z})


@thorough
@each_logits
def test_relu_of_any_logits(z):
    a = kernels.relu(z)
    assert np.array_equal(a, reference.relu(z))
    assert np.array_equal(kernels.relu_backward(z, a), a)


@thorough
@each_logits
def test_activations_with_a_slope_of_any_logits(z):
    for name in FROM_INPUT:
        a = getattr(kernels, name)(z)
        assert np.all((np.maximum(z, 0) - 0.32 < a) | (a == z))
        assert np.all(a <= np.maximum(z, 0))
        check_against_reference((name,), {"z": z})
        dz = getattr(kernels, f"{name}_backward")(np.ones_like(z), z)
        assert np.all((dz > -0.15) & (dz < 1.15))
        check_against_reference((f"{name}_backward",), {"da": np.ones_like(z), "z": z})


@thorough
@each_logits
def test_softmax_of_any_logits(z):
    p = kernels.softmax(z)
    assert np.all((p >= 0) & (p <= 1))
    m = z.shape[1]
    np.testing.assert_allclose(p.sum(axis=1), 1, rtol=(16 + m) * np.finfo(z.dtype).eps)
    assert np.all(p.max(axis=1) == p[np.arange(len(z)), z.argmax(axis=1)])
    check_against_reference(("softmax",), {"z": z})


@thorough
@each_logits
def test_log_softmax_of_any_logits(z):
    log_p = kernels.log_softmax(z)
    assert np.all((log_p >= -np.finfo(z.dtype).max) & (log_p <= 0))
    check_against_reference(("log_softmax",), {"z": z})


@thorough
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


@thorough
@given(st.data(), st.booleans())
def test_sigmoid_cross_entropy_of_any_logits(data, single):
    z = data.draw(any_logits(np.float32 if single else np.float64))
    z = z if single else z / 32  # their sum over a row is a float64
    Y = data.draw(arrays(z.dtype, z.shape, elements=st.floats(0, 1, width=32)))
    loss, dz = kernels.sigmoid_cross_entropy(z, Y)
    assert 0 <= loss < np.inf
    assert np.all(np.abs(dz) <= 1)
    check_against_reference(("sigmoid_cross_entropy",), {"z": z, "Y": Y})
