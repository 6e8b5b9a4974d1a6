"""DNNRegressor: absolute error, Poisson deviance and quantiles."""

import numpy as np
import pytest
from samples import OTHER_LOSSES, learnable_numbers
from scipy.special import xlogy
from sklearn.exceptions import DataConversionWarning
from sklearn.linear_model import PoissonRegressor
from sklearn.metrics import d2_pinball_score, r2_score

import dnncore
from dnncore import DNNRegressor, Network
from dnncore.predictor import Predictor
from dnncore.training import LBFGS, Trainer

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

OPTIONS = {"hidden_layer_sizes": (6,), "max_iter": 5, "random_state": 0}


def counts(n=103, dtype=np.float64):
    X, y = learnable_numbers(n, dtype=dtype)
    return X, np.random.default_rng(3).poisson(20 * np.exp(y))


def noisy_line(n=4000):
    """Rows whose targets have a standard deviation that grows with x."""
    rng = np.random.default_rng(0)
    X = rng.uniform(0, 1, size=(n, 1))
    return X, 3 * X[:, 0] + (0.5 + X[:, 0]) * rng.standard_normal(n)


# ------------------------------------------------------------------------- absolute error


def test_absolute_error_fits_medians():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 3))
    clean = X @ [1.0, -2.0, 0.5]
    y = clean + np.where(rng.random(300) < 0.1, 50.0, 0.0)
    model = DNNRegressor(
        "absolute_error", (), learning_rate_init=0.05, learning_rate="cosine", max_iter=300,
        norm_target=False, early_stopping=False, random_state=0,
    )  # fmt: skip
    assert np.abs(model.fit(X, y).predict(X) - clean).max() < 0.1


# ------------------------------------------------------------------------------- counts


def test_a_linear_model_of_counts_is_that_of_scikit_learn():
    X, y = counts()
    ours = DNNRegressor(
        "poisson", (), solver="lbfgs", alpha=0.0, tol=0.0, max_iter=1000, early_stopping=False
    ).fit(X, y)
    theirs = PoissonRegressor(alpha=0.0, tol=1e-10, max_iter=10000).fit(X, y)
    np.testing.assert_allclose(ours.predict(X), theirs.predict(X), rtol=1e-3)
    assert ours.score(X, y) == pytest.approx(r2_score(y, ours.predict(X)), rel=1e-12)


@pytest.mark.parametrize("weighted", [False, True])
def test_counts_are_divided_by_their_mean(weighted):
    X, y = counts()
    weight = np.random.default_rng(1).random(len(y)) if weighted else None
    model = DNNRegressor("poisson", **OPTIONS | {"max_iter": 1, "alpha": 0.0}).fit(X, y, weight)
    mean = np.average(y, weights=weight)
    assert model.target_mean_ == pytest.approx([np.log(mean)])
    assert model.target_scale_.tolist() == [1.0]
    start = Network((7, 6, 1), seed=0, activation="relu", output="exp")
    start.update_norm(X, weight)
    m, scaled = start.predict_proba(X)[:, 0], y / mean
    expected = np.average(xlogy(scaled, scaled / m) - scaled + m, weights=weight)
    assert model.loss_ == pytest.approx(expected, rel=1e-9)
    np.testing.assert_allclose(
        model.predict(X), mean * model.network_.predict_proba(X)[:, 0], rtol=1e-12
    )


def test_counts_that_are_all_zero():
    X, _ = counts()
    model = DNNRegressor("poisson", **OPTIONS).fit(X, np.zeros(len(X)))
    assert model.target_mean_.tolist() == [0.0]
    assert (model.predict(X) > 0).all()


@pytest.mark.parametrize("argument", ["y", "y_val"])
def test_negative_targets_are_refused(argument):
    X, y = counts()
    bad = y - 0.5 - y.min()
    model = DNNRegressor("poisson", **OPTIONS)
    fits = {
        "y": lambda: model.fit(X, bad),
        "y_val": lambda: model.fit(X, y, X_val=X, y_val=bad),
    }
    match = rf"{argument} must not be negative with loss='poisson', got -0\.5"
    with pytest.raises(ValueError, match=match):
        fits[argument]()


