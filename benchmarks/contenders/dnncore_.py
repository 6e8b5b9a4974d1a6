"""dnncore: Trainer.run_epoch; Network.predict_proba, and the predictor of Network.freeze."""

from collections.abc import Callable

from _harness import available_cpus
from _problems import BETA_1, BETA_2, EPSILON, MOMENTUM, Problem, Scoring, Training
from numpy.typing import NDArray

from dnncore import Network
from dnncore.training import SGD, Adam, Trainer

from . import Unavailable


def train(problem: Training) -> Callable[[], float]:
    X, y = problem.data()
    sample_weight = problem.row_weights()
    if problem.solver == "momentum":
        solver = SGD(problem.learning_rate, MOMENTUM, nesterov=False)
    else:
        solver = Adam(problem.learning_rate, BETA_1, BETA_2, EPSILON)
    # With all processors, dnncore chooses the number of threads, as the other libraries do.
    n_threads = None if problem.threads == len(available_cpus()) else problem.threads
    trainer = Trainer(
        _network(problem),
        solver,
        alpha=problem.alpha,
        batch_size=problem.batch_size,
        shuffle=False,
        n_threads=n_threads,
    )
    return lambda: trainer.run_epoch(X, y, sample_weight)


def score(problem: Scoring) -> Callable[[NDArray], NDArray]:
    network = _network(problem)
    return lambda X: network.predict_proba(X, n_threads=problem.threads)


def score_frozen(problem: Scoring) -> Callable[[NDArray], NDArray]:
    if not hasattr(Network, "freeze"):
        raise Unavailable("this dnncore has no Network.freeze")
    return _network(problem).freeze()


def _network(problem: Problem) -> Network:
    network = Network(problem.layer_sizes, dtype=problem.dtype)
    for arrays, values in zip(
        (network.coefs_, network.intercepts_), problem.weights(), strict=True
    ):
        for array, value in zip(arrays, values, strict=True):
            array[...] = value
    return network
