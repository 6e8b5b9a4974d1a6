"""Validation rows: scorers, weights, early stopping."""

import numpy as np
import pytest
from perceptrons import each_estimator
from samples import learnable_classes
from sklearn.metrics import accuracy_score, balanced_accuracy_score, log_loss, make_scorer

from dnncore import DNNClassifier, DNNRegressor
from dnncore._core import csrc

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def _own(model, X, y):
    return accuracy_score(y, model.predict(X))


@pytest.mark.parametrize(
    ("scoring", "names"),
    [
        ("balanced_accuracy", ["balanced_accuracy"]),
        (["neg_log_loss", "accuracy"], ["neg_log_loss", "accuracy"]),
        (("accuracy",), ["accuracy"]),
        ({"mine": _own, "theirs": "accuracy"}, ["mine", "theirs"]),
        (make_scorer(balanced_accuracy_score), ["score"]),
        (_own, ["score"]),
    ],
)
@pytest.mark.parametrize("early_stopping", [False, True])
def test_scorers_look_at_the_validation_rows(iris, scoring, names, early_stopping):
    X, y = iris
    told = []
    model = DNNClassifier(
        (5,), scoring=scoring, early_stopping=early_stopping, max_iter=5, random_state=0,
        callback=told.append,
    ).fit(X[::2], y[::2], X_val=X[1::2], y_val=y[1::2])  # fmt: skip
    metrics = model.history_.metrics
    assert list(metrics) == names
    assert {len(values) for values in metrics.values()} == {5}
    assert model.validation_scores_ == metrics[names[0]]
    assert [dict(info.metrics) for info in told] == [
        {name: metrics[name][epoch] for name in names} for epoch in range(5)
    ]
    plain = DNNClassifier((5,), max_iter=5, random_state=0).fit(X[::2], y[::2])
    if not early_stopping:
        assert np.array_equal(model.network_.parameters, plain.network_.parameters)
    # There are as many rows of each class, so that balanced accuracy is accuracy.
    accuracy = accuracy_score(y[1::2], plain.predict(X[1::2]))
    assert metrics[names[-1]][-1] == pytest.approx(accuracy)


@pytest.mark.parametrize("label_smoothing", [0.0, 0.2])
def test_early_stopping_goes_by_the_first_scorer(iris, label_smoothing):
    X, y = iris
    model = DNNClassifier(
        scoring=["neg_log_loss", "accuracy"], early_stopping=True, alpha=0.0, random_state=0,
        learning_rate_init=0.05, label_smoothing=label_smoothing,
    ).fit(X, y)  # fmt: skip
    metrics = model.history_.metrics
    assert model.n_iter_ < 200
    assert model.best_validation_score_ == max(metrics["neg_log_loss"])
    assert model.validation_losses_ == pytest.approx(
        [-score for score in metrics["neg_log_loss"]], rel=1e-10
    )


def test_scoring_of_a_regressor(iris):
    X, y = iris
    model = DNNRegressor(scoring="neg_mean_squared_error", max_iter=3, random_state=0)
    model.fit(X, 10.0 * y, X_val=X, y_val=10.0 * y)
    error = np.square(model.predict(X) - 10.0 * y).mean()  # in the units of y
    assert model.validation_scores_[-1] == pytest.approx(-error, rel=1e-12)


@pytest.mark.parametrize("scoring", [None, "accuracy"])
def test_weights_of_the_validation_rows(iris, scoring):
    X, y = iris
    weight = np.random.default_rng(0).random(len(y))
    model = DNNClassifier(
        (5,), max_iter=5, random_state=0, scoring=scoring, early_stopping=False
    ).fit(X, y, X_val=X, y_val=y, sample_weight_val=weight)
    p, predicted = model.predict_proba(X), model.predict(X)
    assert model.validation_losses_[-1] == pytest.approx(log_loss(y, p, sample_weight=weight))
    assert model.validation_scores_[-1] == pytest.approx(
        accuracy_score(y, predicted, sample_weight=weight), rel=1e-12
    )
    assert len(model.validation_losses_) == 5


def test_weights_of_a_split_go_with_its_rows(iris):
    X, y = iris
    seen = []

    def metric(y_true, y_predicted, sample_weight):
        seen.append((y_true, sample_weight))
        return 0.0

    options = {"early_stopping": True, "max_iter": 3, "random_state": 0}
    model = DNNClassifier(scoring=make_scorer(metric), **options).fit(X, y, 1.0 + y)
    assert len(seen) == 3
    for y_true, weight in seen:
        assert np.bincount(y_true).tolist() == [5, 5, 5]
        assert np.array_equal(weight, 1.0 + y_true)
    np.testing.assert_allclose(model.class_prior_, [1 / 6, 2 / 6, 3 / 6], rtol=1e-12)


