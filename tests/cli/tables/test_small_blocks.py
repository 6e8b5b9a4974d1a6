"""Files that come in many blocks give what they give in one."""

import gzip

import numpy as np
import pyarrow as pa
import pytest
from commands import IRIS, write_csv
from files import touch
from pyarrow import parquet

from dnncore._data.files import FileError
from dnncore.cli.tables import TableError, matrix_data, scoring_data, training_data

DTYPE = np.dtype(np.float32)
N = 500
NUMBERS = np.random.default_rng(0).normal(size=(N, 3)).astype(np.float32)
COLOURS = [f"colour {i % 7}" for i in range(N)]
LABELS = [i % 3 for i in range(N)]


@pytest.fixture
def small_blocks(set_block_sizes):
    set_block_sizes(csv_bytes=300, parquet_rows=64, feature_bytes=400)


def write(path, numbers=NUMBERS, colours=COLOURS, labels=LABELS):
    header = ["a", "b", "c", "colour", "y"]
    columns = [*np.asarray(numbers).T.tolist(), colours, labels]
    if path.endswith(".parquet"):
        parquet.write_table(pa.table(dict(zip(header, columns, strict=True))), path)
    else:
        write_csv(path, header, zip(*columns, strict=True))
    return path


def whole(dataset):
    blocks = list(dataset)
    return np.concatenate([b.X for b in blocks]), np.concatenate([b.y for b in blocks]), blocks


@pytest.mark.parametrize("path", ["data.csv", "data.parquet"])
def test_columns(small_blocks, path):
    data = training_data(write(path), "y", dtype=DTYPE)
    X, y, blocks = whole(data)
    assert len(blocks) >= N * 10 // 100
    assert max(block.X.size for block in blocks) <= 100
    np.testing.assert_array_equal(X[:, :3], NUMBERS)
    np.testing.assert_array_equal(X[:, 3:], np.eye(7)[np.arange(N) % 7])
    assert y.tolist() == LABELS
    # A dataset can be read again, and from another file.
    np.testing.assert_array_equal(whole(data)[0], X)
    again = scoring_data(
        write("again.csv"), table=data.table, n_features=10, dtype=DTYPE, with_target=True,
        classes=np.arange(3),
    )  # fmt: skip
    np.testing.assert_array_equal(whole(again)[0], X)
    np.testing.assert_array_equal(whole(again)[1], y)


def test_compressed_files(small_blocks):
    with open(write("data.csv"), "rb") as file, gzip.open("data.csv.gz", "wb") as packed:
        packed.write(file.read())
    X, _, _ = whole(training_data("data.csv.gz", "y", dtype=DTYPE))
    np.testing.assert_array_equal(X[:, :3], NUMBERS)


@pytest.mark.parametrize(
    ("path", "place"), [("data.csv", "on line 402"), ("data.parquet", "in row 401")]
)
def test_errors_far_into_a_file(small_blocks, path, place):
    colours, labels, numbers = list(COLOURS), list(LABELS), NUMBERS.copy()
    colours[400] = None
    with pytest.raises(TableError, match=f"'colour' has missing values, the first {place}$"):
        training_data(write(path, colours=colours), "y", dtype=DTYPE)
    numbers[400, 1] = np.inf
    data = training_data(write(path, numbers), "y", dtype=DTYPE)
    with pytest.raises(
        TableError, match=f"'b' must contain finite float32 numbers, got inf {place}$"
    ):
        whole(data)
    labels[400] = 7
    data = scoring_data(
        write(path, labels=labels), table=data.table, n_features=10, dtype=DTYPE,
        with_target=True, classes=np.arange(3),
    )  # fmt: skip
    with pytest.raises(TableError, match=f"'y' has the label '7' {place}, which is not a class"):
        whole(data)


def test_a_csv_file_whose_first_block_looks_like_numbers(small_blocks):
    labels = [*range(400), *["x"] * 100]
    data = training_data(write("data.csv", labels=labels), "y", dtype=DTYPE)
    assert whole(data)[1].tolist() == [str(label) for label in labels]
    colours = [*range(400), *["x"] * 100]
    with pytest.raises(TableError, match="'colour' must be numeric, got 'x' on line 402; --cat"):
        training_data(write("data.csv", colours=colours), "y", dtype=DTYPE)
    colours = [*["x"] * 100, *range(400)]
    with pytest.raises(TableError, match="'colour' must be numeric, got 'x' on line 2; --cat"):
        training_data(write("data.csv", colours=colours), "y", dtype=DTYPE)


def test_unknown_values_of_all_blocks_are_counted(small_blocks):
    data = training_data(write("data.csv"), "y", dtype=DTYPE)
    colours = [f"colour {i % 9}" for i in range(N)]
    data = scoring_data(
        write("new.csv", colours=colours), table=data.table, n_features=10, dtype=DTYPE
    )
    for _ in range(2):
        assert sum(len(block.X) for block in data) == N
        assert data.unknown == {"colour": {"colour 7": 55, "colour 8": 55}}


def test_arrays(small_blocks):
    np.save("X.npy", IRIS.data)
    np.save("y.npy", IRIS.target)
    np.savez("iris.npz", X=IRIS.data, y=IRIS.target)
    datasets = (
        training_data("X.npy", "y.npy", dtype=DTYPE),
        training_data("iris.npz", None, dtype=DTYPE),
        matrix_data("iris", IRIS.data, IRIS.target, names="abcd", dtype=DTYPE),
        scoring_data("X.npy", table=None, n_features=4, dtype=DTYPE, target="y.npy",
                     with_target=True, classes=np.arange(3)),
    )  # fmt: skip
    for data in datasets:
        X, y, blocks = whole(data)
        assert len(blocks) == 6
        np.testing.assert_array_equal(X, IRIS.data.astype(np.float32))
        np.testing.assert_array_equal(y, IRIS.target)


def test_faults_far_into_an_array(small_blocks):
    X = IRIS.data.copy()
    X[120, 2] = np.nan
    np.save("X.npy", X)
    np.save("y.npy", IRIS.target)
    with pytest.raises(TableError, match=r"the first in X\[120, 2\]$"):
        whole(training_data("X.npy", "y.npy", dtype=DTYPE))
    whole(training_data("X.npy", "y.npy", dtype=DTYPE, may_miss=True))
    X[130, 1] = -np.inf
    np.save("X.npy", X)
    with pytest.raises(TableError, match=r"X\[130, 1\] must be a finite float32, got -inf$"):
        whole(training_data("X.npy", "y.npy", dtype=DTYPE, may_miss=True))


@pytest.mark.parametrize("path", ["data.csv", "data.parquet", "X.npy"])
def test_a_file_that_changes_is_noticed(small_blocks, path):
    target = "y.npy" if path == "X.npy" else "y"
    if path == "X.npy":
        np.save("X.npy", IRIS.data)
        np.save("y.npy", IRIS.target)
    else:
        write(path)
    data = training_data(path, target, dtype=DTYPE)
    whole(data)
    touch(path)
    with pytest.raises(FileError, match=f"^{path} has changed since it was first read$"):
        whole(data)
