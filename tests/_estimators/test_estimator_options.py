"""What the estimators offer: activations, solvers, kinds of labels, losses, stopping, priors."""

import sys

import numpy as np
import pytest
from samples import learnable_classes, probabilities
from scipy.sparse import csr_matrix
from scipy.special import log_softmax
from sklearn.datasets import load_wine
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import accuracy_score, balanced_accuracy_score, log_loss, make_scorer
from sklearn.neural_network import MLPClassifier
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.estimator_checks import parametrize_with_checks
from threadpoolctl import threadpool_info

import dnncore
from dnncore import DNNClassifier, DNNRegressor, Network
from dnncore.training import EpochInfo

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

# Full batches and rates that do not depend on the number of rows, so that a weight equals a
# repetition of the row, as one of the checks wants.
CONFIGURATIONS = [
    DNNClassifier(activation="tanh"),
    DNNClassifier(activation="relu", engine="blas"),
    DNNClassifier((), "identity"),
    DNNClassifier((4,), "identity", solver="sgd", learning_rate_init=0.2),
    DNNClassifier((5,), solver="lbfgs", alpha=0.1, max_iter=50),
    DNNClassifier((5,), "tanh", solver="lbfgs", alpha=0.1, max_iter=50, norm=False),
    DNNClassifier((), learning_rate="newbob", learning_rate_init=0.05),
    DNNClassifier((6,), "relu", solver="sgd", learning_rate="newbob", learning_rate_init=0.3),
    DNNClassifier(label_smoothing=0.1),
    DNNClassifier((20, 10), dropout=0.2),
]
# What is left out depends on the place of a row in the batch.
WITH_CHANCE = {
    f"check_sample_weight_equivalence_on_{kind}_data": "dropout goes by position"
    for kind in ("dense", "sparse")
}


@pytest.mark.filterwarnings("ignore")
@parametrize_with_checks(
    CONFIGURATIONS, expected_failed_checks=lambda model: WITH_CHANCE if model.dropout else {}
)
def test_scikit_learn_checks(estimator, check):
    check(estimator)


# ---------------------------------------------------------------- activations and solvers


@pytest.mark.parametrize("engine", ["builtin", "blas"])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("solver", ["sgd", "adam"])
@pytest.mark.parametrize("activation", ["logistic", "tanh", "relu", "identity"])
def test_epochs_equal_those_of_scikit_learn(activation, solver, weighted, engine):
    X, y = learnable_classes()  # 103 rows in batches of 32: the last batch is short
    weight = np.random.default_rng(1).random(len(X)) if weighted else None
    options = {
        "hidden_layer_sizes": (9, 5), "activation": activation, "solver": solver, "alpha": 0.5,
        "batch_size": 32, "shuffle": False, "random_state": 3, "learning_rate_init": 0.02,
        "max_iter": 4,
    }  # fmt: skip
    theirs = MLPClassifier(**options).fit(X, y, weight)
    ours = DNNClassifier(norm=False, engine=engine, **options).fit(X, y, weight)
    for a, b in zip(
        ours.coefs_ + ours.intercepts_, theirs.coefs_ + theirs.intercepts_, strict=True
    ):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-10)
    np.testing.assert_allclose(ours.loss_curve_, theirs.loss_curve_, rtol=0, atol=1e-10)
    np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), rtol=0, atol=1e-9)


@pytest.mark.parametrize("activation", ["logistic", "tanh"])
def test_lbfgs_goes_the_way_of_scikit_learn(activation):
    X, y = learnable_classes()
    options = {
        "hidden_layer_sizes": (5,), "activation": activation, "solver": "lbfgs", "alpha": 0.1,
        "random_state": 0, "max_iter": 10,
    }  # fmt: skip
    theirs, ours = MLPClassifier(**options).fit(X, y), DNNClassifier(norm=False, **options)
    with pytest.warns(ConvergenceWarning, match="max_iter=10"):
        ours.fit(X, y)
    assert ours.n_iter_ == len(ours.loss_curve_) == theirs.n_iter_ == 10
    # Each iteration magnifies the rounding errors of those before.
    assert ours.loss_ == pytest.approx(theirs.loss_, rel=1e-6)
    assert ours.t_ == 10 * 103


