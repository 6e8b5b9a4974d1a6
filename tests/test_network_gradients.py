"""Network: losses and their gradients."""

import numpy as np
import pytest
from samples import random_classes

from dnncore import Network

DTYPES = [np.float32, np.float64]
ACTIVATIONS = ["logistic", "tanh", "relu", "identity", "selu", "silu", "gelu", "mish"]
LOSSES = [
    ("softmax", "cross_entropy"),
    ("logistic", "binary_cross_entropy"),
    ("identity", "squared_error"),
    ("identity", "huber"),
    ("identity", "absolute_error"),
    ("exp", "poisson"),
    ("sorted", "quantile"),
]
# From one layer up, with sizes astride the vector width.
SIZES = [(3, 2), (1, 1), (5, 7, 3), (16, 17, 15, 4), (9, 8, 8, 8, 1)]


def loss_options(loss, sizes):
    """The arguments of Network.loss that select a loss, with its parameters."""
    levels = np.arange(1, sizes[-1] + 1) / (sizes[-1] + 1)
    parameters = {"huber": {"huber_delta": 0.75}, "quantile": {"quantiles": levels}}
    return {"loss": loss} | parameters.get(loss, {})


def targets(output, sizes, n, dtype=np.float64):
    """Targets (n, n_outputs) that go with an output."""
    rng = np.random.default_rng(2)
    if output in ("identity", "sorted"):
        return rng.normal(size=(n, sizes[-1])).astype(dtype)
    return rng.random((n, sizes[-1])).astype(dtype)


@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize("labels", ["indices", "rows"])
@pytest.mark.parametrize("weighted", [False, True])
def test_gradients_against_central_differences(sizes, labels, weighted):
    n = 11
    X, y = random_classes(sizes, n)
    rng = np.random.default_rng(1)
    if labels == "rows":
        y = rng.random((n, sizes[-1]))
    weight = rng.random(n) if weighted else None
    network = Network(sizes, seed=0)
    network.set_norm(rng.normal(size=sizes[0]), rng.uniform(0.5, 2, sizes[0]))
    kwargs = {"sample_weight": weight, "alpha": 0.3}
    gradients = network.gradients(X, y, **kwargs)
    assert gradients.loss == pytest.approx(network.loss(X, y, **kwargs), rel=1e-13)
    assert_gradients_are_differences(network, gradients, X, y, kwargs)


H = 1e-5


def assert_gradients_are_differences(network, gradients, X, y, kwargs):
    # The error of a central difference is h^2 f''' / 6 + eps |f| / h: near 1e-10 here.
    numeric = np.empty_like(gradients.flat)
    for i, value in enumerate(network.parameters):
        losses = []
        for shifted in (value + H, value - H):
            network.parameters[i] = shifted
            losses.append(network.loss(X, y, **kwargs))
        network.parameters[i] = value
        numeric[i] = (losses[0] - losses[1]) / (2 * H)
    np.testing.assert_allclose(gradients.flat, numeric, atol=1e-9, rtol=0)
    for r, c in [(0, 0), (X.shape[0] - 1, X.shape[1] - 1)]:
        losses = []
        for shift in (H, -H):
            moved = X.copy()
            moved[r, c] += shift
            losses.append(network.loss(moved, y, **kwargs))
        assert gradients.dx[r, c] == pytest.approx((losses[0] - losses[1]) / (2 * H), abs=1e-9)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize(("output", "loss"), LOSSES)
