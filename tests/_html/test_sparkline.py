"""Curves in the size of a line."""

import xml.etree.ElementTree as ET

from hypothesis import given, settings
from hypothesis import strategies as st

from dnncore._html import sparkline_svg

SVG = "{http://www.w3.org/2000/svg}"


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
