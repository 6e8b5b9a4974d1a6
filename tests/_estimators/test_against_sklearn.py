"""scikit-learn's perceptrons and ours side by side, where both mean the same."""

import inspect
import warnings

import numpy as np
import pandas as pd
import pytest
from samples import learnable_classes
from scipy.sparse import csr_matrix
from sklearn.datasets import load_diabetes, load_digits, load_iris, make_multilabel_classification
from sklearn.exceptions import ConvergenceWarning, DataConversionWarning
from sklearn.neural_network import MLPClassifier, MLPRegressor

from dnncore import DNNClassifier, DNNRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

PAIRS = [(DNNClassifier, MLPClassifier), (DNNRegressor, MLPRegressor)]
CLASSIFIERS, REGRESSORS = PAIRS
EVERY = [*CLASSIFIERS, *REGRESSORS]


def alike(make, **parameters):
    """The estimator such that both start and step alike: no norm, rows in their order."""
    options = {
        "hidden_layer_sizes": (7,), "activation": "logistic", "learning_rate_init": 0.05,
        "shuffle": False, "random_state": 0, **parameters,
    }  # fmt: skip
    if make is DNNRegressor:
        options["norm_target"] = False
    if make in (DNNClassifier, DNNRegressor):
        options["norm"] = False
    return make(**options)


def assert_same_weights(ours, theirs, atol=1e-10):
    for a, b in zip(
        ours.coefs_ + ours.intercepts_, theirs.coefs_ + theirs.intercepts_, strict=True
    ):
        np.testing.assert_allclose(a, b, rtol=0, atol=atol)


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(n_class=3, return_X_y=True)
    return X[:300] / 16.0, y[:300]


# ------------------------------------------------------------------------------- learning


@pytest.mark.parametrize("make", CLASSIFIERS)
@pytest.mark.parametrize("solver", ["lbfgs", "adam"])
def test_xor_is_learnt(make, solver):
    X = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    y = np.array(["even", "odd", "odd", "even"])
    options = {} if solver == "lbfgs" else {"learning_rate_init": 0.05, "max_iter": 600}
    model = make((20,), "tanh", solver=solver, random_state=1, **options).fit(X, y)
    assert model.predict(X).tolist() == y.tolist()
    assert model.predict_proba(X).shape == (4, 2)
    assert model.predict_proba(X).max(axis=1).min() > 0.8


@pytest.mark.parametrize("make", REGRESSORS)
def test_xor_as_numbers_is_learnt(make):
    X = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    y = np.array([0.0, 1.0, 1.0, 0.0])
    model = make(hidden_layer_sizes=(20,), activation="tanh", solver="lbfgs", random_state=1)
    np.testing.assert_allclose(model.fit(X, y).predict(X), y, atol=0.1)


@pytest.mark.parametrize("make", CLASSIFIERS)
@pytest.mark.parametrize("activation", ["logistic", "tanh", "relu", "identity"])
def test_digits_are_learnt_by_lbfgs(make, activation, digits):
    X, y = digits
    model = make((20,), activation, solver="lbfgs", max_iter=150, random_state=1)
    assert model.fit(X[:200], y[:200]).score(X[:200], y[:200]) > 0.98
    assert model.score(X[200:], y[200:]) > 0.95


@pytest.mark.parametrize("make", REGRESSORS)
def test_diabetes_is_learnt(make):
    X, y = load_diabetes(return_X_y=True)
    X = (X - X.mean(axis=0)) / X.std(axis=0)
    model = make(hidden_layer_sizes=(10,), solver="lbfgs", max_iter=50, alpha=1.0, random_state=1)
    assert model.fit(X, y).score(X, y) > 0.5


@pytest.mark.parametrize("make", CLASSIFIERS)
def test_more_alpha_makes_smaller_weights(make):
    X, y = learnable_classes()
    norms = [
        sum(
            np.square(W).sum()
            for W in make((10,), solver="lbfgs", alpha=alpha, random_state=1).fit(X, y).coefs_
        )
        for alpha in (0.1, 1.0, 10.0)
    ]
    assert norms[0] > norms[1] > norms[2]


