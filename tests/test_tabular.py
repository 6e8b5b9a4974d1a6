"""TabularClassifier and TabularRegressor: any table in, the right answer or one clear error out."""

import datetime as dt
import decimal
import pickle

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from processes import run_python
from scipy.special import softmax
from sklearn.base import clone
from sklearn.metrics import log_loss
from sklearn.utils.estimator_checks import parametrize_with_checks
from tablemodels import table

import dnncore
from dnncore._core import csrc
from dnncore._estimators.folds import folds
from dnncore.tabular import TabularClassifier, TabularRegressor

NAN = np.nan
KINDS = [TabularClassifier, TabularRegressor]
each_kind = pytest.mark.parametrize("kind", KINDS)


def model(kind, **options):
    small = {
        "n_members": 2, "hidden_layer_sizes": (8,), "max_iter": 4, "n_threads": 1,
        "random_state": 0,
    }  # fmt: skip
    return kind(**small | options)


def numbers(n=100, seed=0):
    return np.random.default_rng(seed).normal(size=(n, 3))


def targets(kind, X):
    """Targets that a first column tells."""
    z = np.asarray(X)[:, 0]
    return z if kind is TabularRegressor else np.where(z > 0, "above", "below")


def bits(fitted):
    """All that a fit has learnt."""
    oof = "oof_prediction_" if isinstance(fitted, TabularRegressor) else "oof_predict_proba_"
    networks = fitted.ensemble_.networks
    return getattr(fitted, oof).tobytes(), *[n.parameters.tobytes() for n in networks]


def logits(network, rows):
    return network.logits(rows, n_threads=1).astype(float)


# scikit-learn


@pytest.mark.filterwarnings("ignore")
@parametrize_with_checks(
    [kind(n_members=2, max_iter=32, hidden_layer_sizes=(32,), n_threads=1) for kind in KINDS],
    expected_failed_checks=lambda _: {
        f"check_sample_weight_equivalence_on_{data}_data": "folds and batches go by position"
        for data in ("dense", "sparse")
    },
)
def test_scikit_learn_checks(estimator, check):
    check(estimator)


@each_kind
def test_clone_pickle_and_parameters(kind):
    X = table(60)
    y = targets(kind, X[["size"]])
    fitted = model(kind, importances=True).fit(X, y)
    assert f"{kind.__name__}(hidden_layer_sizes=(8,), " in repr(fitted)
    assert kind(**fitted.get_params()).get_params() == fitted.get_params()
    assert not hasattr(clone(fitted), "ensemble_")
    assert bits(clone(fitted).fit(X, y)) == bits(fitted)
    again = pickle.loads(pickle.dumps(fitted))
    assert np.array_equal(again.predict(X), fitted.predict(X))
    assert np.array_equal(again.feature_importances_, fitted.feature_importances_)
    assert len(fitted.histories_) == 2 and fitted.n_iter_.max() <= 4


@each_kind
def test_verbose_shows_a_progress_bar(kind, capsys):
    pytest.importorskip("tqdm")
    X = numbers(40)
    told = []
    model(kind, verbose=True, callback=lambda *call: told.append(call)).fit(X, targets(kind, X))
    shown = capsys.readouterr()
    assert shown.out == ""
    assert kind.__name__ in shown.err and "8/8" in shown.err
    assert [(index, info.epoch) for index, info in told] == [
        (index, epoch) for index in (0, 1) for epoch in (1, 2, 3, 4)
    ]


@each_kind
@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"n_members": 0}, ValueError), ({"n_members": 2.5}, TypeError),
        ({"hidden_layer_sizes": (0,)}, ValueError), ({"activation": "sine"}, ValueError),
        ({"n_bins": -1}, ValueError), ({"embedding_size": 0}, ValueError),
        ({"max_categories": 0}, ValueError), ({"learning_rate_init": 0.0}, ValueError),
        ({"weight_decay": -1.0}, ValueError), ({"dropout": 1.0}, ValueError),
        ({"batch_size": 0}, ValueError), ({"max_iter": 0}, ValueError),
        ({"max_grad_norm": 0.0}, ValueError), ({"max_grad_norm": "1"}, TypeError),
        ({"max_time": -1.0}, ValueError), ({"n_threads": 0}, ValueError),
        ({"callback": 3}, TypeError), ({"categorical_features": ["x"]}, ValueError),
    ],
)  # fmt: skip
def test_parameters_that_do_not_do(kind, options, error):
    X = numbers(20)
    (name,) = options
    with pytest.raises(error, match=name):
        model(kind, **options).fit(X, targets(kind, X))


