"""The model file: round trips, refusals, damage, and writing in one step."""

import copy
import json
import os
import stat
import struct
import subprocess
import sys
import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.numpy import load_file, save_file
from sklearn.exceptions import ConvergenceWarning, NotFittedError

import dnncore
from dnncore import DNNClassifier, DNNRegressor, Network
from dnncore.modelfile import ModelFileError, load, save
from dnncore.predictor import Predictor

RNG = np.random.default_rng(0)
X = RNG.normal(3.0, 2.0, (60, 4))
CODES = np.arange(60) % 3
ACTIVATIONS = ["identity", "logistic", "tanh", "relu"]
OUTPUTS = ["softmax", "logistic", "identity"]

CLASSES = {
    "int64": np.array([-5, 0, 7]),
    "uint8": np.array([0, 200, 255], np.uint8),
    "big": np.array([0, 1, 2**64 - 1], np.uint64),
    "wide strings": np.array(["a", "b\n", "ü,\"'"], "U9"),
    "object strings": np.array(["", "cat", "\U0001f600"], object),
    "float32": np.array([-0.5, 0.1, 1e30], np.float32),
    "bool": np.array([False, True]),
}


def fitted(labels=CLASSES["int64"], dtype=np.float64, **parameters):
    """A small classifier after a few epochs."""
    y = labels[CODES % len(labels)]
    model = DNNClassifier((5,), **({"max_iter": 3, "random_state": 0} | parameters))
    return fit(model, X.astype(dtype), y)


def fit(model, X, y):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(X, y, X_val=X[:9], y_val=y[:9])


# What there is beside one label a row: an estimator, and what it is trained on.
OTHERS = {
    "multilabel": (DNNClassifier, (X[:, :3] > 3).astype(int)),
    "soft": (DNNClassifier, RNG.dirichlet(np.ones(3), 60)),
    "numbers": (DNNRegressor, X[:, 0] ** 2),
    "rows of numbers": (DNNRegressor, X[:, :2] * [1.0, -100.0] + [0.0, 5.0]),
}


def fitted_other(name, dtype=np.float64, **parameters):
    estimator, y = OTHERS[name]
    parameters = {"hidden_layer_sizes": (5,), "max_iter": 3, "random_state": 0} | parameters
    return fit(estimator(**parameters), X.astype(dtype), y)


def round_trip(model, path):
    save(model, path)
    return load(path)


def assert_same_network(a, b):
    assert a.layer_sizes == b.layer_sizes
    assert (a.activation, a.output) == (b.activation, b.output)
    assert a.dtype == b.dtype == b.parameters.dtype
    np.testing.assert_array_equal(a.parameters, b.parameters)
    assert (a.mean_ is None) == (b.mean_ is None)
    if a.mean_ is not None:
        np.testing.assert_array_equal(a.mean_, b.mean_)
        np.testing.assert_array_equal(a.scale_, b.scale_)
    assert (a.moments_ is None) == (b.moments_ is None)
    if a.moments_ is not None:
        assert a.moments_.count == b.moments_.count
        np.testing.assert_array_equal(a.moments_.mean, b.moments_.mean)
        np.testing.assert_array_equal(a.moments_.variance, b.moments_.variance)


# ------------------------------------------------------------------------------ round trips


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("norm", ["none", "given", "learnt"])
@pytest.mark.parametrize("sizes", [(4, 3), (4, 6, 5, 2)])
def test_network_comes_back(tmp_path, dtype, norm, sizes):
    network = Network(sizes, dtype=dtype, seed=1)
    if norm == "given":
        network.set_norm(np.arange(4.0), np.full(4, 0.1))
    elif norm == "learnt":
        network.update_norm(X.astype(dtype))
    loaded = round_trip(network, tmp_path / "model.safetensors")
    assert type(loaded) is Network
    assert_same_network(network, loaded)
    np.testing.assert_array_equal(
        network.predict_proba(X.astype(dtype)), loaded.predict_proba(X.astype(dtype))
    )


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("output", OUTPUTS)
def test_network_keeps_activation_and_output(tmp_path, activation, output):
    network = Network((4, 6, 2), seed=1, activation=activation, output=output)
    loaded = round_trip(network, tmp_path / "model.safetensors")
    assert_same_network(network, loaded)
    np.testing.assert_array_equal(network.predict_proba(X), loaded.predict_proba(X))


def assert_same_estimator(a, b, dtype):
    assert type(a) is type(b)
    assert_same_network(a.network_, b.network_)
    assert a.get_params() == b.get_params()
    for name in (
        "loss_curve_", "loss_", "best_loss_", "validation_scores_", "best_validation_score_",
        "n_iter_", "t_", "n_features_in_", "n_layers_", "n_outputs_", "out_activation_",
    ):  # fmt: skip
        assert getattr(a, name) == getattr(b, name), name
    methods = ["predict"]
    if isinstance(a, DNNClassifier):
        methods += ["predict_proba", "predict_log_proba", "decision_function"]
        assert a.classes_.dtype == b.classes_.dtype
        assert a.classes_.tolist() == b.classes_.tolist()
        assert hasattr(a, "class_prior_") == hasattr(b, "class_prior_")
        if hasattr(a, "class_prior_"):
            methods.append("predict_scaled_log_likelihood")
            np.testing.assert_array_equal(a.class_prior_, b.class_prior_)
    else:
        np.testing.assert_array_equal(a.target_mean_, b.target_mean_)
        np.testing.assert_array_equal(a.target_scale_, b.target_scale_)
    for method in methods:
        x = X.astype(dtype)
        expected, actual = getattr(a, method)(x), getattr(b, method)(x)
        assert actual.dtype == expected.dtype
        assert actual.shape == expected.shape
        np.testing.assert_array_equal(actual, expected)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("labels", CLASSES.values(), ids=CLASSES)
