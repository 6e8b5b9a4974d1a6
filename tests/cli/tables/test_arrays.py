"""NPZ and NPY files."""

import gzip

import numpy as np
import pyarrow as pa
import pytest
from commands import IRIS, QUICK
from pyarrow import parquet

import dnncore


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"x": [[1.0]], "y": [0]}, "it must contain an array 'X', got 'x', 'y'"),
        ({"X": [[1.0]]}, "it must contain an array 'y', got 'X'"),
        ({"X": [1.0, 2.0], "y": [0, 1]}, "X must have rows and columns, got shape (2,)"),
        ({"X": np.zeros((0, 3)), "y": []}, "X must have rows and columns, got shape (0, 3)"),
        ({"X": [["a"], ["b"]], "y": [0, 1]}, "X must be numeric, got dtype <U1"),
        ({"X": [[1.0], [2.0]], "y": [0, 1, 2]}, "y must have one target for each of the 2 rows"),
        ({"X": [[1.0], [2.0]], "y": [[0], [1]]}, "y must have one label per row, got shape (2, 1)"),
        ({"X": [[np.nan], [2.0]], "y": [0, 1]}, "X has missing values, the first in X[0, 0]"),
        ({"X": [[1.0], [-np.inf]], "y": [0, 1]}, "X[1, 0] must be a finite float32, got -inf"),
        (
            {"X": [[1.0], [1e99]], "y": [0, 1]},
            "X[1, 0] must be a finite float32, got 1e+99; --dtype float64 has room for it",
        ),
        ({"X": [[1.0], [2.0]], "y": [0.0, np.nan]}, "y has missing values"),
        ({"X": [[1.0], [2.0]], "y": [0.0, 1.5]}, "(integers or strings), got the number 1.5"),
        ({"X": [[1.0], [2.0]], "y": [0j, 1j]}, "(integers or strings), got dtype complex128"),
        ({"X": [[1.0], [2.0]], "y": [1, 1]}, "at least 2 classes, got only '1'"),
    ],
)
def test_npz_files_that_do_not_do(fails, arrays, message):
    np.savez("data.npz", **{name: np.array(x) for name, x in arrays.items()})
    assert message in fails("train", "data.npz")


def test_npz_files_that_are_damaged_or_hold_objects(fails, tmp_path):
    np.savez("data.npz", X=np.array([[None]], object), y=np.array([0]))
    assert "Object arrays cannot be loaded" in fails("train", "data.npz")
    np.savez("data.npz", X=IRIS.data, y=IRIS.target)
    data = (tmp_path / "data.npz").read_bytes()
    for damaged in (b"", b"PK\3\4", data[:-30], data[:50] + bytes(200) + data[250:]):
        (tmp_path / "data.npz").write_bytes(damaged)
        assert "not a usable NPZ file" in fails("train", "data.npz")
    with open("data.npz", "wb") as file:
        np.save(file, IRIS.data)
    assert "it contains a single array" in fails("train", "data.npz")


def test_compressed_files_count_as_they_are_in_memory(fails, dnncore_command, monkeypatch):
    X = np.zeros((100_000, 5))
    np.savez_compressed("data.npz", X=X, y=np.arange(100_000) % 2)
    with monkeypatch.context() as patch:
        patch.setattr(np, "load", lambda *_, **__: pytest.fail("it is read"))
        message = fails("train", "data.npz", "--memory", 1)
    assert message.startswith("data.npz cannot be read in blocks, because it is an NPZ file; ")
    with gzip.open("data.csv.gz", "wb") as file:
        file.write(b"a,y\n" + b"1,u\n2,v\n" * 200_000)
    train = ["train", "data.csv.gz", "--target", "y", "--memory", 1, "--model", "tabular"]
    assert fails(*train).startswith("data.csv.gz has 1.6 MB, more than --memory 1, and an ens")
    parquet.write_table(pa.table({"a": X[:, 0], "y": X[:, 0]}), "data.parquet")
    train = ["train", "data.parquet", "--target", "y", "--memory", 0.5, "--members", 2]
    assert fails(*train).startswith("data.parquet has 0.8 MB, more than --memory 0.5, and an en")


def test_npy_files_in_any_order(dnncore_command):
    for name, X in (("C.npy", IRIS.data), ("F.npy", np.asfortranarray(IRIS.data))):
        np.save(name, X)
        np.save("y.npy", IRIS.target)
        train = ["train", name, "--target", "y.npy", *QUICK, "--output", name + ".model"]
        assert dnncore_command(*train, "--blocks")[0] == 0
    predicted = [dnncore_command("predict", "C.npy.model", name)[1] for name in ("C.npy", "F.npy")]
    assert predicted[0] == predicted[1]
    parameters = [dnncore.load(f"{x}.npy.model").network_.parameters for x in "CF"]
    np.testing.assert_array_equal(*parameters)


def test_npy_files(dnncore_command, fails, tmp_path):
    np.save("X.npy", IRIS.data)
    np.save("y.npy", IRIS.target.astype(np.uint8))
    np.savez("iris.npz", X=IRIS.data, y=IRIS.target)
    assert dnncore_command("train", "X.npy", "--target", "y.npy", *QUICK)[0] == 0
    expected = dnncore_command("predict", "model.safetensors", "iris.npz")
    assert dnncore_command("predict", "model.safetensors", "X.npy") == expected
    for version in ((2, 0), (3, 0)):
        with open("X.npy", "wb") as file:
            np.lib.format.write_array(file, IRIS.data, version)
        assert dnncore_command("predict", "model.safetensors", "X.npy") == expected


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros(3), "X.npy: X must have rows and columns, got shape (3,)"),
        (np.zeros((0, 3)), "X.npy: X must have rows and columns, got shape (0, 3)"),
        (np.array([["a"]]), "X.npy: X must be numeric, got dtype <U1"),
        (np.array([[None]]), "X.npy: not a usable NPY file: it contains Python objects"),
        (
            np.zeros((3, 2)),
            "X.npy: y must have one target for each of the 3 rows of X, got shape",
        ),
        (np.array([[1.0], [np.inf]]), "X.npy: X[1, 0] must be a finite float32, got inf"),
    ],
)
def test_npy_files_that_do_not_do(fails, array, message):
    np.save("X.npy", array)
    np.save("y.npy", np.array([0, 1]))
    assert message in fails("train", "X.npy", "--target", "y.npy")


def test_npy_files_that_are_damaged(fails, tmp_path):
    np.save("y.npy", IRIS.target)
    np.save("X.npy", IRIS.data)
    data = (tmp_path / "X.npy").read_bytes()
    for damaged in (b"", b"\x93NUMPY", data[:100], data[:-1], data[:200], b"PK" + data[2:]):
        (tmp_path / "X.npy").write_bytes(damaged)
        message = fails("train", "X.npy", "--target", "y.npy")
        assert message.startswith("X.npy: not a usable NPY file: ")
    (tmp_path / "X.npy").write_bytes(data[: 128 + 32 * 100 + 5])
    assert fails("train", "X.npy", "--target", "y.npy").endswith(
        ": it ends in row 101, counted from 1"
    )
