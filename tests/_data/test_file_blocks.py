"""Blocks of rows of NPY and Parquet files."""

import builtins
import decimal
import os

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.lib import format as npy
from pyarrow import parquet

from dnncore import DNNClassifier, DNNRegressor
from dnncore.blocks import NpyBlocks, ParquetBlocks

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

N = 500
RNG = np.random.default_rng(0)
X = RNG.normal(size=(N, 4))
LABEL = RNG.integers(0, 3, N)
TARGET = X[:, 0] - X[:, 2] ** 2
WEIGHT = RNG.random(N)
NAMES = np.array(["no", "maybe", "certainly"])[LABEL]


def joined(blocks):
    """The arrays that the blocks are parts of."""
    return [np.concatenate(arrays) for arrays in zip(*blocks, strict=True)]


def touch(path):
    """Make the file newer, as writing to it does."""
    status = os.stat(path)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + 1_000_000))


# ------------------------------------------------------------------------------------------ NPY


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
def test_npy_has_all_rows_in_order(tmp_path_factory, n, rows):
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
def test_npy_converts_X(saved, stored, wanted):
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
def test_npy_leaves_y_as_it_is(saved, y):
    blocks = NpyBlocks(*saved(X, y), rows_per_block=77)
    _, got = joined(blocks)
    np.testing.assert_array_equal(got, y)
    assert got.dtype == y.dtype.newbyteorder("=")


def test_npy_trains_as_in_memory(saved):
    paths = saved(X.astype(np.float32), NAMES, WEIGHT)
    model = DNNClassifier((5,), max_iter=3, shuffle=False, random_state=0, engine="builtin")
    blocks = NpyBlocks(*paths, rows_per_block=70)
    parameters = model.fit_blocks(blocks).network_.parameters.copy()
    assert model.classes_.tolist() == ["certainly", "maybe", "no"]
    model.fit(X.astype(np.float32), NAMES, WEIGHT)
    np.testing.assert_array_equal(parameters, model.network_.parameters)
    scores = [model.predict_proba(block[0]) for block in blocks]
    np.testing.assert_array_equal(np.concatenate(scores), model.predict_proba(X.astype(np.float32)))


def test_npy_error_names_file_and_row(saved):
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
        ([X[:, 0], LABEL], ValueError, r"0.npy must hold an array of 2 dimensions, got .*\(500,\)"),
        ([X, LABEL[:, None, None]], ValueError, "1.npy must hold an array of 1 or 2 dimensions"),
        ([X, LABEL, X], ValueError, "2.npy must hold an array of 1 dimensions"),
        ([X[:0], LABEL[:0]], ValueError, r"must have rows and columns, got shape \(0, 4\)"),
        ([X[:, :0], LABEL], ValueError, r"must have rows and columns, got shape \(500, 0\)"),
        ([X, LABEL[1:]], ValueError, "1.npy must have 500 rows, like .*0.npy, got 499"),
        ([X, LABEL, WEIGHT[1:]], ValueError, "2.npy must have 500 rows"),
        ([np.asfortranarray(X), LABEL], ValueError, "0.npy is in Fortran order"),
        ([X * 1j, LABEL], TypeError, "0.npy must hold numbers, got complex128"),
        ([X.astype("U4"), LABEL], TypeError, "0.npy must hold numbers, got <U4"),
        ([X, NAMES.astype(object)], TypeError, "1.npy must hold numbers or strings, got object"),
        ([X, np.zeros(N, "M8[s]")], TypeError, "1.npy must hold numbers or strings, got datetime"),
        ([np.zeros((N, 2), "f4,i4"), LABEL], TypeError, "0.npy must hold numbers, got"),
    ],
)
def test_npy_refuses(saved, arrays, error, message):
    with pytest.raises(error, match=message):
        NpyBlocks(*saved(*arrays))


def test_npy_refuses_arguments(saved):
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
def test_npy_refuses_other_files(saved, content):
    x_path, y_path = saved(X, LABEL)
    with open(x_path, "wb") as file:
        file.write(content)
    with pytest.raises(ValueError, match=r"0.npy is not a usable NPY file: "):
        NpyBlocks(x_path, y_path)


