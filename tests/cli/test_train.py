"""`dnncore train`."""

import io
import os
import re
import sys

import numpy as np
import pytest
from commands import FEATURES, IRIS, QUICK, read_csv, write_csv, write_iris

import dnncore
from dnncore import DNNClassifier, cli
from dnncore.cli import _progress
from dnncore.training import EpochInfo


def test_train_without_arguments_learns_the_digits(dnncore_command, tmp_path):
    status, out, err = dnncore_command("train")
    assert status == 0
    assert sorted(os.listdir(tmp_path)) == ["learning_curve.png", "model.safetensors"]

    accuracy = float(
        re.search(r"^Held-out accuracy ([\d.]+), log-loss [\d.]+ \(360 rows\)$", out, re.M)[1]
    )
    assert accuracy >= 0.97
    table = re.findall(r"^ +(\d) +([\d.]+) +([\d.]+) +([\d.]+) +(\d+) *$", out, re.M)
    assert [row[0] for row in table] == list("0123456789")
    assert sum(int(row[4]) for row in table) == 360
    recall = sum(float(row[2]) * int(row[4]) for row in table) / 360
    assert recall == pytest.approx(accuracy, abs=1e-4)

    assert err.startswith("Handwritten digits: 1797 rows, 64 features, 10 classes\n")
    assert "1293 training rows, 144 validation rows, 360 held-out rows\n" in err
    assert re.search(r"^epoch 10/100  loss 0\.\d{4}  validation accuracy 0\.\d{4}$", err, re.M)
    assert not re.search(r"[^\S\n ]|[\x00-\x09\x0b-\x1f\x7f]", out + err)

    with open("learning_curve.png", "rb") as file:
        assert file.read(24)[:16] == b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"
    model = dnncore.load("model.safetensors")
    assert model.network_.dtype == np.float32
    assert model.feature_names_in_[-1] == "pixel_7_7"


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_train_and_predict_csv_with_strings(dnncore_command, dtype):
    write_iris()
    status, out, _ = dnncore_command(
        "train", "iris.csv", "--target", "species", "--dtype", dtype, "--no-plot",
        "--hidden", 8, 6, "--epochs", 60, "--batch-size", 10, "--solver", "sgd",
        "--learning-rate", 0.1, "--alpha", 0.01, "--threads", 2, "--output", "iris.model",
    )  # fmt: skip
    assert status == 0
    assert float(re.search(r"Held-out accuracy ([\d.]+)", out)[1]) > 0.9
    for name in ("setosa", "versicolor", "virginica"):
        assert re.search(rf"^ +{name} ", out, re.M)
    model = dnncore.load("iris.model")
    assert model.network_.layer_sizes == (4, 8, 6, 3)
    assert model.network_.dtype == dtype
    assert (model.solver, model.alpha, model.batch_size) == ("sgd", 0.01, 10)
    assert (model.learning_rate_init, model.max_iter, model.n_threads) == (0.1, 60, 2)

    # The columns in another order, and one more.
    shuffled = [2, 0, 3, 1]
    rows = [[*x[shuffled], "any\nthing"] for x in IRIS.data]
    write_csv("new.csv", [*(FEATURES[i] for i in shuffled), "note"], rows)
    del model.feature_names_in_  # else it warns that an array has no names
    expected = model.predict(IRIS.data)

    status, out, err = dnncore_command("predict", "iris.model", "new.csv")
    assert (status, err) == (0, "")
    assert read_csv(out) == (["prediction"], [[label] for label in expected])

    status, out, err = dnncore_command(
        "predict", "iris.model", "new.csv", "--proba", "--output", "predictions.csv"
    )
    assert (status, out, err) == (0, "", "")
    with open("predictions.csv", encoding="utf-8", newline="") as file:
        text = file.read()
    assert "\r" not in text
    header, rows = read_csv(text)
    assert header == ["prediction", "setosa", "versicolor", "virginica"]
    assert [row[0] for row in rows] == expected.tolist()
    probabilities = np.array([row[1:] for row in rows], dtype)
    np.testing.assert_array_equal(probabilities, model.predict_proba(IRIS.data.astype(dtype)))


def test_train_and_predict_npz(dnncore_command):
    np.savez("iris.npz", X=IRIS.data, y=IRIS.target.astype(np.int8))
    status, _, _ = dnncore_command("train", "iris.npz", *QUICK, "--hidden")
    assert status == 0
    model = dnncore.load("model.safetensors")
    assert model.network_.layer_sizes == (4, 3)
    assert model.classes_.dtype == np.int8
    assert not hasattr(model, "feature_names_in_")
    expected = [[str(label)] for label in model.predict(IRIS.data.astype(np.float32))]
    assert read_csv(dnncore_command("predict", "model.safetensors", "iris.npz")[1])[1] == expected
    # A table without names goes by position, if it has the right width.
    write_csv("new.csv", "abcd", IRIS.data.tolist())
    assert read_csv(dnncore_command("predict", "model.safetensors", "new.csv")[1])[1] == expected


