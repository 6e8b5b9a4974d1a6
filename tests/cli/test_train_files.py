"""`dnncore train` on several Parquet files."""

import os

import numpy as np
import pyarrow as pa
import pytest
from commands import QUICK
from pyarrow import parquet

import dnncore

RANDOM = np.random.default_rng(0)
N = 600
X = RANDOM.normal(size=N)
COLOURS = RANDOM.choice(["red", "green", "blue"], N)
TABLE = pa.table({"x": X, "colour": COLOURS.tolist(), "y": np.where(X > 0, "yes", "no").tolist()})
TRAIN = ["--target", "y", *QUICK, "--model", "network"]


@pytest.fixture(autouse=True)
def files():
    os.mkdir("data")
    for i in range(3):
        parquet.write_table(TABLE.slice(200 * i, 200), f"data/{i}.parquet", row_group_size=70)
    parquet.write_table(TABLE, "whole.parquet")


@pytest.mark.parametrize(
    ("given", "name"),
    [
        (["data"], "data"),
        (["data/*.parquet"], "data/*.parquet"),
        (["**/?.parquet"], "**/?.parquet"),
        (["data/0.parquet", "data/1.parquet", "data/2.parquet"], "data/0.parquet and 2 more"),
    ],
)
def test_they_are_one_table(dnncore_command, given, name):
    status, out, err = dnncore_command("train", *given, *TRAIN)
    assert status == 0
    assert err.startswith(f"{name}: 600 rows, 4 features, 2 classes\n")
    with open("model.safetensors", "rb") as file:
        model = file.read()
    assert dnncore_command("train", "whole.parquet", *TRAIN)[:2] == (0, out)
    with open("model.safetensors", "rb") as file:
        assert file.read() == model


def test_in_blocks(dnncore_command):
    """Where blocks begin matters to the order of the rows, not to their division."""
    status, _, err = dnncore_command("train", "data", *TRAIN, "--blocks")
    assert status == 0
    sizes = err.splitlines()[1]
    assert sizes in dnncore_command("train", "whole.parquet", *TRAIN, "--blocks")[2]
    resume = ["whole.parquet", "--target", "y", *QUICK, "--resume", "model.safetensors"]
    assert dnncore_command("train", *resume, "--blocks")[0] == 0


def test_an_ensemble_and_a_report(dnncore_command):
    status, _, err = dnncore_command(
        "train", "data", "--target", "y", *QUICK, "--members", 2, "--report", "report.html"
    )
    assert status == 0
    assert err.startswith("data: 600 rows, 2 columns, 2 classes\n")
    assert type(dnncore.load("model.safetensors")).__name__ == "TabularClassifier"
    with open("report.html") as file:
        assert "<dd>data</dd>" in file.read()


def test_places_name_the_file(fails):
    cells = TABLE.column("x").slice(0, 200).to_pylist()
    cells[150] = None
    rows = TABLE.slice(0, 200).set_column(0, "x", pa.array(cells))
    parquet.write_table(rows, "data/1.parquet", row_group_size=70)
    path = os.path.join("data", "1.parquet")
    assert fails("train", "data", *TRAIN) == (
        f"data: column 'x' has missing values, the first in row 151 of {path}"
    )


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (["no*"], "no files match 'no*'"),
        (["empty"], "empty: no Parquet files (.parquet) in this folder"),
        (["data", "a.csv"], "several files must be Parquet files (.parquet), got a.csv"),
        (["data", "other.parquet"], "other.parquet: all files must have the same columns, but"),
        (["data", "--output", "data/0.parquet"], "--output: 'data/0.parquet' is also an input"),
    ],
)
def test_mistakes(fails, given, message):
    os.mkdir("empty")
    parquet.write_table(TABLE.drop_columns(["colour"]), "other.parquet")
    assert fails("train", *given, *TRAIN).startswith(message)
