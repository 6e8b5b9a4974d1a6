"""`dnncore evaluate`."""

import json
import re

import numpy as np
import pytest
from commands import IRIS, NETWORK, QUICK, SPECIES, write_csv, write_iris
from sklearn import metrics

import dnncore
from dnncore import DNNClassifier, DNNRegressor, Network


def test_a_classifier(dnncore_command):
    write_iris()
    dnncore_command("train", "iris.csv", "--target", "species", *QUICK, *NETWORK)
    model = dnncore.load("model.safetensors")
    predicted = model.classes_[model.network_.predict_proba(IRIS.data.astype(np.float32)).argmax(1)]
    accuracy = np.mean(predicted == SPECIES)

    # The model remembers the target's name.
    status, out, err = dnncore_command("evaluate", "model.safetensors", "iris.csv")
    assert (status, err) == (0, "")
    assert f"\nAccuracy {accuracy:.4f}, log-loss " in out
    assert out.endswith(" (150 rows)\n")
    table = re.findall(r"^ +(\w+) +([\d.]+) +([\d.]+) +([\d.]+) +50 *$", out, re.M)
    assert [row[0] for row in table] == IRIS.target_names.tolist()
    confusion = metrics.confusion_matrix(SPECIES, predicted)
    rows = re.findall(r"^ +[a-z]+ +([\d.]+) +([\d.]+) +([\d.]+) *$", out, re.M)
    assert [[0 if x == "." else int(x) for x in row] for row in rows] == confusion.tolist()

    # It can be called otherwise.
    rows = zip(SPECIES, *IRIS.data.T, strict=True)
    write_csv("other.csv", ["kind", *model.feature_names_in_], rows)
    status, out, _ = dnncore_command(
        "evaluate", "model.safetensors", "other.csv", "--target", "kind", "--json"
    )
    assert status == 0
    figures = json.loads(out)
    assert figures["accuracy"] == pytest.approx(accuracy)
    assert figures["confusion_matrix"] == confusion.tolist()
    assert [entry["class"] for entry in figures["classes"]] == IRIS.target_names.tolist()


def test_many_classes_have_no_matrix(dnncore_command):
    y = np.arange(390) % 13
    np.savez("data.npz", X=np.eye(13)[y], y=y)
    dnncore_command("train", "data.npz", *QUICK)
    _, out, _ = dnncore_command("evaluate", "model.safetensors", "data.npz")
    assert "predicted" not in out
    assert "Accuracy" in out


def test_a_regressor(dnncore_command):
    write_csv("data.csv", ["a", "b", "c", "y"], IRIS.data.tolist())
    status, out, err = dnncore_command(
        "train", "data.csv", "--target", "y", "--regression", "--loss", "huber", "--no-plot",
        "--epochs", 30,
    )  # fmt: skip
    assert status == 0
    assert re.search(r"^epoch 30/30  loss \d\.\d{4}  validation R2 \d\.\d{4}$", err, re.M)
    assert re.search(r"^Held-out R2 0\.\d{4}, RMSE 0\.\d+, MAE 0\.\d+ \(30 rows\)$", out, re.M)
    model = dnncore.load("model.safetensors")
    assert isinstance(model, DNNRegressor)
    assert model.loss == "huber"
    _, out, _ = dnncore_command("evaluate", "model.safetensors", "data.csv", "--json")
    del model.feature_names_in_
    predicted = model.predict(IRIS.data[:, :3].astype(np.float32))
    assert json.loads(out)["r2"] == pytest.approx(metrics.r2_score(IRIS.data[:, 3], predicted))
    _, out, _ = dnncore_command("evaluate", "model.safetensors", "data.csv")
    assert re.fullmatch(r"R2 0\.\d{4}, RMSE 0\.\d+, MAE 0\.\d+ \(150 rows\)\n", out)


