"""Models to export."""

import numpy as np
import pytest
from hypothesis import strategies as st

from dnncore import Network, PiecewiseLinear
from dnncore._core.names import OUTPUTS


@pytest.fixture(scope="session")
def make_network():
    """A function that makes a network, with norm unless told otherwise."""

    def make(
        sizes,
        dtype=np.float64,
        activation="tanh",
        output="softmax",
        norm=True,
        seed=0,
        missing=None,
        embed=None,
    ):
        """Missing: None, or how many of the inputs are for missing values, at most.

        embed: None, or how many numbers an embedding has; it excludes the others.
        """
        rng = np.random.default_rng(seed)
        if embed is not None:
            rows = rng.normal(size=(50, max(embed, sizes[0]))).astype(dtype)
            embedding = PiecewiseLinear.from_rows(rows, embed, n_bins=5, size=2)
            network = Network(
                (embedding.n_outputs, *sizes[1:]), dtype=dtype, seed=seed, activation=activation,
                output=output, embedding=embedding,
            )  # fmt: skip
            network.embedding_.s[...] = rng.uniform(0.5, 1.5, embedding.n_outputs)
            network.embedding_.c[...] = rng.normal(size=network.embedding_.c.shape)
            return network
        if missing is not None:
            told = min(missing, sizes[0] // 2)
            missing = rng.permutation(sizes[0] - told)[:told]
        options = {"activation": activation, "output": output, "missing": missing}
        network = Network(sizes, dtype=dtype, seed=seed, **options)
        if norm:
            n = network.n_features
            network.set_norm(rng.normal(size=n), rng.uniform(0.5, 2, n))
        return network

    return make


@pytest.fixture(scope="session")
def networks(make_network):
    """Strategy: networks of every activation, output and dtype, of up to three hidden layers."""
    return st.builds(
        make_network,
        st.lists(st.integers(1, 40), min_size=2, max_size=5),
        st.sampled_from([np.float32, np.float64]),
        st.sampled_from(["logistic", "tanh", "relu", "identity", "selu", "silu", "gelu", "mish"]),
        st.sampled_from(OUTPUTS),
        st.booleans(),
        st.integers(0, 1000),
        st.sampled_from([None, None, 0, 1, 20]),
        st.sampled_from([None, None, 0, 1, 3]),
    )


@pytest.fixture(scope="session")
def rows():
    """A function that gives rows for a model."""

    def rows(model, n=9):
        rng = np.random.default_rng(5)
        X = rng.normal(size=(n, model.n_features))
        if model.missing is not None:
            X[rng.random(X.shape) < 0.2] = np.nan
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
