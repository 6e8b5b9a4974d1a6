"""Missing values: the mean in their place, inputs that say so, and everywhere the same."""

import pickle

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from modelfiles import alter
from scipy import sparse
from sklearn.base import clone
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils import get_tags
from sklearn.utils.estimator_checks import parametrize_with_checks

from dnncore import DNNClassifier, DNNRegressor, Network
from dnncore._data.columns import Column
from dnncore.modelfile import ModelFileError, load, save
from dnncore.predictor import Predictor
from dnncore.training import SGD, Trainer

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

MAKERS = [DNNClassifier, DNNRegressor]
WAYS = ["mean", "indicator"]
N, FEATURES = 120, 6
INDICATED = [0, 2, 3, 5]


@pytest.mark.filterwarnings("ignore")
@parametrize_with_checks(
    [
        DNNClassifier((5,), missing_values="mean", learning_rate_init=0.05),
        DNNRegressor(
            hidden_layer_sizes=(5,), missing_values="indicator", solver="sgd",
            learning_rate_init=0.05,
        ),
    ]
)  # fmt: skip
def test_scikit_learn_checks(estimator, check):
    check(estimator)


def rows(n=N, dtype=np.float64, seed=0):
    """NaN in the features of INDICATED; nothing else in the last one."""
    rng = np.random.default_rng(seed)
    X = rng.normal(2, 3, (n, FEATURES))
    gone = rng.random(X.shape) < 0.25
    gone[:, [1, 4]] = False
    gone[:, 5] = True
    X[gone] = np.nan
    return X.astype(dtype)


def targets(n=N, seed=1):
    return np.random.default_rng(seed).integers(0, 3, n)


def model_of(make, **options):
    settings = {"hidden_layer_sizes": (8,), "max_iter": 6, "random_state": 0}
    return make(**{**settings, "missing_values": "indicator", **options})


def explicit(way, model):
    """Scaled by what is there, then 0 in place of what is not, then our network without norm."""
    imputer = SimpleImputer(
        strategy="constant", fill_value=0.0, keep_empty_features=True,
        add_indicator=way == "indicator",
    )  # fmt: skip
    return make_pipeline(
        StandardScaler(), imputer, clone(model).set_params(norm=False, missing_values="error")
    )


# ------------------------------------------------------------------------------- training


@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning", "ignore:Degrees of freedom")
@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"solver": "sgd", "shuffle": False, "batch_size": 17, "n_threads": 2},
        {"solver": "lbfgs"},
    ],
)
def test_equals_an_explicit_pipeline(make, way, options):
    X, y = rows(), targets()
    model = model_of(make, missing_values=way, **options)
    pipeline = explicit(way, model).fit(X, y)
    model.fit(X, y)
    theirs = pipeline[-1]
    assert model.network_.missing.tolist() == (INDICATED if way == "indicator" else [])
    assert model.network_.layer_sizes == theirs.network_.layer_sizes
    assert model.n_features_in_ == FEATURES
    np.testing.assert_allclose(
        model.network_.parameters, theirs.network_.parameters, rtol=1e-9, atol=1e-11
    )
    new = rows(50, seed=3)
    np.testing.assert_allclose(model.predict(new), pipeline.predict(new), rtol=1e-9)
    assert model.score(X, y) == pytest.approx(pipeline.score(X, y), rel=1e-9)


@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning", "ignore:Degrees of freedom")
def test_weights_count_in_the_mean():
    X, y = rows(), targets()
    weight = np.random.default_rng(4).uniform(0, 2, N)
    model = model_of(DNNClassifier).fit(X, y, weight)
    scaler = StandardScaler().fit(X, sample_weight=weight)
    there = [0, 1, 2, 3, 4]
    np.testing.assert_allclose(model.network_.mean_[there], scaler.mean_[there], rtol=1e-12)
    np.testing.assert_allclose(model.network_.scale_[there], scaler.scale_[there], rtol=1e-12)
    assert (model.network_.mean_[5], model.network_.scale_[5]) == (0.0, 1.0)


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize("way", WAYS)
def test_without_missing_values_it_changes_nothing(make, way):
    X, y = np.nan_to_num(rows()), targets()
    plain = model_of(make, missing_values="error").fit(X, y)
    model = model_of(make, missing_values=way).fit(X, y)
    assert np.array_equal(model.network_.parameters, plain.network_.parameters)
    assert np.array_equal(model.predict(X), plain.predict(X))
    assert plain.network_.missing is None
    X[3, 1] = np.nan  # in a feature that had none in training: its mean stands for it
    filled = X.copy()
    filled[3, 1] = model.network_.mean_[1]
    np.testing.assert_allclose(model.predict(X), model.predict(filled), rtol=1e-12)


