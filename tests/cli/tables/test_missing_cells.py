"""Missing cells: refused, or handed to the estimator."""

import numpy as np
import pytest
from commands import IRIS, NETWORK, QUICK, read_csv, write_csv

import dnncore
from dnncore import DNNClassifier

HEADER = ["a", "b", "colour", "c", "d", "y"]


@pytest.fixture
def holes():
    """Iris with holes; its features as dnncore should see them, and its labels."""
    X = IRIS.data.copy()
    random = np.random.default_rng(0)
    X[:, :2][random.random((150, 2)) < 0.2] = np.nan
    colours = [("red", "blue", None)[i % 3 if i % 7 else 2] for i in range(150)]
    rows = [
        [*("" if np.isnan(v) else v for v in x[:2]), "NA" if colour is None else colour, *x[2:], y]
        for x, colour, y in zip(X, colours, IRIS.target, strict=True)
    ]
    write_csv("data.csv", HEADER, rows)
    one_hot = np.array([[colour == "blue", colour == "red"] for colour in colours])
    return np.c_[X[:, :2], one_hot, X[:, 2:]].astype(np.float32)


def test_refused_by_default(fails, holes):
    message = fails("train", "data.csv", "--target", "y", *NETWORK)
    assert message.startswith("data.csv: column 'a' has missing values, the first on line ")
    assert message.endswith("; also missing values in 'b', 'colour'")


@pytest.mark.parametrize("way", ["mean", "indicator"])
def test_handed_to_the_estimator(dnncore_command, fails, holes, way):
    status, _, err = dnncore_command(
        "train", "data.csv", "--target", "y", *QUICK, "--missing", way,
        "--test-size", 0, "--validation-fraction", 0, "--output", "model",
    )  # fmt: skip
    assert status == 0
    assert "150 rows, 6 features, 3 classes" in err
    model = dnncore.load("model")
    expected = DNNClassifier(
        batch_size=32, max_iter=3, random_state=0, missing_values=way
    )  # fmt: skip
    with pytest.warns(UserWarning, match="max_iter=3 epochs"):
        expected.fit(holes, IRIS.target)
    np.testing.assert_array_equal(model.network_.parameters, expected.network_.parameters)
    # And when rows are scored.
    status, out, err = dnncore_command("predict", "model", "data.csv", "--proba")
    assert (status, err) == (0, "")
    p = np.array([row[1:] for row in read_csv(out)[1]], np.float32)
    np.testing.assert_array_equal(p, expected.predict_proba(holes))
    assert dnncore_command("evaluate", "model", "data.csv")[0] == 0
    assert dnncore_command("info", "model")[0] == 0
    assert dnncore_command("bench", "model", "--seconds", 0.05)[0] == 0
    # A target is never missing.
    write_csv("data.csv", HEADER, [[1, 2, "red", 3, 4, ""]])
    assert fails("evaluate", "model", "data.csv").endswith(
        "column 'y' has missing values, the first on line 2"
    )


def test_arrays(dnncore_command, fails, holes):
    np.savez("data.npz", X=holes, y=IRIS.target)
    assert "X has missing values, the first in X[" in fails("train", "data.npz")
    assert dnncore_command("train", "data.npz", *QUICK, "--missing", "mean")[0] == 0
    assert dnncore_command("predict", "model.safetensors", "data.npz")[0] == 0
    dnncore_command("train", *QUICK)
    np.savez("data.npz", X=np.full((1, 64), np.nan))
    assert "X has missing values, the first in X[0, 0]" in fails(
        "predict", "model.safetensors", "data.npz"
    )
