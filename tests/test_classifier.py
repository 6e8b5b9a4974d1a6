"""DNNClassifier as scikit-learn users meet it."""

import os
import pickle
import signal
import threading

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.model_selection import GridSearchCV, StratifiedShuffleSplit, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from dnncore import DNNClassifier
from dnncore.training import EpochInfo

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

# One of the checks wants a sample weight to equal a repetition of the row, which holds for
# full batches and a rate that does not depend on the number of rows.
CONFIGURATIONS = [
    DNNClassifier(),
    DNNClassifier(
        (5, 4), "logistic", solver="sgd", learning_rate="adaptive", learning_rate_init=0.5
    ),
    DNNClassifier((), solver="sgd", nesterovs_momentum=False, learning_rate_init=0.5),
    DNNClassifier(7, solver="sgd", momentum=0, learning_rate_init=1.0, norm=False, n_threads=2),
]


@pytest.mark.filterwarnings("ignore")
@parametrize_with_checks(CONFIGURATIONS)
def test_scikit_learn_checks(estimator, check):
    check(estimator)


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
        assert np.array_equal(method(X.astype(np.float32)), method(X.astype(np.float32)))


@pytest.mark.parametrize(
    "names",
    [
        np.array(["setosa", "versicolor", "virginica"]),
        np.array(["a", "bb", "ccc"], dtype=object),
        np.array([-5, 0, 7]),
        np.array([10, 20, 30], dtype=np.uint8),
        np.array([1.0, 2.0, 3.0]),
    ],
)
def test_labels_of_any_type(iris, names):
    X, y = iris
    model = DNNClassifier(random_state=0).fit(X, names[y])
    assert np.array_equal(model.classes_, names)
    assert model.classes_.dtype == names.dtype
    assert model.score(X, names[y]) > 0.95
    plain = DNNClassifier(random_state=0).fit(X, y)
    assert np.array_equal(plain.predict_proba(X), model.predict_proba(X))


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
    np.testing.assert_allclose(model.network_.scale_, X.std(axis=0), rtol=1e-13)
    moved = DNNClassifier(random_state=0, max_iter=50).fit(X * 1e4 - 3e5, y)
    np.testing.assert_allclose(
        moved.predict_proba(X * 1e4 - 3e5), model.predict_proba(X), atol=1e-6
    )
    assert DNNClassifier(norm=False, max_iter=1).fit(X, y).network_.mean_ is None


def test_partial_fit_updates_norm_and_continues(iris):
    X, y = iris
    model = DNNClassifier(random_state=0, learning_rate_init=0.01)
    order = np.random.default_rng(0).permutation(150)
    for _ in range(30):
        for part in np.split(order, 3):
            model.partial_fit(X[part], y[part], classes=[0, 1, 2])
    np.testing.assert_allclose(model.network_.mean_, X.mean(axis=0), rtol=1e-10)
    assert model.n_iter_ == 90
    assert model.t_ == 90 * 50
    assert model.score(X, y) > 0.95


def test_partial_fit_with_a_class_missing_from_the_batch(iris):
    X, y = iris
    model = DNNClassifier().partial_fit(X[:50], y[:50], classes=[0, 1, 2])
    assert model.predict_proba(X).shape == (150, 3)
    with pytest.raises(ValueError, match=r"\[3\] that are not among \[0 1 2\]"):
        model.partial_fit(X, np.full(150, 3))
    with pytest.raises(ValueError, match="classes must be passed"):
        DNNClassifier().partial_fit(X, y)
    with pytest.raises(ValueError, match="classes must be"):
        model.partial_fit(X, y, classes=[0, 1])


def test_warm_start_two_and_two_equal_four(iris):
    X, y = iris
    four = DNNClassifier(max_iter=4, random_state=0).fit(X, y)
    twice = DNNClassifier(max_iter=2, random_state=0, warm_start=True).fit(X, y).fit(X, y)
    assert np.array_equal(twice.network_.parameters, four.network_.parameters)
    assert twice.loss_curve_ == four.loss_curve_
    with pytest.raises(ValueError, match="same classes"):
        twice.fit(X[:100], y[:100])


