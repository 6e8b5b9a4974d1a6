"""What fit, fit_blocks and partial_fit do with their rows: look through them once, and learn the
same of them by the same code."""

import sys

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
import sklearn.utils.validation
from sklearn.utils.multiclass import type_of_target

from dnncore import DNNClassifier, DNNRegressor
from dnncore._core.csrc import all_finite
from dnncore._core.moments import Moments
from dnncore._estimators import labels
from dnncore._estimators.label_learning import LabelLearner

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

RNG = np.random.default_rng(0)
N_FEATURES = 13  # which no other array has as its width
X = RNG.normal(size=(600, N_FEATURES))
LABEL = RNG.integers(0, 3, 600)
TARGET = X[:, 0] + X[:, 1] ** 2
WEIGHT = RNG.random(600)
EPOCHS = 3


@pytest.fixture
def scanned(monkeypatch):
    """Number of rows of each look for NaN and infinity in X."""
    rows = []

    def of(function):
        def spy(array, *args, **kwargs):
            shape = np.shape(array)
            if len(shape) == 2 and shape[1] == N_FEATURES:
                rows.append(shape[0])
            return function(array, *args, **kwargs)

        return spy

    validation = sklearn.utils.validation
    monkeypatch.setattr(validation, "_assert_all_finite", of(validation._assert_all_finite))
    for name, module in list(sys.modules.items()):
        if name.startswith("dnncore.") and getattr(module, "all_finite", None) is all_finite:
            monkeypatch.setattr(module, "all_finite", of(all_finite))
    return rows


def estimator(kind, **parameters):
    options = {"hidden_layer_sizes": (5,), "max_iter": EPOCHS, "random_state": 0}
    return kind(**options | parameters)


def blocks(sizes, *arrays):
    ends = np.cumsum(sizes)
    return [
        tuple(array[end - size : end] for array in arrays)
        for size, end in zip(sizes, ends, strict=True)
    ]


@pytest.mark.parametrize("kind", [DNNClassifier, DNNRegressor])
@pytest.mark.parametrize("missing_values", ["error", "indicator"])
@pytest.mark.parametrize(
    "parameters", [{}, {"early_stopping": True}, {"solver": "lbfgs"}, {"norm": False}], ids=str
)
def test_fit_looks_through_X_once(scanned, kind, missing_values, parameters):
    if missing_values != "error" and not parameters.get("norm", True):
        pytest.skip("norm fills the gaps")
    model = estimator(kind, missing_values=missing_values, **parameters)
    model.fit(X, LABEL if kind is DNNClassifier else TARGET)
    assert scanned == [600]


def test_fit_looks_through_validation_rows_once(scanned):
    estimator(DNNClassifier).fit(X, LABEL, X_val=X[:50], y_val=LABEL[:50])
    assert scanned == [600, 50]


def test_partial_fit_looks_through_X_once(scanned):
    model = estimator(DNNClassifier)
    for _ in range(2):
        model.partial_fit(X[:100], LABEL[:100], classes=[0, 1, 2])
    assert scanned == [100, 100]


@pytest.mark.parametrize("kind", [DNNClassifier, DNNRegressor])
@pytest.mark.parametrize("form", [np.asarray, pd.DataFrame, np.float32, np.asfortranarray])
def test_fit_blocks_looks_through_a_block_once_an_epoch(scanned, kind, form):
    y = LABEL if kind is DNNClassifier else TARGET
    sizes = [100, 300, 200]
    given = [(form(rows), targets) for rows, targets in blocks(sizes, X, y)]
    estimator(kind).fit_blocks(given)
    assert scanned == sizes * (1 + EPOCHS)


def test_class_weights_need_another_reading(scanned):
    sizes = [100, 300, 200]
    estimator(DNNClassifier, class_weight="balanced").fit_blocks(blocks(sizes, X, LABEL))
    assert scanned == sizes * (2 + EPOCHS)


def test_a_sparse_block_is_looked_through_by_scikit_learn_only(monkeypatch):
    looked = []
    check = sklearn.utils.validation._assert_all_finite

    def spy(array, *args, **kwargs):
        looked.append(np.size(array))
        return check(array, *args, **kwargs)

    monkeypatch.setattr(sklearn.utils.validation, "_assert_all_finite", spy)
    rows = sp.csr_array(np.where(np.abs(X) > 1, X, 0))
    estimator(DNNClassifier).fit(rows, LABEL)
    assert looked.count(rows.nnz) == 1


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("class_weight", [None, "balanced", {0: 3.0, 1: 0.5, 2: 1.0}])
@pytest.mark.parametrize("weight", [None, WEIGHT], ids=["plain", "weighted"])
def test_class_shares_of_blocks_are_those_of_fit(dtype, class_weight, weight):
    arrays = [X.astype(dtype), LABEL, *([] if weight is None else [weight])]
    options = {"class_weight": class_weight, "early_stopping": False}
    models = [estimator(DNNClassifier, **options) for _ in range(2)]
    models[0].fit(*arrays)
    models[1].fit_blocks(blocks([7, 293, 300], *arrays))
    np.testing.assert_array_equal(models[0].class_prior_, models[1].class_prior_)


def test_shares_are_of_the_rows_to_train_on():
    """Not of those that early stopping splits off; classes are those of all rows."""
    model = estimator(DNNClassifier, early_stopping=True, validation_fraction=0.5)
    model.fit(X, LABEL, WEIGHT)
    everything = np.bincount(LABEL, WEIGHT) / WEIGHT.sum()
    assert (model.class_prior_ != everything).all()
    np.testing.assert_allclose(model.class_prior_, everything, atol=0.1)


