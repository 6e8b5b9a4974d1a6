"""Mistakes of the user, and what is not installed."""

import os
import sys

import numpy as np
import pytest
from commands import FEATURES, IRIS, QUICK, SPECIES, write_csv, write_iris

from dnncore import DNNClassifier, Network


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "the following arguments are required: COMMAND (see 'dnncore --help')"),
        (["fit"], "invalid choice: 'fit'"),
        (["train", "--nonsense"], "unrecognized arguments: --nonsense"),
        (["train", "missing.csv", "--target", "y"], "missing.csv: No such file or directory"),
        (["train", "missing.npz"], "missing.npz: No such file or directory"),
        (["train", "iris.csv"], "--target is missing"),
        (["train", "--target", "y"], "--target needs DATA, which is missing"),
        (["train", "iris.npz", "--target", "y"], "--target needs a CSV, Parquet or NPY file"),
        (["train", "iris.csv", "--target", "kind"], "no column 'kind'; the file has 'sepal"),
        (["train", "--epochs", "0"], "argument --epochs: must be an integer >= 1, got '0'"),
        (["train", "--hidden", "9", "iris.csv"], "argument --hidden: must be an integer >= 1"),
        (["train", "--batch-size", "1.5"], "argument --batch-size: must be an integer >= 1"),
        (["train", "--seed", "-1"], "argument --seed: must be an integer from 0 to 4294967295"),
        (["train", "--threads", "1000"], "argument --threads: must be an integer from 1 to"),
        (["train", "--test-size", "1"], "argument --test-size: must be a number >= 0 and < 1"),
        (["train", "--test-size", "nan"], "argument --test-size: must be a number >= 0 and < 1"),
        (["train", "--quantiles", "0"], "argument --quantiles: must be a number > 0 and < 1"),
        (["train", "--learning-rate", "0"], "argument --learning-rate: must be a finite number"),
        (["train", "--alpha", "inf"], "argument --alpha: must be a finite number >= 0"),
        (["train", "--dtype", "float16"], "argument --dtype: invalid choice: 'float16'"),
        (["train", "--plot", "a.png", "--no-plot"], "not allowed with argument"),
        (["train", "--output", "no/where"], "--output: there is no directory 'no'"),
        (["train", "--plot", "no/where.png"], "--plot: there is no directory 'no'"),
        (["train", "--output", "."], "--output: '.' is not a regular file"),
        (["train", "--output", "a", "--plot", "./a"], "--plot: './a' is also an input or another"),
        (["train", "iris.npz", "--output", "iris.npz"], "--output: 'iris.npz' is also an input"),
        (
            ["train", "x.npy", "--target", "y.npy", "--output", "y.npy"],
            "--output: 'y.npy' is also an input",
        ),
        (
            ["train", "--resume", "model", "--output", "a", "--report", "model"],
            "--report: 'model' is also an input",
        ),
        (
            ["train", "--resume", "model", "--output", "a", "--plot", "./model"],
            "--plot: './model' is also an input",
        ),
        (["train", "--early-stopping", "--validation-fraction", "0"], "needs a validation set"),
        (["train", "--quiet", "--learning-rate", "1e30"], "Try a --learning-rate below 1e+30."),
        (
            ["train", "iris.npz", "--regression", "--validation-fraction", "0.005", "--quiet"],
            "the validation set must have at least 2 rows for the score, got 1",
        ),
        (["train", "--test-size", "0.999"], "rows cannot be split"),
        (["predict", "model"], "the following arguments are required: DATA"),
        (["predict", "missing", "iris.csv"], "missing: No such file or directory"),
        (["predict", "iris.csv", "iris.csv"], "iris.csv: not a readable safetensors file"),
        (["predict", "model", "missing.csv"], "missing.csv: No such file or directory"),
        (["predict", "model", "iris.npz", "--output", "model"], "'model' is also an input"),
        (["predict", "model", "columns.csv"], "no columns 'sepal width', 'petal length'; the file"),
        (["predict", "model", "narrow.npz"], "X must have 4 columns, like the model, got 2"),
        (["predict", "unnamed", "iris.csv"], "the model has no feature names, so the file must"),
        (
            ["predict", "numbers", "iris.npz", "--proba"],
            "--proba needs a classifier, numbers",
        ),
        (["info", "missing"], "missing: No such file or directory"),
        (["info", "iris.npz"], "iris.npz: not a readable safetensors file"),
        (["info", "."], ".: "),
    ],
)
def test_mistakes(fails, arguments, message):
    write_iris()
    np.savez("iris.npz", X=IRIS.data, y=IRIS.target)
    np.savez("narrow.npz", X=IRIS.data[:, :2])
    np.save("x.npy", IRIS.data)
    np.save("y.npy", IRIS.target)
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