@each_kind
@pytest.mark.filterwarnings("ignore::dnncore.training.DivergenceWarning")
def test_divergence_of_all_members(kind):
    X = numbers(20)
    fitted = model(kind).fit(X, targets(kind, X))
    before = fitted.predict(X).tolist()
    fitted.set_params(weight_decay=1e300)
    with pytest.raises(ValueError, match="training diverged in the first epoch of all members"):
        fitted.fit(X, targets(kind, X))
    assert fitted.predict(X).tolist() == before


@each_kind
def test_parameters_that_do(kind):
    X = numbers(30)
    y = targets(kind, X)
    for options in (
        {"hidden_layer_sizes": ()}, {"hidden_layer_sizes": 5}, {"n_bins": 1}, {"dropout": 0.0},
        {"embedding_size": 1}, {"activation": "relu"}, {"batch_size": 10**6}, {"max_iter": 1},
        {"weight_decay": 0.0}, {"learning_rate_init": 1.0}, {"n_members": 9}, {"n_bins": 0},
        {"max_grad_norm": 0.1},
    ):  # fmt: skip
        assert model(kind, **options).fit(X, y).predict(X).shape == (30,)


@each_kind
def test_the_norm_of_gradients_may_be_limited(kind, tmp_path):
    X = table(60)
    y = targets(kind, X[["size"]])
    free, same, limited = (model(kind, max_grad_norm=norm) for norm in (None, 1e9, 1e-6))
    assert bits(free.fit(X, y)) == bits(same.fit(X, y)) != bits(limited.fit(X, y))
    limited.save(tmp_path / "model")
    again = dnncore.load(tmp_path / "model")
    assert again.max_grad_norm == 1e-6
    assert bits(again.set_params(max_grad_norm=1e9).fit(X, y)) == bits(free)


# The same bits


@each_kind
@pytest.mark.parametrize("n_threads", [2, 3])
def test_same_bits_for_any_number_of_threads(kind, n_threads):
    X = table(80)
    y = targets(kind, X[["size"]])
    options = {"n_members": 3, "importances": True}
    one = model(kind, **options).fit(X, y)
    several = model(kind, n_threads=n_threads, **options).fit(X, y)
    assert bits(one) == bits(several)
    assert np.array_equal(one.feature_importances_, several.feature_importances_)
    assert np.array_equal(one.predict(X), several.predict(X))
    assert bits(model(kind, random_state=1, **options).fit(X, y)) != bits(one)


@each_kind
def test_same_bits_on_every_instruction_set(kind, select_isa):
    X = table(60)
    y = targets(kind, X[["size"]])
    found = set()
    for isa in csrc.available():
        select_isa(isa)
        fitted = model(kind, hidden_layer_sizes=(21, 5)).fit(X, y)
        found.add((bits(fitted), fitted.predict(X).tobytes()))
    assert len(found) == 1


def test_same_bits_with_disabled_instruction_sets():
    code = """
        import hashlib, numpy as np
        from dnncore.tabular import TabularRegressor
        X = np.random.default_rng(0).normal(size=(50, 3))
        fit = TabularRegressor(n_members=2, max_iter=2, n_threads=2, random_state=0).fit(X, X[:, 0])
        print(hashlib.sha256(fit.predict(X).tobytes()).hexdigest())
        """
    *others, _ = csrc.available()
    found = {run_python(code, DNNCORE_DISABLE_CPU_FEATURES=x)[0] for x in ("", ",".join(others))}
    assert len(found) == 1


