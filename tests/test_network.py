"""Network: layout, initialisation, forward, norm, copies."""

import pickle
from itertools import pairwise

import numpy as np
import pytest
from samples import random_classes
from sklearn.neural_network import MLPClassifier

from dnncore import Network, reference
from dnncore._core.parameters import GAIN

DTYPES = [np.float32, np.float64]
OF_SCIKIT_LEARN = ["logistic", "tanh", "relu", "identity"]
ACTIVATIONS = [*OF_SCIKIT_LEARN, "selu", "silu", "gelu", "mish"]
OUTPUTS = ["softmax", "logistic", "identity"]
# From one layer up, with sizes astride the vector width.
SIZES = [(3, 2), (1, 1), (5, 7, 3), (16, 17, 15, 4), (9, 8, 8, 8, 1)]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("sizes", SIZES)
def test_parameters_are_one_aligned_vector_with_views(sizes, dtype):
    network = Network(sizes, dtype=dtype, seed=0)
    assert network.parameters.ctypes.data % 64 == 0
    assert network.n_parameters == sum((k + 1) * m for k, m in pairwise(sizes))
    assert [W.shape for W in network.coefs_] == list(pairwise(sizes))
    network.parameters[...] = np.arange(network.n_parameters)
    packed = [
        x.ravel() for pair in zip(network.coefs_, network.intercepts_, strict=True) for x in pair
    ]
    assert np.array_equal(np.concatenate(packed), network.parameters)
    network.intercepts_[-1][...] = -1
    assert network.parameters[-1] == -1


@pytest.mark.parametrize("activation", OF_SCIKIT_LEARN)
@pytest.mark.parametrize("dtype", DTYPES)
def test_initial_weights_are_those_of_scikit_learn(dtype, activation):
    X, y = random_classes((6, 5, 4, 3), 30, dtype)
    start = MLPClassifier((5, 4), activation=activation, random_state=7, learning_rate_init=1e-300)
    start.partial_fit(X, y, classes=[0, 1, 2])  # a rate so small that nothing moves
    ours = Network((6, 5, 4, 3), dtype=dtype, seed=7, activation=activation)
    for a, b in zip(ours.coefs_ + ours.intercepts_, start.coefs_ + start.intercepts_, strict=True):
        assert a.dtype == b.dtype == dtype
        assert np.array_equal(a, b)


@pytest.mark.parametrize(("activation", "gain"), GAIN.items())
def test_initial_weights_of_other_activations(activation, gain):
    network = Network((300, 200, 100), seed=7, activation=activation)
    for W, b in zip(network.coefs_, network.intercepts_, strict=True):
        bound = np.sqrt(3 * gain / W.shape[0])
        assert 0.99 * bound < np.abs(W).max() <= bound
        assert W.var() * W.shape[0] == pytest.approx(gain, rel=0.05)
        assert not b.any()


def test_seed():
    assert np.array_equal(Network((3, 2), seed=1).parameters, Network((3, 2), seed=1).parameters)
    assert not np.array_equal(Network((3, 2)).parameters, Network((3, 2)).parameters)
    random = np.random.RandomState(1)
    assert np.array_equal(
        Network((3, 2), seed=random).parameters, Network((3, 2), seed=1).parameters
    )


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        (((3,),), ValueError, "layer_sizes must have at least 2 entries"),
        (((3, 0),), ValueError, "layer_sizes must lie in"),
        (((3, 2.5),), TypeError, "layer_sizes must be an integer, got 2.5"),
        (((3, True),), TypeError, "layer_sizes must be an integer, got True"),
    ],
)
def test_bad_layer_sizes(arguments, error, words):
    with pytest.raises(error, match=words):
        Network(*arguments)


def test_bad_dtype():
    with pytest.raises(TypeError, match="dtype must be float32 or float64, got float16"):
        Network((3, 2), dtype=np.float16)


@pytest.mark.parametrize("name", ["activation", "output"])
@pytest.mark.parametrize("value", ["sigmoid", None, 1])
def test_bad_activation_and_output(name, value):
    with pytest.raises(ValueError, match=f"{name} must be one of .*'logistic'.*, got {value!r}"):
        Network((3, 2), **{name: value})


FUNCTIONS = {
    "logistic": reference.sigmoid,
    "tanh": reference.tanh,
    "relu": reference.relu,
    "selu": reference.selu,
    "silu": reference.silu,
    "gelu": reference.gelu,
    "mish": reference.mish,
    "identity": lambda z: z,
    "softmax": reference.softmax,
}


def reference_probabilities(network, X):
    activate = FUNCTIONS[network.activation]
    a = X if network.mean_ is None else reference.norm(X, network.mean_, network.scale_)
    for W, b in zip(network.coefs_[:-1], network.intercepts_[:-1], strict=True):
        a = activate(reference.affine(a, W, b))
    z = reference.affine(a, network.coefs_[-1], network.intercepts_[-1])
    return FUNCTIONS[network.output](z)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize("n", [0, 1, 2, 255, 256, 257, 700])
