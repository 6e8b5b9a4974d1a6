"""PiecewiseLinear: edges at quantiles, and what is refused."""

import pickle

import numpy as np
import pytest

from dnncore import PiecewiseLinear


def test_edges_are_quantiles():
    X = np.column_stack([np.arange(9.0), np.repeat([0.0, 1, 5], 3), np.ones(9), np.arange(9.0)])
    embedding = PiecewiseLinear.from_rows(X, 3, n_bins=4, size=2)
    np.testing.assert_array_equal(embedding.lower[0], [0, 2, 4, 6])
    np.testing.assert_array_equal(embedding.inverse_width[0], [0.5] * 4)
    np.testing.assert_array_equal(embedding.lower[1], [0, 1, 0, 0])  # equal quantiles are one edge
    np.testing.assert_array_equal(embedding.inverse_width[1], [1, 0.25, 0, 0])
    np.testing.assert_array_equal(embedding.inverse_width[2], 0)
    assert (embedding.n_inputs, embedding.n_numeric, embedding.n_bins) == (4, 3, 4)
    assert (embedding.size, embedding.n_outputs) == (2, 3 * 3 + 1)
    assert embedding.n_parameters == 10 + 3 * 2 * 5
    again = pickle.loads(pickle.dumps(embedding))
    np.testing.assert_array_equal(again.lower, embedding.lower)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("scale", [1e-40, 1e-30, 1.0, 1e30])
def test_reciprocals_are_finite(scale, dtype):
    X = (np.random.default_rng(0).normal(size=(100, 3)) * scale).astype(dtype)
    embedding = PiecewiseLinear.from_rows(X, 3)
    assert embedding.dtype == dtype
    for other in (np.float32, np.float64):
        assert np.isfinite(embedding.astype(other).inverse_width).all()


def test_what_is_refused():
    X = np.zeros((3, 2))
    for error, message, arguments in (
        (ValueError, "X must have at least 1 row", (X[:0], 1)),
        (ValueError, "X must be finite", (X + np.nan, 1)),
        (TypeError, "X must be a float32 or float64", (X.astype(int), 1)),
        (ValueError, r"n_numeric must lie in \[0, 2\]", (X, 3)),
        (ValueError, "n_bins must lie in", (X, 1, 0)),
        (ValueError, "size must lie in", (X, 1, 4, 0)),
    ):
        with pytest.raises(error, match=message):
            PiecewiseLinear.from_rows(*arguments)
    lower, ones = np.zeros((2, 3)), np.ones((2, 3))
    for message, arguments in (
        ("lower must have shape", (lower[0], ones, 2)),
        ("lower must have shape", (lower[:, :0], ones, 2)),
        ("lower must be finite", (lower + np.inf, ones, 2)),
        ("inverse_width must have shape", (lower, ones[:1], 2)),
        ("inverse_width must be finite", (lower, ones * np.nan, 2)),
        ("inverse_width must be non-negative, got -1.0", (lower, -ones, 2)),
        ("n_inputs must lie in", (lower, ones, 1)),
    ):
        with pytest.raises(ValueError, match=message):
            PiecewiseLinear(*arguments)


def test_edges_are_read_only():
    embedding = PiecewiseLinear(np.zeros((1, 2)), np.ones((1, 2)), 1)
    with pytest.raises(ValueError, match="read-only"):
        embedding.lower[0, 0] = 1.0
