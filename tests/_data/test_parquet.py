"""Parquet files, read piece by piece."""

from contextlib import suppress

import numpy as np
import pyarrow as pa
import pytest
from files import touch
from pyarrow import parquet

from dnncore._data.files import FileError, UnusableFile
from dnncore._data.parquet import ROWS, ParquetFile

N = 1000
X = np.random.default_rng(0).normal(size=N)
COLOURS = np.where(X > 0, "red", "blue")


@pytest.fixture
def path(tmp_path):
    colours = pa.array(COLOURS.tolist(), pa.large_string()).dictionary_encode()
    table = pa.table({"x": X, "colour": colours, "i": np.arange(N)})
    parquet.write_table(table, tmp_path / "data.parquet", row_group_size=300)
    return str(tmp_path / "data.parquet")


def test_batches_and_columns(path):
    file = ParquetFile(path)
    assert (file.path, file.names, file.n_rows) == (path, ["x", "colour", "i"], N)
    assert file.size > X.nbytes
    for _ in range(2):
        batches = list(file.batches(["i", "x"], 128))
        assert max(batch.num_rows for batch in batches) == 128
        np.testing.assert_array_equal(np.concatenate([batch["x"] for batch in batches]), X)
        i, colour = map(pa.chunked_array, zip(*file.columns(["i", "colour"]), strict=True))
        assert colour.type == pa.string()
        assert colour.to_pylist() == COLOURS.tolist()
        np.testing.assert_array_equal(i, np.arange(N))


def test_so_many_rows_at_a_time(tmp_path):
    path = tmp_path / "data.parquet"
    parquet.write_table(pa.table({"x": np.zeros(ROWS + 1)}), path)
    assert [len(x) for (x,) in ParquetFile(path).columns(["x"])] == [ROWS, 1]


@pytest.mark.parametrize(("row", "group"), [(0, 0), (299, 0), (300, 1), (999, 3)])
def test_places(path, row, group):
    assert ParquetFile(path).place(row) == f"row {row} of {path} (row group {group})"


def test_files_that_cannot_be_read(path, tmp_path):
    with pytest.raises(FileNotFoundError):
        ParquetFile("nothing.parquet")
    with pytest.raises(OSError):
        ParquetFile(tmp_path)
    with open(path, "wb") as file:
        file.write(b"PAR1 this is none")
    with pytest.raises(UnusableFile, match=rf"^{path} is not a usable Parquet file: "):
        ParquetFile(path)


def test_damaged_metadata(tmp_path):
    """Arrow raises errors of several types."""
    path = tmp_path / "data.parquet"
    parquet.write_table(pa.table({"a": [1, 2]}), path)
    data = path.read_bytes()
    for place in range(len(data) - 400, len(data) - 4):
        path.write_bytes(data[:place] + b"\xb5" + data[place + 1 :])
        with suppress(FileError):
            list(ParquetFile(path).columns(["a"]))


def test_a_file_that_changes_is_noticed(path):
    file = ParquetFile(path)
    touch(path)
    with pytest.raises(FileError, match=rf"^{path} has changed since it was first read$"):
        next(file.columns(["x"]))


@pytest.mark.parametrize("encode", [False, True])
def test_text_that_is_no_text(tmp_path, encode):
    colour = pa.array([b"red", b"\xff", b"blue"]).view(pa.string())
    path = tmp_path / "data.parquet"
    parquet.write_table(pa.table({"a": colour.dictionary_encode() if encode else colour}), path)
    with pytest.raises(FileError, match=r"row 0 of .*Invalid UTF8"):
        list(ParquetFile(path).columns(["a"]))
