"""Pictures of networks: well-formed, and true to the network."""

import re
import xml.etree.ElementTree as ET

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from dnncore import Network
from dnncore._html import network_html, network_svg

SVG = "{http://www.w3.org/2000/svg}"


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