CONTAINERS = {
    "polars": pl.from_pandas,
    "Arrow": lambda X: pa.Table.from_pandas(X, preserve_index=False),
    "pandas, Arrow dtypes": lambda X: X.convert_dtypes(dtype_backend="pyarrow"),
    "pandas, nullable dtypes": lambda X: X.convert_dtypes(),
    "pandas, objects": lambda X: X.astype(object),
}


@each_kind
@pytest.mark.parametrize("container", CONTAINERS)
def test_same_bits_in_every_container(kind, container):
    X = table(60).drop(columns="nothing")
    y = targets(kind, X[["size"]])
    first = model(kind).fit(X, y)
    other = CONTAINERS[container](X)
    assert bits(model(kind).fit(other, pl.Series(y))) == bits(first)
    assert np.array_equal(first.predict(other), first.predict(X))


# Out-of-fold predictions and temperature


def drawn_folds(fitted, n, y=None):
    """The rows that each member was trained without."""
    strata = None if y is None else np.unique(y, return_inverse=True)[1]
    return folds(n, fitted.n_members, strata, np.random.RandomState(fitted.random_state))


@pytest.mark.usefixtures("builtin_engine")
@pytest.mark.parametrize("n_members", [1, 2, 4, 5, 6])
def test_oof_predictions_are_of_the_member_trained_without_the_row(n_members):
    X = numbers(53)
    fitted = model(TabularRegressor, n_members=n_members).fit(X, 7.0 + 100.0 * X[:, 0])
    rows = fitted.encoder_.transform(X)
    expected = np.full(len(X), NAN)
    for network, fold in zip(fitted.ensemble_.networks, drawn_folds(fitted, 53), strict=True):
        z = logits(network, rows[fold]).ravel()
        expected[fold] = z * fitted.target_scale_ + fitted.target_mean_
    expected = np.clip(expected, *fitted.target_range_)
    assert np.isnan(fitted.oof_prediction_).any() == (n_members < 5)
    np.testing.assert_array_equal(fitted.oof_prediction_, expected)


@pytest.mark.parametrize("n_members", [1, 3, 5])
def test_oof_probabilities_are_of_the_member_trained_without_the_row(n_members):
    X = numbers(53)
    y = np.digitize(X[:, 0], [-0.5, 0.5])
    fitted = model(TabularClassifier, n_members=n_members, max_iter=15).fit(X, y)
    rows = fitted.encoder_.transform(X)
    expected = np.full((53, 3), NAN)
    for network, fold in zip(fitted.ensemble_.networks, drawn_folds(fitted, 53, y), strict=True):
        expected[fold] = softmax(logits(network, rows[fold]), axis=1)
    assert np.isnan(fitted.oof_predict_proba_).any() == (n_members < 5)
    np.testing.assert_allclose(fitted.oof_predict_proba_, expected, atol=1e-6)


def test_a_member_does_not_see_the_rows_it_holds_out():
    X = numbers(50)
    y = X[:, 0].copy()
    first = model(TabularRegressor, n_members=5, max_iter=1).fit(X, y)
    fold = drawn_folds(first, 50)[0]
    y[fold] = y[fold][::-1]  # the same mean and scale, and with one epoch no choice
    second = model(TabularRegressor, n_members=5, max_iter=1).fit(X, y)
    same = [a == b for a, b in zip(bits(first)[1:], bits(second)[1:], strict=True)]
    assert same == [True, False, False, False, False]


@pytest.mark.parametrize("weighted", [False, True])
def test_the_temperature_is_folded_into_the_networks(weighted):
    X = numbers(80)
    y = (X[:, 0] + np.random.default_rng(1).normal(size=80) > 0).astype(int)
    weight = np.random.default_rng(2).uniform(0, 2, 80) if weighted else None
    fitted = model(TabularClassifier, n_members=5, max_iter=15).fit(X, y, weight)
    oof = fitted.oof_predict_proba_.astype(float)

    def loss(factor):
        """The loss with another temperature."""
        p = softmax(np.log(oof) / factor, axis=1)
        return log_loss(y, p, sample_weight=weight)

    assert fitted.temperature_ != pytest.approx(1.0, abs=0.01)
    assert loss(1.0) < min(loss(0.97), loss(1.03), loss(1.0 / fitted.temperature_))
    rows = fitted.encoder_.transform(X)
    mean = np.mean([softmax(logits(n, rows), axis=1) for n in fitted.ensemble_.networks], axis=0)
    p = fitted.predict_proba(X)
    np.testing.assert_allclose(p, mean, atol=1e-6)
    np.testing.assert_allclose(p.sum(axis=1), 1.0, atol=1e-6)
    np.testing.assert_allclose(fitted.predict_log_proba(X), np.log(p), atol=1e-6)
    assert np.array_equal(fitted.predict(X), p.argmax(axis=1))


