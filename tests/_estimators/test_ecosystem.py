"""The estimators inside scikit-learn's tools, with data frames, pickled, and with callbacks."""

import collections
import copy
import io
import pickle

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn import config_context
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import VotingClassifier, VotingRegressor
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.metrics import accuracy_score
from sklearn.model_selection import GridSearchCV, StratifiedKFold, cross_val_score
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from dnncore import DNNClassifier, DNNRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

NAMES = ["sepal length", "sepal width", "petal length", "petal width"]


def classifier(**parameters):
    options = {"hidden_layer_sizes": (8,), "max_iter": 40, "learning_rate_init": 0.05}
    return DNNClassifier(**{**options, "random_state": 0, **parameters})


def regressor(**parameters):
    options = {"hidden_layer_sizes": (8,), "max_iter": 40, "learning_rate_init": 0.02}
    return DNNRegressor(**{**options, "random_state": 0, **parameters})


# ------------------------------------------------------------------- clones and pipelines


@pytest.mark.parametrize(
    "model",
    [
        DNNClassifier(
            (3, 2), "tanh", solver="sgd", class_weight={0: 1.0, 1: 2.0, 2: 1.0}, dropout=0.1,
            label_smoothing=0.2, scoring=["accuracy"], max_time=9.0, callback=print,
        ),
        DNNRegressor("huber", 5, "relu", huber_delta=0.5, norm_target=False, max_iter=2),
    ],
)  # fmt: skip
def test_clone_has_the_parameters_and_nothing_learnt(model, iris):
    parameters = model.get_params()
    twin = clone(model)
    assert twin.get_params() == parameters
    model.set_params(max_iter=2, callback=None, scoring=None).fit(*iris)
    with pytest.raises(NotFittedError):
        clone(model).predict(iris[0])
    assert set(vars(clone(model))) == set(parameters)


def test_norm_does_what_a_scaler_does(iris):
    X, y = iris
    scaled = make_pipeline(StandardScaler(), classifier(norm=False, max_iter=3)).fit(X, y)
    plain = classifier(max_iter=3).fit(X, y)
    np.testing.assert_allclose(scaled.predict_proba(X), plain.predict_proba(X), rtol=0, atol=1e-10)
    assert scaled.score(X, y) == plain.score(X, y)
    assert np.array_equal(scaled.predict(X), plain.predict(X))


def test_a_pipeline_transforms_the_validation_rows(iris):
    X, y = iris
    train, held_out = np.arange(0, 150, 2), np.arange(1, 150, 2)
    weight = np.where(y == 1, 3.0, 1.0)[train]
    with config_context(enable_metadata_routing=True):
        model = classifier(norm=False, max_iter=5, scoring="neg_log_loss")
        pipeline = Pipeline(
            [
                ("scale", StandardScaler().set_fit_request(sample_weight=False)),
                ("dnn", model.set_fit_request(sample_weight=True, X_val=True, y_val=True)),
            ],
            transform_input=["X_val"],
        )
        pipeline.fit(X[train], y[train], sample_weight=weight, X_val=X[held_out], y_val=y[held_out])
    scaler = StandardScaler().fit(X[train])
    alone = clone(model).fit(
        scaler.transform(X[train]), y[train], weight,
        X_val=scaler.transform(X[held_out]), y_val=y[held_out],
    )  # fmt: skip
    assert np.array_equal(model.network_.parameters, alone.network_.parameters)
    assert model.history_.metrics == alone.history_.metrics
    assert model.validation_losses_ == alone.validation_losses_


def test_cross_validation_routes_sample_weight(iris):
    X, y = iris
    weight = np.random.default_rng(0).uniform(0, 3, len(y))
    model, folds = classifier(max_iter=3), StratifiedKFold(3)
    with config_context(enable_metadata_routing=True):
        asking = clone(model).set_fit_request(sample_weight=True)
        asking.set_score_request(sample_weight=True)
        scores = cross_val_score(asking, X, y, cv=folds, params={"sample_weight": weight})
    for (train, test), score in zip(folds.split(X, y), scores, strict=True):
        model.fit(X[train], y[train], weight[train])
        assert score == accuracy_score(y[test], model.predict(X[test]), sample_weight=weight[test])


def test_partial_fit_takes_part_in_routing():
    with config_context(enable_metadata_routing=True):
        model = DNNClassifier().set_partial_fit_request(sample_weight=True, classes=True)
    assert model.get_metadata_routing().partial_fit.requests["classes"] is True
    requests = DNNRegressor().get_metadata_routing().fit.requests
    assert set(requests) == {"sample_weight", "X_val", "y_val", "sample_weight_val"}


def test_grid_search_in_processes(iris):
    grid = {"alpha": [1e-4, 30.0], "hidden_layer_sizes": [(3,), (8,)]}
    searches = [
        GridSearchCV(classifier(max_iter=15), grid, cv=3, n_jobs=n_jobs).fit(*iris)
        for n_jobs in (1, 2)
    ]
    scores = [search.cv_results_["mean_test_score"] for search in searches]
    assert np.array_equal(*scores)
    assert scores[0].max() > scores[0].min()
    assert searches[1].score(*iris) > 0.9


# ------------------------------------------------------------------------- ensembles


@pytest.mark.parametrize("ensemble", [False, True])
def test_calibration(iris, ensemble):
    X, y = iris
    model = CalibratedClassifierCV(classifier(), cv=3, ensemble=ensemble).fit(X, y)
    np.testing.assert_allclose(model.predict_proba(X).sum(axis=1), 1, rtol=1e-12)
    assert model.score(X, y) > 0.9


