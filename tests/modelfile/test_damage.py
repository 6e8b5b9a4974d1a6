"""Damaged and hostile files are refused: no crash, no hang, no wrong model."""

import json
import os
import pickle
import struct
import tracemalloc

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from modelfiles import (
    FRAME,
    KINDS,
    X,
    alter,
    assert_same,
    checksum,
    metadata_of,
    model_of,
    refusal,
)
from safetensors.numpy import load_file, save_file

from dnncore import DNNClassifier, DNNRegressor, Network
from dnncore.modelfile import ModelFileError, _header, load, read_table, save
from dnncore.predictor import Predictor
from dnncore.tabular import TabularClassifier, TabularRegressor

MANY = settings(
    max_examples=400,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


def test_files_that_are_not_there_or_cannot_be_read(tmp_path):
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "missing")
    with pytest.raises(OSError) as caught:
        load(tmp_path)
    assert not isinstance(caught.value, ModelFileError)


@pytest.mark.skipif(os.name == "nt", reason="devices and named pipes of POSIX")
def test_files_that_may_never_end(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", "/dev/zero"):
        with pytest.raises(OSError, match="is not a regular file"):
            load(path)


# --------------------------------------------------- changed by accident: the checksum tells


@pytest.mark.parametrize("kind", KINDS)
def test_truncated_anywhere(contents, tmp_path, kind):
    data, path = contents(kind), tmp_path / "model.safetensors"
    for size in range(0, len(data), 1 if kind == "predictor" else 13):
        path.write_bytes(data[:size])
        refusal(path)


@pytest.mark.parametrize("more", [b"\0", b" ", bytes(8), b"x" * 1000])
def test_followed_by_more(path, more):
    path.write_bytes(path.read_bytes() + more)
    assert "the data must have" in refusal(path)


@pytest.mark.parametrize("kind", KINDS)
def test_one_flipped_bit_is_noticed(contents, tmp_path, kind):
    """In every byte of one kind; in some of the others."""
    data, path = contents(kind), tmp_path / "model.safetensors"
    for position in range(KINDS.index(kind), len(data), 1 if kind == "network" else 13):
        changed = bytearray(data)
        changed[position] ^= 1 << position % 8
        path.write_bytes(changed)
        refusal(path)


@MANY
@given(data=st.data())
def test_changed_bytes(contents, tmp_path, data):
    """What survives is what was saved."""
    kind = data.draw(st.sampled_from(KINDS))
    content, path = bytearray(contents(kind)), tmp_path / "model.safetensors"
    start = data.draw(st.integers(0, len(content)))
    end = start + data.draw(st.integers(0, 9))
    content[start:end] = data.draw(st.binary(max_size=9))
    path.write_bytes(content)
    try:
        loaded = load(path)
    except ModelFileError as error:
        assert str(error).startswith(f"{path}: ")
    else:
        assert_same(model_of(kind), loaded)


def test_cut_short_while_it_is_read(tmp_path, monkeypatch):
    path = tmp_path / "model.safetensors"
    save(Network((500, 50)), path)  # more than is read ahead
    read_header = _header.read_header

    def and_cut(file):
        found = read_header(file)
        os.truncate(path, path.stat().st_size - 16)
        return found

    monkeypatch.setattr(_header, "read_header", and_cut)
    assert "was truncated while it was read" in refusal(path)


def test_a_file_of_another_format_is_not_read_whole(tmp_path):
    """An absurdly large one is refused by its first bytes."""
    path = tmp_path / "film.mkv"
    with open(path, "wb") as file:
        file.write(b"\x1a\x45\xdf\xa3" * 4)
        file.truncate(2**40)  # takes no room on the disk
    tracemalloc.start()
    refusal(path)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 10**6


# ------------------------------------------ changed on purpose: the checksum is made to fit


def assert_whole(loaded, model):
    """What was loaded from a changed file is a model like the one that was saved."""
    assert type(loaded) is type(model)
    estimators = (DNNClassifier, DNNRegressor, TabularClassifier, TabularRegressor)
    assert loaded.__class__ in (Network, Predictor, *estimators)
    if isinstance(model, TabularClassifier | TabularRegressor):
        networks = loaded.ensemble_.networks
        assert len(networks) == len(model.ensemble_.networks)
        assert all(np.isfinite(network.parameters).all() for network in networks)
        assert loaded.predict(FRAME[:1]).shape == (1,)
        return
    before, after = (getattr(x, "network_", x) for x in (model, loaded))
    assert (after.layer_sizes, after.dtype) == (before.layer_sizes, before.dtype)
    assert after.output == before.output
    assert np.isfinite(after.parameters).all()
    method = "predict_proba" if isinstance(model, Network) else "predict"
    with np.errstate(all="ignore"):  # a changed weight may be huge
        predicted = getattr(loaded, method)(X)
    assert predicted.shape == getattr(model, method)(X).shape
    if isinstance(model, Network):
        assert (loaded.scale_ > 0).all()
    if isinstance(model, DNNClassifier):
        assert len(loaded.classes_) == len(model.classes_)
        assert loaded.predict_proba(X).shape == (60, 3)
        assert hasattr(loaded, "class_prior_") == hasattr(model, "class_prior_")
        assert loaded.predict(X[:1]).dtype.kind == model.predict(X[:1]).dtype.kind
    if isinstance(model, DNNRegressor):
        assert np.isfinite(loaded.target_mean_).all()
        assert (loaded.target_scale_ > 0).all()


def assert_refused_or_whole(path, model):
    try:
        loaded = load(path)
    except ModelFileError as error:
        assert str(error).startswith(f"{path}: ")
        assert "\n" not in str(error)
    else:
        assert_whole(loaded, model)


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9)
JSON = st.recursive(
    SCALARS,
    lambda x: st.lists(x, max_size=3) | st.dictionaries(st.text(max_size=3), x, max_size=3),
    max_leaves=5,
)


