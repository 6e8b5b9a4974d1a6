"""DNNRegressor: the steps of MLPRegressor, its losses, and the units of its targets."""

import numpy as np
import pytest
from samples import learnable_numbers
from sklearn.exceptions import NotFittedError
from sklearn.metrics import r2_score
from sklearn.neural_network import MLPRegressor
from sklearn.utils.estimator_checks import parametrize_with_checks

import dnncore
from dnncore import DNNRegressor, Network
from dnncore.predictor import Predictor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

# Full batches and rates that do not depend on the number of rows, so that a weight equals a
# repetition of the row, as one of the checks wants.
CONFIGURATIONS = [
    DNNRegressor(),
    DNNRegressor("huber"),
    DNNRegressor(
        hidden_layer_sizes=(5, 4), solver="sgd", learning_rate="adaptive", learning_rate_init=0.1
    ),
    DNNRegressor(
        hidden_layer_sizes=(), solver="sgd", nesterovs_momentum=False, learning_rate_init=0.1
    ),
    DNNRegressor(
        hidden_layer_sizes=7, solver="sgd", momentum=0, learning_rate_init=0.2, norm=False,
        n_threads=2,
    ),
    DNNRegressor(activation="tanh", norm_target=False),
    DNNRegressor(activation="relu", learning_rate="newbob"),
    DNNRegressor(activation="identity", engine="blas"),
    DNNRegressor(hidden_layer_sizes=(4,), activation="tanh", solver="lbfgs", max_iter=50),
    DNNRegressor("huber", (), solver="lbfgs", max_iter=50, norm_target=False),
]  # fmt: skip


@pytest.mark.filterwarnings("ignore")
@parametrize_with_checks(CONFIGURATIONS)
def test_scikit_learn_checks(estimator, check):
    check(estimator)


# -------------------------------------------------------------------------- scikit-learn

SOLVERS = {
    "sgd": {"solver": "sgd", "momentum": 0.0},
    "momentum": {"solver": "sgd", "nesterovs_momentum": False},
    "nesterov": {"solver": "sgd"},
    "adam": {"solver": "adam"},
}


@pytest.mark.parametrize("engine", ["builtin", "blas"])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("n_outputs", [1, 2])
@pytest.mark.parametrize("name", SOLVERS)
def test_epochs_equal_those_of_scikit_learn(name, n_outputs, weighted, engine):
    X, y = learnable_numbers(
        n_outputs=n_outputs
    )  # 103 rows in batches of 32: the last batch is short
    weight = np.random.default_rng(1).random(len(X)) if weighted else None
    options = {
        "activation": "logistic", "alpha": 0.5, "batch_size": 32, "shuffle": False,
        "random_state": 3, "learning_rate_init": 0.05, "max_iter": 4, **SOLVERS[name],
    }  # fmt: skip
    theirs = MLPRegressor(hidden_layer_sizes=(9, 5), **options).fit(X, y, weight)
    ours = DNNRegressor(
        hidden_layer_sizes=(9, 5), norm=False, norm_target=False, engine=engine, **options
    ).fit(X, y, weight)
    for a, b in zip(
        ours.coefs_ + ours.intercepts_, theirs.coefs_ + theirs.intercepts_, strict=True
    ):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-10)
    np.testing.assert_allclose(ours.predict(X), theirs.predict(X), rtol=0, atol=1e-9)
    if n_outputs == 1:
        # Of several outputs MLPRegressor reports the mean loss, and descends that of their sum.
        np.testing.assert_allclose(ours.loss_curve_, theirs.loss_curve_, rtol=0, atol=1e-10)


@pytest.mark.parametrize("activation", ["tanh", "relu", "identity"])
def test_activations_equal_those_of_scikit_learn(activation):
    X, y = learnable_numbers(n_outputs=2)
    options = {"activation": activation, "random_state": 3, "shuffle": False, "max_iter": 4}
    theirs = MLPRegressor(hidden_layer_sizes=(9, 5), **options).fit(X, y)
    ours = DNNRegressor(
        hidden_layer_sizes=(9, 5), norm=False, norm_target=False, learning_rate_init=0.001,
        **options,
    ).fit(X, y)  # fmt: skip
    for a, b in zip(ours.coefs_, theirs.coefs_, strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-10)


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


# -------------------------------------------------------------------------------- losses


def huber(residual, delta):
    size = np.abs(residual)
    return np.where(size <= delta, 0.5 * size**2, delta * (size - 0.5 * delta))


