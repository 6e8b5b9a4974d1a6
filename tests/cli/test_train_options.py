"""`dnncore train`: what the options do to the model."""

import re

import numpy as np
import pytest
from commands import FEATURES, IRIS, NETWORK, QUICK, SPECIES, write_csv, write_iris

import dnncore
from dnncore import DNNClassifier, DNNRegressor, Network
from dnncore.cli._options import in_options
from dnncore.modelfile import read_table


def same_parameters(a, b):
    np.testing.assert_array_equal(
        dnncore.load(a).network_.parameters, dnncore.load(b).network_.parameters
    )


def test_parameters_of_the_estimator(dnncore_command):
    status, _, _ = dnncore_command(
        "train", *QUICK, "--activation", "tanh", "--dropout", 0.25, "--class-weight", "balanced",
        "--hidden", 7, 5, "--threads", 1, "--seed", 3, "--max-time", 50, "--alpha", 0,
    )  # fmt: skip
    assert status == 0
    model = dnncore.load("model.safetensors")
    assert (model.activation, model.dropout, model.class_weight) == ("tanh", 0.25, "balanced")
    assert (model.hidden_layer_sizes, model.n_threads, model.random_state) == ((7, 5), 1, 3)
    assert (model.max_time, model.alpha, model.max_iter) == (50.0, 0.0, 3)
    # What the command line needs while it trains is not left in the model.
    assert (model.callback, model.warm_start) == (None, False)


def test_adamw_with_a_schedule(dnncore_command):
    status, _, err = dnncore_command(
        "train", *QUICK, "--solver", "adamw", "--weight-decay", 0.2, "--schedule", "cosine",
        "--max-grad-norm", 2,
    )  # fmt: skip
    assert status == 0
    assert "warning" not in err
    model = dnncore.load("model.safetensors")
    assert (model.solver, model.weight_decay, model.learning_rate) == ("adamw", 0.2, "cosine")
    assert (model.max_grad_norm, model.n_iter_) == (2.0, 3)


def test_time_limit(dnncore_command):
    random = np.random.default_rng(0)
    np.savez("data.npz", X=random.normal(size=(4000, 50)), y=random.integers(2, size=4000))
    status, _, err = dnncore_command(
        "train", "data.npz", "--no-plot", "--epochs", 100_000, "--max-time", 0.1
    )
    assert status == 0
    assert re.search(
        r"^Trained for \d+ of 100000 epochs, when --max-time 0.1 was over: loss", err, re.M
    )


def test_newbob_ends(dnncore_command):
    options = ["--no-plot", "--schedule", "newbob", "--epochs", 200]
    _, _, err = dnncore_command("train", *options)
    assert re.search(
        r"^Trained for \d+ of 200 epochs, as the training loss no longer improved with --schedule "
        "newbob: loss", err, re.M,
    )  # fmt: skip


def test_divergence(dnncore_command):
    options = ["--no-plot", "--solver", "sgd", "--batch-size", 1300, "--activation", "identity"]
    status, _, err = dnncore_command("train", *options, "--learning-rate", 100, "--epochs", 200)
    assert status == 0
    assert "dnncore: warning: training diverged in epoch " in err
    assert " Try a --learning-rate below 100.\n" in err
    assert re.search(r"^Trained for \d+ of 200 epochs, as it diverged: loss", err, re.M)


def test_npy_files(dnncore_command):
    np.save("X.npy", IRIS.data)
    np.save("y.npy", IRIS.target)
    np.savez("iris.npz", X=IRIS.data, y=IRIS.target)
    assert dnncore_command("train", "X.npy", "--target", "y.npy", *QUICK, "--output", "a")[0] == 0
    dnncore_command("train", "iris.npz", *QUICK, "--output", "b")
    same_parameters("a", "b")
    assert dnncore_command("predict", "a", "X.npy") == dnncore_command("predict", "a", "iris.npz")


def test_the_digits_as_numbers(dnncore_command):
    status, out, _ = dnncore_command("train", *QUICK, "--regression")
    assert status == 0
    assert re.search(r"^Held-out R2 0\.\d{4}, RMSE", out, re.M)


def test_a_report(dnncore_command, tmp_path):
    write_iris()
    status, out, err = dnncore_command(
        "train", "iris.csv", "--target", "species", "--epochs", 3, "--no-plot", "--report", "a.html"
    )
    assert status == 0
    assert out.endswith("Report written to a.html\n")
    assert "Warning" not in err
    page = (tmp_path / "a.html").read_text()
    assert "iris.csv" in page
    assert "virginica" in page
    assert "petal width" in page
    status, out, _ = dnncore_command(
        "evaluate", "model.safetensors", "iris.csv", "--report", "b.html"
    )
    assert out.endswith("Report written to b.html\n")
    assert "model.safetensors on iris.csv" in (tmp_path / "b.html").read_text()


