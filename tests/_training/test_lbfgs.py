"""L-BFGS: the way of scikit-learn, the minimum, limits, blocks of rows."""

import numpy as np
import pytest
from perceptrons import alike, each_estimator
from samples import learnable_classes
from sklearn.datasets import (
    load_digits,
)
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

from dnncore import DNNClassifier, DNNRegressor, Network, load
from dnncore._core.labels import Labels
from dnncore._training import gradients, lbfgs
from dnncore.training import LBFGS, DivergenceWarning, Trainer

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


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


def test_linear_regression_by_lbfgs(diabetes):
    X, y = diabetes
    model = DNNRegressor(
        hidden_layer_sizes=(), solver="lbfgs", alpha=0.0, tol=1e-10, max_iter=1000, random_state=0
    ).fit(X, y)
    ones = np.c_[X, np.ones(len(X))]
    least_squares = ones @ np.linalg.lstsq(ones, y, rcond=None)[0]
    # L-BFGS ends when the loss falls by less than 2e-9 of it in a step: in standard deviations
    # of y the predictions are within the square root of that, times a few.
    np.testing.assert_allclose(model.predict(X), least_squares, rtol=0, atol=1e-3 * y.std())


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


def test_lbfgs_with_a_gradient_whose_square_is_zero():
    network = Network((1, 2), seed=0)
    network.parameters[...] = 0.0
    network.coefs_[0][0, 1] = 500.0
    before = network.parameters.copy()
    trainer = Trainer(network, LBFGS(), alpha=0.0)
    X, y = np.ones((4, 1)), np.ones(4, int)
    assert 0.0 < np.abs(network.gradients(X, y).flat).max() < 1e-200
    assert trainer.fit(X, y, tol=0.0) == "converged"
    np.testing.assert_array_equal(network.parameters, before)


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

    of_block = gradients.RowGradients._of_block

    def witness(self, i, parameters):
        sums = of_block(self, i, parameters)
        seen.append((sums.n_rows, sums.weight > 0.0))
        return sums

    monkeypatch.setattr(gradients.RowGradients, "_of_block", witness)
    monkeypatch.setattr(gradients, "MAX_ELEMENTS", 20 * (4 + 5 + 3))
    model = DNNClassifier((5,), **options).fit(X, y, weight)
    assert seen[:10] == [(16, i >= 2) for i in range(9)] + [
        (6, True)
    ]  # the first 40 have no weight
    np.testing.assert_allclose(model.loss_curve_, expected.loss_curve_, rtol=1e-9)
    np.testing.assert_allclose(model.coefs_[0], expected.coefs_[0], rtol=1e-6, atol=1e-9)


def test_lbfgs_stops_early(iris):
    X, y = iris
    model = DNNClassifier(
        solver="lbfgs", early_stopping=True, n_iter_no_change=2, alpha=0.0, random_state=0
    ).fit(X[::2], y[::2], X_val=X[1::2], y_val=y[1::2])
    assert len(model.validation_scores_) == model.n_iter_ < 200
    assert model.score(X[1::2], y[1::2]) == model.best_validation_score_


@pytest.mark.parametrize("solver", ["lbfgs", "adam"])
def test_xor_is_learnt(solver):
    X = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    y = np.array(["even", "odd", "odd", "even"])
    options = {} if solver == "lbfgs" else {"learning_rate_init": 0.05, "max_iter": 600}
    model = DNNClassifier((20,), "tanh", solver=solver, random_state=1, **options).fit(X, y)
    assert model.predict(X).tolist() == y.tolist()
    assert model.predict_proba(X).shape == (4, 2)
    assert model.predict_proba(X).max(axis=1).min() > 0.8


def test_xor_as_numbers_is_learnt():
    X = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    y = np.array([0.0, 1.0, 1.0, 0.0])
    model = DNNRegressor("squared_error", (20,), "tanh", solver="lbfgs", random_state=1)
    np.testing.assert_allclose(model.fit(X, y).predict(X), y, atol=0.1)


@pytest.mark.parametrize("activation", ["logistic", "tanh", "relu", "identity", "selu", "mish"])
def test_digits_are_learnt(activation):
    X, y = load_digits(n_class=3, return_X_y=True)
    X, y = X[:300] / 16.0, y[:300]
    model = DNNClassifier((20,), activation, solver="lbfgs", max_iter=150, random_state=1)
    assert model.fit(X[:200], y[:200]).score(X[:200], y[:200]) > 0.98
    assert model.score(X[200:], y[200:]) > 0.95


