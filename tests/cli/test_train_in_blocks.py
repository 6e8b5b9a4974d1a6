"""`dnncore train` on files that are larger than the memory allowed for them."""

import re

import numpy as np
import pyarrow as pa
import pytest
from commands import QUICK, write_csv
from pyarrow import parquet

import dnncore
from dnncore import DNNClassifier
from dnncore.cli._division import PartsInBlocks, Shares
from dnncore.cli.tables import matrix_data

N = 3000
RANDOM = np.random.default_rng(0)
X = RANDOM.normal(size=(N, 4)).astype(np.float32)
LABELS = np.where(X[:, 0] * X[:, 1] > 0, "same", "other")
COLOURS = RANDOM.choice(["red", "green", "blue"], size=N)
HEADER = ["a", "b", "c", "d", "colour"]
TRAIN = ["--target", "y", *QUICK, "--hidden", 20, "--output", "model"]


@pytest.fixture
def small_blocks(set_block_sizes):
    set_block_sizes(csv_bytes=10_000, parquet_rows=700, feature_bytes=20_000)


def write(path, y=LABELS):
    columns = [*X.T.tolist(), COLOURS.tolist(), y.tolist()]
    if path.endswith(".parquet"):
        names = [*HEADER, "y"]
        parquet.write_table(pa.table(dict(zip(names, columns, strict=True))), path)
    else:
        write_csv(path, [*HEADER, "y"], zip(*columns, strict=True))


def held_out(out):
    return float(re.search(r"^Held-out accuracy ([\d.]+), .* \((\d+) rows\)$", out, re.M)[1])


def dataset(labels=LABELS):
    return matrix_data("data", X, labels, names="abcd", dtype=np.dtype(np.float32))


@pytest.mark.parametrize("path", ["data.csv", "data.parquet"])
def test_files_with_columns(dnncore_command, small_blocks, path):
    write(path)
    status, out, err = dnncore_command("train", path, *TRAIN, "--blocks", "--epochs", 20)
    assert status == 0
    assert f"{path}: 3000 rows, 7 features, 2 classes\n" in err
    counts = re.search(
        r"^(\d+) training rows, (\d+) validation rows, (\d+) held-out rows$", err, re.M
    )
    assert sum(map(int, counts.groups())) == N
    assert held_out(out) > 0.9
    model = dnncore.load("model")
    assert model.feature_names_in_.tolist() == [
        "a", "b", "c", "d", "colour=blue", "colour=green", "colour=red"
    ]  # fmt: skip
    # What is found is written while the next rows are read.
    status, predicted, _ = dnncore_command("predict", "model", path)
    assert (status, predicted.count("\n")) == (0, N + 1)
    assert dnncore_command("evaluate", "model", path)[0] == 0


def test_npy_files_and_regression(dnncore_command, small_blocks):
    np.save("X.npy", X)
    np.save("y.npy", X[:, 0] + X[:, 1])
    status, out, _ = dnncore_command(
        "train", "X.npy", "--target", "y.npy", "--regression", *QUICK, "--blocks", "--early-stop"
    )
    assert status == 0
    assert float(re.search(r"^Held-out R2 ([\d.]+), RMSE", out, re.M)[1]) > 0.9


def test_the_size_decides(dnncore_command, small_blocks, monkeypatch):
    write("data.csv")
    used = []
    fit_blocks = DNNClassifier.fit_blocks

    def spy(self, blocks, **options):
        used.append(len(options["X_val"]))
        return fit_blocks(self, blocks, **options)

    monkeypatch.setattr(DNNClassifier, "fit_blocks", spy)
    dnncore_command("train", "data.csv", *TRAIN, "--memory", 1)
    assert used == []
    status, _, err = dnncore_command("train", "data.csv", *TRAIN, "--memory", 0.1)
    assert status == 0
    # Validation rows are kept in memory: no more of them than a part of it holds.
    assert used == [int(re.search(r"(\d+) validation rows", err)[1])]
    assert used[0] < 0.1 * 0.8 * N


def test_resume(dnncore_command, small_blocks):
    write("data.parquet")
    dnncore_command("train", "data.parquet", *TRAIN, "--blocks", "--epochs", 5)
    whole = dnncore.load("model").network_.parameters.copy()
    dnncore_command("train", "data.parquet", *TRAIN, "--blocks", "--epochs", 2)
    status, _, err = dnncore_command(
        "train", "data.parquet", "--blocks", "--resume", "model", "--epochs", 3, "--no-plot",
        "--output", "model",
    )  # fmt: skip
    assert (status, "warning" in err) == (0, False)
    np.testing.assert_array_equal(dnncore.load("model").network_.parameters, whole)


def test_mistakes(fails, small_blocks):
    np.savez("data.npz", X=X, y=LABELS)
    message = fails("train", "data.npz", "--blocks")
    assert message.startswith("data.npz cannot be read in blocks, because it is an NPZ file;")
    write("data.csv", np.full(N, "u"))
    message = "the target must have at least 2 classes, got only 'u'"
    assert fails("train", "data.csv", *TRAIN, "--blocks", "--quiet") == message


def test_a_class_without_rows_to_train_on(dnncore_command, small_blocks):
    labels = LABELS.astype(object)
    divided = PartsInBlocks(dataset(), Shares(0.2, 0.1, 0), labels=True)
    part = np.concatenate([part for _, part in divided._parts()])
    labels[np.flatnonzero(part == 1)[0]] = "aaa, to validate by"
    labels[np.flatnonzero(part == 2)[0]] = "zzz, held out"
    write("data.csv", labels)
    status, out, _ = dnncore_command("train", "data.csv", *TRAIN, "--blocks")
    assert status == 0
    assert dnncore.load("model").classes_.tolist() == [
        "aaa, to validate by", "other", "same", "zzz, held out"
    ]  # fmt: skip
    assert re.search(r"^ +zzz, held out +0.0000 +0.0000 +0.0000 +1 *$", out, re.M)