def test_fit_starts_anew_without_warm_start(iris):
    X, y = iris
    model = DNNClassifier(max_iter=3, random_state=0)
    once = model.fit(X, y).network_.parameters
    assert np.array_equal(model.fit(X, y).network_.parameters, once)
    assert model.n_iter_ == 3


def test_early_stopping_on_a_split(iris):
    X, y = iris
    model = DNNClassifier(early_stopping=True, random_state=0, n_iter_no_change=5).fit(X, y)
    assert model.n_iter_ < 200
    assert len(model.validation_scores_) == model.n_iter_
    assert model.best_validation_score_ == max(model.validation_scores_)
    assert model.best_loss_ is None
    assert model.t_ == model.n_iter_ * 135


def test_early_stopping_on_given_rows_keeps_the_best(iris):
    X, y = iris
    train, val = np.arange(0, 150, 2), np.arange(1, 150, 2)
    model = DNNClassifier(early_stopping=True, random_state=0, learning_rate_init=0.05)
    model.fit(X[train], y[train], X_val=X[val], y_val=y[val])
    assert model.score(X[val], y[val]) == model.best_validation_score_
    assert model.t_ == model.n_iter_ * 75


def test_validation_rows_without_early_stopping_are_only_watched(iris):
    X, y = iris
    plain = DNNClassifier(max_iter=5, random_state=0).fit(X, y)
    watched = DNNClassifier(max_iter=5, random_state=0).fit(X, y, X_val=X, y_val=y)
    assert np.array_equal(watched.network_.parameters, plain.network_.parameters)
    assert len(watched.validation_scores_) == 5
    assert plain.validation_scores_ is None
    assert plain.best_validation_score_ is None


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


def test_data_frames(iris):
    X = pd.DataFrame(iris[0], columns=list("abcd"))
    model = DNNClassifier(max_iter=2).fit(X, pd.Series(iris[1]))
    assert model.feature_names_in_.tolist() == list("abcd")
    with pytest.raises(ValueError, match="feature names"):
        model.predict(X[list("abdc")])
    with pytest.warns(UserWarning, match="feature names"):
        model.predict(X.to_numpy())


def test_as_part_of_scikit_learn(iris):
    X, y = iris
    search = GridSearchCV(
        make_pipeline(MinMaxScaler(), DNNClassifier(max_iter=30, random_state=0)),
        {"dnnclassifier__hidden_layer_sizes": [(5,), (10, 10)]},
        cv=3,
    ).fit(X, y)
    assert search.best_score_ > 0.8
    scores = cross_val_score(DNNClassifier(random_state=0), X, y, cv=3, n_jobs=2)
    assert scores.min() > 0.9
    model = clone(DNNClassifier((3,), alpha=0.5))
    assert model.get_params()["alpha"] == 0.5


def test_pickle_goes_on_training(iris):
    X, y = iris
    model = DNNClassifier(random_state=0).partial_fit(X, y, classes=[0, 1, 2])
    copy = pickle.loads(pickle.dumps(model))
    assert np.array_equal(copy.predict_proba(X), model.predict_proba(X))
    assert np.array_equal(
        copy.partial_fit(X, y).network_.parameters, model.partial_fit(X, y).network_.parameters
    )


def test_callback_and_convergence_warning(iris):
    told: list[EpochInfo] = []
    with pytest.warns(ConvergenceWarning, match="max_iter=4"):
        DNNClassifier(max_iter=4, callback=told.append).fit(*iris)
    assert [info.epoch for info in told] == [1, 2, 3, 4]