def test_npy_of_any_version(saved):
    x_path, y_path = saved(X, LABEL)
    for version in ((1, 0), (2, 0), (3, 0)):
        with open(x_path, "wb") as file:
            npy.write_array(file, X, version=version)
        np.testing.assert_array_equal(joined(NpyBlocks(x_path, y_path))[0], X)
    with open(x_path, "r+b") as file:
        file.write(b"\x93NUMPY\x04")
    with pytest.raises(ValueError, match=r"version \(4, 0\)"):
        NpyBlocks(x_path, y_path)


@pytest.mark.parametrize("change", [-1, 1])
def test_npy_must_be_as_long_as_it_says(saved, change):
    x_path, y_path = saved(X, LABEL)
    size = os.path.getsize(x_path)
    os.truncate(x_path, size + change)
    with pytest.raises(ValueError, match=rf"must be {size} bytes .*got {size + change}"):
        NpyBlocks(x_path, y_path)


def test_npy_that_changes_is_noticed(saved):
    x_path, y_path = saved(X, LABEL)
    blocks = NpyBlocks(x_path, y_path, rows_per_block=100)
    reading = iter(blocks)
    next(reading)
    os.truncate(y_path, 1000)
    with pytest.raises(ValueError, match=r"1.npy has become shorter while it was read"):
        next(reading)
    np.save(y_path, LABEL[::-1])
    touch(y_path)
    with pytest.raises(ValueError, match=r"1.npy has changed since it was first read"):
        next(iter(blocks))


# -------------------------------------------------------------------------------------- Parquet

COLUMNS = {"a": X[:, 0], "b": LABEL % 2 == 1, "c": X[:, 2].astype(np.float32), "d": LABEL}
MATRIX = np.stack(list(COLUMNS.values()), axis=1).astype(np.float64)


def written(path, columns=None, *, group=150, **more):
    table = pa.table({**(COLUMNS if columns is None else columns), **more})
    parquet.write_table(table, path, row_group_size=group)
    return str(path)


@settings(max_examples=20, deadline=None)
@given(n=st.integers(1, N), rows=st.integers(1, N), group=st.integers(20, N))
def test_parquet_has_all_rows_in_order(tmp_path_factory, n, rows, group):
    path = tmp_path_factory.mktemp("parquet") / "data.parquet"
    columns = {name: values[:n] for name, values in COLUMNS.items()}
    written(path, columns, group=group, y=NAMES[:n], w=WEIGHT[:n])
    blocks = ParquetBlocks(path, "y", sample_weight="w", rows_per_block=rows)
    assert blocks.n_samples == n and blocks.columns == list("abcd") == blocks.feature_names
    read = list(blocks)
    assert [len(block[0]) for block in read[:-1]] == [rows] * (len(read) - 1)
    got = joined(read)
    assert got[0].dtype == np.float64 and got[1].dtype.kind == "U"
    for array, wanted in zip(got, (MATRIX[:n], NAMES[:n], WEIGHT[:n]), strict=True):
        np.testing.assert_array_equal(array, wanted)


def test_parquet_reads_in_small_pieces_what_makes_one_block(tmp_path, monkeypatch):
    monkeypatch.setattr("dnncore.blocks.PIECE_BYTES", 1000)
    path = written(tmp_path / "data.parquet", y=NAMES)
    read = list(ParquetBlocks(path, "y", rows_per_block=200))
    assert [len(y) for _, y in read] == [200, 200, 100]
    np.testing.assert_array_equal(joined(read)[0], MATRIX)
    np.testing.assert_array_equal(joined(read)[1], NAMES)  # of different lengths in each piece


def test_parquet_takes_the_columns_named(tmp_path):
    path = written(tmp_path / "data.parquet", y=LABEL, text=NAMES)
    (got, y) = joined(ParquetBlocks(path, "y", ["c", "a"]))
    np.testing.assert_array_equal(got, MATRIX[:, [2, 0]])
    np.testing.assert_array_equal(y, LABEL)
    (got, _) = joined(ParquetBlocks(path, "y", ["c"]))
    assert got.dtype == np.float32
    (got, _) = joined(ParquetBlocks(path, "y", ["a"], dtype=np.float32))
    np.testing.assert_array_equal(got[:, 0], X[:, 0].astype(np.float32))


