"""The report as a page: what it takes and refuses, the file, valid HTML that needs nothing else."""

import os

import numpy as np
import pytest
from pages import report
from sklearn.datasets import (
    load_wine,
)

import dnncore
from dnncore import DNNClassifier, Network
from dnncore.report import write_report
from dnncore.report._html import number

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
HOSTILE = "<script>alert('&')</script>\"><img src=x onerror=alert(1)>"


def test_features_are_summed_up(wine, tmp_path):
    model, X, y = wine
    page = report(tmp_path, model, X, y)
    values = X["ash"]
    expected = [values.min(), values.mean(), values.max(), values.std(ddof=0), 0]
    assert page.row("ash") == ["ash", *map(number, expected)]
    assert page.row("class_1")[1:3] == ["71", "39.9%"]
    # In the list of cases the values that stand out, beginning with the farthest.
    deviation = ((X - X.mean()) / X.std(ddof=0)).abs()
    cases = [row for row in page.rows if len(row) == 8 and row[0] != "row"]
    assert len(cases) == 20
    for case in cases:
        assert case[-1].startswith(deviation.iloc[int(case[0])].idxmax())
    assert page.tags.count("img") == 0


def test_names_and_values_cannot_become_tags(tmp_path):
    X, y = load_wine(return_X_y=True)
    labels = np.array([HOSTILE, "</title><svg onload=alert(2)>", "$x^&amp;"])[y]
    model = DNNClassifier(6, max_iter=5, random_state=0).fit(X, labels)
    names = [f"{HOSTILE}{i}" for i in range(13)]
    page = report(
        tmp_path, model, X, labels, title=HOSTILE, feature_names=names,
        data_summary={HOSTILE: HOSTILE},
    )  # fmt: skip
    assert page.row(HOSTILE)
    assert page.row(names[3])
    assert "$x^&amp;" in page
    assert HOSTILE in page


def test_any_letters(tmp_path):
    X, y = load_wine(return_X_y=True)
    labels = np.array(["日本", "\ud800", "\N{SNOWMAN}"])[y]
    model = DNNClassifier(
        4, max_iter=2, early_stopping=True, scoring={"日本": "accuracy"},
        random_state=np.random.RandomState(0),
    )  # fmt: skip
    page = report(tmp_path, model.fit(X, labels), X, labels)
    for name in ("日本", "\\ud800", "\N{SNOWMAN}"):
        assert page.row(name)
    assert "validation 日本" in page
    assert "RandomState" not in page  # whose address would differ from one time to the next


def test_matplotlib_is_left_as_it_was(wine, tmp_path):
    import matplotlib
    from matplotlib import pyplot as plt

    with matplotlib.rc_context({"text.usetex": True, "axes.facecolor": "red"}):
        before = dict(matplotlib.rcParams)
        page = report(tmp_path, *wine)
        assert dict(matplotlib.rcParams) == before
    assert plt.get_fignums() == []
    assert "training loss" in page


def test_report_of_a_loaded_model_is_the_same(wine, tmp_path):
    model, X, y = wine
    model.save(tmp_path / "model")
    pages = []
    for name, one in (("a", model), ("b", dnncore.load(tmp_path / "model"))):
        write_report(one, X, y, tmp_path / name, n_mistakes=3)
        pages.append((tmp_path / name).read_bytes())
    assert pages[0] == pages[1]


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


def test_wrong_models_and_rows(wine, regressor, tmp_path):
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
        write_report(regressor[0], regressor[1], np.c_[regressor[2], regressor[2]], path)
    assert os.listdir(tmp_path) == []


def test_without_matplotlib(wine, tmp_path, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(
        ImportError, match=r"write_report needs Matplotlib: pip install 'dnncore\[p"
    ):
        write_report(*wine, tmp_path / "report.html")
