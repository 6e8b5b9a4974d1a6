"""Model files of networks with an embedding of numbers."""

import json

import numpy as np
import pytest
from modelfiles import assert_same, metadata_of, round_trip
from safetensors.numpy import load_file

from dnncore import Network, PiecewiseLinear
from dnncore.modelfile import ModelFileError, _schema
from dnncore.predictor import Predictor

X = np.random.default_rng(0).normal(size=(60, 4))


def network_for(numbers, dtype=np.float64):
    embedding = PiecewiseLinear.from_rows(X.astype(dtype), numbers, n_bins=5, size=2)
    network = Network((embedding.n_outputs, 3, 2), dtype=dtype, seed=0, embedding=embedding)
    network.embedding_.s[...] += np.arange(embedding.n_outputs, dtype=dtype)
    network.embedding_.c[...] = 0.5
    return network


@pytest.mark.usefixtures("builtin_engine")
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("numbers", [0, 3, 4])
def test_round_trip(numbers, dtype, tmp_path):
    network = network_for(numbers, dtype)
    path = tmp_path / "model.safetensors"
    rows = X.astype(dtype)
    for model in (network, network.freeze(["a", "b"])):
        loaded = round_trip(model, path)
        assert_same(loaded, model)
        assert repr(loaded.embedding) == repr(network.embedding)
        np.testing.assert_array_equal(loaded.embedding.lower, network.embedding.lower)
        np.testing.assert_array_equal(loaded.predict_proba(rows), network.predict_proba(rows))
        np.testing.assert_array_equal(Predictor.load(path)(rows), network.predict_proba(rows))


def test_contents(tmp_path):
    network = network_for(3)
    path = tmp_path / "model.safetensors"
    network.save(path)
    expected = {"n_inputs": 4, "n_numeric": 3, "n_bins": 5, "size": 2}
    assert json.loads(metadata_of(path)["embedding"]) == expected
    tensors = load_file(path)
    for name, array in network.embedding_._asdict().items():
        np.testing.assert_array_equal(tensors[f"embedding.{name}"].ravel(), array.ravel())


SIZES = {"n_inputs": 4, "n_numeric": 3, "n_bins": 5, "size": 2}


@pytest.mark.parametrize(
    "sizes",
    [
        None,
        [],
        {},
        SIZES | {"other": 1},
        *({**SIZES, name: value} for name in SIZES for value in (-1, 1.5, "1", None, True, 2**70)),
        *({**SIZES, name: 0} for name in ("n_inputs", "n_bins", "size")),
        {"n_inputs": 4, "n_numeric": 6, "n_bins": 5, "size": 1},
    ],
)
def test_sizes_that_do_not_fit_are_refused(sizes):
    with pytest.raises(ModelFileError, match="embedding must be n_inputs, n_numeric, n_bins, size"):
        _schema._check_embedding(sizes, 10)


def test_norm_and_missing_are_not_expected():
    metadata = {"kind": "Network", "layer_sizes": [10, 2], "embedding": SIZES}
    found = ["norm.mean", "norm.scale", "norm.moments.count", "norm.moments.mean"]
    expected = _schema._expected_tensors(metadata, found)
    assert not any(name.startswith("norm") for name in expected)
    assert _schema.n_features(metadata) == 4
    assert _schema._sizes(metadata)["n_parameters"] == network_for(3).embedding.n_parameters + 22
