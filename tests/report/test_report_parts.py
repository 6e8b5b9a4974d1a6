"""The report: what it takes and refuses, the file that it writes, and its formulas."""

import os

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.datasets import load_diabetes, load_wine

import dnncore
from dnncore import DNNClassifier, DNNRegressor, Network

pytest.importorskip("matplotlib")
from dnncore.report import write_report
from dnncore.report._classifier import Reliability, _wilson
from dnncore.report._html import number
from dnncore.report._regressor import _quantile
from dnncore.report._rows import Rows

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.fixture(scope="module")
def wine():
    data = load_wine(as_frame=True)
    y = data.target_names[data.target]
    return DNNClassifier(8, max_iter=12, random_state=0).fit(data.data, y), data.data, y


@pytest.fixture(scope="module")
def diabetes():
    X, y = load_diabetes(return_X_y=True)
    return DNNRegressor(hidden_layer_sizes=8, max_iter=20, random_state=0).fit(X, y), X, y


def test_report_of_a_loaded_model_is_the_same(wine, tmp_path):
    model, X, y = wine
    model.save(tmp_path / "model")
    pages = []
    for name, one in (("a", model), ("b", dnncore.load(tmp_path / "model"))):
        write_report(one, X, y, tmp_path / name, n_mistakes=3)
        pages.append((tmp_path / name).read_bytes())
    assert pages[0] == pages[1]


@pytest.mark.parametrize(
    ("n_features", "names", "shape"),
    [
        (64, None, (8, 8)),
        (64, [f"pixel{i}" for i in range(64)], (8, 8)),
        (64, [f"gene{i}" for i in range(64)], None),
        (16, None, None),
        (63, None, None),
    ],
)
def test_squares_of_features_are_images(n_features, names, shape):
    X = np.random.default_rng(0).random((6, n_features))
    model = DNNClassifier((), max_iter=1).fit(X, np.arange(6) % 2)
    assert Rows.of(model, X, None, names, None).image_shape == shape


def test_a_page_is_replaced_in_one_step(wine, tmp_path):
    model, X, y = wine
    path = tmp_path / "report.html"
    path.write_text("old")
    with pytest.raises(ValueError, match="not among"):
        write_report(model, X, np.where(y == "class_1", "new", y), path)
    assert path.read_text() == "old"
    with pytest.raises(OSError, match="No such file"):
        write_report(model, X, y, tmp_path / "none" / "report.html")
    write_report(model, X, y, path)
    assert path.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    assert os.listdir(tmp_path) == ["report.html"]


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"feature_names": ["a"]}, ValueError, "feature_names must be 13 names"),
        ({"feature_names": "abcdefghijklm"}, ValueError, "feature_names must be 13 names"),
        ({"n_mistakes": -1}, ValueError, "n_mistakes must lie in"),
        ({"image_shape": (3, 4)}, ValueError, "image_shape must have 13 pixels"),
        ({"title": 3}, TypeError, "title must be a string"),
        ({"data_summary": "x"}, TypeError, "data_summary must be a mapping"),
        ({"sample_weight": np.ones(3)}, ValueError, "sample_weight must have shape"),
    ],
)
def test_wrong_options(wine, tmp_path, options, error, message):
    with pytest.raises(error, match=message):
        write_report(*wine, tmp_path / "report.html", **options)
    assert os.listdir(tmp_path) == []


def test_wrong_models_and_rows(wine, diabetes, tmp_path):
    model, X, y = wine
    path = tmp_path / "report.html"
    with pytest.raises(TypeError, match=r"model must be a DNNClassifier.*got Network"):
        write_report(Network((13, 3)), X, y, path)
    with pytest.raises(ValueError, match="not fitted"):
        write_report(DNNClassifier(), X, y, path)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        write_report(model, X, y[1:], path)
    with pytest.raises(ValueError, match="X must have 13 features, got shape"):
        write_report(model, X.to_numpy()[:, :5], y, path)
    with pytest.raises(ValueError, match="0 sample"):
        write_report(model, X[:0], y[:0], path)
    with pytest.raises(ValueError, match="y must have 1 outputs"):
        write_report(diabetes[0], diabetes[1], np.c_[diabetes[2], diabetes[2]], path)
    assert os.listdir(tmp_path) == []


def test_without_matplotlib(wine, tmp_path, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(
        ImportError, match=r"write_report needs Matplotlib: pip install 'dnncore\[p"
    ):
        write_report(*wine, tmp_path / "report.html")


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


@settings(max_examples=50)
@given(st.lists(st.tuples(st.floats(-10, 10), st.integers(1, 4)), min_size=1), st.floats(0.01, 1))
def test_weighted_quantile_is_that_of_repeated_values(rows, share):
    values, weight = (np.array(column) for column in zip(*rows, strict=True))
    repeated = np.sort(np.repeat(values, weight))
    got = _quantile(values, weight.astype(float), share)
    assert (repeated <= got).mean() >= share - 1e-9
    assert (repeated < got).mean() < share + 1e-9


def test_wilson_interval():
    # Brown, Cai and DasGupta (2001): the roots of (p - share)^2 = z^2 p (1 - p) / n.
    for share, n in ((0.5, 10), (1.0, 45), (0.0, 3), (0.967, 360)):
        for p in _wilson(share, n):
            assert (p - share) ** 2 == pytest.approx(1.96**2 * p * (1 - p) / n, abs=1e-12)


@pytest.mark.parametrize(
    ("x", "said"),
    [
        (0, "0"),
        (-0.0, "0"),
        (-3.0, "−3"),
        (1234567.0, "1,234,567"),
        (0.123456, "0.1235"),
        (-2e-7, "−2e−07"),
        (-12345.678, "−12,346"),
        (999.96, "1000"),
        (1e300, "1e+300"),
    ],
)
def test_numbers(x, said):
    assert number(x) == said
    assert number(float("nan")) == "–"