def test_a_report_has_room_for_so_many_rows(dnncore_command, monkeypatch):
    monkeypatch.setattr("dnncore.cli._report.MAX_VALUES", 400)
    np.savez("iris.npz", X=IRIS.data, y=IRIS.target)
    dnncore_command("train", "iris.npz", *QUICK, "--output", "model")
    status, _, err = dnncore_command("evaluate", "model", "iris.npz", "--report", "a.html")
    assert status == 0
    assert "a.html: the report covers only the first 100 rows; 50 are omitted" in err


def test_a_training_that_no_longer_improves_says_so(dnncore_command):
    np.savez("data.npz", X=np.zeros((100, 2)), y=np.arange(100) % 2)
    _, _, err = dnncore_command("train", "data.npz", "--no-plot", "--epochs", 90)
    message = r"Trained for \d+ of 90 epochs, as the training loss did not improve in 10 epochs: "
    assert re.search(f"^{message}loss", err, re.M)
    _, _, err = dnncore_command("train", "data.npz", *QUICK)
    assert "Trained for 3 epochs: loss" in err


# ------------------------------------------------------------------------------ --resume


@pytest.mark.parametrize("options", [[], ["--solver", "sgd", "--dropout", 0.2]])
def test_training_goes_on_as_if_it_had_not_ended(dnncore_command, options):
    write_iris()
    data = ["iris.csv", "--target", "species", "--no-plot", "--seed", 5, *NETWORK, *options]
    dnncore_command("train", *data, "--epochs", 7, "--output", "whole")
    dnncore_command("train", *data, "--epochs", 3, "--output", "part")
    status, _, err = dnncore_command(
        "train", "iris.csv", "--no-plot", "--resume", "part", "--epochs", 4, "--output", "part"
    )
    assert status == 0
    assert "warning" not in err
    assert "Trained for 4 epochs: " in err
    same_parameters("whole", "part")
    whole, part = dnncore.load("whole"), dnncore.load("part")
    assert (part.n_iter_, part.loss_curve_) == (7, whole.loss_curve_)
    assert part.validation_scores_ == whole.validation_scores_
    assert read_table("part") == read_table("whole")
    # The same rows are held out.
    expected = dnncore_command("evaluate", "whole", "iris.csv", "--json")[1]
    assert dnncore_command("evaluate", "part", "iris.csv", "--json")[1] == expected


def test_options_of_a_training_that_goes_on(dnncore_command):
    dnncore_command("train", *QUICK, "--hidden", 9)
    status, _, _ = dnncore_command(
        "train", "--resume", "model.safetensors", "--no-plot", "--epochs", 2, "--learning-rate",
        0.01, "--batch-size", 64,
    )  # fmt: skip
    assert status == 0
    model = dnncore.load("model.safetensors")
    assert (model.learning_rate_init, model.batch_size, model.n_iter_) == (0.01, 64, 5)
    assert model.network_.layer_sizes == (64, 9, 10)


def test_a_regression_that_goes_on(dnncore_command):
    write_csv("data.csv", ["a", "b", "c", "y"], IRIS.data.tolist())
    data = ["data.csv", "--target", "y", "--no-plot", "--regression", *NETWORK]
    dnncore_command("train", *data, "--epochs", 5, "--output", "whole")
    dnncore_command("train", *data, "--epochs", 2, "--output", "part")
    resume = ["--resume", "part", "--epochs", 3, "--output", "part"]
    assert dnncore_command("train", "data.csv", "--no-plot", *resume)[0] == 0
    same_parameters("whole", "part")


def test_without_solver_state_the_solver_starts_afresh(dnncore_command):
    dnncore_command("train", *QUICK, "--no-solver-state", "--output", "small")
    dnncore_command("train", *QUICK, "--output", "large")
    same_parameters("small", "large")
    status, _, err = dnncore_command("train", "--resume", "small", *QUICK)
    assert status == 0
    assert "dnncore: warning: small has no solver state: adam is restarted\n" in err