@MANY
@given(data=st.data())
def test_metadata_of_any_value(contents, tmp_path, data):
    """One word of the metadata, or one parameter, becomes another."""
    kind = data.draw(st.sampled_from(KINDS))
    path = tmp_path / "model.safetensors"
    path.write_bytes(contents(kind))
    metadata = metadata_of(path)
    key = data.draw(st.sampled_from(sorted(metadata)))
    if key in ("params", "solver", "fit"):
        members = json.loads(metadata[key])
        members[data.draw(st.sampled_from(sorted(members)))] = data.draw(JSON)
        value = json.dumps(members)
    else:
        value = data.draw(JSON.map(json.dumps) | st.sampled_from(sorted(metadata.values())))
    alter(path, metadata={key: value})
    assert_refused_or_whole(path, model_of(kind))


@MANY
@given(data=st.data())
def test_tensors_of_any_value(contents, tmp_path, data):
    """One tensor becomes another, or goes by another name."""
    kind = data.draw(st.sampled_from(KINDS))
    path = tmp_path / "model.safetensors"
    path.write_bytes(contents(kind))
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
    assert_refused_or_whole(path, model_of(kind))


@MANY
@given(content=st.binary(max_size=200), framed=st.booleans())
def test_arbitrary_bytes(tmp_path, content, framed):
    path = tmp_path / "model.safetensors"
    path.write_bytes(struct.pack("<Q", len(content)) + content if framed else content)
    refusal(path)


def tensor_entry(dtype, shape, begin, end):
    return {"dtype": dtype, "shape": shape, "data_offsets": [begin, end]}


def write_raw(path, header, data=bytes(16)):
    header = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header + data)


METADATA = {"format": "dnncore", "format_version": "1", "kind": "Network", "dtype": "float64",
            "activation": "logistic", "output": "softmax", "dnncore_version": "0",
            "layer_sizes": "[1, 1]"}  # fmt: skip