def test_voting_of_classifiers(iris):
    X, y = iris
    members = [("dnn", classifier()), ("line", make_pipeline(StandardScaler(), _line()))]
    for voting in ("soft", "hard"):
        assert VotingClassifier(members, voting=voting).fit(X, y).score(X, y) > 0.9
    weighted = VotingClassifier([("a", classifier()), ("b", classifier(random_state=1))])
    assert weighted.fit(X, y, sample_weight=np.ones(len(y))).score(X, y) > 0.9


def _line():
    return LogisticRegression(max_iter=500)


def test_one_against_the_rest(iris):
    X, y = iris
    model = OneVsRestClassifier(classifier()).fit(X, y)
    assert [m.classes_.tolist() for m in model.estimators_] == [[0, 1]] * 3
    assert model.score(X, y) > 0.9
    indicator = np.eye(3, dtype=int)[y]
    assert OneVsRestClassifier(classifier()).fit(X, indicator).predict(X).shape == (150, 3)


def test_transformed_targets(diabetes):
    X, y = diabetes
    model = TransformedTargetRegressor(regressor(), func=np.log1p, inverse_func=np.expm1)
    model.fit(X, y)
    alone = regressor().fit(X, np.log1p(y))
    np.testing.assert_allclose(model.predict(X), np.expm1(alone.predict(X)), rtol=1e-9)
    assert model.score(X, y) > 0.4


def test_voting_of_regressors(diabetes):
    X, y = diabetes
    model = VotingRegressor([("dnn", regressor()), ("line", LinearRegression())]).fit(X, y)
    mean = (regressor().fit(X, y).predict(X) + LinearRegression().fit(X, y).predict(X)) / 2
    np.testing.assert_allclose(model.predict(X), mean, rtol=1e-9)


# ----------------------------------------------------------------- data frames and labels


def test_names_from_a_pipeline_of_pandas_frames(iris):
    X, y = pd.DataFrame(iris[0], columns=NAMES), iris[1]
    pipeline = make_pipeline(StandardScaler(), classifier(max_iter=2))
    pipeline.set_output(transform="pandas").fit(X, y)
    assert pipeline[-1].feature_names_in_.tolist() == NAMES
    assert pipeline.predict(X).shape == (150,)


@pytest.mark.parametrize("library", ["pandas", "polars"])
@pytest.mark.parametrize("make", [classifier, regressor])
def test_frames_are_matrices_with_names(iris, library, make):
    frames = pytest.importorskip(library)
    matrix, y = iris
    X = frames.DataFrame(dict(zip(NAMES, matrix.T, strict=True)))
    scoring = {"own": "accuracy" if make is classifier else "r2"}
    options = {"max_iter": 3, "early_stopping": True, "scoring": scoring}
    model = make(**options).fit(X, frames.Series(y))
    assert model.feature_names_in_.tolist() == NAMES
    assert model.feature_names_in_.dtype == object
    plain = make(**options).fit(matrix, y)
    assert np.array_equal(model.network_.parameters, plain.network_.parameters)
    assert np.array_equal(model.predict(X), plain.predict(matrix))
    with pytest.raises(ValueError, match="feature names"):
        model.predict(X[NAMES[::-1]])
    options = {"max_iter": 3, "scoring": scoring}
    watched = make(**options).fit(X, y, X_val=X, y_val=frames.Series(y))
    assert watched.history_.metrics["own"][-1] == watched.score(X, y)


@pytest.mark.parametrize(
    "convert",
    [
        lambda names: names.tolist(),
        lambda names: names.astype(object),
        lambda names: pd.Series(names),
        lambda names: pd.Series(names, dtype="category"),
        lambda names: names == "setosa",
        lambda names: pd.Series(names == "setosa"),
    ],
)
def test_labels_of_any_kind(iris, convert):
    X = iris[0]
    y = convert(np.array(["setosa", "versicolor", "virginica"])[iris[1]])
    model = classifier().fit(X, y)
    predicted = model.predict(X)
    assert predicted.dtype == model.classes_.dtype
    assert np.mean(predicted == np.asarray(y)) > 0.9
    assert model.score(X, y) > 0.9
    more = classifier(max_iter=1, norm=False).partial_fit(X, y, classes=np.unique(y))
    once = classifier(max_iter=1, norm=False).fit(X, y)
    assert np.array_equal(more.network_.parameters, once.network_.parameters)


# ------------------------------------------------------------------------------- copies


def _by_pickle(model):
    return pickle.loads(pickle.dumps(model))


def _by_joblib(model):
    file = io.BytesIO()
    joblib.dump(model, file)
    file.seek(0)
    return joblib.load(file)


@pytest.mark.parametrize("again", [_by_pickle, _by_joblib, copy.deepcopy])
@pytest.mark.parametrize(
    ("make", "options"),
    [
        (classifier, {}),
        (classifier, {"solver": "sgd", "learning_rate": "invscaling", "dropout": 0.2}),
        (regressor, {}),
    ],
)
def test_a_copy_predicts_and_trains_on_as_the_original(iris, again, make, options):
    X, y = iris
    model = make(max_iter=3, warm_start=True, **options).fit(X, y)
    twin = again(model)
    assert np.array_equal(twin.predict(X), model.predict(X))
    assert twin.network_ is not model.network_
    before = twin.predict(X)
    model.partial_fit(X, y).fit(X, y)
    assert np.array_equal(twin.predict(X), before)
    twin.partial_fit(X, y).fit(X, y)
    assert np.array_equal(twin.network_.parameters, model.network_.parameters)
    assert twin.loss_curve_ == model.loss_curve_


# ------------------------------------------------------------ scikit-learn's own callbacks


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