def test_classifier_comes_back(tmp_path, dtype, labels):
    if labels.dtype.kind == "f":  # scikit-learn takes only whole floats for classes
        labels = np.array([-1, 0, 3], labels.dtype)
    model = fitted(labels, dtype)
    assert_same_estimator(model, round_trip(model, tmp_path / "model.safetensors"), dtype)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", OTHERS)
def test_other_estimators_come_back(tmp_path, dtype, name):
    model = fitted_other(name, dtype, activation="tanh")
    path = tmp_path / "model.safetensors"
    loaded = round_trip(model, path)
    assert_same_estimator(model, loaded, dtype)
    for predictor in (loaded.freeze(), Predictor.load(path)):
        x = X.astype(dtype)
        np.testing.assert_array_equal(predictor(x), model.freeze()(x))
        np.testing.assert_array_equal(predictor.predict(x), model.freeze().predict(x))


def test_regressor_without_norm_of_the_target(tmp_path):
    model = fitted_other("rows of numbers", norm_target=False, loss="huber", huber_delta=0.5)
    loaded = round_trip(model, tmp_path / "model.safetensors")
    assert_same_estimator(model, loaded, np.float64)
    assert loaded.target_scale_.tolist() == [1.0, 1.0]


@pytest.mark.parametrize("values", CLASSES.values(), ids=CLASSES)
def test_classes_keep_dtype_and_values(tmp_path, values):
    model = fitted(np.arange(len(values)))
    model.classes_ = values
    loaded = round_trip(model, tmp_path / "model.safetensors")
    assert loaded.classes_.dtype == values.dtype
    assert loaded.classes_.tolist() == values.tolist()


def test_methods_and_package_function_use_the_file(tmp_path):
    path = tmp_path / "model.safetensors"
    model = fitted()
    model.save(path)
    np.testing.assert_array_equal(dnncore.load(path).predict(X), model.predict(X))
    model.network_.save(str(path))
    assert type(dnncore.load(str(path))) is Network


def test_without_norm_and_validation_rows(tmp_path):
    model = DNNClassifier((), norm=False).partial_fit(X, CODES, classes=[0, 1, 2])
    loaded = round_trip(model, tmp_path / "model.safetensors")
    assert loaded.network_.mean_ is None
    assert loaded.validation_scores_ is None
    assert loaded.hidden_layer_sizes == ()
    np.testing.assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))


def test_feature_names_come_back(tmp_path):
    frame = pd.DataFrame(X, columns=["a", "b b", "ü", "prediction"])
    model = DNNClassifier((3,)).partial_fit(frame, CODES, classes=[0, 1, 2])
    loaded = round_trip(model, tmp_path / "model.safetensors")
    assert loaded.feature_names_in_.tolist() == list(frame)
    assert loaded.feature_names_in_.dtype == object
    np.testing.assert_array_equal(loaded.predict(frame), model.predict(frame))
    with pytest.raises(ValueError, match="feature names"):
        loaded.predict(frame.rename(columns={"a": "z"}))


# Without momentum there is no optimizer state, which the file does not hold.
STATELESS = {"solver": "sgd", "momentum": 0.0, "shuffle": False, "random_state": 0}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_partial_fit_goes_on_as_if_never_saved(tmp_path, dtype):
    model = DNNClassifier((5,), **STATELESS)
    first, second = X[:30].astype(dtype), X[30:].astype(dtype)
    model.partial_fit(first, CODES[:30], classes=[0, 1, 2])
    loaded = round_trip(model, tmp_path / "model.safetensors")
    for each in (model, loaded):
        each.partial_fit(second[:20], CODES[30:50])
    assert_same_estimator(model, loaded, dtype)
    assert (loaded.n_iter_, loaded.t_) == (2, 50)
    # Classes 0 and 1 have a row more than the last.
    np.testing.assert_allclose(loaded.class_prior_, np.array([17, 17, 16]) / 50, rtol=1e-15)


@pytest.mark.parametrize("name", OTHERS)
def test_partial_fit_of_the_others_goes_on_as_if_never_saved(tmp_path, name):
    estimator, y = OTHERS[name]
    model = estimator(hidden_layer_sizes=(5,), **STATELESS).partial_fit(X[:30], y[:30])
    loaded = round_trip(model, tmp_path / "model.safetensors")
    for each in (model, loaded):
        each.partial_fit(X[30:], y[30:])
    assert_same_estimator(model, loaded, np.float64)
    assert (loaded.n_iter_, loaded.t_) == (2, 60)


def test_parameters_that_json_has_no_word_for(tmp_path):
    model = fitted(
        alpha=np.float32(0.1),
        tol=np.inf,
        n_iter_no_change=np.int64(4),
        random_state=np.random.RandomState(0),
        callback=lambda info: None,
    )
    model.hidden_layer_sizes = np.array([5])
    loaded = round_trip(model, tmp_path / "model.safetensors")
    assert loaded.alpha == float(np.float32(0.1))
    assert loaded.tol == np.inf
    assert type(loaded.n_iter_no_change) is int
    assert loaded.random_state is None
    assert loaded.callback is None
    assert loaded.hidden_layer_sizes == (5,)
    model.random_state = np.uint8(3)
    assert round_trip(model, tmp_path / "model.safetensors").random_state == 3


@pytest.mark.parametrize(
    ("labels", "weight"),
    [
        ([-5, 0, 7], {-5: 2.0, 0: 1, 7: 0.5}),
        ([-5, 0, 7], {np.int64(-5): np.float64(2.0)}),
        (["a", "b", "c"], {"a": 2.0, "c": 0.5}),
        (["a", "b", "c"], {np.str_("a"): 2.0}),
        ([False, True], {True: 3.0}),
        ([-5, 0, 7], {}),
        ([-5, 0, 7], "balanced"),
    ],
)
def test_class_weight_comes_back(tmp_path, labels, weight):
    model = fitted(np.array(labels), class_weight=weight, **STATELESS)
    loaded = round_trip(model, tmp_path / "model.safetensors")
    assert loaded.class_weight == weight
    if isinstance(weight, dict):
        assert {type(key) for key in loaded.class_weight} <= {type(label) for label in labels}
    y = np.array(labels)[CODES % len(labels)]
    for each in (model, loaded):
        each.partial_fit(X, y)
    assert_same_estimator(model, loaded, np.float64)


