"""NPY files, read piece by piece."""

import os

import numpy as np
import pytest
from files import touch
from numpy.lib import format as npy_format

from dnncore._data.files import FileError, UnusableFile
from dnncore._data.npy import NpyFile

X = np.random.default_rng(0).normal(size=(50, 3))


@pytest.fixture
def path(tmp_path):
    np.save(tmp_path / "X.npy", X)
    return str(tmp_path / "X.npy")


@pytest.mark.parametrize("n_rows", [1, 7, 50, 99])
@pytest.mark.parametrize(
    "array",
    [
        X,
        X[:, 0],
        X.astype(">f4"),
        X.astype("U5"),
        X > 0,
        X[:0],
        np.asfortranarray(X),
        np.arange(150).reshape(5, 6, 5, order="F"),
    ],
)
def test_pieces(tmp_path, array, n_rows):
    path = tmp_path / "X.npy"
    np.save(path, array)
    file = NpyFile(path)
    assert (file.path, file.shape, file.dtype) == (str(path), array.shape, array.dtype)
    assert file.size == file.expected_size == os.path.getsize(path)
    for _ in range(2):
        pieces = list(file.pieces(n_rows))
        assert [len(piece) for piece in pieces[:-1]] == [n_rows] * (len(pieces) - 1)
        assert all(piece.dtype.isnative for piece in pieces)
        np.testing.assert_array_equal(np.concatenate(pieces) if pieces else array, array)


@pytest.mark.parametrize("version", [(1, 0), (2, 0), (3, 0)])
def test_versions(path, version):
    with open(path, "wb") as file:
        npy_format.write_array(file, X, version)
    np.testing.assert_array_equal(next(NpyFile(path).pieces(50)), X)


def test_rows_that_do_not_lie_together(path):
    assert not NpyFile(path).by_columns
    np.save(path, np.asfortranarray(X))
    assert NpyFile(path).by_columns
    np.save(path, np.asfortranarray(X[:, 0]))
    assert not NpyFile(path).by_columns


def test_files_that_cannot_be_read(path):
    with pytest.raises(FileNotFoundError):
        NpyFile("nothing.npy")
    with pytest.raises(OSError):
        NpyFile(os.path.dirname(path))
    for content in (b"", b"x,y\n1,2\n", b"\x93NUMPY\x09\x00", b"\x93NUMPY\x01\x00v\x00{"):
        with open(path, "wb") as file:
            file.write(content)
        with pytest.raises(UnusableFile, match=rf"^{path} is not a usable NPY file: "):
            NpyFile(path)


@pytest.mark.parametrize(
    "header",
    [
        "'''", "(" * 400, "-" * 3000 + "1", "{", "{'descr': '<f8'", "# a comment" * 2000,
        "{'descr': '<f8', 'fortran_order': False, 'shape': (2, 3L,}",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (-5, 3)}",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (True, 3)}",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (99999999999999999999999, 3)}",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (0, 99999999999999999999999)}",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (1, 1152921504606846976)}",
        "{'descr': '|V0', 'fortran_order': False, 'shape': (4611686018427387904, 5)}",
        "{'descr': '|S0', 'fortran_order': False, 'shape': (2, 3)}",
        "{'descr': '<f8', 'fortran_order': False, 'shape': (" + "1, " * 99 + ")}",
        "{'descr': ('<f8', (99999, 99999)), 'fortran_order': False, 'shape': (1, 2)}",
    ],
)  # fmt: skip
def test_hostile_headers(path, header):
    text = header.encode() + b"\n"
    with open(path, "wb") as file:
        file.write(b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + bytes(64))
    with pytest.raises(UnusableFile, match=rf"^{path} is not a usable NPY file: ") as caught:
        NpyFile(path)
    assert len(str(caught.value)) < len(path) + 300


def test_a_file_that_changes_is_noticed(path):
    file = NpyFile(path)
    pieces = file.pieces(20)
    next(pieces)
    os.truncate(path, file.start + 800)
    with pytest.raises(FileError, match=rf"^{path} was truncated while it was read$"):
        list(pieces)
    np.save(path, X)
    touch(path)
    with pytest.raises(FileError, match=rf"^{path} has changed since it was first read$"):
        next(file.pieces(20))