@pytest.mark.parametrize(
    ("column", "wanted"),
    [
        (pa.array(LABEL.astype(np.int16)), LABEL),
        (pa.array(TARGET), TARGET),
        (pa.array(LABEL > 1), LABEL > 1),
        (pa.array(NAMES), NAMES),
        (pa.array(NAMES, pa.large_string()), NAMES),
        (pa.array(NAMES).dictionary_encode(), NAMES),
        (pa.array([decimal.Decimal(int(x)) / 4 for x in LABEL]), LABEL / 4),
    ],
    ids=lambda value: str(getattr(value, "type", "")),
)
def test_parquet_targets(tmp_path, column, wanted):
    path = written(tmp_path / "data.parquet", y=column)
    _, got = joined(ParquetBlocks(path, "y", ["a"], rows_per_block=99))
    np.testing.assert_array_equal(got, wanted)
    assert got.dtype.kind == wanted.dtype.kind


def test_parquet_of_several_targets_and_files(tmp_path):
    paths = [written(tmp_path / f"{k}.parquet", y=TARGET + k, z=LABEL) for k in range(3)]
    blocks = ParquetBlocks(paths, ["z", "y"], rows_per_block=400)
    assert blocks.n_samples == 3 * N
    got, y = joined(blocks)
    np.testing.assert_array_equal(got, np.tile(MATRIX, (3, 1)))
    np.testing.assert_array_equal(y[:, 0], np.tile(LABEL, 3))
    np.testing.assert_array_equal(y[:, 1], np.concatenate([TARGET, TARGET + 1, TARGET + 2]))
    assert blocks.place(3 * N - 1) == f"row 499 of {paths[2]} (row group 3)"
    assert blocks.place(N) == f"row 0 of {paths[1]} (row group 0)"
    model = DNNRegressor(hidden_layer_sizes=(5,), max_iter=2, shuffle=False, random_state=0)
    parameters = model.set_params(engine="builtin").fit_blocks(blocks).network_.parameters.copy()
    np.testing.assert_array_equal(parameters, model.fit(got, y).network_.parameters)


def test_parquet_nulls_are_nan_in_X_and_refused_elsewhere(tmp_path):
    gone = np.zeros(N, bool)
    gone[333] = True
    path = written(
        tmp_path / "data.parquet",
        {"a": pa.array(X[:, 0], mask=gone), "b": pa.array(LABEL > 0, mask=gone)},
        y=LABEL,
        gappy=pa.array(NAMES, mask=gone),
    )
    (got, _) = joined(ParquetBlocks(path, "y", ["a", "b"]))
    assert np.isnan(got[333]).all() and np.isnan(got).sum() == 2
    where = rf"row 333 of {path} \(row group 2\)"
    with pytest.raises(ValueError, match=rf"got nan in {where}, column 'a'"):
        DNNClassifier().fit_blocks(ParquetBlocks(path, "y", ["a", "b"]))
    model = DNNClassifier(missing_values="indicator", max_iter=2)
    assert model.fit_blocks(ParquetBlocks(path, "y", ["a", "b"])).n_layers_ == 3
    with pytest.raises(ValueError, match=rf"column 'gappy' has no value in {where}"):
        DNNClassifier().fit_blocks(ParquetBlocks(path, "gappy", ["a"], rows_per_block=200))
    with pytest.raises(ValueError, match=rf"column 'b' has no value in {where}"):
        list(ParquetBlocks(path, "y", ["a"], "b"))