def test_diabetes_is_learnt(diabetes):
    X, y = diabetes
    model = DNNRegressor("squared_error", (10,), solver="lbfgs", max_iter=50, random_state=1)
    assert model.fit(X, y).score(X, y) > 0.5


def test_more_alpha_makes_smaller_weights():
    X, y = learnable_classes()
    models = [
        DNNClassifier((10,), solver="lbfgs", alpha=alpha, random_state=1).fit(X, y)
        for alpha in (0.1, 1.0, 10.0)
    ]
    norms = [sum(np.square(W).sum() for W in model.coefs_) for model in models]
    assert norms[0] > norms[1] > norms[2]


@each_estimator
def test_lbfgs_counts_evaluations(make):
    X, y = learnable_classes()
    with pytest.warns(ConvergenceWarning, match="max_fun=10 "):
        model = alike(make, solver="lbfgs", max_fun=10, max_iter=1000).fit(X, y)
    assert 0 < model.n_iter_ <= 11


@pytest.mark.parametrize("output", ["softmax", "logistic", "identity", "exp"])
@pytest.mark.parametrize("engine", ["builtin", "blas"])
def test_the_objective_is_that_of_back_propagation(engine, output):
    rng = np.random.default_rng(0)
    X, weight = rng.normal(size=(50, 4)), rng.uniform(0, 2, 50)
    Y = rng.integers(0, 2, (50, 3)).astype(float)
    network = Network((4, 6, 3), seed=0, output=output)
    network.update_norm(X + 3.0)
    labels = Labels.of(Y, weight)
    trainer = Trainer(network, LBFGS(), alpha=0.7, engine=engine)
    expected = network.back_propagate(X, labels, alpha=0.7)
    objective = lbfgs.Objective(trainer, gradients.RowGradients(trainer, X, labels))
    before = network.parameters.copy()
    assert objective.accept()
    assert objective.loss == pytest.approx(expected.loss, rel=1e-13)
    np.testing.assert_allclose(objective.gradient, expected.flat, rtol=1e-11, atol=1e-14)
    np.testing.assert_array_equal(network.parameters, before)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_many_fits_of_one_iteration_are_one_of_many(iris, tmp_path, dtype):
    X, y = iris[0][:, :3].astype(dtype), iris[0][:, 3]
    options = {"solver": "lbfgs", "random_state": 0, "early_stopping": False}
    at_once = DNNRegressor(max_iter=60, **options).fit(X, y)
    model = DNNRegressor(max_iter=1, warm_start=True, **options)
    for i in range(60):
        model.fit(X, y)
        if i % 20 == 5:
            model.save(tmp_path / "model.safetensors", solver_state=True)
            model = load(tmp_path / "model.safetensors")
    assert model.loss_curve_ == at_once.loss_curve_
    np.testing.assert_array_equal(model.network_.parameters, at_once.network_.parameters)


def test_curvature_that_makes_no_sense_is_forgotten(iris):
    X, y = iris
    trainer = Trainer(Network((4, 5, 3), seed=0), LBFGS())
    n = trainer.network.n_parameters
    for s, change in (
        (np.zeros(n), np.zeros(n)),
        (np.ones(n), -np.ones(n)),
        (np.ones(n), np.ones(n)),
    ):
        state = trainer.state_dict() | {"vectors": [s, change]}
        trainer.load_state_dict(state)
        before = trainer.network.loss(X, y)
        trainer.fit(X, y, max_iter=3)
        assert trainer.network.loss(X, y) < before


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_loss_that_is_not_finite_is_no_convergence(dtype):
    network = Network((2, 3, 1), seed=0, dtype=dtype, activation="identity", output="identity")
    X = np.full((5, 2), np.finfo(dtype).max / 4, dtype)
    before = network.parameters.copy()
    with pytest.warns(DivergenceWarning, match="in epoch 1"):
        assert Trainer(network, LBFGS()).fit(X, np.zeros(5, dtype)) == "diverged"
    np.testing.assert_array_equal(network.parameters, before)


@pytest.mark.usefixtures("builtin_engine")
def test_the_same_bits_for_any_number_of_threads(iris):
    X, y = iris
    models = [
        DNNClassifier((40,), solver="lbfgs", max_iter=9, n_threads=n, random_state=0).fit(X, y)
        for n in (1, 2, 3)
    ]
    for model in models[1:]:
        np.testing.assert_array_equal(model.network_.parameters, models[0].network_.parameters)
