"""What is in a model file, as docs/reference/model_file.md says."""

import json
from pathlib import Path

import numpy as np
import pytest
from modelfiles import KINDS, OTHERS, alter, checksum, fitted, fitted_other, metadata_of
from safetensors.numpy import load_file

import dnncore
from dnncore import DNNClassifier, DNNRegressor, Network
from dnncore.modelfile import _schema, load, save

DOCS = Path(__file__).parents[2] / "docs" / "reference" / "model_file.md"


def test_contents_as_documented(tmp_path):
    path = tmp_path / "model.safetensors"
    fitted(np.array(["a", "b", "c"]), np.float32).save(path)
    tensors = load_file(path)
    assert {name: (x.dtype.name, x.shape) for name, x in tensors.items()} == {
        "layers.0.weight": ("float32", (4, 5)),
        "layers.0.bias": ("float32", (5,)),
        "layers.1.weight": ("float32", (5, 3)),
        "layers.1.bias": ("float32", (3,)),
        "norm.mean": ("float32", (4,)),
        "norm.scale": ("float32", (4,)),
        "norm.moments.count": ("float64", (1,)),
        "norm.moments.mean": ("float64", (4,)),
        "norm.moments.variance": ("float64", (4,)),
        "norm.range.low": ("float64", (4,)),
        "norm.range.high": ("float64", (4,)),
        "history.loss": ("float64", (3,)),
        "history.validation_score": ("float64", (3,)),
        "history.validation_loss": ("float64", (3,)),
        "class_prior": ("float64", (3,)),
        "class_total": ("float64", (3,)),
    }
    np.testing.assert_allclose(tensors["class_prior"], [1 / 3] * 3, rtol=1e-15)
    assert tensors["class_total"].tolist() == [20.0, 20.0, 20.0]
    metadata = metadata_of(path)
    assert metadata["checksum"] == checksum(metadata, tensors)
    del metadata["checksum"]
    params = json.loads(metadata.pop("params"))
    assert params["hidden_layer_sizes"] == [5]
    assert params["callback"] is None
    assert metadata == {
        "format": "dnncore",
        "format_version": "2",
        "kind": "DNNClassifier",
        "dtype": "float32",
        "activation": "relu",
        "output": "softmax",
        "dnncore_version": dnncore.__version__,
        "layer_sizes": "[4, 5, 3]",
        "classes": '{"dtype": "U1", "kind": "str", "values": ["a", "b", "c"]}',
        "label_kind": "single",
        "feature_names": "null",
        "metrics": "[]",
        "n_iter": "3",
        "t": "180",
    }


def test_contents_of_the_others_as_documented(tmp_path):
    path = tmp_path / "model.safetensors"
    common = {
        "format", "format_version", "kind", "dtype", "activation", "output", "dnncore_version",
        "layer_sizes", "feature_names", "params", "n_iter", "t", "metrics", "checksum",
    }  # fmt: skip
    own = {
        "multilabel": {"kind": "DNNClassifier", "output": "logistic", "label_kind": "multilabel"},
        "soft": {"kind": "DNNClassifier", "output": "softmax", "label_kind": "soft"},
        "numbers": {"kind": "DNNRegressor", "output": "identity", "target_ndim": "1"},
        "rows of numbers": {"kind": "DNNRegressor", "output": "identity", "target_ndim": "2"},
    }
    tensors = {
        "multilabel": set(),
        "soft": {"class_prior", "class_total"},
        "numbers": {"target.mean", "target.scale"},
        "rows of numbers": {"target.mean", "target.scale"},
    }
    for name, (estimator, y) in OTHERS.items():
        fitted_other(name, activation="relu").save(path)
        metadata = metadata_of(path)
        names = common | ({"classes", "label_kind"} if estimator is DNNClassifier else set())
        assert set(metadata) == names | set(own[name])
        assert metadata.items() >= (own[name] | {"activation": "relu"}).items()
        stored = load_file(path)
        assert {x for x in stored if not x.startswith(("layers", "norm", "history"))} == (
            tensors[name]
        )
        if estimator is DNNRegressor:
            y = y.reshape(60, -1)
            np.testing.assert_allclose(stored["target.mean"], y.mean(axis=0), rtol=1e-13)
            np.testing.assert_allclose(stored["target.scale"], y.std(axis=0), rtol=1e-13)


def test_contents_of_a_predictor_as_documented(tmp_path):
    path = tmp_path / "model.safetensors"
    network = Network((4, 5, 2), dtype=np.float32, seed=0, activation="relu")
    network.set_norm(np.zeros(4), np.full(4, 0.5))
    network.freeze([True, False]).save(path)
    tensors, metadata = load_file(path), metadata_of(path)
    assert metadata.pop("checksum") == checksum(metadata, tensors)
    assert metadata == {
        "format": "dnncore",
        "format_version": "2",
        "kind": "Predictor",
        "dtype": "float32",
        "activation": "relu",
        "output": "softmax",
        "dnncore_version": dnncore.__version__,
        "layer_sizes": "[4, 5, 2]",
        "classes": '{"dtype": "bool", "kind": "bool", "values": [true, false]}',
    }
    assert set(tensors) == {f"layers.{i}.{part}" for i in (0, 1) for part in ("weight", "bias")}
    np.testing.assert_array_equal(tensors["layers.0.weight"], 2 * network.coefs_[0])


def test_solver_state_as_documented(tmp_path):
    path = tmp_path / "model.safetensors"
    model = fitted(dropout=0.25, scoring=["accuracy"])
    model.save(path, solver_state=True)
    tensors, metadata = load_file(path), metadata_of(path)
    state = model._trainer.state_dict()
    for i in (0, 1):
        np.testing.assert_array_equal(tensors[f"solver.state.{i}"], state["vectors"][i])
    assert tensors["history.metrics.0"].tolist() == model.history_.metrics["accuracy"]
    random = state["random"]
    assert json.loads(metadata["solver"]) == {
        "kind": "Adam",
        "settings": {
            "learning_rate_init": 0.002, "beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-8,
            "schedule": "constant",
        },
        "n_vectors": 2,
        "steps": 3,
        "learning_rate": 0.002,
        "dropout_seed": str(state["dropout_seed"]),
        "random": {
            "state": str(random["state"]["state"]), "inc": str(random["state"]["inc"]),
            "has_uint32": random["has_uint32"], "uinteger": random["uinteger"],
        },
        "no_improvement": model.history_.no_improvement,
        "best_loss": model.best_loss_,
        "best_validation_score": model.history_.best_validation_score,
    }  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
def test_files_that_the_package_safetensors_writes_are_read(write, kind):
    """The order of the header is no part of the format."""
    path = write(kind)
    load(path)
    before = metadata_of(path)["checksum"]
    alter(path)
    assert metadata_of(path)["checksum"] == before
    load(path)


def test_documentation_names_all():
    text = DOCS.read_text(encoding="utf-8")
    tensors = {name for group in _schema.GROUPS for name in group.tensors}
    tensors |= {"layers.{l}.weight", "layers.{l}.bias", "history.metrics.{i}", "solver.state.{i}"}
    for name in (*_schema.KEYS, *tensors, *_schema.KINDS):
        assert f"`{name}`" in text, name
    assert f'version "{_schema.VERSION}"' in text


def test_infinite_parameters_are_json(tmp_path):
    path = tmp_path / "model.safetensors"
    save(fitted(tol=np.inf), path)

    def refuse(word):
        raise AssertionError(word)

    params = json.loads(metadata_of(path)["params"], parse_constant=refuse)
    assert params["tol"] == {"float": "inf"}
    assert load(path).tol == np.inf
