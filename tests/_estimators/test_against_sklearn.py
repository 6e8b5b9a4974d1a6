"""scikit-learn's perceptrons and ours side by side, where both mean the same."""

import inspect

import numpy as np
import pandas as pd
import pytest
from perceptrons import PAIRS, TAKES_WEIGHTS, alike, assert_same_weights, each_estimator, each_pair
from samples import learnable_classes, learnable_numbers
from scipy.sparse import csr_matrix
from sklearn.datasets import (
    load_iris,
    make_multilabel_classification,
)
from sklearn.neural_network import MLPClassifier, MLPRegressor

from dnncore import DNNClassifier, DNNRegressor

if not TAKES_WEIGHTS:
    pytest.skip("compares with scikit-learn 1.7 or later", allow_module_level=True)

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


TARGETS = {
    "classes": (*PAIRS[0], learnable_classes()),
    "numbers": (*PAIRS[1], learnable_numbers()),
    "two numbers": (*PAIRS[1], learnable_numbers(n_outputs=2)),
}
SOLVERS = {
    "sgd": {"solver": "sgd", "momentum": 0.0},
    "momentum": {"solver": "sgd", "nesterovs_momentum": False},
    "nesterov": {"solver": "sgd"},
    "adam": {"solver": "adam"},
}


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("activation", ["logistic", "tanh", "relu", "identity"])
@pytest.mark.parametrize("target", TARGETS)
def test_epochs_equal_those_of_scikit_learn(target, activation, solver, weighted):
    mine, their, (X, y) = TARGETS[target]  # 103 rows in batches of 32: the last batch is short
    weight = np.random.default_rng(1).random(len(X)) if weighted else None
    options = {
        "hidden_layer_sizes": (9, 5), "activation": activation, "alpha": 0.5, "batch_size": 32,
        "random_state": 3, "learning_rate_init": 0.02, "max_iter": 4, **SOLVERS[solver],
    }  # fmt: skip
    theirs = alike(their, **options).fit(X, y, weight)
    output = "predict_proba" if target == "classes" else "predict"
    for engine in ("builtin", "blas"):
        ours = alike(mine, engine=engine, **options).fit(X, y, weight)
        assert_same_weights(ours, theirs)
        found, expected = (getattr(model, output)(X) for model in (ours, theirs))
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-9)
        if target != "two numbers":
            # Of these MLPRegressor reports the mean loss, and descends that of their sum.
            np.testing.assert_allclose(ours.loss_curve_, theirs.loss_curve_, rtol=0, atol=1e-10)


@pytest.mark.skipif("loss" not in MLPRegressor().get_params(), reason="an older scikit-learn")
@pytest.mark.parametrize("weighted", [False, True])
def test_poisson_deviances_step_alike(weighted):
    X, y = learnable_numbers()
    y = np.random.default_rng(2).poisson(np.exp(y))
    weight = np.random.default_rng(1).random(len(X)) if weighted else None
    options = {"loss": "poisson", "max_iter": 4, "batch_size": 32}
    ours, theirs = (
        alike(make, **options).fit(X, y, weight) for make in (DNNRegressor, MLPRegressor)
    )
    assert_same_weights(ours, theirs)
    np.testing.assert_allclose(ours.loss_curve_, theirs.loss_curve_, rtol=0, atol=1e-10)
    np.testing.assert_allclose(ours.predict(X), theirs.predict(X), rtol=1e-9)
    assert ours.out_activation_ == theirs.out_activation_ == "exp"
    assert ours.score(X, y) == pytest.approx(theirs.score(X, y), rel=1e-9)


def test_several_labels_step_alike():
    X, Y = make_multilabel_classification(n_samples=103, n_classes=3, random_state=0)
    X = X / 10.0
    ours, theirs = (
        alike(make, max_iter=4, batch_size=32).fit(X, Y) for make in (DNNClassifier, MLPClassifier)
    )
    assert_same_weights(ours, theirs)
    np.testing.assert_allclose(ours.loss_curve_, theirs.loss_curve_, rtol=0, atol=1e-10)
    np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), rtol=0, atol=1e-9)
    assert np.array_equal(ours.predict(X), theirs.predict(X))
    assert ours.predict(X).dtype.kind == theirs.predict(X).dtype.kind == "i"
    assert ours.out_activation_ == theirs.out_activation_ == "logistic"
    assert ours.score(X, Y) == theirs.score(X, Y)
    for model in (ours, theirs):
        model.partial_fit(X, Y)
    assert_same_weights(ours, theirs)


@each_pair
def test_sparse_rows_step_alike(mine, their):
    X, y = learnable_classes()
    X = csr_matrix(X * (X > 0.5))
    ours, theirs = (alike(make, max_iter=4, batch_size=32).fit(X, y) for make in (mine, their))
    assert_same_weights(ours, theirs)
    np.testing.assert_allclose(ours.predict(X), theirs.predict(X), rtol=0, atol=1e-9)


@each_pair
def test_float32_stays_float32(mine, their):
    X, y = learnable_classes()
    X = X.astype(np.float32)
    ours, theirs = (alike(make, max_iter=3).fit(X, y) for make in (mine, their))
    assert_same_weights(ours, theirs, atol=1e-5)
    assert ours.coefs_[0].dtype == theirs.coefs_[0].dtype == np.float32
    scores = "predict_proba" if mine is DNNClassifier else "predict"
    assert getattr(ours, scores)(X).dtype == getattr(theirs, scores)(X).dtype == np.float32