@pytest.mark.parametrize(
    "other", [["--test-size", 0.4], ["--validation-fraction", 0.2], ["--seed", 5], ["--blocks"],
              ["shuffled.csv"], ["changed.csv"], ["relabelled.csv"]],
)  # fmt: skip
def test_rows_that_were_trained_on_are_not_held_out(dnncore_command, fails, other):
    rows = [[*x, label] for x, label in zip(IRIS.data.tolist(), SPECIES, strict=True)]
    header = [*FEATURES, "species"]
    write_csv("iris.csv", header, rows)
    write_csv("shuffled.csv", header, rows[::-1])
    write_csv("changed.csv", header, [[0.0, *rows[0][1:]], *rows[1:]])
    write_csv("relabelled.csv", header, [[*rows[0][:4], "virginica"], *rows[1:]])
    dnncore_command("train", "iris.csv", "--target", "species", *QUICK, *NETWORK)
    data = other if other[0].endswith(".csv") else ["iris.csv", *other]
    resume = ["train", *data, "--resume", "model.safetensors", *QUICK, "--quiet"]
    assert fails(*resume).startswith("model.safetensors was trained on other rows, in another ord")
    # Where nothing is measured, any rows may follow.
    nothing = ["--test-size", 0, "--validation-fraction", 0]
    if other[0] not in nothing:
        assert dnncore_command(*resume, *nothing) == (0, "Model written to model.safetensors\n", "")


def test_a_model_that_does_not_tell_its_rows(dnncore_command):
    write_iris()
    dnncore_command("train", "iris.csv", "--target", "species", *QUICK, *NETWORK)
    dnncore.load("model.safetensors").save("model.safetensors", solver_state=True)
    resume = ["train", "iris.csv", "--resume", "model.safetensors", *QUICK]
    status, _, err = dnncore_command(*resume)
    assert status == 0
    assert "warning: model.safetensors does not tell the rows that it was trained on: " in err
    assert "warning" not in dnncore_command(*resume)[2]


def test_messages_name_options():
    said = in_options("learning_rate_init, learning_rate and n_members, not the column 'max_time'")
    assert said == "--learning-rate, --schedule and --members, not the column 'max_time'"
    said = in_options("y must not be negative with loss='poisson', got alpha=0.5 of 'loss=1'")
    assert said == (
        "the target must not be negative with --loss poisson, got --alpha 0.5 of 'loss=1'"
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--resume", "numbers", "--class-weight", "balanced"], "--class-weight cannot be used "
         "with the DNNRegressor in numbers"),
        (["--resume", "model", "--hidden", 3], "--hidden cannot be changed with --resume"),
        (["--resume", "model", "--regression"], "--regression cannot be changed with --resume"),
        (["--resume", "network"], "--resume needs an estimator, got a Network"),
        (["--resume", "missing"], "missing: No such file or directory"),
        (["--loss", "huber"], "--loss needs --regression"),
        (["--quantiles", 0.5], "--quantiles needs --loss quantile"),
        (["--regression", "--loss", "quantile", "--quantiles", 0.5, 0.1],
         "--quantiles must be at least 1 number, in ascending order, got [0.5, 0.1]"),
        (["--regression", "--class-weight", "balanced"], "--class-weight cannot be used with"),
        (["--report", "a.html", "--test-size", 0], "--report needs held-out rows"),
        (["--ignore", "a"], "--categorical and --ignore need DATA, which is missing"),
        (["--max-time", 0], "argument --max-time: must be a finite number > 0, got '0'"),
        (["iris.npz", "--ignore", "a"], "--ignore needs a file with named columns, got"),
        (["iris.csv", "--target", "species", "--ignore", "x"], "no column 'x'; the file has"),
        (["iris.csv", "--target", "species", "--ignore", "species"], "--ignore must not name "
         "the target, got 'species'"),
        (["iris.csv", "--target", "species", "--regression"], "must be numeric for regression, got "
         "'setosa' on line 2"),
        (["iris.csv", "--target", "sepal width"], "got the number 3.5; use --regression"),
        (["iris.csv", "--resume", "model"], "--target is missing, and the model file does"),
    ],
)  # fmt: skip
def test_mistakes(fails, arguments, message):
    write_iris()
    np.savez("iris.npz", X=IRIS.data, y=IRIS.target)
    model = DNNClassifier((3,)).partial_fit(IRIS.data, SPECIES, classes=IRIS.target_names)
    model.feature_names_in_ = np.array(["a", "b", "c", "d"], dtype=object)
    model.save("model", solver_state=True)
    Network((4, 3)).save("network")
    numbers = DNNRegressor(hidden_layer_sizes=(3,)).partial_fit(IRIS.data, IRIS.target)
    numbers.save("numbers", solver_state=True)
    assert message in fails("train", "--quiet", "--no-plot", *arguments)
