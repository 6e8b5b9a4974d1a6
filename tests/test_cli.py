"""The command line, as its user meets it."""

import csv
import gzip
import io
import os
import re
import signal
import subprocess
import sys

import numpy as np
import pytest
from sklearn.datasets import load_iris

import dnncore
from dnncore import DNNClassifier, DNNRegressor, Network, cli

IRIS = load_iris()
SPECIES = IRIS.target_names[IRIS.target]
FEATURES = ["sepal length", "sepal width", "petal length", "petal width"]
QUICK = ["--epochs", "3", "--no-plot"]


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def dnncore_command(capsys):
    """Run a command in this process: exit status, standard output, standard error."""

    def run(*arguments):
        try:
            status = cli.main([str(argument) for argument in arguments])
        except SystemExit as end:
            status = end.code
        return status, *capsys.readouterr()

    return run


@pytest.fixture
def fails(dnncore_command):
    """Run a command that must fail with one line; return that line."""

    def run(*arguments):
        status, out, err = dnncore_command(*arguments)
        assert (status, out) == (2, "")
        assert err.startswith("dnncore: error: ")
        assert err.endswith("\n")
        assert err.count("\n") == 1
        assert err[:-1].isprintable()
        return err[len("dnncore: error: ") : -1]

    return run


def write_csv(path, header, rows):
    with open(path, "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *rows])


def write_iris(path="iris.csv", target=SPECIES):
    rows = [[*x, label] for x, label in zip(IRIS.data.tolist(), target, strict=True)]
    write_csv(path, [*FEATURES, "species"], rows)


def read_csv(text):
    header, *rows = csv.reader(io.StringIO(text))
    return header, rows


def python_m_dnncore(*arguments, **options):
    return subprocess.Popen(
        [sys.executable, "-m", "dnncore", *arguments],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options,
    )  # fmt: skip


# ------------------------------------------------------------------------------------- train


def test_train_without_arguments_learns_the_digits(dnncore_command, tmp_path):
    status, out, err = dnncore_command("train")
    assert status == 0
    assert sorted(os.listdir(tmp_path)) == ["learning_curve.png", "model.safetensors"]

    accuracy = float(re.search(r"^Held-out accuracy (\S+) \(360 rows\)$", out, re.M)[1])
    assert accuracy >= 0.97
    table = re.findall(r"^ +(\d) +([\d.]+) +([\d.]+) +([\d.]+) +(\d+) *$", out, re.M)
    assert [row[0] for row in table] == list("0123456789")
    assert sum(int(row[4]) for row in table) == 360
    recall = sum(float(row[2]) * int(row[4]) for row in table) / 360
    assert recall == pytest.approx(accuracy, abs=1e-4)

    assert err.startswith("Handwritten digits: 1797 rows, 64 features, 10 classes\n")
    assert "1293 rows to train on, 144 to validate, 360 held out\n" in err
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
    assert float(re.search(r"Held-out accuracy (\S+)", out)[1]) > 0.9
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


def test_predict_with_a_bare_network(dnncore_command):
    network = Network((4, 3), seed=0)
    network.save("network")
    np.savez("iris.npz", X=IRIS.data)
    header, rows = read_csv(dnncore_command("predict", "network", "iris.npz", "--proba")[1])
    assert header == ["prediction", "0", "1", "2"]
    probabilities = np.array([row[1:] for row in rows], float)
    np.testing.assert_array_equal(probabilities, network.predict_proba(IRIS.data))
    assert [int(row[0]) for row in rows] == probabilities.argmax(axis=1).tolist()


def as_numbers(rows, dtype):
    return np.array(rows).astype(dtype)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("n_outputs", [1, 2])
def test_predict_with_a_regressor(dnncore_command, fails, dtype, n_outputs):
    y = IRIS.data[:, :n_outputs] * [1.0, -1000.0][:n_outputs] + 7.0
    X = IRIS.data.astype(dtype)
    model = DNNRegressor(hidden_layer_sizes=(5,), random_state=0).partial_fit(X, y)
    expected = model.predict(X)
    model.feature_names_in_ = np.array(FEATURES, dtype=object)
    model.save("model")
    write_iris()
    status, out, err = dnncore_command("predict", "model", "iris.csv")
    assert (status, err) == (0, "")
    header, rows = read_csv(out)
    assert header == (["prediction"] if n_outputs == 1 else ["prediction_0", "prediction_1"])
    np.testing.assert_array_equal(as_numbers(rows, dtype), expected.reshape(150, -1))
    message = fails("predict", "model", "iris.csv", "--proba")
    assert message == "--proba: model predicts numbers, not classes"


def test_predict_with_several_labels_in_a_row(dnncore_command):
    y = IRIS.data[:, :3] > IRIS.data[:, :3].mean(axis=0)
    model = DNNClassifier((5,), random_state=0).partial_fit(IRIS.data, y.astype(int))
    model.save("model")
    np.savez("iris.npz", X=IRIS.data)
    status, out, err = dnncore_command("predict", "model", "iris.npz", "--proba")
    assert (status, err) == (0, "")
    header, rows = read_csv(out)
    assert header == ["prediction_0", "prediction_1", "prediction_2", "0", "1", "2"]
    rows = np.array(rows)
    assert set(rows[:, :3].ravel()) == {"0", "1"}
    np.testing.assert_array_equal(rows[:, :3].astype(int), model.predict(IRIS.data))
    np.testing.assert_array_equal(rows[:, 3:].astype(float), model.predict_proba(IRIS.data))


@pytest.mark.parametrize("output", ["logistic", "identity"])
@pytest.mark.parametrize("n_outputs", [1, 2])
def test_predict_with_a_bare_network_of_another_output(dnncore_command, output, n_outputs):
    network = Network((4, 6, n_outputs), seed=0, activation="tanh", output=output)
    network.save("network")
    np.savez("iris.npz", X=IRIS.data)
    header, rows = read_csv(dnncore_command("predict", "network", "iris.npz")[1])
    assert header == (["prediction"] if n_outputs == 1 else ["prediction_0", "prediction_1"])
    expected = network.predict_proba(IRIS.data)
    if output == "logistic":
        expected = (expected > 0.5).astype(int)
    np.testing.assert_array_equal(as_numbers(rows, expected.dtype), expected)


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
    assert out.startswith(f"Held-out accuracy {accuracy:.4f} (60 rows)\n")


def test_parts_can_be_left_out(dnncore_command):
    write_iris()
    status, out, err = dnncore_command(
        "train", "iris.csv", "--target", "species", *QUICK,
        "--test-size", 0, "--validation-fraction", 0,
    )  # fmt: skip
    assert (status, out) == (0, "Model written to model.safetensors\n")
    assert "150 rows to train on, 0 to validate, 0 held out" in err
    assert "validation accuracy" not in err
    assert dnncore.load("model.safetensors").validation_scores_ is None


def test_early_stopping_keeps_the_best_weights(dnncore_command):
    _, _, err = dnncore_command("train", "--early-stopping", "--no-plot", "--output", "a")
    model = dnncore.load("a")
    assert model.n_iter_ < 100
    best = int(np.argmax(model.validation_scores_)) + 1
    assert f"kept epoch {best}, validation accuracy {max(model.validation_scores_):.4f}" in err
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
        r"Held-out accuracy 0\.\d{4} \(360 rows\)\nModel written to model\.safetensors\n", out
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
    from dnncore._plot import learning_curve

    losses = [2.0] * (len(scores or [0]) - 1) + [loss]
    image = learning_curve(losses, scores, title="日本 $x_1^", subtitle="%$", best_is_kept=True)
    assert image.startswith(b"\x89PNG")


def test_bar_on_a_terminal(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    terminal = Terminal()
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stderr", terminal)
    assert cli.main(["train", *QUICK]) == 0
    shown = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", terminal.getvalue())
    assert re.search(r"epoch 3/3 ━+ loss 0\.\d{4}  validation accuracy 0\.\d{4}", shown)
    assert "\x1b[?25h" in terminal.getvalue()  # the cursor is back


# --------------------------------------------------------------------------------- CSV files


def labels_and_names(dnncore_command, text, *options, name="data.csv"):
    """Train on a CSV file; return the classes and the feature names of the model."""
    data = text.encode() if isinstance(text, str) else text
    with open(name, "wb") as file:
        file.write(data)
    status, _, err = dnncore_command(
        "train", name, "--target", "y", *QUICK, "--quiet",
        "--test-size", 0, "--validation-fraction", 0, *options,
    )  # fmt: skip
    assert (status, err) == (0, "")
    model = dnncore.load("model.safetensors")
    return model.classes_.tolist(), model.feature_names_in_.tolist(), model


@pytest.mark.parametrize(
    ("values", "classes"),
    [
        (["1", "0"], [0, 1]),
        (["1.0", "-2.0"], [-2, 1]),
        (["b", "a"], ["a", "b"]),
        (["b", "1"], ["1", "b"]),
        (["true", "false"], ["false", "true"]),
        (["2024-01-02", "2024-01-01"], ["2024-01-01", "2024-01-02"]),
        (["ü", "日本"], ["ü", "日本"]),
        (['"a,b"', '"x\ny"'], ["a,b", "x\ny"]),
    ],
)
def test_labels(dnncore_command, values, classes):
    text = f"x,y\n1,{values[0]}\n2,{values[1]}\n"
    assert labels_and_names(dnncore_command, text)[0] == classes


def test_forms_of_csv(dnncore_command):
    rows = "1,2,u\n3,5,v\n"
    plain = labels_and_names(dnncore_command, f"a,b,y\n{rows}")[2].network_
    assert plain.moments_.mean.tolist() == [2.0, 3.5]
    for text in (
        "\ufeffa,b,y\n" + rows,
        "a,b,y\r\n" + rows.replace("\n", "\r\n"),
        "a,b,y\n\n1, 2,u\n\n3, 5.0,v",
        '"a","b","y"\n"1","2","u"\n"3","5","v"\n',
    ):
        classes, names, model = labels_and_names(dnncore_command, text)
        assert (classes, names) == (["u", "v"], ["a", "b"])
        np.testing.assert_array_equal(model.network_.parameters, plain.parameters)
    compressed = gzip.compress(f"a,b,y\n{rows}".encode())
    names = labels_and_names(dnncore_command, compressed, name="data.csv.gz")[1]
    assert names == ["a", "b"]
    _, _, model = labels_and_names(dnncore_command, "a,y\ntrue,0\nfalse,1\n")
    assert model.network_.moments_.mean.tolist() == [0.5]


TABLES = {
    "text.csv": ("a,b,y\n1,2,0\n3,four,1\n", "column 'b' must be numeric, got 'four' on line 3"),
    "lines.csv": (
        'y,a\n\n"u\n\nv",1\nw, oops \n',
        "column 'a' must be numeric, got ' oops ' on line 6",
    ),
    "date.csv": ("a,y\n2024-01-01,1\n", "must be numeric, got '2024-01-01' on line 2"),
    "bytes.csv": (b"a,y\n\xff,1\n", "column 'a' must be numeric"),
    "one_missing.csv": (
        "a,b,y\n1,2,0\n3,,1\n",
        "column 'b' has 1 missing value, the first on line 3",
    ),
    "missing.csv": (
        "a,b,y\n1,NA,0\nnan,nan,1\n",
        "column 'a' has 1 missing value, the first on line 3; also missing values in 'b'",
    ),
    "all_missing.csv": ("a,y\n,1\n,2\n", "column 'a' has 2 missing values, the first on line 2"),
    "no_label.csv": ("a,y\n1,u\n2,\n3,\n", "'y' has 2 missing values, the first on line 3"),
    "infinite.csv": ("a,y\n1,0\ninf,1\n", "must hold finite float32 numbers, got inf on line 3"),
    "large.csv": ("a,y\n1,0\n1e99,1\n", "must hold finite float32 numbers, got 1e+99 on line 3"),
    "float.csv": ("a,y\n1,0.5\n2,1\n", "must hold classes (integers or strings), got the number"),
    "huge.csv": ("a,y\n1,1e300\n2,1\n", "must hold classes (integers or strings), got the number"),
    "one_class.csv": ("a,y\n1,u\n2,u\n", "all rows are of one class, 'u'; training needs two"),
    "rare.csv": ("a,y\n" + 9 * "1,u\n" + "2,v\n", "class 'v' has 1 row, too few to divide"),
    "few.csv": ("a,y\n" + 4 * "1,u\n1,v\n", "8 rows cannot be divided"),
    "no_target.csv": ("a,b\n1,2\n", "no column 'y'; the file has 'a', 'b'"),
    "no_features.csv": ("y\n1\n2\n", "no feature columns beside the target 'y'"),
    "twice.csv": ("a,a,y\n1,2,3\n", "2 columns are called 'a'"),
    "two_targets.csv": ("a,y,y\n1,2,3\n", "2 columns are called 'y'"),
    "ragged.csv": ("a,y\n1,2\n3\n", "Row #3: Expected 2 columns, got 1"),
    "header.csv": ("a,y\n", "no rows below the header"),
    "empty.csv": ("", "not a usable CSV file: Empty CSV file"),
    "line_break.csv": ('"a\nb",y\nx,1\n', r"column 'a\nb' must be numeric, got 'x' on line 3"),
    "escape.csv": ("a,y\n1,\x1b[31m\n1,\x1b[31m\n", r"one class, '\x1b[31m'"),
}


@pytest.mark.parametrize("name", TABLES)
def test_csv_files_that_do_not_do(fails, tmp_path, name):
    content, message = TABLES[name]
    (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    assert message in fails("train", name, "--target", "y")
    assert os.listdir(tmp_path) == [name]


def test_class_names_with_control_characters(dnncore_command):
    write_csv(
        "data.csv", "ay", [[i, "\x1b[31m[bold]:smile:\x07" if i % 2 else "\nb"] for i in range(40)]
    )
    status, out, err = dnncore_command("train", "data.csv", "--target", "y", *QUICK)
    assert status == 0
    assert r"\x1b[31m[bold]:smile:\x07" in out
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", out + err)


def test_class_names_that_the_output_cannot_encode(monkeypatch):
    write_csv("data.csv", "ay", [[i, "ü" if i % 2 else "日"] for i in range(40)])
    output = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", output)
    assert cli.main(["train", "data.csv", "--target", "y", *QUICK]) == 0
    text = output.buffer.getvalue()
    assert rb"\xfc" in text
    assert rb"\u65e5" in text


# --------------------------------------------------------------------------------- NPZ files


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"x": [[1.0]], "y": [0]}, "it has no array 'X', only 'x', 'y'"),
        ({"X": [[1.0]]}, "it has no array 'y', only 'X'"),
        ({"X": [1.0, 2.0], "y": [0, 1]}, "X must have rows and columns, got shape (2,)"),
        ({"X": np.zeros((0, 3)), "y": []}, "X must have rows and columns, got shape (0, 3)"),
        ({"X": [["a"], ["b"]], "y": [0, 1]}, "X must be numeric, got dtype <U1"),
        ({"X": [[1.0], [2.0]], "y": [0, 1, 2]}, "y must have shape (2,)"),
        ({"X": [[1.0], [2.0]], "y": [[0], [1]]}, "y must have shape (2,)"),
        ({"X": [[np.nan], [2.0]], "y": [0, 1]}, "X has 1 missing value"),
        ({"X": [[1.0], [-np.inf]], "y": [0, 1]}, "X[1, 0] is -inf, not a finite float32"),
        ({"X": [[1.0], [1e99]], "y": [0, 1]}, "X[1, 0] is 1e+99, not a finite float32"),
        ({"X": [[1.0], [2.0]], "y": [0.0, np.nan]}, "y has 1 missing value"),
        ({"X": [[1.0], [2.0]], "y": [0.0, 1.5]}, "(integers or strings), got the number 1.5"),
        ({"X": [[1.0], [2.0]], "y": [0j, 1j]}, "(integers or strings), got dtype complex128"),
        ({"X": [[1.0], [2.0]], "y": [1, 1]}, "all rows are of one class, '1'"),
    ],
)
def test_npz_files_that_do_not_do(fails, arrays, message):
    np.savez("data.npz", **{name: np.array(x) for name, x in arrays.items()})
    assert message in fails("train", "data.npz")


