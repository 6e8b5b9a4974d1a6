"""Fits from several threads and from tasks, and fits that end early."""

import _thread
import threading
import time

import dask
import numpy as np
import pytest

pytest.importorskip("distributed")

from partitioned import array, classifier, delayed, digest_of_a_fit, rows, slow

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
MODELS = [{"random_state": 0}, {"strategy": "exact"}, {"solver": "lbfgs"}, {"keep_rows": False}]


def test_several_fits_at_once(client):
    expected = [digest_of_a_fit(**options) for options in MODELS]
    threshold = "distributed.admin.large-graph-warning-threshold"
    before = dask.config.get(threshold)
    found = {}

    def fit(i):
        found[i] = digest_of_a_fit(client, **MODELS[i])

    threads = [threading.Thread(target=fit, args=(i,)) for i in range(len(MODELS))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [found[i] for i in range(len(MODELS))] == expected
    assert dask.config.get(threshold) == before


def test_a_fit_in_a_task(start_cluster):
    """It uses the client of its worker, whose only thread it leaves meanwhile."""
    with start_cluster(1, processes=True) as client:
        task = client.submit(digest_of_a_fit, pure=False)
        assert task.result(timeout=60) == digest_of_a_fit()


def nothing_runs(client):
    end = time.monotonic() + 20
    while any(client.processing().values()):
        assert time.monotonic() < end, client.processing()
        time.sleep(0.05)
    return True


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
@pytest.mark.parametrize("on", ["cluster", "threads"])
def test_ctrl_c_during_a_round(solver, on, client):
    X, y = rows()
    parts = [dask.delayed(slow)(part) for part in delayed(X)]
    at = []

    def callback(info):
        at.append((info.epoch, model.network_.parameters.copy()))
        if info.epoch == 2:
            threading.Timer(0.05, _thread.interrupt_main).start()

    options = {"solver": solver, "early_stopping": False, "keep_rows": False, "max_iter": 1000,
               "n_iter_no_change": 1000, "tol": 0.0}  # fmt: skip
    model = classifier(client=client if on == "cluster" else None, callback=callback, **options)
    with pytest.warns(UserWarning, match="Training interrupted by user"):
        model.fit(parts, delayed(y))
    assert 2 <= at[-1][0] < 1000
    np.testing.assert_array_equal(model.network_.parameters, at[-1][1])
    assert model.predict(X).shape == y.shape
    assert on == "threads" or nothing_runs(client)


def interrupted(part):
    """Return a part, slowly, while the main thread of this process receives Ctrl-C."""
    _thread.interrupt_main()
    return slow(part)


def test_ctrl_c_while_rows_are_read(client):
    X, y = rows()
    parts = delayed(X)
    parts[3] = dask.delayed(interrupted)(parts[3])
    model = classifier(client=client)
    with pytest.raises(KeyboardInterrupt):
        model.fit(parts, delayed(y))
    assert not hasattr(model, "network_")
    assert nothing_runs(client)


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_a_callback_that_raises(solver, client):
    X, y = map(array, rows())
    at = []

    def callback(info):
        at.append(model.network_.parameters.copy())
        if info.epoch == 2:
            raise LookupError("stop here")

    model = classifier(client=client, solver=solver, callback=callback, early_stopping=False)
    with pytest.raises(LookupError, match="stop here"):
        model.fit(X, y)
    np.testing.assert_array_equal(model.network_.parameters, at[-1])
    assert nothing_runs(client)
    model.set_params(callback=None).fit(X, y)
    assert model.n_iter_ == 3


def test_max_time_ends_after_a_round(client):
    X, y = rows()
    parts = [dask.delayed(slow)(part) for part in delayed(X)]
    model = classifier(client=client, keep_rows=False, max_iter=1000, max_time=0.3,
                       early_stopping=False)  # fmt: skip
    model.fit(parts, delayed(y))
    assert 1 <= model.n_iter_ < 100


def test_a_callback_that_stops(client):
    X, y = map(array, rows())
    model = classifier(client=client, callback=lambda info: info.epoch == 2, max_iter=50)
    assert model.fit(X, y).n_iter_ == 2


def test_nothing_is_left_on_the_workers(client):
    digest_of_a_fit(client)
    end = time.monotonic() + 20
    while any(client.has_what().values()):
        assert time.monotonic() < end, client.has_what()
        time.sleep(0.05)
