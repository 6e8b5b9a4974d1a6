"""The temperature of class probabilities."""

import numpy as np
import pytest
from scipy.special import log_softmax

from dnncore._estimators.calibration import MAX_LOG_TEMPERATURE, temperature

COUNTS = np.array([[6, 3, 1], [1, 1, 8], [2, 5, 3]])  # of the classes, in three kinds of rows


def calibrated():
    """Logits that are the frequencies of the classes, and the classes."""
    label = np.concatenate([np.repeat(np.arange(3), counts) for counts in COUNTS])
    return np.repeat(np.log(COUNTS / 10), 10, axis=0), label


def loss(z, label, t, weight=None):
    return -np.average(log_softmax(z / t, axis=1)[np.arange(len(z)), label], weights=weight)


@pytest.mark.parametrize("factor", [0.3, 1.0, 2.0, 4.0])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_exact_on_frequencies(factor, dtype):
    z, label = calibrated()
    assert temperature((factor * z).astype(dtype), label, None) == pytest.approx(factor, rel=1e-4)


@pytest.mark.parametrize("weighted", [False, True])
def test_the_loss_is_minimal(weighted):
    rng = np.random.default_rng(0)
    label = rng.integers(0, 4, 200)
    z = 3 * rng.normal(size=(200, 4)) + 2 * np.eye(4)[label]
    weight = rng.uniform(0, 2, 200) if weighted else None
    t = temperature(z, label, weight)
    for neighbour in (0.98 * t, 1.02 * t, 1.0):
        assert loss(z, label, t, weight) < loss(z, label, neighbour, weight)


def test_a_weight_counts_rows():
    z, label = calibrated()
    z = z * np.linspace(0.5, 3, 3)
    twice = np.arange(len(z)) % 2 + 1
    assert temperature(z, label, twice.astype(float)) == pytest.approx(
        temperature(np.repeat(z, twice, axis=0), np.repeat(label, twice), None), rel=1e-6
    )


def test_it_is_bounded():
    label = calibrated()[1]
    right = np.eye(3)[label]
    limit = np.exp(MAX_LOG_TEMPERATURE)
    assert temperature(right, label, None) == pytest.approx(1 / limit, rel=1e-3)
    assert temperature(-right, label, None) == pytest.approx(limit, rel=1e-3)


def test_without_weight():
    z, label = calibrated()
    assert temperature(z, label, np.zeros(len(z))) == 1.0
    assert temperature(z[:0], label[:0], None) == 1.0


def test_the_loss_does_not_depend_on_it():
    rng = np.random.default_rng(0)
    same = np.repeat(rng.normal(size=(20, 1)), 3, axis=1)
    assert temperature(same, np.arange(20) % 3, None) == 1.0
    z, label = calibrated()
    rows, label = np.concatenate([same, 2.0 * z]), np.concatenate([np.arange(20) % 3, label])
    assert temperature(rows, label, np.arange(len(rows)) < 20.0) == 1.0
    assert temperature(rows, label, np.arange(len(rows)) >= 20.0) == pytest.approx(2.0, rel=1e-4)
    assert temperature(rng.normal(size=(20, 1)), np.zeros(20, np.intp), None) == 1.0