def test_ctrl_c_ends_the_fit_with_a_usable_model():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(20_000, 200)).astype(np.float32), rng.integers(0, 5, 20_000)
    model = DNNClassifier((500, 500), max_iter=10_000)
    timer = threading.Timer(0.4, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    try:
        with pytest.warns(UserWarning, match="interrupted"):
            model.fit(X, y)
    finally:
        timer.join()
    assert model.n_iter_ < 10_000
    assert np.isfinite(model.predict_proba(X[:5])).all()


@pytest.mark.parametrize(
    ("parameters", "error", "words"),
    [
        ({"hidden_layer_sizes": (0,)}, ValueError, "hidden_layer_sizes"),
        ({"hidden_layer_sizes": "a"}, TypeError, "hidden_layer_sizes"),
        ({"hidden_layer_sizes": 2.5}, TypeError, "hidden_layer_sizes"),
        ({"solver": "lion"}, ValueError, "solver must be one of"),
        ({"solver": None}, ValueError, "solver must be one of"),
        ({"alpha": -1}, ValueError, "alpha"),
        ({"batch_size": 0}, ValueError, "batch_size"),
        ({"batch_size": "all"}, TypeError, "batch_size"),
        ({"learning_rate": "fast", "solver": "sgd"}, ValueError, "learning_rate"),
        ({"learning_rate_init": 0}, ValueError, "learning_rate_init"),
        ({"power_t": -1, "solver": "sgd"}, ValueError, "power_t"),
        ({"max_iter": 0}, ValueError, "max_iter"),
        ({"random_state": "x"}, ValueError, "random_state|seed"),
        ({"tol": -1}, ValueError, "tol"),
        ({"momentum": 2, "solver": "sgd"}, ValueError, "momentum"),
        ({"validation_fraction": 1.0}, ValueError, "validation_fraction"),
        ({"beta_1": 1.0}, ValueError, "beta_1"),
        ({"beta_2": -1.0}, ValueError, "beta_2"),
        ({"epsilon": 0}, ValueError, "epsilon"),
        ({"n_iter_no_change": 0}, ValueError, "n_iter_no_change"),
        ({"n_threads": 0}, ValueError, "n_threads"),
        ({"engine": "steam"}, ValueError, "engine must be one of"),
        ({"callback": 3}, TypeError, "callback"),
    ],
)
def test_bad_parameters_leave_the_model_as_it_was(iris, parameters, error, words):
    X, y = iris
    model = DNNClassifier(max_iter=2, random_state=0).fit(X, y)
    before = model.predict_proba(X)
    model.set_params(**parameters)
    with pytest.raises(error, match=words):
        model.fit(X[:, :2], y)
    assert model.n_features_in_ == 4
    model.set_params(n_threads=None)
    assert np.array_equal(model.predict_proba(X), before)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"sample_weight": -np.ones(150)}, "negative"),
        ({"sample_weight": np.zeros(150)}, "zero"),
        ({"sample_weight": np.ones(3)}, "shape"),
        ({"X_val": np.zeros((2, 4))}, "together"),
        ({"X_val": np.zeros((2, 3)), "y_val": [0, 1]}, "features"),
        ({"X_val": np.zeros((2, 4)), "y_val": [0, 9]}, r"y_val has classes \[9\]"),
        ({"X_val": np.zeros((2, 4)), "y_val": [0]}, "inconsistent"),
        ({"X": np.full((150, 4), np.nan)}, "NaN"),
        ({"y": np.linspace(0, 1, 150)}, "Unknown label type"),
        ({"y": np.full((150, 2), 3)}, "1d|y should be|indicator"),
    ],
)
def test_bad_arguments_leave_the_model_as_it_was(iris, arguments, words):
    X, y = iris
    model = DNNClassifier(max_iter=2, random_state=0).fit(X, y)
    before = model.predict_proba(X)
    with pytest.raises(ValueError, match=words):
        model.fit(**({"X": X, "y": y} | arguments))
    assert np.array_equal(model.predict_proba(X), before)


def test_not_fitted(iris):
    model = DNNClassifier()
    for method in (model.predict, model.predict_proba, model.decision_function):
        with pytest.raises(NotFittedError):
            method(iris[0])
    assert not hasattr(model, "coefs_")
    with pytest.raises(ValueError, match="early_stopping"):
        DNNClassifier(early_stopping=True).partial_fit(*iris, classes=[0, 1, 2])
