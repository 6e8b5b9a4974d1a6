"""scikit-learn's perceptrons and ours, made so that both mean the same."""

from inspect import signature

import numpy as np
import pytest
from sklearn.neural_network import MLPClassifier, MLPRegressor

from dnncore import DNNClassifier, DNNRegressor

PAIRS = [(DNNClassifier, MLPClassifier), (DNNRegressor, MLPRegressor)]
# Since version 1.7.
TAKES_WEIGHTS = "sample_weight" in signature(MLPClassifier.fit).parameters
each_pair = pytest.mark.parametrize(("mine", "their"), PAIRS)
each_estimator = pytest.mark.parametrize("make", [DNNClassifier, DNNRegressor])


def alike(make, **parameters):
    """The estimator such that both start and step alike: no norm, all rows in their order."""
    options = {
        "hidden_layer_sizes": (7,), "activation": "logistic", "learning_rate_init": 0.05,
        "shuffle": False, "random_state": 0, "early_stopping": False, **parameters,
    }  # fmt: skip
    if make is DNNRegressor:
        options["norm_target"] = False
    if make in (DNNClassifier, DNNRegressor):
        options["norm"] = False
    return make(**options)


def assert_same_weights(ours, theirs, atol=1e-10):
    for a, b in zip(
        ours.coefs_ + ours.intercepts_, theirs.coefs_ + theirs.intercepts_, strict=True
    ):
        np.testing.assert_allclose(a, b, rtol=0, atol=atol)
