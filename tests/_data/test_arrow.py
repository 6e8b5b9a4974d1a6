"""Arrow columns as numbers, labels and texts."""

import decimal

import numpy as np
import pyarrow as pa
import pytest

from dnncore._data.arrow import (
    factorize,
    is_number,
    labels,
    missing,
    numbers,
    numbers_or_booleans,
    plain,
)
from dnncore._data.categories import NotANumber

NAN = float("nan")


@pytest.mark.parametrize(
    ("column", "expected", "dtype"),
    [
        (pa.array([1, 2], pa.int8()), [1, 2], "int8"),
        (pa.array([2**60 + 1], pa.uint64()), [2**60 + 1], "uint64"),
        (pa.array([1, None], pa.int64()), [1, NAN], "float64"),
        (pa.array([1.5, None], pa.float32()), [1.5, NAN], "float32"),
        (pa.array([1.5, NAN]), [1.5, NAN], "float64"),
        (pa.array([True, False, None]), [1, 0, NAN], "float64"),
        (pa.array([decimal.Decimal("1.25"), None]), [1.25, NAN], "float64"),
        (pa.array(["1", "-2.5e3", None]), [1, -2500, NAN], "float64"),
        (pa.array([None, None]), [NAN, NAN], "float64"),
    ],
    ids=lambda value: str(getattr(value, "type", "")),
)
def test_numbers(column, expected, dtype):
    values = numbers(column)
    assert values.dtype == dtype
    np.testing.assert_array_equal(values, expected)
    np.testing.assert_array_equal(numbers_or_booleans(column), expected)
    np.testing.assert_array_equal(missing(column), np.isnan(expected))


def test_texts_that_are_no_numbers():
    with pytest.raises(NotANumber) as caught:
        numbers(pa.array(["1", None, "four", "five"]))
    assert (caught.value.row, caught.value.text) == (2, "four")
    truths = pa.array(["TRUE", None, "false"])
    np.testing.assert_array_equal(numbers_or_booleans(truths), [1, NAN, 0])
    with pytest.raises(NotANumber):
        numbers_or_booleans(pa.array(["true", "maybe"]))
    assert is_number("1e3") and not is_number("1_000") and not is_number("")


@pytest.mark.parametrize("kind", ["string", "large_string", "string_view"])
def test_plain_columns_of_text(kind):
    column = pa.array(["b", "a", None, "b"], pa.string())
    try:
        cast = column.cast(getattr(pa, kind)())
    except (AttributeError, pa.ArrowNotImplementedError):
        cast = column  # not in all versions
    assert plain(cast).equals(column)
    assert plain(column.dictionary_encode()).equals(column)
    assert plain(pa.array([1, 2])).type == pa.int64()


def test_labels():
    assert labels(pa.array(["b", "a"])).dtype == "<U1"
    assert labels(pa.array([True, False])).dtype == bool
    assert labels(pa.array([3, 4], pa.int16())).dtype == "int16"


@pytest.mark.parametrize(
    ("column", "codes", "texts"),
    [
        (pa.array(["b", None, "a", "b"]), [0, -1, 1, 0], ["b", "a"]),
        (pa.chunked_array([["b"], ["a", None, "b"]]), [0, 1, -1, 0], ["b", "a"]),
        (pa.array([2.0, NAN, 0.5, None]), [0, -1, 1, -1], ["2", "0.5"]),
        (pa.array([True, None, False]), [0, -1, 1], ["true", "false"]),
        (pa.array([], pa.string()), [], []),
    ],
    ids=lambda value: str(getattr(value, "type", "")),
)
def test_factorize(column, codes, texts):
    found, values = factorize(column)
    assert (found.dtype, found.tolist(), values) == (np.intp, codes, texts)


@pytest.mark.parametrize("cells", [["5%", None, "3%"], ["$5", None, "$3"], ["5 €", None, "3 €"]])
def test_missing_cells_among_numbers_with_units(cells):
    for column in (pa.array(cells), pa.array(["x", *cells]).slice(1)):
        np.testing.assert_array_equal(numbers(column), [5, NAN, 3])
    with pytest.raises(NotANumber):
        numbers(pa.array([*cells, "x"]))
    with pytest.raises(NotANumber):
        numbers(pa.array([*cells, "7"]))