def test_held_out_rows_are_kept_out(dnncore_command, monkeypatch):
    seen = {}
    fit = DNNClassifier.fit

    def spy(self, X, y, *, X_val, y_val):
        seen.update(train=X[:, 0], validation=X_val[:, 0], y=y, y_val=y_val)
        return fit(self, X, y, X_val=X_val, y_val=y_val)

    monkeypatch.setattr(DNNClassifier, "fit", spy)
    numbers = np.arange(150)
    write_csv("data.csv", ["number", "y"], zip(numbers, IRIS.target, strict=True))
    _, out, _ = dnncore_command(
        "train", "data.csv", "--target", "y", *QUICK,
        "--test-size", 0.4, "--validation-fraction", 0.2, "--quiet",
    )  # fmt: skip
    train, validation = set(seen["train"]), set(seen["validation"])
    test = set(numbers) - train - validation
    assert (len(train), len(validation), len(test)) == (72, 18, 60)
    assert not train & validation
    assert np.bincount(seen["y"]).tolist() == [24, 24, 24]
    assert np.bincount(seen["y_val"]).tolist() == [6, 6, 6]
    test = np.array(sorted(test))
    model = dnncore.load("model.safetensors")
    right = model.network_.predict_proba(test[:, None].astype(np.float32)).argmax(axis=1)
    accuracy = np.mean(right == IRIS.target[test])
    assert out.startswith(f"Held-out accuracy {accuracy:.4f}, ")


def test_parts_can_be_left_out(dnncore_command):
    write_iris()
    status, out, err = dnncore_command(
        "train", "iris.csv", "--target", "species", *QUICK,
        "--test-size", 0, "--validation-fraction", 0,
    )  # fmt: skip
    assert (status, out) == (0, "Model written to model.safetensors\n")
    assert "150 training rows, 0 validation rows, 0 held-out rows" in err
    assert "validation accuracy" not in err
    assert dnncore.load("model.safetensors").validation_scores_ is None


def test_early_stopping_keeps_the_best_weights(dnncore_command):
    _, _, err = dnncore_command("train", "--early-stopping", "--no-plot", "--output", "a")
    model = dnncore.load("a")
    assert model.n_iter_ < 100
    best = int(np.argmax(model.validation_scores_)) + 1
    assert f"restored epoch {best}, validation accuracy {max(model.validation_scores_):.4f}" in err
    ended = (
        f"{model.n_iter_} of 100 epochs, as the validation accuracy did not improve in 10 epochs"
    )
    assert f"\nTrained for {ended}: loss " in err
    # So many epochs without stopping give the same weights.
    dnncore_command("train", "--no-plot", "--epochs", best, "--output", "b")
    np.testing.assert_array_equal(model.network_.parameters, dnncore.load("b").network_.parameters)


def test_seed(dnncore_command):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        assert dnncore_command("train", *QUICK, "--seed", seed, "--output", name)[0] == 0
    contents = {}
    for name in "abc":
        with open(name, "rb") as file:
            contents[name] = file.read()
    assert contents["a"] == contents["b"] != contents["c"]


def test_quiet(dnncore_command):
    status, out, err = dnncore_command("train", "--quiet", *QUICK)
    assert (status, err) == (0, "")
    assert re.fullmatch(
        r"Held-out accuracy 0\.\d{4}, log-loss \d\.\d{4} \(360 rows\)\n"
        r"Model written to model\.safetensors\n",
        out,
    )


def test_plot_options(dnncore_command, tmp_path):
    plot = tmp_path / "curve $x_1^.png"
    status, out, _ = dnncore_command("train", "--epochs", 1, "--plot", plot)
    assert status == 0
    assert f"Learning curve written to {plot}\n" in out
    assert plot.read_bytes().startswith(b"\x89PNG")
    assert not os.path.exists("learning_curve.png")


@pytest.mark.parametrize("scores", [None, [0.5], [1.0], [0.1, 1.0, 0.9]])
@pytest.mark.parametrize("loss", [1.0, 0.0, 1e-30])
def test_any_learning_curve_can_be_drawn(scores, loss):
    from dnncore.cli._plot import learning_curve

    losses = [2.0] * (len(scores or [0]) - 1) + [loss]
    image = learning_curve(losses, scores, title="日本 $x_1^", subtitle="%$", best_is_kept=True)
    assert image.startswith(b"\x89PNG")


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_bar_on_a_terminal(monkeypatch):
    terminal = Terminal()
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stderr", terminal)
    assert cli.main(["train", *QUICK]) == 0
    shown = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", terminal.getvalue())
    assert re.search(r"epoch 3/3 ━+ loss 0\.\d{4}  validation accuracy 0\.\d{4}", shown)
    assert "\x1b[?25h" in terminal.getvalue()  # the cursor is back


def test_the_bar_tells_the_time_that_is_left(monkeypatch):
    from rich.console import Console

    clock, terminal = [100.0], Terminal()
    console = Console(
        file=terminal, force_terminal=True, width=120, get_time=lambda: clock[0], no_color=True
    )
    monkeypatch.setattr(_progress, "console", lambda stream: console)
    monkeypatch.setattr(sys, "stderr", terminal)
    progress = _progress.Progress(100, "accuracy", quiet=False)
    with progress:
        for epoch in range(1, 21):
            clock[0] += 3.0
            progress(EpochInfo(epoch, 100, 0.5, None, 0.1))
    assert re.search(r"20/100 .*loss 0\.5000 +0:04:00", terminal.getvalue())  # 80 of 3 seconds


def test_without_matplotlib_there_is_no_plot(dnncore_command, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    status, out, _ = dnncore_command("train", "--epochs", 1)
    assert status == 0
    assert "Learning curve" not in out
    assert os.listdir() == ["model.safetensors"]
