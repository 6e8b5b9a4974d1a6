"""Network: copies, and parameters blended into those of another network."""

import numpy as np
import pytest

from dnncore import Network, PiecewiseLinear

DTYPES = [np.float32, np.float64]


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_copy_shares_nothing_that_changes(dtype):
    X = np.random.default_rng(0).normal(size=(50, 4)).astype(dtype)
    network = Network((4, 5, 3), dtype=dtype, seed=0)
    network.update_norm(X)
    twin = network.copy()
    assert repr(twin) == repr(network)
    assert np.array_equal(twin.predict_proba(X), network.predict_proba(X))
    assert np.shares_memory(twin.coefs_[0], twin.parameters)
    assert not np.shares_memory(twin.parameters, network.parameters)
    assert twin.parameters.ctypes.data % 64 == 0
    expected = network.predict_proba(X)
    twin.parameters += 1
    twin.update_norm(X + 100)
    assert np.array_equal(network.predict_proba(X), expected)
    network.update_norm(X)  # its moments are its own as well
    np.testing.assert_allclose(network.predict_proba(X), expected, rtol=1e-4)


def test_a_copy_has_the_same_embedding():
    X = np.random.default_rng(0).normal(size=(50, 4))
    embedding = PiecewiseLinear.from_rows(X, 3, 4, 2)
    network = Network((embedding.n_outputs, 3), seed=0, embedding=embedding)
    twin = network.copy()
    assert twin.embedding is network.embedding
    assert np.array_equal(twin.predict_proba(X), network.predict_proba(X))
    assert not np.shares_memory(twin.embedding_.V, network.embedding_.V)
    network.blend(twin, 0.5)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("tau", [0, 0.005, 0.5, 1.0])
def test_blend(dtype, tau):
    target, network = (Network((4, 5, 3), dtype=dtype, seed=seed) for seed in (0, 1))
    network.set_norm(np.ones(4), np.ones(4))
    before, other = target.parameters.copy(), network.parameters.copy()
    vector = target.parameters
    assert target.blend(network, tau) is None
    assert target.parameters is vector and vector.dtype == dtype
    expected = (1 - tau) * before.astype(float) + tau * other.astype(float)
    bound = 3 * np.finfo(dtype).eps * (np.abs(before) + np.abs(other))
    assert (np.abs(vector - expected) <= bound).all()
    assert np.array_equal(network.parameters, other)
    assert target.mean_ is None
    if tau in (0, 1):
        assert np.array_equal(vector, other if tau else before)


def test_blend_with_itself():
    network = Network((4, 5, 3), seed=0)
    before = network.parameters.copy()
    network.blend(network, 0.25)
    np.testing.assert_allclose(network.parameters, before, rtol=1e-15)


@pytest.mark.parametrize(
    ("tau", "error"),
    [(-0.1, ValueError), (1.5, ValueError), (np.nan, ValueError), ("1", TypeError)],
)
def test_bad_tau(tau, error):
    network = Network((4, 3), seed=0)
    with pytest.raises(error, match="tau must"):
        network.blend(network, tau)


def test_blend_takes_networks_only():
    network = Network((4, 3), seed=0)
    with pytest.raises(TypeError, match="other must be a Network, got Predictor"):
        network.blend(network.freeze(), 0.5)


def test_blend_copies_over_parameters_that_are_not_finite():
    network, other = Network((2, 3, 2), seed=0), Network((2, 3, 2), seed=1)
    network.parameters[0] = np.nan
    network.blend(other, 1.0)
    np.testing.assert_array_equal(network.parameters, other.parameters)
