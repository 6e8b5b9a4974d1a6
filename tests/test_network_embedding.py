"""Network with an embedding of numbers: forward, gradients, training, predictor, pickles."""

import pickle
from copy import deepcopy

import numpy as np
import pytest

from dnncore import Network, PiecewiseLinear, reference
from dnncore.predictor import Predictor
from dnncore.training import LBFGS, SGD, Adam, Trainer

DTYPES = [np.float32, np.float64]
H = 1e-5


def rows(n=200, numbers=5, rest=2, dtype=np.float64, seed=0):
    rng = np.random.default_rng(seed)
    X = np.hstack([rng.normal(size=(n, numbers)), rng.integers(0, 2, (n, rest))]).astype(dtype)
    return X, rng.integers(0, 3, n)


def network_for(X, numbers, *, n_bins=16, size=3, hidden=(9, 8), **options):
    embedding = PiecewiseLinear.from_rows(X, numbers, n_bins, size)
    network = Network(
        (embedding.n_outputs, *hidden, 3), dtype=X.dtype, seed=0, embedding=embedding, **options
    )
    rng = np.random.default_rng(1)
    for array in network.embedding_:  # other values than the initial ones
        array += rng.normal(scale=0.3, size=array.shape)
    return network


def embedded(network, X):
    constants = network.embedding.lower, network.embedding.inverse_width
    return reference.piecewise_linear(X, *constants, *network.embedding_)


@pytest.mark.usefixtures("builtin_engine")
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("numbers", "rest"), [(5, 2), (0, 3), (17, 0)])
def test_forward_is_the_reference(numbers, rest, dtype):
    X, _ = rows(70, numbers, rest, dtype)
    network = network_for(X, numbers)
    dense = Network(network.layer_sizes, dtype=dtype, seed=0)
    for W, V in zip(network.coefs_, dense.coefs_, strict=True):
        np.testing.assert_array_equal(W, V)  # their random numbers do not change
    forward = network.forward(X)
    scale = np.abs(forward.a[0]).max() * np.finfo(dtype).eps
    np.testing.assert_allclose(forward.a[0], embedded(network, X), atol=64 * scale, rtol=0)
    expected = dense.predict_proba(forward.a[0])
    np.testing.assert_array_equal(network.predict_proba(X), expected)
    np.testing.assert_array_equal(network.predict_proba(X, n_threads=3), expected)
    np.testing.assert_array_equal(network.predict_proba(X[:1]), expected[:1])


@pytest.mark.parametrize("numbers", [0, 3, 7])
@pytest.mark.parametrize(("n_bins", "size"), [(1, 1), (7, 2), (16, 3), (17, 4)])
@pytest.mark.parametrize("activation", ["tanh", "logistic"])
def test_gradients_against_central_differences(numbers, n_bins, size, activation):
    X, y = rows(11, numbers, 7 - numbers)
    # Bins that are wide enough for the step of the differences.
    grid = np.linspace(-2.01, 2, 200)[:, np.newaxis] * np.ones(7)
    network = network_for(
        grid, numbers, n_bins=n_bins, size=size, hidden=(4,), activation=activation
    )
    X[0] += 10  # beyond the last edge
    gradients = network.gradients(X, y, alpha=0.3)
    assert gradients.loss == pytest.approx(network.loss(X, y, alpha=0.3), rel=1e-13)

    def difference(array, i):
        value, losses = array[i], []
        for shifted in (value + H, value - H):
            array[i] = shifted
            losses.append(network.loss(X, y, alpha=0.3))
        array[i] = value
        return (losses[0] - losses[1]) / (2 * H)

    numerical = [difference(network.parameters, i) for i in range(network.n_parameters)]
    np.testing.assert_allclose(gradients.flat, numerical, atol=1e-8, rtol=0)
    numerical = [difference(X, i) for i in np.ndindex(X.shape)]
    np.testing.assert_allclose(gradients.dx.ravel(), numerical, atol=1e-8, rtol=0)
    for view, gradient in zip(network.embedding_, gradients.embedding, strict=True):
        assert np.shares_memory(gradient, gradients.flat) or not gradient.size
        assert gradient.shape == view.shape


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("engine", ["builtin", "blas"])
@pytest.mark.parametrize("n", [1, 7, 64])
def test_a_step_of_sgd_follows_the_gradient(n, engine, dtype):
    X, y = rows(n, dtype=dtype)
    network = network_for(X, 5)
    before, found = network.parameters.copy(), network.gradients(X, y, alpha=0.3)
    solver = SGD(learning_rate_init=0.5, momentum=0.0, nesterov=False)
    trainer = Trainer(network, solver, alpha=0.3, batch_size=n, engine=engine, shuffle=False)
    assert trainer.run_epoch(X, y) == pytest.approx(found.loss, rel=1e-5)
    moved = (before - network.parameters) / dtype(0.5)
    np.testing.assert_allclose(moved, found.flat, atol=100 * np.finfo(dtype).eps, rtol=0)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("dropout", [0.0, 0.3])
