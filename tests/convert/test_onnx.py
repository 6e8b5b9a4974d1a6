"""ONNX files: valid, complete, and equal in ONNX Runtime."""

import json
import sys

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from samples import OTHER_LOSSES
from sklearn.exceptions import NotFittedError

import dnncore
from dnncore import DNNClassifier, DNNRegressor, to_onnx
from dnncore._core.names import REGRESSION_OUTPUTS

onnx = pytest.importorskip("onnx")
runtime = pytest.importorskip("onnxruntime")

pytestmark = pytest.mark.filterwarnings("ignore:max_iter")

RNG = np.random.default_rng(0)
X = RNG.normal(size=(80, 4))
TARGETS = {
    "int64": RNG.integers(-3, 0, 80),
    "uint8": RNG.integers(250, 253, 80).astype(np.uint8),
    "bool": X[:, 0] > 0,
    "float": RNG.choice([2.0, -1.0], 80),
    "str": RNG.choice(["ja", "nein", "vielleicht \N{SNOWMAN}"], 80),
    "object": RNG.choice(["a", "b"], 80).astype(object),
}


def run(path, X):
    """Outputs by name; the file passes the checker first."""
    onnx.checker.check_model(onnx.load(path), full_check=True)
    session = runtime.InferenceSession(path)
    (given,) = session.get_inputs()
    assert given.name == "X"
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(None, {"X": X}), strict=True))


def fitted(y):
    model = DNNClassifier((8,), max_iter=60, tol=0, n_iter_no_change=60, random_state=0)
    return model.fit(X, y)


@given(data=st.data(), n=st.integers(0, 20))
@settings(max_examples=60)
def test_networks_of_all_kinds(data, n, networks, rows, same, tmp_path_factory):
    network = data.draw(networks)
    path = str(tmp_path_factory.getbasetemp() / "network.onnx")
    X = rows(network, n)
    predictor = network.freeze()
    for model in (network, predictor):
        to_onnx(model, path)
        found = run(path, X)
        if network.output in REGRESSION_OUTPUTS:
            assert list(found) == ["variable"]
            same(found["variable"], model.predict_proba(X))
            continue
        assert list(found) == ["label", "probabilities"]
        same(found["probabilities"], model.predict_proba(X))
        assert found["label"].dtype == np.int64
        # A label may differ where logits are as good as equal.
        logits = network.decision_function(X)
        if network.output == "logistic":
            clear = np.abs(logits) > 1e-4
            assert np.array_equal(found["label"][clear], predictor.predict(X)[clear])
        else:
            best = np.sort(logits, axis=1)[:, -2:]
            clear = best[:, -1] - best[:, 0] > 1e-4 if logits.shape[1] > 1 else np.full(n, True)
            assert np.array_equal(found["label"][clear], predictor.predict(X)[clear])


@pytest.mark.parametrize("kind", TARGETS)
def test_labels_of_classifiers(kind, tmp_path, same):
    y = TARGETS[kind]
    model = fitted(y)
    to_onnx(model, tmp_path / "model.onnx")
    found = run(str(tmp_path / "model.onnx"), X)
    same(found["probabilities"], model.predict_proba(X))
    assert found["label"].tolist() == model.predict(X).tolist()
    assert len(set(found["label"].tolist())) == len(set(y.tolist()))
    expected = {"int64": "int64", "uint8": "int64", "bool": "bool", "float": "float64"}
    assert found["label"].dtype == expected.get(kind, "object")


def test_labels_of_several_outputs(tmp_path, same):
    model = fitted((X[:, :3] > 0).astype(int))
    to_onnx(model, tmp_path / "model.onnx")
    found = run(str(tmp_path / "model.onnx"), X)
    same(found["probabilities"], model.predict_proba(X))
    assert np.array_equal(found["label"], model.predict(X))
    assert 0 < found["label"].mean() < 1


def test_labels_of_a_predictor(make_network, rows, tmp_path):
    predictor = make_network((4, 5, 3)).freeze(classes=["x", "y", "z"])
    to_onnx(predictor, tmp_path / "model.onnx")
    X = rows(predictor, 50)
    assert run(str(tmp_path / "model.onnx"), X)["label"].tolist() == predictor.predict(X).tolist()