@pytest.mark.parametrize("sizes", [(3, 2), (1, 1), (5, 7, 3), (4, 9, 8, 1)])
def test_gradients_of_each_activation_and_loss(sizes, activation, output, loss):
    n = 11
    X, _ = random_classes(sizes, n, seed=1)
    y = targets(output, sizes, n)
    rng = np.random.default_rng(1)
    network = Network(sizes, seed=0, activation=activation, output=output)
    network.set_norm(0.1 * rng.normal(size=sizes[0]), rng.uniform(1, 2, sizes[0]))
    kwargs = {"sample_weight": rng.random(n), "alpha": 0.3} | loss_options(loss, sizes)
    # No difference may step over a kink: of relu or selu, or where the pieces of a loss meet.
    forward = network.forward(X)
    slopes = [max(1, np.abs(W).sum(axis=0).max()) for W in network.coefs_]
    reach = H * max(1, *(np.abs(a).max() for a in forward.a)) * np.prod(slopes)
    if activation in ("relu", "selu"):
        assert all(np.abs(z).min() > reach for z in forward.z[:-1])
    if loss == "huber":
        residual = np.abs(forward.z[-1] - y)
        assert np.abs(residual - 0.75).min() > reach
        assert (residual.min() < 0.75) and (residual.max() > 0.75)
    if loss in ("absolute_error", "quantile"):
        assert np.abs(forward.z[-1] - y).min() > reach
    gradients = network.gradients(X, y, **kwargs)
    assert gradients.loss == pytest.approx(network.loss(X, y, **kwargs), rel=1e-13)
    assert_gradients_are_differences(network, gradients, X, y, kwargs)


def elementwise_losses(loss, z, Y):
    """Each output's part of the loss, from the definition."""
    if loss == "cross_entropy":
        return -Y * np.log(np.exp(z) / np.exp(z).sum(axis=1, keepdims=True))
    if loss == "binary_cross_entropy":
        p = 1 / (1 + np.exp(-z))
        return -(Y * np.log(p) + (1 - Y) * np.log(1 - p))
    if loss == "poisson":
        return Y * np.log(Y / np.exp(z)) - Y + np.exp(z)
    d = np.abs(z - Y)
    if loss == "quantile":
        q = loss_options(loss, z.shape[1:])["quantiles"]
        return np.where(z > Y, 1 - q, q) * d
    if loss == "absolute_error":
        return d
    if loss == "squared_error":
        return d**2 / 2
    return np.where(d <= 0.75, d**2 / 2, 0.75 * (d - 0.75 / 2))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("output", "loss"), LOSSES)
@pytest.mark.parametrize("weighted", [False, True])
def test_losses_are_as_defined(dtype, output, loss, weighted):
    sizes, n = (5, 7, 3), 33
    X, _ = random_classes(sizes, n, dtype)
    y = targets(output, sizes, n, dtype)
    network = Network(sizes, dtype=dtype, seed=0, output=output)
    weight = np.random.default_rng(3).random(n).astype(dtype) if weighted else None
    w = np.ones(n) if weight is None else weight.astype(float)
    losses = elementwise_losses(loss, network.decision_function(X).astype(float), y.astype(float))
    penalty = 0.3 / 2 * sum(np.sum(W.astype(float) ** 2) for W in network.coefs_)
    expected = (w @ losses.sum(axis=1) + penalty) / w.sum()
    actual = network.loss(X, y, sample_weight=weight, alpha=0.3, **loss_options(loss, sizes))
    # Every part of the sum is of one sign, and within a few roundings of its own.
    assert actual == pytest.approx(expected, rel=32 * float(np.finfo(dtype).eps))


def test_default_losses():
    X, _ = random_classes((5, 3), 9)
    for output, loss in (*LOSSES[:3], ("exp", "poisson")):
        network = Network((5, 3), seed=0, output=output)
        y = targets(output, (5, 3), 9)
        assert network.loss(X, y) == network.loss(X, y, loss=loss)
        assert network.gradients(X, y).loss == network.gradients(X, y, loss=loss).loss


@pytest.mark.parametrize(
    ("output", "loss"),
    [
        ("softmax", "binary_cross_entropy"),
        ("softmax", "squared_error"),
        ("logistic", "cross_entropy"),
        ("logistic", "huber"),
        ("identity", "cross_entropy"),
        ("identity", "poisson"),
        ("exp", "squared_error"),
        ("sorted", "absolute_error"),
    ],
)
def test_losses_that_do_not_go_with_the_output(output, loss):
    X, _ = random_classes((5, 3), 9)
    network = Network((5, 3), seed=0, output=output)
    for method in (network.loss, network.gradients):
        with pytest.raises(ValueError, match=f"loss must be one of .*, got '{loss}'"):
            method(X, targets(output, (5, 3), 9), loss=loss)


