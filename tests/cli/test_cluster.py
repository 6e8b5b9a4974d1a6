"""`dnncore train --cluster`."""

import os
import re
import signal
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pytest
from commands import QUICK
from pyarrow import parquet

import dnncore
from dnncore.cli._progress import Progress

distributed = pytest.importorskip("distributed")

RANDOM = np.random.default_rng(0)
N = 1500
X = RANDOM.normal(size=(N, 3))
COLOURS = RANDOM.choice(["red", "green", "blue"], N)
LABELS = np.where(X[:, 0] * X[:, 1] + (COLOURS == "red") > 0, "yes", "no")
TRAIN = ["--target", "y", "--no-plot"]


def table(**columns):
    arrays = {"a": X[:, 0], "b": X[:, 1], "c": X[:, 2], "colour": COLOURS.tolist()}
    return pa.table(arrays | {"y": LABELS.tolist()} | columns)


def write(rows):
    os.makedirs("data", exist_ok=True)
    for i in range(3):
        parquet.write_table(rows.slice(500 * i, 500), f"data/{i}.parquet", row_group_size=200)


@pytest.fixture(autouse=True)
def data():
    write(table())


def cluster_of(n_workers):
    return distributed.LocalCluster(
        n_workers=n_workers, threads_per_worker=1, processes=False, dashboard_address=":0",
        scheduler_kwargs={"dashboard": False},
    )  # fmt: skip


@pytest.fixture(scope="module")
def address():
    """Of a cluster of threads of this process."""
    with cluster_of(2) as cluster:
        yield cluster.scheduler_address


@pytest.fixture
def train(dnncore_command, address):
    def run(*arguments):
        return dnncore_command("train", "data", *TRAIN, "--cluster", address, *arguments)

    return run


def model_file():
    with open("model.safetensors", "rb") as file:
        return file.read()


def held_out(out):
    return float(re.search(r"^Held-out \w+ ([\d.]+)", out, re.M)[1])


def test_a_classifier(train, dnncore_command):
    status, out, err = train("--epochs", 30, "--report", "report.html")
    assert status == 0
    assert err.startswith("data: 1500 rows, 6 features, 2 classes\n")
    sizes = re.search(r"^(\d+) training rows, (\d+) validation rows, (\d+) held-out", err, re.M)
    assert sum(map(int, sizes.groups())) == N
    assert int(sizes[3]) == pytest.approx(N / 5, rel=0.2)
    assert held_out(out) > 0.9
    model = dnncore.load("model.safetensors")
    assert type(model) is dnncore.DNNClassifier
    assert model.feature_names_in_.tolist() == [
        "a", "b", "c", "colour=blue", "colour=green", "colour=red"
    ]  # fmt: skip
    assert len(model.validation_scores_) == 30
    assert (model.callback, model.checkpoint, model.warm_start) == (None, None, False)
    for command in ("predict", "evaluate", "info"):
        files = ["model.safetensors", *(["data/0.parquet"] if command != "info" else [])]
        assert dnncore_command(command, *files)[0] == 0


def test_the_model_does_not_depend_on_the_cluster(train, dnncore_command):
    assert train(*QUICK)[0] == 0
    whole = model_file()
    with cluster_of(3) as cluster:
        options = ["--cluster", cluster.scheduler_address, *QUICK]
        assert dnncore_command("train", "data/*.parquet", *TRAIN, *options)[0] == 0
    assert model_file() == whole


def test_the_encoding_is_that_without_a_cluster(train, dnncore_command):
    """Categories, integers that float32 rounds, Booleans, missing values and nothing else."""
    some = pa.array([None if i % 7 == 0 else i % 2 == 0 for i in range(N)])
    write(table(c=np.arange(N) % 5, big=10**9 + np.arange(N), some=some, empty=pa.nulls(N)))
    options = ["--missing", "indicator", "--categorical", "c", "--epochs", 1, "--quiet"]
    assert train(*options)[0] == 0
    on_cluster = dnncore.load("model.safetensors")
    assert dnncore_command("train", "data", *TRAIN, *options, "--blocks")[0] == 0
    local = dnncore.load("model.safetensors")
    assert on_cluster.feature_names_in_.tolist() == local.feature_names_in_.tolist()
    assert on_cluster.network_.dtype == local.network_.dtype == np.float64
    assert on_cluster.classes_.tolist() == local.classes_.tolist()


def test_a_regressor(train):
    write(table(y=X[:, 0] + X[:, 1]))
    status, out, err = train("--regression", "--epochs", 40, "--early-stopping")
    assert status == 0
    assert "1500 rows, 6 features\n" in err
    assert "restored epoch" in err
    assert held_out(out) > 0.9
    assert type(dnncore.load("model.safetensors")) is dnncore.DNNRegressor