def test_lbfgs_finds_the_minimum_of_a_convex_loss():
    X, y = learnable_classes()
    options = {"hidden_layer_sizes": (), "solver": "lbfgs", "alpha": 1.0, "tol": 1e-6}
    theirs = MLPClassifier(random_state=0, max_iter=1000, **options).fit(X, y)
    ours = DNNClassifier(norm=False, random_state=1, max_iter=1000, **options).fit(X, y)
    assert ours.loss_ == pytest.approx(theirs.loss_, rel=1e-6)
    np.testing.assert_allclose(ours.coefs_[0], theirs.coefs_[0], rtol=0, atol=1e-3)
    assert ours.best_loss_ == min(ours.loss_curve_)


def test_lbfgs_in_float32():
    X, y = learnable_classes(dtype=np.float32)
    model = DNNClassifier((5,), solver="lbfgs", random_state=0, max_iter=50).fit(X, y)
    assert model.network_.dtype == np.float32
    assert model.score(X, y) > 0.8


def test_lbfgs_with_nothing_to_do():
    X, y = learnable_classes()
    model = DNNClassifier((5,), solver="lbfgs", tol=1e6, random_state=0).fit(X, y)
    assert model.n_iter_ <= 1
    assert np.isfinite(model.loss_)
    assert model.predict(X).shape == (103,)


def test_lbfgs_says_which_limit_it_met(iris):
    for limit in ({"max_iter": 3}, {"max_fun": 4}):
        model = DNNClassifier((5,), solver="lbfgs", tol=0.0, random_state=0, **limit)
        name, value = next(iter(limit.items()))
        with pytest.warns(ConvergenceWarning, match=f"{name}={value} "):
            model.fit(*iris)


def test_lbfgs_in_blocks_of_rows(monkeypatch, iris):
    """Some of them without any weight."""
    X, y = iris
    weight = np.where(np.arange(150) < 40, 0.0, np.random.default_rng(0).uniform(0, 2, 150))
    options = {"solver": "lbfgs", "alpha": 0.1, "max_iter": 10, "random_state": 0}
    expected = DNNClassifier((5,), **options).fit(X, y, weight)
    seen = []
    back_propagate = Network.back_propagate

    def witness(network, X, *arguments, **settings):
        seen.append(len(X))
        threads = {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}
        assert threads == {1}
        return back_propagate(network, X, *arguments, **settings)

    monkeypatch.setattr(Network, "back_propagate", witness)
    monkeypatch.setattr(dnncore.training, "LBFGS_ELEMENTS", 20 * (4 + 5 + 3))
    model = DNNClassifier((5,), **options).fit(X, y, weight)
    assert seen[:6] == [20, 20, 20, 20, 20, 10]  # the first 40 rows have no weight
    np.testing.assert_allclose(model.loss_curve_, expected.loss_curve_, rtol=1e-9)
    np.testing.assert_allclose(model.coefs_[0], expected.coefs_[0], rtol=1e-6, atol=1e-9)


def test_lbfgs_stops_early(iris):
    X, y = iris
    model = DNNClassifier(
        solver="lbfgs", early_stopping=True, n_iter_no_change=2, alpha=0.0, random_state=0
    ).fit(X[::2], y[::2], X_val=X[1::2], y_val=y[1::2])
    assert len(model.validation_scores_) == model.n_iter_ < 200
    assert model.score(X[1::2], y[1::2]) == model.best_validation_score_


# ---------------------------------------------------------------------- weights and labels