@pytest.mark.parametrize("engine", ["builtin", "blas"])
@pytest.mark.parametrize("delta", [0.3, 1.0])
@pytest.mark.parametrize("n_outputs", [1, 2])
def test_a_step_of_huber(n_outputs, delta, engine):
    X, y = learnable_numbers(n_outputs=n_outputs)
    model = DNNRegressor(
        "huber", (5,), "logistic", solver="sgd", momentum=0.0, learning_rate_init=0.5,
        alpha=0.1, max_iter=1, huber_delta=delta, norm=False, norm_target=False, random_state=0,
        engine=engine,
    ).fit(X, y)  # fmt: skip
    network = Network((7, 5, n_outputs), seed=0, output="identity")
    start = network.parameters.copy()
    targets = y.reshape(len(y), -1)

    def loss(parameters):
        network.parameters[...] = parameters
        rows = huber(network.predict_proba(X) - targets, delta).sum(axis=1)
        return rows.mean() + 0.1 / 2 / len(X) * sum((W**2).sum() for W in network.coefs_)

    assert model.loss_ == pytest.approx(loss(start), rel=1e-12)
    step = 1e-5
    slopes = [
        (loss(start + step * unit) - loss(start - step * unit)) / (2 * step)
        for unit in np.eye(len(start))
    ]
    # The slope of the loss jumps in its second derivative only: differences are exact to
    # step^2, and to a rounding error of 1e-16 / step.
    np.testing.assert_allclose(
        model.network_.parameters, start - 0.5 * np.array(slopes), rtol=0, atol=1e-8
    )


def test_huber_with_a_large_delta_is_the_squared_error():
    X, y = learnable_numbers()
    options = {"hidden_layer_sizes": (5,), "max_iter": 5, "random_state": 0}
    squared = DNNRegressor(**options).fit(X, y)
    other = DNNRegressor("huber", huber_delta=1e6, **options).fit(X, y)
    np.testing.assert_allclose(other.predict(X), squared.predict(X), rtol=0, atol=1e-12)


def test_huber_is_robust():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(200, 3))
    clean = X @ [1.0, -2.0, 0.5]
    y = clean + np.where(rng.random(200) < 0.1, 50.0, 0.0)
    errors = [
        np.abs(
            DNNRegressor(loss, (), solver="lbfgs", norm_target=False, huber_delta=0.1)
            .fit(X, y)
            .predict(X)
            - clean
        ).max()
        for loss in ("squared_error", "huber")
    ]
    assert errors[0] > 3.0
    assert errors[1] < 0.1


# -------------------------------------------------------------------- weights and targets


@pytest.mark.parametrize("norm_target", [False, True])
@pytest.mark.parametrize("loss", ["squared_error", "huber"])
def test_weights_are_repetitions(loss, norm_target):
    X, y = learnable_numbers(60)
    weight = np.random.default_rng(0).integers(0, 4, 60)
    options = {
        "hidden_layer_sizes": (5,), "alpha": 0.1, "max_iter": 10, "random_state": 0,
        "batch_size": 1000, "shuffle": False, "norm_target": norm_target,
    }  # fmt: skip
    weighted = DNNRegressor(loss, **options).fit(X, y, weight)
    repeated = DNNRegressor(loss, **options).fit(np.repeat(X, weight, axis=0), np.repeat(y, weight))
    np.testing.assert_allclose(weighted.predict(X), repeated.predict(X), rtol=0, atol=1e-10)
    if norm_target:
        assert weighted.target_mean_ == pytest.approx([np.average(y, weights=weight)])


def test_predictions_are_in_the_units_of_the_targets(diabetes):
    X, y = diabetes
    options = {"hidden_layer_sizes": (8,), "max_iter": 20, "random_state": 0}
    model = DNNRegressor(**options).fit(X, y)
    assert model.target_mean_ == pytest.approx([y.mean()])
    assert model.target_scale_ == pytest.approx([y.std()])
    assert model.score(X, y) == pytest.approx(r2_score(y, model.predict(X)))
    moved = DNNRegressor(**options).fit(X, 1000 * y - 5e4)
    np.testing.assert_allclose(
        moved.predict(X), 1000 * model.predict(X) - 5e4, rtol=0, atol=1e-7 * 1000 * y.std()
    )
    np.testing.assert_allclose(moved.loss_curve_, model.loss_curve_, rtol=1e-7)
    assert model.loss_curve_[0] < 2.0  # in standard deviations
    plain = DNNRegressor(norm_target=False, **options).fit(X, y)
    assert plain.target_mean_.tolist() == [0.0]
    assert plain.target_scale_.tolist() == [1.0]
    assert plain.loss_curve_[0] > 1000.0