@pytest.mark.parametrize(
    ("scoring", "stored"),
    [
        ("accuracy", "accuracy"),
        (("accuracy", "neg_log_loss"), ("accuracy", "neg_log_loss")),
        (["f1_macro"], ("f1_macro",)),
        (lambda model, X, y: 1.0, None),
        ({"a": "accuracy"}, None),
    ],
)
def test_scoring_comes_back_if_it_is_made_of_names(tmp_path, scoring, stored):
    model = fitted(scoring=scoring)
    loaded = round_trip(model, tmp_path / "model.safetensors")
    assert loaded.scoring == stored
    assert loaded.validation_scores_ == model.validation_scores_


def test_priors_come_back(tmp_path):
    model = fitted().set_priors([0.5, 0.25, 0.25])
    loaded = round_trip(model, tmp_path / "model.safetensors")
    assert loaded.class_prior_.tolist() == [0.5, 0.25, 0.25]
    assert_same_estimator(model, loaded, np.float64)
    for each in (model, loaded):
        each.set_priors([1, 1, 2])
    assert_same_estimator(model, loaded, np.float64)


def test_a_class_that_has_not_come_yet(tmp_path):
    model = DNNClassifier((5,), **STATELESS).partial_fit(X[:2], CODES[:2], classes=[0, 1, 2])
    loaded = round_trip(model, tmp_path / "model.safetensors")
    assert loaded.class_prior_.tolist() == [0.5, 0.5, 0.0]
    for each in (model, loaded):
        each.partial_fit(X, CODES)
    assert_same_estimator(model, loaded, np.float64)


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
        "history.loss": ("float64", (3,)),
        "history.validation_score": ("float64", (3,)),
        "history.validation_loss": ("float64", (3,)),
        "class_prior": ("float64", (3,)),
        "class_total": ("float64", (3,)),
    }
    np.testing.assert_allclose(tensors["class_prior"], [1 / 3] * 3, rtol=1e-15)
    assert tensors["class_total"].tolist() == [20.0, 20.0, 20.0]
    metadata = metadata_of(path)
    params = json.loads(metadata.pop("params"))
    assert params["hidden_layer_sizes"] == [5]
    assert params["callback"] is None
    assert metadata == {
        "format": "dnncore",
        "format_version": "1",
        "kind": "DNNClassifier",
        "dtype": "float32",
        "activation": "relu",
        "output": "softmax",
        "dnncore_version": dnncore.__version__,
        "layer_sizes": "[4, 5, 3]",
        "classes": '{"kind": "str", "dtype": "U1", "values": ["a", "b", "c"]}',
        "label_kind": "single",
        "feature_names": "null",
        "n_iter": "3",
        "t": "180",
    }


