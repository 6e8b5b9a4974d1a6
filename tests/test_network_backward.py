"""Network: gradients of losses of one's own, and with respect to the input rows."""

import numpy as np
import pytest
from differences import assert_close, jacobian
from samples import random_classes
from scipy.sparse import csr_array

from dnncore import Network, PiecewiseLinear
from dnncore.network import Forward

DTYPES = [np.float32, np.float64]
# Without kinks: differences must not step over one.
ACTIVATIONS = ["logistic", "tanh", "identity", "silu", "gelu", "mish"]
OUTPUTS = ["softmax", "logistic", "identity", "exp", "sorted"]
SIZES = [(3, 2), (1, 1), (5, 7, 3), (4, 9, 8, 1)]
N = 5


def network_and_rows(kind, sizes=(5, 7, 3), n=N, **functions):
    """A network with norm, missing values or an embedding, and rows for it."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, sizes[0]))
    if kind == "embedding":
        grid = np.linspace(-3.01, 3, 200)[:, np.newaxis] * np.ones(sizes[0])
        embedding = PiecewiseLinear.from_rows(grid, sizes[0] - 1, 4, 2)
        functions["embedding"] = embedding
        sizes = (embedding.n_outputs, *sizes[1:])
    if kind == "missing":
        functions["missing"] = [0, 2]
        sizes = (sizes[0] + 2, *sizes[1:])
        X[0, 0] = X[1, 1] = X[2, 0] = X[2, 2] = np.nan
    network = Network(sizes, seed=0, **functions)
    if kind in ("norm", "missing"):
        network.set_norm(0.1 * rng.normal(size=X.shape[1]), rng.uniform(1, 2, X.shape[1]))
    return network, X


def with_parameters(network, f):
    """f as a function of the parameters."""

    def of(parameters):
        kept = network.parameters.copy()
        network.parameters[...] = parameters
        value = f()
        network.parameters[...] = kept
        return value

    return of


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("output", OUTPUTS)
@pytest.mark.parametrize("of", ["logits", "outputs"])
def test_a_loss_of_ones_own_against_central_differences(activation, output, of):
    """sum c sin(z), or of the outputs."""
    for sizes in SIZES:
        network, X = network_and_rows("norm", sizes, activation=activation, output=output)
        c = np.random.default_rng(1).normal(size=(N, sizes[-1]))

        def quantity(X, network=network, of=of):
            forward = network.forward(X)
            return forward.z[-1] if of == "logits" else forward.p

        def loss(X, c=c, quantity=quantity):
            return (c * np.sin(quantity(X))).sum()

        d = c * np.cos(quantity(X))
        given = {"dz": d} if of == "logits" else {"d_outputs": d}
        found = network.backward(network.forward(X), **given)
        assert np.isnan(found.loss)
        size = 10 * np.abs(c).sum()
        numeric = jacobian(with_parameters(network, lambda X=X, f=loss: f(X)), network.parameters)
        assert_close(found.flat, numeric, size)
        assert_close(found.dx, jacobian(loss, X), size)


@pytest.mark.parametrize("kind", ["missing", "embedding"])
def test_the_parameters_before_the_first_layer(kind):
    network, X = network_and_rows(kind, activation="tanh")
    c = np.random.default_rng(1).normal(size=(N, 3))
    found = network.backward(network.forward(X), d_outputs=c)
    loss = with_parameters(network, lambda: (c * network.forward(X).p).sum())
    assert_close(found.flat, jacobian(loss, network.parameters), 10 * np.abs(c).sum())


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("activation", [*ACTIVATIONS, "relu", "selu"])
def test_with_the_delta_of_a_loss_it_is_gradients(dtype, activation):
    X, y = random_classes((5, 7, 3), 9, dtype)
    network = Network((5, 7, 3), dtype=dtype, seed=0, activation=activation)
    expected = network.gradients(X, y)
    found = network.backward(network.forward(X), expected.deltas[-1])
    assert found.flat.dtype == dtype
    assert np.array_equal(found.flat, expected.flat)
    assert np.array_equal(found.dx, expected.dx)
    assert all(map(np.array_equal, found.deltas, expected.deltas))
    assert np.shares_memory(found.coefs[0], found.flat)


def test_sparse_rows():
    X = np.random.default_rng(0).normal(size=(6, 4))
    X[X < 0.3] = 0
    network = Network((4, 5, 3), seed=0)
    d = np.ones((6, 3))
    sparse, dense = (network.backward(network.forward(rows), d) for rows in (csr_array(X), X))
    assert np.array_equal(sparse.flat, dense.flat)
    assert np.array_equal(sparse.dx, dense.dx)


def test_a_step_along_it_lowers_a_loss_of_ones_own():
    network, X = network_and_rows("norm", output="identity", n=50)
    losses = []
    for _ in range(20):
        forward = network.forward(X)
        losses.append((forward.p**4).mean())
        network.parameters -= 0.1 * network.backward(forward, 4 * forward.p**3 / 150).flat
    assert losses[-1] < 0.5 * losses[0]


@pytest.mark.parametrize(
    ("given", "error", "words"),
    [
        ({}, TypeError, "exactly one of dz and d_outputs must be given"),
        ({"dz": np.ones((9, 3)), "d_outputs": np.ones((9, 3))}, TypeError, "exactly one of dz"),
        ({"dz": np.ones((9, 2))}, ValueError, "dz must have 3 columns"),
        ({"dz": np.ones((8, 3))}, ValueError, r"dz must have shape \(9, 3\).*got \(8, 3\)"),
        ({"d_outputs": np.ones((9, 3), "f")}, TypeError, "d_outputs must have dtype float64"),
        ({"d_outputs": np.full((9, 3), np.nan)}, ValueError, "d_outputs must be finite"),
    ],
)
def test_bad_gradients(given, error, words):
    network = Network((5, 3), seed=0)
    with pytest.raises(error, match=words):
        network.backward(network.forward(np.ones((9, 5))), **given)


@pytest.mark.parametrize(
    ("sizes", "dtype"), [((5, 4, 3), "d"), ((4, 3), "d"), ((5, 2), "d"), ((5, 3), "f")]
)
def test_a_forward_pass_of_another_network(sizes, dtype):
    other = Network(sizes, seed=0, dtype=dtype)
    forward = other.forward(np.ones((9, sizes[0]), dtype))
    with pytest.raises(ValueError, match=r"forward must be of a network with layer_sizes \(5, 3\)"):
        Network((5, 3), seed=0).backward(forward, np.ones((9, 3)))
    with pytest.raises(TypeError, match="forward must be a Forward, got ndarray"):
        Network((5, 3), seed=0).backward(forward.p, np.ones((9, 3)))


def test_forward_keeps_the_rows():
    X = np.ones((2, 4))
    forward = Network((4, 3), seed=0).forward(X)
    assert isinstance(forward, Forward)
    assert Forward.__module__ == "dnncore.network"
    assert forward.X is X


# ------------------------------------------------------------------------------ input_gradient


@pytest.mark.parametrize("kind", ["plain", "norm", "missing", "embedding"])
@pytest.mark.parametrize("output", OUTPUTS)
def test_gradients_of_outputs_against_central_differences(kind, output):
    network, X = network_and_rows(kind, activation="tanh", output=output)
    there = ~np.isnan(X)
    every = np.zeros((N, 3, *X.shape))
    filled = jacobian(lambda rows: network.predict_proba(np.where(there, rows, np.nan)),
                      np.where(there, X, 0.0))  # fmt: skip
    every[...] = filled
    for i in range(3):
        found = network.input_gradient(X, output=i)
        numeric = np.stack([every[r, i, r] for r in range(N)])
        assert_close(found, numeric, 10.0)
        assert (found[~there] == 0).all()
    weights = np.random.default_rng(2).normal(size=(N, 3))
    for c in (weights, weights[0]):
        numeric = np.einsum("ri,rirf->rf", np.broadcast_to(c, (N, 3)), every)
        assert_close(network.input_gradient(X, output=c), numeric, 10 * np.abs(c).sum())
    assert_close(
        network.input_gradient(X, output=[0, 1, 0]), network.input_gradient(X, output=1), 1e-9
    )


@pytest.mark.parametrize("kind", ["plain", "norm", "missing", "embedding"])
def test_gradients_of_the_loss_against_central_differences(kind):
    network, X = network_and_rows(kind, activation="tanh", output="identity")
    rng = np.random.default_rng(3)
    y, options = rng.normal(size=(N, 3)), {"sample_weight": rng.random(N), "loss": "huber"}
    there = ~np.isnan(X)
    numeric = jacobian(
        lambda rows: network.loss(np.where(there, rows, np.nan), y, **options),
        np.where(there, X, 0.0),
    )
    found = network.input_gradient(X, y, **options)
    assert_close(found, numeric, 10.0)
    assert np.array_equal(found, network.gradients(X, y, **options).dx)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n", [0, 1, 3])
def test_the_gradient_has_the_dtype_and_shape_of_the_rows(dtype, n):
    network = Network((5, 7, 3), dtype=dtype, seed=0)
    X = np.ones((n, 5), dtype)
    for output in (2, [1, 2, 3], np.ones((n, 3))):
        found = network.input_gradient(X, output=output)
        assert (found.shape, found.dtype) == (X.shape, dtype)
    saturated = network.input_gradient(X * dtype(1e30), output=2)
    assert np.isfinite(saturated).all()


@pytest.mark.parametrize(
    ("given", "error", "words"),
    [
        ({}, TypeError, "exactly one of y and output must be given"),
        ({"y": np.zeros(9, int), "output": 1}, TypeError, "exactly one of y and output"),
        ({"output": 3}, ValueError, r"output must lie in \[0, 2\], got 3"),
        ({"output": -1}, ValueError, r"output must lie in \[0, 2\]"),
        ({"output": 1.0}, TypeError, "output must be an integer"),
        ({"output": [1, 2]}, ValueError, r"output must .*shape \(3,\) or \(9, 3\), got \(2,\)"),
        ({"output": [1, np.nan, 0]}, ValueError, "output must be finite"),
        ({"output": 1, "sample_weight": np.ones(9)}, TypeError, "quantiles require"),
        ({"output": 1, "loss": "cross_entropy"}, TypeError, "quantiles require y"),
        ({"output": 1, "sample_weight": np.ones(5)}, TypeError, "quantiles require y"),
        ({"output": 1, "huber_delta": 2.0}, TypeError, "huber_delta and quantiles require y"),
        ({"output": 1, "quantiles": (0.5,)}, TypeError, "quantiles require y"),
        ({"y": np.full(9, 5)}, ValueError, "y must"),
    ],
)
def test_bad_input_gradient(given, error, words):
    network = Network((5, 3), seed=0)
    with pytest.raises(error, match=words):
        network.input_gradient(np.ones((9, 5)), **given)
