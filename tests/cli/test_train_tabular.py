"""`dnncore train` of an ensemble, and the other commands with it."""

import re

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from commands import FEATURES, IRIS, NETWORK, SPECIES, read_csv, write_csv, write_iris
from pyarrow import parquet

import dnncore
from dnncore.modelfile import read_table
from dnncore.predictor import Predictor
from dnncore.tabular import TableEncoder, TabularClassifier, TabularRegressor

QUICK = ["--epochs", "4", "--members", "2", "--no-plot"]
RANDOM = np.random.default_rng(0)
FRAME = pd.DataFrame(
    {
        "size": np.where(RANDOM.random(90) < 0.1, np.nan, RANDOM.normal(5.0, 2.0, 90)),
        "colour": pd.Series(RANDOM.choice(["red", "green", None], 90), dtype=object),
        "sold": [f"2024-05-{1 + i % 28:02d}" for i in range(90)],
        "new": RANDOM.choice([True, False], 90),
        "code": RANDOM.integers(1, 4, 90),
        "y": RANDOM.choice(["no", "yes"], 90),
    }
)


def write_frame():
    FRAME.to_csv("data.csv", index=False)
    typed = FRAME.assign(sold=pd.to_datetime(FRAME["sold"]).astype("datetime64[us]"))
    parquet.write_table(pa.Table.from_pandas(typed, preserve_index=False), "data.parquet")


def test_a_table_is_learnt_by_an_ensemble(dnncore_command, tmp_path):
    write_iris()
    status, out, err = dnncore_command("train", "iris.csv", "--target", "species")
    assert status == 0
    assert (tmp_path / "learning_curve.png").exists()
    assert "iris.csv: 150 rows, 4 columns, 3 classes\n120 training rows for 8 networks, 30 " in err
    assert re.search(r"^epoch 1/512  network \d: loss [\d.]+  validation loss [\d.]+$", err, re.M)
    assert re.search(
        r"^Trained 8 networks for \d+ of 512 epochs, each until .*: .*out-of-fold accuracy 0\.9",
        err,
        re.M,
    )
    assert float(re.search(r"Held-out accuracy ([\d.]+)", out)[1]) > 0.9
    model = dnncore.load("model.safetensors")
    assert isinstance(model, TabularClassifier)
    assert (model.random_state, model.callback) == (0, None)
    assert [column.name for column in read_table("model.safetensors")] == ["species"]


@pytest.mark.parametrize("name", ["data.csv", "data.parquet"])
def test_columns_of_any_kind(dnncore_command, name):
    write_frame()
    data = [name, "--target", "y", *QUICK, "--categorical", "code"]
    status, _, err = dnncore_command("train", *data, "--quiet")
    assert (status, err) == (0, "")
    model = dnncore.load("model.safetensors")
    kinds = {column.name: column.kind for column in model.encoder_.encoding_.columns}
    assert kinds == {
        "size": "number", "colour": "category", "sold": "date", "new": "category",
        "code": "category",
    }  # fmt: skip
    expected = model.predict_proba(FRAME)
    np.testing.assert_allclose(Predictor.load("model.safetensors")(FRAME), expected, rtol=1e-6)
    for path in ("data.csv", "data.parquet"):
        status, out, err = dnncore_command("predict", "model.safetensors", path, "--proba")
        assert (status, err) == (0, "")
        header, rows = read_csv(out)
        assert header == ["prediction", "no", "yes"]
        np.testing.assert_array_equal(np.array([x[1:] for x in rows], np.float32), expected)


def test_the_other_commands(dnncore_command, tmp_path):
    write_frame()
    dnncore_command("train", "data.csv", "--target", "y", *QUICK, "--report", "a.html")
    assert "colour=red" in (tmp_path / "a.html").read_text()
    status, out, _ = dnncore_command(
        "evaluate", "model.safetensors", "data.csv", "--report", "b.html"
    )
    assert status == 0
    model = dnncore.load("model.safetensors")
    accuracy = np.mean(model.predict(FRAME) == FRAME["y"])
    assert f"\nAccuracy {accuracy:.4f}, log-loss " in out
    assert "2, one of them drawn" in (tmp_path / "b.html").read_text()
    status, out, _ = dnncore_command("info", "model.safetensors")
    assert "kind         TabularClassifier\n" in out
    assert "target       y\n" in out
    assert "columns      5: size, colour, sold, new, code\n" in out
    assert "encoded      3 numbers, 2 categories, as 8 features\n" in out
    assert dnncore_command("bench", "model.safetensors", "--seconds", 0.01)[0] == 0
    status, out, _ = dnncore_command("export", "model.safetensors", "model.c")
    assert (status, out) == (0, "Model written to model.c\n")


