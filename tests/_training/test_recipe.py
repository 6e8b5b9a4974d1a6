"""The recipe of a network for tables."""

import numpy as np
import pytest

from dnncore._training.recipe import BIAS_RATE, SCALE_RATE, Recipe
from dnncore._training.solvers import AdamW

X = np.random.default_rng(0).normal(size=(200, 6)).astype(np.float32)


def recipe(**options):
    settings = {
        "hidden_layer_sizes": (40, 30), "activation": "silu", "n_bins": 8, "embedding_size": 3,
        "learning_rate": 0.04, "weight_decay": 0.02, "dropout": 0.1,
        "max_grad_norm": 0.7, "batch_size": 64,
    }  # fmt: skip
    return Recipe(**settings | options)


def network(n_numeric=4, seed=0, **options):
    return recipe(**options).network(X, n_numeric, 3, "softmax", seed)


def test_the_form_of_the_network():
    made = network()
    inputs = made.embedding.n_outputs
    assert made.layer_sizes == (inputs, 40, 30, 3)
    assert made.n_features == 6 and made.dtype == np.float32
    assert inputs > 4 * 3 + 2 - 1
    assert network(n_numeric=0).layer_sizes[0] == 6


def test_the_initial_weights_have_variance_one_over_the_inputs():
    made = network(hidden_layer_sizes=(400, 300))
    for W in made.coefs_:
        assert W.std() * np.sqrt(W.shape[0]) == pytest.approx(1.0, rel=0.05)
        assert abs(W.mean()) < 5 / np.sqrt(W.size * W.shape[0])
    for b in made.intercepts_[:-1]:
        assert b.std() == pytest.approx(1.0, rel=0.15)
    assert not made.intercepts_[-1].any()


def test_the_seed_draws_the_weights():
    first, again, other = network(), network(), network(seed=1)
    assert np.array_equal(first.parameters, again.parameters)
    assert not np.array_equal(first.parameters, other.parameters)


def test_the_rates_follow_from_the_widths():
    made = network()
    trainer = recipe().trainer(made, 0)
    inputs = made.layer_sizes[0]
    assert len(trainer.layer_factors) == 4
    assert trainer.layer_factors[0] == (SCALE_RATE, 1.0, 0.0)
    for factors, width in zip(trainer.layer_factors[1:], (inputs, 40, 30), strict=True):
        of_weights, of_biases, of_decay = factors
        assert of_weights == pytest.approx(width**-0.5) and of_biases == BIAS_RATE
        # A step of decay is relative to the rate of the solver.
        assert of_weights * of_decay == pytest.approx(1.0)


def test_the_solver():
    trainer = recipe().trainer(network(), 0)
    assert isinstance(trainer.solver, AdamW)
    assert trainer.solver.schedule == "coslog4"
    assert (trainer.solver.learning_rate_init, trainer.solver.weight_decay) == (0.04, 0.02)
    assert (trainer.alpha, trainer.batch_size, trainer.dropout) == (0.0, 64, 0.1)
    assert (trainer.n_threads, trainer.engine, trainer.max_grad_norm) == (1, "builtin", 0.7)