@pytest.mark.parametrize("weights", [{0: 1.0, 1: 2.0, 2: 5.0}, "balanced"])
@pytest.mark.parametrize("sample_weight", [None, np.random.default_rng(0).random(103)])
def test_class_weights_are_sample_weights(weights, sample_weight):
    X, y = learnable_classes()
    of_class = compute_sample_weight(weights, y)
    product = of_class if sample_weight is None else of_class * sample_weight
    options = {"max_iter": 3, "random_state": 0}
    model = DNNClassifier(class_weight=weights, **options).fit(X, y, sample_weight)
    plain = DNNClassifier(**options).fit(X, y, product)
    assert np.array_equal(model.network_.parameters, plain.network_.parameters)
    assert np.array_equal(model.class_prior_, plain.class_prior_)


def test_class_weights_go_by_label():
    X, y = learnable_classes()
    names = np.array(["a", "b", "c"])
    options = {"max_iter": 3, "random_state": 0}
    model = DNNClassifier(class_weight={"a": 1, "b": 2, "c": 5}, **options).fit(X, names[y])
    plain = DNNClassifier(class_weight={0: 1, 1: 2, 2: 5}, **options).fit(X, y)
    assert np.array_equal(model.network_.parameters, plain.network_.parameters)


def test_class_weights_in_partial_fit():
    X, y = learnable_classes()
    options = {"norm": False, "random_state": 0}
    model = DNNClassifier(class_weight={0: 1, 1: 2, 2: 5}, **options)
    plain = DNNClassifier(**options)
    for _ in range(2):
        model.partial_fit(X, y, classes=[0, 1, 2])
        plain.partial_fit(X, y, compute_sample_weight({0: 1, 1: 2, 2: 5}, y), [0, 1, 2])
    assert np.array_equal(model.network_.parameters, plain.network_.parameters)


def test_label_smoothing_is_training_on_smoothed_rows():
    X, y = learnable_classes()
    options = {"hidden_layer_sizes": (5,), "max_iter": 5, "batch_size": 32, "random_state": 0}
    model = DNNClassifier(label_smoothing=0.3, **options).fit(X, y, X_val=X, y_val=y)
    rows = 0.7 * np.eye(3)[y] + 0.3 / 3
    smoothed = DNNClassifier(**options).fit(X, rows)
    np.testing.assert_allclose(
        model.network_.parameters, smoothed.network_.parameters, rtol=0, atol=1e-12
    )
    np.testing.assert_allclose(model.loss_curve_, smoothed.loss_curve_, rtol=1e-12)
    # Validation is on the labels as they are.
    assert model.validation_losses_[-1] == pytest.approx(log_loss(y, model.predict_proba(X)))
    assert model.score(X, y) == model.validation_scores_[-1]


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_soft_labels(dtype):
    X, _ = learnable_classes(dtype=dtype)
    rows = probabilities()
    start = Network((7, 5, 3), dtype=dtype, seed=0)
    model = DNNClassifier((5,), "logistic", norm=False, alpha=0.0, max_iter=3, random_state=0).fit(
        X, rows
    )
    cross_entropy = -(rows * log_softmax(start.decision_function(X), axis=1)).sum(axis=1).mean()
    assert model.loss_curve_[0] == pytest.approx(cross_entropy, rel=1e-5)
    assert model.classes_.tolist() == [0, 1, 2]
    np.testing.assert_allclose(model.class_prior_, rows.mean(axis=0), rtol=1e-6)
    assert model.predict_proba(X).dtype == dtype
    assert np.array_equal(model.predict(X), model.predict_proba(X).argmax(axis=1))
    watched = DNNClassifier(
        (5,), early_stopping=True, scoring=None, max_iter=5, random_state=0
    ).fit(X, rows)
    assert watched.best_validation_score_ == max(watched.validation_scores_)
    parts = DNNClassifier((5,), "logistic", norm=False, alpha=0.0, random_state=0)
    for _ in range(3):
        parts.partial_fit(X, rows)
    assert np.array_equal(parts.network_.parameters, model.network_.parameters)


def test_soft_labels_may_be_certain():
    X, y = learnable_classes()
    certain = np.eye(3)[y]
    model = DNNClassifier((5,), max_iter=3, random_state=0)
    model.fit(X, probabilities(), X_val=X, y_val=certain)
    assert model.validation_scores_[-1] == accuracy_score(y, model.predict(X))
    model.partial_fit(X, certain)
    assert model.out_activation_ == "softmax"