def test_numbers_and_text_in_a_csv_file(dnncore_command, fails):
    """A file has no types: text is a category by request, and empty text is missing."""
    cells = ["2", "3", "5more", ""] * 10
    frame = pd.DataFrame({"doors": pd.Series(cells, dtype=object)})
    write_csv("data.csv", ["doors", "y"], [[cell, i % 2] for i, cell in enumerate(cells)])
    data = ["data.csv", "--target", "y", *QUICK]
    assert "column 'doors' must be numeric, got '5more' on line 4" in fails("train", *data)
    assert dnncore_command("train", *data, "--categorical", "doors")[0] == 0
    (column,) = dnncore.load("model.safetensors").encoder_.encoding_.columns
    assert (column.values, column.missing) == (("2", "3", "5more"), True)
    (column,) = TableEncoder().fit(frame).encoding_.columns
    assert (sorted(column.values), column.missing) == (["", "2", "3", "5more"], False)


def test_a_regression(dnncore_command, tmp_path):
    write_csv("data.csv", ["a", "b", "c", "y"], IRIS.data.tolist())
    data = ["data.csv", "--target", "y", "--regression", "--report", "a.html"]
    status, out, err = dnncore_command("train", *data)
    assert status == 0
    assert re.search(r"out-of-fold R2 0\.[89]", err)
    assert re.search(r"^Held-out R2 0\.[89]", out, re.M)
    assert "Predictions and residuals" in (tmp_path / "a.html").read_text()
    model = dnncore.load("model.safetensors")
    assert isinstance(model, TabularRegressor)
    status, out, _ = dnncore_command("predict", "model.safetensors", "data.csv")
    predicted = np.array(read_csv(out)[1], float).ravel()
    X = pd.DataFrame(IRIS.data[:, :3], columns=list("abc"))
    np.testing.assert_array_equal(predicted, model.predict(X))
    assert dnncore_command("evaluate", "model.safetensors", "data.csv", "--json")[0] == 0


def test_arrays(dnncore_command):
    np.savez("iris.npz", X=IRIS.data, y=IRIS.target)
    status, _, err = dnncore_command("train", "iris.npz", "--model", "tabular", *QUICK)
    assert status == 0, err
    model = dnncore.load("model.safetensors")
    expected = [[str(label)] for label in model.predict(IRIS.data)]
    assert read_csv(dnncore_command("predict", "model.safetensors", "iris.npz")[1])[1] == expected
    write_csv("new.csv", FEATURES, IRIS.data.tolist())  # by position
    assert read_csv(dnncore_command("predict", "model.safetensors", "new.csv")[1])[1] == expected
    assert dnncore_command("train", *QUICK)[0] == 0  # the digits


def test_options(dnncore_command):
    write_iris()
    status, _, _ = dnncore_command(
        "train", "iris.csv", "--target", "species", *QUICK, "--activation", "relu", "--dropout",
        0.2, "--class-weight", "balanced", "--batch-size", 16, "--learning-rate", 0.03,
        "--weight-decay", 0.1, "--threads", 1, "--seed", 3, "--max-time", 50, "--test-size", 0,
        "--max-grad-norm", 2,
    )  # fmt: skip
    assert status == 0
    model = dnncore.load("model.safetensors")
    assert (model.activation, model.dropout, model.class_weight) == ("relu", 0.2, "balanced")
    assert (model.batch_size, model.learning_rate_init, model.weight_decay) == (16, 0.03, 0.1)
    assert (model.n_threads, model.random_state, model.max_time) == (1, 3, 50.0)
    assert (model.n_members, model.max_iter, model.max_grad_norm) == (2, 4, 2.0)


def test_the_same_seed_gives_the_same_file(dnncore_command, tmp_path):
    write_iris()
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        data = ["iris.csv", "--target", "species", *QUICK, "--seed", seed, "--output", name]
        assert dnncore_command("train", *data)[0] == 0
    contents = [(tmp_path / name).read_bytes() for name in "abc"]
    assert contents[0] == contents[1] != contents[2]


