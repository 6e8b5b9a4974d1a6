"""Sums of gradients in a tree, and steps from a gradient that is computed elsewhere."""

import numpy as np
import pytest

from dnncore import Network
from dnncore._core.labels import Labels
from dnncore._training import gradients
from dnncore._training.gradients import RowGradients, tree_sum
from dnncore.training import SGD, Adam, AdamW, Trainer

SOLVERS = [
    SGD(0.1, momentum=0.0), SGD(0.1, nesterov=False), SGD(0.1), Adam(0.1),
    AdamW(0.1, weight_decay=0.2),
]  # fmt: skip


class Term(str):
    """Shows in which order it was added."""

    def __add__(self, other):
        return Term(f"({self!s}+{other!s})")


@pytest.mark.parametrize(
    ("n", "expected"),
    [(1, "0"), (2, "(0+1)"), (3, "((0+1)+2)"), (6, "(((0+1)+(2+3))+(4+5))"), (8, None)],
)
def test_tree_sum(n, expected):
    found = tree_sum(n, lambda i: Term(i))
    if expected is None:  # two aligned parts
        expected = f"({tree_sum(4, lambda i: Term(i))}+{tree_sum(4, lambda i: Term(4 + i))})"
    assert found == expected


def case(dtype=np.float64, n=96):
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(n, 5)).astype(dtype), rng.integers(0, 3, n)
    weight = rng.uniform(0, 2, n).astype(dtype)
    weight[:20] = 0.0
    return X, y, weight


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_sums_of_aligned_parts_are_those_of_all_rows(monkeypatch, dtype):
    monkeypatch.setattr(gradients, "MAX_ELEMENTS", 8 * (5 + 4 + 3))
    X, y, weight = case(dtype)
    trainer = Trainer(Network((5, 4, 3), dtype=dtype, seed=0), engine="builtin")

    def sums(rows):
        labels = Labels.of(y[rows], weight[rows], scaled=False)
        return RowGradients(trainer, X[rows], labels)(trainer.network.parameters.copy())

    of_all = sums(slice(None))
    parts = tree_sum(3, lambda i: sums(slice(32 * i, 32 * i + 32)))
    assert (of_all.loss, of_all.n_rows) == (parts.loss, 96)
    np.testing.assert_array_equal(of_all.gradient, parts.gradient)
    expected = trainer.network.gradients(X, y, sample_weight=weight)
    rtol = 1e-4 if dtype == np.float32 else 1e-11
    np.testing.assert_allclose(of_all.gradient / of_all.weight, expected.flat, rtol, rtol / 10)
    assert of_all.weight == pytest.approx(weight.sum(dtype=np.float64))


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("max_grad_norm", [None, 0.1, 100.0])
@pytest.mark.parametrize("n_threads", [1, 3])
def test_a_step_from_a_gradient_is_that_from_the_rows(solver, max_grad_norm, n_threads):
    X, y, weight = case()
    factors = [(0.5, 2.0, 0.3), (1.5, 0.1, 2.0)]
    options = {
        "alpha": 0.3, "engine": "builtin", "max_grad_norm": max_grad_norm, "n_threads": n_threads,
        "layer_factors": factors,
    }  # fmt: skip
    by_rows, by_gradient = (Trainer(Network((5, 4, 3), seed=0), solver, **options) for _ in "ab")
    for step in range(3):
        network = by_gradient.network
        gradient = network.gradients(X, y, sample_weight=weight, alpha=0.3).flat
        before = gradient.copy()
        by_gradient._update_from(gradient, by_gradient.learning_rate)
        np.testing.assert_array_equal(gradient, before)
        by_rows.step(X, y, weight)
        assert by_gradient._steps == by_rows._steps == step + 1
        np.testing.assert_allclose(
            network.parameters, by_rows.network.parameters, rtol=1e-9, atol=1e-11
        )
