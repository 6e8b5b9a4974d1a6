"""Solvers: the steps of AdamW, factors of layers, and what parameters may be."""

import numpy as np
import pytest
from samples import random_classes
from trainers import SIZES

from dnncore import DNNClassifier, Network
from dnncore.training import LBFGS, SGD, Adam, AdamW, Trainer


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: SGD(0), ValueError, "learning_rate_init must lie in"),
        (lambda: SGD(np.nan), ValueError, "learning_rate_init must lie in"),
        (lambda: SGD("a"), TypeError, "learning_rate_init must be a number"),
        (lambda: SGD(momentum=1.1), ValueError, "momentum must lie in"),
        (lambda: SGD(schedule="nonesuch"), ValueError, "learning_rate must be one of"),
        (lambda: SGD(power_t=-1), ValueError, "power_t must lie in"),
        (lambda: Adam(beta_1=1), ValueError, "beta_1 must lie in"),
        (lambda: Adam(beta_2=-0.1), ValueError, "beta_2 must lie in"),
        (lambda: Adam(epsilon=0), ValueError, "epsilon must lie in"),
        (lambda: AdamW(beta_2=1), ValueError, "beta_2 must lie in"),
        (lambda: AdamW(weight_decay=-1), ValueError, "weight_decay must lie in"),
        (lambda: AdamW(weight_decay="a"), TypeError, "weight_decay must be a number"),
        (lambda: AdamW(schedule="adaptive"), ValueError, "learning_rate must be one of"),
        (lambda: LBFGS(max_fun=0), ValueError, "max_fun must lie in"),
    ],
)
def test_bad_settings(make, error, words):
    with pytest.raises(error, match=words):
        make()


def weights_only(network):
    """1 at the weights of a parameter vector, 0 at the biases."""
    mask = np.zeros(network.n_parameters)
    for W in network.views(mask)[0]:
        W[...] = 1.0
    return mask


def adamw_by_hand(X, y, weight, rates, *, decay, alpha, factors=None, batch_size=32):
    """AdamW as in PyTorch's documentation, with NumPy and the gradients of a network."""
    network, solver = Network(SIZES, seed=3), AdamW()
    w = network.parameters
    rate_of, decay_of = np.ones(w.size), weights_only(network)
    if factors is not None:
        rates_of_layers, (decays_of_layers, _) = network.views(rate_of), network.views(decay_of)
        for layer, (of_weights, of_biases, of_decay) in enumerate(factors):
            rates_of_layers[0][layer][...] = of_weights
            rates_of_layers[1][layer][...] = of_biases
            decays_of_layers[layer][...] = of_decay
    m, v = np.zeros(w.size), np.zeros(w.size)
    starts = range(0, len(X), batch_size)
    for step, rate in enumerate(rates):
        start = starts[step % len(starts)]
        rows = slice(start, start + batch_size)
        g = network.gradients(X[rows], y[rows], sample_weight=weight[rows], alpha=alpha).flat
        w -= rate * rate_of * decay * decay_of * w
        m = solver.beta_1 * m + (1.0 - solver.beta_1) * g
        v = solver.beta_2 * v + (1.0 - solver.beta_2) * g**2
        m_hat = m / (1.0 - solver.beta_1 ** (step + 1))
        v_hat = v / (1.0 - solver.beta_2 ** (step + 1))
        w -= rate * rate_of * m_hat / (np.sqrt(v_hat) + solver.epsilon)
    return w


@pytest.mark.parametrize("engine", ["builtin", "blas"])
@pytest.mark.parametrize("n_threads", [1, 3])
@pytest.mark.parametrize("schedule", ["constant", "cosine"])
@pytest.mark.parametrize("factors", [None, [(0.5, 0.1, 2.0), (1.0, 1.0, 1.0), (2.0, 0.0, 0.0)]])
def test_steps_of_adamw(engine, n_threads, schedule, factors):
    X, y = random_classes(SIZES)  # 203 rows in batches of 32: the last batch is short
    weight = np.random.default_rng(1).uniform(0.5, 1.5, len(X))
    trainer = Trainer(
        Network(SIZES, seed=3), AdamW(0.01, weight_decay=0.7, schedule=schedule), alpha=0.5,
        batch_size=32, shuffle=False, n_threads=n_threads, engine=engine, layer_factors=factors,
    )  # fmt: skip
    trainer.fit(X, y, weight, max_iter=4, tol=0.0)
    t = (np.arange(28) + 0.5) / 28
    rates = 0.005 * (1.0 + np.cos(np.pi * t)) if schedule == "cosine" else np.full(28, 0.01)
    expected = adamw_by_hand(X, y, weight, rates, decay=0.7, alpha=0.5, factors=factors)
    np.testing.assert_allclose(trainer.network.parameters, expected, rtol=0, atol=1e-10)


