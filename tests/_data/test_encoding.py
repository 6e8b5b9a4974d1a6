"""Arrow columns as a matrix of features, and as the target."""

import pickle

import numpy as np
import pyarrow as pa
import pytest

from dnncore._data.arrow import factorize
from dnncore._data.categories import Categories
from dnncore._data.cells import TextCells
from dnncore._data.columns import Column
from dnncore._data.encoding import (
    MAX_UNKNOWN,
    CellError,
    FeatureEncoder,
    category_indices,
    class_reader,
    read_booleans,
    read_integers,
    read_numbers,
    read_texts,
)

COLUMNS = (Column("size"), Column("colour", ("blue", "red")))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_features(dtype):
    encode = FeatureEncoder(COLUMNS, dtype, may_miss=True)
    X = encode([pa.array(["1", None, "2.5"]), pa.array(["red", "blue", None])])
    assert X.dtype == dtype
    np.testing.assert_array_equal(X, [[1, 0, 1], [np.nan, 1, 0], [2.5, 0, 0]])
    assert encode.unknown == {}


def test_unknown_values_are_counted():
    encode = FeatureEncoder(COLUMNS, np.float32, may_miss=False)
    for _ in range(2):
        X = encode([pa.array([1, 2, 3]), pa.array(["red", "mauve", "mauve"])])
        np.testing.assert_array_equal(X[:, 1:], [[0, 1], [0, 0], [0, 0]])
    assert encode.unknown == {"colour": {"mauve": 4}}
    names = [f"colour {i}" for i in range(2 * MAX_UNKNOWN)]
    encode([pa.array(np.zeros(len(names))), pa.array(names)])
    assert len(encode.unknown["colour"]) == MAX_UNKNOWN


@pytest.mark.parametrize(
    ("sizes", "colours", "message"),
    [
        (["1", None], ["red", "red"], "column 'size' has missing values, the first on line 9"),
        (["1", "2"], ["red", None], "column 'colour' has missing values, the first on line 9"),
        (["1", "x"], ["red", "red"], "column 'size' must be numeric, got 'x' on line 9"),
        (["1", "1e99"], ["red", "red"], "column 'size' must contain finite float32 numbers, got "
         "1e+99 on line 9"),
    ],
)  # fmt: skip
def test_cells_that_do_not_do(sizes, colours, message):
    with pytest.raises(CellError) as caught:
        FeatureEncoder(COLUMNS, np.float32, may_miss=False)([pa.array(sizes), pa.array(colours)])
    error = caught.value
    assert error.row == 1
    assert error.at("on line 9") == message
    assert str(pickle.loads(pickle.dumps(error))) == error.at("in row 1")


def test_targets():
    assert read_numbers("y", pa.array(["1", "2.5"])).tolist() == [1.0, 2.5]
    for cells in (["1", "-2.0"], [1.0, -2.0], [1, -2]):
        found = read_integers("y", pa.array(cells))
        assert (found.dtype, found.tolist()) == (np.int64, [1, -2])
    assert read_integers("y", pa.array([2**60 + 1])).tolist() == [2**60 + 1]
    assert read_booleans("y", pa.array([True, False])).tolist() == [True, False]
    assert read_texts("y", pa.array([1, 2])).tolist() == ["1", "2"]
    with pytest.raises(CellError, match="column 'y' has missing values, the first in row 1"):
        read_numbers("y", pa.array([1.0, None]))


@pytest.mark.parametrize(
    ("classes", "cells", "expected"),
    [
        (np.array([1, 2], np.int8), ["2.0", "01"], [2, 1]),
        (np.array([False, True]), ["TRUE", "false"], [True, False]),
        (np.array(["a", "b"]), ["b", "a"], ["b", "a"]),
    ],
)
def test_classes_of_a_model(classes, cells, expected):
    found = class_reader(classes)("y", pa.array(cells))
    assert (found.dtype, found.tolist()) == (classes.dtype, expected)
    with pytest.raises(CellError) as caught:
        class_reader(classes)("y", pa.array([cells[0], "tulip"]))
    assert caught.value.at("on line 3") == (
        "column 'y' has the label 'tulip' on line 3, which is not a class of the model"
    )


@pytest.mark.parametrize(
    ("values", "cells", "expected"),
    [
        (["1", "2"], [1, 2, 3, None], [0, 1, -1, -1]),
        (["1", "2"], [1.0, 2.0, 2.5, float("nan")], [0, 1, -1, -1]),
        (["0.5", "1e+16"], [0.5, 1e16], [0, 1]),
        (["false", "true"], [True, False, None], [1, 0, -1]),
        (["red"], ["blue", "red", "blue", None], [-1, 0, -1, -1]),
    ],
)
def test_indices_of_categories(values, cells, expected):
    indices, unknown = category_indices(
        Categories(values), TextCells("category", *factorize(pa.array(cells)))
    )
    assert indices.tolist() == expected
    present = [cell for cell in cells if cell is not None and cell == cell]
    assert sum(unknown.values()) == len(present) - np.sum(indices >= 0)
