"""Rows are checked once, at the boundary; below it the source gives them as they are."""

import pickle

import numpy as np
import pytest

from dnncore import Network, training
from dnncore._core import checks, labels
from dnncore._data import blocks as data_blocks
from dnncore._training import checks as training_checks
from dnncore._training import optimizer
from dnncore._training.checks import check_rows
from dnncore._training.settings import StopSettings
from dnncore._training.sources import ArraySource, BlockSource
from dnncore._training.trainer import fit_source
from dnncore.training import LBFGS, SGD, Trainer

RNG = np.random.default_rng(0)
X = RNG.normal(size=(90, 4))
Y = RNG.integers(0, 3, 90)
TARGET = RNG.normal(size=(90, 2))


def make_trainer(solver=None, output="softmax"):
    network = Network((4, 6, 3 if output == "softmax" else 2), seed=0, output=output)
    return Trainer(network, solver or SGD(0.1), seed=0, batch_size=20)


@pytest.fixture
def looked_at(monkeypatch):
    """The arrays that were looked through for NaN and infinity."""
    arrays = []
    for module in (checks, labels, training_checks, data_blocks, optimizer):
        original = module.all_finite

        def all_finite(x, original=original):
            arrays.append(x)
            return original(x)

        monkeypatch.setattr(module, "all_finite", all_finite)
    return arrays


def count(looked_at, array):
    return sum(np.shares_memory(x, array) for x in looked_at)


@pytest.mark.parametrize(
    ("y", "output"), [(Y, "softmax"), (np.eye(3)[Y], "softmax"), (TARGET, "identity")]
)
def test_rows_are_looked_through_once(looked_at, y, output):
    make_trainer(output=output).fit(X, y, max_iter=3)
    assert count(looked_at, X) == 1
    assert count(looked_at, y) == (y.dtype.kind == "f")


def test_blocks_are_looked_through_once_an_epoch(looked_at):
    make_trainer().fit_blocks([(X[:50], Y[:50]), (X[50:], Y[50:])], max_iter=3)
    assert count(looked_at, X[:50]) == count(looked_at, X[50:]) == 3


def test_rows_that_have_been_checked_are_not_looked_at(looked_at):
    network = make_trainer().network
    whole = check_rows(network, X, Y, None)
    parts = [check_rows(network, X[rows], Y[rows], None) for rows in (slice(50), slice(50, 90))]
    looked_at.clear()
    trained = []
    for source in (ArraySource(*whole), BlockSource(parts)):
        trainer = make_trainer()
        trainer.configure(SGD(0.1), batch_size=20, shuffle=False, engine="builtin")
        assert fit_source(trainer, source, StopSettings(max_iter=3)) == "max_iter"
        trained.append(trainer.network.parameters)
        learnt = trainer.network.parameters, *trainer._state
        assert all(any(np.shares_memory(x, own) for own in learnt) for x in looked_at)
        looked_at.clear()
    np.testing.assert_array_equal(*trained)


def test_lbfgs_takes_all_rows():
    trainer = make_trainer(LBFGS())
    rows = check_rows(trainer.network, X, Y, None)
    assert fit_source(trainer, ArraySource(*rows), StopSettings(max_iter=2)) == "max_iter"


def test_settings_are_checked_and_converted():
    settings = StopSettings(max_iter=np.int64(3), tol=0, n_iter_no_change=np.inf, max_time=1)
    assert type(settings.max_iter) is int and type(settings.tol) is float
    assert settings.n_iter_no_change == np.inf and type(settings.max_time) is float
    with pytest.raises(ValueError, match="max_time must lie in"):
        StopSettings(max_time=0)
    with pytest.raises(ValueError, match="n_iter_no_change"):
        StopSettings(n_iter_no_change=0, tol=-1)


def test_the_public_members_of_a_trainer():
    members = {name for name in (*dir(Trainer), *vars(make_trainer())) if name[0] != "_"}
    assert members == {
        "alpha", "backward", "batch_size", "configure", "dropout", "engine", "fit", "fit_blocks",
        "forward", "history", "huber_delta", "is_finite", "layer_factors", "learn_one",
        "learning_rate", "load_state_dict", "loss", "max_grad_norm", "n_threads", "network",
        "quantiles", "restore", "run_epoch", "shuffle", "snapshot", "solver", "state_dict", "step",
        "stepper",
    }  # fmt: skip


@pytest.mark.parametrize("name", training.__all__)
def test_public_classes_are_pickled_where_they_are_public(name):
    kind = getattr(training, name)
    assert kind.__module__ == "dnncore.training"
    assert pickle.loads(pickle.dumps(kind)) is kind
    assert b"_training" not in pickle.dumps(kind)
