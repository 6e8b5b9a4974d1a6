"""Missing values in networks, predictors and model files."""

import pickle

import numpy as np
import pandas as pd
import pytest
from gaps import FEATURES, N, each_way, model_of, rows
from modelfiles import alter
from perceptrons import each_estimator
from samples import targets

from dnncore import DNNClassifier, Network
from dnncore._data.columns import Column
from dnncore.modelfile import ModelFileError, load, save
from dnncore.predictor import Predictor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@each_estimator
@each_way
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_frozen(make, way, dtype):
    X, y = rows(dtype=dtype), targets(N)
    model = model_of(make, missing_values=way).fit(X, y)
    predictor = model.freeze()
    expected = model.predict_proba(X) if make is DNNClassifier else model.predict(X)[:, None]
    rtol, atol = {np.float32: (1e-4, 1e-5), np.float64: (1e-12, 1e-13)}[dtype]
    for scored in (predictor(X), predictor.predict_proba(X), np.array([predictor(x) for x in X])):
        np.testing.assert_allclose(scored, expected, rtol=rtol, atol=atol)
    assert np.array_equal(pickle.loads(pickle.dumps(predictor))(X), predictor(X))
    assert predictor.n_features == FEATURES
    out = np.empty_like(expected)
    assert predictor(X, out) is out
    with pytest.raises(ValueError, match=r"must be finite or missing \(NaN\), got inf in row 2"):
        broken = X.copy()
        broken[2, 1] = np.inf
        predictor.predict_proba(broken)
    with pytest.raises(ValueError, match=r"shape \(6,\) or \(n, 6\)"):
        predictor(np.zeros((2, FEATURES + 4), dtype))


def test_frozen_scores_many_rows_in_wide_layers():
    """More than fit on the stack, and more than a block."""
    network = Network((900, 700, 3), seed=0, dtype=np.float32, missing=range(400))
    X = np.random.default_rng(0).normal(size=(500, 500)).astype(np.float32)
    X[np.random.default_rng(1).random(X.shape) < 0.3] = np.nan
    network.update_norm(X)
    predictor = network.freeze()
    np.testing.assert_allclose(predictor(X), network.predict_proba(X), rtol=1e-3, atol=1e-5)
    assert np.array_equal(predictor(X), np.array([predictor(x) for x in X]))


def test_nan_in_gives_nan_out_without_it():
    network = Network((3, 2), seed=0)
    network.update_norm(np.random.default_rng(0).normal(size=(9, 3)))
    predictor = network.freeze()
    assert predictor.fill is None
    assert np.isnan(predictor(np.array([1.0, np.nan, 0.0]))).all()
    with pytest.raises(ValueError, match="X must be finite"):
        predictor.predict_proba(np.full((1, 3), np.nan))


@each_estimator
@each_way
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_model_file(make, way, dtype, tmp_path):
    X, y = pd.DataFrame(rows(dtype=dtype), columns=list("abcdef")), targets(N)
    model = model_of(make, missing_values=way).fit(X, y)
    path = tmp_path / "model.safetensors"
    model.save(path, solver_state=True)
    loaded = load(path)
    assert np.array_equal(loaded.predict(X), model.predict(X))
    assert loaded.network_.missing.tolist() == model.network_.missing.tolist()
    assert loaded.feature_names_in_.tolist() == list("abcdef")
    assert np.array_equal(Predictor.load(path)(X.to_numpy()), model.freeze()(X.to_numpy()))
    for one in (model, loaded):
        one.partial_fit(X, y)
    assert np.array_equal(loaded.network_.parameters, model.network_.parameters)
    assert np.array_equal(loaded.network_.mean_, model.network_.mean_)
    model.network_.save(path)
    assert np.array_equal(load(path).logits(X.to_numpy()), model.network_.logits(X.to_numpy()))
    frozen = model.freeze()
    frozen.save(path)
    assert np.array_equal(load(path)(X.to_numpy()), frozen(X.to_numpy()))
    save(frozen, path, table=[Column(name) for name in "abcdef"])
    with pytest.raises(ValueError, match="the table must give 6 features"):
        save(frozen, path, table=[Column("a")])