def test_steps_of_adamw_are_those_of_pytorch():
    torch = pytest.importorskip("torch")
    X, y = random_classes(SIZES)
    ours, network = Network(SIZES, seed=3), Network(SIZES, seed=3)
    options = {"betas": (0.8, 0.95), "eps": 1e-3, "weight_decay": 0.7}
    arrays = [torch.from_numpy(x).requires_grad_() for x in network.coefs_ + network.intercepts_]
    biases = arrays[len(network.coefs_) :]
    theirs = torch.optim.AdamW(
        [{"params": arrays[: -len(biases)]}, {"params": biases, "weight_decay": 0.0}],
        lr=0.01, **options,
    )  # fmt: skip
    trainer = Trainer(ours, AdamW(0.01, 0.8, 0.95, 1e-3, weight_decay=0.7), batch_size=300)
    trainer.shuffle, trainer.alpha = False, 0.0
    for _ in range(9):
        g = network.gradients(X, y, alpha=0.0)
        for x, dx in zip(arrays, g.coefs + g.intercepts, strict=True):
            x.grad = torch.from_numpy(dx.copy())
        theirs.step()
        trainer.run_epoch(X, y)
    np.testing.assert_allclose(ours.parameters, network.parameters, rtol=0, atol=1e-12)


def test_weights_decay_and_biases_do_not():
    """Without a gradient, only the decay is left: of float32 weights, too, in small steps."""
    network = Network((3, 4, 2), dtype=np.float32, seed=0)
    before, mask = network.parameters.copy(), weights_only(network) == 1.0
    X, y = np.zeros((10, 3), np.float32), np.zeros((10, 2), np.float32)  # labels without weight
    trainer = Trainer(network, AdamW(1e-3, weight_decay=0.1), alpha=0.0, batch_size=1)
    for _ in range(100):
        trainer.run_epoch(X, y)
    # 1000 steps, each rounded to half an ULP.
    np.testing.assert_allclose(
        network.parameters[mask], before[mask] * (1.0 - 1e-4) ** 1000, rtol=1000 * 2.0**-24
    )
    np.testing.assert_array_equal(network.parameters[~mask], before[~mask])


def test_adamw_without_decay_is_adam_but_for_epsilon():
    X, y = random_classes(SIZES)
    networks = []
    for solver in (Adam(0.01, epsilon=1e-300), AdamW(0.01, epsilon=1e-300, weight_decay=0.0)):
        networks.append(Network(SIZES, seed=0))
        Trainer(networks[-1], solver, seed=0).fit(X, y, max_iter=3)
    np.testing.assert_allclose(networks[0].parameters, networks[1].parameters, rtol=0, atol=1e-12)


def test_estimators_pass_their_parameters_to_adamw():
    X, y = random_classes(SIZES)
    options = {"solver": "adamw", "random_state": 0, "max_iter": 2, "tol": 0.0}
    model = DNNClassifier(
        (5,), learning_rate_init=0.02, beta_1=0.8, beta_2=0.95, epsilon=1e-6, weight_decay=0.3,
        learning_rate="coslog4", **options,
    ).fit(X, y)  # fmt: skip
    assert model._trainer.solver == AdamW(0.02, 0.8, 0.95, 1e-6, "coslog4", 0.3)
    model = DNNClassifier((5,), learning_rate="adaptive", **options)
    with pytest.warns(UserWarning, match="max_iter"):
        assert model.fit(X, y)._trainer.solver == AdamW(2e-3)


@pytest.mark.parametrize("solver", [SGD(0.1, momentum=0.0), SGD(0.1), Adam(0.01), AdamW(0.01)])
@pytest.mark.parametrize("engine", ["builtin", "blas"])
def test_factors_of_layers(solver, engine):
    X, y = random_classes(SIZES)

    def trained(factors):
        network = Network(SIZES, seed=0)
        options = {"batch_size": 300, "shuffle": False, "engine": engine, "layer_factors": factors}
        Trainer(network, solver, **options).run_epoch(X, y)
        return network.parameters - Network(SIZES, seed=0).parameters, network

    plain, network = trained(None)
    np.testing.assert_array_equal(trained([(1.0, 1.0, 1.0)] * 3)[0], plain)
    factors = [(0.5, 2.0, 1.0), (0.0, 1.0, 1.0), (1.0, 0.0, 1.0)]
    moved = trained(factors)[0]
    for own, other, column in zip(network.views(moved), network.views(plain), (0, 1), strict=True):
        for layer, (x, expected) in enumerate(zip(own, other, strict=True)):
            np.testing.assert_allclose(x, factors[layer][column] * expected, atol=1e-14)


def test_factors_can_change_between_epochs():
    X, y = random_classes(SIZES)
    network = Network(SIZES, seed=0)
    trainer = Trainer(network, SGD(0.1))
    trainer.run_epoch(X, y)
    before = network.parameters.copy()
    trainer.configure(SGD(0.1), layer_factors=[(0.0, 0.0, 0.0)] * 3)
    trainer._state[0][...] = 0.0  # no velocity
    trainer.run_epoch(X, y)
    np.testing.assert_array_equal(network.parameters, before)


@pytest.mark.parametrize(
    ("factors", "error", "words"),
    [
        ([(1, 1, 1)], ValueError, "layer_factors must be 3 numbers for each of 2 layers"),
        ([(1, 1)] * 2, ValueError, "layer_factors must be 3 numbers for each of 2 layers"),
        ([(1, 1, -1)] * 2, ValueError, "layer_factors must lie in"),
        ([(1, "a", 1)] * 2, TypeError, "layer_factors must be a number"),
    ],
)
def test_bad_factors(factors, error, words):
    with pytest.raises(error, match=words):
        Trainer(Network((4, 3, 2)), layer_factors=factors)
