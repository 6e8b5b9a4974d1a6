"""Files of rows: faults, changes, sizes of blocks."""

import pickle

import pytest
from files import touch

from dnncore._data.files import FileError, Stamp, UnusableFile, rows_of_a_block


def test_a_stamp_notices_changes(tmp_path):
    path = tmp_path / "data"
    path.write_bytes(b"abc")
    stamp = Stamp.of(path)
    stamp.check()
    touch(path)
    with pytest.raises(FileError, match=rf"^{path} has changed since it was first read$"):
        stamp.check()
    path.unlink()
    with pytest.raises(FileNotFoundError):
        stamp.check()


def test_faults_can_be_sent_to_other_processes():
    error = UnusableFile("a.npy", "NPY", ValueError("it is empty"))
    again = pickle.loads(pickle.dumps(error))
    assert str(again) == str(error) == "a.npy is not a usable NPY file: it is empty"
    assert (again.path, again.kind, again.problem) == ("a.npy", "NPY", "it is empty")


@pytest.mark.parametrize(("row_bytes", "rows"), [(8, 125), (999, 1), (2000, 1)])
def test_rows_of_a_block(row_bytes, rows):
    assert rows_of_a_block(row_bytes, 1000) == rows