def test_several_labels_of_a_row(several):
    X, Y = several
    model = DNNClassifier((16,), learning_rate_init=0.05, random_state=0).fit(X, Y)
    assert model.classes_.tolist() == [0, 1, 2]
    assert model.out_activation_ == "logistic"
    predicted, p = model.predict(X), model.predict_proba(X)
    assert predicted.shape == p.shape == model.decision_function(X).shape == (120, 3)
    assert predicted.dtype.kind == "i"
    assert p.min() >= 0
    assert p.max() <= 1
    assert np.array_equal(predicted, p > 0.5)
    assert not np.allclose(p.sum(axis=1), 1)
    np.testing.assert_allclose(np.exp(model.predict_log_proba(X)), p, rtol=1e-12)
    assert model.score(X, Y) == (predicted == Y).all(axis=1).mean() > 0.9
    np.testing.assert_allclose(model.freeze()(X), p, rtol=0, atol=1e-12)
    assert np.array_equal(model.freeze().predict(X), predicted)
    for method in (model.predict_scaled_log_likelihood, model.set_priors):
        with pytest.raises(ValueError, match="no class priors"):
            method(X if method == model.predict_scaled_log_likelihood else np.ones(3))


def test_two_labels_of_a_row_are_two_columns(several):
    X, Y = several
    model = DNNClassifier(max_iter=2).fit(X, Y[:, :2])
    assert model.decision_function(X).shape == (120, 2)


def test_several_labels_in_every_form(several):
    X, Y = several
    options = {"hidden_layer_sizes": (5,), "max_iter": 3, "random_state": 0, "norm": False}
    model = DNNClassifier(**options).fit(X, Y)
    for form in (Y.astype(float), Y.astype(bool), Y.tolist(), csr_matrix(Y)):
        other = DNNClassifier(**options).fit(X, form)
        assert np.array_equal(other.network_.parameters, model.network_.parameters)
        watched = DNNClassifier(**options).fit(X, Y, X_val=X, y_val=form)
        assert watched.validation_scores_[-1] == model.score(X, Y)
        parts = DNNClassifier(**options)
        for _ in range(3):
            parts.partial_fit(X, form)
        assert np.array_equal(parts.network_.parameters, model.network_.parameters)


def test_several_labels_with_early_stopping(several):
    X, Y = several
    model = DNNClassifier(early_stopping=True, max_iter=5, random_state=0).fit(X, Y)
    assert model.t_ == 5 * 108
    model.fit(X, Y, X_val=X, y_val=Y)
    assert model.best_validation_score_ == model.score(X, Y)


def test_several_labels_smoothed(several):
    X, Y = several
    options = {"hidden_layer_sizes": (5,), "alpha": 0.0, "max_iter": 1, "random_state": 0}
    model = DNNClassifier(label_smoothing=0.2, norm=False, **options).fit(X, Y)
    start = Network((20, 5, 3), seed=0, activation="relu", output="logistic")
    assert model.loss_ == pytest.approx(start.loss(X, 0.8 * Y + 0.1), rel=1e-12)


# ------------------------------------------------------------------------------- dropout


def test_dropout_is_the_same_for_any_number_of_threads():
    X, y = learnable_classes()
    options = {
        "hidden_layer_sizes": (33, 17), "dropout": 0.4, "batch_size": 32, "max_iter": 3,
        "random_state": 0,
    }  # fmt: skip
    models = [
        DNNClassifier(n_threads=n_threads, engine=engine, **options).fit(X, y)
        for engine in ("builtin", "blas")
        for n_threads in (1, 2, 3, 4)
    ]
    bits = [model.network_.parameters for model in models]
    assert all(np.array_equal(other, bits[0]) for other in bits[:4])
    for other in bits[4:]:  # BLAS adds in another order
        np.testing.assert_allclose(other, bits[0], rtol=0, atol=1e-10)
    options["dropout"] = 0.0
    assert not np.array_equal(DNNClassifier(**options).fit(X, y).network_.parameters, bits[0])
    options |= {"dropout": 0.4, "random_state": 1}
    assert not np.array_equal(DNNClassifier(**options).fit(X, y).network_.parameters, bits[0])


