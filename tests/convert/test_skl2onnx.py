"""Pipelines that skl2onnx converts, with our estimators in them."""

import sys
import warnings

import numpy as np
import pandas as pd
import pytest
from samples import OTHER_LOSSES
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import make_column_transformer
from sklearn.decomposition import PCA
from sklearn.ensemble import (
    StackingClassifier,
    StackingRegressor,
    VotingClassifier,
    VotingRegressor,
)
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from dnncore import DNNClassifier, DNNRegressor
from dnncore.convert import register_skl2onnx

skl2onnx = pytest.importorskip("skl2onnx")
runtime = pytest.importorskip("onnxruntime")

pytestmark = pytest.mark.filterwarnings("ignore:max_iter")

RNG = np.random.default_rng(0)
X = RNG.normal(5.0, 3.0, size=(60, 4))
CLASSES = {
    "str": np.array(["Große", 'q"\\\n', "c"])[np.arange(60) % 3],
    "int64": np.array([-7, 0, 2**40])[np.arange(60) % 3],
    "uint8": (np.arange(60) % 3).astype(np.uint8),
    "bool": X[:, 0] > 5.0,
    "float": np.array([2.0, -1.0])[np.arange(60) % 2],
}
OPTIONS = {"hidden_layer_sizes": (8,), "max_iter": 5, "random_state": 0}


@pytest.fixture(autouse=True, scope="module")
def registered():
    register_skl2onnx()
    register_skl2onnx()


