"""Rows with missing values, and estimators that take them."""

import numpy as np
import pytest

N, FEATURES = 120, 6
INDICATED = [0, 2, 3, 5]

each_way = pytest.mark.parametrize("way", ["mean", "indicator"])


def rows(n=N, dtype=np.float64, seed=0):
    """NaN in the features of INDICATED; nothing else in the last one."""
    rng = np.random.default_rng(seed)
    X = rng.normal(2, 3, (n, FEATURES))
    missing = rng.random(X.shape) < 0.25
    missing[:, [1, 4]] = False
    missing[:, 5] = True
    X[missing] = np.nan
    return X.astype(dtype)


def model_of(make, **options):
    settings = {"hidden_layer_sizes": (8,), "max_iter": 6, "random_state": 0}
    return make(**{**settings, "missing_values": "indicator", **options})