def test_more_rows_than_memory_are_learnt_by_a_network(dnncore_command):
    write_iris()
    status, _, err = dnncore_command(
        "train", "iris.csv", "--target", "species", "--epochs", 3, "--no-plot", "--memory", 0.001
    )
    assert status == 0
    assert "more than --memory 0.001: a network is trained on blocks of rows\n" in err
    assert dnncore.load("model.safetensors").classes_.tolist() == sorted(set(SPECIES))


@pytest.mark.parametrize("options", [["--model", "tabular"], ["--members", 2]])
@pytest.mark.parametrize("name", ["iris.csv", "iris.npz"])
def test_an_ensemble_needs_all_rows_in_memory(fails, name, options):
    write_iris()
    np.savez("iris.npz", X=IRIS.data, y=IRIS.target)
    target = ["--target", "species"] if name == "iris.csv" else []
    error = fails("train", name, *target, *options, "--memory", 0.001)
    assert error.startswith(f"{name} has 0.0 MB, more than --memory 0.001, and an ensemble needs")
    assert error.endswith("increase --memory, or use --model network")


def test_many_categories_are_told(dnncore_command):
    write_csv("data.csv", ["name", "a", "y"], [[f"n {i % 150}", i, i % 2] for i in range(300)])
    status, _, err = dnncore_command("train", "data.csv", "--target", "y", *QUICK)
    assert status == 0
    assert "column 'name' has more than 64 different values: the most frequent ones count" in err


def test_unknown_categories_are_told(dnncore_command):
    write_frame()
    dnncore_command("train", "data.csv", "--target", "y", *QUICK)
    FRAME.assign(colour=["mauve", "red", "mauve"] * 30, new="maybe").to_csv("new.csv", index=False)
    status, _, err = dnncore_command("predict", "model.safetensors", "new.csv")
    assert status == 0
    assert err.splitlines() == [
        "dnncore: warning: new.csv: column 'colour' has 'mauve' (60 rows), not among the "
        "categories of the model: encoded as zeros",
        "dnncore: warning: new.csv: column 'new' has 'maybe' (90 rows), not among the categories "
        "of the model: encoded as zeros",
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--model", "tabular", "--solver", "sgd"], "--solver needs --model network"),
        (["--model", "tabular", "--blocks"], "--blocks needs --model network"),
        (["--model", "network", "--members", 3], "--members needs --model tabular"),
        (["--members", 3, "--hidden", 5], "--members needs --model tabular, got --hidden"),
        (["--members", 3, "--alpha", 0], "--members needs --model tabular, got --alpha"),
    ],
)
def test_options_of_the_other_kind(fails, arguments, message):
    write_iris()
    error = fails("train", "iris.csv", "--target", "species", *arguments)
    assert error.rstrip().endswith(message)


def test_a_class_with_a_single_row(fails):
    """An ensemble has no validation part that could be omitted."""
    write_csv("rare.csv", ["a", "y"], [[i, "u"] for i in range(9)] + [[9, "v"]])
    message = "too few to split into 2 parts of the rows; --test-size 0 omits a part"
    assert message in fails("train", "rare.csv", "--target", "y")
    message = "3 parts of the rows; --validation-fraction 0 and --test-size 0 omit a part"
    assert message in fails("train", "rare.csv", "--target", "y", "--model", "network")


def test_a_constant_target(dnncore_command):
    write_csv("same.csv", ["a", "y"], [[i, 3.0] for i in range(30)])
    status, out, err = dnncore_command("train", "same.csv", "--target", "y", "--regression", *QUICK)
    assert status == 0
    assert "out-of-fold R2 undefined" in err
    assert "Held-out R2 undefined" in out


def test_a_finished_ensemble_cannot_be_resumed(dnncore_command, fails):
    write_iris()
    dnncore_command("train", "iris.csv", "--target", "species", *QUICK)
    message = fails("train", "iris.csv", "--resume", "model.safetensors", *NETWORK)
    assert message.startswith("--resume needs a DNNClassifier or DNNRegressor, which 'dnncore ")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("size,colour,sold,new,code\nx,red,2024-05-01,true,1\n", "'size' must be numeric, got 'x'"),
        ("size,colour,sold,new,code\n1,red,soon,true,1\n", "must contain dates (ISO 8601), got"),
        ("size,colour\n1,red\n", "no columns 'sold', 'new', 'code'; the file has"),
    ],
)
def test_cells_that_do_not_do(dnncore_command, fails, tmp_path, text, message):
    write_frame()
    dnncore_command("train", "data.csv", "--target", "y", *QUICK)
    (tmp_path / "new.csv").write_text(text)
    assert message in fails("predict", "model.safetensors", "new.csv")