def test_several_labels_step_alike():
    X, Y = make_multilabel_classification(n_samples=103, n_classes=3, random_state=0)
    X = X / 10.0
    ours, theirs = (alike(make, max_iter=4, batch_size=32).fit(X, Y) for make in CLASSIFIERS)
    assert_same_weights(ours, theirs)
    np.testing.assert_allclose(ours.loss_curve_, theirs.loss_curve_, rtol=0, atol=1e-10)
    np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), rtol=0, atol=1e-9)
    assert np.array_equal(ours.predict(X), theirs.predict(X))
    assert ours.predict(X).dtype.kind == theirs.predict(X).dtype.kind == "i"
    assert ours.out_activation_ == theirs.out_activation_ == "logistic"
    assert ours.score(X, Y) == theirs.score(X, Y)
    for model in (ours, theirs):
        model.partial_fit(X, Y)
    assert_same_weights(ours, theirs)


@pytest.mark.parametrize(("mine", "their"), PAIRS)
def test_sparse_rows_step_alike(mine, their):
    X, y = learnable_classes()
    X = csr_matrix(X * (X > 0.5))
    ours, theirs = (alike(make, max_iter=4, batch_size=32).fit(X, y) for make in (mine, their))
    assert_same_weights(ours, theirs)
    np.testing.assert_allclose(ours.predict(X), theirs.predict(X), rtol=0, atol=1e-9)


@pytest.mark.parametrize(("mine", "their"), PAIRS)
def test_float32_stays_float32(mine, their):
    X, y = learnable_classes()
    X = X.astype(np.float32)
    ours, theirs = (alike(make, max_iter=3).fit(X, y) for make in (mine, their))
    assert_same_weights(ours, theirs, atol=1e-5)
    assert ours.coefs_[0].dtype == theirs.coefs_[0].dtype == np.float32
    scores = "predict_proba" if mine is DNNClassifier else "predict"
    assert getattr(ours, scores)(X).dtype == getattr(theirs, scores)(X).dtype == np.float32


# ------------------------------------------------------------- partial_fit and warm_start


@pytest.mark.parametrize(("mine", "their"), PAIRS)
@pytest.mark.parametrize("solver", ["sgd", "adam"])
def test_partial_fit_is_an_epoch(mine, their, solver):
    X, y = learnable_classes()
    options = {"classes": [0, 1, 2]} if mine is DNNClassifier else {}
    ours, theirs = (alike(make, solver=solver, batch_size=32) for make in (mine, their))
    for _ in range(3):
        for model in (ours, theirs):
            model.partial_fit(X, y, **options)
    assert_same_weights(ours, theirs)
    assert_same_weights(alike(mine, solver=solver, batch_size=32, max_iter=3).fit(X, y), theirs)
    assert ours.t_ == theirs.t_ == 3 * 103
    assert len(ours.loss_curve_) == len(theirs.loss_curve_) == 3


@pytest.mark.parametrize(("mine", "their"), PAIRS)
def test_partial_fit_in_parts(mine, their):
    X, y = learnable_classes(100)
    ours, theirs = (alike(make) for make in (mine, their))
    for model in (ours, theirs):
        options = {"classes": [0, 1, 2]} if mine is DNNClassifier else {}
        for _ in range(3):
            model.partial_fit(X[:60], y[:60], **options).partial_fit(X[60:], y[60:])
    assert_same_weights(ours, theirs)
    np.testing.assert_allclose(ours.predict(X), theirs.predict(X), rtol=0, atol=1e-9)
    assert ours.t_ == theirs.t_ == 300


@pytest.mark.parametrize("make", CLASSIFIERS)
def test_partial_fit_knows_all_classes_from_the_first_call(make):
    X, y = learnable_classes()
    model = alike(make)
    with pytest.raises(ValueError, match="classes must be passed on the first call"):
        model.partial_fit(X, y)
    model.partial_fit(X[y < 2], y[y < 2], classes=[0, 1, 2])
    assert model.predict_proba(X).shape == (103, 3)
    with pytest.raises(ValueError, match="classes"):
        model.partial_fit(X, y + 1)
    with pytest.raises(ValueError, match="classes"):
        model.partial_fit(X, y, classes=[0, 1, 2, 3])


@pytest.mark.parametrize("make", [*CLASSIFIERS, DNNRegressor])
def test_partial_fit_needs_a_solver_of_mini_batches(make):
    assert hasattr(make(solver="sgd"), "partial_fit")
    assert not hasattr(make(solver="lbfgs"), "partial_fit")


