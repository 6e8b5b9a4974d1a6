"""The estimators inside scikit-learn's tools, with data frames, and copied."""

import copy
import io
import pickle

import joblib
import numpy as np
import pandas as pd
import pytest
from learners import NAMES, classifier, regressor
from scaling import NormScaler
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
    scaled = make_pipeline(NormScaler(), classifier(norm=False, max_iter=3)).fit(X, y)
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
    with pytest.warns(UserWarning, match="feature names"):
        model.predict(matrix)
    options = {"max_iter": 3, "scoring": scoring}
    watched = make(**options).fit(X, y, X_val=X, y_val=frames.Series(y))
    assert watched.history_.metrics["own"][-1] == watched.score(X, y)


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