def test_contents_of_the_others_as_documented(tmp_path):
    path = tmp_path / "model.safetensors"
    common = {
        "format", "format_version", "kind", "dtype", "activation", "output", "dnncore_version",
        "layer_sizes", "feature_names", "params", "n_iter", "t",
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


# --------------------------------------------------------------------------------- writing


def test_same_model_gives_the_same_bytes(tmp_path):
    model = fitted()
    contents = set()
    for name in "abcde":
        model.save(tmp_path / name)
        contents.add((tmp_path / name).read_bytes())
    assert len(contents) == 1


def test_a_failed_write_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "model.safetensors"
    path.write_bytes(b"old")

    def fail(*args):
        raise OSError(28, "No space left on device")

    for function in ("fsync", "replace"):
        with monkeypatch.context() as patch:
            patch.setattr(os, function, fail)
            with pytest.raises(OSError, match="No space left") as caught:
                save(Network((2, 2)), path)
        assert caught.value.filename == str(path)
        assert path.read_bytes() == b"old"
        assert os.listdir(tmp_path) == ["model.safetensors"]


def test_where_a_file_can_be_written(tmp_path):
    network = Network((2, 2), seed=0)
    missing = tmp_path / "missing" / "model"
    with pytest.raises(FileNotFoundError) as caught:
        save(network, missing)
    assert caught.value.filename == str(missing)
    with pytest.raises(OSError, match="not a regular file"):
        save(network, tmp_path)
    path = tmp_path / ("m" * 255)  # as long as a name may be
    save(network, path)
    assert_same_network(network, load(path))


@pytest.mark.skipif(os.name == "nt", reason="symbolic links, devices and modes of POSIX")
def test_links_devices_and_modes(tmp_path):
    network = Network((2, 2), seed=0)
    with pytest.raises(OSError, match="not a regular file"):
        save(network, os.devnull)
    target, link = tmp_path / "target", tmp_path / "link"
    link.symlink_to(target)
    save(network, link)
    assert link.is_symlink()
    assert_same_network(network, load(target))
    other = tmp_path / "other"
    other.write_bytes(b"")
    assert stat.S_IMODE(target.stat().st_mode) == stat.S_IMODE(other.stat().st_mode)


def test_what_cannot_be_saved(tmp_path):
    path = tmp_path / "model.safetensors"
    with pytest.raises(
        TypeError, match="must be a Network, DNNClassifier or DNNRegressor, got dict"
    ):
        save({}, path)
    for model in (DNNClassifier(), DNNRegressor()):
        with pytest.raises(NotFittedError):
            save(model, path)
    network = Network((2, 2))
    network.coefs_[0][1, 0] = np.nan
    with pytest.raises(ValueError, match=r"finite to be saved, got layers\.0\.weight"):
        save(network, path)
    for classes in (np.array([b"a", b"b", b"c"]), np.array([1, "b", None], object)):
        model = fitted()
        model.classes_ = classes
        with pytest.raises(TypeError, match="classes must be integers, strings, floats or"):
            save(model, path)
    model = fitted()
    model.tol = object()
    with pytest.raises(TypeError, match="parameters must be plain values to be saved, got <obj"):
        save(model, path)
    model = fitted_other("numbers")
    model.target_scale_ = np.array([np.inf])
    with pytest.raises(ValueError, match=r"finite to be saved, got target\.scale"):
        save(model, path)
    assert not path.exists()


# --------------------------------------------------------------------------------- refusals


def metadata_of(path):
    with safe_open(path, framework="np") as file:
        return dict(file.metadata())


def refusal(path):
    """The message of the error that `load` raises: one line that begins with the path."""
    with pytest.raises(ModelFileError) as caught:
        load(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    return message


@pytest.fixture(scope="module")
def model():
    return fitted(np.array(["a", "b", "c"]))


@pytest.fixture
def path(model, tmp_path):
    model.save(tmp_path / "model.safetensors")
    return tmp_path / "model.safetensors"


@pytest.fixture(scope="module")
def models(model):
    """One of every kind, by name."""
    network = Network((4, 5, 2), seed=0, activation="tanh", output="logistic")
    network.update_norm(X)
    return {"network": network, "single": model} | {name: fitted_other(name) for name in OTHERS}


KINDS = ["network", "single", *OTHERS]


def alter(path, tensors=(), metadata=()):
    """Write the file anew with some parts replaced, or dropped if None."""
    new = [load_file(path) | dict(tensors), metadata_of(path) | dict(metadata)]
    new = [{name: x for name, x in part.items() if x is not None} for part in new]
    save_file(new[0], path, metadata=new[1])


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        ({"format": "pt"}, "not a dnncore model file"),
        ({"format": None}, "not a dnncore model file"),
        ({"format_version": "2"}, "format version must be '1', got '2'"),
        ({"format_version": None}, "format version must be '1', got None"),
        ({"kind": "MLPClassifier"}, "kind must be"),
        ({"kind": "Network"}, "unknown metadata"),
        ({"kind": "DNNRegressor"}, "unknown metadata ['classes']"),
        ({"activation": "sigmoid"}, "activation must be one of identity, logistic, tanh, relu,"),
        ({"activation": ""}, "activation must be one of"),
        ({"activation": None}, "missing metadata ['activation']"),
        ({"output": "linear"}, "output must be one of softmax, logistic, identity, got 'linear'"),
        ({"output": None}, "missing metadata ['output']"),
        ({"output": "logistic"}, "unknown tensor ['class_prior']"),
        ({"output": "identity"}, "unknown tensor ['class_prior']"),
        ({"label_kind": None}, "missing metadata ['label_kind']"),
        ({"label_kind": "many"}, "label_kind 'many' does not go with output 'softmax'"),
        ({"label_kind": "multilabel"}, "label_kind 'multilabel' does not go with output 'softmax'"),
        ({"target_ndim": "1"}, "unknown metadata ['target_ndim']"),
        ({"extra": "1"}, "unknown metadata ['extra']"),
        ({"dnncore_version": None}, "missing metadata ['dnncore_version']"),
        ({"t": None}, "missing metadata ['t']"),
        ({"dtype": "float16"}, "dtype must be 'float32' or 'float64', got 'float16'"),
        ({"dtype": "float32"}, "must have dtype F32, got F64"),
        ({"layer_sizes": "4, 5, 3"}, "must be JSON"),
        ({"layer_sizes": "[" * 100_000}, "must be JSON"),
        ({"layer_sizes": "[4, " + "9" * 5000 + "]"}, "must be JSON"),
        ({"layer_sizes": "[4]"}, "at least 2 positive integers"),
        ({"layer_sizes": "[4, true, 3]"}, "at least 2 positive integers"),
        ({"layer_sizes": "[4, 5.0, 3]"}, "at least 2 positive integers"),
        ({"layer_sizes": "[4, 0, 3]"}, "at least 2 positive integers"),
        ({"layer_sizes": "[4, 5, 4]"}, "layers.1.weight must have shape (5, 4), got (5, 3)"),
        ({"layer_sizes": "[4, 3]"}, "unknown tensor ['layers.1.bias']"),
        ({"layer_sizes": "[4, 5, 3, 3]"}, "missing tensor ['layers.2.bias']"),
        ({"layer_sizes": "[1000000000000, 1000000000000]"}, "unknown tensor"),
        ({"n_iter": "-1"}, "n_iter must be a non-negative integer"),
        ({"t": "1e3"}, "t must be a non-negative integer"),
        ({"t": str(2**64)}, "t must be a non-negative integer"),
        ({"feature_names": '["a", "b", "c"]'}, "feature_names must be null or 4 strings"),
        ({"feature_names": '["a", "b", "c", 4]'}, "feature_names must be null or 4 strings"),
        ({"feature_names": '"abcd"'}, "feature_names must be null or 4 strings"),
        ({"params": "[]"}, "params must be a JSON object"),
        ({"params": '{"C": 1}'}, "unknown parameter ['C']"),
        ({"params": '{"callback": "os.system"}'}, "callback must be null"),
        ({"params": '{"alpha": -1}'}, "params: alpha"),
        ({"params": '{"alpha": NaN}'}, "params: alpha"),
        ({"params": '{"alpha": 1' + 400 * "0" + "}"}, "params: alpha"),
        ({"params": '{"hidden_layer_sizes": "abc"}'}, "params: hidden_layer_sizes"),
        ({"params": '{"hidden_layer_sizes": {"a": [1]}}'}, "params: hidden_layer_sizes"),
        ({"params": '{"random_state": "a"}'}, "params: "),
        ({"params": '{"solver": ["adam"]}'}, "params: solver"),
        ({"params": '{"activation": "sigmoid"}'}, "params: activation"),
        ({"params": '{"dropout": 1}'}, "params: dropout"),
        ({"params": '{"label_smoothing": -0.1}'}, "params: label_smoothing"),
        ({"params": '{"max_time": 0}'}, "params: max_time"),
        ({"params": '{"loss": "huber"}'}, "unknown parameter ['loss']"),
        ({"params": '{"scoring": "beauty"}'}, "params: "),
        ({"params": '{"scoring": ["accuracy", "beauty"]}'}, "params: "),
        ({"params": '{"scoring": 1}'}, "params: "),
        ({"params": '{"scoring": [[]]}'}, "params: "),
        ({"params": '{"class_weight": "heavy"}'}, "params: class_weight"),
        ({"params": '{"class_weight": 1}'}, "params: class_weight"),
        ({"params": '{"class_weight": ["a", 1]}'}, "class_weight must be pairs"),
        ({"params": '{"class_weight": [["a"]]}'}, "class_weight must be pairs"),
        ({"params": '{"class_weight": [["a", 1, 2]]}'}, "class_weight must be pairs"),
        ({"params": '{"class_weight": [[["a"], 1]]}'}, "class_weight must be pairs"),
        ({"params": '{"class_weight": [[null, 1]]}'}, "class_weight must be pairs"),
    ],
)
def test_metadata_that_is_wrong(path, metadata, message):
    alter(path, metadata=metadata)
    assert message in refusal(path)