@pytest.mark.parametrize("make", EVERY)
def test_partial_fit_does_not_stop_early(make):
    X, y = learnable_classes()
    options = {"classes": [0, 1, 2]} if make in CLASSIFIERS else {}
    with pytest.raises(ValueError, match="partial_fit does not support early_stopping=True"):
        make(early_stopping=True).partial_fit(X, y, **options)


@pytest.mark.parametrize(("mine", "their"), PAIRS)
def test_warm_start_goes_on(mine, their):
    # With momentum or Adam ours keeps the solver's state, where theirs begins with a new one.
    X, y = learnable_classes()
    options = {"warm_start": True, "max_iter": 2, "solver": "sgd", "momentum": 0.0}
    ours, theirs = (alike(make, **options).fit(X, y).fit(X, y) for make in (mine, their))
    assert_same_weights(ours, theirs)
    np.testing.assert_allclose(ours.loss_curve_, theirs.loss_curve_, rtol=0, atol=1e-10)
    assert ours.t_ == theirs.t_ == 4 * 103


@pytest.mark.parametrize("make", CLASSIFIERS)
@pytest.mark.parametrize("classes", [[0, 1], [0, 1, 3], [0, 1, 2, 3]])
def test_warm_start_wants_the_same_classes(make, classes):
    X, y = learnable_classes()
    model = alike(make, warm_start=True, max_iter=1).fit(X, y)
    with pytest.raises(ValueError, match=r"classes"):
        model.fit(X, np.resize(classes, len(y)))
    assert model.fit(X, y).classes_.tolist() == [0, 1, 2]


@pytest.mark.parametrize("make", EVERY)
def test_fit_begins_anew_without_warm_start(make):
    X, y = learnable_classes()
    model = alike(make, max_iter=2).fit(X, y)
    weights = model.coefs_[0].copy()
    assert np.array_equal(model.fit(X, y).coefs_[0], weights)
    assert model.n_iter_ == len(model.loss_curve_) == 2
    model.fit(X[:, :4], y)
    assert model.coefs_[0].shape == (4, 7)


# ------------------------------------------------------------------ rates and stopping


@pytest.mark.parametrize(("mine", "their"), PAIRS)
@pytest.mark.parametrize("power_t", [0.5, 0.2])
def test_invscaling_goes_by_the_samples(mine, their, power_t):
    X, y = learnable_classes()
    rates = []
    options = {"solver": "sgd", "learning_rate": "invscaling", "power_t": power_t, "max_iter": 5}
    ours = alike(mine, callback=lambda info: rates.append(info.learning_rate), **options).fit(X, y)
    assert_same_weights(ours, alike(their, **options).fit(X, y))
    expected = [0.05 / (103 * epoch + 1) ** power_t for epoch in range(1, 6)]
    assert rates == pytest.approx(expected, rel=1e-14)


@pytest.mark.parametrize(("mine", "their"), PAIRS)
def test_adaptive_divides_by_five_and_ends(mine, their):
    X, y = learnable_classes()
    rates = []
    options = {"solver": "sgd", "learning_rate": "adaptive", "tol": 1e-2, "n_iter_no_change": 2}
    ours = alike(mine, callback=lambda info: rates.append(info.learning_rate), **options).fit(X, y)
    theirs = alike(their, **options).fit(X, y)
    assert_same_weights(ours, theirs)
    assert ours.n_iter_ == theirs.n_iter_ < 200
    assert np.unique(rates)[::-1] == pytest.approx(0.05 / 5.0 ** np.arange(len(set(rates))))
    assert min(rates) <= 1e-6


@pytest.mark.parametrize(("mine", "their"), PAIRS)
@pytest.mark.parametrize("solver", ["sgd", "adam"])
@pytest.mark.parametrize(("tol", "patience"), [(1e-2, 2), (1e-3, 5), (1.0, 1), (0.0, 10)])
def test_patience_ends_as_soon(mine, their, solver, tol, patience):
    X, y = learnable_classes()
    options = {"solver": solver, "tol": tol, "n_iter_no_change": patience, "max_iter": 60}
    ours, theirs = (alike(make, **options).fit(X, y) for make in (mine, their))
    assert ours.n_iter_ == theirs.n_iter_
    assert ours.loss_ == pytest.approx(theirs.loss_, rel=1e-8)
    assert ours.best_loss_ == pytest.approx(theirs.best_loss_, rel=1e-8)
    assert ours.best_loss_ == min(ours.loss_curve_)
    if tol == 1.0:
        assert ours.n_iter_ == patience + 2  # the first improves on infinity