def test_several_outputs_of_counts():
    X, y = counts()
    model = DNNRegressor("poisson", **OPTIONS).fit(X, np.stack([y, 10 * y], axis=1))
    assert model.predict(X).shape == (len(X), 2)
    assert model.target_mean_[1] - model.target_mean_[0] == pytest.approx(np.log(10))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_predicted_counts_are_finite(dtype):
    network = Network((3, 2), dtype=dtype, seed=0, output="exp")
    network.parameters *= 1e6
    X = np.random.default_rng(0).normal(size=(50, 3)).astype(dtype)
    for outputs in (network.predict_proba(X), network.freeze()(X), network.forward(X).p):
        assert outputs.max() == np.finfo(dtype).max
        assert outputs.min() == 0
    gradients = network.gradients(X / 1e6, np.ones((50, 2), dtype))
    assert np.isfinite(gradients.deltas[-1]).all()


# ------------------------------------------------------------------------------ quantiles


def test_quantiles_cover_their_share():
    X, y = noisy_line()
    levels = (0.1, 0.25, 0.5, 0.9)
    model = DNNRegressor("quantile", 20, quantiles=levels, max_iter=60, random_state=0)
    predictions = model.fit(X, y).predict(X)
    assert predictions.shape == (4000, 4)
    assert (np.diff(predictions, axis=1) >= 0).all()
    np.testing.assert_allclose((y[:, None] <= predictions).mean(axis=0), levels, atol=0.03)
    width = predictions[:, -1] - predictions[:, 0]
    assert width[X[:, 0] > 0.9].mean() > 2 * width[X[:, 0] < 0.1].mean()
    expected = [d2_pinball_score(y, p, alpha=q) for p, q in zip(predictions.T, levels, strict=True)]
    assert model.score(X, y) == pytest.approx(np.mean(expected), rel=1e-12)
    assert model.score(X, y) > 0.1


def test_quantiles_never_cross():
    X, y = learnable_numbers()
    levels = tuple(np.linspace(0.02, 0.98, 25))
    model = DNNRegressor(
        "quantile", (30, 30), quantiles=levels, max_iter=3, learning_rate_init=0.05, random_state=0
    ).fit(X, y)
    logits = model.network_.decision_function(X)
    assert (np.diff(logits, axis=1) < 0).any()  # the network alone lets them cross
    for predictions in (
        model.predict(X),
        model.network_.predict_proba(X),
        model.network_.forward(X).p,
        model.freeze()(X),
        np.stack([model.freeze()(x) for x in X]),
    ):
        assert (np.diff(predictions, axis=1) >= 0).all()
    assert np.array_equal(model.network_.predict_proba(X), np.sort(logits, axis=1))


def test_one_quantile_has_the_form_of_y():
    X, y = learnable_numbers()
    model = DNNRegressor("quantile", quantiles=(0.5,), **OPTIONS)
    with pytest.warns(DataConversionWarning):
        model.fit(X, y[:, None])
    assert model.predict(X).shape == y.shape
    # Half the absolute error.
    other = DNNRegressor("absolute_error", **OPTIONS | {"max_iter": 1, "alpha": 0.0}).fit(X, y)
    model.set_params(max_iter=1, alpha=0.0).fit(X, y)
    assert model.loss_ == pytest.approx(other.loss_ / 2, rel=1e-12)


def test_quantiles_are_those_of_one_target():
    X, y = learnable_numbers(n_outputs=2)
    with pytest.raises(ValueError, match="y must have 1 outputs with loss='quantile'"):
        DNNRegressor("quantile", **OPTIONS).fit(X, y)


