"""Training of an ensemble that is killed, and completed by --resume."""

import os
import re
import signal

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from commands import IRIS, NETWORK, python_m_dnncore, write_iris
from kills import run
from modelfiles import Killed
from pyarrow import parquet

import dnncore
from dnncore.cli._progress import Progress

SMALL = ["--members", 4, "--epochs", 6, "--threads", 1, "--no-plot"]
CHECKPOINT = ["--checkpoint", 0]
RESUME = ["--resume", "model.safetensors"]
RANDOM = np.random.default_rng(0)
FRAME = pd.DataFrame(
    {
        "size": np.where(RANDOM.random(90) < 0.1, np.nan, RANDOM.normal(5.0, 2.0, 90)),
        "colour": pd.Series(RANDOM.choice(["red", "green", None], 90), dtype=object),
        "code": RANDOM.integers(1, 4, 90),
        "row": np.arange(90),
        "y": RANDOM.choice(["no", "yes"], 90),
    }
)


@pytest.fixture(autouse=True)
def files():
    FRAME.to_csv("data.csv", index=False)
    parquet.write_table(pa.Table.from_pandas(FRAME, preserve_index=False), "data.parquet")
    np.save("X.npy", IRIS.data)
    np.save("y.npy", IRIS.target)


@pytest.fixture
def kill_in(dnncore_command, monkeypatch, capsys):
    """Run a command that ends in the training of a member without any cleaning up."""
    show = Progress.after_member_epoch

    def run_until(at, *arguments):
        def kill(self, member, info):
            show(self, member, info)
            if member >= at:
                raise Killed

        with monkeypatch.context() as patch, pytest.raises(Killed):
            patch.setattr(Progress, "after_member_epoch", kill)
            dnncore_command(*arguments)
        capsys.readouterr()

    return run_until


def content(path="model.safetensors"):
    with open(path, "rb") as file:
        return file.read()


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_ten_kills():
    """The command `python tests/helpers/kills.py` kills more often, and all configurations."""
    assert run(10, ["ensemble"], seed=1)[::2] == (10, 0)


# The data, options that are kept in the file, and options that are to be repeated.
CASES = {
    "labels": (["data.csv"], ["--target", "y"], []),
    "numbers": (["data.parquet"], ["--target", "size", "--regression"], []),
    "other options": (
        ["data.csv"],
        ["--target", "y", "--seed", 5, "--dropout", 0.3, "--class-weight", "balanced"],
        ["--test-size", 0.3, "--ignore", "row", "--categorical", "code"],
    ),
    "all rows": (["data.csv"], ["--target", "y"], ["--test-size", 0]),
    "arrays": (["X.npy", "--target", "y.npy"], ["--model", "tabular"], []),
    "digits": ([], ["--model", "tabular"], ["--test-size", 0.9]),
}


@pytest.mark.filterwarnings("ignore:invalid value")
@pytest.mark.parametrize("name", CASES)
def test_a_killed_training_is_completed(dnncore_command, kill_in, name):
    data, kept, repeated = CASES[name]
    if name == "numbers":
        parquet.write_table(pa.Table.from_pandas(FRAME.dropna(subset="size")), "data.parquet")
    train = ["train", *data, *kept, *repeated, *SMALL]
    assert dnncore_command(*train)[0] == 0
    whole = content()
    os.remove("model.safetensors")
    kill_in(2, *train, *CHECKPOINT)
    status, out, _ = dnncore_command("info", "model.safetensors")
    assert status == 0
    assert re.search(r"^unfinished +2 of 4 networks$", out, re.M)
    assert len(dnncore.load("model.safetensors").ensemble_.networks) == 2
    resume = ["train", *data, *repeated, *RESUME, *CHECKPOINT, "--no-plot"]
    kill_in(3, *resume)
    status, _, err = dnncore_command(*resume)
    assert status == 0
    assert "network 3: " not in err
    assert "epoch 1/6  network 4: " in err  # of the one that is missing
    assert "\nTrained 4 networks for " in err
    assert content() == whole
    assert "unfinished" not in dnncore_command("info", "model.safetensors")[1]


def test_an_unfinished_model_predicts(dnncore_command, kill_in):
    kill_in(1, "train", "data.csv", "--target", "y", *SMALL, *CHECKPOINT)
    assert dnncore_command("predict", "model.safetensors", "data.csv")[0] == 0
    assert dnncore_command("evaluate", "model.safetensors", "data.csv")[0] == 0


def test_the_option_does_not_decide_on_the_model(dnncore_command):
    data = ["data.csv", "--target", "y", "--no-plot", *CHECKPOINT, "--epochs", 2]
    assert dnncore_command("train", *data)[0] == 0
    assert type(dnncore.load("model.safetensors")).__name__ == "TabularClassifier"
    assert dnncore_command("train", *data, *NETWORK, "--missing", "mean")[0] == 0
    assert type(dnncore.load("model.safetensors")).__name__ == "DNNClassifier"


