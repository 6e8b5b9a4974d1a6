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
from dnncore import DNNClassifier, Network
from dnncore.modelfile import ModelFileError, load, save

RNG = np.random.default_rng(0)
X = RNG.normal(3.0, 2.0, (60, 4))
CODES = np.arange(60) % 3

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
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(X.astype(dtype), y, X_val=X[:9].astype(dtype), y_val=y[:9])


def round_trip(model, path):
    save(model, path)
    return load(path)


def assert_same_network(a, b):
    assert a.layer_sizes == b.layer_sizes
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


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("labels", CLASSES.values(), ids=CLASSES)
def test_classifier_comes_back(tmp_path, dtype, labels):
    if labels.dtype.kind == "f":  # scikit-learn takes only whole floats for classes
        labels = np.array([-1, 0, 3], labels.dtype)
    model = fitted(labels, dtype)
    loaded = round_trip(model, tmp_path / "model.safetensors")
    assert_same_network(model.network_, loaded.network_)
    assert loaded.classes_.dtype == model.classes_.dtype
    assert loaded.classes_.tolist() == model.classes_.tolist()
    assert loaded.get_params() == model.get_params()
    for name in (
        "loss_curve_", "loss_", "best_loss_", "validation_scores_", "best_validation_score_",
        "n_iter_", "t_", "n_features_in_", "n_layers_", "n_outputs_", "out_activation_",
    ):  # fmt: skip
        assert getattr(loaded, name) == getattr(model, name), name
    for method in ("predict", "predict_proba", "predict_log_proba", "decision_function"):
        x = X.astype(dtype)
        np.testing.assert_array_equal(getattr(loaded, method)(x), getattr(model, method)(x))


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


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_partial_fit_goes_on_as_if_never_saved(tmp_path, dtype):
    # Without momentum there is no optimizer state, which the file does not hold.
    model = DNNClassifier((5,), solver="sgd", momentum=0.0, shuffle=False, random_state=0)
    first, second = X[:30].astype(dtype), X[30:].astype(dtype)
    model.partial_fit(first, CODES[:30], classes=[0, 1, 2])
    loaded = round_trip(model, tmp_path / "model.safetensors")
    for each in (model, loaded):
        each.partial_fit(second, CODES[30:])
    assert_same_network(model.network_, loaded.network_)
    assert loaded.loss_curve_ == model.loss_curve_
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
    }
    metadata = metadata_of(path)
    params = json.loads(metadata.pop("params"))
    assert params["hidden_layer_sizes"] == [5]
    assert params["callback"] is None
    assert metadata == {
        "format": "dnncore",
        "format_version": "1",
        "kind": "DNNClassifier",
        "dtype": "float32",
        "dnncore_version": dnncore.__version__,
        "layer_sizes": "[4, 5, 3]",
        "classes": '{"kind": "str", "dtype": "U1", "values": ["a", "b", "c"]}',
        "feature_names": "null",
        "n_iter": "3",
        "t": "180",
    }


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
    with pytest.raises(TypeError, match="must be a Network or a DNNClassifier, got dict"):
        save({}, path)
    with pytest.raises(NotFittedError):
        save(DNNClassifier(), path)
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
        ({"params": '{"hidden_layer_sizes": "abc"}'}, "params: hidden_layer_sizes"),
        ({"params": '{"hidden_layer_sizes": {"a": [1]}}'}, "params: hidden_layer_sizes"),
        ({"params": '{"random_state": "a"}'}, "params: "),
        ({"params": '{"solver": ["adam"]}'}, "params: solver"),
    ],
)
def test_metadata_that_is_wrong(path, metadata, message):
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
    ],
)
def test_tensors_that_are_wrong(path, tensors, message):
    alter(path, tensors=tensors)
    assert message in refusal(path)


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


def test_truncated_anywhere(path):
    data = path.read_bytes()
    header_end = 8 + int.from_bytes(data[:8], "little")
    for size in {*range(0, len(data), 13), *range(20), header_end - 1, header_end, len(data) - 1}:
        path.write_bytes(data[:size])
        assert "not a readable safetensors file" in refusal(path)


def test_followed_by_more(path):
    path.write_bytes(path.read_bytes() + b"\0")
    refusal(path)


@settings(
    max_examples=150,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(data=st.data())
def test_flipped_bits(model, path, data):
    """A changed file is refused, or is a whole model: there is no checksum in the format.

    A bit inside a weight only changes the weight; one inside a name or a number of the metadata
    may give another valid one.
    """
    save(model, path)
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 3))):
        bit = data.draw(st.integers(0, 8 * len(content) - 1))
        content[bit // 8] ^= 1 << bit % 8
    path.write_bytes(content)
    try:
        loaded = load(path)
    except ModelFileError as error:
        assert str(error).startswith(f"{path}: ") and "\n" not in str(error)
        return
    assert loaded.network_.layer_sizes == model.network_.layer_sizes
    assert loaded.network_.dtype == model.network_.dtype
    assert np.isfinite(loaded.network_.parameters).all()
    assert (loaded.network_.scale_ > 0).all()
    assert len(loaded.classes_) == len(model.classes_)
    assert loaded.predict_proba(X).shape == (60, 3)


def test_a_bit_in_every_third_byte_of_the_header(model, path):
    """The same one bit at a time, so that no part of the header is left out."""
    data = path.read_bytes()
    header_end = 8 + int.from_bytes(data[:8], "little")
    n_loaded = 0
    for position in range(0, header_end, 3):
        changed = bytearray(data)
        changed[position] ^= 1 << position % 8
        path.write_bytes(changed)
        try:
            loaded = load(path)
        except ModelFileError:
            continue
        n_loaded += 1
        assert loaded.network_.layer_sizes == model.network_.layer_sizes
    assert 0 < n_loaded < header_end / 12  # names of letters, numbers of parameters


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
            "dnncore_version": "0", "layer_sizes": "[1, 1]"}  # fmt: skip
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
    ],
)
def test_hostile_headers(tmp_path, header):
    header = header if isinstance(header, bytes) else json.dumps(header).encode()
    path = tmp_path / "model.safetensors"
    path.write_bytes(struct.pack("<Q", len(header)) + header + bytes(16))
    refusal(path)


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


def test_networks_need_no_scikit_learn(tmp_path, model):
    Network((2, 2)).save(tmp_path / "network")
    model.save(tmp_path / "classifier")
    code = """
import sys
sys.modules["sklearn"] = None
import dnncore
network = dnncore.load("network")
network.save("copy")
try:
    dnncore.load("classifier")
except ImportError as error:
    assert "dnncore[sklearn]" in str(error), error
else:
    raise AssertionError
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
