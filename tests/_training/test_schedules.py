"""Schedules of the learning rate."""

import numpy as np
import pytest
from perceptrons import alike, assert_same_weights, each_pair
from samples import learnable_classes
from sklearn.datasets import (
    load_wine,
)

from dnncore import DNNClassifier, DNNRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def rates_of(model, *arguments, **options):
    """The learning rate of each epoch of a fit, the next one's after the last included."""
    rates = [model.learning_rate_init]
    model.set_params(callback=lambda info: rates.append(info.learning_rate)).fit(
        *arguments, **options
    )
    return rates


@pytest.mark.parametrize("solver", ["sgd", "adam"])
def test_newbob_halves_goes_back_and_stops(solver):
    X, y = learnable_classes(300)
    train, val = slice(0, 150), slice(150, 300)
    model = DNNClassifier(
        (8,), solver=solver, learning_rate="newbob", learning_rate_init=0.5, batch_size=16,
        tol=0.0, alpha=0.0, random_state=0, max_iter=500,
    )  # fmt: skip
    rates = rates_of(model, X[train], y[train], X_val=X[val], y_val=y[val])
    losses = model.validation_losses_
    assert model.n_iter_ == len(losses) < 500
    lowest = np.inf
    for before, after, loss in zip(rates[:-1], rates[1:], losses, strict=True):
        assert after == (before if loss < lowest else before / 2)
        lowest = min(lowest, loss)
    assert min(losses[-2:]) >= min(losses[:-2])  # the two epochs that ended it
    assert losses[-3] == min(losses)
    best = model.network_.loss(X[val], y[val])
    assert best == pytest.approx(min(losses), rel=1e-12)


def test_newbob_without_validation_rows_goes_by_the_training_loss():
    X, y = learnable_classes()
    model = DNNRegressor(
        hidden_layer_sizes=(), solver="sgd", learning_rate="newbob", learning_rate_init=0.1,
        tol=1e-3, random_state=0,
    )  # fmt: skip
    rates = rates_of(model, X, y)
    assert model.n_iter_ < 200
    assert rates[-1] < 0.1
    assert model.validation_losses_ is None


@pytest.mark.parametrize("with_validation_rows", [False, True])
@pytest.mark.parametrize(
    ("make", "activation"),
    [(DNNClassifier, "logistic"), (DNNClassifier, "relu"), (DNNRegressor, "logistic")],
)
def test_newbob_recovers_from_divergence(make, activation, with_validation_rows):
    X, y = learnable_classes(300)
    options = {"hidden_layer_sizes": (8,), "activation": activation, "solver": "sgd"}
    options |= {"learning_rate": "newbob", "batch_size": 16, "random_state": 0}
    held_out = {"X_val": X[200:], "y_val": y[200:]} if with_validation_rows else {}
    model = make(learning_rate_init=1e3, **options).fit(X[:200], y[:200], **held_out)
    assert np.isfinite(model.network_.parameters).all()
    sane = make(learning_rate_init=0.01, **options).fit(X[:200], y[:200], **held_out)
    chance = {DNNClassifier: np.bincount(y).max() / len(y), DNNRegressor: 0.0}[make]
    assert sane.score(X, y) > chance + 0.3
    assert model.score(X, y) > chance + 0.2


def test_newbob_judges_ten_steps_at_least():
    """Of epochs of one to four steps; the first looks would all find a plateau."""
    X, y = load_wine(return_X_y=True)
    for batch_size, epochs in ((200, 10), (60, 4), (50, 3)):
        model = DNNClassifier(
            (20, 20), "logistic", solver="sgd", learning_rate="newbob", learning_rate_init=0.1,
            batch_size=batch_size, random_state=0,
        )  # fmt: skip
        rates = rates_of(model, X, y)
        changes = np.flatnonzero(np.diff(rates)) + 1  # epochs
        assert (changes % epochs == 0).all()
        assert model.score(X, y) > 0.95


@each_pair
@pytest.mark.parametrize("power_t", [0.5, 0.2])
def test_invscaling_goes_by_the_samples(mine, their, power_t):
    X, y = learnable_classes()
    rates = []
    options = {"solver": "sgd", "learning_rate": "invscaling", "power_t": power_t, "max_iter": 5}
    ours = alike(mine, callback=lambda info: rates.append(info.learning_rate), **options).fit(X, y)
    assert_same_weights(ours, alike(their, **options).fit(X, y))
    expected = [0.05 / (103 * epoch + 1) ** power_t for epoch in range(1, 6)]
    assert rates == pytest.approx(expected, rel=1e-14)


@each_pair
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
