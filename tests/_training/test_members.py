"""Training of the members of an ensemble."""

import os
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

from dnncore._core.labels import Labels
from dnncore._training import members as module
from dnncore._training.history import EpochInfo
from dnncore._training.loop import DivergenceWarning
from dnncore._training.members import MIN_EPOCHS, Budget, Cycles, Member, train_members
from dnncore._training.recipe import Recipe
from dnncore._training.sources import ArraySource

X = np.random.default_rng(0).normal(size=(120, 4)).astype(np.float32)
LABELS = Labels.of((X[:, 0] + X[:, 1] > 0).astype(np.intp), None)


def some_members(n=3, batch_size=32):
    recipe = Recipe((8,), "silu", 4, 2, 0.04, 0.02, 0.1, None, batch_size)
    every = np.arange(len(X))
    return [
        Member(
            recipe.trainer(recipe.network(X, 4, 2, "softmax", seed=i), seed=i),
            every[every % 5 != i],
            every[every % 5 == i],
        )
        for i in range(n)
    ]


def trained(n=3, **options):
    found = train_members(some_members(n), X, LABELS, **{"max_iter": 4} | options)
    return [member.trainer.network.parameters.tobytes() for member in found.members]


def bits_of(member):
    return member.trainer.network.parameters.tobytes()


def n_iters(trained):
    return [member.trainer.history.n_iter for member in trained.members]


# The bits


@pytest.mark.parametrize("n_threads", [2, 3, 8])
def test_same_bits_for_any_number_of_threads(n_threads):
    assert trained(n_threads=n_threads) == trained()


def test_a_member_does_not_depend_on_the_others():
    assert trained(1) == trained(3)[:1]
    assert len(set(trained(3))) == 3


@pytest.mark.usefixtures("builtin_engine")
def test_the_best_epoch_is_kept():
    ((member,), end) = train_members(some_members(1), X, LABELS, max_iter=12)
    assert end == "converged"  # the schedule is over
    history = member.trainer.history
    network, held_out = member.trainer.network, member.held_out
    loss = network.mean_loss(network.logits(X[held_out]), LABELS.take(held_out))
    assert loss == min(history.validation_losses)
    assert history.validation_scores == []  # the loss is not a score, too


@pytest.mark.usefixtures("builtin_engine")
def test_held_out_rows_without_weight_choose_nothing():
    (member,) = some_members(1)
    weight = np.ones(len(X), np.float32)
    weight[member.held_out] = 0.0
    labels = Labels.of(LABELS.label, weight)
    train_members([member], X, labels, max_iter=4)
    network = member.trainer.network
    loss = network.mean_loss(network.logits(X[member.train]), labels.take(member.train))
    assert loss == min(member.trainer.history.validation_losses)


def test_the_members_share_the_rows(monkeypatch):
    sources = []

    class Witness(ArraySource):
        def __init__(self, X, labels, rows):
            super().__init__(X, labels, rows)
            sources.append(self)

    monkeypatch.setattr(module, "ArraySource", Witness)
    train_members(some_members(), X, LABELS, max_iter=1)
    assert len(sources) == 3
    for source in sources:
        (piece,) = source.pieces(1, None)
        assert piece.X is X and piece.label is LABELS.label


# Members that are finished


@pytest.mark.parametrize("n_threads", [1, 2])
def test_each_finished_member_is_told_once_by_its_thread(n_threads):
    told = []

    def after_member(index, end):
        assert threading.current_thread().name.startswith("dnncore-member")
        told.append((index, end, members[index].trainer.network.parameters.tobytes()))

    members = some_members(4)
    train_members(members, X, LABELS, max_iter=3, n_threads=n_threads, after_member=after_member)
    expected = [(i, "converged", x) for i, x in enumerate(trained(4, max_iter=3))]
    assert sorted(told) == expected


@pytest.mark.parametrize("finished", [[0], [1, 2], [0, 1, 2], [2]])
def test_finished_members_are_not_trained(finished):
    members, whole, told = some_members(), some_members(), []
    train_members(whole, X, LABELS, max_iter=4)
    for index in finished:
        members[index] = replace(whole[index], end="diverged" if index == 2 else "converged")
    before = [bits_of(members[index]) for index in finished]
    found = train_members(
        members, X, LABELS, max_iter=4, max_time=1000.0,
        callback=lambda index, info: told.append(index),
    )  # fmt: skip
    assert set(told) == {0, 1, 2} - set(finished)
    assert [bits_of(members[index]) for index in finished] == before
    assert list(map(bits_of, found.members)) == list(map(bits_of, whole))
    assert found.stop_reason == ("diverged" if 2 in finished else "converged")