@settings(deadline=None, max_examples=25)
@given(
    n=st.integers(1, 60),
    share=st.sampled_from([0.0, 0.2, 1.0]),
    batch_size=st.integers(1, 40),
    threads=st.integers(1, 3),
    dtype=st.sampled_from([np.float32, np.float64]),
    shuffle=st.booleans(),
    norm=st.booleans(),
    missing=st.sampled_from([[], [1], [4, 0], [0, 1, 2, 3, 4]]),
)
def test_an_epoch_equals_one_on_explicit_inputs(
    n, share, batch_size, threads, dtype, shuffle, norm, missing
):
    """In the same bits; sparse and dense."""
    rng = np.random.default_rng(n)
    X, y = rng.normal(size=(n, 5)).astype(dtype), np.arange(n) % 2
    X[rng.random(X.shape) < 0.4] = 0
    X[rng.random(X.shape) < share] = np.nan
    options = {"batch_size": batch_size, "shuffle": shuffle, "seed": 1, "n_threads": threads}
    sizes = (5 + len(missing), 4, 2)
    results = []
    mean, scale = rng.normal(size=5).astype(dtype), rng.uniform(0.5, 2, 5).astype(dtype)
    inputs = (X - mean) / scale if norm else X
    inputs = np.concatenate([np.nan_to_num(inputs), np.isnan(X)[:, missing]], axis=1, dtype=dtype)
    for matrix in (X, sparse.csr_array(X)):
        network = Network(sizes, dtype=dtype, seed=0, missing=missing)
        if norm:
            network.set_norm(mean, scale)
        losses = [Trainer(network, SGD(0.1), **options).run_epoch(matrix, y) for _ in range(2)]
        p = network.predict_proba(matrix)
        assert np.array_equal(network.forward(matrix).a[0], inputs)
        results.append((losses, network.parameters.tobytes(), p.tobytes()))
    network = Network(sizes, dtype=dtype, seed=0)
    losses = [Trainer(network, SGD(0.1), **options).run_epoch(inputs, y) for _ in range(2)]
    p = network.predict_proba(inputs)
    results.append((losses, network.parameters.tobytes(), p.tobytes()))
    assert results[0] == results[1] == results[2]


@pytest.mark.parametrize("make", MAKERS)
def test_sparse_rows(make):
    X, y = rows(), targets()
    X[np.random.default_rng(0).random(X.shape) < 0.4] = 0
    for options in ({}, {"early_stopping": True}, {"missing_values": "mean"}):
        dense = model_of(make, **options).fit(X, y)
        model = model_of(make, **options).fit(sparse.csr_matrix(X), y)
        assert np.array_equal(model.network_.parameters, dense.network_.parameters)
        assert np.array_equal(model.network_.missing, dense.network_.missing)
        assert np.array_equal(model.predict(sparse.csc_array(X)), dense.predict(X))


@pytest.mark.parametrize("make", MAKERS)
def test_rows_to_judge_by(make):
    X, y, X_val, y_val = rows(), targets(), rows(40, seed=5), targets(40, seed=6)
    model = model_of(make, early_stopping=True, n_iter_no_change=100)
    model.fit(X, y, X_val=X_val, y_val=y_val)
    assert model.best_validation_score_ == pytest.approx(model.score(X_val, y_val), rel=1e-12)
    split = model_of(make, early_stopping=True).fit(X, y)
    assert len(split.validation_scores_) == split.n_iter_


def test_partial_fit_keeps_the_inputs_of_the_first_call():
    X, y = rows(), targets()
    first = X[:60].copy()
    first[:, 2] = 1.5
    model = model_of(DNNClassifier)
    model.partial_fit(first, y[:60], classes=[0, 1, 2])
    assert model.network_.missing.tolist() == [0, 3, 5]
    model.partial_fit(X[60:], y[60:])  # feature 2 has missing values here
    assert model.network_.missing.tolist() == [0, 3, 5]
    seen = np.concatenate([first, X[60:]])
    there = [0, 1, 2, 3, 4]
    np.testing.assert_allclose(
        model.network_.mean_[there], np.nanmean(seen[:, there], axis=0), rtol=1e-12
    )
    np.testing.assert_allclose(
        model.network_.scale_[there], np.nanstd(seen[:, there], axis=0), rtol=1e-12
    )
    assert np.isfinite(model.predict_proba(X)).all()


def test_a_feature_that_comes_late():
    X, y = rows(), targets()
    model = model_of(DNNClassifier).partial_fit(X, y, classes=[0, 1, 2])
    assert (model.network_.mean_[5], model.network_.scale_[5]) == (0.0, 1.0)
    late = X.copy()
    late[:, 5] = np.arange(N)
    model.partial_fit(late, y)
    assert model.network_.mean_[5] == pytest.approx(np.mean(np.arange(N)), rel=1e-12)
    assert model.network_.scale_[5] == pytest.approx(np.std(np.arange(N)), rel=1e-12)