def test_quantiles(dnncore_command):
    write_csv("data.csv", ["a", "b", "c", "y"], IRIS.data.tolist())
    status, out, err = dnncore_command(
        "train", "data.csv", "--target", "y", "--regression", "--loss", "quantile",
        "--quantiles", 0.2, 0.8, "--no-plot", "--epochs", 30,
    )  # fmt: skip
    assert status == 0
    assert re.search(r"^epoch 30/30  loss \d\.\d{4}  validation D2 -?\d\.\d{4}$", err, re.M)
    assert "Held-out quantile loss 0." in out
    model = dnncore.load("model.safetensors")
    assert model.quantiles == (0.2, 0.8)
    status, out, _ = dnncore_command(
        "evaluate", "model.safetensors", "data.csv", "--json", "--report", "report.html"
    )
    del model.feature_names_in_
    predicted = model.predict(IRIS.data[:, :3].astype(np.float32))
    losses = [
        metrics.mean_pinball_loss(IRIS.data[:, 3], column, alpha=level)
        for column, level in zip(predicted.T, model.quantiles, strict=True)
    ]
    figures = json.loads(out)
    assert figures["quantile_loss"] == pytest.approx(np.mean(losses))
    shares = (IRIS.data[:, 3:] <= predicted).mean(axis=0)
    assert figures["coverage"] == [
        {"quantile": 0.2, "share": shares[0]}, {"quantile": 0.8, "share": shares[1]},
    ]  # fmt: skip
    _, out, _ = dnncore_command("evaluate", "model.safetensors", "data.csv")
    assert out.startswith("Quantile loss 0.")
    status, out, _ = dnncore_command("predict", "model.safetensors", "data.csv")
    assert (status, out.splitlines()[0]) == (0, "prediction_0,prediction_1")
    rows = np.array([line.split(",") for line in out.splitlines()[1:]], float)
    np.testing.assert_allclose(rows, predicted, rtol=1e-6)
    assert (
        dnncore_command("train", "data.csv", "--resume", "model.safetensors", "--epochs", 1)[0] == 0
    )
    model.network_.save("network")
    status, _, err = dnncore_command("evaluate", "network", "data.csv", "--target", "y")
    assert status != 0
    assert "the evaluation of quantiles needs an estimator, got a Network" in err


def test_counts(dnncore_command):
    rows = np.c_[IRIS.data[:, :3], np.floor(10 * IRIS.data[:, 3])]
    write_csv("data.csv", ["a", "b", "c", "y"], rows.tolist())
    train = ("train", "data.csv", "--target", "y", "--regression", "--loss", "poisson", *QUICK)
    assert dnncore_command(*train)[0] == 0
    model = dnncore.load("model.safetensors")
    del model.feature_names_in_
    _, out, _ = dnncore_command("evaluate", "model.safetensors", "data.csv", "--json")
    predicted = model.predict(rows[:, :3].astype(np.float32))
    assert json.loads(out)["r2"] == pytest.approx(metrics.r2_score(rows[:, 3], predicted), rel=1e-5)
    rows[5, 3] = -1
    write_csv("data.csv", ["a", "b", "c", "y"], rows.tolist())
    status, _, err = dnncore_command(*train)
    assert status != 0
    assert "the target must not be negative with --loss poisson, got -1.0" in err
    assert "Traceback" not in err


def test_regression_takes_numbers_of_any_kind(dnncore_command):
    np.savez("data.npz", X=IRIS.data, y=IRIS.data[:, :2])
    assert dnncore_command("train", "data.npz", "--regression", *QUICK)[0] == 0
    assert dnncore.load("model.safetensors").n_outputs_ == 2
    status, out, _ = dnncore_command("evaluate", "model.safetensors", "data.npz", "--json")
    assert (status, json.loads(out)["rows"]) == (0, 150)