@pytest.mark.parametrize("make", EVERY)
@pytest.mark.parametrize("solver", ["sgd", "adam", "lbfgs"])
def test_a_warning_when_epochs_are_over(make, solver):
    X, y = learnable_classes()
    with pytest.warns(ConvergenceWarning):
        model = alike(make, solver=solver, max_iter=2).fit(X, y)
    assert model.n_iter_ == 2
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        alike(make, solver=solver, max_iter=500, tol=1e-1, n_iter_no_change=1).fit(X, y)


@pytest.mark.parametrize("make", EVERY)
def test_lbfgs_counts_evaluations(make):
    X, y = learnable_classes()
    with pytest.warns(ConvergenceWarning):
        model = alike(make, solver="lbfgs", max_fun=10, max_iter=1000).fit(X, y)
    assert 0 < model.n_iter_ <= 11


@pytest.mark.parametrize("make", EVERY)
def test_early_stopping(make, digits):
    X, y = digits
    options = {"max_iter": 100, "n_iter_no_change": 3, "tol": 1e-3, "batch_size": 32}
    model = alike(make, early_stopping=True, **options).fit(X, y)
    assert len(model.validation_scores_) == model.n_iter_ == len(model.loss_curve_) < 100
    assert model.t_ == model.n_iter_ * 270 or make in (MLPClassifier, MLPRegressor)
    assert model.best_validation_score_ == max(model.validation_scores_) > 0.8
    assert model.best_loss_ is None
    plain = alike(make, max_iter=2).fit(X, y)
    assert plain.validation_scores_ is None
    assert plain.best_validation_score_ is None
    assert plain.best_loss_ == min(plain.loss_curve_)


@pytest.mark.parametrize("make", CLASSIFIERS)
def test_early_stopping_wants_every_class_twice(make):
    X = np.zeros((13, 2))
    y = np.r_[np.zeros(12, int), 1]
    with pytest.raises(ValueError, match="least populated class"):
        make(early_stopping=True).fit(X, y)


@pytest.mark.parametrize("make", REGRESSORS)
def test_early_stopping_wants_two_rows(make):
    X, y = learnable_classes(10)
    with pytest.raises(ValueError, match=r"validation|at least 2 rows"):
        make(early_stopping=True, validation_fraction=0.1).fit(X, y)


# -------------------------------------------------------------------- order and batches


@pytest.mark.parametrize("make", EVERY)
def test_shuffling(make):
    X, y = learnable_classes()
    options = {"max_iter": 3, "batch_size": 10, "hidden_layer_sizes": (5,)}
    a, b = (alike(make, **options).fit(X, y) for _ in range(2))
    assert np.array_equal(a.coefs_[0], b.coefs_[0])
    c, d = (alike(make, **{**options, "shuffle": True}).fit(X, y) for _ in range(2))
    assert np.array_equal(c.coefs_[0], d.coefs_[0])
    assert not np.array_equal(a.coefs_[0], c.coefs_[0])


@pytest.mark.parametrize(("mine", "their"), PAIRS)
@pytest.mark.parametrize("batch_size", [1, 50, 103, 1000, "auto"])
@pytest.mark.filterwarnings("ignore:Got `batch_size` less than 1 or larger")
def test_batches(mine, their, batch_size):
    X, y = learnable_classes()
    ours, theirs = (
        alike(make, batch_size=batch_size, max_iter=2).fit(X, y) for make in (mine, their)
    )
    assert_same_weights(ours, theirs)
    assert ours.t_ == theirs.t_ == 206


@pytest.mark.parametrize(("mine", "their"), PAIRS)
def test_auto_is_batches_of_200(mine, their):
    X, y = learnable_classes(450)
    ours, theirs = (alike(make, max_iter=2).fit(X, y) for make in (mine, their))
    assert_same_weights(ours, theirs)