@pytest.mark.parametrize(
    "missing", ["null", "3", "[0, 0]", "[2]", "[-1]", "[0.5]", "[true]", '["a"]', "[0, 1, 2]"]
)
def test_a_model_file_with_bad_indicators_is_refused(missing, tmp_path):
    path = tmp_path / "model.safetensors"
    Network((3, 2), missing=[0]).save(path)
    assert load(path).missing.tolist() == [0]
    alter(path, metadata={"missing": missing})
    with pytest.raises(ModelFileError, match="missing must"):
        load(path)


@each_way
def test_pickle(way):
    X, y = rows(), targets(N)
    model = model_of(DNNClassifier, missing_values=way).partial_fit(X, y, classes=[0, 1, 2])
    twin = pickle.loads(pickle.dumps(model))
    assert np.array_equal(twin.predict_proba(X), model.predict_proba(X))
    for one in (model, twin):
        one.partial_fit(X, y)
    assert np.array_equal(twin.network_.parameters, model.network_.parameters)
    assert np.array_equal(twin.network_.mean_, model.network_.mean_)


def test_gradients():
    """Central differences: of the parameters, and of the values that are there."""
    rng = np.random.default_rng(0)
    X, y = rows(7), targets(7)
    network = Network((FEATURES + 2, 5, 3), seed=0, missing=[2, 5])
    network.update_norm(rows())
    found = network.gradients(X, y, alpha=0.3)
    step = 1e-6
    for i in rng.choice(network.n_parameters, 25, replace=False):
        network.parameters[i] += step
        above = network.loss(X, y, alpha=0.3)
        network.parameters[i] -= 2 * step
        below = network.loss(X, y, alpha=0.3)
        network.parameters[i] += step
        assert found.flat[i] == pytest.approx((above - below) / (2 * step), abs=1e-8)
    assert found.dx.shape == X.shape
    assert (found.dx[np.isnan(X)] == 0).all()
    for r, c in np.argwhere(~np.isnan(X))[::4]:
        moved = [X.copy(), X.copy()]
        moved[0][r, c] += step
        moved[1][r, c] -= step
        difference = network.loss(moved[0], y) - network.loss(moved[1], y)
        assert found.dx[r, c] == pytest.approx(difference / (2 * step), abs=1e-8)


@pytest.mark.parametrize(
    ("missing", "words"),
    [
        ([0, 0], "missing must name distinct features"),
        ([2], r"missing must lie in \[0, 2\), got \[2\]"),
        ([-1], r"missing must lie in \[0, 2\), got \[-1\]"),
        ([0, 1, 2], "missing must name distinct features, fewer than"),
    ],
)
def test_bad_indicators(missing, words):
    with pytest.raises(ValueError, match=words):
        Network((3, 2), missing=missing)
    with pytest.raises(ValueError, match=words):
        Predictor((3, 2), np.zeros(8), fill=np.zeros(2), missing=missing)
    with pytest.raises(TypeError, match=r"missing must be a sequence of integers, got \[0\.5\]"):
        Network((3, 2), missing=[0.5])


def test_repr_and_norm():
    network = Network((5, 2), missing=[0, 1])
    assert network.n_features == 3
    network.set_norm([1, 2, 3], [1, 1, 2])
    assert repr(network).endswith("with norm, 2 inputs for missing values)")
    with pytest.raises(ValueError, match=r"mean must have shape \(3,\)"):
        network.set_norm(np.zeros(5), np.ones(5))
    with pytest.raises(ValueError, match="fill must contain 3 finite numbers"):
        Predictor((5, 2), np.zeros(12), fill=np.zeros(5), missing=[0, 1])
    with pytest.raises(ValueError, match="missing requires fill"):
        Predictor((5, 2), np.zeros(12), missing=[0, 1])
