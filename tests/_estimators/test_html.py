"""What notebooks show of estimators."""

import re
import xml.etree.ElementTree as ET

import numpy as np
import pandas as pd
import pytest
import sklearn
from sklearn.pipeline import make_pipeline

import dnncore
from dnncore import DNNClassifier, DNNRegressor
from dnncore._estimators.html import estimator_html

X = np.random.default_rng(0).normal(size=(60, 3))
NAMES = np.array(["<script>alert(1)</script>", "a & b", "c"])

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.fixture(scope="module")
def model():
    y = NAMES[np.arange(60) % 3]
    return DNNClassifier(5, max_iter=12, random_state=0).fit(X, y, X_val=X[:20], y_val=y[:20])


def test_a_fitted_estimator_shows_scikit_learns_diagram_and_its_network(model):
    ours = estimator_html(model)  # well-formed XML too
    for html in (model._repr_html_(), model._repr_mimebundle_()["text/html"]):
        assert html.endswith(ours)
        assert "sk-container" in html
    said = "".join(ET.fromstring(ours).itertext())
    assert "Epochs12" in said
    assert f"Last loss{model.loss_:.4g}" in said
    assert f"Last validation loss{model.validation_losses_[-1]:.4g}" in said
    best = int(np.argmax(model.validation_scores_)) + 1
    assert f"Best validation score{model.best_validation_score_:.4g} (epoch {best})" in said
    assert NAMES[0] in said


def test_class_names_are_escaped_and_nothing_is_referred_to(model):
    ours = estimator_html(model)
    assert "<script" not in ours
    assert not re.search(r"\s(id|on\w+|href|src)=|url\(", ours)


def test_what_scikit_learns_setting_says_holds(model):
    with sklearn.config_context(display="text"):
        assert not hasattr(model, "_repr_html_")
        assert "text/html" not in model._repr_mimebundle_()


def test_an_unfitted_estimator_shows_scikit_learns_diagram_only():
    assert estimator_html(DNNClassifier()) == ""
    assert "dnncore" not in DNNRegressor()._repr_html_().replace("dnncore.", "")
    assert 'aria-label="Network' not in DNNRegressor()._repr_html_()
    assert "sk-container" in make_pipeline(DNNClassifier())._repr_html_()


def test_regressors_and_loaded_models(tmp_path):
    frame = pd.DataFrame(X, columns=["one", "two", "three"])
    fitted = DNNRegressor(max_iter=5, random_state=0).fit(frame, X[:, 0])
    fitted.save(tmp_path / "model")
    assert estimator_html(dnncore.load(tmp_path / "model")) == estimator_html(fitted)
    assert "two" in ET.fromstring(estimator_html(fitted)).itertext()