@pytest.mark.parametrize(
    ("kind", "metadata", "message"),
    [
        ("network", {"activation": "Tanh"}, "activation must be one of"),
        ("network", {"output": None}, "missing metadata ['output']"),
        ("network", {"label_kind": "multilabel"}, "unknown metadata ['label_kind']"),
        ("network", {"params": "{}"}, "unknown metadata ['params']"),
        ("multilabel", {"label_kind": "single"}, "'single' does not go with output 'logistic'"),
        ("multilabel", {"label_kind": "soft"}, "'soft' does not go with output 'logistic'"),
        ("multilabel", {"output": "softmax"}, "missing tensor ['class_prior']"),
        ("multilabel", {"output": "identity"}, "does not go with output 'identity'"),
        ("soft", {"label_kind": "multilabel"}, "does not go with output 'softmax'"),
        ("numbers", {"kind": "DNNClassifier"}, "unknown metadata ['target_ndim']"),
        ("numbers", {"label_kind": "single"}, "unknown metadata ['label_kind']"),
        ("numbers", {"classes": "null"}, "unknown metadata ['classes']"),
        ("numbers", {"output": "softmax"}, "output of a DNNRegressor must be 'identity'"),
        ("numbers", {"output": "logistic"}, "output of a DNNRegressor must be 'identity'"),
        ("numbers", {"target_ndim": None}, "missing metadata ['target_ndim']"),
        ("numbers", {"target_ndim": "0"}, "target_ndim must go with"),
        ("numbers", {"target_ndim": "3"}, "target_ndim must go with"),
        ("numbers", {"target_ndim": "1.0"}, "target_ndim must go with"),
        ("numbers", {"target_ndim": "true"}, "target_ndim must go with"),
        ("numbers", {"target_ndim": "null"}, "target_ndim must go with"),
        ("numbers", {"target_ndim": "[1]"}, "target_ndim must go with"),
        ("numbers", {"target_ndim": '"1"'}, "target_ndim must go with"),
        ("numbers", {"target_ndim": "one"}, "must be JSON"),
        ("rows of numbers", {"target_ndim": "1"}, "target_ndim must go with 2"),
        ("numbers", {"params": '{"loss": "absolute_error"}'}, "params: loss"),
        ("numbers", {"params": '{"loss": ["huber"]}'}, "params: loss"),
        ("numbers", {"params": '{"huber_delta": 0}'}, "params: huber_delta"),
        ("numbers", {"params": '{"class_weight": null}'}, "unknown parameter ['class_weight']"),
    ],
)
def test_metadata_of_a_kind_that_is_wrong(models, tmp_path, kind, metadata, message):
    path = tmp_path / "model.safetensors"
    save(models[kind], path)
    alter(path, metadata=metadata)
    assert message in refusal(path)


@pytest.mark.parametrize(
    ("kind", "dtype", "values", "message"),
    [
        ("str", "U1", ["a", "b"], "must be 3 values of kind str"),
        ("str", "U1", ["a", "b", 3], "must be 3 values of kind str"),
        ("str", "U1", "abc", "must be 3 values of kind str"),
        ("str", "U1", ["a", "c", "b"], "unique and sorted"),
        ("str", "U1", ["a", "b", "b"], "unique and sorted"),
        ("str", "U2", ["a", "a\0", "b"], "unique and sorted"),  # NumPy strips the zero
        ("str", "U1", ["a", "b", "cc"], "cannot have dtype 'U1'"),
        ("str", "U900000000", ["a", "b", "c"], "cannot have dtype 'U900000000'"),
        ("str", "U" + "9" * 5000, ["a", "b", "c"], "cannot have dtype 'U999"),
        ("str", "U١", ["a", "b", "c"], "cannot have dtype"),
        ("str", "S1", ["a", "b", "c"], "cannot have dtype 'S1'"),
        ("str", "U1,i8", ["a", "b", "c"], "cannot have dtype 'U1,i8'"),
        ("str", None, ["a", "b", "c"], "cannot have dtype None"),
        ("int", "int64", [1, 2, True], "must be 3 values of kind int"),
        ("int", "int64", [1.0, 2.0, 3.0], "must be 3 values of kind int"),
        ("int", "float64", [1, 2, 3], "cannot have dtype 'float64'"),
        ("int", "object", [1, 2, 3], "cannot have dtype 'object'"),
        ("int", "int8", [1, 2, 128], "must fit into int8"),
        ("int", "uint8", [-1, 2, 3], "must fit into uint8"),
        ("int", "int64", [1, 3, 2], "unique and sorted"),
        ("float", "float64", [1.0, 2.0, float("nan")], "must be finite"),
        ("float", "float16", [1.0, 2.0, 1e6], "must be finite"),
        ("float", "float16", [1.0, 2.0, 2.0001], "unique and sorted"),
        ("bool", "bool", [False, True, True], "unique and sorted"),
        ("bytes", "S1", ["a", "b", "c"], "must be one of bool, int, float, str, got 'bytes'"),
        (["int"], "int64", [1, 2, 3], "must be one of bool, int, float, str"),
    ],
)
def test_classes_that_are_wrong(path, kind, dtype, values, message):
    classes = {"kind": kind, "dtype": dtype, "values": values}
    alter(path, metadata={"classes": json.dumps(classes)})
    assert message in refusal(path)