def test_a_constant_target():
    X = learnable_numbers()[0]
    y = np.c_[np.full(len(X), 0.1), X[:, 0]]
    model = DNNRegressor(hidden_layer_sizes=(), solver="lbfgs", max_iter=500).fit(X, y)
    assert model.target_scale_[0] == 1.0
    np.testing.assert_allclose(model.predict(X)[:, 0], 0.1, atol=1e-2)


def test_each_output_has_units_of_its_own():
    X, y = learnable_numbers(n_outputs=2)
    options = {"hidden_layer_sizes": (8,), "max_iter": 20, "random_state": 0}
    scale, shift = np.array([1.0, 1e6]), np.array([3.0, -1e6])
    model = DNNRegressor(**options).fit(X, y)
    moved = DNNRegressor(**options).fit(X, y * scale + shift)
    np.testing.assert_allclose(
        (moved.predict(X) - shift) / scale, model.predict(X), rtol=0, atol=1e-8
    )
    assert model.n_outputs_ == 2
    assert model.out_activation_ == "identity"
    assert model.predict(X).shape == (103, 2)
    assert model.score(X, y) == pytest.approx(r2_score(y, model.predict(X)))


def test_a_column_is_one_output():
    X, y = learnable_numbers()
    column = DNNRegressor(max_iter=2, random_state=0).fit(X, y[:, None])
    assert column.predict(X).shape == (103,)
    assert np.array_equal(
        column.predict(X), DNNRegressor(max_iter=2, random_state=0).fit(X, y).predict(X)
    )


@pytest.mark.parametrize("n_outputs", [1, 2])
def test_float32_goes_through(n_outputs):
    X, y = learnable_numbers(n_outputs=n_outputs)
    y = 1000 * y + 5000
    options = {"hidden_layer_sizes": (8,), "max_iter": 5, "random_state": 0}
    exact = DNNRegressor(**options).fit(X, y)
    model = DNNRegressor(**options).fit(X.astype(np.float32), y.astype(np.float32))
    assert model.network_.dtype == np.float32
    assert {a.dtype for a in model.coefs_ + model.intercepts_} == {np.dtype(np.float32)}
    assert model.predict(X).dtype == np.float32
    assert model.freeze().dtype == np.float32
    np.testing.assert_allclose(model.predict(X), exact.predict(X), rtol=1e-4)


# -------------------------------------------------------------------- frozen, saved, loaded


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n_outputs", [1, 2])
@pytest.mark.parametrize("norm_target", [False, True])
def test_frozen_and_saved_models_predict_the_same(tmp_path, norm_target, n_outputs, dtype):
    pytest.importorskip("safetensors")
    X, y = learnable_numbers(n_outputs=n_outputs, dtype=dtype)
    y = 30 * y - 100
    model = DNNRegressor(
        "huber", (6, 5), "tanh", norm_target=norm_target, max_iter=5, random_state=0
    ).fit(X, y)
    expected = model.predict(X)
    # Norm and units are folded into the weights: each sum is rounded anew.
    atol = 100 * np.finfo(dtype).eps * np.abs(expected).max()
    frozen = model.freeze()
    np.testing.assert_allclose(frozen.predict(X), expected.reshape(len(X), -1), rtol=0, atol=atol)
    assert frozen(X[0]).shape == (n_outputs,)
    path = tmp_path / "model.safetensors"
    model.save(path)
    np.testing.assert_array_equal(Predictor.load(path)(X), frozen(X))
    loaded = dnncore.load(path)
    assert isinstance(loaded, DNNRegressor)
    assert loaded.get_params() == model.get_params()
    assert np.array_equal(loaded.predict(X), expected)
    assert loaded.loss_curve_ == model.loss_curve_
    assert loaded.partial_fit(X, y).n_iter_ == 6
    assert loaded.predict(X).shape == expected.shape


# ------------------------------------------------------------------- stopping and resuming