@pytest.mark.parametrize("solver", [Adam(), SGD()])
def test_training_gives_the_same_bits(solver, dropout, dtype, select_isa):
    from dnncore._core import csrc

    X, y = rows(130, 17, 3, dtype)
    results = []
    for isa in csrc.available():
        for n_threads in (1, 2, 3):
            select_isa(isa)
            network = network_for(X, 17)
            trainer = Trainer(
                network, solver, seed=0, batch_size=50, n_threads=n_threads, engine="builtin",
                dropout=dropout,
            )  # fmt: skip
            for _ in range(2):
                trainer.run_epoch(X, y)
            results.append(network.parameters.tobytes())
    assert len(set(results)) == 1


def test_dropout_leaves_the_embedding_alone():
    """With dropout that drops next to nothing, a step is that without dropout."""
    X, y = rows()
    results = []
    for dropout in (0.0, 2.0**-31):
        network = network_for(X, 5, hidden=())
        Trainer(network, SGD(), seed=0, dropout=dropout, shuffle=False).run_epoch(X, y)
        results.append(network.parameters.copy())
    np.testing.assert_array_equal(*results)
    network = network_for(X, 5, hidden=())
    Trainer(network, SGD(), seed=0, dropout=0.9, shuffle=False).run_epoch(X, y)
    np.testing.assert_array_equal(network.parameters, results[0])  # there is no hidden layer


def test_embedding_learns_steps():
    """What is not linear in the numbers, for a network without a hidden layer."""
    X, _ = rows(2000, 2, 0)
    y = ((np.abs(X[:, 0]) < 0.7) ^ (X[:, 1] > 1)).astype(int)
    embedding = PiecewiseLinear.from_rows(X, 2)
    losses = []
    for sizes, options in [((2, 2), {}), ((embedding.n_outputs, 2), {"embedding": embedding})]:
        network = Network(sizes, seed=0, **options)
        Trainer(network, Adam(1e-2), seed=0).fit(X, y, max_iter=40)
        losses.append(network.loss(X, y))
    assert losses[1] < 0.7 * losses[0]


def test_lbfgs():
    X, y = rows()
    network = network_for(X, 5)
    before = network.loss(X, y)
    Trainer(network, LBFGS()).fit(X, y, max_iter=20)
    assert network.loss(X, y) < 0.95 * before


@pytest.mark.usefixtures("builtin_engine")
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n", [1, 33, 500])
def test_predictor(n, dtype):
    X, _ = rows(n, 5, 2, dtype)
    network = network_for(rows(200, 5, 2, dtype, seed=3)[0], 5)
    predictor = network.freeze()
    assert predictor.n_features == 7
    expected = network.predict_proba(X)
    np.testing.assert_array_equal(predictor(X), expected)
    np.testing.assert_array_equal(predictor(X[0]), expected[0])
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(predictor))(X), expected)
    with pytest.raises(ValueError, match="x must have shape"):
        predictor(X[:, :5])
    with pytest.raises(ValueError, match="fill must be None with an embedding"):
        Predictor(
            network.layer_sizes, network.parameters, fill=np.zeros(7), embedding=network.embedding
        )


def test_copies():
    X, y = rows()
    network = network_for(X, 5)
    expected = network.predict_proba(X)
    for copy in (pickle.loads(pickle.dumps(network)), deepcopy(network)):
        np.testing.assert_array_equal(copy.predict_proba(X), expected)
        assert np.shares_memory(copy.embedding_.V, copy.parameters)
        Trainer(copy).run_epoch(X, y)
        assert (copy.embedding_.V != network.embedding_.V).any()
    np.testing.assert_array_equal(network.predict_proba(X), expected)


def test_sparse_rows():
    sparse = pytest.importorskip("scipy.sparse")
    X, y = rows()
    network = network_for(X, 5)
    S = sparse.csr_array(X)
    np.testing.assert_array_equal(network.predict_proba(S), network.predict_proba(X))
    one, other = network.gradients(S, y), network.gradients(X, y)
    np.testing.assert_array_equal(one.flat, other.flat)
    np.testing.assert_array_equal(one.dx, other.dx)


def test_what_is_shown():
    X, _ = rows()
    network = network_for(X, 5)
    assert "embedding=PiecewiseLinear(n_inputs=7, n_numeric=5, n_bins=16, size=3)" in repr(network)
    page = network._repr_html_()
    assert "embedding" in page and "7-22-9-8-3" in page


def test_what_is_refused():
    X, _ = rows()
    embedding = PiecewiseLinear.from_rows(X, 5)
    with pytest.raises(ValueError, match=r"layer_sizes\[0\] must be 22, .* got 21"):
        Network((21, 3), embedding=embedding)
    with pytest.raises(TypeError, match="embedding must be a PiecewiseLinear, got int"):
        Network((22, 3), embedding=3)
    with pytest.raises(ValueError, match="missing must be None with an embedding"):
        Network((22, 3), embedding=embedding, missing=[0])
    network = Network((22, 3), embedding=embedding)
    for call in (
        lambda: network.set_norm(np.zeros(7), np.ones(7)),
        lambda: network.update_norm(X),
    ):
        with pytest.raises(ValueError, match="network with an embedding"):
            call()
    network.set_norm(None, None)
    with pytest.raises(ValueError, match="X must have 7 columns"):
        network.predict_proba(X[:, :6])