@pytest.mark.parametrize("make", [DNNClassifier, DNNRegressor])
def test_scoring_uses_all_units(make):
    X, y = learnable_classes()
    model = make(dropout=0.5, max_iter=2, random_state=0).fit(X, y, X_val=X, y_val=y)
    first = model.predict(X)
    assert np.array_equal(model.predict(X), first)
    plain = make(max_iter=2).fit(X, y)
    plain.network_.parameters[...] = model.network_.parameters
    assert np.array_equal(plain.predict(X), first)
    assert model.validation_scores_[-1] == pytest.approx(model.score(X, y), rel=1e-12)
    twin = make(dropout=0.5, max_iter=2, random_state=0).fit(X, y)
    assert np.array_equal(
        model.partial_fit(X, y).network_.parameters, twin.partial_fit(X, y).network_.parameters
    )


def test_dropout_without_hidden_layers_does_nothing():
    X, y = learnable_classes()
    models = [
        DNNClassifier((), dropout=p, shuffle=False, max_iter=2, random_state=0) for p in (0, 0.5)
    ]
    parameters = [model.fit(X, y).network_.parameters for model in models]
    assert np.array_equal(*parameters)


# ---------------------------------------------------------------------- time and callbacks


def long_training():
    """Rows, and a network that takes far longer for them than a test may."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(20_000, 200)).astype(np.float32)
    options = {"hidden_layer_sizes": (200, 200), "max_iter": 100_000, "tol": 0.0}
    options |= {"n_iter_no_change": 100_000, "max_time": 0.001, "random_state": 0}
    return X, rng.integers(0, 5, len(X)), options


@pytest.mark.parametrize("make", [DNNClassifier, DNNRegressor])
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
        assert model.partial_fit(X, y).t_ < 2 * len(X)


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
    assert [info.loss for info in told] == model.loss_curve_
    assert [info.validation_score for info in told] == model.validation_scores_
    assert [info.validation_loss for info in told] == model.validation_losses_
    assert {info.max_iter for info in told} == {200}


def test_callback_of_partial_fit(iris):
    told = []
    DNNClassifier(callback=told.append).partial_fit(*iris, classes=[0, 1, 2])
    assert [info.epoch for info in told] == [1]


@pytest.mark.parametrize("make", [DNNClassifier, DNNRegressor])
def test_verbose_shows_a_progress_bar(iris, capsys, make):
    pytest.importorskip("tqdm")
    model = make(max_iter=3, verbose=True).fit(*iris, X_val=iris[0], y_val=iris[1])
    shown = capsys.readouterr()
    assert shown.out == ""
    for words in (make.__name__, "3/3", f"loss={model.loss_:.4g}", "held-out loss=", "score="):
        assert words in shown.err
    make(max_iter=3).fit(*iris)
    assert capsys.readouterr().err == ""


def test_verbose_without_tqdm(iris, monkeypatch):
    monkeypatch.setitem(sys.modules, "tqdm", None)
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    with pytest.raises(ImportError, match="verbose needs tqdm"):
        DNNClassifier(max_iter=3, verbose=True).fit(*iris)


# --------------------------------------------------------------------------------- newbob


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


# -------------------------------------------------------------------------------- scoring


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
    own, predicted = {"mine", "theirs", "accuracy", "score"}, plain.predict(X[1::2])
    if own & set(names):
        name = names[-1]
        assert metrics[name][-1] == pytest.approx(accuracy_score(y[1::2], predicted))


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
    model = DNNClassifier((5,), max_iter=5, random_state=0, scoring=scoring)
    model.fit(X, y, X_val=X, y_val=y, sample_weight_val=weight)
    p, predicted = model.predict_proba(X), model.predict(X)
    assert model.validation_losses_[-1] == pytest.approx(log_loss(y, p, sample_weight=weight))
    assert model.validation_scores_[-1] == pytest.approx(
        accuracy_score(y, predicted, sample_weight=weight), rel=1e-12
    )
    assert len(model.validation_losses_) == 5


def test_weights_of_a_split_go_with_its_rows(iris):
    X, y = iris
    weight = np.where(y == 0, 1e-6, 1.0)
    model = DNNClassifier(early_stopping=True, max_iter=3, random_state=0, scoring="accuracy")
    model.fit(X, y, weight)
    assert len(model.validation_scores_) == 3
    np.testing.assert_allclose(model.class_prior_[0], 0.0, atol=1e-5)


# ---------------------------------------------------------------------------------- priors


@pytest.fixture
def uneven():
    """A model of three classes of unequal shares, and its rows."""
    X, y = learnable_classes(300)
    kept = np.r_[np.flatnonzero(y == 0)[:20], np.flatnonzero(y != 0)]
    model = DNNClassifier((5,), max_iter=20, random_state=0).fit(X[kept], y[kept])
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


# -------------------------------------------------------------------------------- resuming


@pytest.mark.parametrize("dropout", [0.0, 0.3])
@pytest.mark.parametrize("shuffle", [False, True])
@pytest.mark.parametrize("solver", ["adam", "sgd"])
def test_two_and_two_epochs_equal_four(solver, shuffle, dropout):
    X, y = learnable_classes()
    options = {
        "hidden_layer_sizes": (9,), "solver": solver, "shuffle": shuffle, "dropout": dropout,
        "batch_size": 32, "random_state": 0, "tol": 0.0,
    }  # fmt: skip
    four = DNNClassifier(max_iter=4, **options).fit(X, y)
    twice = DNNClassifier(max_iter=2, warm_start=True, **options).fit(X, y).fit(X, y)
    assert np.array_equal(twice.network_.parameters, four.network_.parameters)
    assert twice.loss_curve_ == four.loss_curve_
    # Without norm: rows that come again move its mean by a rounding error.
    four = DNNClassifier(max_iter=4, norm=False, **options).fit(X, y)
    mixed = DNNClassifier(max_iter=2, norm=False, warm_start=True, **options).fit(X, y)
    mixed.partial_fit(X, y).partial_fit(X, y)
    parts = DNNClassifier(norm=False, **options)
    for _ in range(4):
        parts.partial_fit(X, y, classes=[0, 1, 2])
    for other in (mixed, parts):
        assert np.array_equal(other.network_.parameters, four.network_.parameters)
        assert other.loss_curve_ == four.loss_curve_
        assert (other.n_iter_, other.t_) == (4, 412)


def test_warm_start_goes_on_by_lbfgs():
    X, y = learnable_classes()
    options = {"hidden_layer_sizes": (5,), "random_state": 0, "warm_start": True}
    model = DNNClassifier(max_iter=3, **options).fit(X, y)
    loss = model.loss_
    model.set_params(solver="lbfgs", max_iter=20).fit(X, y)
    assert model.loss_ < loss
    assert model.n_iter_ == len(model.loss_curve_) > 3
    assert model.set_params(solver="adam").partial_fit(X, y).n_iter_ == len(model.loss_curve_)


# ---------------------------------------------------------------------------------- errors


@pytest.mark.parametrize(
    ("parameters", "error", "words"),
    [
        ({"activation": "swish"}, ValueError, "activation must be one of"),
        ({"solver": "lbfgs", "max_fun": 0}, ValueError, "max_fun"),
        ({"dropout": 1.0}, ValueError, "dropout"),
        ({"dropout": -0.1}, ValueError, "dropout"),
        ({"dropout": 0.1, "solver": "lbfgs"}, ValueError, "dropout"),
        ({"label_smoothing": 1.0}, ValueError, "label_smoothing"),
        ({"class_weight": "even"}, ValueError, "class_weight must be one of"),
        ({"class_weight": {7: 1.0}}, ValueError, "class_weight"),
        ({"scoring": "nonsense"}, ValueError, "scoring"),
        ({"scoring": 3}, (TypeError, ValueError), "scoring"),
        ({"scoring": ["accuracy", "nonsense"]}, ValueError, "scoring"),
        ({"scoring": "accuracy"}, ValueError, "scoring needs validation rows"),
        ({"max_time": 0}, ValueError, "max_time"),
        ({"max_time": "1 s"}, TypeError, "max_time"),
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
    assert np.array_equal(model.predict_proba(X), before)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"sample_weight_val": np.ones(150)}, "sample_weight_val needs X_val"),
        ({"y_val": np.zeros(150)}, "X_val and y_val"),
        (
            {"X_val": np.zeros((2, 4)), "y_val": [0, 1], "sample_weight_val": np.ones(3)},
            "weight.* must have shape",
        ),
        ({"X_val": np.full((2, 4), np.inf), "y_val": [0, 1]}, "infinity"),
        ({"X_val": np.zeros((0, 4)), "y_val": np.zeros(0, int)}, "0 sample|at least 1"),
        ({"X_val": np.zeros((2, 4)), "y_val": np.eye(3)[:2]}, "y_val|1d"),
        ({"y": np.full((150, 3), 0.5)}, "probabilities that add up to 1"),
        ({"y": np.tile([1.5, -0.5], (150, 1))}, "probabilities that add up to 1"),
        ({"y": np.full(150, 0.5)}, "Unknown label type"),
        ({"y": np.tile([1, 2], (150, 1))}, "y .*0 and 1"),
        ({"y": np.tile([-1, 1], (150, 1))}, "y .*0 and 1"),
        ({"y": np.tile([0, 1, 2], (150, 1))}, "1d"),
        ({"y": None}, "y"),
    ],
)
def test_bad_arguments_leave_the_model_as_it_was(iris, arguments, words):
    X, y = iris
    model = DNNClassifier(max_iter=2, random_state=0).fit(X, y)
    before = model.predict_proba(X)
    with pytest.raises(ValueError, match=words):
        model.fit(**({"X": X, "y": y} | arguments))
    assert np.array_equal(model.predict_proba(X), before)


def test_class_weight_needs_labels():
    X, _ = learnable_classes()
    with pytest.raises(ValueError, match="class_weight needs labels"):
        DNNClassifier(class_weight={0: 1, 1: 1, 2: 2}).fit(X, probabilities())


@pytest.mark.parametrize("make", [DNNClassifier, DNNRegressor])
def test_what_partial_fit_cannot_do(iris, make):
    options = {"classes": [0, 1, 2]} if make is DNNClassifier else {}
    with pytest.raises(ValueError, match="partial_fit does not support early_stopping=True"):
        make(early_stopping=True).partial_fit(*iris, **options)
    with pytest.raises(AttributeError, match="partial_fit") as error:
        make(solver="lbfgs").partial_fit(*iris, **options)
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
            with pytest.raises(ValueError, match="cannot go on with"):
                resume(X, y)


@pytest.mark.parametrize("make", [DNNClassifier, DNNRegressor])
def test_patience_without_end(make, iris):
    model = make((5,) if make is DNNClassifier else "squared_error", max_iter=30, tol=1e6)
    model.set_params(n_iter_no_change=np.inf, random_state=0).fit(*iris)
    assert model.n_iter_ == 30
    with pytest.raises((TypeError, ValueError), match="n_iter_no_change"):
        model.set_params(n_iter_no_change=-np.inf).fit(*iris)


def test_too_few_rows_to_judge_by_are_called_by_their_parameter():
    X, y = learnable_classes(10)
    model = DNNRegressor(early_stopping=True, validation_fraction=0.1)
    with pytest.raises(ValueError, match=r"validation_fraction=0.1 of the rows must be at least 2"):
        model.fit(X, y)
    with pytest.raises(ValueError, match="X_val must be at least 2 rows for the score, got 1"):
        model.fit(X, y, X_val=X[:1], y_val=y[:1])
    assert not hasattr(model, "network_")