@pytest.mark.parametrize("classes", ["null", "[]", "{}", '{"kind": "int", "values": [1, 2, 3]}'])
def test_classes_of_another_form(path, classes):
    alter(path, metadata={"classes": classes})
    assert "classes must be an object of kind, dtype and values" in refusal(path)


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        ({"extra": np.zeros(1)}, "unknown tensor ['extra']"),
        ({"layers.2.bias": np.zeros(3)}, "unknown tensor ['layers.2.bias']"),
        ({"layers.0.bias": None}, "missing tensor ['layers.0.bias']"),
        ({"norm.mean": None}, "missing tensor ['norm.mean']"),
        ({"norm.scale": None}, "missing tensor ['norm.scale']"),
        ({"norm.mean": None, "norm.scale": None}, "missing tensor ['norm.mean']"),
        ({"norm.moments.count": None}, "missing tensor ['norm.moments.count']"),
        ({"history.loss": None}, "missing tensor ['history.loss']"),
        ({"history.loss": np.zeros((3, 1))}, "history.loss must have shape (3,), got (3, 1)"),
        ({"history.loss": np.array(1.0)}, "history.loss must have shape ()"),
        ({"history.loss": np.zeros(3, np.float32)}, "must have dtype F64, got F32"),
        ({"history.validation_score": np.zeros((1, 1))}, "must have shape (1,), got (1, 1)"),
        ({"layers.0.weight": np.zeros((5, 4))}, "must have shape (4, 5), got (5, 4)"),
        ({"layers.0.weight": np.zeros((4, 5), np.int64)}, "must have dtype F64, got I64"),
        ({"layers.0.weight": np.zeros((4, 5), np.float16)}, "must have dtype F64, got F16"),
        ({"layers.1.bias": np.array([0.0, np.nan, 0.0])}, "layers.1.bias must be finite"),
        ({"history.loss": np.array([1.0, np.inf])}, "history.loss must be finite"),
        ({"norm.mean": np.full(4, -np.inf)}, "norm.mean must be finite"),
        ({"norm.scale": np.array([1.0, 1.0, 0.0, 1.0])}, "norm.scale must be positive"),
        ({"norm.scale": np.array([1.0, 1.0, -1.0, 1.0])}, "norm.scale must be positive"),
        ({"norm.moments.count": np.zeros(1)}, "norm.moments.count must be positive"),
        ({"norm.moments.variance": np.full(4, -1.0)}, "must not be negative"),
        ({"class_prior": None}, "missing tensor ['class_prior']"),
        ({"class_total": None}, "missing tensor ['class_total']"),
        ({"class_prior": np.full(2, 0.5)}, "class_prior must have shape (3,), got (2,)"),
        ({"class_total": np.ones((3, 1))}, "class_total must have shape (3,), got (3, 1)"),
        ({"class_prior": np.ones(3, np.float32)}, "class_prior must have dtype F64, got F32"),
        ({"class_prior": np.array([0.5, 0.75, -0.25])}, "class_prior must not be negative"),
        ({"class_prior": np.array([0.5, 0.5, np.nan])}, "class_prior must be finite"),
        ({"class_total": np.array([1.0, -1.0, 1.0])}, "class_total must not be negative"),
        ({"class_total": np.array([1.0, np.inf, 1.0])}, "class_total must be finite"),
        ({"class_total": np.zeros(3)}, "class_total must not be all zero"),
        ({"target.mean": np.zeros(3)}, "unknown tensor ['target.mean']"),
    ],
)
def test_tensors_that_are_wrong(path, tensors, message):
    alter(path, tensors=tensors)
    assert message in refusal(path)


@pytest.mark.parametrize(
    ("kind", "tensors", "message"),
    [
        ("network", {"class_prior": np.full(2, 0.5)}, "unknown tensor ['class_prior']"),
        ("network", {"target.mean": np.zeros(2)}, "unknown tensor ['target.mean']"),
        ("network", {"history.loss": np.zeros(2)}, "unknown tensor ['history.loss']"),
        ("multilabel", {"class_prior": np.full(3, 0.5)}, "unknown tensor ['class_prior']"),
        ("soft", {"class_total": None}, "missing tensor ['class_total']"),
        ("numbers", {"class_total": np.ones(1)}, "unknown tensor ['class_total']"),
        ("numbers", {"target.mean": None}, "missing tensor ['target.mean']"),
        ("numbers", {"target.scale": None}, "missing tensor ['target.scale']"),
        ("numbers", {"target.scale": np.zeros(1)}, "target.scale must be positive"),
        ("rows of numbers", {"target.scale": np.array([1.0, -1.0])}, "scale must be positive"),
        ("rows of numbers", {"target.scale": np.array([1.0, np.inf])}, "scale must be finite"),
        ("rows of numbers", {"target.mean": np.array([np.nan, 0.0])}, "mean must be finite"),
        ("rows of numbers", {"target.mean": np.zeros(1)}, "must have shape (2,), got (1,)"),
        ("rows of numbers", {"target.mean": np.zeros((1, 2))}, "shape (2,), got (1, 2)"),
        ("rows of numbers", {"target.scale": np.ones(2, np.float32)}, "dtype F64, got F32"),
    ],
)
def test_tensors_of_a_kind_that_are_wrong(models, tmp_path, kind, tensors, message):
    path = tmp_path / "model.safetensors"
    save(models[kind], path)
    alter(path, tensors=tensors)
    assert message in refusal(path)
    with pytest.raises(ModelFileError):
        Predictor.load(path)