# Time, callbacks, errors


@each_kind
def test_max_time_is_kept(kind):
    X = numbers(3000)
    y = targets(kind, X)
    with pytest.warns(UserWarning, match=r"training ended with \d+ of 16 members") as found:
        fitted = kind(n_members=16, max_iter=1000, max_time=0.1, n_threads=1).fit(X, y)
    n_members = len(fitted.ensemble_.networks)
    assert 1 <= n_members == len(fitted.histories_) < 16
    assert str(found[0].message) == f"training ended with {n_members} of 16 members"
    assert fitted.predict(X[:5]).shape == (5,)


@each_kind
def test_a_generous_max_time_changes_nothing(kind):
    X = numbers(40)
    y = targets(kind, X)
    assert bits(model(kind, max_time=1e4).fit(X, y)) == bits(model(kind).fit(X, y))


@each_kind
def test_a_callback_ends_training(kind):
    X = numbers(40)
    with pytest.warns(UserWarning, match="training ended with 2 of 5 members"):
        fitted = model(
            kind, n_members=5, callback=lambda index, info: (index, info.epoch) == (1, 3)
        ).fit(X, targets(kind, X))
    assert fitted.n_iter_.tolist() == [4, 3]
    oof = fitted.oof_prediction_ if kind is TabularRegressor else fitted.oof_predict_proba_[:, 0]
    assert np.isfinite(oof).sum() == 16  # two of five folds


@each_kind
@pytest.mark.parametrize("error", [LookupError, KeyboardInterrupt])
@pytest.mark.parametrize("fitted_before", [False, True])
def test_an_error_in_a_callback_leaves_the_model_unchanged(kind, error, fitted_before):
    X = numbers(40)
    y = targets(kind, X)
    estimator = model(kind)
    if fitted_before:
        estimator.fit(X, y)
    before = dict(vars(estimator))

    def callback(index, info):
        if info.epoch == 2:
            raise error("told so")

    before["callback"] = callback
    with pytest.raises(error, match="told so"):
        estimator.set_params(callback=callback).fit(table(40), y)
    assert vars(estimator) == before
    if fitted_before:
        assert estimator.predict(X).shape == (40,)


@each_kind
def test_fit_again_forgets_the_first(kind):
    X = table(60)
    y = targets(kind, X[["size"]])
    estimator = model(kind, importances=True).fit(X, y)
    other = numbers(40)
    estimator.set_params(importances=False).fit(other, targets(kind, other))
    assert not hasattr(estimator, "feature_names_in_")
    assert not hasattr(estimator, "feature_importances_")
    assert bits(estimator) == bits(model(kind).fit(other, targets(kind, other)))


# Weights


@each_kind
def test_rows_without_weight_do_not_matter(kind):
    rng = np.random.default_rng(0)
    X, weight = numbers(60), np.repeat([1.0, 0.0], [50, 10])
    y = targets(kind, X)
    other = y.copy()
    other[50:] = rng.permutation(y[:10]) if kind is TabularClassifier else 1e9
    first, second = model(kind).fit(X, y, weight), model(kind).fit(X, other, weight)
    if kind is TabularRegressor:
        assert first.target_mean_ == second.target_mean_ == pytest.approx(y[:50].mean())
        assert first.target_scale_ == second.target_scale_ == pytest.approx(y[:50].std())
        assert second.target_range_ == (y[:50].min(), y[:50].max())
        assert bits(first) == bits(second)
        assert second.predict(X).max() <= y[:50].max()
    else:
        expected = np.mean(y[:50] == first.classes_[0])
        assert first.class_prior_[0] == second.class_prior_[0] == pytest.approx(expected)