def test_npz_files_that_are_damaged_or_hold_objects(fails, tmp_path):
    np.savez("data.npz", X=np.array([[None]], object), y=np.array([0]))
    assert "Object arrays cannot be loaded" in fails("train", "data.npz")
    np.savez("data.npz", X=IRIS.data, y=IRIS.target)
    data = (tmp_path / "data.npz").read_bytes()
    for damaged in (b"", b"PK\3\4", data[:-30], data[:50] + bytes(200) + data[250:]):
        (tmp_path / "data.npz").write_bytes(damaged)
        assert "not a usable NPZ file" in fails("train", "data.npz")
    with open("data.npz", "wb") as file:
        np.save(file, IRIS.data)
    assert "it is a single array" in fails("train", "data.npz")


# ---------------------------------------------------------------------------------- mistakes


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "the following arguments are required: COMMAND (see 'dnncore --help')"),
        (["fit"], "invalid choice: 'fit'"),
        (["train", "--nonsense"], "unrecognized arguments: --nonsense"),
        (["train", "missing.csv", "--target", "y"], "missing.csv: No such file or directory"),
        (["train", "missing.npz"], "missing.npz: No such file or directory"),
        (["train", "iris.csv"], "--target is missing"),
        (["train", "--target", "y"], "--target names a column of DATA, which is missing"),
        (["train", "iris.npz", "--target", "y"], "--target is for CSV files"),
        (["train", "iris.csv", "--target", "kind"], "no column 'kind'; the file has 'sepal"),
        (["train", "--epochs", "0"], "argument --epochs: must be an integer >= 1, got '0'"),
        (["train", "--hidden", "9", "iris.csv"], "argument --hidden: must be an integer >= 1"),
        (["train", "--batch-size", "1.5"], "argument --batch-size: must be an integer >= 1"),
        (["train", "--seed", "-1"], "argument --seed: must be an integer from 0 to 4294967295"),
        (["train", "--threads", "1000"], "argument --threads: must be an integer from 1 to"),
        (["train", "--test-size", "1"], "argument --test-size: must be a number >= 0 and < 1"),
        (["train", "--test-size", "nan"], "argument --test-size: must be a number >= 0 and < 1"),
        (["train", "--learning-rate", "0"], "argument --learning-rate: must be a finite number"),
        (["train", "--alpha", "inf"], "argument --alpha: must be a finite number >= 0"),
        (["train", "--dtype", "float16"], "argument --dtype: invalid choice: 'float16'"),
        (["train", "--plot", "a.png", "--no-plot"], "not allowed with argument"),
        (["train", "--output", "no/where"], "--output: there is no directory 'no'"),
        (["train", "--plot", "no/where.png"], "--plot: there is no directory 'no'"),
        (["train", "--output", "."], "--output: '.' is not a regular file"),
        (["train", "--output", "a", "--plot", "./a"], "--plot: './a' is also an input or another"),
        (["train", "iris.npz", "--output", "iris.npz"], "--output: 'iris.npz' is also an input"),
        (["train", "--early-stopping", "--validation-fraction", "0"], "needs validation rows"),
        (["train", "--quiet", "--learning-rate", "1e30"], "training diverged in epoch 1"),
        (["train", "--test-size", "0.999"], "rows cannot be divided"),
        (["predict", "model"], "the following arguments are required: DATA"),
        (["predict", "missing", "iris.csv"], "missing: No such file or directory"),
        (["predict", "iris.csv", "iris.csv"], "iris.csv: not a readable safetensors file"),
        (["predict", "model", "missing.csv"], "missing.csv: No such file or directory"),
        (["predict", "model", "iris.npz", "--output", "model"], "'model' is also an input"),
        (["predict", "model", "columns.csv"], "no columns 'sepal width', 'petal length'; the file"),
        (["predict", "model", "narrow.npz"], "X must have 4 columns, like the model, got 2"),
        (["predict", "unnamed", "iris.csv"], "the model has no feature names, so the file must"),
        (["predict", "numbers", "iris.npz", "--proba"], "--proba: numbers predicts numbers, not"),
        (["info", "missing"], "missing: No such file or directory"),
        (["info", "iris.npz"], "iris.npz: not a readable safetensors file"),
        (["info", "."], ".: "),
    ],
)
def test_mistakes(fails, arguments, message):
    write_iris()
    np.savez("iris.npz", X=IRIS.data, y=IRIS.target)
    np.savez("narrow.npz", X=IRIS.data[:, :2])
    columns = ["sepal length", "petal width", "species"]
    write_csv("columns.csv", columns, [[1, 2, "setosa"]])
    model = DNNClassifier((3,)).partial_fit(IRIS.data, SPECIES, classes=IRIS.target_names)
    model.save("unnamed")
    model.feature_names_in_ = np.array(FEATURES, dtype=object)
    model.save("model")
    Network((4, 1), output="identity").save("numbers")
    before = set(os.listdir())
    assert message in fails(*arguments)
    assert set(os.listdir()) == before


