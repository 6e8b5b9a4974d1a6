"""Reports of regressors: the right numbers."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pages import report
from sklearn.metrics import (
    mean_absolute_error,
    mean_pinball_loss,
    r2_score,
)

from dnncore import DNNRegressor
from dnncore.report._html import number
from dnncore.report._regressor import _quantile

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def test_report_of_a_regressor(regressor, tmp_path):
    model, X, y = regressor
    weight = np.linspace(1, 3, len(y))
    page = report(tmp_path, model, X, y, sample_weight=weight, n_mistakes=7)
    predicted = model.predict(X)
    for value in (
        r2_score(y, predicted, sample_weight=weight),
        np.sqrt(np.average((y - predicted) ** 2, weights=weight)),
        mean_absolute_error(y, predicted, sample_weight=weight),
        np.average(predicted - y, weights=weight),
    ):
        assert number(value) in page
    cases = [row for row in page.rows if len(row) == 5 and row[0] != "row"]
    worst = np.argsort(-np.abs(predicted - y))[:7]
    assert [int(row[0]) for row in cases] == worst.tolist()
    first = worst[0]
    numbers = (y[first], predicted[first], predicted[first] - y[first])
    assert cases[0][1:4] == [number(value) for value in numbers]


def test_report_of_several_outputs(regressor, tmp_path):
    _, X, y = regressor
    Y = np.c_[y, 1e6 * X[:, 2]]
    model = DNNRegressor(hidden_layer_sizes=8, max_iter=20, random_state=0).fit(X, Y)
    page = report(tmp_path, model, X, Y)
    predicted = model.predict(X)
    r2 = r2_score(Y, predicted, multioutput="raw_values")
    assert [page.row(name)[1] for name in ("y[0]", "y[1]")] == [number(value) for value in r2]
    error = np.abs(predicted - Y) / np.sqrt(np.mean((predicted - Y) ** 2, axis=0))
    row, output = np.unravel_index(error.argmax(), error.shape)
    case = next(case for case in page.rows if len(case) == 6 and case[1].startswith("y["))
    assert case[:2] == [str(row), f"y[{output}]"]


def test_report_of_quantiles(regressor, tmp_path):
    _, X, y = regressor
    model = DNNRegressor("quantile", 8, quantiles=(0.25, 0.75), max_iter=20, random_state=0)
    page = report(tmp_path, model.fit(X, y), X, y)
    for level, predicted in zip(model.quantiles, model.predict(X).T, strict=True):
        expected = (mean_pinball_loss(y, predicted, alpha=level), np.mean(y <= predicted))
        row = page.row(f"quantile {level}")
        assert row[1:3] == [number(value) for value in expected]
    with pytest.raises(ValueError, match="y must have 1 outputs"):
        report(tmp_path, model, X, np.c_[y, y])


def test_a_target_without_variance_has_no_r2(regressor, tmp_path):
    model, X, _ = regressor
    assert "R²–" in report(tmp_path, model, X[:3], np.ones(3))


@settings(max_examples=50)
@given(st.lists(st.tuples(st.floats(-10, 10), st.integers(1, 4)), min_size=1), st.floats(0.01, 1))
def test_weighted_quantile_is_that_of_repeated_values(rows, share):
    values, weight = (np.array(column) for column in zip(*rows, strict=True))
    repeated = np.sort(np.repeat(values, weight))
    got = _quantile(values, weight.astype(float), share)
    assert (repeated <= got).mean() >= share - 1e-9
    assert (repeated < got).mean() < share + 1e-9