def test_members_that_are_stopped_are_not_finished():
    told = []
    train_members(
        some_members(3), X, LABELS, max_iter=9, callback=lambda index, info: index == 1,
        after_member=lambda index, end: told.append(index),
    )  # fmt: skip
    assert told == [0]


def test_the_time_is_for_the_members_that_are_missing(monkeypatch):
    monkeypatch.setattr(module, "_epoch_seconds", lambda *_: 1.0)
    monkeypatch.setattr(module.time, "monotonic", lambda: 100.0)
    members = [replace(member, end="converged") for member in some_members(2)]
    for member in members:
        member.trainer.history.n_iter = 4
    missing = some_members(4)[3]
    train_members([*members, missing], X, LABELS, max_iter=9, max_time=6.0)
    assert missing.trainer.history.n_iter == 6


# Cycles


def ended(losses, max_iter):
    """The epoch after which the losses end training, if any does."""
    cycles = Cycles(max_iter)
    for epoch, loss in enumerate(losses, 1):
        if cycles.fail(EpochInfo(epoch, max_iter, 0.0, None, 0.0, loss)):
            return epoch
    return None


@pytest.mark.parametrize(
    ("losses", "end"),
    [
        (np.arange(15, 0, -1), None),
        ([5, *[6] * 14], 3),  # the second cycle, of the epochs 2 and 3, has not helped
        ([5, 6, 5, *[1] * 12], 3),  # nor has the same loss
        ([5, 4, *[6] * 13], 7),
        ([5, 6, 4, 3, *[6] * 11], None),  # the fourth cycle is the last, in any case
        ([5, np.nan, 4, 3, *[2] * 11], None),
    ],
)
def test_a_cycle_without_improvement_ends_training(losses, end):
    assert ended(losses, 15) == end


def test_cycles_of_parts_of_epochs():
    assert ended([5] * 64, 64) == 13  # 3/15 of 64, rounded up
    assert ended([5] * 2, 2) is None
    assert ended([5], 1) is None


def test_without_held_out_loss_a_second_cycle_ends_training():
    assert ended([None] * 15, 15) == 3


def test_members_end_on_their_own():
    rng = np.random.default_rng(1)
    noise = Labels.of(rng.integers(0, 2, len(X)), None)
    found = train_members(some_members(5), X, noise, max_iter=30)
    ends = n_iters(found)
    assert set(ends) <= {6, 14, 30}
    assert min(ends) < 30  # of labels that cannot be learnt
    assert found.stop_reason == "converged"


# The budget


@pytest.fixture
def clock(monkeypatch):
    """A clock that stands still."""
    monkeypatch.setattr(module.time, "monotonic", lambda: 100.0)


@pytest.mark.parametrize(
    ("max_time", "n_members", "n_threads", "seconds", "max_iter", "expected"),
    [
        (None, 8, 2, 1.0, 64, (8, 64)),
        (1000.0, 8, 2, 1.0, 64, (8, 64)),
        (4 * 20.0, 8, 2, 1.0, 64, (8, 20)),  # four rounds of 20 epochs
        (4 * MIN_EPOCHS, 8, 2, 1.0, 64, (8, MIN_EPOCHS)),
        (3 * MIN_EPOCHS, 8, 2, 1.0, 64, (6, MIN_EPOCHS)),
        (MIN_EPOCHS, 8, 2, 1.0, 64, (2, MIN_EPOCHS)),
        (3.0, 8, 2, 1.0, 64, (2, 3)),
        (0.5, 8, 2, 1.0, 64, (2, 1)),
        (12.0, 8, 2, 1.0, 3, (8, 3)),  # so few are wanted
        (100.0, 5, 2, 1.0, 64, (5, 33)),  # three rounds, the last of one member
        (20.0, 5, 8, 1.0, 64, (5, 20)),
        (20.0, 5, 8, 0.0, 64, (5, 64)),
    ],
)
def test_the_plan(clock, max_time, n_members, n_threads, seconds, max_iter, expected):
    budget = Budget(max_time, n_members, n_threads)
    assert budget.plan(seconds, max_iter) == expected


def test_no_time_left(monkeypatch):
    budget = Budget(1.0, 8, 2)
    monkeypatch.setattr(module.time, "monotonic", lambda: budget.end + 1.0)
    assert budget.plan(1.0, 64) == (2, 1)


def test_measuring_an_epoch_changes_nothing():
    assert trained(max_time=1000.0) == trained()
    (member,) = some_members(1)
    before = member.trainer.network.parameters.copy()
    assert module._epoch_seconds(member, X, LABELS) > 0
    assert np.array_equal(member.trainer.network.parameters, before)
    assert member.trainer.history.n_iter == 0