ROWS = "model.safetensors was trained on other rows, in another order, or split or encoded in "


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--test-size", 0.3], ROWS),
        (["--seed", 1], ROWS),
        (["--ignore", "row"], ROWS),
        (["--categorical", "code"], ROWS),
        (["--members", 5], "--members must be 4 as in the fit that is to be completed, got 5"),
        (["--epochs", 7], "--epochs must be 6 as in the fit that is to be completed, got 7"),
        (["--dropout", 0.5], "dropout must be 0.1 as in the fit that is to be completed, got 0.5"),
        (["--class-weight", "balanced"], "--class-weight must be omitted as in the fit that is to"),
        (["--max-grad-norm", 1], "--max-grad-norm must be omitted as in the fit that is to"),
        (["--batch-size", 8], "--batch-size must be 256 as in the fit that is to be completed, "),
        (["--regression"], "--regression cannot be changed with --resume"),
        (["--early-stopping"], "--early-stopping needs --model network"),
    ],
)  # fmt: skip
def test_what_is_refused(dnncore_command, kill_in, options, message):
    train = ["train", "data.csv", "--target", "y"]
    kill_in(2, *train, *SMALL, *CHECKPOINT)
    before = content()
    status, out, err = dnncore_command(*train, *RESUME, *options, "--quiet", "--no-plot")
    assert (status, out) == (2, "")
    assert err.startswith(f"dnncore: error: {message}")
    assert content() == before


def test_what_cannot_be_completed(dnncore_command, kill_in, fails):
    needs = "--resume needs an ensemble that is not finished, which --checkpoint writes, or a "
    train = ["train", "data.csv", "--target", "y"]
    kill_in(2, *train, *SMALL, *CHECKPOINT)
    write_iris()
    assert ROWS in dnncore_command("train", *RESUME, "--no-plot")[2]  # on the digits
    message = fails(*train, *RESUME, *NETWORK, "--quiet")
    assert message.startswith("--resume needs a DNNClassifier or DNNRegressor, which 'dnncore ")
    assert message == fails(*train, *RESUME, *NETWORK, "--ignore", "row", "--quiet")
    np.savez("data.npz", X=IRIS.data, y=IRIS.target)
    assert ROWS in dnncore_command("train", "data.npz", *RESUME, "--no-plot")[2]
    dnncore_command(*train, *SMALL)
    message = fails(*train, *RESUME, "--quiet")
    assert message.startswith(needs)
    assert message.endswith("got the TabularClassifier in model.safetensors")
    iris = ["train", "iris.csv", "--target", "species", "--quiet"]
    dnncore_command(*iris, *NETWORK, "--epochs", 1, "--no-plot")
    message = fails(*iris, "--model", "tabular", *RESUME)
    assert message.startswith(needs)
    assert message.endswith("got the DNNClassifier in model.safetensors")


def test_a_table_that_does_not_fit_into_memory_is_not_given_to_a_network(kill_in, fails):
    kill_in(2, "train", "data.csv", "--target", "y", *SMALL, *CHECKPOINT)
    message = fails("train", "data.csv", *RESUME, "--memory", 0.001)
    assert "an ensemble needs all rows in memory; increase --memory" in message


def test_a_file_that_cannot_be_written_is_a_warning(dnncore_command, monkeypatch):
    os.mkdir("folder")
    show = Progress.after_member_epoch

    def vanish(self, member, info):
        show(self, member, info)
        if member == 0 and info.epoch == 1:
            os.rmdir("folder")
        if member == 3 and info.epoch == 1:
            os.mkdir("folder")

    monkeypatch.setattr(Progress, "after_member_epoch", vanish)
    path = os.path.join("folder", "model")
    data = ["data.csv", "--target", "y", *SMALL, *CHECKPOINT, "--output", path]
    status, _, err = dnncore_command("train", *data)
    assert status == 0
    warning = (
        "dnncore: warning: the checkpoint was not written: [Errno 2] No such file or directory"
    )
    assert err.count(warning) == 1
    assert len(dnncore.load(path).ensemble_.networks) == 4


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_and_sigterm_end_training(number):
    """The model of that moment is saved, and is finished."""
    random = np.random.default_rng(0)
    np.savez("data.npz", X=random.normal(size=(2000, 20)), y=random.integers(2, size=2000))
    options = ["--members", "8", "--epochs", "40", "--threads", "1", "--no-plot"]
    command = ["train", "data.npz", "--model", "tabular", *options, "--checkpoint", "0"]
    with python_m_dnncore(*command) as process:
        while not os.path.exists("model.safetensors"):
            assert process.poll() is None
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "Held-out accuracy" in out
    assert "Traceback" not in err
    model = dnncore.load("model.safetensors")
    assert 1 <= len(model.ensemble_.networks) <= 8
    assert model._unfinished is None