def test_a_rare_class_is_trained_on(train):
    labels = np.where(np.arange(N) == 777, "rare", LABELS)
    write(table(y=labels.tolist()))
    row = np.random.default_rng([3, 4]).random(200)[77]  # of the fifth row group
    assert 0.5 < row < 0.9  # for testing, but for its class
    assert train("--seed", 3, "--epochs", 1, "--test-size", 0.5)[0] == 0
    assert dnncore.load("model.safetensors").classes_.tolist() == ["no", "rare", "yes"]


def test_all_rows(train):
    status, out, err = train(*QUICK, "--test-size", 0, "--validation-fraction", 0)
    assert status == 0
    assert "1500 training rows, 0 validation rows, 0 held-out rows" in err
    assert out == "Model written to model.safetensors\n"


def test_a_killed_training_is_completed(train, monkeypatch, capsys):
    class Killed(BaseException):
        pass

    show = Progress.__call__

    def kill(self, info):
        show(self, info)
        if info.epoch == 4:
            raise Killed

    assert train("--epochs", 7, "--early-stopping")[0] == 0
    whole = model_file()
    os.remove("model.safetensors")
    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(Progress, "__call__", kill)
        train("--epochs", 7, "--early-stopping", "--checkpoint", 0)
    capsys.readouterr()
    assert dnncore.load("model.safetensors").n_iter_ == 3
    assert train("--resume", "model.safetensors", "--early-stopping")[0] == 0
    assert model_file() == whole


def test_other_rows_are_not_held_out(train, dnncore_command, fails):
    """Those of a training without a cluster are others."""
    assert train(*QUICK)[0] == 0
    resume = ["data", "--target", "y", *QUICK, "--resume", "model.safetensors"]
    assert "repeat DATA, --test-size, " in fails("train", *resume)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--blocks"], "--blocks cannot be used with --cluster"),
        (["--memory", 5], "--memory cannot be used with --cluster"),
        (["--delimiter", "tab"], "--delimiter cannot be used with --cluster"),
        (["--members", 3], "--members needs --model tabular, got --cluster"),
        (["--model", "tabular"], "--cluster needs --model network"),
    ],
)
def test_options_that_do_not_go_with_it(fails, options, message):
    assert fails("train", "data", *TRAIN[:3], "--cluster", "local", *options) == message


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ([], "--cluster needs DATA, which is missing"),
        (["data.csv"], "--cluster needs Parquet files (.parquet), got data.csv"),
    ],
)
def test_data_that_workers_cannot_read(fails, data, message):
    assert fails("train", *data, "--cluster", "local") == message


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"a": [None, *X[1:, 0]]}, "data: column 'a' has missing values, the first in row 1 of "),
        (
            {"a": [*X[:-1, 0], np.inf]},
            "2.parquet: column 'a' must contain finite float32 numbers, got inf in row 500",
        ),
        ({"colour": [f"c{i}" for i in range(N)]}, "different values, such as 'c"),
        ({"y": ["one"] * N}, "the target must have at least 2 classes, got only 'one'"),
        ({"y": X[:, 0]}, "column 'y' must contain classes (integers or strings), got the number"),
        ({"c": pa.array([[1]] * N)}, "must be numeric or text, got the type list<"),
    ],
)
def test_rows_that_cannot_be_used(fails, address, columns, message):
    write(table(**columns))
    assert message in fails("train", "data", *TRAIN, "--cluster", address)


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("nonsense:abc", "--cluster: no scheduler answers at 'nonsense:abc': invalid literal"),
        ("tcp://127.0.0.1:9", "--cluster: no scheduler answers at 'tcp://127.0.0.1:9': Timed out"),
    ],
)
def test_no_scheduler(fails, monkeypatch, address, message):
    monkeypatch.setattr("dnncore.cli._cluster.SECONDS", 0.3)
    assert fails("train", "data", *TRAIN, "--cluster", address).startswith(message)


def test_no_workers(fails, monkeypatch):
    monkeypatch.setattr("dnncore.cli._cluster.SECONDS", 0.5)
    with cluster_of(0) as cluster:
        address = cluster.scheduler_address
        assert fails("train", "data", *TRAIN, "--cluster", address) == (
            f"--cluster: the scheduler at {address!r} has no workers"
        )


def test_dask_is_not_installed(fails, monkeypatch):
    import importlib.util

    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name == "dask" else find(name)
    )
    assert fails("train", "data", *TRAIN, "--cluster", "local") == (
        "Dask is not installed: pip install 'dnncore[dask]'"
    )


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_ctrl_c_on_a_terminal(tmp_path):
    """It goes to the processes of the workers, too, which still score the held-out rows."""
    with subprocess.Popen(
        [sys.executable, "-m", "dnncore", "train", "data", *map(str, TRAIN),
         "--cluster", "local", "--epochs", "100000", "--learning-rate", "1e-7"],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    ) as process:  # fmt: skip
        for line in process.stderr:
            if line.startswith("epoch 1/"):
                break
        os.killpg(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Held-out accuracy" in out
    assert "Traceback" not in err
    assert dnncore.load("model.safetensors").n_iter_ > 0