@pytest.mark.parametrize(
    ("module", "arguments", "message"),
    [
        ("sklearn", ["train"], "scikit-learn is not installed: pip install 'dnncore[cli]'"),
        ("safetensors", ["train"], "safetensors is not installed: pip install 'dnncore[cli]'"),
        ("rich", ["train"], "rich is not installed: pip install 'dnncore[cli]'"),
        ("matplotlib", ["train", "--plot", "a.png"], "Matplotlib is not installed: pip install"),
        ("pyarrow", ["train", "iris.csv", "--target", "species"], "CSV files need pyarrow: pip"),
        ("safetensors", ["info", "iris.csv"], "model files need safetensors: pip install"),
    ],
)
def test_missing_packages(fails, monkeypatch, module, arguments, message):
    write_iris()
    monkeypatch.setitem(sys.modules, module, None)
    assert message in fails(*arguments)


def test_without_matplotlib_there_is_no_plot(dnncore_command, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    status, out, _ = dnncore_command("train", "--epochs", 1)
    assert status == 0
    assert "Learning curve" not in out
    assert os.listdir() == ["model.safetensors"]


def test_out_of_memory(fails, monkeypatch):
    def fit(*args, **kwargs):
        raise MemoryError("Unable to allocate 1 PiB")

    monkeypatch.setattr(DNNClassifier, "fit", fit)
    assert fails("train", "--quiet", *QUICK) == "out of memory: Unable to allocate 1 PiB"


# ------------------------------------------------------------------- interruption and pipes


def test_ctrl_c_in_training_saves_the_model(dnncore_command, monkeypatch):
    show = cli._Progress.__call__

    def interrupt(self, info):
        show(self, info)
        if info.epoch == 4:
            raise KeyboardInterrupt

    monkeypatch.setattr(cli._Progress, "__call__", interrupt)
    status, out, err = dnncore_command("train")
    assert status == 130
    assert "dnncore: warning: Training interrupted by user.\n" in err
    assert re.search(r"^Held-out accuracy", out, re.M)
    assert os.path.exists("learning_curve.png")
    assert dnncore.load("model.safetensors").n_iter_ == 4


def test_ctrl_c_before_training(dnncore_command, monkeypatch):
    def interrupt(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(DNNClassifier, "fit", interrupt)
    assert dnncore_command("train", "--quiet") == (130, "", "dnncore: interrupted\n")
    assert os.listdir() == []


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_ctrl_c_as_a_signal():
    # Labels by chance are learnt by heart so slowly that training does not end by itself.
    random = np.random.default_rng(0)
    np.savez("data.npz", X=random.normal(size=(4000, 50)), y=random.integers(2, size=4000))
    with python_m_dnncore("train", "data.npz", "--hidden", "200", "--epochs", "10000") as process:
        for line in process.stderr:
            if line.startswith("epoch 1/"):
                break
        process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    assert "Held-out accuracy" in out
    assert "Traceback" not in err
    assert 0 < dnncore.load("model.safetensors").n_iter_ < 10000


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


# ------------------------------------------------------------------------------ info and help


def test_info(dnncore_command):
    status, out, err = dnncore_command("info")
    assert (status, err) == (0, "")
    assert dnncore.__version__ in out
    assert out.strip() == show_config_text(dnncore_command).strip()


def show_config_text(dnncore_command):
    dnncore.show_config()
    return dnncore_command("--version")[1].rpartition("dnncore ")[0]


def test_info_about_a_model(dnncore_command):
    write_iris()
    dnncore_command("train", "iris.csv", "--target", "species", *QUICK, "--hidden", 7)
    status, out, err = dnncore_command("info", "model.safetensors")
    assert (status, err) == (0, "")
    for line in (
        r"file +model\.safetensors \(\d\.\d kB\)",
        r"kind +DNNClassifier",
        r"layer sizes +4-7-3 \(59 weights and biases\)",
        r"activation +relu",
        r"output +softmax",
        r"dtype +float32",
        r"norm +yes",
        r"classes +3: setosa, versicolor, virginica \(object\)",
        r"features +4: sepal length, sepal width, petal length, petal width",
        r"trained +3 epochs, 324 rows in all",
        r"loss +\d\.\d{4} in the last epoch",
        r"validation +best score \d\.\d{4}",
        r"parameters",
        r"  hidden_layer_sizes +\(7,\)",
        r"  solver +'adam'",
    ):
        assert re.search(rf"^{line}$", out, re.M), line
    assert "callback" not in out


def test_info_about_a_regressor(dnncore_command):
    model = DNNRegressor("huber", (7,), activation="relu", random_state=0)
    model.partial_fit(IRIS.data, IRIS.data[:, :2]).save("model")
    status, out, err = dnncore_command("info", "model")
    assert (status, err) == (0, "")
    for line in (
        r"kind +DNNRegressor",
        r"layer sizes +4-7-2 \(51 weights and biases\)",
        r"activation +relu",
        r"output +identity",
        r"features +4: no names",
        r"trained +1 epoch, 150 rows in all",
        r"loss +\d\.\d{4} in the last epoch",
        r"  loss +'huber'",
    ):
        assert re.search(rf"^{line}$", out, re.M), line
    assert not re.search("^(classes|validation)", out, re.M)


def test_info_about_several_labels(dnncore_command):
    DNNClassifier((7,)).partial_fit(IRIS.data, (IRIS.data > 3).astype(int)).save("model")
    _, out, _ = dnncore_command("info", "model")
    assert re.search(r"^output +logistic$", out, re.M)
    assert re.search(r"^classes +4: 0, 1, 2, 3 \(int64\)$", out, re.M)


def test_info_about_a_network(dnncore_command):
    Network((4, 3)).save("network")
    status, out, _ = dnncore_command("info", "network")
    assert status == 0
    assert re.sub(" {2,}", ": ", out).splitlines()[1:] == [
        "kind: Network",
        "layer sizes: 4-3 (15 weights and biases)",
        "activation: logistic",
        "output: softmax",
        "dtype: float64",
        "norm: no",
    ]


def test_help(dnncore_command):
    status, out, err = dnncore_command("--help")
    assert (status, err) == (0, "")
    assert all(command in out for command in ("train", "predict", "info", "--version"))
    options = {
        "train": "DATA --target --output --plot --no-plot --test-size --validation-fraction "
        "--seed --hidden --epochs --batch-size --learning-rate --solver --alpha --threads --dtype "
        "--early-stopping --no-early-stopping --quiet --help",
        "predict": "MODEL DATA --output --proba --help",
        "info": "MODEL --help",
    }
    for command, names in options.items():
        status, out, err = dnncore_command(command, "--help")
        assert (status, err) == (0, "")
        assert out.startswith(f"usage: dnncore {command} ")
        for name in names.split():
            assert re.search(rf"^ .*{name}\b", out, re.M), name
        # Nothing is listed that this test does not know.
        listed = set(re.findall(r"^ .*?(--[a-z][a-z-]*)", out, re.M))
        assert listed <= set(names.split())


def test_version_needs_no_optional_package():
    code = """
import sys
from dnncore.cli import main
try:
    main(["--version"])
except SystemExit:
    pass
print([x for x in ("sklearn", "rich", "pyarrow", "matplotlib", "safetensors") if x in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == f"dnncore {dnncore.__version__}\n[]\n"
