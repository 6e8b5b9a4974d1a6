"""The trainer: scikit-learn's steps, stopping, what is refused."""

import pickle
import warnings

import numpy as np
import pytest
from perceptrons import TAKES_WEIGHTS
from samples import random_classes
from sklearn.neural_network import MLPClassifier
from trainers import SIZES, trained

from dnncore import Network
from dnncore._core.names import ACTIVATIONS
from dnncore._training.checks import check_rows
from dnncore._training.settings import StopSettings
from dnncore._training.sources import ArraySource
from dnncore._training.trainer import fit_source
from dnncore.training import (
    LBFGS,
    SGD,
    Adam,
    AdamW,
    DivergenceWarning,
    EpochInfo,
    Trainer,
    Validation,
)

SOLVERS = {
    "sgd": (SGD(0.1, momentum=0), {"solver": "sgd", "momentum": 0}),
    "momentum": (SGD(0.1, nesterov=False), {"solver": "sgd", "nesterovs_momentum": False}),
    "nesterov": (SGD(0.1), {"solver": "sgd"}),
    "adam": (Adam(0.1), {"solver": "adam"}),
    "invscaling": (
        SGD(0.1, schedule="invscaling"),
        {"solver": "sgd", "learning_rate": "invscaling"},
    ),
    "adaptive": (
        SGD(0.1, schedule="adaptive"),
        {"solver": "sgd", "learning_rate": "adaptive", "tol": 1.0, "n_iter_no_change": 1},
    ),
}


@pytest.mark.parametrize("engine", ["builtin", "blas"])
@pytest.mark.parametrize("n_threads", [1, 3])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("name", SOLVERS)
def test_epochs_of_a_trainer_equal_those_of_scikit_learn(name, n_threads, weighted, engine):
    X, y = random_classes(SIZES)  # 203 rows in batches of 32: the last batch is short
    weight = np.random.default_rng(1).random(len(X)) if weighted else None
    solver, parameters = SOLVERS[name]
    theirs = MLPClassifier(
        SIZES[1:-1], activation="logistic", alpha=0.5, batch_size=32, shuffle=False,
        random_state=3, learning_rate_init=0.1, max_iter=4, **parameters,
    )  # fmt: skip
    if weighted and not TAKES_WEIGHTS:
        pytest.skip("compares with scikit-learn 1.7 or later")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it has not converged
        theirs.fit(X, y, **({"sample_weight": weight} if weighted else {}))
    network = Network(SIZES, seed=3)
    trainer = Trainer(
        network, solver, alpha=0.5, batch_size=32, shuffle=False, n_threads=n_threads, engine=engine
    )
    trainer.fit(
        X, y, weight, max_iter=4,
        tol=parameters.get("tol", 1e-4), n_iter_no_change=parameters.get("n_iter_no_change", 10),
    )  # fmt: skip
    for a, b in zip(
        network.coefs_ + network.intercepts_, theirs.coefs_ + theirs.intercepts_, strict=True
    ):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-10)
    np.testing.assert_allclose(trainer.history.loss_curve, theirs.loss_curve_, rtol=0, atol=1e-10)
    assert trainer.history.t == theirs.t_


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("sizes", [(3, 2), (1, 1), (16, 15, 17, 33, 4), (65, 31, 2)])
@pytest.mark.parametrize("rows", ["indices", "label rows", "weights"])
@pytest.mark.parametrize("engine", ["builtin", "blas"])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_a_step_is_the_gradient(dtype, sizes, rows, engine, activation):
    rng = np.random.default_rng(0)
    X, y = random_classes(sizes, 19, dtype)
    weight = rng.random(19).astype(dtype) if rows == "weights" else None
    if rows == "label rows":
        y = rng.random((19, sizes[-1])).astype(dtype)
    network = Network(sizes, dtype=dtype, seed=0, activation=activation)
    network.set_norm(rng.normal(size=sizes[0]), rng.uniform(1, 2, sizes[0]))
    before = network.parameters.copy()
    gradients = network.gradients(X, y, sample_weight=weight, alpha=0.1)
    trainer = Trainer(
        network, SGD(0.5, momentum=0), alpha=0.1, batch_size=19, n_threads=2, engine=engine
    )
    loss = trainer.run_epoch(X, y, weight)
    tolerance = 100 * float(np.finfo(dtype).eps)
    np.testing.assert_allclose(
        network.parameters, before - 0.5 * gradients.flat, rtol=0, atol=tolerance
    )
    assert loss == pytest.approx(gradients.loss, rel=tolerance)


