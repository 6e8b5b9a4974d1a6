"""Ranking, importance and baselines in reports: the right numbers, also where names are long."""

import re

import numpy as np
import pandas as pd
import pytest
from pages import report
from sklearn.metrics import roc_auc_score

from dnncore import DNNClassifier, DNNRegressor
from dnncore.report._html import number
from dnncore.report._ranking import MAX_POINTS, _some, rankings
from dnncore.tabular import TabularClassifier, TabularRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(300, 4))
NOISY = 2 * X[:, 1] + X[:, 2] + RANDOM.normal(size=300)
SMALL = {"hidden_layer_sizes": (8,), "max_iter": 30, "random_state": 0}


def figures(page):
    text = "".join(page.text)
    return lambda name: re.search(rf"{name}(–?[\d.]+)", text)[1]


@pytest.mark.parametrize("n_classes", [2, 3])
def test_auc_and_baseline(tmp_path, n_classes):
    y = np.digitize(NOISY, [0.0, 2.0][: n_classes - 1])
    model = DNNClassifier(**SMALL).fit(X, y)
    page = report(tmp_path, model, X, y)
    p = model.predict_proba(X)
    expected = roc_auc_score(y, p[:, 1] if n_classes == 2 else p, multi_class="ovr")
    shown = figures(page)("AUC" if n_classes == 2 else "Mean AUC")
    assert float(shown) == pytest.approx(expected, abs=6e-5)
    assert f"Most frequent class{np.bincount(y).max() / len(y):.1%}" in page
    assert "ROC and precision-recall curves of" in page
    assert any("(0." in text for text in page.text)


def test_rows_of_a_single_class_have_no_ranking(tmp_path):
    y = (NOISY > 0).astype(int)
    model = DNNClassifier(**SMALL).fit(X, y)
    page = report(tmp_path, model, X[y == 1], y[y == 1])
    assert "ROC" not in page
    assert "Most frequent class100.0%" in page


def test_rankings_with_weights_are_those_of_repeated_rows():
    happened = np.array([[0, 1], [1, 1], [1, 0], [0, 0]], bool)
    p = np.array([[0.2, 0.7], [0.9, 0.4], [0.6, 0.6], [0.7, 0.1]])
    weight = np.array([1.0, 2.0, 3.0, 2.0])
    rows = np.repeat(np.arange(4), weight.astype(int))
    weighted = rankings(["a", "b"], happened, p, weight)
    repeated = rankings(["a", "b"], happened[rows], p[rows], None)
    for one, other in zip(weighted, repeated, strict=True):
        assert one.auc == pytest.approx(other.auc)
        assert one.average_precision == pytest.approx(other.average_precision)
        assert one.weight == other.weight


def test_points_of_a_curve():
    for n in (2, MAX_POINTS, 10 * MAX_POINTS):
        some = _some(n)
        assert (some[0], some[-1]) == (0, n - 1)
        assert len(some) == min(n, MAX_POINTS)


@pytest.mark.parametrize(
    ("kind", "y"),
    [
        (DNNClassifier, (NOISY > 0).astype(int)),
        (TabularClassifier, (NOISY > 0).astype(int)),
        (DNNRegressor, NOISY),
        (TabularRegressor, NOISY),
    ],
)
def test_permutation_importance(tmp_path, kind, y):
    table = pd.DataFrame(X, columns=["no", "most", "some", "neither"])
    options = SMALL | ({"n_members": 2} if kind.__name__.startswith("Tab") else {})
    page = report(tmp_path, kind(**options).fit(table, y), table, y)
    at = page.rows.index(["column", "growth of the loss", ""])
    listed = [row[0] for row in page.rows[at + 1 : at + 5]]
    assert listed[:2] == ["most", "some"]
    growth = [float(row[1].replace("−", "-")) for row in page.rows[at + 1 : at + 5]]
    assert growth == sorted(growth, reverse=True)
    assert growth[0] > 5 * abs(growth[2])


@pytest.mark.parametrize("options", [{"loss": "quantile"}, {"loss": "huber", "huber_delta": 0.5}])
def test_importance_goes_by_the_loss_of_the_model(tmp_path, options):
    model = DNNRegressor(**SMALL, **options).fit(X, NOISY)
    page = report(tmp_path, model, X, NOISY, feature_names=["no", "most", "some", "neither"])
    at = page.rows.index(["column", "growth of the loss", ""])
    assert page.rows[at + 1][0] == "most"


def test_the_error_of_the_mean(tmp_path):
    model = DNNRegressor(**SMALL).fit(X, 1e7 + 1e6 * NOISY)
    page = report(tmp_path, model, X, 1e7 + 1e6 * NOISY)
    assert f"RMSE of the mean{number(1e6 * NOISY.std())}" in page
    assert "10\u2009M" in page  # on the axes, without a factor beside them
    assert "1e7" not in page


def test_many_classes_of_long_names(tmp_path):
    names = np.array([f"{'a long name ' * 9}{i}" for i in range(20)], object)
    y = names[np.arange(300) % 20]
    page = report(tmp_path, DNNClassifier(**SMALL).fit(X, y), X, y)
    assert set(names) <= set(page.titles)  # where the matrix cuts them off
    assert any("…" in text for text in page.text)
    assert page.tags.count("svg") == 4


def test_row_numbers(tmp_path):
    y = (NOISY > 0).astype(int)
    model = DNNClassifier(**SMALL).fit(X, y)
    pages = [
        report(tmp_path, model, X, y, row_numbers=numbers, n_mistakes=5)
        for numbers in (None, np.arange(300) + 1001)
    ]
    found = [[row[0] for row in page.rows if len(row) == 8][1:] for page in pages]
    assert [f"{int(row) + 1001:,}" for row in found[0]] == found[1]
    for wrong in ([1, 2], np.zeros(300), "rows"):
        with pytest.raises(ValueError, match="row_numbers must be 300 integers, got"):
            report(tmp_path, model, X, y, row_numbers=wrong)
