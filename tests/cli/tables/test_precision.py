"""Numbers of more digits than float32 keeps."""

import re

import numpy as np
import pyarrow as pa
import pytest
from commands import NETWORK, write_csv
from pyarrow import parquet

import dnncore
from dnncore.cli.tables._precision import Digits

START = 1_700_000_000


def lost(*numbers):
    digits = Digits(1)
    for number in numbers:
        digits.add(np.array([[number]]))
    return digits.lost().tolist() == [True]


@pytest.mark.parametrize(
    "numbers",
    [(START, START + 1), (2**24 + 1,), (1e6 + 0.1, 1e6 + 0.2), (-START, -START - 7, np.nan),
     (0, 2**24 + 1)],
)  # fmt: skip
def test_float32_loses_digits(numbers):
    assert lost(*numbers)


@pytest.mark.parametrize(
    "numbers",
    [(), (0.1, 0.2), (2**24, 0), (0.1, 1e6), (1e30, 2e30), (np.nan,), (np.inf, 1.5), (1e99, 0.1),
     (0.1, 0.1), (1000.25, 1000.5), (1e-45, 0)],
)  # fmt: skip
def test_float32_loses_none_that_matter(numbers):
    assert not lost(*numbers)


def write(path, times, labels):
    if path.endswith(".csv"):
        write_csv(path, ["time", "y"], zip(times, labels, strict=True))
    elif path.endswith(".parquet"):
        parquet.write_table(pa.table({"time": times, "y": labels}), path)
    elif path.endswith(".npy"):
        np.save(path, times[:, None])
        np.save("y.npy", labels)
    else:
        np.savez(path, X=times[:, None], y=labels)


@pytest.mark.parametrize(
    ("path", "target", "what"),
    [("data.csv", ["--target", "y"], "column 'time'"),
     ("data.parquet", ["--target", "y"], "column 'time'"),
     ("data.npz", [], "column 'X[:, 0]'"), ("data.npy", ["--target", "y.npy"], "column 'X[:, 0]'")],
)  # fmt: skip
def test_epoch_seconds_keep_their_digits(dnncore_command, path, target, what):
    seconds = np.arange(400) % 100
    write(path, START + seconds, (seconds > 50).astype(int))
    train = ["train", path, *target, *NETWORK, "--no-plot", "--epochs", 200]
    status, out, err = dnncore_command(*train)
    assert status == 0
    assert err.count("note:") == 1
    assert f"dnncore: note: {path}: {what} has numbers of more digits than float32 keeps: fl" in err
    assert dnncore.load("model.safetensors").network_.dtype == np.float64
    assert float(re.search(r"Held-out accuracy ([\d.]+)", out)[1]) > 0.97
    _, _, err = dnncore_command(*train[:-1], 1, "--dtype", "float32")
    assert "note:" not in err
    assert dnncore.load("model.safetensors").network_.dtype == np.float32
