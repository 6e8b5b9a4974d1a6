"""The bits of a model do not depend on what runs the tasks."""

import dask
import numpy as np
import pytest

pytest.importorskip("distributed")

from partitioned import array, classifier, delayed, digest, regressor, rows

from dnncore.dask import _base

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.usefixtures("deep"),
]

SGD = {"solver": "sgd", "learning_rate_init": 0.1}
MODELS = {
    "adam": {},
    "adamw": {"solver": "adamw", "dropout": 0.3, "early_stopping": True},
    "momentum": {**SGD, "nesterovs_momentum": False, "learning_rate": "cosine"},
    "nesterov": {**SGD, "keep_rows": False, "early_stopping": True},
    "plain": {**SGD, "momentum": 0.0, "shuffle": False},
    "newbob": {**SGD, "learning_rate": "newbob"},
    "exact adam": {"strategy": "exact", "early_stopping": True},
    "exact adamw": {"strategy": "exact", "solver": "adamw", "batch_size": 10**6},
    "exact nesterov": {**SGD, "strategy": "exact", "max_grad_norm": 0.1, "keep_rows": False},
    "exact plain": {**SGD, "strategy": "exact", "momentum": 0.0, "learning_rate": "coslog4"},
    "lbfgs": {"solver": "lbfgs"},
    "lbfgs, rows not kept": {"solver": "lbfgs", "keep_rows": False, "norm": False},
}
FEW = ("adam", "adamw", "exact nesterov", "lbfgs")
CLUSTERS = {
    "1 worker": ({"n_workers": 1}, FEW),
    "2 workers": ({"n_workers": 2}, FEW),
    "3 workers of 2 threads": ({"n_workers": 3, "threads_per_worker": 2}, MODELS),
    "4 workers": ({"n_workers": 4}, FEW),
    "8 workers": ({"n_workers": 8}, FEW),
    "2 processes": ({"n_workers": 2, "processes": True}, FEW),
}


def trained(name, client=None):
    X, y = rows()
    weight = np.random.default_rng(1).uniform(0.0, 2.0, len(y))
    weight[1:61] = 0.0  # all rows of a partition
    parts = [delayed(x) for x in (X, y, weight)]
    return digest(classifier(**MODELS[name], client=client).fit(*parts))


@pytest.fixture(scope="module")
def of_threads():
    """The digests of models that the threads of this process have trained."""
    return {}


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("scheduler", ["threads", "synchronous"])
def test_schedulers_without_a_cluster(name, scheduler, of_threads):
    with dask.config.set(scheduler=scheduler):
        assert trained(name) == of_threads.setdefault(name, trained(name))


@pytest.mark.parametrize("cluster", CLUSTERS)
def test_clusters(cluster, start_cluster, of_threads):
    options, names = CLUSTERS[cluster]
    with start_cluster(**options) as client:
        for name in names:
            assert trained(name, client) == of_threads.setdefault(name, trained(name)), name


def test_models_differ(of_threads):
    """The digests tell models apart."""
    found = [of_threads.setdefault(name, trained(name)) for name in MODELS]
    assert len(set(found)) == len(found)


@pytest.mark.parametrize("strategy", ["exact", "average"])
def test_rows_that_are_kept_or_not(strategy, client):
    X, y = rows()
    found = {
        digest(
            classifier(strategy=strategy, keep_rows=keep, client=client, early_stopping=True)
            .fit(array(X), array(y))
        )
        for keep in (True, False, "auto")
    }  # fmt: skip
    assert len(found) == 1


def test_forms_of_collections(client):
    """The same partitions give the same bits, whatever they come in."""
    X, y = rows()
    found = {
        digest(classifier(client=client).fit(f(X), g(y)))
        for f in (array, delayed) for g in (array, delayed)
    }  # fmt: skip
    assert len(found) == 1


def test_another_partition_gives_another_model(client):
    """By averaging; without this, the tests above would say little."""
    X, y = rows()
    found = [
        digest(classifier(client=client).fit(array(X, sizes), array(y, sizes)))
        for sizes in ((100, 100), (50, 150))
    ]
    assert found[0] != found[1]


def test_a_regressor(client):
    X, y = rows()
    found = {digest(regressor(client=c).fit(array(X), array(y))) for c in (client, None)}
    assert len(found) == 1


@pytest.mark.parametrize("strategy", ["exact", "average"])
def test_small_partitions_are_read_together(strategy, client, monkeypatch):
    """Exact gradients have the same bits however partitions are grouped."""
    X, y = rows()
    found = set()
    for limit in (1, 30, 130, 10**9):
        monkeypatch.setattr(_base, "rows_of_a_group", lambda *of_network, n=limit: n)
        model = classifier(strategy=strategy, batch_size=10**6, client=client, norm=False)
        found.add(model.fit(array(X), array(y)).network_.parameters.tobytes())
    assert len(found) == (1 if strategy == "exact" else 4)