@each_kind
@pytest.mark.parametrize("n_members", [2, 5])
def test_all_the_weight_in_one_fold(kind, n_members):
    X = numbers(50)
    y = targets(kind, X)
    every = n_members >= 5
    strata = y if kind is TabularClassifier else None
    fold = drawn_folds(model(kind, n_members=n_members), 50, strata)[0]
    weight = np.zeros(50)
    weight[fold] = 1.0
    fitted = model(kind, n_members=n_members, importances=True).fit(X, y, weight)
    oof = fitted.oof_prediction_ if kind is TabularRegressor else fitted.oof_predict_proba_[:, 0]
    # The first member is trained on the rows that it was to hold out.
    assert np.isnan(oof[fold]).all()
    assert np.isfinite(oof).sum() == (40 if every else 10)
    assert fitted.feature_importances_.tolist() == [0.0] * 3
    assert fitted.predict(X).shape == (50,)
    if kind is TabularClassifier:
        assert fitted.temperature_ == 1.0


@each_kind
@pytest.mark.parametrize("n_weighed", [1, 2, 3, 49])
def test_few_rows_with_a_weight(kind, n_weighed):
    X = numbers(50)
    y = targets(kind, X)
    weight = np.repeat([1.0, 0.0], [n_weighed, 50 - n_weighed])
    fitted = model(kind, n_members=5, importances=True).fit(X, y, weight)
    assert np.isfinite(fitted.feature_importances_).all()
    assert fitted.predict(X).shape == (50,)


@each_kind
@pytest.mark.parametrize(
    "weight", [np.zeros(30), -np.ones(30), np.full(30, NAN), np.ones(29), ["a"] * 30]
)
def test_weights_that_do_not_do(kind, weight):
    X = numbers(30)
    with pytest.raises((TypeError, ValueError), match="sample_weight"):
        model(kind).fit(X, targets(kind, X), weight)


@pytest.mark.parametrize("factor", [2.0**-80, 2.0, 2.0**40])
def test_only_the_ratios_of_weights_matter(factor):
    X, weight = numbers(50), np.random.default_rng(0).uniform(1, 2, 50)
    scaled = model(TabularRegressor).fit(X, X[:, 0], factor * weight)
    assert bits(scaled) == bits(model(TabularRegressor).fit(X, X[:, 0], weight))


def test_class_weights():
    X = numbers(100)
    y = np.where(X[:, 0] + np.random.default_rng(1).normal(size=100) > 1.5, "rare", "usual")
    share = {}
    for weight in (None, "balanced", {"rare": 0.0, "usual": 1.0}, {"rare": 1.0, "usual": 0.0}):
        fitted = model(TabularClassifier, max_iter=15, class_weight=weight).fit(X, y)
        share[str(weight)] = fitted.predict_proba(X)[:, 0].mean()
    none, balanced, usual, rare = share.values()
    assert usual < 0.1 < none + 0.1 < balanced < 0.9 < rare
    for weight, message in (({"no": 1.0}, "class_weight"), ("even", "class_weight")):
        with pytest.raises(ValueError, match=message):
            model(TabularClassifier, class_weight=weight).fit(X, y)


def test_class_weights_are_sample_weights():
    X = numbers(60)
    y = (X[:, 0] > 1).astype(int)
    by_class = model(TabularClassifier, class_weight={0: 1.0, 1: 4.0}).fit(X, y)
    by_row = model(TabularClassifier).fit(X, y, 1.0 + 3.0 * y)
    assert bits(by_class) == bits(by_row)


