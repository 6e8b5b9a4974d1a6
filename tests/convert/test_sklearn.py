"""scikit-learn's perceptrons, fitted there, predict the same and train on here."""

import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from perceptrons import TAKES_WEIGHTS
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler

import dnncore
from dnncore import DNNClassifier, DNNRegressor

pytestmark = [
    pytest.mark.filterwarnings("ignore:Stochastic Optimizer"),
    pytest.mark.filterwarnings("ignore:lbfgs failed to converge"),
    pytest.mark.filterwarnings("ignore:max_iter"),
]

RNG = np.random.default_rng(0)
X = RNG.normal(3, 2, size=(90, 5))
TARGETS = {
    "binary": X[:, 0] > 3,
    "binary strings": np.where(X[:, 0] > 3, "yes", "no"),
    "multiclass": RNG.integers(4, 8, 90),
    "objects": RNG.choice(["a", "b", "c"], 90).astype(object),
    "multilabel": (X[:, :3] > 3).astype(int),
}
CLOSE = {"rtol": 0, "atol": 1e-12}


def fitted(kind, y, scaler=None, X=X, **params):
    mlp = kind(**({"hidden_layer_sizes": (7,), "max_iter": 5, "random_state": 0} | params))
    return (mlp if scaler is None else make_pipeline(scaler, mlp)).fit(X, y)


@pytest.mark.parametrize("target", TARGETS)
@pytest.mark.parametrize("scaler", [None, StandardScaler()])
@pytest.mark.parametrize("solver", ["adam", "sgd", "lbfgs"])
def test_classifiers_predict_the_same(target, scaler, solver):
    theirs = fitted(MLPClassifier, TARGETS[target], scaler, solver=solver)
    ours = DNNClassifier.from_sklearn(theirs)
    np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), **CLOSE)
    assert np.array_equal(ours.predict(X), theirs.predict(X))
    assert ours.predict(X).dtype.kind == theirs.predict(X).dtype.kind
    assert np.array_equal(ours.classes_, theirs.classes_)
    assert ours.score(X, TARGETS[target]) == theirs.score(X, TARGETS[target])
    predictor = ours.freeze()
    np.testing.assert_allclose(predictor(X), theirs.predict_proba(X), **CLOSE)


