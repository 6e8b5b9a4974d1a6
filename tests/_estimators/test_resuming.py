"""partial_fit and warm_start: training goes on, or is refused."""

import numpy as np
import pytest
from perceptrons import alike, assert_same_weights, each_estimator, each_pair
from samples import learnable_classes, probabilities

from dnncore import DNNClassifier

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def known_classes(make):
    """What the first call of partial_fit needs beside rows and targets."""
    return {"classes": [0, 1, 2]} if make is DNNClassifier else {}


@each_estimator
@pytest.mark.parametrize("dropout", [0.0, 0.3])
@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize("solver", ["adam", "sgd"])
def test_two_and_two_epochs_equal_four(solver, shuffle, dropout, make):
    X, y = learnable_classes()
    options = {
        "hidden_layer_sizes": (9,), "solver": solver, "shuffle": shuffle, "dropout": dropout,
        "batch_size": 32, "random_state": 0, "tol": 0.0,
    }  # fmt: skip
    four = make(max_iter=4, **options).fit(X, y)
    twice = make(max_iter=2, warm_start=True, **options).fit(X, y).fit(X, y)
    assert np.array_equal(twice.network_.parameters, four.network_.parameters)
    assert twice.loss_curve_ == four.loss_curve_
    # Without norm: rows that come again move its mean by a rounding error.
    four = make(max_iter=4, norm=False, **options).fit(X, y)
    mixed = make(max_iter=2, norm=False, warm_start=True, **options).fit(X, y)
    mixed.partial_fit(X, y).partial_fit(X, y)
    parts = make(norm=False, **options)
    for _ in range(4):
        parts.partial_fit(X, y, **known_classes(make))
    for other in (mixed, parts):
        assert np.array_equal(other.network_.parameters, four.network_.parameters)
        assert other.loss_curve_ == four.loss_curve_
        assert (other.n_iter_, other.t_) == (4, 412)


@each_estimator
def test_fit_begins_anew_without_warm_start(make):
    X, y = learnable_classes()
    model = make(max_iter=2, random_state=0).fit(X, y)
    parameters = model.network_.parameters.copy()
    assert np.array_equal(model.fit(X, y).network_.parameters, parameters)
    assert model.n_iter_ == len(model.loss_curve_) == 2
    model.fit(X[:, :4], y)
    assert model.coefs_[0].shape == (4, 100)


# ------------------------------------------------------------------------ as scikit-learn does


@each_pair
@pytest.mark.parametrize("solver", ["sgd", "adam"])
def test_partial_fit_is_an_epoch(mine, their, solver):
    X, y = learnable_classes()
    ours, theirs = (alike(make, solver=solver, batch_size=32) for make in (mine, their))
    for _ in range(3):
        for model in (ours, theirs):
            model.partial_fit(X, y, **known_classes(mine))
    assert_same_weights(ours, theirs)
    assert_same_weights(alike(mine, solver=solver, batch_size=32, max_iter=3).fit(X, y), theirs)
    assert ours.t_ == theirs.t_ == 3 * 103
    assert len(ours.loss_curve_) == len(theirs.loss_curve_) == 3


@each_pair
def test_partial_fit_in_parts(mine, their):
    X, y = learnable_classes(100)
    ours, theirs = (alike(make) for make in (mine, their))
    for model in (ours, theirs):
        for _ in range(3):
            model.partial_fit(X[:60], y[:60], **known_classes(mine))
            model.partial_fit(X[60:], y[60:])
    assert_same_weights(ours, theirs)
    np.testing.assert_allclose(ours.predict(X), theirs.predict(X), rtol=0, atol=1e-9)
    assert ours.t_ == theirs.t_ == 300


@each_pair
def test_warm_start_goes_on(mine, their):
    # With momentum or Adam ours keeps the solver's state, where theirs begins with a new one.
    X, y = learnable_classes()
    options = {"warm_start": True, "max_iter": 2, "solver": "sgd", "momentum": 0.0}
    ours, theirs = (alike(make, **options).fit(X, y).fit(X, y) for make in (mine, their))
    assert_same_weights(ours, theirs)
    np.testing.assert_allclose(ours.loss_curve_, theirs.loss_curve_, rtol=0, atol=1e-10)
    assert ours.t_ == theirs.t_ == 4 * 103


