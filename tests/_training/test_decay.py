"""The state of a solver for parameters whose gradient stays 0."""

import numpy as np
import pytest

from dnncore import Network
from dnncore.training import SGD, Adam, AdamW, Trainer


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("solver", [SGD(0.1), SGD(0.1, nesterov=False), Adam(0.1), AdamW(0.1)])
def test_a_state_decays_to_zero(dtype, solver):
    """It does not stay at numbers below the normal ones, with which arithmetic is slow."""
    network = Network((2, 3, 2), dtype=dtype, seed=0)
    trainer = Trainer(network, solver, alpha=0.0)
    X, y = np.ones((1, 2), dtype), np.array([0])
    trainer.step(X, y)
    tiny = np.finfo(dtype).tiny
    for state in trainer._state:
        assert (state != 0).any()
        state[...] = np.copysign(2 * tiny, state)  # close to where it would stay
    X[...] = 0.0
    for _ in range(1000):
        trainer.step(X, y)
        sizes = [np.abs(network.views(state)[0][0]) for state in trainer._state]
        assert all(((size == 0) | (size >= tiny)).all() for size in sizes)
    assert (network.views(trainer._state[0])[0][0] == 0).all()


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("solver", [Adam(0.1), AdamW(0.1)])
def test_gradients_whose_squares_are_tiny_leave_no_state(dtype, solver):
    network = Network((2, 3, 2), dtype=dtype, seed=0)
    trainer = Trainer(network, solver, alpha=0.0)
    trainer.forward(np.ones((1, 2), dtype))
    tiny = np.finfo(dtype).tiny
    trainer.backward(dz=np.array([[1, -1]], dtype) * dtype(np.sqrt(tiny)))
    assert all(not state.any() for state in trainer._state)
    trainer.forward(np.ones((1, 2), dtype))
    trainer.backward(dz=np.array([[1, -1]], dtype) * dtype(np.sqrt(tiny) * 1e3))
    assert all((np.abs(s[s != 0]) >= tiny).all() and s.any() for s in trainer._state)