@pytest.mark.parametrize("n_threads", [1, 3])
def test_predict_proba_equals_the_oracle(sizes, dtype, n, n_threads):
    X, _ = random_classes(sizes, n, dtype)
    network = Network(sizes, dtype=dtype, seed=0)
    network.set_norm(np.full(sizes[0], 0.5), np.full(sizes[0], 2.0))
    p = network.predict_proba(X, n_threads=n_threads)
    assert p.dtype == dtype
    tolerance = 64 * np.finfo(dtype).eps  # sums of at most 17 products of about 1
    np.testing.assert_allclose(p, reference_probabilities(network, X), atol=tolerance, rtol=0)
    np.testing.assert_allclose(network.forward(X).p, p, atol=tolerance, rtol=0)
    logits = network.decision_function(X)
    np.testing.assert_allclose(logits, network.forward(X).z[-1], atol=tolerance, rtol=0)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("output", OUTPUTS)
def test_activations_and_outputs_equal_the_oracle(sizes, dtype, activation, output):
    X, _ = random_classes(sizes, 33, dtype)
    network = Network(sizes, dtype=dtype, seed=0, activation=activation, output=output)
    network.set_norm(np.full(sizes[0], 0.5), np.full(sizes[0], 2.0))
    p = network.predict_proba(X)
    assert p.dtype == dtype
    # Rounding errors travel through the layers as absolute values do: no function here is
    # steeper than 1. Up to 4 layers of sums of at most 18 numbers, on either side.
    size = np.abs((X - 0.5) / 2)
    for W, b in zip(network.coefs_, network.intercepts_, strict=True):
        size = np.maximum(size, 1) @ np.abs(W) + np.abs(b)
    tolerance = 128 * np.finfo(dtype).eps * max(1, size.max())
    np.testing.assert_allclose(p, reference_probabilities(network, X), atol=tolerance, rtol=0)
    forward = network.forward(X)
    np.testing.assert_allclose(forward.p, p, atol=tolerance, rtol=0)
    np.testing.assert_allclose(network.decision_function(X), forward.z[-1], atol=tolerance, rtol=0)
    for a, z in zip(forward.a[1:], forward.z[:-1], strict=True):
        eps = np.finfo(dtype).eps
        np.testing.assert_allclose(a, FUNCTIONS[activation](z), rtol=16 * eps)


def test_identity_output_is_the_logits():
    X, _ = random_classes((4, 5, 3), 9)
    network = Network((4, 5, 3), seed=0, output="identity")
    assert np.array_equal(network.predict_proba(X), network.decision_function(X))


def test_forward_shows_every_quantity():
    network = Network((4, 5, 6, 3), seed=0)
    X, _ = random_classes((4, 3), 9)
    forward = network.forward(X)
    assert [a.shape for a in forward.a] == [(9, 4), (9, 5), (9, 6)]
    assert [z.shape for z in forward.z] == [(9, 5), (9, 6), (9, 3)]
    assert np.array_equal(forward.a[0], X)
    np.testing.assert_allclose(forward.a[1], 1 / (1 + np.exp(-forward.z[0])), rtol=1e-14)
    np.testing.assert_allclose(forward.p.sum(axis=1), 1, rtol=1e-14)


@pytest.mark.parametrize(
    ("X", "error", "words"),
    [
        (np.zeros((2, 3)), ValueError, "X must have 4 columns"),
        (np.zeros((2, 4), np.float32), TypeError, "X must have dtype float64, .*got float32"),
        (np.zeros((2, 4), int), TypeError, "X must be a float32 or float64 array, got int64"),
        (np.zeros(4), ValueError, "X must have shape"),
        (np.array([[0, 0, np.nan, 0]]), ValueError, "X must be finite, got nan in row 0, column 2"),
        (
            np.array([[0, 0, 0, 0], [0, np.inf, 0, -np.inf]]),
            ValueError,
            "X must be finite, got inf in row 1, column 1",
        ),
    ],
)
def test_bad_rows(X, error, words):
    network = Network((4, 3), seed=0)
    for method in (network.predict_proba, network.decision_function, network.forward):
        with pytest.raises(error, match=words):
            method(X)


def test_rows_whose_sum_overflows_are_finite_rows():
    network = Network((2, 2), seed=0)
    assert np.isfinite(network.predict_proba(np.full((3, 2), 1e308))).all()


def test_strided_readonly_rows():
    X, _ = random_classes((6, 3), 20)
    network = Network((6, 3), seed=0)
    expected = network.predict_proba(X)
    fortran = np.asfortranarray(X)
    fortran.flags.writeable = False
    for same in (fortran, np.repeat(X, 2, axis=0)[::2], np.repeat(X, 2, axis=1)[:, ::2]):
        assert np.array_equal(network.predict_proba(same), expected)