# ----------------------------------------------------------------------------- what may change


def test_warm_start_goes_on_by_lbfgs():
    X, y = learnable_classes()
    options = {"hidden_layer_sizes": (5,), "random_state": 0, "warm_start": True}
    model = DNNClassifier(max_iter=3, **options).fit(X, y)
    loss = model.loss_
    model.set_params(solver="lbfgs", max_iter=20).fit(X, y)
    assert model.loss_ < loss
    assert model.n_iter_ == len(model.loss_curve_) > 3
    assert model.set_params(solver="adam").partial_fit(X, y).n_iter_ == len(model.loss_curve_)


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


def test_partial_fit_knows_all_classes_from_the_first_call():
    X, y = learnable_classes()
    model = DNNClassifier()
    with pytest.raises(ValueError, match="classes must be passed on the first call"):
        model.partial_fit(X, y)
    model.partial_fit(X[y == 0], y[y == 0], classes=[0, 1, 2])
    assert model.predict_proba(X).shape == (103, 3)
    with pytest.raises(ValueError, match=r"\[3\] that are not among \[0 1 2\]"):
        model.partial_fit(X, y + 1)
    for classes in ([0, 1], [0, 1, 2, 3]):
        with pytest.raises(ValueError, match="classes must be"):
            model.partial_fit(X, y, classes=classes)


@pytest.mark.parametrize(
    ("classes", "words"),
    [
        ([0, 1], "the same classes as in the previous fit"),
        ([0, 1, 3], r"classes \[3\] that are not among \[0 1 2\]"),
        ([0, 1, 2, 3], r"classes \[3\] that are not among \[0 1 2\]"),
    ],
)
def test_warm_start_wants_the_same_classes(classes, words):
    X, y = learnable_classes()
    model = alike(DNNClassifier, warm_start=True, max_iter=1).fit(X, y)
    with pytest.raises(ValueError, match=words):
        model.fit(X, np.resize(classes, len(y)))
    assert model.fit(X, y).classes_.tolist() == [0, 1, 2]


@each_estimator
def test_what_partial_fit_cannot_do(iris, make):
    with pytest.raises(ValueError, match="partial_fit does not support early_stopping=True"):
        make(early_stopping=True).partial_fit(*iris, **known_classes(make))
    assert hasattr(make(solver="sgd"), "partial_fit")
    assert not hasattr(make(solver="lbfgs"), "partial_fit")
    with pytest.raises(AttributeError, match="partial_fit") as error:
        make(solver="lbfgs").partial_fit(*iris, **known_classes(make))
    assert "solver='lbfgs'" in str(error.value.__cause__)


@pytest.mark.parametrize("resume", ["fit", "partial_fit"])
def test_labels_of_another_kind_on_resume_are_refused(resume):
    X, y = learnable_classes()
    forms = {"single": y, "multilabel": np.c_[y > 0, y > 1, y == 1].astype(int)}
    forms["soft"] = probabilities()
    for kind, labels in forms.items():
        model = DNNClassifier(max_iter=1, warm_start=True, random_state=0).fit(X, labels)
        before = model.predict_proba(X)
        for other in forms.keys() - {kind}:
            with pytest.raises(ValueError, match=f"trained on {kind} labels, got {other}"):
                getattr(model, resume)(X, forms[other])
        assert np.array_equal(model.predict_proba(X), before)
        assert model.n_iter_ == 1


def test_another_network_on_resume_is_refused(iris):
    X, y = iris
    model = DNNClassifier((5,), max_iter=1, warm_start=True).fit(X, y)
    for change in ({"hidden_layer_sizes": (6,)}, {"activation": "tanh"}):
        model.set_params(hidden_layer_sizes=(5,), activation="logistic").set_params(**change)
        for resume in (model.fit, model.partial_fit):
            with pytest.raises(ValueError, match="cannot resume training with"):
                resume(X, y)