ZEROS = {"layers.0.bias": np.zeros(1), "layers.0.weight": np.zeros((1, 1))}
METADATA["checksum"] = checksum(METADATA, ZEROS)
BIAS = {"layers.0.bias": tensor_entry("F64", [1], 0, 8)}
WEIGHT = {"layers.0.weight": tensor_entry("F64", [1, 1], 8, 16)}
WHOLE = {"__metadata__": METADATA} | BIAS | WEIGHT


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
        WHOLE | {"layers.0.weight": tensor_entry("F64", [1, 1], 0, 8)},
        WHOLE | {"layers.0.weight": tensor_entry("F64", [1, 1], 4, 12)},
        WHOLE | {"layers.0.weight": tensor_entry("F64", [1, 1], 9, 17)},
        WHOLE | {"layers.0.weight": tensor_entry("F64", [1, 1], 8, 2**64)},
        WHOLE | {"layers.0.weight": tensor_entry("F64", [1, 1], 8.0, 16.0)},
        WHOLE | {"layers.0.weight": tensor_entry("F64", [1, True], 8, 16)},
        WHOLE | {"layers.0.weight": tensor_entry("F64", [1, 1.0], 8, 16)},
        WHOLE | {"layers.0.weight": tensor_entry("F64", [-1, -1], 8, 16)},
        WHOLE | {"layers.0.weight": tensor_entry("F64", "11", 8, 16)},
        WHOLE | {"layers.0.weight": tensor_entry("F64", {"0": 1}, 8, 16)},
        WHOLE | {"layers.0.weight": tensor_entry(["F64"], [1, 1], 8, 16)},
        WHOLE | {"layers.0.weight": tensor_entry("F32", [1, 2], 8, 16)},
        WHOLE | {"layers.0.weight": tensor_entry("F64", [1] * 10**5, 8, 16)},
        WHOLE | {"layers.0.weight": tensor_entry("F64", [10**4000] * 10, 8, 16)},
        WHOLE | {"layers.0.weight": WEIGHT["layers.0.weight"] | {"more": 1}},
        WHOLE | {"layers.0.weight": [WEIGHT]},
        WHOLE | {"layers.0.weight": {"dtype": "F64"}},
        WHOLE | {"\ud800": WEIGHT["layers.0.weight"]},
        json.dumps(WHOLE).replace("[8, 16]", "[8, NaN]").encode(),
        json.dumps(WHOLE).replace("[8, 16]", "[8, 1" + "0" * 5000 + "]").encode(),
        json.dumps(WHOLE).replace("layers.0.weight", "layers.0.bias").encode(),
        json.dumps(WHOLE).replace('"F64"', '"F64", "dtype": "F64"').encode(),
        json.dumps(WHOLE).replace("{", '{"__metadata__": {}, ', 1).encode(),
        json.dumps(WHOLE).replace('"activation"', '"kind": "Network", "activation"').encode(),
        json.dumps(WHOLE).encode("utf-16"),
        b"\xef\xbb\xbf" + json.dumps(WHOLE).encode(),
        WHOLE | {"__metadata__": METADATA | {"checksum": METADATA["checksum"].upper()}},
        WHOLE | {"__metadata__": METADATA | {"kind": "\ud800"}},
        WHOLE | {"__metadata__": METADATA | {"table": "[" * 10**5}},
        WHOLE | {"__metadata__": None},
        WHOLE | {"__metadata__": [METADATA]},
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
    path = tmp_path / "model.safetensors"
    write_raw(path, header)
    refusal(path)
    for read in (Predictor.load, read_table):
        with pytest.raises(ModelFileError):
            read(path)


@pytest.mark.parametrize(
    ("begin", "n_bytes", "message"),
    [
        (16, 24, "'layers.0.weight' must begin at byte 8, got 16"),
        (4, 12, "'layers.0.weight' must begin at byte 8, got 4"),
        (0, 8, "must begin at byte 8, got 0"),
        (8, 24, "the data must have 16 bytes, got 24"),
        (8, 8, "the data must have 16 bytes, got 8"),
    ],
)
def test_gaps_and_overlaps(tmp_path, begin, n_bytes, message):
    path = tmp_path / "model.safetensors"
    weight = {"layers.0.weight": tensor_entry("F64", [1, 1], begin, begin + 8)}
    write_raw(path, WHOLE | weight, bytes(n_bytes))
    assert message in refusal(path)


SIZES = st.sampled_from([-1, 0, 1, 2, 8, 16, 2**31, 2**63, 2**64, 1.0, True, None, "8"])
ENTRY = st.fixed_dictionaries(
    {
        "dtype": st.sampled_from(["F64", "F32", "I8", "f64", None]),
        "shape": st.lists(SIZES, max_size=3),
        "data_offsets": st.lists(SIZES, min_size=1, max_size=3),
    }
)


@MANY
@given(
    entries=st.dictionaries(
        st.sampled_from(["layers.0.bias", "layers.0.weight", "norm.mean", ""]), ENTRY | JSON
    ),
    n_bytes=st.sampled_from([0, 8, 15, 16, 24]),
)
def test_entries_of_any_value(tmp_path, entries, n_bytes):
    path = tmp_path / "model.safetensors"
    write_raw(path, WHOLE | entries, bytes(n_bytes))
    try:
        assert load(path).predict_proba(np.ones((1, 1))).tolist() == [[1.0]]
    except ModelFileError:
        assert entries or n_bytes != 16


