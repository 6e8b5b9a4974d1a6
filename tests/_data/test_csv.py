"""CSV files, read piece by piece."""

import gzip

import pyarrow as pa
import pytest
from files import touch

from dnncore._data.csv import CsvFile
from dnncore._data.files import FileError, UnusableFile


@pytest.fixture
def written(tmp_path):
    """What writes a file, and returns its path."""

    def write(content, name="data.csv"):
        (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
        return str(tmp_path / name)

    return write


def cells(file, names):
    columns = zip(*file.columns(names), strict=True)
    return [pa.chunked_array(column).to_pylist() for column in columns]


def test_columns_are_text(written):
    content = 'a, b ,c\n1, x ,true\nNA,,"p\nq"\n'
    file = CsvFile(written(content))
    assert (file.names, file.size) == (["a", "b", "c"], len(content))
    for _ in range(2):
        assert cells(file, ["b", "a"]) == [["x", None], ["1", None]]
    assert cells(file, ["c"]) == [["true", "p\nq"]]


def test_compressed(written):
    path = written(gzip.compress(b"a,b\n\n1,2\n"), "data.csv.gz")
    assert cells(CsvFile(path), ["b"]) == [["2"]]
    assert CsvFile(path).place(0) == "on line 3"
    assert CsvFile(path).size == 9
    path = written(gzip.compress(b"a,b\n\n1,2\n")[:-9], "data.csv.gz")
    with pytest.raises(UnusableFile, match="is not a usable CSV file: "):
        cells(CsvFile(path), ["b"])


def test_lines_of_rows(written):
    file = CsvFile(written('y,a\n\n"u\n\nv",1\nw,2\n\r\nz,3'))
    assert [file.place(row) for row in range(4)] == [
        "on line 3", "on line 6", "on line 8", "in row 4"
    ]  # fmt: skip
    for end in ("\n", "\r", "\r\n"):
        file = CsvFile(written(end.join(["a,b", '5",1', "x,2", "", "y,3", ""])))
        assert len(cells(file, ["a"])[0]) == 3
        assert [file.place(row) for row in range(3)] == ["on line 2", "on line 3", "on line 5"]


def test_files_that_cannot_be_read(written, tmp_path):
    with pytest.raises(FileNotFoundError):
        CsvFile("nothing.csv")
    with pytest.raises(OSError):
        CsvFile(tmp_path)
    path = written("")
    with pytest.raises(UnusableFile, match=rf"^{path} is not a usable CSV file: Empty CSV file"):
        CsvFile(path)
    with pytest.raises(UnusableFile, match=r"expected 2 columns, got 1 on line 3$"):
        CsvFile(written("a,b\n1,2\n3\n"))


def test_a_file_that_changes_is_noticed(written):
    path = written("a\n1\n")
    file = CsvFile(path)
    touch(path)
    with pytest.raises(FileError, match=rf"^{path} has changed since it was first read$"):
        cells(file, ["a"])
