"""What notebooks show: well-formed, escaped, and true to the model."""

import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest
import sklearn
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.pipeline import make_pipeline

from dnncore import DNNClassifier, DNNRegressor, Network
from dnncore._estimators.html import estimator_html
from dnncore._html import network_html, network_svg, sparkline_svg

SVG = "{http://www.w3.org/2000/svg}"
X = np.random.default_rng(0).normal(size=(60, 3))
NAMES = np.array(["<script>alert(1)</script>", "a & b", "c"])

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def text_of(element):
    return [node.text or "" for node in element.iter() if node.text or node.tag.endswith("text")]


def parse(html):
    """Our part of the HTML is well-formed XML too."""
    return ET.fromstring(html)


def circles(svg, x):
    """The circles of units (the dots that stand for more are smaller) in a column."""
    return [c for c in svg.iter(f"{SVG}circle") if c.get("cx") == x and c.get("r") == "6"]


@settings(max_examples=60)
@given(
    st.lists(st.integers(1, 30), min_size=2, max_size=12),
    st.text(st.characters(exclude_categories=["Cs", "Cc"], max_codepoint=0xFFFD), min_size=1),
    st.booleans(),
)
def test_any_network_is_drawn(sizes, name, named):
    network = Network(sizes, seed=0)
    names = [f"{name}{i}" for i in range(sizes[0])] if named else None
    svg = ET.fromstring(network_svg(network, input_names=names))
    columns = sorted({float(c.get("cx")) for c in svg.iter(f"{SVG}circle")})
    assert len(columns) == min(len(sizes), 8)
    shown = sizes if len(sizes) <= 8 else sizes[:4] + sizes[-4:]
    for x, size in zip(columns, shown, strict=True):
        assert len(circles(svg, f"{x:g}")) == (size if size <= 10 else 9)
    said = text_of(svg)
    bold = [text.text for text in svg.iter(f"{SVG}text") if text.get("font-weight")]
    assert bold == [f"{size:,}" for size in shown]
    _, _, width, height = map(float, svg.get("viewBox").split())
    for c in svg.iter(f"{SVG}circle"):
        assert 0 < float(c.get("cx")) < width
        assert 0 < float(c.get("cy")) < height
    if named and len(names[0]) <= 16:
        assert names[0] in said
    assert any("more" in t for t in said) == (len(sizes) > 8 or (named and "more" in name))


def test_edges_join_the_circles_that_are_shown():
    svg = ET.fromstring(network_svg(Network((2, 12, 3), seed=0)))
    first, second = (path.get("d") for path in svg.iter(f"{SVG}path"))
    assert first.count("M") == 2 * 9
    assert second.count("M") == 9 * 3
    ends = {point for point in re.findall(r"L([\d.]+ [\d.]+)", second)}
    x = float(next(iter(ends)).split()[0]) + 6
    outputs = circles(svg, f"{x:g}")
    assert {float(p.split()[1]) for p in ends} == {float(c.get("cy")) for c in outputs}


def test_layers_are_named():
    network = Network((3, 5, 2), seed=0, activation="tanh", output="logistic")
    assert "norm" not in text_of(parse(network_html(network)))
    network.set_norm(np.zeros(3), np.ones(3))
    said = text_of(parse(network._repr_html_()))
    for word in ("norm", "tanh", "logistic", "hidden 1", "32", "float64"):
        assert word in said, word
    with_too_few_names = network_svg(network, input_names=["alone"])
    assert "alone" not in with_too_few_names


def test_long_names_are_shortened_and_shown_in_full_when_pointed_at():
    name = "a name & that is far too long"
    svg = ET.fromstring(network_svg(Network((1, 2), seed=0), input_names=[name]))
    (text,) = svg.findall(f".//{SVG}title/..")
    assert text.text == name[:15] + "…"
    assert text.find(f"{SVG}title").text == name


def points_of(line):
    return [tuple(map(float, point.split(","))) for point in line.get("points").split()]


def test_sparkline():
    svg = ET.fromstring(sparkline_svg([[1.0, 0.1, 0.01], [0.1, 0.1]], width=108, height=58))
    loss, held_out = map(points_of, svg)
    assert loss == [(4, 4), (54, 29), (104, 54)]  # a logarithmic scale, and margins of 4
    assert held_out == [(54, 29), (104, 29)]  # of the last epochs


@settings(max_examples=40)
@given(st.lists(st.lists(st.floats(allow_infinity=True, width=32), max_size=300), max_size=2))
def test_any_sparkline_is_inside_its_frame(curves):
    svg = ET.fromstring(sparkline_svg(curves, width=100, height=50))
    for line in svg.iter(f"{SVG}polyline"):
        points = points_of(line)
        assert len(points) <= 240
        assert all(0 <= x <= 100 and 0 <= y <= 50 for x, y in points)


@pytest.fixture(scope="module")
def model():
    y = NAMES[np.arange(60) % 3]
    return DNNClassifier(5, max_iter=12, random_state=0).fit(X, y, X_val=X[:20], y_val=y[:20])


def test_a_fitted_estimator_shows_scikit_learns_diagram_and_its_network(model):
    ours = estimator_html(model)
    for html in (model._repr_html_(), model._repr_mimebundle_()["text/html"]):
        assert html.endswith(ours)
        assert "sk-container" in html
    said = "".join(parse(ours).itertext())
    assert "Epochs12" in said
    assert f"Last loss{model.loss_:.4g}" in said
    assert f"Last held-out loss{model.validation_losses_[-1]:.4g}" in said
    best = int(np.argmax(model.validation_scores_)) + 1
    assert f"Best held-out score{model.best_validation_score_:.4g} (epoch {best})" in said
    assert NAMES[0] in said


def test_class_names_are_escaped_and_nothing_is_referred_to(model):
    ours = estimator_html(model)
    assert "<script" not in ours
    assert not re.search(r"\s(id|on\w+|href|src)=|url\(", ours)


def test_what_scikit_learns_setting_says_holds(model):
    with sklearn.config_context(display="text"):
        assert not hasattr(model, "_repr_html_")
        assert "text/html" not in model._repr_mimebundle_()


def test_an_unfitted_estimator_shows_scikit_learns_diagram_only():
    assert estimator_html(DNNClassifier()) == ""
    assert "dnncore" not in DNNRegressor()._repr_html_().replace("dnncore.", "")
    assert 'aria-label="Network' not in DNNRegressor()._repr_html_()
    assert "sk-container" in make_pipeline(DNNClassifier())._repr_html_()


def test_regressors_and_loaded_models(tmp_path):
    import dnncore

    frame = pytest.importorskip("pandas").DataFrame(X, columns=["one", "two", "three"])
    fitted = DNNRegressor(max_iter=5, random_state=0).fit(frame, X[:, 0])
    fitted.save(tmp_path / "model")
    assert estimator_html(dnncore.load(tmp_path / "model")) == estimator_html(fitted)
    assert "two" in text_of(parse(estimator_html(fitted)))
