"""`dnncore predict`."""

import numpy as np
import pytest
from commands import FEATURES, IRIS, QUICK, read_csv, write_csv, write_iris

from dnncore import DNNClassifier, DNNRegressor, Network


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
    assert message == "--proba needs a classifier, model is a regression model"


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


def test_a_class_that_is_named_like_a_column(dnncore_command):
    write_csv("data.csv", "ay", [[i, "prediction" if i % 2 else "=1+1"] for i in range(60)])
    dnncore_command("train", "data.csv", "--target", "y", *QUICK)
    status, out, err = dnncore_command("predict", "model.safetensors", "data.csv", "--proba")
    assert status == 0
    assert out.startswith("prediction,p(=1+1),p(prediction)\n")
    assert err == (
        "dnncore: note: a class is named like the column 'prediction': the columns of "
        "probabilities are named 'p(=1+1)' and so on\n"
    )


@pytest.mark.parametrize("model", [["--model", "network"], ["--members", 2]])
def test_columns_are_kept(dnncore_command, fails, set_block_sizes, model):
    set_block_sizes(csv_bytes=200, parquet_rows=7, feature_bytes=50)
    rows = [[f"id {i}", i, "uv"[i % 2], "" if i % 7 else "x"] for i in range(60)]
    write_csv("data.csv", ["id", "a", "y", "note"], rows)
    train = ["train", "data.csv", "--target", "y", "--ignore", "id", "note", "--quiet", *QUICK]
    assert dnncore_command(*train, *model)[0] == 0
    predict = ["predict", "model.safetensors", "data.csv"]
    predicted = read_csv(dnncore_command(*predict, "--proba")[1])[1]
    status, out, err = dnncore_command(*predict, "--keep", "id", "note", "--proba")
    assert (status, err) == (0, "")
    header, found = read_csv(out)
    assert header == ["id", "note", "prediction", "u", "v"]
    for row, cells, prediction in zip(rows, found, predicted, strict=True):
        assert cells == [row[0], row[3], *prediction]
    assert fails(*predict, "--keep", "none").startswith("data.csv: no column 'none'; the file has")
    np.savez("data.npz", X=np.zeros((2, 1)))
    assert "--keep needs a file with named columns, got" in fails(
        *predict[:2], "data.npz", "--keep", "a"
    )
    write_csv("data.csv", ["prediction", "a"], [[1, 2]])
    assert fails(*predict, "--keep", "prediction") == (
        "--keep: a column of the predictions is named 'prediction', too"
    )
