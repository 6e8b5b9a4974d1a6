"""Pipelines of scalers and an estimator are exported as one model."""

import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler, MinMaxScaler, RobustScaler, StandardScaler

from dnncore import DNNClassifier, DNNRegressor, to_c, to_onnx

pytestmark = pytest.mark.filterwarnings("ignore:max_iter")

X = np.random.default_rng(0).normal(5.0, 3.0, size=(60, 4))
LABELS = np.arange(60) % 3
OPTIONS = {"max_iter": 3, "random_state": 0}


@pytest.mark.parametrize(
    "scalers",
    [
        [StandardScaler()],
        [StandardScaler(with_mean=False)],
        [StandardScaler(with_std=False)],
        [RobustScaler()],
        [RobustScaler(with_centering=False)],
        [MinMaxScaler((-3, 5))],
        [MaxAbsScaler(), "passthrough", StandardScaler()],
        [],
    ],
    ids=str,
)
@pytest.mark.parametrize("make", [DNNClassifier, DNNRegressor])
def test_scalers(scalers, make, tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    y = LABELS if make is DNNClassifier else X[:, 0]
    model = make_pipeline(*scalers, make(**OPTIONS)).fit(X, y)
    to_onnx(model, tmp_path / "model.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
    found = session.run(None, {"X": X})
    if make is DNNClassifier:
        assert found[0].tolist() == model.predict(X).tolist()
        np.testing.assert_allclose(found[1], model.predict_proba(X), rtol=0, atol=1e-12)
    else:
        np.testing.assert_allclose(found[0].ravel(), model.predict(X), rtol=1e-10)
    to_c(model, tmp_path / "model.c")


def test_names_are_those_of_the_first_step(tmp_path):
    pandas, onnx = pytest.importorskip("pandas"), pytest.importorskip("onnx")
    frame = pandas.DataFrame(X, columns=["a", "b", "c", "d"])
    model = make_pipeline(StandardScaler(), DNNClassifier(**OPTIONS)).fit(frame, LABELS)
    to_onnx(model, tmp_path / "model.onnx")
    metadata = {x.key: x.value for x in onnx.load(tmp_path / "model.onnx").metadata_props}
    assert metadata["feature_names"] == '["a", "b", "c", "d"]'


@pytest.mark.parametrize(
    ("model", "error", "message"),
    [
        (make_pipeline(PCA(2), DNNClassifier(**OPTIONS)), TypeError, "got the step 'pca', PCA"),
        (make_pipeline(MinMaxScaler(clip=True), DNNClassifier(**OPTIONS)), TypeError,
         "got the step 'minmaxscaler'"),
        (make_pipeline(StandardScaler(), PCA(2)), TypeError, "model must be a Network, .* got PCA"),
    ],
)  # fmt: skip
def test_other_steps(model, error, message, tmp_path):
    model.fit(X, LABELS)
    with pytest.raises(error, match=message):
        to_onnx(model, tmp_path / "model.onnx")


def test_unfitted(tmp_path):
    with pytest.raises(NotFittedError):
        to_onnx(make_pipeline(StandardScaler(), DNNClassifier()), tmp_path / "model.onnx")