@pytest.mark.parametrize("output", ["logistic", "identity"])
def test_targets_of_one_output_need_no_second_dimension(output):
    X, _ = random_classes((5, 4, 1), 9)
    y = targets(output, (5, 4, 1), 9)
    network = Network((5, 4, 1), seed=0, output=output)
    assert network.loss(X, y[:, 0]) == network.loss(X, y)
    assert np.array_equal(network.gradients(X, y[:, 0]).flat, network.gradients(X, y).flat)


@pytest.mark.parametrize(
    ("output", "y", "error", "words"),
    [
        ("logistic", np.zeros((9, 2)), ValueError, r"shape \(9, 3\).*got \(9, 2\)"),
        ("logistic", np.zeros(9), ValueError, r"shape \(9, 3\).*got \(9,\)"),
        ("logistic", np.zeros((9, 3), int), TypeError, "int64"),
        ("logistic", np.zeros((9, 3), np.float32), TypeError, "float64.*float32"),
        ("logistic", np.full((9, 3), 1.5), ValueError, r"lie in \[0, 1\].*1\.5"),
        ("logistic", np.full((9, 3), -0.5), ValueError, r"lie in \[0, 1\].*-0\.5"),
        ("logistic", np.full((9, 3), np.nan), ValueError, "finite"),
        ("identity", np.zeros((8, 3)), ValueError, r"shape \(9, 3\).*got \(8, 3\)"),
        ("identity", np.zeros(9, int), TypeError, "int64"),
        ("identity", np.full((9, 3), np.inf), ValueError, "finite"),
        ("identity", ["a"] * 9, TypeError, "float32 or float64 array"),
        ("exp", np.full((9, 3), -0.5), ValueError, r"lie in \[0, inf\), got -0\.5"),
        ("exp", np.full((9, 3), np.inf), ValueError, "finite"),
        ("sorted", np.zeros((9, 1)), ValueError, r"shape \(9, 3\).*got \(9, 1\)"),
    ],
)
def test_bad_targets(output, y, error, words):
    X, _ = random_classes((5, 3), 9)
    network = Network((5, 3), seed=0, output=output)
    for method in (network.loss, network.gradients):
        with pytest.raises(error, match=f"y must .*{words}"):
            method(X, y)


@pytest.mark.parametrize("delta", [0.0, -1.0, np.nan, np.inf])
def test_bad_huber_delta(delta):
    X, _ = random_classes((5, 3), 9)
    network = Network((5, 3), seed=0, output="identity")
    for method in (network.loss, network.gradients):
        with pytest.raises(ValueError, match=r"delta must (lie in|be finite)"):
            method(X, targets("identity", (5, 3), 9), loss="huber", huber_delta=delta)


def test_quantiles_share_one_target():
    X, _ = random_classes((5, 4, 3), 9)
    y = targets("sorted", (1,), 9)
    network = Network((5, 4, 3), seed=0, output="sorted")
    options = {"quantiles": (0.1, 0.5, 0.9)}
    repeated = np.repeat(y, 3, axis=1)
    assert network.loss(X, y[:, 0], **options) == network.loss(X, repeated, **options)


@pytest.mark.parametrize("quantiles", [None, (0.5,), (0.1, 0.5, 0.8, 0.9)])
def test_there_is_a_quantile_for_each_output(quantiles):
    X, _ = random_classes((5, 3), 9)
    network = Network((5, 3), seed=0, output="sorted")
    for method in (network.loss, network.gradients):
        with pytest.raises(ValueError, match="quantiles must be 3 numbers"):
            method(X, np.zeros(9), quantiles=quantiles)


def test_gradient_views_and_deltas():
    X, y = random_classes((4, 5, 3), 8)
    network = Network((4, 5, 3), seed=0)
    gradients = network.gradients(X, y)
    assert all(np.shares_memory(g, gradients.flat) for g in gradients.coefs + gradients.intercepts)
    assert [d.shape for d in gradients.deltas] == [(8, 5), (8, 3)]
    np.testing.assert_allclose(gradients.intercepts[0], gradients.deltas[0].sum(axis=0), rtol=1e-12)