def outputs(model, rows, **options):
    """What ONNX Runtime computes with the converted model."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of others
        proto = skl2onnx.to_onnx(model, rows[:1], **options)
    session = runtime.InferenceSession(proto.SerializeToString())
    names = [value.name for value in session.get_inputs()]
    if isinstance(rows, pd.DataFrame):
        given = {name: rows[[name]].to_numpy() for name in names}
    else:
        given = {names[0]: rows}
    return session.run(None, given)


def compare(model, rows, **options):
    """Labels are equal; numbers have the type of the rows."""
    label, p = outputs(model, rows, options={"zipmap": False}, **options)
    expected = model.predict_proba(rows)
    tolerance = 1e-5 if rows.dtype == np.float32 else 1e-12
    assert p.dtype == rows.dtype
    np.testing.assert_allclose(p, expected, rtol=0, atol=tolerance)
    two = np.sort(expected, axis=1)[:, -2:]
    clear = two[:, 1] - two[:, 0] > 1e-4
    assert clear.any()
    assert label[clear].tolist() == model.predict(rows)[clear].tolist()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("kind", CLASSES)
def test_classifiers_in_a_pipeline(kind, dtype):
    model = make_pipeline(StandardScaler(), PCA(3), DNNClassifier(**OPTIONS))
    compare(model.fit(X, CLASSES[kind]), X.astype(dtype))


def test_a_classifier_alone_with_missing_values():
    rows = np.where(RNG.random(X.shape) < 0.2, np.nan, X)
    model = DNNClassifier(missing_values="indicator", **OPTIONS).fit(rows, CLASSES["str"])
    compare(model, rows)
    compare(model, rows.astype(np.float32))


def test_zipmap():
    model = make_pipeline(StandardScaler(), DNNClassifier(**OPTIONS)).fit(X, CLASSES["str"])
    label, p = outputs(model, X.astype(np.float32))
    assert label.tolist() == model.predict(X).tolist()
    assert list(p[0]) == model.classes_.tolist()
    np.testing.assert_allclose([list(row.values()) for row in p], model.predict_proba(X), atol=1e-5)
    label, *columns = outputs(model, X, options={"zipmap": "columns"})
    np.testing.assert_allclose(np.stack(columns, axis=1), model.predict_proba(X), atol=1e-12)


def test_class_indices():
    model = DNNClassifier(**OPTIONS).fit(X, CLASSES["str"])
    options = {id(model): {"zipmap": False, "nocl": True}}
    label, _ = outputs(model, X, options=options)
    assert model.classes_[label].tolist() == model.predict(X).tolist()


def test_several_labels():
    model = DNNClassifier(**OPTIONS).fit(X, (X[:, :3] > 5.0).astype(int))
    label, p = outputs(model, X, options={"zipmap": False})
    np.testing.assert_allclose(p, model.predict_proba(X), rtol=0, atol=1e-12)
    assert label.tolist() == model.predict(X).tolist()


@pytest.mark.parametrize("kind", ["str", "bool"])
def test_raw_scores(kind):
    model = DNNClassifier(**OPTIONS).fit(X, CLASSES[kind])
    expected = model.decision_function(X)
    if kind == "bool":
        expected = np.stack([-expected, expected], axis=1)
    label, scores = outputs(model, X, options={"zipmap": False, "raw_scores": True})
    np.testing.assert_allclose(scores, expected, rtol=0, atol=1e-12)
    assert label.tolist() == model.predict(X).tolist()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n_outputs", [1, 2])
def test_regressors(n_outputs, dtype):
    y = 1000.0 + 5.0 * X[:, :n_outputs]
    model = make_pipeline(StandardScaler(), DNNRegressor(**OPTIONS)).fit(X, y)
    (found,) = outputs(model, X.astype(dtype))
    assert (found.dtype, found.shape) == (dtype, (60, n_outputs))
    np.testing.assert_allclose(
        found, model.predict(X).reshape(60, -1), rtol=1e-6 if dtype == np.float32 else 1e-13
    )


@pytest.mark.parametrize("options", OTHER_LOSSES, ids=str)
def test_regressors_of_other_losses(options):
    model = DNNRegressor(**OPTIONS, **options).fit(X, np.abs(X[:, 0]))
    (found,) = outputs(model, X)
    np.testing.assert_allclose(found, model.predict(X).reshape(60, -1), rtol=1e-12)


def test_a_table():
    frame = pd.DataFrame(X[:, :2].astype(np.float32), columns=["a", "größe"])
    frame["colour"] = np.array(["red", "blue"])[np.arange(60) % 2]
    encoder = make_column_transformer(
        (StandardScaler(), ["a", "größe"]), (OneHotEncoder(), ["colour"])
    )
    model = make_pipeline(encoder, DNNClassifier(**OPTIONS)).fit(frame, CLASSES["str"])
    label, p = outputs(model, frame, options={"zipmap": False})
    np.testing.assert_allclose(p, model.predict_proba(frame), rtol=0, atol=1e-5)
    assert label.tolist() == model.predict(frame).tolist()


@pytest.mark.parametrize(
    "make",
    [
        lambda: GridSearchCV(DNNClassifier(**OPTIONS), {"alpha": [0.0, 0.1]}, cv=2),
        lambda: VotingClassifier(
            [("dnn", DNNClassifier(**OPTIONS)), ("linear", LogisticRegression())],
            voting="soft",
            flatten_transform=False,
        ),
        lambda: CalibratedClassifierCV(DNNClassifier(**OPTIONS), cv=2),
        lambda: StackingClassifier([("dnn", DNNClassifier(**OPTIONS))], cv=2),
    ],
)
@pytest.mark.parametrize("n_classes", [2, 3])
def test_classifiers_in_others(make, n_classes):
    compare(make().fit(X, np.arange(60) % n_classes), X)


@pytest.mark.parametrize("make", [VotingRegressor, StackingRegressor])
def test_regressors_in_others(make):
    parts = [("dnn", DNNRegressor(**OPTIONS)), ("linear", LinearRegression())]
    model = make(parts).fit(X, X[:, 0])
    (found,) = outputs(model, X.astype(np.float32))
    np.testing.assert_allclose(found.ravel(), model.predict(X), rtol=1e-4, atol=1e-4)


def test_what_is_refused():
    model = DNNClassifier(**OPTIONS).fit(X, CLASSES["int64"])
    with pytest.raises(ValueError, match="target_opset must be at least 13, got 12"):
        outputs(model, X, target_opset=12)
    halves = DNNClassifier(**OPTIONS).fit(X, CLASSES["float"])
    halves.classes_ = halves.classes_ / 4
    with pytest.raises(ValueError, match="classes must be integers or strings for skl2onnx"):
        outputs(halves, X, options={"zipmap": False})
    model.network_.parameters[0] = np.nan
    with pytest.raises(ValueError, match="must be finite to be exported"):
        outputs(model, X)


def test_without_skl2onnx(monkeypatch):
    monkeypatch.setitem(sys.modules, "skl2onnx", None)
    with pytest.raises(ImportError, match="register_skl2onnx needs skl2onnx: pip install"):
        register_skl2onnx()