def test_parquet_encodes_categories(tmp_path, monkeypatch):
    path = written(tmp_path / "data.parquet", y=LABEL, text=NAMES)

    def encode(batch):
        assert batch.schema.names == ["text", "a"]
        text = batch.column("text").to_numpy(zero_copy_only=False)
        return np.stack([text == "no", batch.column("a").to_numpy()], axis=1).astype(np.float32)

    blocks = ParquetBlocks(path, "y", ["text", "a"], encode=encode, rows_per_block=120)
    assert blocks.feature_names is None
    got, _ = joined(blocks)
    assert got.dtype == np.float32
    np.testing.assert_array_equal(got[:, 0], NAMES == "no")
    for wrong in (lambda batch: np.zeros((3, 2)), lambda batch: np.zeros(batch.num_rows)):
        with pytest.raises(ValueError, match="encode must return a matrix of"):
            list(ParquetBlocks(path, "y", ["a"], encode=wrong))
    monkeypatch.setattr("dnncore.blocks.PIECE_BYTES", 1000)
    widths = iter(range(2, 9))
    changing = ParquetBlocks(
        path, "y", ["a"], encode=lambda batch: np.zeros((batch.num_rows, next(widths)))
    )
    with pytest.raises(ValueError, match="encode must return 2 columns as before, got 3"):
        list(changing)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"target": "z"}, ValueError, "must have one column 'z', got 0 among 6 columns"),
        ({"columns": ["a", "z"]}, ValueError, "must have one column 'z'"),
        ({"sample_weight": "z"}, ValueError, "must have one column 'z'"),
        ({"columns": []}, ValueError, "columns and target must name at least one"),
        ({"target": []}, ValueError, "columns and target must name at least one"),
        ({"columns": ["text"]}, TypeError, "'text' must hold numbers or truth values, got string"),
        ({"target": ["y", "text"]}, TypeError, "'text' must hold numbers or truth values"),
        ({"sample_weight": "text"}, TypeError, "column 'text' must hold numbers, got string"),
        (
            {"target": "day"},
            TypeError,
            "'day' must hold numbers, truth values or strings, got date",
        ),
        ({"path": []}, ValueError, "path must name at least one file"),
        ({"path": "nothing.parquet"}, FileNotFoundError, "nothing.parquet"),
        ({"rows_per_block": 0}, ValueError, "rows_per_block"),
        ({"dtype": np.int8}, TypeError, "dtype must be float32 or float64, got int8"),
    ],
)
def test_parquet_refuses(tmp_path, arguments, error, message):
    days = pa.array(np.zeros(N, "M8[D]"))
    path = written(tmp_path / "data.parquet", {"a": X[:, 0], "b": X[:, 1], "c": LABEL},
                   y=LABEL, text=NAMES, day=days)  # fmt: skip
    given = {"path": path, "target": "y", "columns": ["a", "b"], **arguments}
    with pytest.raises(error, match=message):
        ParquetBlocks(**given)


def test_parquet_refuses_two_columns_of_a_name(tmp_path):
    table = pa.table([X[:, 0], X[:, 1], LABEL], names=["a", "a", "y"])
    parquet.write_table(table, tmp_path / "data.parquet")
    with pytest.raises(ValueError, match="must have one column 'a', got 2"):
        ParquetBlocks(tmp_path / "data.parquet", "y", ["a"])


def test_parquet_that_is_none_damaged_or_changed(tmp_path):
    path = written(tmp_path / "data.parquet", y=LABEL, group=100)
    blocks = ParquetBlocks(path, "y", rows_per_block=100)
    with open(path, "rb") as file:
        content = bytearray(file.read())
    start = parquet.ParquetFile(path).metadata.row_group(2).column(0).dictionary_page_offset
    content[start : start + 40] = b"\xff" * 40
    with open(path, "wb") as file:
        file.write(content)
    touch(path)
    with pytest.raises(ValueError, match=rf"{path} has changed since it was first read"):
        list(blocks)
    with pytest.raises(ValueError, match=rf"row 200 of {path} \(row group 2\) or one after it can"):
        list(ParquetBlocks(path, "y", rows_per_block=100))
    with open(path, "wb") as file:
        file.write(content[: len(content) // 2])
    with pytest.raises(ValueError, match=rf"{path} is not a usable Parquet file: "):
        ParquetBlocks(path, "y")


def test_parquet_without_rows(tmp_path):
    path = written(tmp_path / "data.parquet", {"a": X[:0, 0]}, y=LABEL[:0])
    with pytest.raises(ValueError, match="at least 1 row"):
        DNNClassifier().fit_blocks(ParquetBlocks(path, "y"))


def test_parquet_says_what_to_install(tmp_path, monkeypatch):
    path = written(tmp_path / "data.parquet", y=LABEL)
    original = builtins.__import__

    def without_pyarrow(name, *arguments, **keywords):
        if name.partition(".")[0] == "pyarrow":
            raise ImportError(name)
        return original(name, *arguments, **keywords)

    monkeypatch.setattr(builtins, "__import__", without_pyarrow)
    with pytest.raises(ImportError, match=r"pip install 'dnncore\[cli\]'"):
        ParquetBlocks(path, "y")
