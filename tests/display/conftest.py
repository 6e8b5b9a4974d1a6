"""Fitted models, and no figure left after a test."""

import matplotlib
import pytest
from drawing import X, y
from matplotlib import pyplot as plt

from dnncore import DNNClassifier, DNNRegressor

matplotlib.use("Agg")


@pytest.fixture(autouse=True)
def no_figure_is_left():
    yield
    plt.close("all")


@pytest.fixture(scope="session")
def classifier():
    model = DNNClassifier(
        16, max_iter=8, random_state=0, early_stopping=True, scoring=["accuracy", "neg_log_loss"]
    )
    return model.fit(X, y)


@pytest.fixture(scope="session")
def regressor(diabetes):
    X, y = diabetes
    return DNNRegressor(hidden_layer_sizes=(6, 5), max_iter=6, random_state=0).fit(
        X[:300], y[:300], X_val=X[300:], y_val=y[300:]
    )