def test_class_weights_do_not_apply_to_the_scores_of_a_split(iris):
    X, y = iris
    seen = []

    def metric(y_true, y_predicted, sample_weight):
        seen.append(sample_weight / (1.0 + y_true))
        return 0.0

    options = {"early_stopping": True, "max_iter": 1, "random_state": 0}
    weights = {0: 1.0, 1: 2.0, 2: 3.0}
    model = DNNClassifier(scoring=make_scorer(metric), class_weight=weights, **options)
    model.fit(X, y, 1.0 + y)
    np.testing.assert_array_equal(seen, np.ones((1, 15)))
    np.testing.assert_allclose(model.class_prior_, [1 / 14, 4 / 14, 9 / 14], rtol=1e-12)


def test_too_few_rows_to_judge_by_are_called_by_their_parameter():
    X, y = learnable_classes(10)
    model = DNNRegressor(early_stopping=True, validation_fraction=0.1)
    with pytest.raises(ValueError, match=r"validation_fraction=0.1 must have at least 2 rows"):
        model.fit(X, y)
    with pytest.raises(ValueError, match="X_val must have at least 2 rows for the score, got 1"):
        model.fit(X, y, X_val=X[:1], y_val=y[:1])
    with pytest.raises(ValueError, match="X_val must have at least 2 rows for the score, got 1"):
        DNNRegressor().fit_blocks([(X, y)], X_val=X[:1], y_val=y[:1])
    assert not hasattr(model, "network_")


@each_estimator
def test_early_stopping_on_a_split(iris, diabetes, make):
    X, y = iris if make is DNNClassifier else diabetes
    options = {"n_iter_no_change": 3, "learning_rate_init": 0.02, "random_state": 0}
    model = make(hidden_layer_sizes=(8,), early_stopping=True, **options).fit(X, y)
    assert model.n_iter_ < 200
    assert len(model.validation_scores_) == len(model.validation_losses_) == model.n_iter_
    assert model.best_validation_score_ == max(model.validation_scores_) > 0.4
    assert model.best_loss_ is None
    assert model.t_ == model.n_iter_ * (len(X) - np.ceil(len(X) / 10))


@each_estimator
def test_early_stopping_on_given_rows_keeps_the_best(diabetes, make):
    X, y = learnable_classes(300) if make is DNNClassifier else diabetes
    train, val = np.arange(0, len(X), 2), np.arange(1, len(X), 2)
    model = make(early_stopping=True, random_state=0, learning_rate_init=0.05)
    model.fit(X[train], y[train], X_val=X[val], y_val=y[val])
    assert model.n_iter_ < 200
    assert model.validation_scores_[-1] < model.best_validation_score_
    assert model.score(X[val], y[val]) == pytest.approx(model.best_validation_score_, rel=1e-10)
    assert model.t_ == model.n_iter_ * len(train)


@each_estimator
def test_validation_rows_without_early_stopping_are_only_watched(iris, make):
    X, y = iris
    options = {"max_iter": 5, "random_state": 0, "early_stopping": False}
    plain = make(**options).fit(X, y)
    watched = make(**options).fit(X, y, X_val=X, y_val=y)
    assert np.array_equal(watched.network_.parameters, plain.network_.parameters)
    assert len(watched.validation_scores_) == 5
    assert plain.validation_scores_ is None
    assert plain.best_validation_score_ is None
    assert plain.best_loss_ == min(plain.loss_curve_)


def test_early_stopping_wants_every_class_twice():
    y = np.r_[np.zeros(12, int), 1]
    with pytest.raises(ValueError, match="least populated class"):
        DNNClassifier(early_stopping=True).fit(np.zeros((13, 2)), y)


@pytest.mark.parametrize("options", [{}, {"solver": "sgd", "learning_rate": "newbob"}])
@each_estimator
def test_the_builtin_engine_scores_with_the_same_bits_everywhere(make, options, select_isa):
    X, y = learnable_classes(300)
    found = set()
    for isa in csrc.available():
        select_isa(isa)
        model = make(
            hidden_layer_sizes=(33,), max_iter=3, random_state=0, engine="builtin", **options
        )
        held_out = {"X_val": X[200:], "y_val": y[200:]} if not options else {}
        model.fit(X[:200], y[:200], **held_out)
        scores = repr((model.validation_losses_, model.history_.loss_curve))
        found.add((scores, model.predict(X).tobytes(), model.network_.parameters.tobytes()))
    assert len(found) == 1
