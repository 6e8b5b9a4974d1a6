"""Models to export."""

import numpy as np
import pytest
from hypothesis import strategies as st

from dnncore import Network


@pytest.fixture(scope="session")
def make_network():
    """A function that makes a network, with norm unless told otherwise."""

    def make(sizes, dtype=np.float64, activation="tanh", output="softmax", norm=True, seed=0):
        network = Network(sizes, dtype=dtype, seed=seed, activation=activation, output=output)
        if norm:
            rng = np.random.default_rng(seed)
            network.set_norm(rng.normal(size=sizes[0]), rng.uniform(0.5, 2, sizes[0]))
        return network

    return make


@pytest.fixture(scope="session")
def networks(make_network):
    """Strategy: networks of every activation, output and dtype, of up to three hidden layers."""
    return st.builds(
        make_network,
        st.lists(st.integers(1, 40), min_size=2, max_size=5),
        st.sampled_from([np.float32, np.float64]),
        st.sampled_from(["logistic", "tanh", "relu", "identity"]),
        st.sampled_from(["softmax", "logistic", "identity"]),
        st.booleans(),
        st.integers(0, 1000),
    )


@pytest.fixture(scope="session")
def rows():
    """A function that gives rows for a model."""

    def rows(model, n=9):
        X = np.random.default_rng(5).normal(size=(n, model.layer_sizes[0]))
        return X.astype(model.dtype)

    return rows


@pytest.fixture(scope="session")
def same():
    """A function that asserts that outputs are the same to rounding.

    What is promised is 1e-6 for float32, absolute for probabilities and relative to the largest
    of other numbers. The errors of k additions are u = 6e-8 each, and mostly cancel: in layers as
    narrow as these about sqrt(k) u. In float64 u is 1.1e-16.
    """

    def same(found, expected):
        found = np.asarray(found)
        assert found.dtype == expected.dtype
        assert found.shape == expected.shape
        tolerance = 1e-6 if expected.dtype == np.float32 else 1e-14
        size = np.abs(expected).max(initial=1)
        np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance * size)

    return same
