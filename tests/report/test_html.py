"""Text, tables and numbers in HTML."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pages import Page

from dnncore.report._html import Markup, element, number, table


@settings(max_examples=100)
@given(st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\0"))))
def test_text_comes_through_html_as_it_was(texts):
    page = Page(table(("name", *texts), [("row", *texts)]))
    assert page.rows == [["name", *texts], ["row", *texts]]
    assert Page(element("p", *texts)).open == []
    assert element("p", Markup("<b>x</b>")) == "<p><b>x</b></p>"


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