def test_early_stopping_on_a_split(diabetes):
    X, y = diabetes
    model = DNNRegressor(
        hidden_layer_sizes=(8,), early_stopping=True, n_iter_no_change=3, random_state=0,
        learning_rate_init=0.05,
    ).fit(X, y)  # fmt: skip
    assert model.n_iter_ < 200
    assert len(model.validation_scores_) == len(model.validation_losses_) == model.n_iter_
    assert model.best_validation_score_ == max(model.validation_scores_)
    assert model.best_loss_ is None
    assert model.t_ == model.n_iter_ * (442 - 45)


def test_early_stopping_on_given_rows_keeps_the_best(diabetes):
    X, y = diabetes
    train, val = np.arange(0, 442, 2), np.arange(1, 442, 2)
    model = DNNRegressor(
        hidden_layer_sizes=(8,), early_stopping=True, random_state=0, learning_rate_init=0.05
    ).fit(X[train], y[train], X_val=X[val], y_val=y[val])
    assert model.score(X[val], y[val]) == pytest.approx(model.best_validation_score_, rel=1e-10)
    assert model.t_ == model.n_iter_ * 221


@pytest.mark.parametrize("solver", ["adam", "sgd"])
def test_two_and_two_epochs_equal_four(solver):
    X, y = learnable_numbers()
    options = {
        "hidden_layer_sizes": (5,), "solver": solver, "batch_size": 32, "random_state": 0,
    }  # fmt: skip
    four = DNNRegressor(max_iter=4, **options).fit(X, y)
    twice = DNNRegressor(max_iter=2, warm_start=True, **options).fit(X, y).fit(X, y)
    assert np.array_equal(twice.network_.parameters, four.network_.parameters)
    assert twice.loss_curve_ == four.loss_curve_
    # Without norm: rows that come again move its mean by a rounding error.
    four = DNNRegressor(max_iter=4, norm=False, **options).fit(X, y)
    parts = DNNRegressor(norm=False, **options)
    for _ in range(4):
        parts.partial_fit(X, y)
    assert np.array_equal(parts.network_.parameters, four.network_.parameters)
    assert parts.t_ == four.t_ == 4 * 103


def test_partial_fit_keeps_the_units_of_the_first_call():
    X, y = learnable_numbers()
    model = DNNRegressor(random_state=0).partial_fit(X, y)
    units = model.target_mean_.copy(), model.target_scale_.copy()
    model.partial_fit(X, 10 * y + 3)
    assert np.array_equal(model.target_mean_, units[0])
    assert np.array_equal(model.target_scale_, units[1])


def test_other_targets_on_resume_are_refused():
    X, y = learnable_numbers()
    model = DNNRegressor(max_iter=2, random_state=0, warm_start=True).fit(X, y)
    before = model.predict(X)
    for resume in (model.partial_fit, model.fit):
        with pytest.raises(ValueError, match="y must have 1 outputs as before"):
            resume(X, np.c_[y, y])
    with pytest.raises(ValueError, match="y_val must have 1 outputs"):
        model.fit(X, y, X_val=X, y_val=np.c_[y, y])
    assert np.array_equal(model.predict(X), before)


@pytest.mark.parametrize(
    ("parameters", "words"),
    [
        ({"loss": "poisson"}, "loss must be one of"),
        ({"loss": None}, "loss must be one of"),
        ({"huber_delta": 0.0}, "huber_delta"),
        ({"activation": "softmax"}, "activation must be one of"),
        ({"scoring": "r2"}, "scoring needs validation rows"),
        ({"dropout": 0.5, "solver": "lbfgs"}, "dropout"),
        ({"max_time": 0.0}, "max_time"),
    ],
)
def test_bad_parameters_leave_the_model_as_it_was(parameters, words):
    X, y = learnable_numbers()
    model = DNNRegressor(max_iter=2, random_state=0).fit(X, y)
    before = model.predict(X)
    model.set_params(**parameters)
    with pytest.raises(ValueError, match=words):
        model.fit(X[:, :2], np.c_[y, y])
    assert np.array_equal(model.predict(X), before)


@pytest.mark.parametrize(
    ("y", "words"),
    [
        (np.full(103, np.nan), "NaN"),
        (np.full(103, np.inf), "infinity"),
        (np.full(103, "a"), "convert"),
        (np.zeros(7), "inconsistent"),
        (np.zeros((103, 2, 2)), "dim"),
    ],
)
def test_bad_targets(y, words):
    model = DNNRegressor(max_iter=2)
    with pytest.raises(ValueError, match=words):
        model.fit(learnable_numbers()[0], y)
    with pytest.raises(NotFittedError):
        model.predict(learnable_numbers()[0])
