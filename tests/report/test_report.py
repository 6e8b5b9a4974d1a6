"""The report as a page: valid HTML that needs nothing else, with the right numbers in it."""

import re
from html.parser import HTMLParser

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array
from sklearn.datasets import (
    load_breast_cancer,
    load_diabetes,
    load_digits,
    load_wine,
    make_multilabel_classification,
)
from sklearn.metrics import (
    accuracy_score,
    balanced_accuracy_score,
    confusion_matrix,
    f1_score,
    log_loss,
    mean_absolute_error,
    r2_score,
)

from dnncore import DNNClassifier, DNNRegressor

pytest.importorskip("matplotlib")
from dnncore.report import write_report
from dnncore.report._html import Markup, element, number, table
from dnncore.report._matrix import confusions, matrix
from dnncore.report._rows import Rows
from dnncore.report._sections import _features

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

VOID = {"meta", "img", "br", "hr", "input", "link"}
HOSTILE = "<script>alert('&')</script>\"><img src=x onerror=alert(1)>"


class Page(HTMLParser):
    """Reads a page, and checks that it is well-formed and refers to nothing outside it."""

    def __init__(self, html):
        super().__init__(convert_charrefs=True)
        self.open, self.tags, self.ids, self.refers = [], [], [], []
        self.rows, self.text, self.titles = [], [], []
        self.feed(html)
        self.close()
        assert self.open == []
        assert len(set(self.ids)) == len(self.ids)
        assert set(self.refers) <= set(self.ids)

    def handle_starttag(self, tag, attributes):
        self.handle_startendtag(tag, attributes)
        if tag not in VOID:
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("th", "td"):
            self.rows[-1].append("")

    def handle_startendtag(self, tag, attributes):
        self.tags.append(tag)
        assert tag not in ("script", "link", "iframe", "object", "embed", "base", "form")
        for name, value in attributes:
            assert not name.startswith("on"), (tag, name)
            assert name.startswith("xmlns") or "//" not in (value or ""), (tag, name, value)
            if name == "id":
                self.ids.append(value)
            if name in ("src", "href", "xlink:href", "srcset", "data", "action", "poster"):
                assert value.startswith(("#", "data:image/png;base64,")), value
                if value.startswith("#"):
                    self.refers.append(value[1:])
            if name == "title":
                self.titles.append(value)
            for target in re.findall(r"url\(([^)]*)\)", value or ""):
                assert target.startswith("#")
                self.refers.append(target[1:])

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" in self.open:
            assert "url(" not in data and "@import" not in data
            return
        self.text.append(data)
        if self.open and self.open[-1] != "tr" and {"th", "td"} & set(self.open):
            self.rows[-1][-1] += data

    def __contains__(self, text):
        return text in "".join(self.text)

    def row(self, name):
        """The first row of a table that has that name."""
        return next(row for row in self.rows if row[0] == name)


