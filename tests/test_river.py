"""The estimators for river."""

import copy
import decimal
import pickle

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("river")
from river import checks, compose, preprocessing

from dnncore.river import NetworkClassifier, NetworkRegressor
from dnncore.training import SGD, Adam, DivergenceWarning

MODELS = [
    NetworkClassifier(),
    NetworkClassifier((8, 8), "tanh", SGD(0.01), norm=False, max_grad_norm=1.0, seed=3),
    NetworkRegressor(),
    NetworkRegressor([], norm=False, seed=3),
]
CHECKS = [
    pytest.param(model, check, id=f"{type(model).__name__}{i}-{check.__name__}-{j}")
    for i, model in enumerate(MODELS)
    for j, check in enumerate(checks.yield_checks(model))
    if check.__name__ not in model._unit_test_skips()
]


@pytest.mark.parametrize(("model", "check"), CHECKS)
def test_the_checks_of_river_pass(model, check):
    check(model.clone())


def rows(n, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.normal(5.0, 3.0, (n, 4))
    return [dict(zip("abcd", x, strict=True)) for x in X.tolist()], X


def test_a_classifier_learns():
    model = NetworkClassifier((30,), seed=0)
    found = []
    for x in rows(3000)[0]:
        y = "inside" if (x["a"] - 5) ** 2 + (x["b"] - 5) ** 2 < 9 else "outside"
        found.append(model.predict_one(x) == y)
        model.learn_one(x, y)
    assert np.mean(found[-1000:]) > 0.9
    assert set(model.classes) == {"inside", "outside"}
    assert sorted(model.features) == list("abcd")


def test_a_regressor_learns():
    model = NetworkRegressor((30,), seed=0)
    errors = []
    for x in rows(3000)[0]:
        y = 1000.0 + 10.0 * x["a"] * x["b"]
        errors.append(abs(model.predict_one(x) - y))
        model.learn_one(x, y)
    assert np.mean(errors[-1000:]) < 30.0  # the standard deviation is 230


@pytest.mark.parametrize("frame", ["pandas", "polars"])
def test_mini_batches_are_learnt(frame):
    library = pytest.importorskip(frame)
    classifier, regressor = NetworkClassifier((30,), seed=0), NetworkRegressor((30,), seed=0)
    _, values = rows(4000)
    for X in np.split(values, 200):
        table = library.DataFrame(dict(zip("abcd", X.T, strict=True)))
        classifier.learn_many(table, library.Series((X[:, 0] > X[:, 1]).tolist()))
        regressor.learn_many(table, library.Series(X[:, 0] - X[:, 1]))
    assert (np.array(classifier.predict_many(table)) == (X[:, 0] > X[:, 1])).mean() > 0.9
    assert np.abs(np.array(regressor.predict_many(table)) - (X[:, 0] - X[:, 1])).mean() < 0.5
    p = np.array(classifier.predict_proba_many(table))
    np.testing.assert_allclose(p.sum(axis=1), 1.0)


def test_frames_keep_their_index_and_may_have_gaps():
    X = pd.DataFrame({"a": [1.0, np.nan, 3.0], "new": 1}, index=[5, 7, 9])
    model = NetworkClassifier(seed=0)
    assert model.predict_many(X).tolist() == [None] * 3
    assert model.predict_proba_many(X).shape == (3, 0)
    model.learn_many(X[["a"]], pd.Series(["x", "y", "z"], index=X.index))
    assert list(model.predict_proba_many(X).index) == [5, 7, 9]
    assert list(model.predict_proba_many(X).columns) == ["x", "y", "z"]
    assert list(model.predict_many(X).index) == [5, 7, 9]
    assert model.features == ["a"]


def test_missing_values_take_the_value_of_the_mean():
    model = NetworkRegressor((5,), seed=0)
    for x in rows(50)[0]:
        model.learn_one(x, x["a"])
    x = {"a": 4.0, "b": 3.0, "c": float("nan")}
    mean = dict(zip(model.features, model._growing.moments[:, 1], strict=False))
    complete = x | {"c": mean["c"], "d": mean["d"]}
    assert model.predict_one(x) == model.predict_one(complete)


@pytest.mark.parametrize("kind", [NetworkClassifier, NetworkRegressor])
def test_a_mini_batch_needs_a_target_for_each_row(kind):
    model = kind()
    with pytest.raises(ValueError, match="a target for each of the 2 rows, got 1"):
        model.learn_many(pd.DataFrame({"a": [1.0, 2.0]}), pd.Series([1]))
    with pytest.raises(ValueError, match="X must have at least 1 row"):
        model.learn_many(pd.DataFrame({"a": []}), pd.Series([]))
    assert model.features == []


@pytest.mark.parametrize("y", [float("nan"), float("inf"), 1e39])
def test_targets_must_be_finite(y):
    model = NetworkRegressor()
    with pytest.raises(ValueError, match="y must be finite"):
        model.learn_one({"a": 1.0}, y)
    with pytest.raises(ValueError, match="y must be finite"):
        model.learn_many(pd.DataFrame({"a": [1.0]}), pd.Series([y]))
    assert model.features == [] and model.trainer is None


@pytest.mark.parametrize("again", [copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))])
@pytest.mark.parametrize("kind", [NetworkClassifier, NetworkRegressor])
def test_copies_go_on_alike(kind, again):
    model = kind(seed=0)
    for x in rows(20)[0]:
        model.learn_one(x, int(x["a"]) % 3)
    other = again(model)
    for x in rows(20, seed=1)[0]:
        x |= {"e": 1.0, "f": 2.0}
        assert model.predict_one(x) == other.predict_one(x)
        model.learn_one(x, int(x["a"]) % 4)
        other.learn_one(x, int(x["a"]) % 4)
    np.testing.assert_array_equal(
        model.trainer.network.parameters, other.trainer.network.parameters
    )


