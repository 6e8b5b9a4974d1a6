"""Training that is killed, and files that cannot be written."""

import os
import re
import signal
import stat
import subprocess
import sys

import pytest
from commands import FEATURES, python_m_dnncore, write_iris
from kills import run

import dnncore
from dnncore.cli._progress import Progress

TRAIN = ["train", "iris.csv", "--target", "species", "--model", "network", "--no-plot"]
LIMIT = 2000  # bytes, too few for a model file


@pytest.fixture(autouse=True)
def iris_csv():
    write_iris()


class Killed(BaseException):
    """The end of a process."""


@pytest.fixture
def kill_after(dnncore_command, monkeypatch, capsys):
    """Run a command that ends in an epoch without any cleaning up."""
    show = Progress.__call__

    def run_until(epoch, *arguments):
        def kill(self, info):
            show(self, info)
            if info.epoch == epoch:
                raise Killed

        with monkeypatch.context() as patch, pytest.raises(Killed):
            patch.setattr(Progress, "__call__", kill)
            dnncore_command(*arguments)
        capsys.readouterr()

    return run_until


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_ten_kills():
    """The command `python tests/helpers/kills.py` kills more often, and all configurations."""
    assert run(10, ["early stopping"], seed=1)[::2] == (10, 0)


@pytest.mark.parametrize("options", [[], ["--early-stopping"], ["--no-solver-state"], ["--blocks"]])
def test_a_killed_training_is_completed(dnncore_command, kill_after, options):
    assert dnncore_command(*TRAIN, "--epochs", 9, *options)[0] == 0
    with open("model.safetensors", "rb") as file:
        whole = file.read()
    os.remove("model.safetensors")
    kill_after(4, *TRAIN, "--epochs", 9, *options, "--checkpoint", 0)
    status, out, _ = dnncore_command("info", "model.safetensors")
    assert status == 0
    assert re.search(r"^unfinished +3 of 9 epochs$", out, re.M)
    assert dnncore.load("model.safetensors").feature_names_in_.tolist() == FEATURES
    resume = [*options, "--resume", "model.safetensors", "--checkpoint", 0]
    kill_after(6, *TRAIN, *resume)
    status, _, err = dnncore_command(*TRAIN, *resume)
    assert status == 0
    assert "epoch 6/9 " in err
    assert "epoch 5/9 " not in err
    assert "\nTrained for 9 epochs: " in err
    with open("model.safetensors", "rb") as file:
        assert file.read() == whole
    assert "unfinished" not in dnncore_command("info", "model.safetensors")[1]
    assert set(os.listdir()) == {"iris.csv", "model.safetensors"}


def test_the_number_of_epochs(dnncore_command, kill_after):
    """It is the total of the training that is completed, and counts on after one that was."""
    kill_after(4, *TRAIN, "--epochs", 9, "--checkpoint", 0)
    for epochs, total in ((12, 12), (5, 17)):
        options = ["--resume", "model.safetensors", "--epochs", epochs]
        assert dnncore_command(*TRAIN, *options)[0] == 0
        assert dnncore.load("model.safetensors").n_iter_ == total


@pytest.mark.skipif(os.name == "nt", reason="limits of POSIX")
@pytest.mark.parametrize("options", [[], ["--checkpoint", "0"]])
def test_a_file_that_becomes_too_large(options):
    """As on a full disk."""
    with open("model.safetensors", "wb") as file:
        file.write(b"old")
    os.chmod("model.safetensors", 0o640)

    def limit():
        import resource

        resource.setrlimit(resource.RLIMIT_FSIZE, (LIMIT, LIMIT))

    with python_m_dnncore(
        *TRAIN, "--quiet", "--epochs", "3", *options, preexec_fn=limit
    ) as process:
        out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (2, "")
    lines = err.splitlines()
    path = os.path.abspath("model.safetensors")
    if options:
        assert lines.pop(0) == (
            "dnncore: warning: the checkpoint was not written: [Errno 27] File too large: "
            f"{path!r}"
        )  # fmt: skip
    assert lines == [f"dnncore: error: {path}: File too large"]
    with open("model.safetensors", "rb") as file:
        assert file.read() == b"old"
    assert stat.S_IMODE(os.stat("model.safetensors").st_mode) == 0o640
    assert set(os.listdir()) == {"iris.csv", "model.safetensors"}


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_signals_while_a_file_is_written(number):
    code = """if True:
        import sys
        from dnncore import Network
        networks = [Network((100, 300, 10), seed=seed) for seed in range(2)]
        while True:
            for network in networks:
                network.save(sys.argv[1])
                print("saved", flush=True)
        """
    for _ in range(3):
        with subprocess.Popen(
            [sys.executable, "-c", code, "model.safetensors"],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
        ) as process:  # fmt: skip
            for _ in range(5):
                process.stdout.readline()
            process.send_signal(number)
            process.communicate(timeout=60)
        assert process.returncode != 0
        dnncore.load("model.safetensors")
        assert set(os.listdir()) == {"iris.csv", "model.safetensors"}


def test_nothing_of_the_name_is_there_before_training(dnncore_command, monkeypatch):
    """Otherwise a kill would leave an empty file, from which nothing goes on."""
    opened = []
    real_open = os.open

    def watch(path, *arguments, **options):
        opened.append(os.path.basename(path))
        return real_open(path, *arguments, **options)

    monkeypatch.setattr(os, "open", watch)
    assert dnncore_command(*TRAIN, "--epochs", 1)[0] == 0
    assert opened
    assert "model.safetensors" not in opened