def report(tmp_path, *arguments, **options):
    path = tmp_path / "report.html"
    write_report(*arguments, path, **options)
    return Page(path.read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(return_X_y=True)
    model = DNNClassifier(20, max_iter=15, random_state=0, early_stopping=True)
    return model.fit(X[:900], y[:900]), X[900:1200], y[900:1200]


@pytest.fixture(scope="module")
def wine():
    data = load_wine(as_frame=True)
    y = data.target_names[data.target]
    return DNNClassifier(8, max_iter=12, random_state=0).fit(data.data, y), data.data, y


# ---------------------------------------------------------------------------------- classifiers


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
    assert "Rows measured on300" in page
    wrong = predicted != y
    assert f"{wrong.sum()} of 300 ({wrong.mean():.1%}) are predicted wrongly" in page

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
    for name in ("class_0", "class_1", "class_2", "mean, total"):
        ours, theirs = (
            [row for row in p.rows if row[0] == name][-2:] for p in (weighted, repeated)
        )
        assert ours == theirs
    sentences = [
        re.search(r"On average they are (\S+)", "".join(p.text))[1] for p in (weighted, repeated)
    ]
    assert sentences[0] == sentences[1]


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


def test_report_of_two_classes(tmp_path):
    X, y = load_breast_cancer(return_X_y=True)
    model = DNNClassifier(8, max_iter=8, random_state=0).fit(X, y == 1)
    page = report(tmp_path, model, X, y == 1)
    assert "the probability of True" in page
    assert "Most frequent mistakes" not in page


def test_report_of_several_labels(tmp_path):
    X, Y = make_multilabel_classification(200, n_classes=4, random_state=0)
    model = DNNClassifier(10, max_iter=30, random_state=0).fit(X, Y)
    page = report(tmp_path, model, X, csr_array(Y), n_mistakes=3)
    predicted, p = model.predict(X), model.predict_proba(X)
    assert f"{(predicted == Y).all(axis=1).mean():.1%}" in page
    assert f"{f1_score(Y, predicted, average='macro'):.4f}" in page
    loss = -np.where(Y == 1, np.log(p), np.log1p(-p)).sum(axis=1)
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
    assert "held-out 日本" in page
    assert "RandomState" not in page  # whose address would differ from one time to the next


def test_classes_that_do_not_occur(wine, tmp_path):
    model, X, y = wine
    page = report(tmp_path, model, X[y == "class_1"], y[y == "class_1"])
    assert page.row("class_0")[1:3] == ["0", "0.0%"]
    assert any(row[0] == "class_0" and "–" in row for row in page.rows)


def test_confusion_of_a_hundred_classes():
    rng = np.random.default_rng(0)
    C = np.diag(rng.integers(1, 50, 100))
    C[3, 70] = 9
    names = [f"class {i}" for i in range(100)]
    page = Page(matrix(C, names))
    assert page.tags.count("tr") == 101
    assert len(page.rows[1]) == 101
    assert f"9 of class 3 predicted as class 70 ({9 / C[3].sum():.1%})" in page.titles
    assert Page(confusions(C, names)).rows[1] == [
        "class 3",
        "class 70",
        "9",
        f"{9 / C[3].sum():.1%}",
    ]
    assert len(matrix(C, names)) < 400_000
    assert confusions(np.diag([1, 2]), ["a", "b"]) == ""


def test_more_than_a_hundred_classes(tmp_path):
    X, y = np.eye(120), np.arange(120)
    model = DNNClassifier((), max_iter=5, norm=False, random_state=0)
    model.fit(np.tile(X, (3, 1)), np.tile(y, 3))
    page = report(tmp_path, model, X, y, n_mistakes=2)
    assert "The 100 classes of 120 with the lowest F1." in page
    assert "Rows: true class" not in page
    assert "Most frequent mistakes" in page


# ----------------------------------------------------------------------------------- regressors


@pytest.fixture(scope="module")
def diabetes():
    X, y = load_diabetes(return_X_y=True)
    return DNNRegressor(hidden_layer_sizes=8, max_iter=20, random_state=0).fit(X, y), X, y


def test_report_of_a_regressor(diabetes, tmp_path):
    model, X, y = diabetes
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


def test_report_of_several_outputs(diabetes, tmp_path):
    _, X, y = diabetes
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


def test_a_target_without_variance_has_no_r2(diabetes, tmp_path):
    model, X, _ = diabetes
    assert "R²–" in report(tmp_path, model, X[:3], np.ones(3))


# --------------------------------------------------------------------------------------- inputs


def test_rows_that_are_sparse_or_missing():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(20, 5)) * (rng.random((20, 5)) < 0.5)
    model = DNNClassifier(4, max_iter=2, random_state=0).fit(X, np.arange(20) % 2)
    dense = Rows.of(model, X, None, None, None)
    sparse = Rows.of(model, csr_array(X), None, None, None)
    assert np.array_equal(sparse.dense(), X)
    assert np.array_equal(sparse.dense([3], slice(2)), X[[3], :2])
    for row in range(20):
        assert sparse.describe(row, "") == dense.describe(row, "")
    X[3, 1] = X[4, 1] = np.nan
    page = Page(_features(Rows.of(model, X, None, None, None)))
    assert page.row("x1")[1] == number(np.nanmin(X[:, 1]))
    assert [page.row(name)[-1] for name in ("x0", "x1")] == ["0", "2"]
    assert "x1" not in Rows.of(model, X, None, None, None).describe(3, "")
    names = ["a-b", *"cdef"]
    assert "a-b" in "".join(Rows.of(model, X, None, names, None).describe(i, "") for i in range(9))


def test_matplotlib_is_left_as_it_was(wine, tmp_path):
    import matplotlib
    from matplotlib import pyplot as plt

    with matplotlib.rc_context({"text.usetex": True, "axes.facecolor": "red"}):
        before = dict(matplotlib.rcParams)
        page = report(tmp_path, *wine)
        assert dict(matplotlib.rcParams) == before
    assert plt.get_fignums() == []
    assert "training loss" in page


# ---------------------------------------------------------------------------------------- parts


@settings(max_examples=100)
@given(st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\0"))))
def test_text_comes_through_html_as_it_was(texts):
    page = Page(table(("name", *texts), [("row", *texts)]))
    assert page.rows == [["name", *texts], ["row", *texts]]
    assert Page(element("p", *texts)).open == []
    assert element("p", Markup("<b>x</b>")) == "<p><b>x</b></p>"