def test_same_seed_same_bits():
    X, y = random_classes(SIZES)
    a, b, other = (trained(X, y, seed=seed) for seed in (1, 1, 2))
    assert np.array_equal(a.parameters, b.parameters)
    assert not np.array_equal(a.parameters, other.parameters)


def test_one_hot_rows_equal_indices():
    X, y = random_classes(SIZES)
    rows = np.eye(SIZES[-1])[y]
    a, b = trained(X, y, seed=0), trained(X, rows, seed=0)
    np.testing.assert_allclose(a.parameters, b.parameters, rtol=0, atol=1e-13)


def test_weights_are_repetitions_in_a_full_batch():
    X, y = random_classes(SIZES, 60)
    weight = np.random.default_rng(0).integers(0, 4, 60)
    options = {"alpha": 0.1, "batch_size": 1000, "shuffle": False}
    a = trained(X, y, weight, **options)
    b = trained(np.repeat(X, weight, axis=0), np.repeat(y, weight), **options)
    np.testing.assert_allclose(a.parameters, b.parameters, rtol=0, atol=1e-12)


def test_a_batch_without_weight_is_finite():
    X, y = random_classes(SIZES, 64)
    weight = np.r_[np.zeros(32), np.ones(32)]
    network = trained(X, y, weight, shuffle=False)
    assert np.isfinite(network.parameters).all()


def test_loss_falls_to_almost_zero_on_learnable_rows():
    X, _ = random_classes(SIZES, 200)
    y = (X[:, 0] + X[:, 1] > 0).astype(int)
    network = Network((13, 8, 2), seed=0)
    trainer = Trainer(network, Adam(0.02), seed=0)
    trainer.fit(X, y, max_iter=500, tol=0)
    assert trainer.history.loss_curve[-1] < 0.01
    assert (network.predict_proba(X).argmax(axis=1) == y).mean() == 1.0


def test_two_and_two_epochs_of_a_trainer_equal_four():
    X, y = random_classes(SIZES)
    for solver in (SGD(0.1), Adam(0.01)):
        four = trained(X, y, solver=solver, seed=5, epochs=4)
        network = Network(SIZES, seed=3)
        trainer = Trainer(network, solver, batch_size=32, seed=5)
        for _ in range(2):
            trainer.fit(X, y, max_iter=2)
        assert np.array_equal(network.parameters, four.parameters)


GOING_ON = {
    **{name: solver for name, (solver, _) in SOLVERS.items()},
    "newbob": Adam(0.1, schedule="newbob"),
    "adamw": AdamW(0.1, schedule="cosine"),
    "lbfgs": LBFGS(),
}