# Labels


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        (["b", "a"], ["a", "b"]), ([True, False], [False, True]), ([3, -1], [-1, 3]),
        ([2.0, 1.0], [1.0, 2.0]), (np.array(["b", "a"], object), ["a", "b"]),
        (pd.Series(["b", "a"], dtype="category"), ["a", "b"]),
        (pd.Series(["b", "a"], dtype="string"), ["a", "b"]),
        (pd.Series([5, 4], dtype="Int64"), [4, 5]),
        (pl.Series(["b", "a"], dtype=pl.Categorical), ["a", "b"]),
        (pl.Series([True, False]), [False, True]), (pa.array(["b", "a"]), ["a", "b"]),
    ],
)  # fmt: skip
def test_labels_of_every_kind(labels, classes):
    X = np.repeat([[1.0], [0.0]], 20, axis=0)
    y = labels.take(np.repeat([0, 1], 20)) if isinstance(labels, pa.Array) else None
    if y is None:
        y = labels.repeat(20) if isinstance(labels, pd.Series) else None
    if y is None and isinstance(labels, pl.Series):
        y = labels.gather(np.repeat([0, 1], 20))
    y = np.repeat(labels, 20) if y is None else y
    fitted = model(TabularClassifier, max_iter=15).fit(X, y)
    assert fitted.classes_.tolist() == classes
    assert fitted.predict([[1.0], [0.0]]).tolist() == classes[::-1]
    assert fitted.score(X, y) == 1.0


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (np.eye(3)[[0, 1, 2] * 10], "y must have one label per row, got multilabel labels"),
        (np.full((30, 3), 1 / 3), "Unknown label type"),
        (np.linspace(0, 1, 30), "Unknown label type: continuous"),
        ([1.0, NAN] * 15, "y contains NaN"),
        (["a", None, "a"] * 10, "y must not have missing values, got None in row 1"),
        (pd.Series(["a", "a", None] * 10, dtype="string"), "missing values, got <NA> in row 2"),
        (pd.Series([True, None] * 15, dtype="boolean"), "missing values, got <NA> in row 1"),
        (["a"] * 29, "inconsistent numbers of samples"),
        (None, "requires y to be passed"),
    ],
)
def test_labels_that_do_not_do(y, message):
    with pytest.raises(ValueError, match=message):
        model(TabularClassifier).fit(numbers(30), y)


def test_one_class():
    X = numbers(20)
    fitted = model(TabularClassifier, importances=True).fit(X, ["only"] * 20)
    assert fitted.predict_proba(X).tolist() == [[1.0]] * 20
    assert set(fitted.predict(X)) == {"only"}
    assert fitted.feature_importances_.tolist() == [0.0] * 3


def test_one_row_a_class():
    X = numbers(12)
    fitted = model(TabularClassifier).fit(X, [f"c{i}" for i in range(12)])
    assert fitted.predict_proba(X).shape == (12, 12)


# Targets


def test_several_outputs():
    X = numbers(100)
    y = np.stack([X[:, 0], 1e6 - 1e3 * X[:, 1]], axis=1)
    fitted = model(TabularRegressor, n_members=5, max_iter=32, hidden_layer_sizes=(32,)).fit(X, y)
    assert fitted.predict(X).shape == fitted.oof_prediction_.shape == (100, 2)
    assert fitted.score(X, y) > 0.9
    assert np.isfinite(fitted.oof_prediction_).all()
    frame = model(TabularRegressor).fit(X, pd.DataFrame(y)).predict(X)
    assert np.array_equal(frame, model(TabularRegressor).fit(X, y).predict(X))


def test_a_single_column_is_a_single_output():
    X = numbers(30)
    column = model(TabularRegressor).fit(X, X[:, :1])
    assert column.predict(X).shape == column.oof_prediction_.shape == (30,)
    assert bits(column) == bits(model(TabularRegressor).fit(X, X[:, 0]))


@pytest.mark.parametrize("value", [0.0, 7.0, -1e12, 1e-300])
def test_a_constant_target(value):
    X = numbers(30)
    fitted = model(TabularRegressor).fit(X, np.full(30, value))
    assert fitted.predict(10 * X).tolist() == [value] * 30


@pytest.mark.parametrize(("factor", "offset"), [(1e11, 1e12), (1.0, 1e6), (1e-12, 0.0)])
def test_targets_of_any_size(factor, offset):
    X = numbers(80)
    y = X[:, 0].astype(np.float32).astype(float)
    unit = model(TabularRegressor, max_iter=15).fit(X, y)
    scaled = model(TabularRegressor, max_iter=15).fit(X, offset + factor * y)
    expected = offset + factor * unit.predict(X)
    np.testing.assert_allclose(scaled.predict(X), expected, atol=1e-3 * factor)


