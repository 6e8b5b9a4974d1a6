"""Training of the members of an ensemble, each on all rows but its own held-out ones.

The members share the matrix of the rows. Each trains on one thread, several at a time, without
waiting for each other; their bits do not depend on how many.
"""

from __future__ import annotations

import threading
import time
import warnings
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._core.labels import Labels
from .fit_state import FINISHED
from .history import EpochInfo, Validation
from .loop import level_of_caller
from .recipe import CYCLE_ENDS
from .settings import StopSettings
from .sources import ArraySource
from .trainer import Trainer, fit_source

MIN_EPOCHS = 8  # with fewer, a member is not worth its time
TIMED_ROWS = 4096  # from whose time that of an epoch follows
# How training may have ended; of several, the first is what counts.
STOP_REASONS = ("interrupted", "stopped", "max_time", "diverged", "converged")


@dataclass(frozen=True)
class Member:
    """A network of an ensemble, and the rows it is trained on.

    Attributes
    ----------
    trainer : Trainer
        Trainer of the network.
    train, held_out : intp arrays
        Rows to train on, and rows that choose the best epoch; if these have no weight, the
        former choose it.
    end : str or None
        How its training ended in an earlier fit: one of FINISHED; None if it is to be trained.
    """

    trainer: Trainer
    train: NDArray[np.intp]
    held_out: NDArray[np.intp]
    end: str | None = None


class Trained(NamedTuple):
    """The members that have been trained, and how training ended: one of STOP_REASONS."""

    members: list[Member]
    stop_reason: str


