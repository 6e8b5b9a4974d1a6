"""NpyBlocks: blocks of rows of NPY files."""

import os

import numpy as np
import pytest
from files import joined, touch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.lib import format as npy_format

from dnncore import DNNClassifier
from dnncore.blocks import NpyBlocks

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

N = 500
RNG = np.random.default_rng(0)
X = RNG.normal(size=(N, 4))
LABEL = RNG.integers(0, 3, N)
TARGET = X[:, 0] - X[:, 2] ** 2
WEIGHT = RNG.random(N)
NAMES = np.array(["no", "maybe", "certainly"])[LABEL]


@pytest.fixture
def saved(tmp_path):
    """What saves arrays, and returns the paths of their files."""

    def save(*arrays):
        paths = [str(tmp_path / f"{number}.npy") for number in range(len(arrays))]
        for path, array in zip(paths, arrays, strict=True):
            np.save(path, array)
        return paths

    return save


@settings(max_examples=30, deadline=None)
@given(n=st.integers(1, 50), rows=st.integers(1, 60))
def test_has_all_rows_in_order(tmp_path_factory, n, rows):
    folder = tmp_path_factory.mktemp("npy")
    for name, array in (("X", X[:n]), ("y", LABEL[:n]), ("w", WEIGHT[:n])):
        np.save(folder / f"{name}.npy", array)
    blocks = NpyBlocks(folder / "X.npy", folder / "y.npy", folder / "w.npy", rows_per_block=rows)
    assert (blocks.n_samples, blocks.n_features) == (n, 4)
    read = list(blocks)  # of which no array takes another's place
    assert [len(block[0]) for block in read[:-1]] == [rows] * (len(read) - 1)
    for got, wanted in zip(joined(read), (X[:n], LABEL[:n], WEIGHT[:n]), strict=True):
        np.testing.assert_array_equal(got, wanted)


@pytest.mark.parametrize("stored", ["<f4", ">f4", "<f8", ">f8", "<f2", "<i8", "|u1", "|b1"])
@pytest.mark.parametrize("wanted", [None, np.float32, np.float64])
def test_converts_X(saved, stored, wanted):
    array = (10 * np.abs(X)).astype(stored)
    (got, _) = joined(NpyBlocks(*saved(array, LABEL), rows_per_block=60, dtype=wanted))
    default = np.float32 if stored.endswith("f4") else np.float64
    assert got.dtype == (wanted or default)
    assert got.dtype.isnative
    np.testing.assert_array_equal(got, array.astype(got.dtype))


@pytest.mark.parametrize(
    "y",
    [LABEL.astype(">i4"), NAMES, NAMES.astype("S"), LABEL > 0, TARGET, X[:, :2], TARGET[:, None]],
)
def test_leaves_y_as_it_is(saved, y):
    blocks = NpyBlocks(*saved(X, y), rows_per_block=77)
    _, got = joined(blocks)
    np.testing.assert_array_equal(got, y)
    assert got.dtype == y.dtype.newbyteorder("=")


def test_trains_as_in_memory(saved):
    paths = saved(X.astype(np.float32), NAMES, WEIGHT)
    model = DNNClassifier(
        (5,), max_iter=3, shuffle=False, random_state=0, engine="builtin", early_stopping=False
    )
    blocks = NpyBlocks(*paths, rows_per_block=70)
    parameters = model.fit_blocks(blocks).network_.parameters.copy()
    assert model.classes_.tolist() == ["certainly", "maybe", "no"]
    model.fit(X.astype(np.float32), NAMES, WEIGHT)
    np.testing.assert_array_equal(parameters, model.network_.parameters)
    scores = [model.predict_proba(block[0]) for block in blocks]
    np.testing.assert_array_equal(np.concatenate(scores), model.predict_proba(X.astype(np.float32)))


def test_error_names_file_and_row(saved):
    broken = X.copy()
    broken[321, 2] = np.inf
    x_path, y_path = saved(broken, LABEL)
    with pytest.raises(ValueError, match=rf"got inf in row 321 of {x_path}, column 2"):
        DNNClassifier().fit_blocks(NpyBlocks(x_path, y_path, rows_per_block=100))
    broken[321, 2] = 1e39  # too large for float32
    np.save(x_path, broken)
    with pytest.raises(ValueError, match=rf"got inf in row 321 of {x_path}, column 2"):
        DNNClassifier().fit_blocks(NpyBlocks(x_path, y_path, dtype=np.float32))
    labels = LABEL / 1
    labels[250] = 0.5
    np.save(x_path, X)
    np.save(y_path, labels)
    with pytest.raises(ValueError, match=rf"block at row 200 of {x_path}: .*continuous"):
        DNNClassifier().fit_blocks(NpyBlocks(x_path, y_path, rows_per_block=100))