def test_a_header_that_is_not_hostile(tmp_path):
    """What those of above are made from."""
    path = tmp_path / "model.safetensors"
    write_raw(path, WHOLE)
    assert load(path).predict_proba(np.ones((1, 1))).tolist() == [[1.0]]


@pytest.mark.parametrize("size", [0, 1, 2**31, 2**63 - 1, 2**63, 2**64 - 1])
def test_hostile_header_sizes(tmp_path, size):
    path = tmp_path / "model.safetensors"
    path.write_bytes(struct.pack("<Q", size) + b"{}")
    refusal(path)


def test_names_of_any_kind_in_messages(tmp_path):
    path = tmp_path / "model.safetensors"
    for name in ("\n", "a" * 10**5, "\ud800"):
        write_raw(path, WHOLE | {name: tensor_entry("F64", [0], 16, 16)})
        refusal(path)
        write_raw(path, WHOLE | {"__metadata__": METADATA | {name: "1"}})
        refusal(path)


def test_other_formats(tmp_path):
    path = tmp_path / "model"
    np.savez(path.with_suffix(".npz"), X=X)
    refusal(path.with_suffix(".npz"))
    save_file({"a": X}, path, metadata={"format": "pt"})
    assert "not a dnncore model file" in refusal(path)
    save_file({"a": X}, path)
    assert "not a dnncore model file" in refusal(path)


def test_layers_that_are_only_named_are_refused_before_anything_is_made(contents, tmp_path):
    path = tmp_path / "model.safetensors"
    for kind in ("network", "tabular regressor"):
        path.write_bytes(contents(kind))
        names = {"layer_sizes": json.dumps([4] + [1] * 500_000)}
        if kind != "network":
            names = {"members": json.dumps([{"n_iter": 0, "t": 0}] * 100_000)}
        alter(path, metadata=names)
        tracemalloc.start()
        assert "layer_sizes must have 2 tensors for each of" in refusal(path)
        assert tracemalloc.get_traced_memory()[1] < 100 * path.stat().st_size
        tracemalloc.stop()


def test_headers_are_bounded(tmp_path):
    path = tmp_path / "model.safetensors"
    text = json.dumps({"a": [[]] * 6_000_000}).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text)
    assert "cannot contain a header of" in refusal(path)


@pytest.mark.parametrize(
    ("tensors", "message"),
    [({"target.scale": np.full(1, 1e300), "layers.1.weight": np.full((5, 1), 1e300)}, "finite")],
)
def test_predictors_that_cannot_be_made_are_damaged_files(contents, tmp_path, tensors, message):
    path = tmp_path / "model.safetensors"
    path.write_bytes(contents("numbers"))
    alter(path, tensors)
    with pytest.raises(ModelFileError, match=message):
        Predictor.load(path)


@pytest.mark.parametrize(
    ("kind", "changes", "message"),
    [
        ("single", {"hidden_layer_sizes": [7]}, r"params: the model has layer sizes \(4, 5, 3\)"),
        ("single", {"activation": "tanh"}, "params: the model has layer sizes .* activation"),
        ("single", {"missing_values": "mean"}, "params: missing_values must be the same"),
        ("numbers", {"loss": "quantile"}, "params: loss must be one of"),
    ],
)
def test_parts_that_do_not_fit_each_other(contents, tmp_path, kind, changes, message):
    path = tmp_path / "model.safetensors"
    path.write_bytes(contents(kind))
    params = json.loads(metadata_of(path)["params"])
    alter(path, metadata={"params": json.dumps(params | changes)})
    with pytest.raises(ModelFileError, match=message):
        load(path)


def test_models_whose_parts_do_not_fit_are_not_written(tmp_path):
    model = model_of("single")
    changed = pickle.loads(pickle.dumps(model)).set_params(hidden_layer_sizes=(9,))
    with pytest.raises(ValueError, match="the model cannot be saved: the model has layer sizes"):
        save(changed, tmp_path / "model.safetensors")


def test_soft_labels_of_words(contents, tmp_path):
    path = tmp_path / "model.safetensors"
    path.write_bytes(contents("single"))
    alter(path, metadata={"label_kind": "soft"})
    assert "classes of soft labels must be 0, 1, ..." in refusal(path)