@pytest.mark.skipif(sys.platform != "linux", reason="links, and a folder nobody writes to")
@pytest.mark.parametrize("option", ["--output", "--plot", "--report"])
@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/proc/model", "cannot write '/proc/model': "),
        ("m" * 256, "File name too long"),
        ("dangling", "there is no directory "),
        ("circle", "'circle': Too many levels of symbolic links"),
        ("read-only", "'read-only' is read-only"),
    ],
)
def test_destinations_are_tried_before_training(fails, monkeypatch, option, path, message):
    os.symlink("no/where", "dangling")
    os.symlink("circle", "circle")
    with open("read-only", "w"):  # the super-user may write to any
        monkeypatch.setattr(os, "access", lambda p, mode: "read-only" not in str(p))
    monkeypatch.setattr(DNNClassifier, "fit", lambda *_, **__: pytest.fail("it is trained"))
    before = set(os.listdir())
    assert message in fails("train", option, path)
    assert set(os.listdir()) == before


@pytest.mark.parametrize(
    ("module", "arguments", "message"),
    [
        ("sklearn", ["train"], "scikit-learn is not installed: pip install 'dnncore[cli]'"),
        ("safetensors", ["train"], "safetensors is not installed: pip install 'dnncore[cli]'"),
        ("rich", ["train"], "rich is not installed: pip install 'dnncore[cli]'"),
        ("matplotlib", ["train", "--plot", "a.png"], "Matplotlib is not installed: pip install"),
        ("pyarrow", ["train", "iris.csv", "--target", "species"], "CSV files need pyarrow: pip"),
    ],
)
def test_missing_packages(fails, monkeypatch, module, arguments, message):
    write_iris()
    monkeypatch.setitem(sys.modules, module, None)
    assert message in fails(*arguments)


def test_out_of_memory(fails, monkeypatch):
    def fit(*args, **kwargs):
        raise MemoryError("Unable to allocate 1 PiB")

    monkeypatch.setattr(DNNClassifier, "fit", fit)
    assert fails("train", "--quiet", *QUICK) == "out of memory: Unable to allocate 1 PiB"


def test_model_and_data_are_swapped(fails):
    write_iris()
    DNNClassifier((3,)).partial_fit(IRIS.data, SPECIES, classes=IRIS.target_names).save("model")
    for command in ("predict", "evaluate"):
        message = fails(command, "iris.csv", "model")
        assert message == "MODEL and DATA are swapped: model is a model file, iris.csv is not"


@pytest.mark.parametrize("option", ["--ignore", "--categorical"])
def test_an_option_that_takes_the_data(fails, option):
    write_iris()
    message = fails("train", "--target", "species", option, "sepal width", "iris.csv")
    assert message == (
        f"DATA is missing: 'iris.csv' counts as a column after {option}; put DATA before the "
        "options"
    )


def test_resuming_needs_the_data(fails, dnncore_command):
    write_iris()
    dnncore_command("train", "iris.csv", "--target", "species", *QUICK, "--model", "network")
    message = fails("train", "--resume", "model.safetensors", *QUICK)
    assert message.startswith("--resume needs DATA: model.safetensors was not trained on the dig")


def test_many_integers_may_be_numbers(fails, dnncore_command):
    write_csv("data.csv", "ay", [[i, i % 120] for i in range(1500)])
    train = ["train", "data.csv", "--target", "y", "--epochs", "1", "--no-plot"]
    for model in (["--model", "network"], ["--members", "2"]):
        status, _, err = dnncore_command(*train, *model)
        assert status == 0
        assert (
            "warning: the target has 120 different integers, which are classes; --regression "
            "predicts it as a number\n"
        ) in err
        assert "different integers" not in dnncore_command(*train, *model, "--regression")[2]
    write_csv("data.csv", "ay", [[i, i] for i in range(500)])
    assert fails(*train).endswith("omits a part, and --regression predicts numbers")
    write_csv("data.csv", "ay", [[i, i % 500] for i in range(1500)])
    assert fails(*train) == (
        "1500 rows cannot be split: each part needs a row of each of the 500 classes, with "
        "--test-size 0.2 and --validation-fraction 0, and --regression predicts numbers"
    )