def test_one_learner_for_all_ways_to_train(monkeypatch):
    """Every class weight comes from the one method."""
    asked = []
    row_weight = LabelLearner.row_weight

    def spy(self, y):
        asked.append(len(y))
        return row_weight(self, y)

    monkeypatch.setattr(LabelLearner, "row_weight", spy)
    model = estimator(DNNClassifier, class_weight="balanced", max_iter=1)
    model.fit(X, LABEL)
    model.partial_fit(X[:40], LABEL[:40])
    model.fit_blocks(blocks([600], X, LABEL))
    assert asked == [600, 40, 600, 600]


def test_that_no_label_is_true_is_no_lack_of_weight():
    """Labels of several outputs of which none is true."""
    indicator = np.zeros((600, 3), int)
    one = estimator(DNNClassifier, early_stopping=False).fit(X, indicator)
    other = estimator(DNNClassifier).fit_blocks([(X, indicator)])
    np.testing.assert_array_equal(one.network_.parameters, other.network_.parameters)


def test_another_kind_of_labels_leaves_no_shares_behind():
    model = estimator(DNNClassifier).fit(X, LABEL)
    model.fit(X, np.eye(3, dtype=int)[LABEL] | np.eye(3, dtype=int)[0])
    assert not hasattr(model, "class_prior_")


@pytest.mark.filterwarnings("ignore:overflow encountered in cast")
def test_a_number_that_float32_cannot_hold_is_called_by_its_row():
    rows = X.copy()
    rows[450, 2] = 1e300
    given = [(X[:300].astype(np.float32), LABEL[:300]), (rows[300:], LABEL[300:])]
    with pytest.raises(ValueError, match=r"finite, got inf in row 450 \(block 1\), column 2"):
        estimator(DNNClassifier).fit_blocks(given)


@pytest.mark.filterwarnings("error::RuntimeWarning")
def test_large_weights_give_no_warning():
    model = estimator(DNNRegressor, norm=False, norm_target=False)
    model.fit(X, TARGET, np.full(600, 1e306)).partial_fit(X, TARGET, np.full(600, 1e296))


@pytest.mark.parametrize(
    "y", [np.eye(3, dtype=int)[LABEL], np.eye(3)[LABEL] / 2 + 1 / 6, LABEL.astype(float)]
)
def test_fit_determines_the_kind_of_labels_once(monkeypatch, y):
    asked = []

    def spy(y, **options):
        asked.append(len(y))
        return type_of_target(y, **options)

    monkeypatch.setattr(labels, "type_of_target", spy)
    model = estimator(DNNClassifier, label_smoothing=0.1).fit(X, y)
    model.partial_fit(X[:40], y[:40])
    assert asked == [600, 40]


def test_the_scale_of_targets_is_computed_once(monkeypatch):
    dtypes = []
    scale = Moments.scale

    def spy(self, dtype):
        dtypes.append(dtype)
        return scale(self, dtype)

    monkeypatch.setattr(Moments, "scale", spy)
    estimator(DNNRegressor).fit(X.astype(np.float32), TARGET)
    assert dtypes == [np.float64, np.float32]  # y, X


def learner_of(y, weight=None, **options):
    learner = LabelLearner(None, None, options.pop("class_weight", None), in_blocks=True, **options)
    if len(y):
        learner.add_totals(learner.learn(y), weight)
    return learner


@pytest.mark.parametrize(
    "parts",
    [
        [[2, 2, 5], [], [1, 5], [9]],
        [["b"], ["a", "c"], ["b"]],
        [[[0, 1], [1, 0]], [[0.5, 0.5]], [[1, 0]]],  # soft labels, of which some are 0 and 1
        [[[0, 1], [1, 1]], [[0, 0]]],
    ],
)
def test_merged_learners_of_labels_know_what_one_of_all_rows_knows(parts):
    parts = [np.array(part) if len(part) else np.zeros(0, int) for part in parts]
    weights_of = [np.linspace(1, 2, len(part)) for part in parts]
    merged = learner_of(parts[0], weights_of[0])
    for part, weight in zip(parts[1:], weights_of[1:], strict=True):
        merged.merge(learner_of(part, weight))
    whole = learner_of([], None)
    for part, weight in zip(parts, weights_of, strict=True):
        if len(part):
            whole.add_totals(whole.learn(part), weight)
    merged.finish()
    whole.finish()
    found, expected = merged.learnt(), whole.learnt()
    assert found.kind == expected.kind
    np.testing.assert_array_equal(found.classes, expected.classes)
    if expected.totals is not None:
        np.testing.assert_allclose(found.totals, expected.totals, rtol=1e-15)
    part = merged.for_part()
    part.add_totals(part.learn(parts[0]) if found.kind != "single" else parts[0], weights_of[0])
    merged.merge(part)
    if expected.totals is not None:
        assert merged.learnt().totals.sum() == pytest.approx(
            expected.totals.sum() + weights_of[0].sum()
        )


def test_learners_of_other_kinds_or_types_are_not_merged():
    with pytest.raises(ValueError, match=r"labels of one type, got int64 after <U1"):
        learner_of(np.array(["a"])).merge(learner_of(np.array([1])))
    with pytest.raises(ValueError, match="y must have single labels as before, got multilabel"):
        learner_of(np.array([1, 2])).merge(learner_of(np.array([[1, 1]])))
    with pytest.raises(ValueError, match="y must have 2 columns as before, got 3"):
        learner_of(np.array([[1, 1]])).merge(learner_of(np.array([[1, 1, 0]])))