def test_nothing_is_predicted_beyond_the_targets():
    X = numbers(40)
    fitted = model(TabularRegressor, learning_rate_init=1.0).fit(X, X[:, 0])
    predicted = fitted.predict(1e3 * numbers(100, seed=1))
    assert X[:, 0].min() <= predicted.min() and predicted.max() <= X[:, 0].max()


@pytest.mark.parametrize(
    ("y", "message"),
    [
        ([1.0, NAN] * 15, "y contains NaN"),
        ([1.0, np.inf] * 15, "y contains infinity"),
        ([1.0, None] * 15, "y must not have missing values, got None in row 1"),
        (["a", "b"] * 15, "could not convert string to float"),
        ([1.0] * 29, "inconsistent numbers of samples"),
        ([0.0, 1e300] * 15, "y must have a variance within the range of float64"),
        (None, "requires y to be passed"),
    ],
)
def test_targets_that_do_not_do(y, message):
    with pytest.raises(ValueError, match=message):
        model(TabularRegressor).fit(numbers(30), y)


# Rows


@each_kind
def test_two_rows(kind):
    X = numbers(2)
    y = ["a", "b"] if kind is TabularClassifier else [1.0, 2.0]
    fitted = model(kind, n_members=8).fit(X, y)
    assert len(fitted.ensemble_.networks) == 8
    assert fitted.predict(X).shape == (2,)
    with pytest.raises(ValueError, match="X must have at least 2 samples, got n_samples = 1"):
        model(kind).fit(X[:1], y[:1])
    with pytest.raises(ValueError, match="X must not be empty"):
        model(kind).fit(X[:0], y[:0])


@each_kind
def test_columns_are_found_by_name(kind):
    X = table(60)
    fitted = model(kind).fit(X, targets(kind, X[["size"]]))
    expected = fitted.predict(X)
    assert np.array_equal(fitted.predict(X[X.columns[::-1]]), expected)
    assert np.array_equal(fitted.predict(X.assign(more=1)), expected)
    with pytest.raises(ValueError, match=r"X lacks the column.* 'colour'"):
        fitted.predict(X.drop(columns="colour"))
    with pytest.raises(ValueError, match="must have different names"):
        fitted.predict(pd.concat([X, X[["size"]]], axis=1))
    assert fitted.predict(X[:1]).shape == (1,)


N = 40
RNG = np.random.default_rng(0)
WORDS = RNG.choice(np.array(["red", "green", "blue", None], object), N)
HOLES = np.where(RNG.random(N) < 0.3, NAN, RNG.normal(size=N))
DAYS = [dt.date(2020, 1, 1) + dt.timedelta(days=i) for i in range(N)]


def frame(**columns):
    return pd.DataFrame({name: pd.Series(column) for name, column in columns.items()})


