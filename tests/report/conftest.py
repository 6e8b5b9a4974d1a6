"""Models to report on, with their rows."""

import pytest
from sklearn.datasets import load_wine

from dnncore import DNNClassifier, DNNRegressor


@pytest.fixture(scope="session")
def wine():
    data = load_wine(as_frame=True)
    y = data.target_names[data.target]
    return DNNClassifier(8, max_iter=12, random_state=0).fit(data.data, y), data.data, y


@pytest.fixture(scope="session")
def regressor(diabetes):
    X, y = diabetes
    return DNNRegressor(hidden_layer_sizes=8, max_iter=20, random_state=0).fit(X, y), X, y
