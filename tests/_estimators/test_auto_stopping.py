"""early_stopping='auto': by the loss on a validation set, where there is one."""

import numpy as np
import pytest
from perceptrons import each_estimator
from samples import learnable_classes, probabilities
from sklearn.metrics import log_loss

from dnncore import DNNClassifier, DNNRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
OPTIONS = {"early_stopping": "auto", "random_state": 0, "learning_rate_init": 0.02}


@each_estimator
def test_the_parameters_of_the_lowest_loss_are_kept(make):
    X, y = learnable_classes(600)
    model = make(**OPTIONS).fit(X[:300], y[:300], X_val=X[300:], y_val=y[300:])
    assert model.n_iter_ < 200
    losses = model.validation_losses_
    assert losses[-1] > min(losses)
    if make is DNNClassifier:
        assert log_loss(y[300:], model.predict_proba(X[300:])) == pytest.approx(min(losses))
    assert model.best_loss_ == min(model.loss_curve_)


def test_rows_are_split_off_from_200_rows_on():
    X, y = learnable_classes(200)
    few, enough = (DNNClassifier(max_iter=2).fit(X[:n], y[:n]) for n in (199, 200))
    assert (few.t_, few.validation_losses_) == (2 * 199, None)
    assert (enough.t_, len(enough.validation_losses_)) == (2 * 180, 2)
    for options in ({"validation_fraction": 0.05}, {"learning_rate": "newbob"}):
        assert DNNClassifier(max_iter=1, **options).fit(X, y).t_ == 200
    X, y = learnable_classes(1000)
    few, enough = (DNNRegressor(max_iter=1).fit(X[:n], y[:n]) for n in (999, 1000))
    assert (few.t_, enough.t_) == (999, 900)


def test_rows_without_weight_are_not_split_off():
    X, y = learnable_classes(400)
    weight = np.zeros(400)
    weight[:199] = 1.0
    assert DNNClassifier(max_iter=1).fit(X, y, weight).validation_losses_ is None
    weight[:200] = 1.0
    model = DNNClassifier(max_iter=1).fit(X, y, weight)
    assert (model.t_, len(model.validation_losses_)) == (380, 1)


def test_the_split_has_each_class_in_proportion_but_leaves_the_only_row_of_a_class():
    seen = []

    def classes(estimator, X, y):
        seen.append(np.bincount(y, minlength=203))
        return 0.0

    y = np.r_[np.repeat([0, 1], [700, 100]), np.arange(2, 203)]
    X = np.random.default_rng(0).normal(size=(len(y), 3))
    for seed in range(3):
        model = DNNClassifier(max_iter=1, scoring=classes, random_state=seed).fit(X, y)
        assert len(model.classes_) == 203
        assert seen[-1][:2].tolist() == [70, 10]
        assert not seen[-1][2:].any()


@pytest.mark.parametrize("labels", [probabilities(300), probabilities(300) > 0.4])
def test_labels_of_other_kinds(labels):
    X, _ = learnable_classes(300)
    model = DNNClassifier(max_iter=2).fit(X, labels)
    assert len(model.validation_losses_) == 2


def test_the_first_scorer_is_monitored_instead():
    X, y = learnable_classes(600)
    model = DNNClassifier(scoring="accuracy", **OPTIONS).fit(
        X[:300], y[:300], X_val=X[300:], y_val=y[300:]
    )
    assert model.score(X[300:], y[300:]) == max(model.history_.metrics["accuracy"])


def test_it_does_not_stop_what_later_calls_continue():
    X, y = learnable_classes(300)
    once = DNNClassifier(max_iter=4, early_stopping=False, random_state=0, tol=0).fit(X, y)
    twice = DNNClassifier(max_iter=2, warm_start=True, random_state=0, tol=0).fit(X, y).fit(X, y)
    assert np.array_equal(once.network_.parameters, twice.network_.parameters)
    parts = DNNClassifier().partial_fit(X, y, classes=[0, 1, 2])
    assert (parts.t_, parts.validation_losses_) == (300, None)


def test_blocks_need_given_rows_for_it():
    X, y = learnable_classes(600)
    blocks = [(X[:200], y[:200]), (X[200:400], y[200:400])]
    assert DNNClassifier(max_iter=2).fit_blocks(blocks).validation_losses_ is None
    model = DNNClassifier(**OPTIONS).fit_blocks(blocks, X_val=X[400:], y_val=y[400:])
    assert log_loss(y[400:], model.predict_proba(X[400:])) == pytest.approx(
        min(model.validation_losses_)
    )


@pytest.mark.parametrize("given", [False, True])
def test_class_weights_apply_to_the_loss_but_not_to_the_score(given):
    X, y = learnable_classes(600)
    weights = {0: 1.0, 1: 20.0, 2: 5.0}
    held_out = {"X_val": X[300:], "y_val": y[300:]} if given else {}
    seen = []

    def accuracy(model, X, y):
        seen[:] = [X, y]
        return model.score(X, y)

    options = {"class_weight": weights, "max_iter": 3, "random_state": 0}
    DNNClassifier(scoring=accuracy, **options).fit(X[:300], y[:300], **held_out)
    model = DNNClassifier(early_stopping="auto", **options).fit(X[:300], y[:300], **held_out)
    X_val, y_val = seen
    p, weight = model.predict_proba(X_val), np.vectorize(weights.get)(y_val)
    expected = log_loss(y_val, p, sample_weight=weight)
    assert min(model.validation_losses_) == pytest.approx(expected)
    best = int(np.argmin(model.validation_losses_))
    assert model.validation_scores_[best] == model.score(X_val, y_val)


@pytest.mark.parametrize("early_stopping", [True, "auto", False])
@pytest.mark.parametrize(("rate", "tol", "warns"), [(2e-3, 0.0, True), (1e-9, 1e-4, False)])
@pytest.mark.filterwarnings("always::sklearn.exceptions.ConvergenceWarning")
def test_warning_if_the_last_epochs_have_improved(recwarn, early_stopping, rate, tol, warns):
    """At the lowest rate, patience ends with the last epoch."""
    X, y = learnable_classes(300)
    options = {"max_iter": 3, "n_iter_no_change": 1, "random_state": 0}
    model = DNNClassifier(
        early_stopping=early_stopping, learning_rate_init=rate, tol=tol, **options
    ).fit(X, y)
    assert model.n_iter_ == 3
    found = [str(warning.message) for warning in recwarn]
    assert found == ["max_iter=3 epochs completed, but training has not converged"] * warns


def test_no_other_text_is_accepted():
    X, y = learnable_classes()
    with pytest.raises(ValueError, match="must be True, False or 'auto', got 'loss'"):
        DNNClassifier(early_stopping="loss").fit(X, y)
