"""Standard input and pipes in place of files."""

import gzip
import io
import os
import subprocess
import sys
import threading

import numpy as np
import pyarrow as pa
import pytest
from commands import IRIS, QUICK, SPECIES, write_iris
from pyarrow import parquet

import dnncore


def contents(kind):
    file = io.BytesIO()
    if kind == "npz":
        np.savez(file, X=IRIS.data, y=SPECIES)
    elif kind == "npy":
        np.save(file, IRIS.data)
    elif kind == "parquet":
        parquet.write_table(pa.table({"a": IRIS.data[:, 0], "species": SPECIES}), file)
    else:
        write_iris()
        with open("iris.csv", "rb") as csv:
            file.write(gzip.compress(csv.read()) if kind == "gzip" else csv.read())
        os.remove("iris.csv")
    return file.getvalue()


class StandardInput:
    def __init__(self, content):
        self.buffer = io.BytesIO(content)


@pytest.mark.parametrize("kind", ["csv", "gzip", "parquet", "npz", "npy"])
def test_standard_input(dnncore_command, monkeypatch, kind):
    content = contents(kind)
    target = {"npz": [], "npy": ["--target", "y.npy"]}.get(kind, ["--target", "species"])
    np.save("y.npy", SPECIES)

    def run(*arguments):
        monkeypatch.setattr(sys, "stdin", StandardInput(content))
        return dnncore_command(*arguments)

    status, _, err = run("train", "-", *target, *QUICK)
    assert status == 0
    assert err.startswith("standard input.")
    assert "150 rows" in err
    assert "dnncore-" not in err
    status, out, _ = run("predict", "model.safetensors", "-")
    assert (status, out.count("\n")) == (0, 151)
    assert run("evaluate", "model.safetensors", "-", *target[: 2 * (kind == "npy")])[0] == 0


@pytest.mark.skipif(os.name == "nt", reason="pipes of POSIX")
def test_pipes(dnncore_command):
    os.mkfifo("pipe")
    content = contents("csv")

    def write():
        with open("pipe", "wb") as pipe:
            pipe.write(content)

    writer = threading.Thread(target=write)
    writer.start()
    assert dnncore_command("train", "pipe", "--target", "species", *QUICK)[0] == 0
    writer.join()
    assert len(dnncore.load("model.safetensors").classes_) == 3


def test_the_process_reads_its_standard_input():
    done = subprocess.run(
        [sys.executable, "-m", "dnncore", "train", "-", "--target", "species", *QUICK, "--quiet"],
        input=contents("csv"), capture_output=True, env=os.environ,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, b"")


def test_messages_name_it(fails, monkeypatch):
    monkeypatch.setattr(sys, "stdin", StandardInput(b""))
    message = fails("train", "-", "--target", "y")
    assert message == "standard input: not a usable CSV file: Empty CSV file"


def test_there_is_none(fails, monkeypatch):
    monkeypatch.setattr(sys, "stdin", None)
    assert fails("train", "-", "--target", "y") == "DATA is -, but there is no standard input"
