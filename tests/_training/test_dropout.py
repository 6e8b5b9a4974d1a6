"""Dropout: the same units for any number of threads, and only in training."""

import numpy as np
import pytest
from samples import learnable_classes

from dnncore import DNNClassifier, DNNRegressor

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
