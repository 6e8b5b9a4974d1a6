"""Networks of every kind, with rows and targets, for traces and checks of gradients."""

import numpy as np

from dnncore import Network, PiecewiseLinear

ACTIVATIONS = ["logistic", "tanh", "relu", "identity", "selu", "silu", "gelu", "mish"]
LOSSES = {
    "cross_entropy": "softmax",
    "binary_cross_entropy": "logistic",
    "squared_error": "identity",
    "huber": "identity",
    "absolute_error": "identity",
    "poisson": "exp",
    "quantile": "sorted",
}
KINDS = ["plain", "norm", "missing", "indicators", "embedding"]


def traced_network(
    kind="norm", loss="cross_entropy", activation="logistic", *, sizes=(4, 5, 3), n=6,
    dtype=np.float64,
):  # fmt: skip
    """A network, and the arguments of `Network.trace` that go with it."""
    rng = np.random.default_rng(0)
    X = rng.normal(3.0, 2.0, size=(n, sizes[0])).astype(dtype)
    options = {"activation": activation, "output": LOSSES[loss], "dtype": dtype, "seed": 0}
    if kind == "embedding":
        # Bins whose edges are not values of X.
        grid = np.linspace(-3.01, 9, 200)[:, np.newaxis] * np.ones(sizes[0])
        options["embedding"] = PiecewiseLinear.from_rows(grid, sizes[0] - 1, 4, 2)
        sizes = (options["embedding"].n_outputs, *sizes[1:])
    elif kind in ("missing", "indicators"):
        X[0, 0] = X[1, 1] = np.nan
        options["missing"] = [0, 1] if kind == "indicators" else []
        sizes = (sizes[0] + len(options["missing"]), *sizes[1:])
    network = Network(sizes, **options)
    network.parameters += rng.normal(scale=0.1, size=network.parameters.shape).astype(dtype)
    if kind in ("norm", "missing", "indicators"):
        network.update_norm(X)
    return network, (X, targets(network, n)), loss_options(network, loss)


def targets(network, n):
    rng = np.random.default_rng(1)
    if network.output == "softmax":
        return rng.integers(0, network.layer_sizes[-1], n)
    if network.output == "sorted":
        return rng.normal(size=n).astype(network.dtype)
    shape = n, network.layer_sizes[-1]
    numbers = rng.uniform if network.output in ("logistic", "exp") else rng.normal
    return numbers(size=shape).astype(network.dtype)


def loss_options(network, loss):
    m = network.layer_sizes[-1]
    if loss == "quantile":
        return {"loss": loss, "quantiles": (np.arange(1, m + 1) / (m + 1)).tolist()}
    return {"loss": loss, "huber_delta": 0.75}