@pytest.mark.parametrize("dropout", [0.0, 0.4])
@pytest.mark.parametrize("name", GOING_ON)
def test_a_pickled_trainer_goes_on(name, dropout):
    """With the same bits: parameters, history, the order of rows, dropout, the solver's state."""
    X, y = random_classes(SIZES)
    solver = GOING_ON[name]
    if name == "lbfgs":
        dropout = 0.0
    trainer = Trainer(Network(SIZES, seed=3), solver, batch_size=32, dropout=dropout, seed=5)

    def go_on(trainer):
        if name != "lbfgs":
            trainer.run_epoch(X, y)
            trainer.step(X[:40], y[:40])
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            trainer.fit(X, y, max_iter=3)

    for _ in range(2):
        go_on(trainer)
        again = pickle.loads(pickle.dumps(trainer))
        assert again.network is not trainer.network
        for each in (trainer, again):
            go_on(each)
        np.testing.assert_array_equal(again.network.parameters, trainer.network.parameters)
        assert again.history == trainer.history
        assert again.learning_rate == trainer.learning_rate
        # One that lost its state would end elsewhere.
        fresh = Trainer(again.network, solver, batch_size=32, dropout=dropout, seed=5)
        go_on(fresh)
        go_on(trainer)
        assert (fresh.network.parameters != trainer.network.parameters).any()


def test_fit_stops_when_nothing_improves():
    X, y = random_classes(SIZES)
    trainer = Trainer(Network(SIZES, seed=0), SGD(1e-9))
    assert trainer.fit(X, y, max_iter=100, tol=1e-4, n_iter_no_change=3) == "converged"
    assert trainer.history.n_iter == 5  # the first improves on infinity, then more than 3 do not
    assert Trainer(Network(SIZES, seed=0)).fit(X, y, max_iter=2) == "max_iter"


def test_early_stopping_keeps_the_best_parameters():
    X, y = random_classes(SIZES)
    network = Network(SIZES, seed=0)
    trainer = Trainer(network, SGD(0.1))
    scores = iter([0.1, 0.7, 0.5, 0.6, 0.2, 0.3])
    seen = []

    def validate():
        seen.append(network.parameters.copy())
        return Validation(next(scores))

    end = trainer.fit(X, y, max_iter=9, validate=validate, early_stopping=True, n_iter_no_change=3)
    assert end == "converged"
    assert len(seen) == 6
    assert np.array_equal(network.parameters, seen[1])
    assert trainer.history.best_validation_score == 0.7


def test_the_best_of_all_epochs_without_stopping():
    X, y = random_classes(SIZES)
    losses = [np.nan, 0.3, 0.5, 0.3, np.nan, 0.7]
    for keep_last_best, best in ((False, 1), (True, 3)):
        network, seen, left = Network(SIZES, seed=0), [], iter(losses)

        def validate(network=network, seen=seen, left=left):
            seen.append(network.parameters.copy())
            return Validation(loss=next(left))

        settings = StopSettings(
            6, n_iter_no_change=np.inf, validate=validate, early_stopping="loss",
            keep_last_best=keep_last_best,
        )  # fmt: skip
        source = ArraySource(*check_rows(network, X, y, None))
        assert fit_source(Trainer(network, SGD(0.1)), source, settings) == "max_iter"
        assert len(seen) == 6
        np.testing.assert_array_equal(network.parameters, seen[best])


def test_callback_is_told_of_every_epoch():
    X, y = random_classes(SIZES)
    told = []
    trainer = Trainer(Network(SIZES, seed=0))
    trainer.fit(X, y, max_iter=3, callback=told.append, validate=lambda: Validation(0.5))
    assert [info.epoch for info in told] == [1, 2, 3]
    assert told[0] == EpochInfo(1, 3, trainer.history.loss_curve[0], 0.5, 0.001)