def test_the_time_of_an_epoch_follows_from_some_of_its_rows(monkeypatch):
    monkeypatch.setattr(module, "TIMED_ROWS", 24)  # a quarter of those of a member
    n_rows = []

    def time_of_rows(trainer, source):
        n_rows.append(source.n_rows)

    monkeypatch.setattr(module.Trainer, "_train_epoch", time_of_rows)
    monkeypatch.setattr(module.time, "perf_counter", lambda: float(sum(n_rows)))
    (member,) = some_members(1)
    assert module._epoch_seconds(member, X, LABELS) == len(member.train) == 96
    assert n_rows == [24]


@pytest.mark.parametrize("n_threads", [1, 2])
def test_max_time_is_kept(n_threads):
    found = train_members(
        some_members(3), X, LABELS, max_iter=10**6, max_time=0.3, n_threads=n_threads
    )
    assert n_iters(found)[0] >= 1
    assert found.stop_reason == "max_time"


# Ends


@pytest.mark.parametrize("n_threads", [1, 2])
def test_a_callback_ends_all(n_threads):
    told = []

    def callback(index, info):
        told.append((index, info.epoch))
        return info.epoch == 3

    found = train_members(
        some_members(4), X, LABELS, max_iter=1000, n_threads=n_threads, callback=callback
    )
    assert 1 <= len(found.members) <= n_threads
    assert found.stop_reason == "stopped"
    assert sum(n_iters(found)) == len(told) <= 3 * n_threads
    assert max(n_iters(found)) == 3


def test_a_member_that_diverges_counts():
    members = some_members(2)
    members[1].trainer.network.parameters[...] = 1e38
    with pytest.warns(DivergenceWarning):
        found = train_members(members, X, LABELS, max_iter=2)
    assert found == (members[:1], "diverged")


def test_ctrl_c_counts_even_if_all_members_have_ended(monkeypatch):
    def interrupted(pool, train, n_members, stop):
        interrupt, ends = run(pool, train, n_members, stop)
        assert interrupt is None
        return KeyboardInterrupt(), ends

    run = module._run
    monkeypatch.setattr(module, "_run", interrupted)
    with pytest.warns(UserWarning, match="Training interrupted by user"):
        found = train_members(some_members(2), X, LABELS, max_iter=2)
    assert found.stop_reason == "interrupted"


def test_one_callback_at_a_time():
    running = threading.Semaphore(1)

    def callback(index, info):
        assert running.acquire(blocking=False)
        time.sleep(0.002)
        running.release()

    assert len(trained(4, n_threads=4, callback=callback)) == 4


@pytest.mark.parametrize("n_threads", [1, 3])
def test_an_exception_of_a_callback_ends_the_others(n_threads):
    told = []

    def callback(index, info):
        told.append(index)
        if len(told) == 4:
            raise LookupError("no more")

    with pytest.raises(LookupError, match="no more"):
        train_members(
            some_members(3), X, LABELS, max_iter=10**6, n_threads=n_threads, callback=callback
        )
    threads = [t.name for t in threading.enumerate()]
    assert not any(name.startswith("dnncore-member") for name in threads)


@pytest.mark.parametrize("n_threads", [1, 2])
def test_ctrl_c_keeps_the_members_that_have_been_trained(n_threads):
    told = []

    def callback(index, info):
        told.append(index)
        if len(told) == 2 * n_threads:
            os.kill(os.getpid(), signal.SIGINT)

    members = some_members(4)
    with pytest.warns(UserWarning, match="Training interrupted by user"):
        found = train_members(
            members, X, LABELS, max_iter=10**6, n_threads=n_threads, callback=callback
        )
    assert 1 <= len(found.members) <= n_threads
    assert found.members == members[: len(found.members)]
    assert found.stop_reason == "interrupted"


@pytest.mark.parametrize("at", [0, 1])
def test_ctrl_c_before_the_first_epoch(monkeypatch, at):
    """Also while the members are being started."""

    class Interrupted(ThreadPoolExecutor):
        def submit(self, function, index):
            if index == at:
                raise KeyboardInterrupt
            return super().submit(function, index)

    def until_the_end(member, X, labels, max_iter, end, callback):
        while not callback(EpochInfo(1, 1, 0.0, None, 0.0, 0.0)):
            time.sleep(0.001)

    monkeypatch.setattr(module, "ThreadPoolExecutor", Interrupted)
    monkeypatch.setattr(module, "_train", until_the_end)
    with pytest.raises(KeyboardInterrupt):
        train_members(some_members(2), X, LABELS, max_iter=10**6)
