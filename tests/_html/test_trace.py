"""Traces in notebooks: well-formed, and true to the arrays."""

import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from tracednetworks import ACTIVATIONS, KINDS, LOSSES, traced_network

from dnncore._html import trace_html
from dnncore._html.array import array_svg
from dnncore._html.formula import formula_mathml
from dnncore.network import Quantity

SVG = "{http://www.w3.org/2000/svg}"


def text_of(formula):
    return "".join(ET.fromstring(formula_mathml(formula)).itertext())


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("loss", LOSSES)
def test_any_trace_is_well_formed(loss, activation):
    for kind in KINDS:
        network, rows, options = traced_network(kind, loss, activation)
        trace = network.trace(*rows, alpha=0.1, **options)
        page = ET.fromstring(trace._repr_html_())
        lines = page.findall(".//tbody/tr")
        assert len(lines) == len(trace)
        for line, quantity in zip(lines, trace, strict=True):
            assert line.find(".//math") is not None
            texts = ["".join(cell.itertext()) for cell in line.findall("td")]
            assert texts[2:] == [
                " × ".join(map(str, quantity.shape)),
                "" if quantity.layer is None else str(quantity.layer),
                quantity.kernel,
            ]
            assert len(line.findall(f".//{SVG}rect")) == n_drawn(quantity)


def n_drawn(quantity):
    if not quantity.shape:
        return 0
    n_rows, n_columns = np.reshape(quantity.value, (-1, quantity.shape[-1])).shape
    return min(n_rows, 8) * min(n_columns, 24)


def test_every_element_can_be_read():
    value = np.array([[1.0, -2.0], [0.0, np.nan]])
    svg = ET.fromstring(array_svg("dz_1", value))
    titles = [title.text for title in svg.iter(f"{SVG}title")]
    assert titles == ["dz_1[0, 0] = 1", "dz_1[0, 1] = -2", "dz_1[1, 0] = 0", "dz_1[1, 1] = nan"]
    cells = list(svg.iter(f"{SVG}rect"))
    assert [float(cell.get("fill-opacity")) for cell in cells] == [0.3, 0.6, 0.0, 0.0]
    assert cells[0].get("fill") != cells[1].get("fill")
    assert [text.text for text in svg.iter(f"{SVG}text")] == ["1", "-2", "0", "nan"]


def test_small_arrays_show_their_numbers():
    assert array_svg("W_1", np.full((4, 5), 0.123456)).count(">0.1235</text>") == 20
    assert "<text" not in array_svg("W_1", np.ones((3, 7)))


def test_columns_without_content_are_left_out():
    page = ET.fromstring(trace_html([Quantity("x", np.ones(3), None, "x", "")]))
    assert [cell.text for cell in page.iter("th")] == ["quantity", "values", "shape"]


def test_vectors_and_arrays_of_three_axes():
    titles = re.findall("<title>(.*?) =", array_svg("b_1", np.ones(3)))
    assert titles == ["b_1[0]", "b_1[1]", "b_1[2]"]
    titles = re.findall("<title>(.*?) =", array_svg("V", np.ones((2, 1, 2))))
    assert titles == ["V[0, 0, 0]", "V[0, 0, 1]", "V[1, 0, 0]", "V[1, 0, 1]"]


def test_large_arrays_are_cut():
    image = array_svg("W_1", np.ones((100, 30)))
    assert image.count("<rect") == 8 * 24
    assert image.endswith("<div><small>first 8 × 24</small></div>")
    assert array_svg("x", np.empty((0, 3))) == "empty"


@pytest.mark.parametrize(
    ("formula", "text"),
    [
        ("x", "x"),
        ("z_1 = a_0 @ W_1 + b_1", "z1=a0W1+b1"),
        ("a_1 = 1 / (1 + exp(-z_1))", "a1=11+e−z1"),
        ("dz_1 = da_1 * a_1 * (1 - a_1)", "dz1=da1⊙a1⊙(1−a1)"),
        ("da_1 = dz_2 @ W_2.T", "da1=dz2W2T"),
        ("db_1 = sum(dz_1, axis=0)", "db1=∑rowsdz1"),
        ("loss = -sum(w * L * log(p))", "loss=−∑w⊙L⊙log(p)"),
        ("s = a - (b + c)", "s=a−(b+c)"),
        ("s = a - b + c", "s=a−b+c"),
        ("s = p * sum(L, axis=1) - L", "s=p⊙(∑columnsL)−L"),
        ("s = abs(z - Y) <= delta", "s=|z−Y|≤δ"),
        ("s = xlogy(Y, p)", "s=Y⊙log(p)"),
        ("s = where(a > 0, b, 0)", "s={bif a>00otherwise"),
        ("s = (z - Y)**2", "s=(z−Y)2"),
        ("s = x[:, :3]", "s=x[:, :3]"),
        ("s = inverse_width", "s=inverse_width"),
    ],
)
def test_formulas_are_written_as_in_mathematics(formula, text):
    assert text_of(formula) == text
