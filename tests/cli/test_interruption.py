"""Ctrl-C, readers that leave, full disks."""

import os
import re
import signal
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from commands import python_m_dnncore

import dnncore
from dnncore import DNNClassifier, Network
from dnncore.cli._progress import Progress
from dnncore.cli._signals import sigterm_as_ctrl_c


def test_ctrl_c_in_training_saves_the_model(dnncore_command, monkeypatch):
    show = Progress.__call__

    def interrupt(self, info):
        show(self, info)
        if info.epoch == 4:
            raise KeyboardInterrupt

    monkeypatch.setattr(Progress, "__call__", interrupt)
    status, out, err = dnncore_command("train")
    assert status == 130
    assert "dnncore: warning: Training interrupted by user.\n" in err
    assert "\nTrained for 4 of 100 epochs, when it was interrupted: loss " in err
    assert re.search(r"^Held-out accuracy", out, re.M)
    assert os.path.exists("learning_curve.png")
    assert dnncore.load("model.safetensors").n_iter_ == 4


def test_ctrl_c_before_training(dnncore_command, monkeypatch):
    def interrupt(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(DNNClassifier, "fit", interrupt)
    assert dnncore_command("train", "--quiet") == (130, "", "dnncore: interrupted\n")
    assert os.listdir() == []


@pytest.mark.parametrize("explicit", [True, False])
def test_ctrl_c_that_becomes_another_error(dnncore_command, monkeypatch, explicit):
    """As in the initialisation of a module made with pybind11."""

    def initialise(*args, **kwargs):
        try:
            raise KeyboardInterrupt
        except KeyboardInterrupt as error:
            if explicit:
                raise ImportError("initialization failed") from error
            raise SystemError("raised unreported exception")  # noqa: B904 - as C code does

    monkeypatch.setattr(DNNClassifier, "fit", initialise)
    assert dnncore_command("train", "--quiet") == (130, "", "dnncore: interrupted\n")


def test_a_warning_that_speaks_of_interruption(dnncore_command, monkeypatch):
    show = Progress.__call__

    def warn(self, info):
        show(self, info)
        warnings.warn("the line was interrupted, and the banks diverged", UserWarning, stacklevel=1)

    monkeypatch.setattr(Progress, "__call__", warn)
    status, _, err = dnncore_command("train", "--epochs", 3)
    assert status == 0
    assert "\nTrained for 3 epochs: " in err


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
@pytest.mark.parametrize("module", ["dnncore.network", "dnncore.cli.train"])
def test_ctrl_c_while_modules_are_imported(module):
    code = f"""if True:
        import importlib.metadata, os, signal, sys
        class Interrupt:
            def find_spec(self, name, *_):
                if name == {module!r}:
                    os.kill(os.getpid(), signal.SIGINT)
        sys.meta_path.insert(0, Interrupt())
        (script,) = importlib.metadata.entry_points(group="console_scripts", name="dnncore")
        sys.exit(script.load()())
        """
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "")


def ended(code):
    """Return how the command `info` ends, as a module that begins with some code."""
    code += (
        "; import dnncore.__main__ as command; sys.argv[1:] = ['info']; sys.exit(command.main())"
    )
    Path("module.py").write_text(code)
    done = subprocess.run([sys.executable, "-m", "module"], capture_output=True, text=True)
    return done.returncode, done.stdout, done.stderr


def test_ctrl_c_in_the_execution_of_a_string():
    code = """import dnncore, sys; dnncore.show_config = lambda: exec("raise KeyboardInterrupt")"""
    assert ended(code) == (130, "", "dnncore: interrupted\n")


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_ctrl_c_after_the_command():
    code = "import atexit, os, signal, sys; atexit.register(os.kill, os.getpid(), signal.SIGINT)"
    status, out, err = ended(code)
    assert (status, err) == (0, "")
    assert out


@pytest.mark.parametrize("before", [signal.SIG_DFL, signal.SIG_IGN])
def test_the_handler_of_sigterm_is_as_before(before):
    former = signal.signal(signal.SIGTERM, before)
    try:
        with sigterm_as_ctrl_c():
            is_ctrl_c = signal.getsignal(signal.SIGTERM) is signal.default_int_handler
            assert is_ctrl_c == (before is signal.SIG_DFL)
        assert signal.getsignal(signal.SIGTERM) is before
    finally:
        signal.signal(signal.SIGTERM, former)


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_and_sigterm_in_training(number):
    # Labels by chance are learnt by heart so slowly that training does not end by itself.
    random = np.random.default_rng(0)
    np.savez("data.npz", X=random.normal(size=(4000, 50)), y=random.integers(2, size=4000))
    with python_m_dnncore("train", "data.npz", "--hidden", "200", "--epochs", "10000") as process:
        for line in process.stderr:
            if line.startswith("epoch 1/"):
                break
        process.send_signal(number)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "Held-out accuracy" in out
    assert "Traceback" not in err
    assert 0 < dnncore.load("model.safetensors").n_iter_ < 10000


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_ctrl_c_while_an_ensemble_is_trained():
    random = np.random.default_rng(0)
    np.savez("data.npz", X=random.normal(size=(4000, 50)), y=random.integers(2, size=4000))
    options = ["--model", "tabular", "--members", "2", "--epochs", "10000"]
    with python_m_dnncore("train", "data.npz", *options) as process:
        for line in process.stderr:
            if line.startswith("epoch 1/"):
                break
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "dnncore: warning: Training interrupted by user.\n" in err
    assert re.search(r"^Trained 2 networks for \d+ of 20000 epochs, when it was inter", err, re.M)
    assert "Held-out accuracy" in out
    assert "Traceback" not in err
    histories = dnncore.load("model.safetensors").histories_
    assert all(0 < history.n_iter < 10000 for history in histories)


@pytest.mark.skipif(os.name == "nt", reason="pipes of POSIX")
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_reader_that_leaves(unbuffered):
    Network((1, 2), seed=0).save("model")
    np.savez("data.npz", X=np.zeros((20_000, 1)))
    environment = os.environ | {"PYTHONUNBUFFERED": unbuffered}
    with python_m_dnncore("predict", "model", "data.npz", "--proba", env=environment) as process:
        assert process.stdout.readline() == "prediction,0,1\n"
        process.stdout.close()
        assert process.stderr.read() == ""
    assert process.returncode == 141


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_full_disk():
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "dnncore", "info"],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
        )
    assert done.returncode == 2
    assert re.fullmatch(r"dnncore: error: .*No space left on device\n", done.stderr)
