"""With strategy='exact', the model is that of the local estimator."""

import numpy as np
import pytest

pytest.importorskip("distributed")

from partitioned import SIZES, array, classifier, delayed, regressor, rows

from dnncore._training import gradients

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.usefixtures("deep"),
]
N = sum(SIZES)
WHOLE = {"batch_size": N, "shuffle": False, "early_stopping": False, "max_iter": 10}
SGD = {"solver": "sgd", "learning_rate_init": 0.1}
SOLVERS = {
    "adam": {},
    "adamw": {"solver": "adamw", "weight_decay": 0.5},
    "nesterov": SGD,
    "momentum": {**SGD, "nesterovs_momentum": False},
    "plain": {**SGD, "momentum": 0.0},
    "clipped": {"max_grad_norm": 0.05},
    "decayed": {"alpha": 3.0},
    "cosine": {**SGD, "learning_rate": "cosine"},
}


def weights(n=N):
    weight = np.random.default_rng(2).uniform(0.0, 2.0, n)
    weight[1:61] = 0.0
    return weight


def assert_same(model, local, rtol):
    for name in ("mean_", "scale_"):
        a, b = (getattr(m.network_, name) for m in (model, local))
        assert (a is None) == (b is None)
        if a is not None:
            np.testing.assert_allclose(a, b, 1e-12, 1e-14)
    expected = local.network_.parameters
    np.testing.assert_allclose(model.network_.parameters, expected, rtol, rtol)
    np.testing.assert_allclose(model.loss_curve_, local.loss_curve_, rtol)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("solver", SOLVERS)
def test_a_mini_batch_of_all_rows(solver, weighted, client):
    X, y = rows(dtype=np.float64)
    parts = (X, y, weights()) if weighted else (X, y)
    model = classifier(client=client, **{**WHOLE, **SOLVERS[solver]})
    model.fit(*map(delayed, parts))
    assert model.strategy_ == "exact"
    assert_same(model, model.to_local().fit(*parts), 1e-10)


@pytest.mark.parametrize("class_weight", [None, "balanced", {0: 2.0, 1: 0.5, 2: 0.0}])
def test_lbfgs(class_weight, client):
    X, y = rows(dtype=np.float64)
    options = {"solver": "lbfgs", "early_stopping": False, "max_iter": 8}
    model = classifier(client=client, class_weight=class_weight, **options)
    model.fit(array(X), array(y), array(weights()))
    assert_same(model, model.to_local().fit(X, y, weights()), 1e-9)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_lbfgs_to_the_bit(dtype, client, monkeypatch):
    """Partitions of a power of two of the blocks that the local estimator adds up."""
    monkeypatch.setattr(gradients, "MAX_ELEMENTS", 8 * (5 + 6 + 3))
    sizes = (32, 32, 32, 32, 32, 5)
    X, y = rows(sum(sizes), dtype=dtype)
    options = {"solver": "lbfgs", "early_stopping": False, "norm": False, "engine": "builtin"}
    model = classifier(client=client, **options).fit(array(X, sizes), array(y, sizes))
    local = model.to_local().fit(X, y)
    np.testing.assert_array_equal(model.network_.parameters, local.network_.parameters)
    assert model.loss_curve_ == local.loss_curve_


@pytest.mark.parametrize(
    ("loss", "options"),
    [
        ("squared_error", {}), ("huber", {"huber_delta": 0.5}), ("poisson", {}),
        ("quantile", {"quantiles": (0.1, 0.5, 0.9)}),
    ],
)  # fmt: skip
@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_losses(loss, options, solver, client):
    X, _ = rows(dtype=np.float64)
    y = np.abs(X[:, 0] * X[:, 1] + X[:, 2])
    model = regressor(loss, client=client, **WHOLE, solver=solver, **options)
    model.fit(array(X), array(y), array(weights()))
    assert_same(model, model.to_local().fit(X, y, weights()), 1e-9)


def test_several_targets(client):
    X, _ = rows(dtype=np.float64)
    y = np.column_stack([X[:, 0] + X[:, 1], 100 * X[:, 2], np.full(len(X), 7.0)])
    model = regressor(client=client, **WHOLE).fit(array(X), array(y))
    assert_same(model, model.to_local().fit(X, y), 1e-10)


@pytest.mark.parametrize("kind", ["soft", "multilabel"])
def test_labels(kind, client):
    X, y = rows(dtype=np.float64)
    labels = np.eye(3)[y]
    labels = 0.9 * labels + 0.1 / 3 if kind == "soft" else np.abs(X[:, :3]).round().clip(0, 1)
    labels = labels if kind == "soft" else labels.astype(int)
    model = classifier(client=client, **WHOLE).fit(array(X), array(labels))
    assert_same(model, model.to_local().fit(X, labels), 1e-10)


@pytest.mark.parametrize("missing_values", ["mean", "indicator"])
def test_missing_values(missing_values, client):
    X, y = rows(dtype=np.float64)
    X[70:, 1] = np.nan  # in some partitions only
    X[3, 2] = np.nan
    model = classifier(client=client, missing_values=missing_values, **WHOLE)
    model.fit(array(X), array(y))
    assert_same(model, model.to_local().fit(X, y), 1e-10)


def test_dropout_is_refused_or_averaged(client):
    X, y = rows()
    with pytest.raises(ValueError, match=r"dropout must be 0 with strategy='exact', got 0\.2"):
        classifier(client=client, strategy="exact", dropout=0.2).fit(array(X), array(y))
    model = classifier(client=client, dropout=0.2, batch_size=N).fit(array(X), array(y))
    assert model.strategy_ == "average"


def test_which_strategy(client):
    X, y = rows()

    def strategy(**options):
        return classifier(client=client, max_iter=1, **options).fit(array(X), array(y)).strategy_

    assert strategy() == "average"
    assert strategy(batch_size=N) == "exact"
    assert strategy(batch_size=N - 1) == "average"
    assert strategy(solver="lbfgs") == "exact"
    assert strategy(strategy="exact") == "exact"
    with pytest.raises(ValueError, match="'exact' or 'auto' with solver='lbfgs'"):
        strategy(solver="lbfgs", strategy="average")


def test_max_time_ends_after_a_round(client):
    """A step of a mini-batch is a round."""
    X, y = rows()
    model = classifier(client=client, strategy="exact", batch_size=1, max_time=1e-9)
    model.fit(array(X), array(y))
    assert model.stop_reason_ == "max_time"
    assert model.history_.t < len(y)