@each_estimator
def test_shuffling(make):
    X, y = learnable_classes()
    options = {"max_iter": 3, "batch_size": 10, "hidden_layer_sizes": (5,)}
    a, b = (alike(make, **options).fit(X, y) for _ in range(2))
    assert np.array_equal(a.coefs_[0], b.coefs_[0])
    c, d = (alike(make, **{**options, "shuffle": True}).fit(X, y) for _ in range(2))
    assert np.array_equal(c.coefs_[0], d.coefs_[0])
    assert not np.array_equal(a.coefs_[0], c.coefs_[0])


@each_pair
@pytest.mark.parametrize("batch_size", [1, 50, 103, 1000, "auto"])
@pytest.mark.filterwarnings("ignore:Got `batch_size` less than 1 or larger")
def test_batches(mine, their, batch_size):
    X, y = learnable_classes()
    ours, theirs = (
        alike(make, batch_size=batch_size, max_iter=2).fit(X, y) for make in (mine, their)
    )
    assert_same_weights(ours, theirs)
    assert ours.t_ == theirs.t_ == 206


@each_pair
def test_auto_is_batches_of_200(mine, their):
    X, y = learnable_classes(450)
    ours, theirs = (alike(make, max_iter=2).fit(X, y) for make in (mine, their))
    assert_same_weights(ours, theirs)


@each_pair
@pytest.mark.parametrize(
    "parameters",
    [
        {"beta_1": 0.5, "beta_2": 0.9, "epsilon": 1e-3},
        {"beta_1": 0.0},
        {"solver": "sgd", "momentum": 1.0},
        {"solver": "sgd", "momentum": 0.3, "nesterovs_momentum": False},
        {"alpha": 3.0},
        {"hidden_layer_sizes": ()},
        {"hidden_layer_sizes": 4},
        {"hidden_layer_sizes": [4, 3, 2]},
    ],
)
def test_parameters_mean_the_same(mine, their, parameters):
    X, y = learnable_classes()
    ours, theirs = (
        alike(make, max_iter=3, batch_size=32, **parameters).fit(X, y) for make in (mine, their)
    )
    assert_same_weights(ours, theirs)


# Ours standardises the features, so that sigmoid units and larger steps do well.
OTHER_DEFAULTS = {"learning_rate_init": 2e-3, "early_stopping": "auto"}


@each_pair
def test_every_parameter_is_there(mine, their):
    ours, theirs = (inspect.signature(make).parameters for make in (mine, their))
    assert list(ours)[: len(theirs)] == list(theirs)
    for name, parameter in theirs.items():
        assert ours[name].kind == parameter.kind
        assert ours[name].default == OTHER_DEFAULTS.get(name, parameter.default), name


def public(thing):
    return {name for name in dir(thing) if not name.startswith("_")}


def shapes(value):
    """Of an array or of each array of a list."""
    arrays = isinstance(value, list) and isinstance(value[0], np.ndarray)
    return [x.shape for x in value] if arrays else np.shape(value)


@each_pair
@pytest.mark.parametrize("early_stopping", [False, True])
def test_every_attribute_is_there(mine, their, early_stopping):
    iris = load_iris()
    X = pd.DataFrame(iris.data, columns=iris.feature_names)
    ours, theirs = (
        alike(make, early_stopping=early_stopping, max_iter=3).fit(X, iris.target)
        for make in (mine, their)
    )
    missing = public(theirs) - public(ours)
    # An attribute of MLPClassifier beside its parameters: there is one loss for each kind of
    # labels.
    assert missing == ({"loss"} if mine is DNNClassifier else set())
    for name in public(theirs) - missing:
        a, b = getattr(ours, name), getattr(theirs, name)
        assert callable(a) == callable(b), name
        if callable(a):
            names = [name for name in inspect.signature(a).parameters if name != "loss"]
            wanted = [name for name in inspect.signature(b).parameters if name != "loss"]
            if not name.startswith("set_"):
                assert names[: len(wanted)] == wanted, name
        elif name.endswith("_"):
            assert (a is None) == (b is None), name
            assert shapes(a) == shapes(b), name
    for name in ("n_layers_", "n_outputs_", "out_activation_", "n_features_in_", "t_", "n_iter_"):
        assert getattr(ours, name) == getattr(theirs, name)
    assert ours.feature_names_in_.tolist() == theirs.feature_names_in_.tolist()


def test_what_differs_by_design():
    X, y = learnable_classes()
    # Two classes have two outputs.
    ours, theirs = (
        alike(make, max_iter=1).fit(X, y > 0) for make in (DNNClassifier, MLPClassifier)
    )
    assert (ours.n_outputs_, ours.out_activation_) == (2, "softmax")
    assert (theirs.n_outputs_, theirs.out_activation_) == (1, "logistic")
    assert ours.predict_proba(X).shape == theirs.predict_proba(X).shape == (103, 2)
    # Epochs are counted from the beginning, as the loss curve is.
    ours, theirs = (
        alike(make, max_iter=2, warm_start=True) for make in (DNNClassifier, MLPClassifier)
    )
    assert (ours.fit(X, y).fit(X, y).n_iter_, theirs.fit(X, y).fit(X, y).n_iter_) == (4, 2)