@given(
    activation=st.sampled_from(["logistic", "tanh", "relu", "identity"]),
    hidden=st.lists(st.integers(1, 20), max_size=3),
    n_classes=st.integers(2, 5),
    scaled=st.booleans(),
    seed=st.integers(0, 99),
)
@settings(max_examples=25)
def test_all_shapes_and_activations(activation, hidden, n_classes, scaled, seed):
    y = np.arange(90) % n_classes
    params = {"hidden_layer_sizes": hidden, "activation": activation, "random_state": seed}
    scaler = StandardScaler() if scaled else None
    theirs = fitted(MLPClassifier, y, scaler, max_iter=2, **params)
    ours = DNNClassifier.from_sklearn(theirs)
    np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), **CLOSE)
    theirs = fitted(MLPRegressor, X[:, :n_classes], scaler, max_iter=2, **params)
    ours = DNNRegressor.from_sklearn(theirs)
    np.testing.assert_allclose(ours.predict(X), theirs.predict(X), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("n_outputs", [1, 2])
@pytest.mark.parametrize("scaler", [None, StandardScaler()])
def test_regressors_predict_the_same(n_outputs, scaler):
    theirs = fitted(MLPRegressor, X[:, :n_outputs].squeeze(), scaler)
    ours = DNNRegressor.from_sklearn(theirs)
    assert ours.predict(X).shape == theirs.predict(X).shape
    np.testing.assert_allclose(ours.predict(X), theirs.predict(X), **CLOSE)
    assert ours.norm == (scaler is not None)
    assert not ours.norm_target
    before = ours.score(X, X[:, :n_outputs])
    ours.set_params(learning_rate_init=0.01)
    for _ in range(20):
        ours.partial_fit(X, X[:, :n_outputs].squeeze())
    assert ours.score(X, X[:, :n_outputs]) > before


@pytest.mark.skipif("loss" not in MLPRegressor().get_params(), reason="an older scikit-learn")
def test_poisson_regressors_predict_the_same():
    y = np.abs(X[:, 0])
    theirs = fitted(MLPRegressor, y, loss="poisson")
    ours = DNNRegressor.from_sklearn(theirs)
    assert (ours.loss, ours.out_activation_) == ("poisson", "exp")
    np.testing.assert_allclose(ours.predict(X), theirs.predict(X), **CLOSE)
    np.testing.assert_allclose(ours.partial_fit(X, y).predict(X), theirs.predict(X), rtol=0.2)


@pytest.mark.parametrize("with_mean", [True, False])
@pytest.mark.parametrize("with_std", [True, False])
def test_any_standard_scaler_is_the_norm(with_mean, with_std):
    constant = np.hstack([X, np.ones((90, 1))])
    scaler = StandardScaler(with_mean=with_mean, with_std=with_std)
    theirs = fitted(MLPClassifier, TARGETS["multiclass"], scaler, constant)
    ours = DNNClassifier.from_sklearn(theirs)
    np.testing.assert_allclose(
        ours.predict_proba(constant), theirs.predict_proba(constant), **CLOSE
    )
    mean, scale = ours.network_.mean_.copy(), ours.network_.scale_.copy()
    ours.partial_fit(constant + 1, TARGETS["multiclass"])
    if with_mean and with_std:
        # As though all rows had come here.
        together = StandardScaler().fit(np.vstack([constant, constant + 1]))
        np.testing.assert_allclose(ours.network_.mean_, together.mean_, rtol=1e-12)
        np.testing.assert_allclose(ours.network_.scale_, together.scale_, rtol=1e-12)
    else:
        assert np.array_equal(ours.network_.mean_, mean)
        assert np.array_equal(ours.network_.scale_, scale)


@pytest.mark.parametrize("target", ["multiclass", "multilabel"])
def test_training_goes_on_as_it_would_there(target):
    """Plain gradient descent has no state but the parameters."""
    params = {
        "solver": "sgd", "momentum": 0.0, "nesterovs_momentum": False, "shuffle": False,
        "learning_rate_init": 0.05, "batch_size": 30, "alpha": 0.3,
    }  # fmt: skip
    theirs = fitted(MLPClassifier, TARGETS[target], **params)
    ours = DNNClassifier.from_sklearn(theirs)
    assert {name: ours.get_params()[name] for name in params} == params
    for _ in range(3):
        theirs.partial_fit(X, TARGETS[target])
        ours.partial_fit(X, TARGETS[target])
    assert ours.t_ == theirs.t_ == 8 * 90
    np.testing.assert_allclose(ours.loss_curve_, theirs.loss_curve_, rtol=1e-10)
    np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), rtol=0, atol=1e-10)


def test_training_goes_on_in_fit():
    theirs = fitted(MLPClassifier, TARGETS["binary"], StandardScaler(), warm_start=True)
    ours = DNNClassifier.from_sklearn(theirs)
    loss = ours.loss_
    coefs = [W.copy() for W in ours.coefs_]
    ours.fit(X, TARGETS["binary"])
    assert ours.loss_ < loss
    # The two columns stay each other's opposite.
    assert not np.array_equal(ours.coefs_[-1], coefs[-1])
    np.testing.assert_allclose(ours.coefs_[-1][:, 0], -ours.coefs_[-1][:, 1], rtol=1e-9)


@pytest.mark.skipif(not TAKES_WEIGHTS, reason="scikit-learn 1.6 cannot fit it")
def test_parameters_history_and_names_come_along(tmp_path):
    table = pd.DataFrame(X, columns=list("abcde"))
    params = {
        "alpha": 0.02, "batch_size": 17, "beta_1": 0.8, "tol": 1e-7, "n_iter_no_change": 3,
        "early_stopping": True, "validation_fraction": 0.3, "activation": "tanh",
    }  # fmt: skip
    theirs = fitted(MLPClassifier, TARGETS["objects"], StandardScaler(), table, **params)
    mlp = theirs[-1]
    ours = DNNClassifier.from_sklearn(theirs)
    assert {name: ours.get_params()[name] for name in params} == params
    assert ours.hidden_layer_sizes == (7,)
    assert ours.norm
    assert list(ours.feature_names_in_) == list("abcde")
    assert ours.loss_curve_ == mlp.loss_curve_
    assert ours.validation_scores_ == mlp.validation_scores_
    assert ours.best_validation_score_ == mlp.best_validation_score_
    ours.save(tmp_path / "model.safetensors")
    loaded = dnncore.load(tmp_path / "model.safetensors")
    assert np.array_equal(loaded.predict_proba(table), ours.predict_proba(table))
    clone(ours).fit(table, TARGETS["objects"])
    theirs[-1].coefs_[0][...] = 0
    assert np.array_equal(loaded.predict_proba(table), ours.predict_proba(table))


