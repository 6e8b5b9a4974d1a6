"""What ends training: time, a callback, patience, Ctrl-C."""

import os
import signal
import threading
import warnings

import numpy as np
import pytest
from perceptrons import alike, each_estimator, each_pair
from samples import learnable_classes
from sklearn.exceptions import ConvergenceWarning

from dnncore import DNNClassifier, Network
from dnncore.training import SGD, DivergenceWarning, EpochInfo, Trainer

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def long_training():
    """Rows, and a network that takes far longer for them than a test may."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(20_000, 200)).astype(np.float32)
    options = {"hidden_layer_sizes": (200, 200), "max_iter": 100_000, "tol": 0.0}
    options |= {"n_iter_no_change": 100_000, "max_time": 0.001, "random_state": 0}
    return X, rng.integers(0, 5, len(X)), options


@each_estimator
@pytest.mark.parametrize("solver", ["sgd", "adam", "lbfgs"])
def test_time_is_over(solver, make):
    X, y, options = long_training()
    model = make(solver=solver, **options)
    with pytest.warns(ConvergenceWarning, match=r"max_time=0\.001"):
        model.fit(X, y)
    assert model.n_iter_ == len(model.loss_curve_) == 1
    assert np.isfinite(model.loss_)
    assert np.isfinite(model.network_.parameters).all()
    assert model.predict(X[:5]).shape == (5,)
    if solver != "lbfgs":  # which needs all rows for an iteration
        assert 0 < model.t_ < len(X)
        assert model.t_ % 200 == 0
        before = model.t_
        assert 0 < model.partial_fit(X, y).t_ - before < len(X)


def test_time_that_is_not_over():
    X, y = learnable_classes()
    timed = DNNClassifier(max_iter=3, max_time=1e6, random_state=0).fit(X, y)
    plain = DNNClassifier(max_iter=3, random_state=0).fit(X, y)
    assert np.array_equal(timed.network_.parameters, plain.network_.parameters)


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
@pytest.mark.filterwarnings("error::sklearn.exceptions.ConvergenceWarning")
def test_callback_ends_training(iris, solver):
    told: list[EpochInfo] = []

    def enough(info):
        told.append(info)
        return info.epoch == 3

    model = DNNClassifier(solver=solver, callback=enough).fit(*iris, X_val=iris[0], y_val=iris[1])
    assert model.n_iter_ == 3
    assert [info.epoch for info in told] == [1, 2, 3]
    assert [info.loss for info in told] == model.loss_curve_
    assert [info.validation_score for info in told] == model.validation_scores_
    assert [info.validation_loss for info in told] == model.validation_losses_
    assert {info.max_iter for info in told} == {200}


def test_callback_of_partial_fit(iris):
    told = []
    DNNClassifier(callback=told.append).partial_fit(*iris, classes=[0, 1, 2])
    assert [info.epoch for info in told] == [1]


def test_ctrl_c_ends_the_fit_with_a_usable_model():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(20_000, 200)).astype(np.float32), rng.integers(0, 5, 20_000)
    timer = threading.Timer(0.1, os.kill, (os.getpid(), signal.SIGINT))
    model = DNNClassifier((500, 500), max_iter=10_000)
    model.set_params(callback=lambda info: timer.start() if info.epoch == 1 else None)
    try:
        with pytest.warns(UserWarning, match="interrupted"):
            model.fit(X, y)
    finally:
        timer.join()
    assert model.n_iter_ < 10_000
    assert np.isfinite(model.predict_proba(X[:5])).all()


@each_estimator
def test_patience_without_end(make, iris):
    options = {"hidden_layer_sizes": (5,), "max_iter": 30, "tol": 1e6, "random_state": 0}
    assert make(n_iter_no_change=np.inf, **options).fit(*iris).n_iter_ == 30
    assert make(n_iter_no_change=1, **options).fit(*iris).n_iter_ == 3


@each_pair
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


@each_estimator
@pytest.mark.parametrize("solver", ["sgd", "adam", "lbfgs"])
def test_a_warning_when_epochs_are_over(make, solver):
    X, y = learnable_classes()
    with pytest.warns(ConvergenceWarning, match="max_iter=2 "):
        model = alike(make, solver=solver, max_iter=2).fit(X, y)
    assert model.n_iter_ == 2
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        alike(make, solver=solver, max_iter=500, tol=1e-1, n_iter_no_change=1).fit(X, y)


@pytest.mark.parametrize("way", ["fit", "fit_blocks", "partial_fit", "trainer"])
def test_a_warning_of_divergence_shows_the_line_of_the_user(way):
    X, y = learnable_classes()
    huge = {"solver": "sgd", "learning_rate_init": 1e300, "max_iter": 5, "random_state": 0}
    model = DNNClassifier(**huge)
    with pytest.warns(DivergenceWarning) as caught:
        if way == "fit":
            model.fit(X, y)
        elif way == "fit_blocks":
            model.fit_blocks([(X, y)])
        elif way == "partial_fit":
            for _ in range(5):
                model.partial_fit(X, y, classes=np.unique(y))
        else:
            Trainer(Network((X.shape[1], 3, y.max() + 1), seed=0), SGD(1e300)).fit(X, y)
    assert {w.filename for w in caught if w.category is DivergenceWarning} == {__file__}


@pytest.mark.parametrize("norm", [False, True])
def test_a_warning_of_divergence_advises_what_is_not_done_already(norm):
    X, y = learnable_classes()
    huge = {"solver": "sgd", "learning_rate_init": 1e300, "max_iter": 5, "random_state": 0}
    with pytest.warns(DivergenceWarning) as caught:
        DNNClassifier(**huge, norm=norm).fit(X, y)
    assert ("input standardisation" in str(caught[0].message)) is not norm


def test_a_state_of_the_solver_that_overflows_is_divergence():
    """The weights would stay finite, and never learn again."""
    network = Network((2, 1), seed=0, dtype=np.float32, output="identity")
    trainer, before = Trainer(network, seed=0), network.parameters.copy()
    X, y = np.array([[1e12, 1.0]], np.float32), np.ones((1, 1), np.float32)
    with pytest.warns(DivergenceWarning):
        assert trainer.fit(X, y) == "diverged"
    np.testing.assert_array_equal(network.parameters, before)
    assert trainer.is_finite()
