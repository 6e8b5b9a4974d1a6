"""scikit-learn's own callbacks."""

import collections

import numpy as np
import pandas as pd
import pytest
from learners import NAMES, classifier, regressor
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.fixture
def callbacks():
    return pytest.importorskip("sklearn.callback")


class Witness:
    """Counts what it is told, keeps the fitted estimators, may end training."""

    def __init__(self, epochs=None):
        self.epochs = epochs
        self.told = collections.Counter()
        self.kept = []

    def setup(self, estimator, context):
        self.told["setup"] += 1

    def teardown(self, estimator, context):
        self.told["teardown"] += 1

    def on_fit_task_begin(self, estimator, context):
        self.told["begin", context.task_name] += 1

    def on_fit_task_end(self, estimator, context, *, X=None, y=None, fitted_estimator=None):
        self.told["end", context.task_name] += 1
        if fitted_estimator is not None and context.task_name == "epoch":
            self.kept.append((fitted_estimator, fitted_estimator.predict(X), X, y))
        return self.epochs is not None and len(self.kept) == self.epochs


@pytest.mark.parametrize("make", [classifier, regressor])
def test_a_callback_is_told_of_fit_and_epochs(callbacks, iris, make):
    witness = Witness()
    assert isinstance(witness, callbacks.FitCallback)
    model = make(max_iter=5).set_callbacks(witness).fit(*iris)
    assert witness.told == {
        "setup": 1, ("begin", "fit"): 1, ("begin", "epoch"): 5, ("end", "epoch"): 5,
        ("end", "fit"): 1, "teardown": 1,
    }  # fmt: skip
    assert np.array_equal(witness.kept[-1][1], model.predict(iris[0]))
    assert np.array_equal(
        model.network_.parameters, make(max_iter=5).fit(*iris).network_.parameters
    )


def test_a_callback_may_keep_the_model_of_every_epoch(callbacks, iris):
    witness = Witness()
    classifier(max_iter=5).set_callbacks(witness).fit(*iris)
    for model, predicted, X, y in witness.kept:
        assert np.array_equal(model.predict(X), predicted)
        assert np.array_equal(y, iris[1])
    assert len({model.network_.parameters.tobytes() for model, *_ in witness.kept}) == 5


def test_a_callback_is_told_the_weights(callbacks, iris):
    X, y = iris
    weight = np.random.default_rng(0).uniform(0, 2, len(y))
    seen = []

    class Metadata(Witness):
        def on_fit_task_end(self, estimator, context, *, X=None, metadata=None):
            seen.append((len(X), metadata))

    for options in ({}, {"early_stopping": True}):
        classifier(max_iter=2, **options).set_callbacks(Metadata()).fit(X, y, weight)
        n, metadata = seen[-1]
        assert metadata["sample_weight"].shape == (n,)
    assert np.array_equal(seen[0][1]["sample_weight"], weight)
    classifier(max_iter=2).set_callbacks(Metadata()).fit(X, y)
    assert seen[-1] == (150, None)
    monitor = callbacks.ScoringMonitor(scoring="accuracy")
    model = classifier(max_iter=4).set_callbacks(monitor).fit(X, y, weight)
    last = [row for row in monitor.get_logs().data if row["task_name"] == "epoch"][-1]
    assert last["accuracy"] == model.score(X, y, weight)


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_a_callback_ends_training(callbacks, iris, solver):
    witness, other = Witness(epochs=3), Witness()
    told = []
    model = classifier(solver=solver, callback=told.append)
    model.set_callbacks(witness, other).fit(*iris)
    assert model.n_iter_ == len(told) == 3
    assert witness.told["begin", "epoch"] == witness.told["end", "epoch"] == 3
    assert other.told == witness.told
    model.set_callbacks().fit(*iris)
    assert witness.told["setup"] == 1


def test_a_callback_is_torn_down_after_an_error(callbacks, iris):
    witness = Witness()
    model = classifier(callback=lambda info: 1 / 0).set_callbacks(witness)
    with pytest.raises(ZeroDivisionError):
        model.fit(*iris)
    assert witness.told["setup"] == witness.told["teardown"] == 1


@pytest.mark.parametrize("as_frame", [False, True])
def test_scoring_monitor(callbacks, iris, as_frame):
    X = pd.DataFrame(iris[0], columns=NAMES) if as_frame else iris[0]
    monitor = callbacks.ScoringMonitor(scoring=["accuracy", "neg_log_loss"])
    model = classifier(max_iter=4).set_callbacks(monitor).fit(X, iris[1])
    rows = monitor.get_logs().data
    epochs = [row for row in rows if row["task_name"] == "epoch"]
    assert [row["task_id"] for row in epochs] == [0, 1, 2, 3]
    assert epochs[-1]["accuracy"] == model.score(X, iris[1])
    assert len({row["neg_log_loss"] for row in epochs}) == 4


def test_progress_bar(callbacks, iris, capsys):
    pytest.importorskip("rich")
    classifier(max_iter=3).set_callbacks(callbacks.ProgressBar()).fit(*iris)
    out = capsys.readouterr().out
    assert "DNNClassifier - fit" in out
    assert "100%" in out


def test_callbacks_of_a_search_reach_the_estimator(callbacks, iris, capsys):
    pytest.importorskip("rich")
    search = GridSearchCV(classifier(max_iter=3), {"alpha": [0.0, 1.0]}, cv=2)
    search.set_callbacks(callbacks.ProgressBar(max_propagation_depth=None)).fit(*iris)
    assert "DNNClassifier - fit" in capsys.readouterr().out


def test_callbacks_inside_a_pipeline(callbacks, iris):
    witness = Witness()
    pipeline = make_pipeline(StandardScaler(), classifier(max_iter=3).set_callbacks(witness))
    pipeline.fit(*iris)
    assert witness.told["end", "epoch"] == 3