def test_float32_stays_float32():
    small = X.astype(np.float32)
    theirs = fitted(MLPClassifier, TARGETS["multiclass"], StandardScaler(), small)
    ours = DNNClassifier.from_sklearn(theirs)
    assert ours.network_.dtype == np.float32
    np.testing.assert_allclose(
        ours.predict_proba(small), theirs.predict_proba(small), rtol=0, atol=1e-6
    )


def test_class_priors():
    y = TARGETS["multiclass"]
    theirs = fitted(MLPClassifier, y)
    assert np.array_equal(DNNClassifier.from_sklearn(theirs).class_prior_, np.full(4, 0.25))
    ours = DNNClassifier.from_sklearn(theirs, class_prior=[1, 1, 2, 4])
    assert np.array_equal(ours.class_prior_, [0.125, 0.125, 0.25, 0.5])
    odds = ours.predict_proba(X) * [8, 8, 4, 2]
    ours.set_priors(np.ones(4))
    np.testing.assert_allclose(ours.predict_proba(X), odds / odds.sum(axis=1)[:, None], rtol=1e-12)
    counts = 90 / 4 + np.bincount(y - 4)
    theirs.partial_fit(X, y)  # n_iter_ is 1 now
    again = DNNClassifier.from_sklearn(theirs).partial_fit(X, y)
    np.testing.assert_allclose(again.class_prior_, counts / 180, rtol=1e-12)
    for wrong in ([1, 2], [1, 1, 1, 0], [1, 1, 1, np.nan]):
        with pytest.raises(ValueError, match="class_prior must be 4 positive"):
            DNNClassifier.from_sklearn(theirs, class_prior=wrong)
    several = fitted(MLPClassifier, TARGETS["multilabel"])
    with pytest.raises(ValueError, match="class_prior must be None"):
        DNNClassifier.from_sklearn(several, class_prior=[1, 1, 1])


def test_what_is_refused():
    y = TARGETS["binary"]
    classifier, regressor = fitted(MLPClassifier, y), fitted(MLPRegressor, X[:, 0])
    scaled = make_pipeline(MinMaxScaler(), MLPClassifier((3,), max_iter=1)).fit(X, y)
    for model, got in (
        (LogisticRegression().fit(X, y), "got LogisticRegression"),
        (regressor, "got MLPRegressor"),
        (None, "got NoneType"),
        (scaled, "got a Pipeline of minmaxscaler: MinMaxScaler, mlpclassifier: MLPClassifier"),
        (make_pipeline(StandardScaler()), "got a Pipeline of standardscaler"),
    ):
        with pytest.raises(TypeError, match=got):
            DNNClassifier.from_sklearn(model)
    with pytest.raises(TypeError, match="got MLPClassifier"):
        DNNRegressor.from_sklearn(classifier)
    for unfitted in (MLPClassifier(), make_pipeline(StandardScaler(), MLPClassifier())):
        with pytest.raises(NotFittedError):
            DNNClassifier.from_sklearn(unfitted)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        one = fitted(MLPClassifier, np.ones(90, int))
    with pytest.raises(ValueError, match="at least 2 classes"):
        DNNClassifier.from_sklearn(one)
    classifier.coefs_[0][0, 0] = np.nan
    with pytest.raises(ValueError, match="model must be finite"):
        DNNClassifier.from_sklearn(classifier)


def test_a_subclass_stays_itself():
    class Mine(DNNClassifier):
        pass

    assert type(Mine.from_sklearn(fitted(MLPClassifier, TARGETS["binary"]))) is Mine