def test_several_labels_and_bare_networks(dnncore_command):
    y = (IRIS.data > IRIS.data.mean(axis=0)).astype(int)
    DNNClassifier((5,), random_state=0).partial_fit(IRIS.data, y).save("labels")
    Network((4, 3), seed=0).save("network")
    np.savez("labels.npz", X=IRIS.data, y=y)
    np.savez("iris.npz", X=IRIS.data, y=IRIS.target)
    status, out, _ = dnncore_command("evaluate", "labels", "labels.npz")
    assert status == 0
    assert re.search(r"^Subset accuracy 0\.\d{4}, log-loss 0\.\d{4} \(150", out, re.M)
    status, out, _ = dnncore_command("evaluate", "network", "iris.npz", "--json")
    p = Network((4, 3), seed=0).predict_proba(IRIS.data)
    assert json.loads(out)["log_loss"] == pytest.approx(metrics.log_loss(IRIS.target, p))


def test_the_classes_of_a_predictor_have_any_order(dnncore_command):
    predictor = Network((4, 3), seed=0).freeze(["setosa", "virginica", "versicolor"])
    predictor.save("model")
    predicted = predictor.predict(IRIS.data.astype(predictor.dtype))
    np.savez("iris.npz", X=IRIS.data, y=SPECIES)
    write_csv("iris.csv", ["a", "b", "c", "d", "species"], np.c_[IRIS.data, SPECIES].tolist())
    for data in (["iris.npz"], ["iris.csv", "--target", "species"]):
        status, out, _ = dnncore_command("evaluate", "model", *data, "--json")
        figures = json.loads(out)
        assert status == 0
        assert figures["accuracy"] == np.mean(predicted == SPECIES)
        assert (
            figures["confusion_matrix"]
            == metrics.confusion_matrix(SPECIES, predicted, labels=predictor.classes_).tolist()
        )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["iris.csv"], "--target is missing, and the model file does not contain its name"),
        (["iris.csv", "--target", "kind"], "no column 'kind'"),
        (["new.csv", "--target", "y"], "column 'y' has the label 'tulip' on line 3, which is no"),
        (["iris.npz", "--target", "y"], "--target needs a CSV, Parquet or NPY file"),
        (
            ["iris.npz"],
            "y must contain classes of the model, 'setosa', 'versicolor', 'virginica', got 0",
        ),
        (["words.npz"], "y contains the label 'tulip', which is not a class of the model"),
        (["X.npy"], "--target is missing; it names the NPY file with the targets"),
        (
            ["X.npy", "--target", "short.npy"],
            "y must have one target for each of the 150 rows",
        ),
        (["X.npy", "--target", "text.npy"], "text.npy: not a usable NPY file: "),
        (["X.npy", "--target", "gone.npy"], "gone.npy: No such file or directory"),
        (["words.npz", "--report", "no/where"], "--report: there is no directory 'no'"),
        (["words.npz", "--report", "words.npz"], "--report: 'words.npz' is also an input"),
    ],
)
def test_mistakes(fails, arguments, message, tmp_path):
    model = DNNClassifier((3,)).partial_fit(IRIS.data, SPECIES, classes=IRIS.target_names)
    model.feature_names_in_ = np.array(["a", "b", "c", "d"], dtype=object)
    model.save("model")
    write_csv("iris.csv", "abcde", np.c_[IRIS.data, IRIS.target])
    write_csv("new.csv", "abcdy", [[1, 2, 3, 4, "setosa"], [1, 2, 3, 4, "tulip"]])
    np.savez("iris.npz", X=IRIS.data, y=IRIS.target)
    np.savez("words.npz", X=IRIS.data, y=np.where(IRIS.target == 1, "tulip", SPECIES))
    np.save("X.npy", IRIS.data)
    np.save("short.npy", IRIS.target[1:])
    (tmp_path / "text.npy").write_text("none")
    assert message in fails("evaluate", "model", *arguments)


def test_a_report_needs_an_estimator(fails):
    Network((4, 3)).save("network")
    np.savez("iris.npz", X=IRIS.data, y=IRIS.target)
    message = fails("evaluate", "network", "iris.npz", "--report", "a.html")
    assert message == "--report needs an estimator, got a Network"
