"""Dropout: the same units for any number of threads, and only in training."""

import numpy as np
import pytest
from differences import assert_close, jacobian
from samples import learnable_classes

from dnncore import DNNClassifier, DNNRegressor, Network
from dnncore.training import SGD, Trainer

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


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


@pytest.mark.parametrize("engine", ["builtin", "blas"])
@pytest.mark.parametrize("activation", ["tanh", "selu", "silu", "gelu", "mish"])
def test_a_step_is_the_gradient_of_the_loss_with_dropout(activation, engine):
    """The loss of a first step is a function of the parameters: the units dropped depend only on
    the seed."""
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(7, 4)), rng.integers(0, 3, 7)

    def step(parameters):
        network = Network((4, 9, 8, 3), activation=activation)
        network.parameters[...] = parameters
        solver = SGD(0.5, momentum=0)
        trainer = Trainer(
            network, solver, alpha=0.0, batch_size=7, dropout=0.4, seed=0, engine=engine
        )
        return trainer.run_epoch(X, y), (parameters - network.parameters) / 0.5

    start = Network((4, 9, 8, 3), seed=1, activation=activation).parameters
    _, gradient = step(start)
    numerical = jacobian(lambda parameters: step(parameters)[0], start)
    assert_close(gradient, numerical, 4)


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
