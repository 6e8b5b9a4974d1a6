"""Rows to train on."""

import numpy as np


def random_classes(sizes, n=203, dtype=np.float64, seed=0):
    """Rows for a network of these layers, and classes that have nothing to do with them."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(n, sizes[0])).astype(dtype)
    return X, rng.integers(0, sizes[-1], n)


def random_rows(sizes, n, dtype=np.float64):
    return random_classes(sizes, n, dtype)[0]


def learnable_classes(n=103, n_classes=3, dtype=np.float64):
    """Rows whose classes can be learnt in part; these serve as targets of a regression as well."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, 7))
    y = (X @ rng.normal(size=(7, n_classes)) + rng.normal(size=(n, n_classes))).argmax(axis=1)
    return X.astype(dtype), y


def learnable_numbers(n=103, n_outputs=1, dtype=np.float64):
    """Rows whose targets can be learnt but for some noise."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, 7))
    y = np.sin(X[:, :n_outputs]) + X[:, 3:4] + 0.1 * rng.normal(size=(n, n_outputs))
    return X.astype(dtype), (y if n_outputs > 1 else y.ravel())


def probabilities(n=103, n_classes=3):
    """Soft labels."""
    return np.random.default_rng(1).dirichlet(np.ones(n_classes), n)


def targets(n, seed=1):
    """Three classes, which serve as targets of a regression as well."""
    return np.random.default_rng(seed).integers(0, 3, n)


# Options of regressors of one target that have other outputs than 'identity', or other losses.
OTHER_LOSSES = (
    {"loss": "absolute_error"},
    {"loss": "poisson"},
    {"loss": "poisson", "norm_target": False},
    {"loss": "quantile"},
    {"loss": "quantile", "quantiles": (0.25,)},
)
