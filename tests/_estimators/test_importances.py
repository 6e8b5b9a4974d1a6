"""Permutation importances: what the loss tells of the columns."""

import numpy as np
import pandas as pd
import pytest

from dnncore import Network
from dnncore._core.labels import Labels
from dnncore._estimators.importances import permutation_importances
from dnncore.tabular import TabularClassifier, TabularRegressor

ROWS = np.random.default_rng(0).normal(size=(200, 4))


def linear(coefs):
    network = Network((len(coefs), 1), output="identity")
    network.coefs_[0][:, 0] = coefs
    network.intercepts_[0][...] = 0.0
    return network


def importances(coefs, features, weight=None, rows=ROWS, parts=None):
    y = rows @ np.asarray(coefs, float)[:, None]
    parts = [np.arange(len(rows))] if parts is None else parts
    return permutation_importances(
        [linear(coefs)] * len(parts), rows, Labels.of(y, weight), parts, features,
        np.random.RandomState(0),
    )  # fmt: skip


def test_the_growth_of_the_loss():
    found = importances([2.0, 1.0, 0.0, 0.5], [[0], [1], [2], [3]])
    # Half the squared error: half of twice the variance of what the column adds.
    expected = np.array([2.0, 1.0, 0.0, 0.5]) ** 2 * ROWS.var(axis=0)
    np.testing.assert_allclose(found, expected, rtol=0.25, atol=1e-12)


def test_the_features_of_a_column_are_permuted_together():
    rows = ROWS.copy()
    rows[:, 1] = rows[:, 0]
    together = importances([1.0, -1.0, 0.0, 0.0], [[0, 1], [2, 3]], rows=rows)
    np.testing.assert_allclose(together, 0.0, atol=1e-12)
    alone = importances([1.0, -1.0, 0.0, 0.0], [[0], [1], [2, 3]], rows=rows)
    assert (alone[:2] > 0.5).all()


def test_columns_without_information():
    rows = ROWS.copy()
    rows[:, 3] = 1.0
    assert importances([1.0, 1.0, 1.0, 5.0], [[3], []], rows=rows).tolist() == [0.0, 0.0]


def test_means_over_the_parts_that_have_a_weight():
    first, second = np.arange(100), np.arange(100, 200)
    weight = np.repeat([1.0, 0.0], 100)
    both = importances([1, 1, 1, 1], [[0]], weight, parts=[first, second])
    assert both == importances([1, 1, 1, 1], [[0]], weight, parts=[first])
    assert importances([1, 1, 1, 1], [[0]], weight, parts=[second]) == 0.0
    # A row without weight is permuted as the others are, but does not count.
    halves = importances([1, 1, 1, 1], [[0], [1]], parts=[first, second])
    one = importances([1, 1, 1, 1], [[0], [1]], parts=[first])
    assert halves.shape == one.shape == (2,) and (halves != one).all()


@pytest.mark.parametrize("kind", [TabularClassifier, TabularRegressor])
def test_of_an_estimator(kind):
    rng = np.random.default_rng(0)
    n = 240
    colour = rng.choice(["red", "green", "blue"], n)
    X = pd.DataFrame(
        {"noise": rng.normal(size=n), "colour": colour, "same": 1.0, "size": rng.normal(size=n)}
    )
    z = 2.0 * (colour == "red") + X["size"]
    y = (z > 0.9).to_numpy() if kind is TabularClassifier else z
    model = kind(
        n_members=5, max_iter=30, hidden_layer_sizes=(32,), importances=True, n_threads=1,
        random_state=0,
    ).fit(X, y)  # fmt: skip
    noise, colour, same, size = model.feature_importances_
    assert same == 0.0
    assert min(colour, size) > 5 * abs(noise)
    assert not hasattr(model.set_params(importances=False).fit(X, y), "feature_importances_")
