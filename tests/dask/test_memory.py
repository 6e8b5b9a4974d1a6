"""Workers that Dask pauses by their memory limit, and how much memory rows are thought to take."""

import itertools
import threading
import time
import warnings

import chaos
import dask
import numpy as np
import pytest

pytest.importorskip("distributed")

from dask.sizeof import sizeof
from partitioned import array, classifier, delayed, digest, rows, slow

from dnncore._training.gradients import GradientSums
from dnncore.dask import _cluster
from dnncore.dask._cluster import Value, Workers
from dnncore.dask._reader import Draws, Group, Part
from dnncore.dask._tasks import Average, State

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
BIG = np.zeros(10**5)
VALUES = {
    "group": Group(Part(BIG, BIG[:0], None, None), None, (10**5,), None, Draws(BIG[:0], BIG[:0])),
    "average": Average([BIG], 1.0, 1.0, 1, 1),
    "gradient": GradientSums(1.0, BIG, 1.0, 1),
    "state": Value(State([BIG])),
}


@pytest.mark.parametrize("name", VALUES)
def test_sizes_that_dask_sees(name):
    """By these, it writes values to disk, and chooses where a task runs."""
    assert BIG.nbytes < sizeof(VALUES[name]) < 1.01 * BIG.nbytes


class Info:
    """Client of workers that only tell of themselves."""

    asynchronous, status = False, "running"

    def __init__(self, *workers):
        self._workers = dict(enumerate(workers))

    def scheduler_info(self, n_workers):
        return {"workers": self._workers}


def test_rows_that_are_kept_leave_room_for_the_process():
    def memory(*workers):
        found = [
            {"memory_limit": limit, "metrics": {"memory": used} if used else {}}
            for limit, used in workers
        ]
        return Workers(Info(*found)).memory()

    assert memory((400, 150), (400, 190)) == 50 + 10
    assert memory((400, 150), (400, 390)) == 50  # one that is full keeps nothing
    assert memory((400, 0)) == 200  # it has not told yet
    assert memory((0, 150)) == np.inf  # without a limit


def test_all_workers_are_paused(start_cluster, monkeypatch):
    """The fit says so once, and goes on to the same bits when they do."""
    monkeypatch.setattr(_cluster, "PATIENCE", 0.4)
    X, y = map(array, rows())
    with start_cluster(2, processes=True, memory_limit=chaos.MEMORY) as client:
        workers = list(client.scheduler_info(n_workers=-1)["workers"])
        timers = []

        def pause(info):
            if info.epoch == 2:
                client.run(chaos.fill_memory)
                end = time.monotonic() + 20.0
                while not chaos.are_paused(client, workers):
                    assert time.monotonic() < end
                    time.sleep(0.05)
                timers.append(threading.Timer(20.0, client.run, [chaos.free_memory]))
                timers[-1].start()  # a fit that does not warn ends, too

        def warn_and_go_on(*args):
            warn(*args)
            timers[-1].cancel()
            client.run(chaos.free_memory)

        warn = Workers._warn
        monkeypatch.setattr(Workers, "_warn", warn_and_go_on)
        for strategy in ("exact", "average"):
            options = {"strategy": strategy, "max_iter": 4}
            model = classifier(client=client, callback=pause, **options)
            with pytest.warns(UserWarning, match="the fit waits: Dask has paused 2 of 2") as warned:
                model.fit(X, y)
            assert len([w for w in warned if "the fit waits" in str(w.message)]) == 1
            assert digest(model) == digest(classifier(**options).fit(X, y))


CALLS = itertools.count(1)
PAUSING = 11  # the call that pauses its worker; the first 8 are of the first pass
SPARED = None  # a worker whose calls do not count


def pause_once(part):
    """Return a part, slowly; in one of all calls, pause the worker for good."""
    from distributed import get_worker
    from distributed.core import Status

    worker = get_worker()
    if worker.address != SPARED and next(CALLS) == PAUSING:
        worker.status = Status.paused
    return slow(part)


def fit_of_pausing_parts(keep_rows, client=None):
    """Return the digest of a fit, and the texts of its warnings."""
    X, y = rows()
    parts = [dask.delayed(pause_once)(part) for part in delayed(X)]
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        model = classifier(client=client, keep_rows=keep_rows).fit(parts, delayed(y))
    return digest(model), [str(w.message) for w in warned if "the fit waits" in str(w.message)]


def fit_in_a_task(address):
    """Return the same of a fit by a client of its own, which is not the default of this process."""
    from distributed import Client

    with Client(address, set_as_default=False) as client:
        return fit_of_pausing_parts(False, client)


@pytest.fixture
def pausing(start_cluster, monkeypatch):
    """The client of two workers, of which one is paused as it reads; and the standstills so far."""
    standstills = []
    monkeypatch.setattr(_cluster, "PATIENCE", 0.6)
    monkeypatch.setattr(f"{__name__}.CALLS", itertools.count(1))
    give_up = Workers._give_up
    monkeypatch.setattr(
        Workers, "_give_up", lambda *args: standstills.append(args) or give_up(*args)
    )
    with start_cluster(2, memory_limit=0) as client:
        yield client, standstills


def within(seconds, function, *args):
    """Return what a function returns; fail if it takes longer, without waiting for it."""
    found = []
    thread = threading.Thread(target=lambda: found.append(function(*args)), daemon=True)
    thread.start()
    thread.join(seconds)
    assert found, f"no end within {seconds} s"
    return found[0]


@pytest.mark.parametrize("keep_rows", [False, True, "auto"])
def test_tasks_of_a_paused_worker_are_given_up_at_once(keep_rows, pausing):
    """Those whose rows are to be kept, too."""
    client, standstills = pausing
    found, warned = within(20, fit_of_pausing_parts, keep_rows, client)
    assert len(warned) == len(standstills) == 1
    assert "Dask has paused 1 of 2 workers" in warned[0]
    X, y = map(array, rows())
    assert found == digest(classifier().fit(X, y))


def test_a_fit_in_a_task_sees_that_the_other_worker_is_paused(pausing, monkeypatch):
    """Its own task, which only waits, is none that runs."""
    client, standstills = pausing
    worker, _ = client.scheduler_info(n_workers=-1)["workers"]
    monkeypatch.setattr(f"{__name__}.PAUSING", 1)
    monkeypatch.setattr(f"{__name__}.SPARED", worker)
    task = client.submit(fit_in_a_task, client.scheduler.address, workers=[worker], pure=False)
    _, warned = task.result(timeout=20)
    assert len(warned) == len(standstills) == 1