def test_pipelines_of_river():
    one_hot = compose.Select("colour") | preprocessing.OneHotEncoder()
    model = (one_hot + compose.Select("size")) | NetworkClassifier((10,), seed=0)
    for i in range(300):
        model.learn_one({"colour": ("red", "blue")[i % 2], "size": i % 3}, i % 2 == 0)
    assert model.predict_one({"colour": "red", "size": 1}) is True


def test_the_learning_rate_may_be_set():
    model = NetworkClassifier(seed=0)
    model.learn_one({"a": 1.0}, 0)
    model.trainer.learning_rate = 0.0
    before = model.trainer.network.parameters.copy()
    model.learn_one({"a": 2.0}, 0)
    np.testing.assert_array_equal(model.trainer.network.parameters, before)
    model.learn_one({"b": 2.0}, 1)
    assert model.trainer.learning_rate == 0.0


@pytest.mark.parametrize("y", [None, "1", [1.0], 10**400, -(10**39)])
@pytest.mark.parametrize("norm", [True, False])
def test_a_target_that_is_refused_changes_nothing(y, norm):
    model = NetworkRegressor((4,), norm=norm, seed=0)
    model.learn_one({"a": 1.0}, 2.0)
    before = model.predict_one({"a": 1.0}), model.trainer.network.parameters.copy()
    with pytest.raises((TypeError, ValueError), match="y must be"):
        model.learn_one({"a": 1.0, "b": 2.0}, y)
    assert model.predict_one({"a": 1.0}) == before[0]
    assert model.features == ["a"]
    np.testing.assert_array_equal(model.trainer.network.parameters, before[1])


def test_targets_of_any_type_are_floats():
    a, b = NetworkRegressor((4,), seed=0), NetworkRegressor((4,), seed=0)
    for i in range(20):
        a.learn_one({"a": i % 3}, 0.1 * i)
        b.learn_one({"a": i % 3}, decimal.Decimal(0.1 * i))
    assert a.predict_one({"a": 1}) == b.predict_one({"a": 1})
    b.learn_one({"a": 1}, np.float32(1.0))
    assert type(b.predict_one({"a": 1})) is float


@pytest.mark.parametrize("kind", [NetworkClassifier, NetworkRegressor])
def test_the_hidden_layer_sizes_may_be_an_int(kind):
    one, same = kind(5, seed=0).clone(), kind((5,), seed=0)
    for model in (one, same):
        for i in range(5):
            model.learn_one({"a": i % 3}, i % 2)
    np.testing.assert_array_equal(one.trainer.network.parameters, same.trainer.network.parameters)
    for wrong in ("5", 2.5, (0,), None):
        with pytest.raises((TypeError, ValueError), match="hidden_layer_sizes must"):
            kind(wrong)


@pytest.mark.parametrize("value", [1e300, 3e38, -1e20])
@pytest.mark.parametrize("norm", [True, False])
@pytest.mark.parametrize("solver", [None, SGD(0.001), Adam(0.1)], ids=str)
@pytest.mark.parametrize("kind", [NetworkClassifier, NetworkRegressor])
@pytest.mark.filterwarnings("ignore::dnncore.training.DivergenceWarning")
def test_an_outlier_leaves_the_model_usable(kind, solver, norm, value):
    model = kind((8,), solver=solver, norm=norm, seed=0)
    stream, _ = rows(100)
    for x in stream:
        model.learn_one(x, x["a"] > 5.0)
    outlier = stream[0] | {"b": value}
    for learn in (
        lambda: model.learn_one(outlier, True),
        lambda: model.learn_many(pd.DataFrame([stream[1], outlier]), pd.Series([False, True])),
    ):
        if abs(value) > 1e39:
            with pytest.raises(ValueError, match="must be finite in float32"):
                learn()
        else:
            learn()
        assert model.trainer.is_finite()
    for x in stream:
        model.learn_one(x, x["a"] > 5.0)
    assert model.trainer.is_finite()
    table = pd.DataFrame(stream)
    assert np.isfinite(model.predict_many(table).astype(float)).all()
    assert np.isfinite(float(model.predict_one(stream[0])))
    if kind is NetworkClassifier:
        assert np.isfinite(model.predict_proba_many(table)).all(axis=None)


def test_a_step_that_diverges_is_undone():
    model = NetworkRegressor((8,), norm=False, seed=0)
    for x in rows(10)[0]:
        model.learn_one(x, 1.0)
    before = model.trainer.state_dict(), model.trainer.network.parameters.copy()
    # The weights would be finite after this step, but not Adam's mean of squares.
    with pytest.warns(DivergenceWarning, match="Try norm=True, .* below 0.003") as w:
        model.learn_one({"a": 1e20}, 1.0)
    assert w[0].filename == __file__
    np.testing.assert_array_equal(model.trainer.network.parameters, before[1])
    after = model.trainer.state_dict()
    assert after["steps"] == before[0]["steps"] == 10
    np.testing.assert_array_equal(after["vectors"], before[0]["vectors"])
    with pytest.warns(DivergenceWarning):
        model.learn_many(pd.DataFrame({"a": [1.0, 1e20]}), pd.Series([1.0, 1.0]))
    np.testing.assert_array_equal(model.trainer.network.parameters, before[1])


def test_nan_is_no_label():
    model = NetworkClassifier((4,))
    with pytest.raises(ValueError, match="y must not be NaN"):
        model.learn_one({"a": 1.0}, float("nan"))
    with pytest.raises(ValueError, match="y must not be NaN"):
        model.learn_many(pd.DataFrame({"a": [1.0, 2.0]}), pd.Series([1.0, np.nan]))
    assert model.classes == model.features == []
