"""DNNClassifier: its outputs, and the priors of its classes."""

import numpy as np
import pytest
from samples import learnable_classes
from scaling import NormScaler
from sklearn.datasets import load_digits
from sklearn.model_selection import StratifiedShuffleSplit

import dnncore
from dnncore import DNNClassifier

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def test_accuracy_on_the_digits():
    X, y = load_digits(return_X_y=True)
    scores = [
        DNNClassifier(random_state=0).fit(X[train], y[train]).score(X[test], y[test])
        for train, test in StratifiedShuffleSplit(5, test_size=0.2, random_state=0).split(X, y)
    ]
    assert np.mean(scores) >= 0.975


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dtype_goes_through(iris, dtype):
    X, y = iris
    model = DNNClassifier(max_iter=3, random_state=0).fit(X.astype(dtype), y)
    assert model.network_.dtype == dtype
    assert {a.dtype for a in model.coefs_ + model.intercepts_} == {np.dtype(dtype)}
    for method in (model.predict_proba, model.predict_log_proba, model.decision_function):
        assert method(X).dtype == dtype
        single = X.astype(np.float32)
        assert np.array_equal(method(single), method(single.astype(dtype)))


def test_outputs_agree(iris):
    X, y = iris
    model = DNNClassifier(max_iter=20, random_state=0).fit(X, y)
    p = model.predict_proba(X)
    np.testing.assert_allclose(p.sum(axis=1), 1, rtol=1e-14)
    np.testing.assert_allclose(np.exp(model.predict_log_proba(X)), p, rtol=1e-13)
    assert model.decision_function(X).shape == (150, 3)
    assert np.array_equal(model.decision_function(X).argmax(axis=1), p.argmax(axis=1))
    assert np.array_equal(model.predict(X), model.classes_[p.argmax(axis=1)])
    assert np.array_equal(model.network_.predict_proba(X), p)


def test_two_classes(iris):
    X, y = iris[0][:100], iris[1][:100]
    model = DNNClassifier(max_iter=20, random_state=0).fit(X, y)
    decision = model.decision_function(X)
    assert decision.shape == (100,)
    assert np.array_equal(decision > 0, model.predict(X) == 1)
    np.testing.assert_allclose(
        1 / (1 + np.exp(-decision)), model.predict_proba(X)[:, 1], rtol=1e-12
    )


def test_log_proba_is_finite_where_proba_is_zero(iris):
    X, y = iris
    model = DNNClassifier(random_state=0).fit(X, y)
    model.coefs_[-1][...] *= 1e6
    assert (model.predict_proba(X) == 0).any()
    assert np.isfinite(model.predict_log_proba(X)).all()


def test_norm_is_part_of_the_model(iris):
    X, y = iris
    model = DNNClassifier(random_state=0, max_iter=50).fit(X, y)
    np.testing.assert_allclose(model.network_.mean_, X.mean(axis=0), rtol=1e-13)
    np.testing.assert_allclose(model.network_.scale_, NormScaler().fit(X).scale_, rtol=1e-12)
    moved = DNNClassifier(random_state=0, max_iter=50).fit(X * 1e4 - 3e5, y)
    np.testing.assert_allclose(
        moved.predict_proba(X * 1e4 - 3e5), model.predict_proba(X), atol=1e-6
    )
    assert DNNClassifier(norm=False, max_iter=1).fit(X, y).network_.mean_ is None


def test_sample_weight_matters(iris):
    X, y = iris
    weight = np.where(y == 2, 100.0, 0.01)
    model = DNNClassifier((), learning_rate_init=0.05, random_state=0)
    model.fit(X, y, weight)
    assert (model.predict(X) == 2).mean() > 0.5


def test_history_attributes(iris):
    model = DNNClassifier((6, 5), max_iter=7, random_state=0).fit(*iris)
    assert model.n_iter_ == len(model.loss_curve_) == 7
    assert model.loss_ == model.loss_curve_[-1]
    assert model.best_loss_ == min(model.loss_curve_)
    assert model.n_layers_ == 4
    assert model.n_outputs_ == 3
    assert model.out_activation_ == "softmax"
    assert [W.shape for W in model.coefs_] == [(4, 6), (6, 5), (5, 3)]


# ------------------------------------------------------------------------------------ priors


@pytest.fixture
def uneven():
    """A model of three classes of unequal shares, and its rows."""
    X, y = learnable_classes(300)
    kept = np.r_[np.flatnonzero(y == 0)[:20], np.flatnonzero(y != 0)]
    model = DNNClassifier((5,), max_iter=20, early_stopping=False, random_state=0)
    model.fit(X[kept], y[kept])
    np.testing.assert_allclose(model.class_prior_, np.bincount(y[kept]) / len(kept), rtol=1e-14)
    return model, X


def test_set_priors_follows_bayes(uneven, tmp_path):
    model, X = uneven
    before, old = model.predict_proba(X), model.class_prior_
    new = np.array([0.7, 0.2, 0.1])
    assert model.set_priors(10 * new) is model
    expected = before * new / old
    expected /= expected.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(model.predict_proba(X), expected, rtol=1e-12)
    np.testing.assert_allclose(model.class_prior_, new, rtol=1e-15)
    np.testing.assert_allclose(model.freeze()(X), expected, rtol=1e-10)
    pytest.importorskip("safetensors")
    model.save(tmp_path / "model.safetensors")
    loaded = dnncore.load(tmp_path / "model.safetensors")
    assert np.array_equal(loaded.predict_proba(X), model.predict_proba(X))
    for other in (model, loaded):
        np.testing.assert_allclose(other.set_priors(old).predict_proba(X), before, rtol=1e-12)


def test_scaled_likelihoods_do_not_depend_on_the_priors(uneven):
    model, X = uneven
    before = model.predict_scaled_log_likelihood(X)
    np.testing.assert_allclose(
        before, np.log(model.predict_proba(X)) - np.log(model.class_prior_), rtol=0, atol=1e-12
    )
    after = model.set_priors([0.7, 0.2, 0.1]).predict_scaled_log_likelihood(X)
    difference = after - before  # a term of x alone
    np.testing.assert_allclose(difference, difference[:, :1] + np.zeros(3), rtol=0, atol=1e-12)


def test_scaled_likelihoods_keep_the_dtype(iris):
    X, y = iris
    model = DNNClassifier(max_iter=2).fit(X.astype(np.float32), y)
    assert model.predict_scaled_log_likelihood(X).dtype == np.float32
    assert model.set_priors([1, 2, 3]).predict_proba(X).dtype == np.float32


def test_priors_are_those_of_all_rows_seen(iris):
    X, y = iris
    model = DNNClassifier().partial_fit(X[:50], y[:50], classes=[0, 1, 2])
    assert model.class_prior_.tolist() == [1.0, 0.0, 0.0]
    with pytest.raises(ValueError, match="did not occur"):
        model.set_priors([1, 1, 1])
    with pytest.raises(ValueError, match="did not occur"):
        model.predict_scaled_log_likelihood(X)
    model.partial_fit(X[50:], y[50:])
    np.testing.assert_allclose(model.class_prior_, 1 / 3, rtol=1e-14)


@pytest.mark.parametrize(
    "priors", [[1, 1], [1, 1, 0], [1, 1, -1], [1, 1, np.nan], [1, 1, np.inf], [[1, 1, 1]], 1.0]
)
def test_bad_priors(uneven, priors):
    model, X = uneven
    before = model.predict_proba(X)
    with pytest.raises(ValueError, match="priors must be 3 positive numbers"):
        model.set_priors(priors)
    assert np.array_equal(model.predict_proba(X), before)