@pytest.mark.parametrize("dtype", DTYPES)
def test_norm_learns_mean_and_scale(dtype):
    rng = np.random.default_rng(0)
    X = (rng.normal(size=(9000, 4)) * [1, 100, 1e-3, 5] + [0, 1e4, 2, -3]).astype(dtype)
    X[:, 3] = -3.25  # constant
    network = Network((4, 2), dtype=dtype)
    network.update_norm(X)
    wide = X.astype(np.longdouble)  # a more exact oracle, where the platform has one
    mean, scale = wide.mean(axis=0), wide.std(axis=0)
    below, above = (mean - wide.min(axis=0))[:3], (wide.max(axis=0) - mean)[:3]
    scale[:3] *= (below + above) / (2 * np.sqrt(below * above))
    # Partial sums of thousands of rows are rounded at their own size.
    bound = 8 * np.finfo(dtype).eps * (np.abs(mean) + scale)
    assert (np.abs(network.mean_ - mean) <= bound).all()
    # The sum of n squares is rounded n times: the scale is off by at most n eps / 2.
    rtol = len(X) / 2 * np.finfo(np.float64).eps + np.finfo(dtype).eps
    np.testing.assert_allclose(network.scale_[:3], scale[:3].astype(dtype), rtol=rtol)
    assert network.scale_[3] == 1
    assert network.mean_.dtype == network.scale_.dtype == dtype


def test_norm_in_parts_equals_norm_at_once():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(5000, 3)) + np.array([1e6, 0, -1])
    whole, parts = Network((3, 2)), Network((3, 2))
    whole.update_norm(X)
    for start in (0, 10, 1000):
        end = {0: 10, 10: 1000, 1000: 5000}[start]
        parts.update_norm(X[start:end])
    np.testing.assert_allclose(parts.mean_, whole.mean_, rtol=1e-14)
    np.testing.assert_allclose(parts.scale_, whole.scale_, rtol=1e-9)


def test_norm_weights_are_repetitions():
    rng = np.random.default_rng(0)
    X, weight = rng.normal(size=(50, 3)), rng.integers(0, 4, 50)
    weighted, repeated = Network((3, 2)), Network((3, 2))
    weighted.update_norm(X, weight.astype(float))
    repeated.update_norm(np.repeat(X, weight, axis=0))
    np.testing.assert_allclose(weighted.mean_, repeated.mean_, rtol=1e-13, atol=1e-15)
    np.testing.assert_allclose(weighted.scale_, repeated.scale_, rtol=1e-13)


@pytest.mark.parametrize(
    ("mean", "scale", "words"),
    [
        (None, [1, 1], "mean and scale must both be arrays"),
        ([0, 0], [1, 0], "scale must be positive"),
        ([0, 0], [1, -1], "scale must be positive"),
        ([0, np.nan], [1, 1], "mean must be finite"),
        ([0], [1, 1], "mean must have shape"),
    ],
)
def test_bad_norm_changes_nothing(mean, scale, words):
    network = Network((2, 2))
    network.set_norm([1, 2], [3, 4])
    with pytest.raises(ValueError, match=words):
        network.set_norm(mean, scale)
    assert network.mean_.tolist() == [1, 2]
    assert network.scale_.tolist() == [3, 4]


def test_pickle_keeps_views_and_alignment():
    network = Network((3, 4, 2), dtype=np.float32, seed=0)
    network.set_norm([1, 2, 3], [1, 2, 3])
    assert repr(network) == (
        "Network((3, 4, 2), dtype=float32, activation='logistic', output='softmax', with norm)"
    )
    copy = pickle.loads(pickle.dumps(network))
    assert np.array_equal(copy.parameters, network.parameters)
    assert copy.parameters.ctypes.data % 64 == 0
    assert np.shares_memory(copy.coefs_[1], copy.parameters)
    X = np.ones((2, 3), np.float32)
    assert np.array_equal(copy.predict_proba(X), network.predict_proba(X))
    assert repr(copy) == repr(network)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("output", OUTPUTS)
def test_pickle_keeps_activation_and_output(activation, output):
    network = Network((3, 4, 2), seed=0, activation=activation, output=output)
    copy = pickle.loads(pickle.dumps(network))
    assert (copy.activation, copy.output) == (activation, output)
    X = np.ones((2, 3))
    assert np.array_equal(copy.predict_proba(X), network.predict_proba(X))


def test_scores_follow_the_norm():
    """The engine that is kept between calls is that of the present norm."""
    X = np.random.default_rng(0).normal(size=(7, 4))
    network, other = Network((4, 5, 3), seed=0), Network((4, 5, 3), seed=0)
    network.predict_proba(X)
    for mean, scale in ((np.ones(4), np.full(4, 2.0)), (np.zeros(4), np.ones(4)), (None, None)):
        network.set_norm(mean, scale)
        expected = other.predict_proba(X if mean is None else (X - mean) / scale)
        np.testing.assert_allclose(network.predict_proba(X), expected, rtol=1e-12)
