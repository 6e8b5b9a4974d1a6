"""Reports of classifiers: the right numbers."""

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pages import report
from scipy.sparse import csr_array
from sklearn.datasets import (
    load_breast_cancer,
    load_digits,
    make_multilabel_classification,
)
from sklearn.metrics import (
    accuracy_score,
    balanced_accuracy_score,
    confusion_matrix,
    f1_score,
    log_loss,
)

from dnncore import DNNClassifier
from dnncore.report._classifier import Reliability, _wilson
from dnncore.report._html import number

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(return_X_y=True)
    model = DNNClassifier(20, max_iter=15, random_state=0, early_stopping=True)
    return model.fit(X[:900], y[:900]), X[900:1200], y[900:1200]


def test_report_of_the_digits(digits, tmp_path):
    model, X, y = digits
    page = report(tmp_path, model, X, y, title="Digits", data_summary={"Training rows": 900})
    predicted, p = model.predict(X), model.predict_proba(X)
    assert "".join(page.text).count("Digits") == 2  # the title of page and tab
    assert f"{accuracy_score(y, predicted):.1%}" in page
    assert f"{balanced_accuracy_score(y, predicted):.1%}" in page
    assert f"{f1_score(y, predicted, average='macro'):.4f}" in page
    assert number(log_loss(y, p)) in page
    assert "Training rows900" in page
    assert "Evaluated rows300" in page
    wrong = predicted != y
    assert f"{wrong.sum()} of 300 rows ({wrong.mean():.1%}) are misclassified" in page

    C = confusion_matrix(y, predicted)
    shown = [row for row in page.rows if len(row) == 11]
    assert [[int(x or 0) for x in row[1:]] for row in shown[-10:]] == C.tolist()
    recall = C.diagonal() / C.sum(axis=1)
    scores = [row for row in page.rows if len(row) == 5 and row[0] in "0123456789"]
    assert [row[2] for row in scores] == [f"{value:.4f}" for value in recall]
    assert [int(row[4]) for row in scores] == C.sum(axis=1).tolist()

    loss = -np.log(p[np.arange(len(y)), y])
    worst = np.argsort(-loss)[:20]
    cases = [row for row in page.rows if len(row) == 8 and row[0] != "row"]
    assert [int(row[0]) for row in cases] == worst.tolist()
    for row, i in zip(cases, worst, strict=True):
        assert row[1] == ("✗" if wrong[i] else "")
        assert row[2:4] == [str(y[i]), str(predicted[i])]
        assert row[4:7] == [f"{x:.4f}" for x in (p[i].max(), p[i, y[i]], loss[i])]
    assert page.tags.count("img") == 20


def test_report_with_weights_is_that_of_repeated_rows(wine, tmp_path):
    model, X, y = wine
    repeats = np.arange(len(X)) % 3 + 1
    weighted = report(tmp_path, model, X, y, sample_weight=repeats, n_mistakes=0)
    rows = np.repeat(np.arange(len(X)), repeats)
    repeated = report(tmp_path, model, X.iloc[rows], y[rows], n_mistakes=0)
    for name in ("class_0", "class_1", "class_2", "mean / total"):
        ours, theirs = (
            [row for row in p.rows if row[0] == name][-2:] for p in (weighted, repeated)
        )
        assert ours == theirs
    sentences = [
        re.search(r"from the diagonal, is (\S+)", "".join(p.text))[1] for p in (weighted, repeated)
    ]
    assert sentences[0] == sentences[1]


def test_report_of_two_classes(tmp_path):
    X, y = load_breast_cancer(return_X_y=True)
    model = DNNClassifier(8, max_iter=8, random_state=0).fit(X, y == 1)
    page = report(tmp_path, model, X, y == 1)
    assert "the probability of True" in page
    assert "Most frequent confusions" not in page


def test_report_of_several_labels(tmp_path):
    X, Y = make_multilabel_classification(200, n_classes=4, random_state=0)
    model = DNNClassifier(10, max_iter=30, random_state=0).fit(X, Y)
    page = report(tmp_path, model, X, csr_array(Y), n_mistakes=3)
    predicted, p = model.predict(X), model.predict_proba(X)
    assert f"{(predicted == Y).all(axis=1).mean():.1%}" in page
    assert f"{f1_score(Y, predicted, average='macro'):.4f}" in page
    loss = -np.where(Y == 1, np.log(p), np.log1p(-p)).mean(axis=1)
    cases = [row for row in page.rows if len(row) == 6 and row[0] not in ("row", "feature")]
    worst = np.argsort(-loss)[:3]
    cases = [row for row in cases if not row[0].startswith("x")]
    assert [int(row[0]) for row in cases] == worst.tolist()
    assert cases[0][2] == (", ".join(map(str, np.flatnonzero(Y[worst[0]]))) or "none")
    assert cases[0][4] == f"{loss[worst[0]]:.4f}"


def test_report_of_probabilities_as_labels(wine, tmp_path):
    _, X, y = wine
    soft = np.eye(3)[np.unique(y, return_inverse=True)[1]] * 0.8 + 0.2 / 3
    model = DNNClassifier(8, max_iter=12, random_state=0).fit(X, soft)
    page = report(tmp_path, model, X, soft)
    loss = -(soft * model.predict_log_proba(X)).sum(axis=1)
    assert number(loss.mean()) in page


def test_classes_that_do_not_occur(wine, tmp_path):
    model, X, y = wine
    page = report(tmp_path, model, X[y == "class_1"], y[y == "class_1"])
    assert page.row("class_0")[1:3] == ["0", "0.0%"]
    assert any(row[0] == "class_0" and "–" in row for row in page.rows)


def test_more_than_a_hundred_classes(tmp_path):
    X, y = np.eye(120), np.arange(120)
    model = DNNClassifier((), max_iter=5, norm=False, random_state=0)
    model.fit(np.tile(X, (3, 1)), np.tile(y, 3))
    page = report(tmp_path, model, X, y, n_mistakes=2)
    assert "The 100 of 120 classes with the lowest F1." in page
    assert "Rows: true class" not in page
    assert "Most frequent confusions" in page


@settings(max_examples=50)
@given(st.lists(st.tuples(st.floats(0, 1), st.booleans(), st.integers(1, 5)), min_size=1))
def test_reliability_is_that_of_its_definition(rows):
    p, happened, weight = (np.array(column) for column in zip(*rows, strict=True))
    bins = Reliability.of(p, happened, weight.astype(float))
    error = total = 0.0
    for low in range(10):
        inside = (p * 10 >= low) & ((p * 10 < low + 1) | (low == 9))
        if inside.any():
            w = weight[inside]
            error += abs(w @ p[inside] - w @ happened[inside])
            total += w.sum()
    assert bins.weight.sum() == total == weight.sum()
    assert bins.error == pytest.approx(error / total, abs=1e-12)


def test_wilson_interval():
    # Brown, Cai and DasGupta (2001): the roots of (p - share)^2 = z^2 p (1 - p) / n.
    for share, n in ((0.5, 10), (1.0, 45), (0.0, 3), (0.967, 360)):
        for p in _wilson(share, n):
            assert (p - share) ** 2 == pytest.approx(1.96**2 * p * (1 - p) / n, abs=1e-12)