def test_a_callback_that_fails_leaves_a_usable_network():
    X, y = random_classes(SIZES)
    network = Network(SIZES, seed=0)
    with pytest.raises(ZeroDivisionError):
        Trainer(network).fit(X, y, callback=lambda info: 1 / 0)
    assert np.isfinite(network.predict_proba(X)).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_divergence_goes_back_to_the_last_finite_epoch(dtype):
    X, y = random_classes(SIZES, dtype=dtype)
    network = Network(SIZES, dtype=dtype, seed=0)
    trainer = Trainer(network, SGD(0.1))
    trainer.fit(X, y, max_iter=2)
    before = network.parameters.copy()
    trainer.configure(SGD(1e300 if dtype == np.float64 else 1e38))
    with pytest.warns(DivergenceWarning, match="learning_rate_init"):
        assert trainer.fit(X * 1e3, y, max_iter=50, tol=0) == "diverged"
    assert np.isfinite(network.parameters).all()
    assert trainer.history.n_iter == 2
    assert np.array_equal(network.parameters, before)
    trainer.configure(SGD(0.01))
    assert np.isfinite(trainer.run_epoch(X, y))


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"X": np.zeros((0, 13))}, ValueError, "X must have at least 1 row"),
        ({"X": np.full((203, 13), np.nan)}, ValueError, "X must be finite, got nan in row 0"),
        ({"y": np.full(203, 5)}, ValueError, r"y must lie in \[0, 5\), got 5 in row 0"),
        ({"y": np.full(203, -1)}, ValueError, r"y must lie in \[0, 5\), got -1 in row 0"),
        ({"y": np.zeros(203)}, TypeError, "y must be integer class indices"),
        ({"y": np.zeros(7, int)}, ValueError, r"y must have shape \(203,\)"),
        ({"y": np.zeros((203, 4))}, ValueError, r"y must have shape \(203, 5\)"),
        ({"y": np.full((203, 5), np.inf)}, ValueError, "y must be finite"),
        ({"y": np.zeros((203, 5), np.float32)}, TypeError, "y must have dtype float64"),
        ({"sample_weight": np.zeros(203)}, ValueError, "sample_weight must not be all zero"),
        (
            {"sample_weight": -np.ones(203)},
            ValueError,
            "sample_weight must be finite and non-negative",
        ),
        ({"sample_weight": np.ones(3)}, ValueError, "sample_weight must have shape"),
        ({"sample_weight": np.full(203, "a")}, TypeError, "sample_weight must be real numbers"),
        ({"max_iter": 0}, ValueError, "max_iter must lie in"),
        ({"max_iter": 1.5}, TypeError, "max_iter must be an integer"),
        ({"tol": -1}, ValueError, "tol must lie in"),
        ({"n_iter_no_change": 0}, ValueError, "n_iter_no_change must lie in"),
        ({"early_stopping": True}, ValueError, "needs validate"),
    ],
)
def test_bad_arguments_of_fit_change_nothing(change, error, words):
    X, y = random_classes(SIZES)
    network = Network(SIZES, seed=0)
    before = network.parameters.copy()
    trainer = Trainer(network, SGD(0.1))
    with pytest.raises(error, match=words):
        trainer.fit(**({"X": X, "y": y} | change))
    assert np.array_equal(network.parameters, before)
    assert trainer.history.n_iter == 0


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: Trainer(Network((2, 2)), alpha=-1), ValueError, "alpha must lie in"),
        (lambda: Trainer(Network((2, 2)), batch_size=0), ValueError, "batch_size must lie in"),
        (lambda: Trainer(Network((2, 2)), n_threads=0), ValueError, "n_threads must lie in"),
        (
            lambda: Trainer(Network((2, 2)), n_threads=True),
            TypeError,
            "n_threads must be an integer",
        ),
    ],
)
def test_bad_settings(make, error, words):
    with pytest.raises(error, match=words):
        make()


@pytest.mark.parametrize("alpha", [np.inf, -np.inf, np.nan, -1e-300, np.float32("inf")])
def test_a_penalty_that_is_no_penalty(alpha):
    X, y = random_classes(SIZES)
    network = Network(SIZES, seed=0)
    before, message = network.parameters.copy(), "alpha must (lie in|be finite)"
    with pytest.raises(ValueError, match=message):
        Trainer(network, alpha=alpha)
    for compute in (network.loss, network.gradients):
        with pytest.raises(ValueError, match=message):
            compute(X, y, alpha=alpha)
    assert np.array_equal(network.parameters, before)