def test_history_of_any_length(path):
    alter(path, tensors={"history.loss": np.zeros(0), "history.validation_score": None})
    assert load(path).loss_curve_ == []


# ----------------------------------------------------------------------------------- damage


def test_files_that_are_not_there_or_cannot_be_read(tmp_path):
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "missing")
    with pytest.raises(OSError) as caught:
        load(tmp_path)
    assert not isinstance(caught.value, ModelFileError)


@pytest.fixture(scope="module")
def contents(models, tmp_path_factory):
    """The bytes of a file of every kind."""
    path = tmp_path_factory.mktemp("models") / "model.safetensors"
    saved = {}
    for kind, model in models.items():
        save(model, path)
        saved[kind] = path.read_bytes()
    return saved


def assert_whole(loaded, model):
    """What was loaded from a changed file is a model like the one that was saved."""
    assert type(loaded) is type(model)
    before, after = (x if isinstance(x, Network) else x.network_ for x in (model, loaded))
    assert (after.layer_sizes, after.dtype) == (before.layer_sizes, before.dtype)
    assert after.output == before.output
    assert np.isfinite(after.parameters).all()
    assert (after.scale_ > 0).all()
    method = "predict_proba" if isinstance(model, Network) else "predict"
    with np.errstate(all="ignore"):  # a changed weight may be huge
        predicted = getattr(loaded, method)(X)
    assert predicted.shape == getattr(model, method)(X).shape
    if isinstance(model, DNNClassifier):
        assert len(loaded.classes_) == len(model.classes_)
        assert loaded.predict_proba(X).shape == (60, 3)
        assert hasattr(loaded, "class_prior_") == hasattr(model, "class_prior_")
        assert loaded.predict(X[:1]).dtype.kind == model.predict(X[:1]).dtype.kind
    if isinstance(model, DNNRegressor):
        assert np.isfinite(loaded.target_mean_).all()
        assert (loaded.target_scale_ > 0).all()


@pytest.mark.parametrize("kind", KINDS)
def test_truncated_anywhere(contents, tmp_path, kind):
    data, path = contents[kind], tmp_path / "model.safetensors"
    header_end = 8 + int.from_bytes(data[:8], "little")
    for size in {*range(0, len(data), 13), *range(20), header_end - 1, header_end, len(data) - 1}:
        path.write_bytes(data[:size])
        assert "not a readable safetensors file" in refusal(path)


def test_followed_by_more(path):
    path.write_bytes(path.read_bytes() + b"\0")
    refusal(path)