@pytest.mark.parametrize(
    ("arrays", "error", "message"),
    [
        (
            [X[:, 0], LABEL],
            ValueError,
            r"0.npy must contain an array of 2 dimensions, got .*\(500,\)",
        ),
        ([X, LABEL[:, None, None]], ValueError, "1.npy must contain an array of 1 or 2 dimensions"),
        ([X, LABEL, X], ValueError, "2.npy must contain an array of 1 dimensions"),
        ([X[:0], LABEL[:0]], ValueError, r"must have rows and columns, got shape \(0, 4\)"),
        ([X[:, :0], LABEL], ValueError, r"must have rows and columns, got shape \(500, 0\)"),
        ([X, LABEL[1:]], ValueError, "1.npy must have 500 rows, like .*0.npy, got 499"),
        ([X, LABEL, WEIGHT[1:]], ValueError, "2.npy must have 500 rows"),
        ([np.asfortranarray(X), LABEL], ValueError, "0.npy must be in C order, got Fortran order"),
        ([X * 1j, LABEL], TypeError, "0.npy must contain numbers, got complex128"),
        ([X.astype("U4"), LABEL], TypeError, "0.npy must contain numbers, got <U4"),
        ([X, NAMES.astype(object)], TypeError, "1.npy must contain numbers or strings, got object"),
        (
            [X, np.zeros(N, "M8[s]")],
            TypeError,
            "1.npy must contain numbers or strings, got datetime",
        ),
        ([np.zeros((N, 2), "f4,i4"), LABEL], TypeError, "0.npy must contain numbers, got"),
    ],
)
def test_refuses(saved, arrays, error, message):
    with pytest.raises(error, match=message):
        NpyBlocks(*saved(*arrays))


def test_refuses_arguments(saved):
    paths = saved(X, LABEL)
    with pytest.raises(ValueError, match=r"rows_per_block must lie in \[1"):
        NpyBlocks(*paths, rows_per_block=0)
    with pytest.raises(TypeError, match="dtype must be float32 or float64, got int64"):
        NpyBlocks(*paths, dtype=int)
    with pytest.raises(FileNotFoundError):
        NpyBlocks(paths[0], "nothing.npy")


@pytest.mark.parametrize(
    "content", [b"", b"x,y\n1,2\n", b"\x93NUMPY\x09\x00", b"\x93NUMPY\x01\x00v\x00{"]
)
def test_refuses_other_files(saved, content):
    x_path, y_path = saved(X, LABEL)
    with open(x_path, "wb") as file:
        file.write(content)
    with pytest.raises(ValueError, match=r"0.npy is not a usable NPY file: "):
        NpyBlocks(x_path, y_path)


def test_of_any_version(saved):
    x_path, y_path = saved(X, LABEL)
    for version in ((1, 0), (2, 0), (3, 0)):
        with open(x_path, "wb") as file:
            npy_format.write_array(file, X, version=version)
        np.testing.assert_array_equal(joined(NpyBlocks(x_path, y_path))[0], X)
    with open(x_path, "r+b") as file:
        file.write(b"\x93NUMPY\x04")
    with pytest.raises(ValueError, match=r"version \(4, 0\)"):
        NpyBlocks(x_path, y_path)


@pytest.mark.parametrize("change", [-1, 1])
def test_must_be_as_long_as_it_says(saved, change):
    x_path, y_path = saved(X, LABEL)
    size = os.path.getsize(x_path)
    os.truncate(x_path, size + change)
    with pytest.raises(ValueError, match=rf"must be {size} bytes .*got {size + change}"):
        NpyBlocks(x_path, y_path)


def test_that_changes_is_noticed(saved):
    x_path, y_path = saved(X, LABEL)
    blocks = NpyBlocks(x_path, y_path, rows_per_block=100)
    reading = iter(blocks)
    next(reading)
    os.truncate(y_path, 1000)
    with pytest.raises(ValueError, match=r"1.npy was truncated while it was read"):
        next(reading)
    np.save(y_path, LABEL[::-1])
    touch(y_path)
    with pytest.raises(ValueError, match=r"1.npy has changed since it was first read"):
        next(iter(blocks))
