"""What other packages may use of an estimator."""

import numpy as np
import pytest
from processes import run_python
from sklearn.exceptions import NotFittedError
from sklearn.neural_network import MLPClassifier

from dnncore import DNNClassifier, DNNRegressor, Network
from dnncore._estimators import interface
from dnncore._estimators.learnt import MULTILABEL, SINGLE, LearntLabels, LearntNumbers

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

X = np.random.default_rng(0).normal(size=(60, 4))
WORDS = np.array(["no", "perhaps", "yes"])[np.arange(60) % 3]
NUMBERS = 5.0 + X[:, 0]


@pytest.fixture
def classifier():
    return DNNClassifier((3,), max_iter=1, label_smoothing=0.3, random_state=0).fit(X, WORDS)


@pytest.fixture
def regressor():
    return DNNRegressor("huber", (3,), max_iter=1, random_state=0).fit(X, NUMBERS)


def test_the_type_of_estimators():
    assert isinstance(DNNClassifier(), interface.Estimator)
    assert isinstance(DNNRegressor(), interface.Estimator)
    for other in (Network((2, 2)), MLPClassifier(), DNNClassifier):
        assert not isinstance(other, interface.Estimator)


def test_it_needs_no_scikit_learn():
    run_python(
        """
        import sys
        sys.modules["sklearn"] = None
        from dnncore import Network
        from dnncore._estimators import interface
        assert not isinstance(Network((2, 2)), interface.Estimator)
        """
    )


def test_what_has_been_learnt(classifier, regressor):
    labels = interface.learnt_of(classifier)
    assert isinstance(labels, LearntLabels)
    assert labels.kind == SINGLE and labels.classes is classifier.classes_
    assert labels.prior is classifier.class_prior_
    np.testing.assert_array_equal(labels.totals, [20, 20, 20])
    numbers = interface.learnt_of(regressor)
    assert isinstance(numbers, LearntNumbers)
    assert numbers.ndim == 1 and numbers.mean is regressor.target_mean_
    assert numbers.freeze_options["target_scale"] is regressor.target_scale_
    several = DNNClassifier((3,), max_iter=1).fit(X, (X[:, :2] > 0).astype(int))
    labels = interface.learnt_of(several)
    assert (labels.kind, labels.prior, labels.totals) == (MULTILABEL, None, None)


def test_encoded_targets(classifier, regressor):
    found = interface.encoded_targets(classifier, "y", WORDS[:4], np.dtype(np.float32))
    assert found.tolist() == [0, 1, 2, 0]  # not smoothed
    with pytest.raises(ValueError, match=r"labels has classes \['maybe'\] that are not among"):
        interface.encoded_targets(classifier, "labels", ["maybe"], np.dtype(np.float32))
    found = interface.encoded_targets(regressor, "y", NUMBERS, np.dtype(np.float32))
    assert found.dtype == np.float32 and found.shape == (60, 1)
    assert found.mean() == pytest.approx(0, abs=1e-6)
    expected = {"loss": "huber", "huber_delta": 1.0, "quantiles": (0.1, 0.5, 0.9)}
    assert interface.loss_options_of(regressor) == expected
    assert interface.loss_options_of(classifier) == {}


def test_checked_rows(classifier):
    rows = interface.checked_rows(classifier, classifier.network_, X.astype(np.float32).tolist())
    assert rows.dtype == np.float64 and rows.flags.c_contiguous
    with pytest.raises(ValueError, match=r"Input X contains NaN"):
        interface.checked_rows(classifier, classifier.network_, np.full((1, 4), np.nan))


def test_restored_without_and_with_a_trainer(classifier):
    assert interface.is_fitted(classifier)
    model = DNNClassifier((3,))
    assert not interface.is_fitted(model) and interface.trainer_of(model) is None
    interface.restore(
        model,
        network=classifier.network_,
        learnt=interface.learnt_of(classifier),
        feature_names=None,
        history=interface.restored_history([2.0, 1.0], [float("nan"), 0.5], [], n_iter=2, t=120),
    )
    assert (model.best_loss_, model.best_validation_score_, model.n_iter_) == (1.0, 0.5, 2)
    assert model.n_features_in_ == 4 and model.predict(X).tolist()
    assert interface.trainer_of(model) is None
    interface.adopt_trainer(model, interface.trainer_of(classifier))
    assert interface.trainer_of(model).history is model.history_ is classifier.history_


def test_without_feature_names(classifier):
    classifier.feature_names_in_ = np.array(list("abcd"), dtype=object)
    with pytest.warns(UserWarning, match="valid feature names"):
        classifier.predict(X)
    with interface.without_feature_names(classifier):
        classifier.predict(X)
    assert classifier.feature_names_in_.tolist() == list("abcd")
    del classifier.feature_names_in_
    with pytest.raises(KeyError), interface.without_feature_names(classifier):
        raise KeyError
    assert not hasattr(classifier, "feature_names_in_")


@pytest.mark.parametrize("kind", [DNNClassifier, DNNRegressor])
def test_an_unfitted_model_has_no_output_activation(kind):
    with pytest.raises(NotFittedError):
        kind().out_activation_  # noqa: B018
