"""ParquetBlocks: blocks of rows of Parquet files."""

import builtins
import decimal

import numpy as np
import pyarrow as pa
import pytest
from files import joined, touch
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from dnncore import DNNClassifier, DNNRegressor
from dnncore.blocks import ParquetBlocks

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

N = 500
RNG = np.random.default_rng(0)
X = RNG.normal(size=(N, 4))
LABEL = RNG.integers(0, 3, N)
TARGET = X[:, 0] - X[:, 2] ** 2
WEIGHT = RNG.random(N)
NAMES = np.array(["no", "maybe", "certainly"])[LABEL]
COLUMNS = {"a": X[:, 0], "b": LABEL % 2 == 1, "c": X[:, 2].astype(np.float32), "d": LABEL}
MATRIX = np.stack(list(COLUMNS.values()), axis=1).astype(np.float64)


def written(path, columns=None, *, group=150, **more):
    table = pa.table({**(COLUMNS if columns is None else columns), **more})
    parquet.write_table(table, path, row_group_size=group)
    return str(path)


@settings(max_examples=20, deadline=None)
@given(n=st.integers(1, N), rows=st.integers(1, N), group=st.integers(20, N))
def test_has_all_rows_in_order(tmp_path_factory, n, rows, group):
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


def long_file(path):
    """A file whose blocks are read in several pieces: 70,000 rows of 4 columns."""
    columns = {name: np.tile(values, 140) for name, values in COLUMNS.items()}
    names = np.tile(NAMES, 140)
    names[:40_000] = "no"
    return written(path, columns, group=30_000, y=names), names


def test_reads_in_small_pieces_what_makes_one_block(tmp_path):
    path, names = long_file(tmp_path / "data.parquet")
    read = list(ParquetBlocks(path, "y", rows_per_block=50_000))
    assert [len(y) for _, y in read] == [50_000, 20_000]
    np.testing.assert_array_equal(joined(read)[0], np.tile(MATRIX, (140, 1)))
    np.testing.assert_array_equal(joined(read)[1], names)  # of different lengths in each piece


def test_takes_the_columns_named(tmp_path):
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
        (pa.array(NAMES.tolist(), pa.large_string()), NAMES),
        (pa.array(NAMES).dictionary_encode(), NAMES),
        (pa.array([decimal.Decimal(int(x)) / 4 for x in LABEL]), LABEL / 4),
    ],
    ids=lambda value: str(getattr(value, "type", "")),
)
def test_targets(tmp_path, column, wanted):
    path = written(tmp_path / "data.parquet", y=column)
    _, got = joined(ParquetBlocks(path, "y", ["a"], rows_per_block=99))
    np.testing.assert_array_equal(got, wanted)
    assert got.dtype.kind == wanted.dtype.kind


def test_of_several_targets_and_files(tmp_path):
    paths = [written(tmp_path / f"{k}.parquet", y=TARGET + k, z=LABEL) for k in range(3)]
    blocks = ParquetBlocks(paths, ["z", "y"], rows_per_block=400)
    assert blocks.n_samples == 3 * N
    got, y = joined(blocks)
    np.testing.assert_array_equal(got, np.tile(MATRIX, (3, 1)))
    np.testing.assert_array_equal(y[:, 0], np.tile(LABEL, 3))
    np.testing.assert_array_equal(y[:, 1], np.concatenate([TARGET, TARGET + 1, TARGET + 2]))
    assert blocks.place(3 * N - 1) == f"row 499 of {paths[2]} (row group 3)"
    assert blocks.place(N) == f"row 0 of {paths[1]} (row group 0)"
    model = DNNRegressor(
        hidden_layer_sizes=(5,), max_iter=2, shuffle=False, random_state=0, early_stopping=False
    )
    parameters = model.set_params(engine="builtin").fit_blocks(blocks).network_.parameters.copy()
    np.testing.assert_array_equal(parameters, model.fit(got, y).network_.parameters)


def test_nulls_are_nan_in_X_and_refused_elsewhere(tmp_path):
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


def test_encodes_categories(tmp_path):
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
    path, _ = long_file(tmp_path / "long.parquet")
    widths = iter(range(2, 9))
    changing = ParquetBlocks(
        path, "y", encode=lambda batch: np.zeros((batch.num_rows, next(widths)))
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
        ({"columns": ["text"]}, TypeError, "'text' must contain numbers or Booleans, got string"),
        ({"target": ["y", "text"]}, TypeError, "'text' must contain numbers or Booleans"),
        ({"sample_weight": "text"}, TypeError, "column 'text' must contain numbers, got string"),
        (
            {"target": "day"},
            TypeError,
            "'day' must contain numbers, Booleans or strings, got date",
        ),
        ({"path": []}, ValueError, "path must name at least one file"),
        ({"path": "nothing.parquet"}, FileNotFoundError, "nothing.parquet"),
        ({"rows_per_block": 0}, ValueError, "rows_per_block"),
        ({"dtype": np.int8}, TypeError, "dtype must be float32 or float64, got int8"),
    ],
)
def test_refuses(tmp_path, arguments, error, message):
    days = pa.array(np.zeros(N, "M8[D]"))
    path = written(tmp_path / "data.parquet", {"a": X[:, 0], "b": X[:, 1], "c": LABEL},
                   y=LABEL, text=NAMES, day=days)  # fmt: skip
    given = {"path": path, "target": "y", "columns": ["a", "b"], **arguments}
    with pytest.raises(error, match=message):
        ParquetBlocks(**given)


def test_refuses_two_columns_of_a_name(tmp_path):
    table = pa.table([X[:, 0], X[:, 1], LABEL], names=["a", "a", "y"])
    parquet.write_table(table, tmp_path / "data.parquet")
    with pytest.raises(ValueError, match="must have one column 'a', got 2"):
        ParquetBlocks(tmp_path / "data.parquet", "y", ["a"])


def test_that_is_none_damaged_or_changed(tmp_path):
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


def test_without_rows(tmp_path):
    path = written(tmp_path / "data.parquet", {"a": X[:0, 0]}, y=LABEL[:0])
    with pytest.raises(ValueError, match="at least 1 row"):
        DNNClassifier().fit_blocks(ParquetBlocks(path, "y"))


def test_says_what_to_install(tmp_path, monkeypatch):
    path = written(tmp_path / "data.parquet", y=LABEL)
    original = builtins.__import__

    def without_pyarrow(name, *arguments, **keywords):
        if name.partition(".")[0] == "pyarrow":
            raise ImportError(name)
        return original(name, *arguments, **keywords)

    monkeypatch.setattr(builtins, "__import__", without_pyarrow)
    with pytest.raises(ImportError, match=r"pip install 'dnncore\[cli\]'"):
        ParquetBlocks(path, "y")