def test_warm_start_goes_on():
    X, y = rows(), targets()
    settings = {"shuffle": False, "tol": 0.0, "n_iter_no_change": np.inf}
    whole = model_of(DNNClassifier, max_iter=4, **settings).fit(X, y)
    parts = model_of(DNNClassifier, max_iter=2, warm_start=True, **settings).fit(X, y).fit(X, y)
    assert np.array_equal(whole.network_.parameters, parts.network_.parameters)
    for way in ("error", "mean"):
        other = clone(parts).set_params(missing_values="indicator").fit(X, y)
        with pytest.raises(ValueError, match="missing_values must be as it was"):
            other.set_params(missing_values=way).fit(np.nan_to_num(X), y)
        assert np.isfinite(other.predict_proba(X)).all()


@pytest.mark.parametrize("kind", [float, "Float64", "Int64"])
def test_data_frames(kind):
    X, y = rows(), targets()
    X = np.round(X)
    frame = pd.DataFrame(X, columns=list("abcdef")).convert_dtypes().astype(kind)
    model = model_of(DNNClassifier).fit(frame, y)
    assert np.array_equal(
        model.network_.parameters, model_of(DNNClassifier).fit(X, y).network_.parameters
    )
    assert np.array_equal(
        model.predict(frame), model.predict(pd.DataFrame(X, columns=frame.columns))
    )


# --------------------------------------------------------------------- copies and serving


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_frozen(make, way, dtype):
    X, y = rows(dtype=dtype), targets()
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


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_model_file(make, way, dtype, tmp_path):
    X, y = pd.DataFrame(rows(dtype=dtype), columns=list("abcdef")), targets()
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
    with pytest.raises(ValueError, match="6"):
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


@pytest.mark.parametrize("way", WAYS)
def test_pickle(way):
    X, y = rows(), targets()
    model = model_of(DNNClassifier, missing_values=way).partial_fit(X, y, classes=[0, 1, 2])
    twin = pickle.loads(pickle.dumps(model))
    assert np.array_equal(twin.predict_proba(X), model.predict_proba(X))
    for one in (model, twin):
        one.partial_fit(X, y)
    assert np.array_equal(twin.network_.parameters, model.network_.parameters)
    assert np.array_equal(twin.network_.mean_, model.network_.mean_)


# ---------------------------------------------------------------------------- the network


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
    [([0, 0], "different"), ([2], r"\[0, 2\)"), ([-1], r"\[0, 2\)"), ([0, 1, 2], "fewer")],
)
def test_bad_indicators(missing, words):
    with pytest.raises(ValueError, match=words):
        Network((3, 2), missing=missing)
    with pytest.raises(ValueError, match=words):
        Predictor((3, 2), np.zeros(8), fill=np.zeros(2), missing=missing)
    with pytest.raises(TypeError, match="integers"):
        Network((3, 2), missing=[0.5])


def test_repr_and_norm():
    network = Network((5, 2), missing=[0, 1])
    assert network.n_features == 3
    network.set_norm([1, 2, 3], [1, 1, 2])
    assert repr(network).endswith("with norm, 2 inputs for missing values)")
    with pytest.raises(ValueError, match=r"mean must have shape \(3,\)"):
        network.set_norm(np.zeros(5), np.ones(5))
    with pytest.raises(ValueError, match="fill must be 3 finite numbers"):
        Predictor((5, 2), np.zeros(12), fill=np.zeros(5), missing=[0, 1])
    with pytest.raises(ValueError, match="missing needs fill"):
        Predictor((5, 2), np.zeros(12), missing=[0, 1])


# --------------------------------------------------------------------------------- errors


@pytest.mark.parametrize("make", MAKERS)
def test_refused_by_default(make):
    X, y = rows(), targets()
    model = model_of(make, missing_values="error")
    with pytest.raises(ValueError, match="contains NaN"):
        model.fit(X, y)
    model.fit(np.nan_to_num(X), y)
    with pytest.raises(ValueError, match="contains NaN"):
        model.predict(X)
    with pytest.raises(ValueError, match="contains NaN"):
        model.fit(np.nan_to_num(X), y, X_val=X, y_val=y)
    assert not get_tags(model).input_tags.allow_nan
    assert get_tags(model_of(make)).input_tags.allow_nan


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize("convert", [np.asarray, sparse.csr_array])
def test_infinity_is_always_refused(make, convert):
    X, y = rows(), targets()
    model = model_of(make).fit(X, y)
    X[4, 1] = np.inf
    with pytest.raises(ValueError, match="infinity"):
        model_of(make).fit(convert(X), y)
    with pytest.raises(ValueError, match="infinity"):
        model.predict(convert(X))
    words = r"X must be finite or missing \(NaN\), got inf in row 4, column 1"
    with pytest.raises(ValueError, match=words):
        model.network_.decision_function(convert(X))


@pytest.mark.parametrize("make", MAKERS)
def test_parameters_that_do_not_go_together(make):
    X, y = rows(), targets()
    for way in WAYS:
        with pytest.raises(ValueError, match="missing_values must be 'error' with norm=False"):
            model_of(make, missing_values=way, norm=False).fit(X, y)
    with pytest.raises(ValueError, match="missing_values must be one of"):
        model_of(make, missing_values="median").fit(X, y)