FRAMES = {
    "numbers": frame(a=RNG.normal(size=N), b=np.arange(N)),
    "holes": frame(a=HOLES),
    "all missing": frame(a=[None] * N),
    "all NaN": frame(a=np.full(N, NAN)),
    "constant": frame(a=np.ones(N)),
    "constant with holes": frame(a=np.where(np.isnan(HOLES), NAN, 1.0)),
    "one category": frame(a=["one"] * N),
    "categories": frame(a=WORDS),
    "a category a row": frame(a=[f"name {i}" for i in range(N)]),
    "Booleans": frame(a=RNG.random(N) < 0.5, b=np.arange(N) < 1),
    "nullable": frame(a=HOLES, b=WORDS, c=RNG.random(N) < 0.5).convert_dtypes(),
    "nullable Booleans": frame(a=pd.array([True, False, None, True] * 10, dtype="boolean")),
    "Arrow dtypes": frame(a=HOLES, b=WORDS).convert_dtypes(dtype_backend="pyarrow"),
    "Arrow": pa.table({"a": HOLES, "b": WORDS, "c": DAYS}),
    "Arrow chunks": pa.concat_tables([pa.table({"a": HOLES[:7]}), pa.table({"a": HOLES[7:]})]),
    "Arrow dictionaries": pa.table({"a": pa.array(WORDS).dictionary_encode()}),
    "polars": pl.DataFrame({"a": HOLES, "b": list(WORDS), "c": DAYS}),
    "polars categories": pl.DataFrame({"a": pl.Series(list(WORDS), dtype=pl.Categorical)}),
    "pandas categories": frame(a=pd.Categorical(WORDS), b=pd.cut(HOLES, 3)),
    "unused categories": frame(a=pd.Categorical(["x"] * N, ["w", "x"])),
    "dates": frame(a=pd.date_range("1950", periods=N, freq="37D"), b=DAYS),
    "zones": frame(a=pd.date_range("2020", periods=N, freq="h", tz="Asia/Tokyo")),
    "durations": frame(a=pd.to_timedelta(np.arange(N), unit="h")),
    "decimals": frame(a=[decimal.Decimal(i) / 7 for i in range(N)]),
    "numbers and text": frame(a=[1, "red", 2.5, None] * 10),
    "numbers and Booleans": frame(a=[1, True, 2.5, None] * 10),
    "infinities": frame(a=[np.inf, -np.inf, 1.0, NAN] * 10),
    "huge": frame(a=RNG.normal(size=N) * 1e300, b=RNG.normal(size=N) * 5e-324, c=[2**64] * N),
    "sparse": frame(a=pd.arrays.SparseArray([0.0] * (N - 1) + [1.0])),
    "no names": np.stack([HOLES, np.arange(N)], axis=1),
    "rows": [[x, word] for x, word in zip(HOLES, WORDS, strict=True)],
    "names of other types": pd.DataFrame({0: HOLES, 1: WORDS}),
    "masked": np.ma.MaskedArray(np.ones((N, 2)), RNG.random((N, 2)) < 0.3),
    "many columns": pd.DataFrame(RNG.normal(size=(N, 70))),
}  # fmt: skip


@each_kind
@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("name", FRAMES)
def test_messy_tables(kind, name):
    X, z = FRAMES[name], np.arange(N) % 7
    y = z.astype(float) if kind is TabularRegressor else z
    fitted = model(kind, max_iter=2).fit(X, y)
    predicted = fitted.predict(X)
    assert predicted.shape == (N,) and np.isfinite(predicted).all()
    if kind is TabularClassifier:
        assert np.isfinite(fitted.predict_proba(X)).all()


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (pd.DataFrame(np.ones((N, 2)), columns=["a", "a"]), "different names, got twice 'a'"),
        (frame(a=[[1]] * N), "column 'a' has cells of the type list"),
        (frame(a=[dt.date(2020, 1, 1), "x"] * 20), "column 'a' has cells of different kinds"),
        (frame(a=[1j] * N), "column 'a' has the type complex"),
        (pd.DataFrame(index=range(N)), r"0 feature\(s\)"),
        (np.ones(N), "Expected 2D array"),
        (pl.DataFrame({"a": [[1]] * N}), "column 'a' has the type List"),
    ],
)
@each_kind
def test_tables_that_do_not_do(kind, X, message):
    with pytest.raises(ValueError, match=message):
        model(kind).fit(X, np.arange(N) % 2)


def test_ten_thousand_categories():
    X = frame(a=[f"name {i}" for i in range(10_000)])
    fitted = model(TabularClassifier, max_iter=1).fit(X, np.arange(10_000) % 2)
    assert fitted.ensemble_.n_features == 65
    assert fitted.predict_proba(frame(a=["unknown", None])).shape == (2, 2)


def test_a_category_tells_the_class():
    X = frame(noise=RNG.normal(size=200), colour=RNG.choice(["red", "green", "blue"], 200))
    fitted = model(TabularClassifier, n_members=5, max_iter=30, hidden_layer_sizes=(32,)).fit(
        X, X["colour"]
    )
    assert fitted.score(X, X["colour"]) == 1.0
    held_out = fitted.classes_[fitted.oof_predict_proba_.argmax(axis=1)]
    assert np.mean(held_out == X["colour"]) > 0.95