@pytest.mark.parametrize(("mine", "their"), PAIRS)
@pytest.mark.parametrize(
    "parameters",
    [
        {"beta_1": 0.5, "beta_2": 0.9, "epsilon": 1e-3},
        {"beta_1": 0.0},
        {"solver": "sgd", "momentum": 1.0},
        {"solver": "sgd", "momentum": 0.3, "nesterovs_momentum": False},
        {"alpha": 3.0},
        {"hidden_layer_sizes": ()},
        {"hidden_layer_sizes": 4},
        {"hidden_layer_sizes": [4, 3, 2]},
    ],
)
def test_parameters_mean_the_same(mine, their, parameters):
    X, y = learnable_classes()
    ours, theirs = (
        alike(make, max_iter=3, batch_size=32, **parameters).fit(X, y) for make in (mine, their)
    )
    assert_same_weights(ours, theirs)


@pytest.mark.parametrize("make", CLASSIFIERS)
def test_a_column_of_labels(make):
    X, y = learnable_classes()
    with pytest.warns(DataConversionWarning, match="column-vector"):
        model = alike(make, max_iter=1).fit(X, y[:, None])
    assert model.predict(X).shape == (103,)


# ------------------------------------------------------------------------------ interface

# Ours standardises the features, so that sigmoid units and larger steps do well.
OTHER_DEFAULTS = {"learning_rate_init": 2e-3}


@pytest.mark.parametrize(("mine", "their"), PAIRS)
def test_every_parameter_is_there(mine, their):
    ours, theirs = (inspect.signature(make).parameters for make in (mine, their))
    assert list(ours)[: len(theirs)] == list(theirs)
    for name, parameter in theirs.items():
        assert ours[name].kind == parameter.kind
        assert ours[name].default == OTHER_DEFAULTS.get(name, parameter.default), name


def public(thing):
    return {name for name in dir(thing) if not name.startswith("_")}


def shapes(value):
    """Of an array or of each array of a list."""
    arrays = isinstance(value, list) and isinstance(value[0], np.ndarray)
    return [x.shape for x in value] if arrays else np.shape(value)


@pytest.mark.parametrize(("mine", "their"), PAIRS)
@pytest.mark.parametrize("early_stopping", [False, True])
def test_every_attribute_is_there(mine, their, early_stopping):
    iris = load_iris()
    X = pd.DataFrame(iris.data, columns=iris.feature_names)
    ours, theirs = (
        alike(make, early_stopping=early_stopping, max_iter=3).fit(X, iris.target)
        for make in (mine, their)
    )
    missing = public(theirs) - public(ours)
    # An attribute of MLPClassifier beside its parameters: there is one loss for each kind of
    # labels.
    assert missing == ({"loss"} if mine is DNNClassifier else set())
    for name in public(theirs) - missing:
        a, b = getattr(ours, name), getattr(theirs, name)
        assert callable(a) == callable(b), name
        if callable(a):
            names = [name for name in inspect.signature(a).parameters if name != "loss"]
            wanted = [name for name in inspect.signature(b).parameters if name != "loss"]
            if not name.startswith("set_"):
                assert names[: len(wanted)] == wanted, name
        elif name.endswith("_"):
            assert (a is None) == (b is None), name
            assert shapes(a) == shapes(b), name
    for name in ("n_layers_", "n_outputs_", "out_activation_", "n_features_in_", "t_", "n_iter_"):
        assert getattr(ours, name) == getattr(theirs, name)
    assert ours.feature_names_in_.tolist() == theirs.feature_names_in_.tolist()


def test_what_differs_by_design():
    X, y = learnable_classes()
    # Two classes have two outputs.
    ours, theirs = (alike(make, max_iter=1).fit(X, y > 0) for make in CLASSIFIERS)
    assert (ours.n_outputs_, ours.out_activation_) == (2, "softmax")
    assert (theirs.n_outputs_, theirs.out_activation_) == (1, "logistic")
    assert ours.predict_proba(X).shape == theirs.predict_proba(X).shape == (103, 2)
    # Epochs are counted from the beginning, as the loss curve is.
    ours, theirs = (alike(make, max_iter=2, warm_start=True) for make in CLASSIFIERS)
    assert (ours.fit(X, y).fit(X, y).n_iter_, theirs.fit(X, y).fit(X, y).n_iter_) == (4, 2)
    # The regressor has Huber's loss instead of Poisson's.
    with pytest.raises(ValueError, match="loss must be one of"):
        alike(DNNRegressor, loss="poisson").fit(X, y)
