"""DNNRegressor: its losses, weights and copies."""

import numpy as np
import pytest
from samples import learnable_numbers

import dnncore
from dnncore import DNNRegressor, Network
from dnncore.predictor import Predictor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


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
