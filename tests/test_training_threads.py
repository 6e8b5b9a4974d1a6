"""Training on several threads: the same bits, signals, processes, BLAS."""

import hashlib
import multiprocessing
import os
import signal
import threading

import numpy as np
import pytest
from samples import random_classes
from threadpoolctl import threadpool_info
from trainers import SIZES, trained

from dnncore import Network
from dnncore._core import csrc
from dnncore._core.names import ACTIVATIONS
from dnncore.training import SGD, Adam, AdamW, Trainer


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("solver", [SGD(0.1), Adam(0.01)])
def test_with_blas_threads_change_nothing_but_rounding(dtype, solver):
    X, y = random_classes(SIZES, 500, dtype)
    networks = [
        trained(X, y, solver=solver, dtype=dtype, seed=0, n_threads=n, engine="blas")
        for n in (1, 2, 3, 4, 7)
    ]
    for network in networks[1:]:
        np.testing.assert_allclose(
            network.parameters, networks[0].parameters, rtol=0, atol=1000 * np.finfo(dtype).eps
        )


# Sizes around every tile: 4 or 6 rows, 1 or 2 vectors of 2 to 16 columns.
@pytest.mark.parametrize(
    "sizes", [(3, 2), (1, 1), (16, 15, 17, 33, 4), (65, 31, 2), (8, 64, 40, 9)]
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    "solver",
    [SGD(0.1, momentum=0), SGD(0.1, nesterov=False), SGD(0.1), Adam(0.01), AdamW(0.01)],
)
def test_builtin_gives_the_same_bits_everywhere(dtype, solver, sizes, select_isa):
    assert_same_bits_everywhere(select_isa, dtype, sizes, solver=solver)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_each_activation_has_the_same_bits_everywhere(dtype, activation, select_isa):
    options = {"solver": Adam(0.01), "activation": activation, "dropout": 0.3}
    assert_same_bits_everywhere(select_isa, dtype, (8, 64, 40, 9), **options)


def assert_same_bits_everywhere(select_isa, dtype, sizes, **options):
    X, y = random_classes(sizes, 67, dtype)
    weight = np.random.default_rng(1).random(67)
    digests = {}
    for name in csrc.available():
        select_isa(name)
        for n_threads in (1, 2, 3, 4):
            network = trained(
                X, y, weight, dtype=dtype, sizes=sizes, alpha=0.1, seed=0, epochs=2,
                n_threads=n_threads, engine="builtin", **options,
            )  # fmt: skip
            bits = network.parameters.tobytes() + network.freeze()(X).tobytes()
            digests[name, n_threads] = hashlib.sha256(bits).hexdigest()
    assert len(set(digests.values())) == 1, digests


def test_more_threads_than_rows():
    X, y = random_classes(SIZES, 2)
    np.testing.assert_allclose(
        trained(X, y, n_threads=8, seed=0).parameters, trained(X, y, n_threads=1, seed=0).parameters
    )


def long_training():
    """Rows whose epoch takes far longer than a test may."""
    rng = np.random.default_rng(0)
    X = rng.normal(size=(20_000, 300)).astype(np.float32)
    network = Network((300, 1000, 1000, 10), dtype=np.float32, seed=0)
    return network, X, rng.integers(0, 10, len(X))


@pytest.mark.parametrize("n_threads", [1, 2])
def test_ctrl_c_ends_an_epoch_and_leaves_a_usable_network(n_threads):
    network, X, y = long_training()
    before = network.parameters.copy()
    trainer = Trainer(network, SGD(0.01), n_threads=n_threads)
    timer = threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            trainer.fit(X, y, max_iter=1000)
    finally:
        timer.cancel()
        timer.join()
    assert trainer.history.n_iter < 1000
    assert not np.array_equal(network.parameters, before)
    assert np.isfinite(network.predict_proba(X[:10])).all()
    assert np.isfinite(trainer.run_epoch(X[:100], y[:100]))


def test_a_signal_handler_that_raises_ends_the_epoch():
    network, X, y = long_training()

    def raise_timeout(signum, frame):
        raise TimeoutError("from the handler")

    previous = signal.signal(signal.SIGALRM, raise_timeout)
    signal.setitimer(signal.ITIMER_REAL, 0.2)
    try:
        with pytest.raises(TimeoutError, match="from the handler"):
            Trainer(network).fit(X, y, max_iter=1000)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, previous)


def blas_threads():
    return [
        library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"
    ]


def test_blas_threads_are_left_as_they_were():
    before = blas_threads()
    X, y = random_classes(SIZES)
    during = []
    trainer = Trainer(Network(SIZES, seed=0))
    trainer.fit(X, y, max_iter=2, callback=lambda info: during.append(blas_threads()))
    assert blas_threads() == before
    workers = [
        threading.Thread(target=lambda: [trained(X, y, epochs=20) for _ in range(5)])
        for _ in range(4)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert blas_threads() == before


def test_trainers_in_several_threads_do_not_disturb_each_other():
    X, y = random_classes(SIZES)
    expected = trained(X, y, seed=0, n_threads=2).parameters
    results = [None] * 6

    def work(i):
        results[i] = trained(X, y, seed=0, n_threads=2).parameters

    workers = [threading.Thread(target=work, args=(i,)) for i in range(len(results))]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert all(np.array_equal(result, expected) for result in results)


def _train_in_child(queue):
    X, y = random_classes(SIZES)
    queue.put(trained(X, y, seed=0, n_threads=2).parameters)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_fork_after_training():
    X, y = random_classes(SIZES)
    expected = trained(X, y, seed=0, n_threads=2).parameters
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    child = context.Process(target=_train_in_child, args=(queue,))
    child.start()
    result = queue.get(timeout=60)
    child.join(timeout=60)
    assert child.exitcode == 0
    assert np.array_equal(result, expected)


class InOrder(np.random.Generator):
    """Its permutations change nothing."""

    def permutation(self, n):
        return np.arange(n)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("norm", [False, True])
@pytest.mark.parametrize("one_hot", [False, True])
@pytest.mark.parametrize("n_threads", [1, 3])
def test_rows_in_file_order_train_as_when_they_are_gathered(dtype, norm, one_hot, n_threads):
    X, y = random_classes(SIZES, dtype=dtype)
    weight = np.linspace(0.5, 2.0, len(X)).astype(dtype)
    if one_hot:
        y = np.eye(SIZES[-1], dtype=dtype)[y]
    trained = []
    for gather in (True, False):
        network = Network(SIZES, dtype=dtype, seed=0)
        if norm:
            network.update_norm(X)
        options = {"batch_size": 32, "seed": InOrder(np.random.PCG64(0)), "n_threads": n_threads}
        trainer = Trainer(network, SGD(0.1), shuffle=gather, **options)
        losses = [trainer.run_epoch(X, y, weight) for _ in range(2)]
        trained.append((losses, network.parameters.tolist()))
    assert trained[0] == trained[1]
