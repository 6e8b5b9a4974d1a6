"""Files that are kept in the repository: what any version of dnncore wrote is read for good."""

import json
import runpy
from pathlib import Path

import numpy as np
import pytest
from modelfiles import assert_same, metadata_of
from safetensors.numpy import load_file

from dnncore._core.names import OUTPUTS, REGRESSION_OUTPUTS
from dnncore.modelfile import _schema, load, read_division, read_table, save
from dnncore.predictor import Predictor

DATA = Path(__file__).parent / "data"
MAKE = DATA / "make_golden.py"
FILES = sorted(DATA.glob("v*/*.safetensors"))
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def meaning_of(path):
    text = (path.parent / "meaning.json").read_text(encoding="utf-8")
    return json.loads(text)[path.stem]


def assert_close(actual, expected, dtype):
    """The stored numbers are from one processor; on another products may round otherwise."""
    scale = np.abs(expected).max()
    np.testing.assert_allclose(actual, expected, rtol=0, atol=64 * scale * np.finfo(dtype).eps)


def assert_ensemble_means(path, expected):
    model = load(path)
    assert type(model).__name__ == expected["kind"]
    params = {name: str(value) for name, value in model.get_params().items()}
    assert params.items() >= expected.get("params", {}).items()
    assert model.encoder_.to_json() == expected["encoder"]
    for network, parameters in zip(model.ensemble_.networks, expected["parameters"], strict=True):
        np.testing.assert_array_equal(network.parameters, np.array(parameters, np.float32))
    importances = getattr(model, "feature_importances_", np.zeros(0))
    assert importances.tolist() == expected["importances"]
    assert [history.loss_curve for history in model.histories_] == expected["losses"]
    predict = getattr(model, "predict_proba", model.predict)
    assert_close(predict(expected["rows"]), expected["outputs"], np.float32)
    assert_close(Predictor.load(path)(expected["rows"]).squeeze(), expected["outputs"], np.float32)
    columns = [[x.name, x.values, x.is_target] for x in read_table(path) or ()]
    assert columns == expected["table"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_golden_file_means_what_it_meant(path):
    expected = meaning_of(path)
    if "encoder" in expected:
        assert_ensemble_means(path, expected)
        return
    model, dtype = load(path), expected["dtype"]
    network = getattr(model, "network_", model)
    X = np.array(expected["X"], dtype)
    assert type(model).__name__ == expected["kind"]
    assert (network.dtype, network.layer_sizes) == (dtype, tuple(expected["layer_sizes"]))
    assert (network.activation, network.output) == (expected["activation"], expected["output"])
    np.testing.assert_array_equal(network.parameters, np.array(expected["parameters"], dtype))
    assert_close(network.predict_proba(X), expected["outputs"], dtype)
    table = read_table(path) or ()
    columns = [[x.name, x.values and list(x.values), x.is_target] for x in table]
    assert columns == expected["table"]
    if "classes" in expected:
        assert model.classes_.tolist() == expected["classes"]
    if "predictions" in expected:
        predictions = model.predict(X)
        frozen = Predictor.load(path).predict(X)
        if network.output in REGRESSION_OUTPUTS:
            assert_close(predictions, expected["predictions"], dtype)
            assert_close(frozen.reshape(predictions.shape), expected["predictions"], dtype)
        else:
            assert predictions.tolist() == frozen.tolist() == expected["predictions"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_golden_estimator_is_what_it_was(path):
    expected = meaning_of(path)
    if "params" not in expected or "encoder" in expected:
        assert not expected["kind"].startswith("DNN")
        return
    model = load(path)
    # Sequences come back as tuples; parameters that are new since have their defaults.
    params = {name: str(value) for name, value in model.get_params().items()}
    expected["params"]["scoring"] = (
        expected["params"]["scoring"].replace("[", "(").replace("]", ")")
    )
    assert params.items() >= expected["params"].items()
    history = {name: str(value) for name, value in vars(model.history_).items()}
    if not expected["solver_state"]:
        expected["history"]["no_improvement"] = "0"
    assert history.items() >= expected["history"].items()
    assert hasattr(model, "_trainer") == expected["solver_state"]
    if "after_partial_fit" in expected:
        X = np.array(expected["X"], expected["dtype"])
        model.set_params(scoring=None, early_stopping="auto").partial_fit(
            X, expected["predictions"]
        )
        assert_close(model.network_.parameters, expected["after_partial_fit"], expected["dtype"])


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_saved_today_it_means_the_same(path, tmp_path):
    model, again = load(path), tmp_path / "model.safetensors"
    unfinished = getattr(model, "_unfinished", None) is not None
    state = {"solver_state": True} if hasattr(model, "_trainer") or unfinished else {}
    save(model, again, table=read_table(path), division=read_division(path), **state)
    assert_same(model, load(again))
    assert read_table(again) == read_table(path)
    before, after = metadata_of(path), metadata_of(again)
    if before["format_version"] != _schema.VERSION:
        return
    for name in ("dnncore_version", "checksum"):
        del before[name], after[name]
    before, after = (
        {name: json.loads(x) if _schema.KEYS[name].json else x for name, x in each.items()}
        for each in (before, after)
    )
    if "params" in before:  # parameters that are new since have their defaults
        after["params"] = {name: after["params"][name] for name in before["params"]}
    assert before == after
    tensors, again = load_file(path), load_file(again)
    assert tensors.keys() == again.keys()
    for name, tensor in tensors.items():
        assert tensor.tobytes() == again[name].tobytes(), name


def test_golden_files_have_all_that_a_file_can_have():
    """Who adds a key, a tensor or a kind adds a golden file with it."""
    files = [path for path in FILES if path.parent.name == f"v{_schema.VERSION}"]
    keys, tensors, kinds = set(), set(), set()
    for path in files:
        metadata = metadata_of(path)
        kinds.add(metadata["kind"])
        keys |= set(metadata)
        tensors |= set(load_file(path))
    assert kinds == set(_schema.KINDS)
    assert keys == set(_schema.KEYS)
    assert tensors >= {name for group in _schema.GROUPS for name in group.tensors}
    assert tensors >= {"solver.state.1", "history.metrics.1"}
    assert {metadata_of(path)["output"] for path in files} == set(OUTPUTS)
    params = [json.loads(metadata_of(path).get("params", "{}")) for path in files]
    assert {"DNNRegressor", "TabularRegressor"} <= {
        metadata_of(path)["kind"]
        for path, given in zip(files, params, strict=True)
        if given.get("max_grad_norm") is not None
    }


def test_the_script_writes_the_same_files(tmp_path):
    runpy.run_path(str(MAKE))["write"](tmp_path)
    stored = {path.name: path for path in FILES if path.parent.name == f"v{_schema.VERSION}"}
    assert {path.name for path in tmp_path.glob("*.safetensors")} == set(stored)
    for name, path in stored.items():
        assert metadata_of(tmp_path / name).keys() == metadata_of(path).keys()
        assert load_file(tmp_path / name).keys() == load_file(path).keys()
