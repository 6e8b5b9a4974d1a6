"""Predictions while the same estimator is fitted again, with other columns and other classes."""

import threading

import numpy as np
import pytest

from dnncore import DNNClassifier, DNNRegressor, to_onnx
from dnncore._estimators import interface
from dnncore.tabular import TabularClassifier, TabularRegressor

pytestmark = pytest.mark.filterwarnings("ignore:max_iter")

RNG = np.random.default_rng(0)
X, LABELS, NUMBERS = RNG.normal(size=(30, 4)), np.arange(30) % 3, RNG.normal(size=30)
WIDE, OTHERS = RNG.normal(size=(40, 9)), np.array(["a", "b", "c", "d", "e"])[np.arange(40) % 5]
SMALL = {"max_iter": 2, "random_state": 0}


class Refitting:
    """Rows, or weights, that fit an estimator anew when they are converted to an array."""

    def __init__(self, array, model, X, y):
        self.array, self.model, self.other = array, model, (X, y)
        self.shape = array.shape

    def __len__(self):
        return len(self.array)

    def __array__(self, dtype=None, copy=None):
        self.model.fit(*self.other)
        return np.array(self.array, dtype)


def classifier():
    return DNNClassifier((5,), early_stopping=False, **SMALL).fit(X, LABELS)


@pytest.mark.parametrize(
    "method",
    ["predict", "predict_proba", "predict_log_proba", "decision_function",
     "predict_scaled_log_likelihood"],
)  # fmt: skip
def test_rows_that_refit_a_classifier(method):
    model = classifier()
    expected = getattr(model, method)(X)
    found = getattr(model, method)(Refitting(X, model, X, LABELS % 2 == 0))
    np.testing.assert_array_equal(found, expected)
    with pytest.raises(ValueError, match="4 features"):
        getattr(model, method)(Refitting(X, model, WIDE, OTHERS))


def test_rows_that_refit_a_regressor():
    model = DNNRegressor(hidden_layer_sizes=(5,), early_stopping=False, **SMALL).fit(X, NUMBERS)
    expected = model.predict(X)
    found = model.predict(Refitting(X, model, X, np.c_[NUMBERS, NUMBERS]))
    np.testing.assert_array_equal(found, expected)


def test_weights_that_refit_while_it_is_fitted():
    model = DNNClassifier((5,), early_stopping=False, **SMALL)
    weight = np.linspace(1.0, 2.0, 30)
    expected = DNNClassifier((5,), early_stopping=False, **SMALL).fit(X, LABELS, weight)
    model.fit(X, LABELS, Refitting(weight, model, WIDE, OTHERS))
    assert model.n_features_in_ == 4 and model.classes_.tolist() == [0, 1, 2]
    np.testing.assert_array_equal(model.predict_proba(X), expected.predict_proba(X))


def test_weights_that_refit_while_it_goes_on():
    model = classifier()
    model.partial_fit(X, LABELS, Refitting(np.ones(30), model, WIDE, OTHERS))
    assert model.predict_proba(X).shape == (30, 3)
    assert model.n_features_in_ == 4 and model.classes_.tolist() == [0, 1, 2]
    model.partial_fit(X, LABELS)  # from now on without checks
    loaded = classifier()
    del loaded._trainer  # as in a model file without the solver's state
    loaded.partial_fit(X, LABELS, Refitting(np.ones(30), loaded, WIDE, OTHERS))
    assert loaded.n_iter_ == 1  # not of the other fit
    with pytest.raises(ValueError, match="4 features"):
        model.partial_fit(X, LABELS, Refitting(np.ones(30), model, WIDE, OTHERS))
    assert model.predict_proba(WIDE).shape == (40, 5)


def test_a_fit_between_reading_the_network_and_the_classes(monkeypatch):
    model, learnt, meanwhile = classifier(), DNNClassifier._learnt, [(WIDE, OTHERS)]

    def after_another_fit(self):
        if meanwhile:
            self.fit(*meanwhile.pop())
        return learnt(self)

    monkeypatch.setattr(DNNClassifier, "_learnt", after_another_fit)
    network, found = interface.network_and_learnt_of(model)
    assert not meanwhile and network is model.network_
    assert found.classes.tolist() == ["a", "b", "c", "d", "e"]


@pytest.mark.parametrize("kind", [TabularClassifier, TabularRegressor])
def test_rows_that_refit_a_table_model(kind):
    y = LABELS if kind is TabularClassifier else NUMBERS
    other = OTHERS if kind is TabularClassifier else np.c_[NUMBERS, NUMBERS][:, [0, 1, 0]]
    model = kind(n_members=2, hidden_layer_sizes=(3,), **SMALL).fit(X, y)
    expected = model.predict(X)
    table = Refitting(X, model, WIDE if kind is TabularClassifier else X, other)
    try:
        found = model.predict(table)
    except (TypeError, ValueError):
        return
    np.testing.assert_array_equal(found, expected)


def test_a_failed_fit_leaves_other_threads_what_there_was():
    model = classifier()
    seen = []

    class Failing(Refitting):
        def __array__(self, dtype=None, copy=None):
            seen.append(model.predict(X))
            raise ValueError("no rows")

    expected = model.predict(X)
    with pytest.raises(ValueError, match="no rows"):
        model.fit(X, LABELS, Failing(NUMBERS, model, X, LABELS))
    np.testing.assert_array_equal(seen[0], expected)


@pytest.mark.parametrize("kind", [DNNClassifier, TabularClassifier])
def test_threads_see_one_fit_or_the_other(kind, tmp_path):
    tabular = kind is TabularClassifier
    options = {"n_members": 2} if tabular else {"early_stopping": False}
    model = kind(hidden_layer_sizes=(3,), **options, **SMALL)
    fits = [(X, LABELS), (WIDE, OTHERS)]
    expected = {}
    for rows, y in fits:
        model.fit(rows, y)
        expected[rows.shape[1]] = model.predict_proba(rows), model.predict(rows)
    errors, stop = [], threading.Event()

    def check():
        for rows, y in fits:
            try:
                proba, labels = model.predict_proba(rows), model.predict(rows)
                frozen = model.freeze()
            except (TypeError, ValueError) as error:
                if "features" not in str(error) and "columns" not in str(error):
                    raise
                continue
            assert len(frozen.classes_) == {4: 3, 9: 5}[frozen.n_features]
            if tabular:  # trained out of sight
                np.testing.assert_array_equal(proba, expected[rows.shape[1]][0])
                np.testing.assert_array_equal(labels, expected[rows.shape[1]][1])
            else:
                assert proba.shape == (len(rows), len(set(y)))
                assert set(labels.tolist()) <= set(y.tolist())
                to_onnx(model, tmp_path / f"{threading.get_ident()}.onnx")

    def score():
        try:
            while not stop.is_set():
                check()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=score) for _ in range(3)]
    for thread in threads:
        thread.start()
    for i in range(6 if tabular else 60):
        model.fit(*fits[i % 2])
    stop.set()
    for thread in threads:
        thread.join()
    assert not errors, errors[0]


def test_snapshots_do_not_change():
    model = classifier()
    before = interface.snapshot(model)
    model.fit(WIDE, OTHERS)
    assert before.classes_.tolist() == [0, 1, 2] and before.n_features_in_ == 4
    assert before.predict_proba(X).shape == (30, 3)
