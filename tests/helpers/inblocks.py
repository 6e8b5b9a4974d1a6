"""Rows, whole and in blocks, and estimators whose bits may be compared."""

import numpy as np

from dnncore import DNNClassifier, DNNRegressor

N = 700  # more than two chunks of the moments
RNG = np.random.default_rng(0)
X = RNG.normal(size=(N, 5)) * [1, 1, 100, 1, 1e-3] + [0, 1e4, 0, 1, 0]
LABEL = RNG.integers(0, 3, N)
TARGET = X[:, 0] + np.sin(X[:, 3])
WEIGHT = RNG.random(N) * (RNG.random(N) > 0.2)
WEIGHT[:70] = 0  # no weight at all in some blocks
SIZES = [1, 130, 64, 5, 300]


def divided(sizes, *arrays):
    """Blocks of rows of these sizes, over and over."""
    blocks, start = [], 0
    while start < arrays[0].shape[0]:
        for size in sizes:
            block = tuple(array[start : start + size] for array in arrays)
            if block[0].shape[0]:
                blocks.append(block)
            start += size
    return blocks


def classifier(**parameters):
    defaults = {"batch_size": 64, "max_iter": 3, "random_state": 0, "shuffle": False}
    defaults |= {"engine": "builtin", "early_stopping": False}
    return DNNClassifier((7,), **{**defaults, **parameters})


def regressor(**parameters):
    defaults = {"batch_size": 64, "max_iter": 3, "random_state": 0, "shuffle": False}
    defaults |= {"engine": "builtin", "early_stopping": False}
    return DNNRegressor(hidden_layer_sizes=(7,), **{**defaults, **parameters})


def assert_same_model(one, other):
    a, b = one.network_, other.network_
    assert a.layer_sizes == b.layer_sizes and a.dtype == b.dtype
    np.testing.assert_array_equal(a.parameters, b.parameters)
    if a.mean_ is not None:
        np.testing.assert_array_equal(a.mean_, b.mean_)
        np.testing.assert_array_equal(a.scale_, b.scale_)
    assert one.loss_curve_ == other.loss_curve_
    assert one.validation_losses_ == other.validation_losses_
    assert one.t_ == other.t_ and one.n_features_in_ == other.n_features_in_
    if hasattr(one, "classes_"):
        np.testing.assert_array_equal(one.classes_, other.classes_)
    if hasattr(one, "target_mean_"):
        np.testing.assert_array_equal(one.target_mean_, other.target_mean_)
        np.testing.assert_array_equal(one.target_scale_, other.target_scale_)


def indicator():
    return np.random.default_rng(2).integers(0, 2, (N, 3))


def probabilities():
    rows = np.random.default_rng(1).dirichlet(np.ones(3), N)
    rows[:130] = np.eye(3)[LABEL[:130]]  # blocks that look like labels of several outputs
    return rows


def nan_at(row, column):
    rows = X.copy()
    rows[row, column] = np.nan
    return rows


BLOCKS = divided([300, 400], X, LABEL)
