"""dnncore.kernels against dnncore.reference: values, dtypes, signatures."""

import inspect

import numpy as np
import pytest
from kernelcases import (
    ACTIVATIONS,
    LARGE_SHAPES,
    SHAPES,
    WEIGHTED,
    call,
    check_against_reference,
    each_case,
    each_dtype,
    make_arguments,
    same_bits,
    source,
)

from dnncore import kernels, reference
from dnncore._core import csrc


@each_dtype
@each_case
def test_agrees_with_reference(case, dtype):
    for n, m in SHAPES + LARGE_SHAPES:
        check_against_reference(case, make_arguments(case, n, m, dtype))


@pytest.mark.parametrize("isa", [name for name in csrc.available() if name != "generic"])
@each_dtype
@each_case
def test_instruction_sets_return_the_same_bits(case, dtype, isa, select_isa):
    for n, m in SHAPES + LARGE_SHAPES:
        arguments = make_arguments(case, n, m, dtype)
        select_isa("generic")
        expected = call(kernels, case, arguments)
        select_isa(isa)
        assert same_bits(call(kernels, case, arguments), expected), (n, m)


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
    backward, kept = f"{name}_backward", source(name, z)
    dz, expected = (getattr(module, backward)(z, **kept) for module in (kernels, reference))
    assert dz.shape == shape
    eps = np.finfo(dtype).eps
    np.testing.assert_allclose(dz, expected, rtol=16 * eps, atol=16 * eps)


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
