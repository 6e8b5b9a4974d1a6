"""The input standardisation of predictors is folded into the weights only where that is exact."""

import copy
import pickle

import numpy as np
import pytest

from dnncore import DNNClassifier, DNNRegressor, Network, load, to_c, to_onnx
from dnncore.predictor import Predictor

pytestmark = pytest.mark.filterwarnings("ignore:max_iter")

RNG = np.random.default_rng(0)
X, LABELS = RNG.normal(size=(60, 4)), np.arange(60) % 3
DTYPES = [np.float32, np.float64]
ROUNDING = {np.float32: 2e-6, np.float64: 1e-12}


def rows(offset, dtype):
    """Rows whose differences are exact in this dtype."""
    return (np.round(X * 16) + offset).astype(dtype)


def fitted(offset, dtype, **parameters):
    parameters = {"max_iter": 20, "random_state": 0, "learning_rate_init": 0.01} | parameters
    return DNNClassifier((8,), **parameters).fit(rows(offset, dtype), LABELS)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("offset", [0.0, 2e3, 5e6])
def test_of_rows_with_an_offset(offset, dtype, tmp_path):
    model, x = fitted(offset, dtype), rows(offset, dtype)
    expected = model.predict_proba(x)
    assert np.ptp(expected, axis=0).min() > 0.1
    model.save(tmp_path / "model.safetensors")
    frozen = model.freeze()
    frozen.save(tmp_path / "predictor.safetensors")
    assert (frozen.mean is None) == (offset == 0.0)
    for predictor in (
        frozen,
        copy.copy(frozen),
        pickle.loads(pickle.dumps(frozen)),
        Predictor.load(tmp_path / "model.safetensors"),
        load(tmp_path / "predictor.safetensors"),
    ):
        np.testing.assert_allclose(predictor(x), expected, rtol=0, atol=ROUNDING[dtype])
        np.testing.assert_allclose(predictor(x[3]), expected[3], rtol=0, atol=ROUNDING[dtype])
        np.testing.assert_array_equal(predictor(x), frozen(x))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("missing_values", ["error", "mean", "indicator"])
@pytest.mark.parametrize("offset", [0.0, 5e6])
def test_exports(offset, missing_values, dtype, tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    x = rows(offset, dtype)
    if missing_values != "error":
        x[::4, 1] = np.nan
    model = DNNClassifier((8,), max_iter=5, random_state=0, missing_values=missing_values)
    expected = model.fit(x, LABELS).predict_proba(x)
    frozen = model.freeze()
    np.testing.assert_allclose(frozen(x), expected, rtol=0, atol=ROUNDING[dtype])
    assert frozen.predict(x).tolist() == model.predict(x).tolist()
    for exported in (model, frozen):
        to_onnx(exported, tmp_path / "model.onnx")
        session = onnxruntime.InferenceSession(tmp_path / "model.onnx")
        found = session.run(["probabilities"], {"X": x})[0]
        np.testing.assert_allclose(found, expected, rtol=0, atol=ROUNDING[dtype])
    to_c(model, tmp_path / "model.c")
    to_c(frozen, tmp_path / "predictor.c")
    if offset:  # not folded: the very same numbers
        texts = [(tmp_path / f"{name}.c").read_text() for name in ("model", "predictor")]
        assert texts[0] == texts[1]


@pytest.mark.parametrize(
    ("mean", "scale", "folded"),
    [(16.0, 1.0, True), (-16.0, 1.0, True), (17.0, 1.0, False), (0.0, 1e-13, False),
     (0.0, 1e13, False), (0.0, 1e-11, True)],
)  # fmt: skip
def test_what_is_folded(mean, scale, folded):
    network = Network((3, 2), seed=0)
    network.set_norm([0.0, mean, 0.0], [1.0, scale, 1.0])
    predictor = network.freeze()
    assert (predictor.mean is None and predictor.scale is None) == folded
    x = mean + scale * RNG.normal(size=(5, 3))
    np.testing.assert_allclose(predictor(x), network.predict_proba(x), rtol=0, atol=1e-13)


def test_extreme_scales_can_be_frozen():
    network = Network((2, 3, 2), seed=0, dtype=np.float32)
    network.set_norm([0.0, 0.0], [1e-38, 1e38])
    x = np.array([[2e-38, -1e38], [-1e-38, 2e38]], np.float32)
    np.testing.assert_allclose(network.freeze()(x), network.predict_proba(x), atol=1e-6)


@pytest.mark.parametrize("missing", [None, [], [1]])
def test_refreshed_from_folded_to_not_and_back(missing):
    network = Network((4 + len(missing or ()), 5, 2), seed=0, missing=missing)
    network.set_norm(np.zeros(4), np.ones(4))
    predictor = network.freeze()
    x = RNG.normal(size=(700, 4))
    if missing is not None:
        x[::3, 1] = np.nan
    for mean in (0.0, 1e6, 3.0, 1e3):
        network.set_norm(np.full(4, mean), np.full(4, 2.0))
        predictor.refresh(network)
        again = network.freeze()
        assert (predictor.mean is None) == (mean < 16)
        np.testing.assert_array_equal(predictor(x + mean), again(x + mean))
        np.testing.assert_allclose(
            predictor(x + mean), network.predict_proba(x + mean), rtol=0, atol=1e-12
        )
    network.set_norm(None, None)
    predictor.refresh(network)
    np.testing.assert_array_equal(predictor(x), network.freeze()(x))


@pytest.mark.parametrize(
    ("norm", "message"),
    [
        ({"mean": np.zeros(3)}, "must both be arrays or both be None"),
        ({"mean": np.zeros(2), "scale": np.ones(3)}, r"must have shape \(3,\)"),
        ({"mean": np.zeros(3), "scale": np.zeros(3)}, "finite and positive"),
        ({"mean": np.full(3, np.nan), "scale": np.ones(3)}, "must be finite"),
    ],
)
def test_arguments(norm, message):
    with pytest.raises(ValueError, match=message):
        Predictor((3, 2), np.zeros(8), **norm)


def test_of_a_regressor_in_float32():
    x = rows(5e6, np.float32)
    y = x[:, 0].astype(np.float64) * 0.01
    model = DNNRegressor(hidden_layer_sizes=(8,), max_iter=20, random_state=0).fit(x, y)
    np.testing.assert_allclose(model.freeze()(x).ravel(), model.predict(x), rtol=1e-6, atol=0.0)