@settings(
    max_examples=400,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_flipped_bits(models, contents, tmp_path, data):
    """A changed file is refused, or is a whole model: there is no checksum in the format.

    A bit inside a weight only changes the weight; one inside a name or a number of the metadata
    may give another valid one.
    """
    kind = data.draw(st.sampled_from(KINDS))
    content, path = bytearray(contents[kind]), tmp_path / "model.safetensors"
    for _ in range(data.draw(st.integers(1, 3))):
        bit = data.draw(st.integers(0, 8 * len(content) - 1))
        content[bit // 8] ^= 1 << bit % 8
    path.write_bytes(content)
    assert_refused_or_whole(path, models[kind])


def assert_refused_or_whole(path, model):
    """Returns whether it is whole."""
    try:
        loaded = load(path)
    except ModelFileError as error:
        assert str(error).startswith(f"{path}: ")
        assert "\n" not in str(error)
        return False
    assert_whole(loaded, model)
    return True


@pytest.mark.parametrize("kind", KINDS)
def test_a_bit_in_every_third_byte_of_the_header(models, contents, tmp_path, kind):
    """The same one bit at a time, so that no part of the header is left out."""
    data, path = contents[kind], tmp_path / "model.safetensors"
    header_end = 8 + int.from_bytes(data[:8], "little")
    n_loaded = 0
    for position in range(KINDS.index(kind) % 3, header_end, 3):
        changed = bytearray(data)
        changed[position] ^= 1 << position % 8
        path.write_bytes(changed)
        n_loaded += assert_refused_or_whole(path, models[kind])
    assert 0 < n_loaded < header_end / 12  # names of letters, numbers of parameters


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9)
JSON = st.recursive(
    SCALARS,
    lambda x: st.lists(x, max_size=3) | st.dictionaries(st.text(max_size=3), x, max_size=3),
    max_leaves=5,
)


@settings(
    max_examples=400,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_metadata_of_any_value(models, contents, tmp_path, data):
    """One word of the metadata, or one parameter, becomes another."""
    kind = data.draw(st.sampled_from(KINDS))
    path = tmp_path / "model.safetensors"
    path.write_bytes(contents[kind])
    metadata = metadata_of(path)
    key = data.draw(st.sampled_from(sorted(metadata)))
    if key == "params":
        params = json.loads(metadata["params"])
        params[data.draw(st.sampled_from(sorted(params)))] = data.draw(JSON)
        value = json.dumps(params)
    else:
        value = data.draw(JSON.map(json.dumps) | st.sampled_from(sorted(metadata.values())))
    alter(path, metadata={key: value})
    assert_refused_or_whole(path, models[kind])


@settings(
    max_examples=400,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_tensors_of_any_value(models, contents, tmp_path, data):
    """One tensor becomes another, or goes by another name."""
    kind = data.draw(st.sampled_from(KINDS))
    path = tmp_path / "model.safetensors"
    path.write_bytes(contents[kind])
    tensors = load_file(path)
    names = sorted(tensors)
    name = data.draw(st.sampled_from(names))
    shape = data.draw(
        st.just(tensors[name].shape) | st.lists(st.integers(0, 5), max_size=3).map(tuple)
    )
    dtype = data.draw(st.sampled_from(["float64", "float32", "float16", "int64", "bool"]))
    numbers = st.sampled_from([0.0, 1.0, -1.0, np.nan, np.inf, 1e-310, 1e300])
    with np.errstate(over="ignore", invalid="ignore"):
        tensor = np.full(shape, data.draw(numbers)).astype(dtype)
    other = data.draw(st.just(name) | st.sampled_from([*names, "class_prior", "target.mean"]))
    alter(path, tensors={name: None} | {other: tensor})
    assert_refused_or_whole(path, models[kind])


@settings(max_examples=100, deadline=None, derandomize=True,
          suppress_health_check=[HealthCheck.function_scoped_fixture])  # fmt: skip
@given(content=st.binary(max_size=200), framed=st.booleans())
def test_arbitrary_bytes(tmp_path, content, framed):
    path = tmp_path / "model.safetensors"
    path.write_bytes(struct.pack("<Q", len(content)) + content if framed else content)
    refusal(path)


def tensor_entry(dtype, shape, begin, end):
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


METADATA = {"format": "dnncore", "format_version": "1", "kind": "Network", "dtype": "float64",
            "activation": "logistic", "output": "softmax", "dnncore_version": "0",
            "layer_sizes": "[1, 1]"}  # fmt: skip
BIAS = {"layers.0.bias": tensor_entry("F64", [1], 0, 8)}


@pytest.mark.parametrize(
    "header",
    [
        b"",
        b"{",
        b"null",
        b"[" * 100_000,
        b'{"__metadata__":' * 10_000,
        b'{"__metadata__":{"format":"\xff"}}',
        b'{"__metadata__":{"format":"\\ud800"}}',
        {"__metadata__": {"format": 1}},
        {"__metadata__": METADATA},
        {"__metadata__": METADATA} | BIAS,
        BIAS,
        {"__metadata__": METADATA, "layers.0.weight": tensor_entry("F64", [1, 1], 0, 8)} | BIAS,
        {"__metadata__": METADATA, "layers.0.weight": tensor_entry("BF16", [1, 1], 8, 10)} | BIAS,
        {"__metadata__": METADATA, "layers.0.weight": tensor_entry("F4", [1, 1], 8, 9)} | BIAS,
        {"__metadata__": METADATA, "layers.0.weight": tensor_entry("F8_E5M2", [1], 8, 9)} | BIAS,
        {"__metadata__": METADATA, "layers.0.weight": tensor_entry("F64", [2**62, 8], 8, 16)}
        | BIAS,
        {"__metadata__": METADATA, "layers.0.weight": tensor_entry("F64", [1, 1], 16, 8)} | BIAS,
        {"__metadata__": METADATA, "layers.0.weight": tensor_entry("F64", [1, 1], -8, 0)} | BIAS,
        {"__metadata__": METADATA, "layers.0.weight": tensor_entry("F64", [0, 2**60], 8, 8)} | BIAS,
        {"__metadata__": METADATA | {"layer_sizes": "[" + "1," * 10**6 + "1]"}} | BIAS,
        {"__metadata__": METADATA | {"layer_sizes": "{}"}} | BIAS,
        {"__metadata__": METADATA | {"params": "{}"}} | BIAS,
        {"__metadata__": METADATA | {"activation": "a" * 10**6}} | BIAS,
    ],
)
def test_hostile_headers(tmp_path, header):
    header = header if isinstance(header, bytes) else json.dumps(header).encode()
    path = tmp_path / "model.safetensors"
    path.write_bytes(struct.pack("<Q", len(header)) + header + bytes(16))
    refusal(path)


def test_a_header_that_is_not_hostile(tmp_path):
    """What those of above are made from."""
    weight = {"layers.0.weight": tensor_entry("F64", [1, 1], 8, 16)}
    header = json.dumps({"__metadata__": METADATA} | weight | BIAS).encode()
    path = tmp_path / "model.safetensors"
    path.write_bytes(struct.pack("<Q", len(header)) + header + bytes(16))
    assert load(path).predict_proba(np.ones((1, 1))).tolist() == [[1.0]]


@pytest.mark.parametrize("size", [0, 1, 2**31, 2**63 - 1, 2**63, 2**64 - 1])
def test_hostile_header_sizes(tmp_path, size):
    path = tmp_path / "model.safetensors"
    path.write_bytes(struct.pack("<Q", size) + b"{}")
    refusal(path)


def test_other_formats(tmp_path):
    path = tmp_path / "model"
    np.savez(path.with_suffix(".npz"), X=X)
    refusal(path.with_suffix(".npz"))
    save_file({"a": X}, path, metadata={"format": "pt"})
    assert "not a dnncore model file" in refusal(path)
    save_file({"a": X}, path)
    assert "not a dnncore model file" in refusal(path)


# ------------------------------------------------------------------------ optional packages


def test_without_safetensors(tmp_path, monkeypatch):
    network = Network((2, 2))
    save(network, tmp_path / "model")
    for name in ("safetensors", "safetensors.numpy"):
        monkeypatch.setitem(sys.modules, name, None)
    for call in (lambda: save(network, tmp_path / "model"), lambda: load(tmp_path / "model")):
        with pytest.raises(ImportError, match=r"pip install 'dnncore\[cli\]'"):
            call()


def test_networks_and_predictors_need_no_scikit_learn(tmp_path, models):
    for kind, model in models.items():
        model.save(tmp_path / kind)
    code = """
import os, sys
sys.modules["sklearn"] = None
import dnncore
from dnncore.predictor import Predictor
for kind in os.listdir():
    Predictor.load(kind)
    try:
        model = dnncore.load(kind)
    except ImportError as error:
        assert kind != "network"
        assert "dnncore[sklearn]" in str(error), error
    else:
        assert kind == "network"
        model.save("copy")
"""
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path)


def test_a_copy_is_independent_of_the_file(tmp_path, model):
    path = tmp_path / "model.safetensors"
    save(model, path)
    loaded = load(path)
    before = copy.deepcopy(loaded.network_.parameters)
    path.write_bytes(bytes(path.stat().st_size))
    np.testing.assert_array_equal(loaded.network_.parameters, before)
    loaded.network_.parameters[...] = 0.0  # its own, writable memory
