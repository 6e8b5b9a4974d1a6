"""Categories: which texts mean the same, and their order."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dnncore._data.categories import Categories, number_text, order, parse_number

texts = st.text("aB1.0 -_eé", max_size=4)


@given(st.lists(texts, unique=True, min_size=1), st.lists(texts))
def test_indices_of_any_texts(values, cells):
    indices = Categories(values).indices(cells)
    assert indices.dtype == np.intp
    known = {value: index for index, value in enumerate(values)}
    for cell, index in zip(cells, indices.tolist(), strict=True):
        if cell in known:
            assert index == known[cell]
        elif index >= 0:  # the same number
            assert float(cell) == float(values[index])


@pytest.mark.parametrize(
    ("values", "cells", "expected"),
    [
        (["1", "2"], ["1", "2.0", "3"], [0, 1, -1]),
        (["1.0", "01234"], ["1", "1234.0", "1_234"], [0, 1, -1]),
        (["0.5", "1e+16"], ["0.50", "10000000000000000"], [0, 1]),
        (["false", "true"], ["TRUE", "False", "1", "0", "yes"], [1, 0, 1, 0, -1]),
        (["TRUE", "x"], ["true", "TRUE"], [-1, 0]),
    ],
)
def test_what_means_the_same(values, cells, expected):
    assert Categories(values).indices(cells).tolist() == expected


def test_order():
    assert sorted(["b", "10", "9.5", "-1", "a", "nan"], key=order) == [
        "-1", "9.5", "10", "nan", "a", "b"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (1, "1"),
        (1.0, "1"),
        (-0.0, "0"),
        (np.float64(2.5), "2.5"),
        (np.float32(2.0), "2"),
        (np.float32(0.1), "0.1"),
        (1e300, "1e+300"),
        (2**62, str(2**62)),
    ],
)
def test_text_of_a_number(number, text):
    assert number_text(number) == text
    assert parse_number(text) == float(text)
