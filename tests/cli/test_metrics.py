"""The figures that the commands print."""

import json
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics

from dnncore.cli._metrics import ClassScores, LabelScores, NumberScores
from dnncore.cli._model import Scored


def update_in_parts(scores, cuts, y, predicted, outputs):
    for part in np.split(np.arange(len(y)), sorted(cut % len(y) for cut in cuts)):
        if len(part):
            scores.update(y[part], Scored(predicted[part], outputs[part]))


seeds = st.integers(0, 2**32 - 1)
all_cuts = st.lists(st.integers(0, 1000), max_size=4)


@given(st.integers(1, 60), st.integers(2, 6), seeds, all_cuts)
def test_class_scores_are_those_of_scikit_learn(n, n_classes, seed, cuts):
    random = np.random.default_rng(seed)
    p = random.dirichlet(np.ones(n_classes) / 4, size=n)
    y, predicted = random.integers(n_classes, size=n), p.argmax(axis=1)
    classes = np.arange(n_classes)
    scores = ClassScores(classes)
    update_in_parts(scores, cuts, y, predicted, p)
    assert scores.rows == n
    assert scores.accuracy == pytest.approx(metrics.accuracy_score(y, predicted))
    assert scores.log_loss == pytest.approx(metrics.log_loss(y, p, labels=classes), rel=1e-9)
    np.testing.assert_array_equal(
        scores.confusion, metrics.confusion_matrix(y, predicted, labels=classes)
    )
    expected = metrics.precision_recall_fscore_support(
        y, predicted, labels=classes, zero_division=0.0
    )
    np.testing.assert_allclose(scores.by_class(), expected[:3])
    assert [entry["count"] for entry in scores.as_dict()["classes"]] == expected[3].tolist()


@given(st.integers(1, 60), st.integers(2, 4), seeds, all_cuts)
def test_label_scores_are_those_of_scikit_learn(n, n_labels, seed, cuts):
    random = np.random.default_rng(seed)
    p = random.uniform(0.001, 0.999, size=(n, n_labels))
    y, predicted = random.integers(2, size=(n, n_labels)), (p > 0.5).astype(int)
    scores = LabelScores(np.arange(n_labels))
    update_in_parts(scores, cuts, y, predicted, p)
    assert scores.accuracy == pytest.approx(metrics.accuracy_score(y, predicted))
    single = [metrics.log_loss(y[:, i], p[:, i], labels=[0, 1]) for i in range(n_labels)]
    assert scores.log_loss == pytest.approx(np.mean(single), rel=1e-9)
    expected = metrics.precision_recall_fscore_support(y, predicted, zero_division=0.0)
    found = [[entry[name] for entry in scores.as_dict()["classes"]]
             for name in ("precision", "recall", "f1", "count")]  # fmt: skip
    np.testing.assert_allclose(found, expected)


@given(st.integers(2, 60), st.integers(1, 3), seeds, all_cuts, st.sampled_from([0.0, 1e6]))
def test_number_scores_are_those_of_scikit_learn(n, n_outputs, seed, cuts, offset):
    random = np.random.default_rng(seed)
    y = random.normal(offset, 1.0, size=(n, n_outputs))
    predicted = y + random.normal(size=y.shape)
    scores = NumberScores(n_outputs)
    update_in_parts(scores, cuts, y[:, 0] if n_outputs == 1 else y, predicted, predicted)
    assert scores.r2 == pytest.approx(metrics.r2_score(y, predicted), rel=1e-6)
    assert scores.rmse == pytest.approx(math.sqrt(metrics.mean_squared_error(y, predicted)))
    assert scores.mae == pytest.approx(metrics.mean_absolute_error(y, predicted))


def test_r2_of_a_constant_is_undefined():
    scores = NumberScores(1)
    scores.update(np.ones(3), Scored(np.zeros((3, 1)), np.zeros((3, 1))))
    assert scores.summary() == "R2 undefined, RMSE 1, MAE 1"
    assert json.loads(json.dumps(scores.as_dict()))["r2"] is None
