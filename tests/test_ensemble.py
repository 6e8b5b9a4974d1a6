"""Ensembles: means of the outputs of networks."""

import numpy as np
import pytest
from scipy import sparse

from dnncore import Network
from dnncore._network.back_propagation import apply_output
from dnncore.ensemble import Ensemble, scale_logits

X = np.random.default_rng(0).normal(size=(7, 4))


def networks(n=3, sizes=(4, 8, 3), **options):
    return [Network(sizes, seed=seed, **options) for seed in range(n)]


@pytest.mark.parametrize("output", ["softmax", "logistic", "identity"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_means_of_outputs(output, dtype):
    members = networks(output=output, dtype=dtype)
    ensemble, rows = Ensemble(members), X.astype(dtype)
    mean = ensemble.predict_proba(rows)
    expected = np.mean([member.predict_proba(rows) for member in members], axis=0)
    assert mean.dtype == dtype and mean.shape == (7, 3)
    np.testing.assert_allclose(mean, expected, rtol=4 * np.finfo(dtype).eps, atol=1e-7)
    for n_threads in (1, 2, 3):
        assert ensemble.predict_proba(rows, n_threads=n_threads).tobytes() == mean.tobytes()


@pytest.mark.usefixtures("builtin_engine")
def test_one_network_and_no_rows():
    (member,) = networks(1)
    assert np.array_equal(Ensemble([member]).predict_proba(X), member.predict_proba(X))
    assert Ensemble([member]).predict_proba(X[:0]).shape == (0, 3)


def test_sparse_rows():
    ensemble = Ensemble(networks())
    found = ensemble.predict_proba(sparse.csr_array(X))
    np.testing.assert_allclose(found, ensemble.predict_proba(X), rtol=1e-12)


def test_what_the_networks_share():
    ensemble = Ensemble(networks(dtype=np.float32))
    assert (ensemble.dtype, ensemble.n_features, ensemble.n_outputs) == (np.float32, 4, 3)
    assert ensemble.output == "softmax"
    assert ensemble.n_parameters == 3 * (5 * 8 + 9 * 3)
    assert repr(ensemble).startswith("Ensemble of 3 networks, ")
    # Hidden layers may differ.
    assert Ensemble([*networks(1), *networks(1, (4, 3))]).predict_proba(X).shape == (7, 3)


@pytest.mark.parametrize(
    "other",
    [
        Network((5, 3)),
        Network((4, 2)),
        Network((4, 3), output="logistic"),
        Network((4, 3), dtype=np.float32),
    ],
)
def test_networks_that_differ(other):
    with pytest.raises(ValueError, match="networks must have the same numbers of features"):
        Ensemble([*networks(1), other])


def test_refusals():
    with pytest.raises(ValueError, match="networks must not be empty"):
        Ensemble([])
    with pytest.raises(ValueError, match="X"):
        Ensemble(networks()).predict_proba(X[:, :3])
    with pytest.raises(TypeError, match="X"):
        Ensemble(networks()).predict_proba(X.astype(np.float32))


def test_the_factor_of_logits():
    (member,) = networks(1)
    z = member.logits(X)
    scale_logits(member, 0.25)
    np.testing.assert_allclose(member.logits(X), z / 4, rtol=1e-12, atol=1e-12)
    shown = apply_output(member.output, z / 4)
    np.testing.assert_allclose(shown, member.predict_proba(X), rtol=1e-12)
