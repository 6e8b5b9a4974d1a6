"""Missing values: the mean in their place, inputs that say so, and everywhere the same."""

import numpy as np
import pandas as pd
import pytest
from gaps import FEATURES, INDICATED, N, each_way, model_of, rows
from hypothesis import given, settings
from hypothesis import strategies as st
from perceptrons import each_estimator
from samples import targets
from scaling import NormScaler
from scipy import sparse
from sklearn.base import clone
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.utils import get_tags

from dnncore import DNNClassifier, Network
from dnncore.training import SGD, Trainer

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def explicit(way, model):
    """Scaled by what is there, then 0 in place of what is not, then our network without norm."""
    imputer = SimpleImputer(
        strategy="constant", fill_value=0.0, keep_empty_features=True,
        add_indicator=way == "indicator",
    )  # fmt: skip
    return make_pipeline(
        NormScaler(), imputer, clone(model).set_params(norm=False, missing_values="error")
    )


@pytest.mark.filterwarnings("ignore:invalid value:RuntimeWarning", "ignore:Degrees of freedom")
@each_estimator
@each_way
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"solver": "sgd", "shuffle": False, "batch_size": 17, "n_threads": 2},
        {"solver": "lbfgs"},
    ],
)
def test_equals_an_explicit_pipeline(make, way, options):
    X, y = rows(), targets(N)
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
    X, y = rows(), targets(N)
    weight = np.random.default_rng(4).uniform(0, 2, N)
    model = model_of(DNNClassifier).fit(X, y, weight)
    scaler = NormScaler().fit(X, sample_weight=weight)
    there = [0, 1, 2, 3, 4]
    np.testing.assert_allclose(model.network_.mean_[there], scaler.mean_[there], rtol=1e-12)
    np.testing.assert_allclose(model.network_.scale_[there], scaler.scale_[there], rtol=1e-12)
    assert (model.network_.mean_[5], model.network_.scale_[5]) == (0.0, 1.0)


@each_estimator
@each_way
def test_without_missing_values_it_changes_nothing(make, way):
    X, y = np.nan_to_num(rows()), targets(N)
    plain = model_of(make, missing_values="error").fit(X, y)
    model = model_of(make, missing_values=way).fit(X, y)
    assert np.array_equal(model.network_.parameters, plain.network_.parameters)
    assert np.array_equal(model.predict(X), plain.predict(X))
    assert plain.network_.missing is None
    X[3, 1] = np.nan  # in a feature that had none in training: its mean stands for it
    filled = X.copy()
    filled[3, 1] = model.network_.mean_[1]
    np.testing.assert_allclose(model.predict(X), model.predict(filled), rtol=1e-12)


@settings(max_examples=25)
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


@each_estimator
def test_sparse_rows(make):
    X, y = rows(), targets(N)
    X[np.random.default_rng(0).random(X.shape) < 0.4] = 0
    for options in ({}, {"early_stopping": True}, {"missing_values": "mean"}):
        dense = model_of(make, **options).fit(X, y)
        model = model_of(make, **options).fit(sparse.csr_matrix(X), y)
        assert np.array_equal(model.network_.parameters, dense.network_.parameters)
        assert np.array_equal(model.network_.missing, dense.network_.missing)
        assert np.array_equal(model.predict(sparse.csc_array(X)), dense.predict(X))


@each_estimator
def test_rows_to_judge_by(make):
    X, y, X_val, y_val = rows(), targets(N), rows(40, seed=5), targets(40, seed=6)
    model = model_of(make, early_stopping=True, n_iter_no_change=100)
    model.fit(X, y, X_val=X_val, y_val=y_val)
    assert model.best_validation_score_ == pytest.approx(model.score(X_val, y_val), rel=1e-12)
    split = model_of(make, early_stopping=True).fit(X, y)
    assert len(split.validation_scores_) == split.n_iter_


def test_partial_fit_keeps_the_inputs_of_the_first_call():
    X, y = rows(), targets(N)
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
        model.network_.scale_[there], NormScaler().fit(seen[:, there]).scale_, rtol=1e-12
    )
    assert np.isfinite(model.predict_proba(X)).all()


def test_a_feature_that_comes_late():
    X, y = rows(), targets(N)
    model = model_of(DNNClassifier).partial_fit(X, y, classes=[0, 1, 2])
    assert (model.network_.mean_[5], model.network_.scale_[5]) == (0.0, 1.0)
    late = X.copy()
    late[:, 5] = np.arange(N)
    model.partial_fit(late, y)
    assert model.network_.mean_[5] == pytest.approx(np.mean(np.arange(N)), rel=1e-12)
    assert model.network_.scale_[5] == pytest.approx(np.std(np.arange(N)), rel=1e-12)


def test_warm_start_goes_on():
    X, y = rows(), targets(N)
    settings = {"shuffle": False, "tol": 0.0, "n_iter_no_change": np.inf}
    whole = model_of(DNNClassifier, max_iter=4, **settings).fit(X, y)
    parts = model_of(DNNClassifier, max_iter=2, warm_start=True, **settings).fit(X, y).fit(X, y)
    assert np.array_equal(whole.network_.parameters, parts.network_.parameters)
    for way in ("error", "mean"):
        other = clone(parts).set_params(missing_values="indicator").fit(X, y)
        with pytest.raises(ValueError, match="missing_values must be the same as in"):
            other.set_params(missing_values=way).fit(np.nan_to_num(X), y)
        assert np.isfinite(other.predict_proba(X)).all()


@pytest.mark.parametrize("kind", [float, "Float64", "Int64"])
def test_data_frames(kind):
    X, y = rows(), targets(N)
    X = np.round(X)
    frame = pd.DataFrame(X, columns=list("abcdef")).convert_dtypes().astype(kind)
    model = model_of(DNNClassifier).fit(frame, y)
    assert np.array_equal(
        model.network_.parameters, model_of(DNNClassifier).fit(X, y).network_.parameters
    )
    assert np.array_equal(
        model.predict(frame), model.predict(pd.DataFrame(X, columns=frame.columns))
    )


@each_estimator
def test_refused_by_default(make):
    X, y = rows(), targets(N)
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


@each_estimator
@pytest.mark.parametrize("convert", [np.asarray, sparse.csr_array])
def test_infinity_is_always_refused(make, convert):
    X, y = rows(), targets(N)
    model = model_of(make).fit(X, y)
    X[4, 1] = np.inf
    with pytest.raises(ValueError, match="Input X contains infinity"):
        model_of(make).fit(convert(X), y)
    with pytest.raises(ValueError, match="Input X contains infinity"):
        model.predict(convert(X))
    words = r"X must be finite or missing \(NaN\), got inf in row 4, column 1"
    with pytest.raises(ValueError, match=words):
        model.network_.decision_function(convert(X))