@pytest.mark.parametrize("outputs", [1, 2])
@pytest.mark.parametrize("norm_target", [True, False])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_regressors_answer_in_the_units_of_the_targets(outputs, norm_target, dtype, tmp_path, same):
    y = 1000 + 50 * X[:, :outputs] if norm_target else X[:, :outputs]
    model = DNNRegressor(hidden_layer_sizes=(5,), max_iter=3, norm_target=norm_target)
    rows = X.astype(dtype)
    model.fit(rows, y.squeeze())
    for exported in (model, model.freeze()):
        to_onnx(exported, tmp_path / "model.onnx")
        found = run(str(tmp_path / "model.onnx"), rows)
        same(found["variable"], model.predict(rows).reshape(80, outputs))


@pytest.mark.parametrize("options", OTHER_LOSSES, ids=str)
def test_regressors_of_other_losses(options, tmp_path, same):
    model = DNNRegressor(hidden_layer_sizes=(6,), max_iter=5, random_state=0, **options)
    y = np.abs(5 + 2 * X[:, 0])
    expected = model.fit(X, y).predict(X)
    for exported in (model, model.freeze()):
        to_onnx(exported, tmp_path / "model.onnx")
        found = run(str(tmp_path / "model.onnx"), X)
        same(found["variable"], expected.reshape(len(X), -1))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_exp_is_finite(dtype, make_network, rows, tmp_path):
    network = make_network((4, 3), dtype, output="exp")
    network.parameters *= 10000
    to_onnx(network, tmp_path / "model.onnx")
    found = run(str(tmp_path / "model.onnx"), rows(network))["variable"]
    assert found.max() == np.finfo(dtype).max == network.predict_proba(rows(network)).max()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("output", ["softmax", "logistic"])
def test_saturated_outputs(dtype, output, make_network, rows, tmp_path, same):
    network = make_network((4, 5, 3), dtype, output=output)
    network.parameters *= 1000
    to_onnx(network, tmp_path / "model.onnx")
    found = run(str(tmp_path / "model.onnx"), rows(network, 50))
    same(found["probabilities"], network.predict_proba(rows(network, 50)))
    assert found["probabilities"].max() == 1.0


def test_the_file(tmp_path):
    names = ["Länge", "b/*", "c", "d"]
    model = DNNClassifier(hidden_layer_sizes=(3,), max_iter=1, random_state=0)
    model.fit(pd.DataFrame(X, columns=names), TARGETS["str"])
    to_onnx(model, tmp_path / "a.onnx")
    to_onnx(model, tmp_path / "b.onnx")
    assert (tmp_path / "a.onnx").read_bytes() == (tmp_path / "b.onnx").read_bytes()
    proto = onnx.load(tmp_path / "a.onnx")
    metadata = {entry.key: entry.value for entry in proto.metadata_props}
    assert json.loads(metadata["feature_names"]) == names
    assert metadata["dnncore_version"] == proto.producer_version == dnncore.__version__
    assert proto.producer_name == "dnncore"
    # Only the standard operators, of a set that old runtimes have.
    assert [(opset.domain, opset.version) for opset in proto.opset_import] == [("", 13)]
    assert {node.domain for node in proto.graph.node} == {""}
    (given,) = proto.graph.input
    assert [d.dim_param or d.dim_value for d in given.type.tensor_type.shape.dim] == ["n", 4]


def test_what_is_refused_leaves_the_old_file(make_network, tmp_path, monkeypatch):
    path = tmp_path / "model.onnx"
    path.write_bytes(b"old")
    network = make_network((4, 3))
    with pytest.raises(TypeError, match="Predictor, got dict"):
        to_onnx({}, path)
    with pytest.raises(NotFittedError):
        to_onnx(DNNClassifier(), path)
    for classes, error, match in (
        (np.array([1, 2, 2**63], np.uint64), ValueError, "classes must fit into int64"),
        (np.array([1, "a", None], object), TypeError, "got object"),
        (["a", "\ud800", "b"], ValueError, "classes must be valid Unicode"),
        (np.array([1j, 2j, 3j]), TypeError, "classes must be integers, strings.* got complex128"),
    ):
        with pytest.raises(error, match=match):
            to_onnx(network.freeze(classes), path)
    network.intercepts_[0][1] = np.nan
    with pytest.raises(ValueError, match="biases of layer 0"):
        to_onnx(network, path)
    monkeypatch.setattr("dnncore.convert._onnx.MAX_BYTES", 1000)
    with pytest.raises(ValueError, match="an ONNX file must be smaller than 2 GiB"):
        to_onnx(make_network((4, 3)), path)
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ImportError, match=r"pip install 'dnncore\[onnx\]'"):
        to_onnx(make_network((4, 3)), path)
    assert path.read_bytes() == b"old"
    with pytest.raises(OSError, match="regular file"):
        monkeypatch.undo()
        to_onnx(make_network((4, 3)), tmp_path)
