"""Estimators in files of skops, which names every type that it would have to trust."""

import warnings

import numpy as np
import pytest
from modelfiles import CODES, OTHERS, X, assert_same_estimator, fitted, fitted_other
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from dnncore import DNNClassifier

skops_io = pytest.importorskip("skops.io")

MODELS = {
    "adam": lambda: fitted(dropout=0.25, scoring="accuracy"),
    "momentum": lambda: fitted(["a", "b", "c"], np.float32, solver="sgd", early_stopping=True),
    "lbfgs": lambda: fitted(solver="lbfgs", norm=False),
    "class weights": lambda: fitted(class_weight={-5: 1.0, 0: 2.0, 7: 0.5}),
    "random state": lambda: fitted(random_state=np.random.RandomState(0)),
    **{name: lambda name=name: fitted_other(name) for name in OTHERS},
}


def through_skops(model):
    data = skops_io.dumps(model)
    types = skops_io.get_untrusted_types(data=data)
    assert all(name.startswith("dnncore.") for name in types), types
    return skops_io.loads(data, trusted=types)


@pytest.mark.parametrize("name", MODELS)
def test_estimators_come_back(name):
    model = MODELS[name]()
    model.random_state = None  # which has no equality
    assert_same_estimator(model, through_skops(model), model.network_.dtype)


@pytest.mark.parametrize("name", MODELS)
def test_training_goes_on(name):
    model = MODELS[name]()
    loaded = through_skops(model)
    y = OTHERS[name][1] if name in OTHERS else model.classes_[CODES % len(model.classes_)]
    for each in (model, loaded):
        each.set_params(warm_start=True, scoring=None)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            each.fit(X.astype(model.network_.dtype), y)
    np.testing.assert_array_equal(model.network_.parameters, loaded.network_.parameters)


def test_other_states():
    """An estimator that is not fitted, and one in a pipeline."""
    assert through_skops(DNNClassifier(alpha=0.5)).alpha == 0.5
    pipeline = make_pipeline(StandardScaler(), DNNClassifier((5,), max_iter=2, random_state=0))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        pipeline.fit(X, CODES)
    np.testing.assert_array_equal(through_skops(pipeline).predict(X), pipeline.predict(X))