class Budget:
    """The time that the members may take together.

    Parameters
    ----------
    max_time : float or None
        Seconds for all members; None for no limit.
    n_members, n_threads : int
        Number of members, and how many of them train at a time.
    """

    def __init__(self, max_time: float | None, n_members: int, n_threads: int) -> None:
        self.end = np.inf if max_time is None else time.monotonic() + max_time
        self._rounds = -(-n_members // n_threads)
        self._n_members, self._n_threads = n_members, n_threads

    def plan(self, epoch_seconds: float, max_iter: int) -> tuple[int, int]:
        """Return the numbers of members and of epochs that fit into the time left."""
        left = self.end - time.monotonic()
        if not np.isfinite(left):
            return self._n_members, max_iter
        epochs = max(0.0, left) / max(epoch_seconds, 1e-9)
        rounds = self._rounds
        while rounds > 1 and epochs / rounds < min(MIN_EPOCHS, max_iter):
            rounds -= 1
        n_members = min(self._n_members, rounds * self._n_threads)
        return n_members, int(np.clip(epochs / rounds, 1, max_iter))


def train_members(
    members: Sequence[Member],
    X: NDArray[Any],
    labels: Labels,
    *,
    max_iter: int,
    max_time: float | None = None,
    n_threads: int = 1,
    callback: Callable[[int, EpochInfo], object] | None = None,
    after_member: Callable[[int, str], object] | None = None,
) -> Trained:
    """Train the members; return those that have been trained, and how training ended.

    Those that are finished stay as they are.

    Parameters
    ----------
    members : sequence of Member
    X : array of shape (n, n_features)
        Checked rows of all members.
    labels : Labels
        Their labels.
    max_iter : int
        Number of epochs of each member.
    max_time : float, default=None
        Seconds for all members together. If it does not suffice, they are trained for fewer
        epochs, and some are left out.
    n_threads : int, default=1
        Number of members that train at the same time.
    callback : callable, default=None
        Called with the index of a member and an :class:`EpochInfo` after each of its epochs, one
        call at a time. If it returns True, training ends.
    after_member : callable, default=None
        Called with the index of a member that is now finished and how its training ended, by the
        thread that has trained it.

    Returns
    -------
    Trained

    Raises
    ------
    ValueError
        If no member has been trained, because all have diverged in their first epoch.
    KeyboardInterrupt
        On Ctrl-C, if no member has been trained for an epoch. Otherwise, those that have are
        returned, with the parameters of their best epochs, and a warning.
    """
    missing = [index for index, member in enumerate(members) if member.end is None]
    budget = Budget(max_time, len(missing), n_threads)
    wanted = planned = len(missing), max_iter
    if max_time is not None and missing:
        planned = budget.plan(_epoch_seconds(members[missing[0]], X, labels), max_iter)
    n_members, max_iter = planned
    stop, lock = threading.Event(), threading.Lock()

    def train(index: int) -> str | None:
        cycles, member = Cycles(max_iter), members[index]

        def after_epoch(info: EpochInfo) -> bool:
            if callback is not None:
                with lock:
                    if callback(index, info):
                        stop.set()
            return stop.is_set() or cycles.fail(info)

        if stop.is_set():
            return None
        end = _train(member, X, labels, max_iter, budget.end, after_epoch)
        if end == "stopped" and not stop.is_set():
            end = "converged"
        if after_member is not None and end in FINISHED and member.trainer.history.n_iter > 0:
            after_member(index, end)
        return end

    with ThreadPoolExecutor(max(1, min(n_threads, n_members)), "dnncore-member") as pool:
        interrupt, ends = _run(pool, train, missing[:n_members], stop)
    ends |= {member.end for member in members if member.end is not None}
    trained = [member for member in members if member.trainer.history.n_iter > 0]
    if not trained:
        raise interrupt or ValueError(
            "training diverged in the first epoch of all members: the learning rate or the weight "
            "decay is too large"
        )
    if interrupt is not None:
        ends.add("interrupted")
        warnings.warn("Training interrupted by user.", UserWarning, stacklevel=level_of_caller())
    if planned != wanted:
        ends.add("max_time")
    return Trained(trained, min(ends, key=STOP_REASONS.index))


def _run(
    pool: ThreadPoolExecutor,
    train: Callable[[int], str | None],
    members: Sequence[int],
    stop: threading.Event,
) -> tuple[KeyboardInterrupt | None, set[str]]:
    """Train some members; after an error in one, or Ctrl-C, let the others end soon.

    Returns Ctrl-C, and how the training of those that have begun ended.
    """
    interrupt = None
    tasks: list[Future[str | None]] = []
    try:
        for index in members:
            tasks.append(pool.submit(train, index))
        # Woken up now and then, so that Ctrl-C is seen.
        while (result := wait(tasks, 0.1, "FIRST_EXCEPTION")).not_done:
            if any(task.exception() for task in result.done):
                break
    except KeyboardInterrupt as error:
        interrupt = error
    stop_needed = interrupt is not None or any(t.done() and t.exception() for t in tasks)
    if stop_needed:
        stop.set()
    ends = {task.result() for task in tasks}
    return interrupt, {end for end in ends if end is not None}


class Cycles:
    """Ends training after a cycle of 'coslog4' without an improvement on the held-out rows.

    At the end of a cycle, the rate is 0, and the parameters are as good as they get. The next
    cycle is twice as long: where it has not helped, the one after it does not either.

    Parameters
    ----------
    max_iter : int
        Number of epochs of the fit.
    """

    def __init__(self, max_iter: int) -> None:
        self._ends = {int(np.ceil(end * max_iter)) for end in CYCLE_ENDS}
        self._best_before = self._best = np.inf
        self._cycles = 0

    def fail(self, info: EpochInfo) -> bool:
        """Return whether a cycle ends with this epoch that has not helped."""
        loss = np.inf if info.validation_loss is None else info.validation_loss
        self._best = min(self._best, loss)
        if info.epoch not in self._ends:
            return False
        failed = self._cycles > 0 and self._best >= self._best_before
        self._best_before = self._best
        self._cycles += 1
        return failed


def _train(
    member: Member,
    X: NDArray[Any],
    labels: Labels,
    max_iter: int,
    end: float,
    callback: Callable[[EpochInfo], bool],
) -> str:
    network = member.trainer.network
    chosen = member.held_out if labels.take(member.held_out).total > 0.0 else member.train
    rows, of_rows = X[chosen], labels.take(chosen)

    def validate() -> Validation:
        logits = network.logits(rows, n_threads=1, engine="builtin")
        return Validation(loss=network.mean_loss(logits, of_rows))

    left = end - time.monotonic()
    settings = StopSettings(
        max_iter, 0.0, np.inf, validate, early_stopping="loss",
        max_time=max(left, 1e-3) if np.isfinite(left) else None, callback=callback,
        keep_last_best=True,
    )  # fmt: skip
    return fit_source(member.trainer, ArraySource(X, labels, member.train), settings)


def _epoch_seconds(member: Member, X: NDArray[Any], labels: Labels) -> float:
    """Estimate the time of an epoch of a member from some of its rows; it is then as before.

    The schedule needs the number of epochs before the first step, so that no epoch can tell it.
    """
    trainer = member.trainer
    before, state = trainer.snapshot(), trainer.state_dict()
    share = min(1.0, TIMED_ROWS / len(member.train))
    train, held_out = (
        rows[: int(np.ceil(share * len(rows)))] for rows in (member.train, member.held_out)
    )
    start = time.perf_counter()
    trainer._train_epoch(ArraySource(X, labels, train))
    trainer.network.logits(X[held_out], n_threads=1, engine="builtin")
    seconds = time.perf_counter() - start
    trainer.restore(before)
    trainer.load_state_dict(state)
    return seconds / share
