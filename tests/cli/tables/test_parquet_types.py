"""Parquet columns of every type: an error of one line, or a conversion."""

import datetime

import numpy as np
import pyarrow as pa
import pytest
from commands import NETWORK, QUICK
from pyarrow import parquet

N = 40
DAYS = [datetime.datetime(2020, 1, 1) + datetime.timedelta(days=i) for i in range(N)]
NESTED = {
    "list": pa.array([[1, 2]] * N),
    "texts": pa.array([["x"]] * N),
    "map": pa.array([[("k", 1)]] * N, pa.map_(pa.string(), pa.int64())),
    "struct": pa.array([{"q": 1}] * N),
    "no text": pa.array([b"\xff"] * N),
}
OTHERS = {
    "date": pa.array([day.date() for day in DAYS]),
    "timestamp": pa.array(DAYS),
    "time": pa.array([day.time() for day in DAYS]),
    "duration": pa.array([day - DAYS[0] for day in DAYS]),
    "binary": pa.array([b"ab"] * N),
    "dictionary": pa.array([day.date() for day in DAYS]).dictionary_encode(),
    "decimal": pa.array(list(range(N))).cast(pa.decimal128(30, 2)),
    "null": pa.nulls(N),
    "half": pa.array(np.arange(N, dtype=np.float16)),
    "unsigned": pa.array([2**63 + i for i in range(N)], pa.uint64()),
}
TRAIN = ["train", "data.parquet", "--quiet", *QUICK]


def write(x):
    columns = {"a": [float(i) for i in range(N)], "x": x, "y": ["u", "v"] * (N // 2)}
    parquet.write_table(pa.table(columns), "data.parquet")


def result(dnncore_command, *arguments):
    """Run a command; it must succeed, or fail with one line that names the column."""
    status, _, err = dnncore_command(*arguments)
    if status:
        assert status == 2
        assert err.count("\n") == 1
        assert "column 'x'" in err or "class '0' has 1 row" in err
    return status


@pytest.mark.parametrize("kind", [*NESTED, *OTHERS])
@pytest.mark.parametrize("model", [NETWORK, ["--members", 2]])
def test_every_type(dnncore_command, kind, model):
    column = (NESTED | OTHERS)[kind]
    for options in ([], ["--categorical", "x"]):
        write(column)
        status = result(dnncore_command, *TRAIN, "--target", "y", *model, *options)
        if kind in NESTED:
            assert status == 2
        if status == 0:  # other types where the model expects this one
            for other in (NESTED | OTHERS).values():
                write(other)
                for command in ("predict", "evaluate"):
                    status, _, err = dnncore_command(command, "model.safetensors", "data.parquet")
                    assert status == 0 or (status == 2 and err.count("\n") == 1), err
    write(column)
    for options in ([], ["--regression"]):
        result(dnncore_command, *TRAIN, "--target", "x", "--ignore", "y", *model, *options)


def test_text_that_is_no_text(dnncore_command):
    write(pa.array([b"red", b"\xff"] * (N // 2)).view(pa.string()))
    status, _, err = dnncore_command(*TRAIN, "--target", "y")
    assert status == 2
    start = "dnncore: error: data.parquet: row 1, counted from 1, or one after it cannot be read: "
    assert err.startswith(start)
    assert "Invalid UTF8" in err
