"""Several Parquet files as one table."""

import pickle

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from dnncore._data.files import FileError
from dnncore._data.parquet_files import ParquetFiles

N = 700


@pytest.fixture
def paths(tmp_path):
    """Files of 700 rows in all, one without rows, in row groups of 100."""
    paths = []
    for i, (start, end) in enumerate([(0, 250), (250, 250), (250, N)]):
        rows = pa.table({"i": np.arange(start, end), "text": [f"t{j}" for j in range(start, end)]})
        # The order of the columns does not matter.
        rows = rows.select(["text", "i"]) if i else rows
        paths.append(str(tmp_path / f"{i}.parquet"))
        parquet.write_table(rows, paths[-1], row_group_size=100)
    return paths


def test_all_rows_in_order(paths):
    files = ParquetFiles("all", paths)
    assert (files.path, files.names, files.n_rows) == ("all", ["i", "text"], N)
    assert files.size >= N * 8
    for _ in range(2):
        i, text = map(pa.chunked_array, zip(*files.columns(["i", "text"]), strict=True))
        np.testing.assert_array_equal(i, np.arange(N))
        assert text[-1].as_py() == f"t{N - 1}"


def test_parts(paths):
    """They are read by themselves, in another process too, and number their rows as all do."""
    files = ParquetFiles("all", paths)
    assert [part.first_row for part in files.parts] == [0, 100, 200, 250, 350, 450, 550, 650]
    for part in pickle.loads(pickle.dumps(files.parts)):
        [(i,)] = part.columns(["i"])
        assert i[0].as_py() == part.first_row
    part = files.parts[4]
    assert (part.path, part.place(351)) == (paths[2], "in row 102")
    assert files.place(351) == f"in row 102 of {paths[2]}"
    assert files.place(249) == f"in row 250 of {paths[0]}"
    assert sum(part.size for part in files.parts) == pytest.approx(files.size, rel=0.01)


@pytest.mark.parametrize(
    ("first", "second", "common"),
    [
        (pa.int32(), pa.float64(), pa.float64()),
        (pa.null(), pa.float32(), pa.float32()),
        (pa.int8(), pa.int64(), pa.int64()),
        (pa.large_string(), pa.string(), pa.string()),
        (pa.dictionary(pa.int32(), pa.string()), pa.string(), pa.string()),
    ],
)
def test_types_that_go_together(tmp_path, first, second, common):
    paths = []
    for kind in (first, second, first):
        some = "a" if common == pa.string() else 3
        cells = pa.nulls(1) if kind == pa.null() else pa.array([some], common).cast(kind)
        paths.append(str(tmp_path / f"{len(paths)}.parquet"))
        parquet.write_table(pa.table({"x": cells}), paths[-1])
    assert {x.type for (x,) in ParquetFiles("all", paths).columns(["x"])} == {common}


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"a": [1]}, "{1}: all files must have the same columns, but {1} has no column 'b', which"),
        (
            {"a": [1], "b": ["x"], "c": [1]},
            "{1}: all files must have the same columns, but {0} has no column 'c', which {1} has",
        ),
        (
            {"a": ["one"], "b": ["x"]},
            "{1}: column 'a' has the type string, but int64 in files before it",
        ),
    ],
)
def test_files_that_do_not_go_together(tmp_path, columns, message):
    paths = [str(tmp_path / name) for name in ("first.parquet", "other.parquet")]
    parquet.write_table(pa.table({"a": [1], "b": ["x"]}), paths[0])
    parquet.write_table(pa.table(columns), paths[1])
    with pytest.raises(FileError) as error:
        ParquetFiles("all", paths)
    assert str(error.value).startswith(message.format(*paths))