def test_other_quantiles_need_another_network():
    X, y = learnable_numbers()
    model = DNNRegressor("quantile", **OPTIONS).fit(X, y)
    model.set_params(quantiles=(0.2, 0.8))
    for method in (model.partial_fit, model.score):
        with pytest.raises(ValueError, match="quantiles must be 3 numbers"):
            method(X, y)
    model.set_params(quantiles=(0.2, 0.5, 0.8)).partial_fit(X, y)


def test_a_trainer_of_quantiles():
    X, y = noisy_line(500)
    network = Network((1, 8, 3), seed=0, activation="relu", output="sorted")
    trainer = Trainer(network, LBFGS(), quantiles=(0.1, 0.5, 0.9), alpha=0.0)
    assert trainer.loss == "quantile"
    before = network.loss(X, y, quantiles=(0.1, 0.5, 0.9))
    trainer.fit(X, y, max_iter=50)
    assert network.loss(X, y, quantiles=(0.1, 0.5, 0.9)) < before
    for quantiles in (None, (0.5,)):
        with pytest.raises(ValueError, match="quantiles must be 3 numbers"):
            Trainer(network, quantiles=quantiles)


# -------------------------------------------------------------------------- all of them


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("options", OTHER_LOSSES, ids=str)
def test_frozen_and_saved_models_predict_the_same(options, dtype, tmp_path):
    pytest.importorskip("safetensors")
    X, y = counts(dtype=dtype)
    model = DNNRegressor(**OPTIONS, **options).fit(X, y)
    expected = model.predict(X)
    frozen = model.freeze()
    rtol = 100 * np.finfo(dtype).eps
    atol = rtol * np.abs(expected).max()
    np.testing.assert_allclose(
        frozen.predict(X), expected.reshape(len(X), -1), rtol=rtol, atol=atol
    )
    path = tmp_path / "model.safetensors"
    model.save(path, solver_state=True)
    assert np.array_equal(Predictor.load(path)(X), frozen(X))
    loaded = dnncore.load(path)
    assert loaded.get_params() == model.get_params()
    assert np.array_equal(loaded.predict(X), expected)
    assert loaded.score(X, y) == model.score(X, y)
    frozen.save(path)
    assert np.array_equal(dnncore.load(path).predict(X), frozen.predict(X))
    for m in (model, loaded):
        m.partial_fit(X, y)
    assert np.array_equal(loaded.predict(X), model.predict(X))


@pytest.mark.parametrize("options", OTHER_LOSSES, ids=str)
def test_blocks_give_the_same_model(options):
    X, y = counts()
    both = [DNNRegressor(**OPTIONS, shuffle=False, early_stopping=False, **options) for _ in "ab"]
    whole, parts = both
    whole.fit(X, y)
    parts.fit_blocks([(X[:50], y[:50]), (X[50:], y[50:])])
    np.testing.assert_allclose(parts.predict(X), whole.predict(X), rtol=1e-9)


@pytest.mark.parametrize("options", OTHER_LOSSES, ids=str)
@pytest.mark.parametrize("early_stopping", [True, "auto"])
def test_validation(options, early_stopping):
    X, y = counts(400)
    model = DNNRegressor(**OPTIONS, early_stopping=early_stopping, **options)
    model.fit(X[:300], y[:300], X_val=X[300:], y_val=y[300:])
    assert model.validation_scores_[-1] <= 1
    last = max(model.validation_scores_) if early_stopping is True else None
    if last is not None:
        assert model.score(X[300:], y[300:]) == pytest.approx(last, rel=1e-6)


@pytest.mark.parametrize("options", OTHER_LOSSES, ids=str)
def test_engines_and_threads_agree(options):
    X, y = counts()
    settings = {"max_iter": 2, "engine": "builtin"}
    one, two = (
        DNNRegressor(**OPTIONS | settings, n_threads=n, **options).fit(X, y) for n in (1, 2)
    )
    assert np.array_equal(one.predict(X), two.predict(X))
    blas = DNNRegressor(**OPTIONS | {"max_iter": 2, "engine": "blas"}, **options).fit(X, y)
    np.testing.assert_allclose(blas.predict(X), one.predict(X), rtol=1e-9)
