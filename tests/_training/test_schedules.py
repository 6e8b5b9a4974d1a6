"""Schedules: what they decide is what the loop carries out."""

import math

import numpy as np
import pytest

from dnncore import Network
from dnncore._training.schedules import SCHEDULES, Decision, Schedule, schedules_of
from dnncore.training import LBFGS, SGD, Adam, DivergenceWarning, Trainer

RNG = np.random.default_rng(0)
X = RNG.normal(size=(120, 4))
Y = (X[:, 0] > 0).astype(int)


def trainer(solver):
    return Trainer(Network((4, 6, 2), seed=0), solver, seed=0, batch_size=40)


class Cosine(Schedule):
    def begin(self, now):
        cosine = math.cos(math.pi * now.epoch / now.max_iter)
        return Decision(0.5 * self.solver.learning_rate_init * (1.0 + cosine))

    after_epoch = begin


@pytest.mark.parametrize("solver", [SGD, Adam])
def test_a_new_schedule_is_a_small_class(monkeypatch, solver):
    monkeypatch.setitem(SCHEDULES, "cosine", Cosine)
    cosine, told = trainer(solver(0.1, schedule="cosine")), []
    cosine.fit(X, Y, max_iter=8, callback=told.append)
    rates = 0.05 * (1.0 + np.cos(np.pi * np.arange(9) / 8))
    np.testing.assert_allclose([info.learning_rate for info in told], rates[1:], atol=1e-17)
    by_hand = trainer(solver(0.1))
    for rate in rates[:-1]:
        by_hand.learning_rate = rate
        by_hand.run_epoch(X, Y)
    np.testing.assert_allclose(
        cosine.network.parameters, by_hand.network.parameters, rtol=1e-12, atol=1e-14
    )


def scripted(monkeypatch, **hooks):
    """A trainer of a schedule with these hooks, which are functions of the progress."""
    methods = {name: (lambda self, now, hook=hook: hook(now)) for name, hook in hooks.items()}
    monkeypatch.setitem(SCHEDULES, "scripted", type("Scripted", (Schedule,), methods))
    return trainer(SGD(0.1, schedule="scripted"))


def test_progress(monkeypatch):
    told = []

    def note(now):
        told.append(now)
        return Decision(now.learning_rate)

    own = scripted(monkeypatch, begin=note, after_epoch=note)
    own.fit(X, Y, max_iter=2, tol=0.125)
    own.fit(X, Y, max_iter=1)
    assert [now.epoch for now in told] == [0, 1, 2, 0, 1]
    assert [now.max_iter for now in told] == [2, 2, 2, 1, 1]
    assert [now.steps for now in told] == [0, 3, 3, 0, 3]
    assert [now.t for now in told] == [0, 120, 240, 240, 360]
    assert told[0].tol == 0.125
    losses = [now.epoch_loss for now in told]
    assert [losses[i] for i in (1, 2, 4)] == own.history.loss_curve
    assert math.isnan(losses[0]) and math.isnan(losses[3])
    assert told[-1].loss() == pytest.approx(own.network.loss(X, Y, alpha=own.alpha), rel=1e-12)


def test_keep_go_back_and_end(monkeypatch):
    seen = []

    def decide(now):
        seen.append(own.network.parameters.copy())
        return {
            1: Decision(0.5, keep=True),
            2: Decision(0.25),
            3: Decision(0.125, go_back=True, end=True),
        }[now.epoch]

    own = scripted(monkeypatch, after_epoch=decide)
    assert own.fit(X, Y, max_iter=9) == "converged"
    assert own.history.n_iter == 3 and own.learning_rate == 0.125
    np.testing.assert_array_equal(own.network.parameters, seen[0])
    assert (seen[0] != seen[2]).any()


def test_going_back_needs_something_kept(monkeypatch):
    own = scripted(monkeypatch, after_epoch=lambda now: Decision(0.1, go_back=True))
    with pytest.raises(RuntimeError, match="Scripted goes back, but kept nothing"):
        own.fit(X, Y)


def test_a_new_rate_on_a_plateau_starts_counting_anew(monkeypatch):
    plateaus = []

    def decide(now):
        plateaus.append(now.epoch)
        return Decision(now.learning_rate / 2, end=len(plateaus) == 2)

    own = scripted(monkeypatch, on_plateau=decide)
    assert own.fit(X, Y, tol=100.0, n_iter_no_change=3, max_iter=99) == "converged"
    # The first epoch improves on infinity; then more than 3 do not, and then another 4.
    assert plateaus == [5, 9]


def test_after_divergence_the_epoch_is_undone(monkeypatch):
    before = []

    def decide(now):
        before.append(now.learning_rate)
        return Decision(0.1)

    own = scripted(monkeypatch, begin=lambda now: Decision(1e300), on_divergence=decide)
    assert own.fit(X * 1e3, Y, max_iter=3) == "max_iter"
    assert before == [1e300] and own.history.n_iter == 2
    other = scripted(monkeypatch, begin=lambda now: Decision(1e300))
    start = other.network.parameters.copy()
    with pytest.warns(DivergenceWarning, match=r"below 1e\+300") as caught:
        assert other.fit(X * 1e3, Y, max_iter=3) == "diverged"
    assert caught[0].filename == __file__
    np.testing.assert_array_equal(other.network.parameters, start)


def test_which_schedules_go_with_which_solver():
    assert schedules_of("SGD") == ("constant", "invscaling", "adaptive", "newbob")
    assert schedules_of("Adam") == ("constant", "newbob")
    assert LBFGS.schedule in SCHEDULES
    with pytest.raises(ValueError, match=r"one of \('constant', 'newbob'\), got 'adaptive'"):
        Adam(schedule="adaptive")
