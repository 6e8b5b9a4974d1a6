"""Validation sets on the workers, and the split of rows."""

from collections import Counter
from uuid import uuid4

import dask
import numpy as np
import pytest

pytest.importorskip("distributed")

from partitioned import SIZES, array, classifier, delayed, digest, regressor, rows

from dnncore.dask import _cluster
from dnncore.dask._rounds import Rounds

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
N = sum(SIZES)
# Partitions of their own: an empty one, and one of a single row.
OF_VALIDATION = (0, 70, 1, 9, 40)


def weights(n, seed=3):
    weight = np.random.default_rng(seed).uniform(0.0, 2.0, n)
    weight[-40:] = 0.0
    return weight


def assert_same_validation(make, y, y_val, weight_val=None, **options):
    """The losses and scores are those of the validation set in memory."""
    X, _ = rows(dtype=np.float64)
    X_val, _ = rows(sum(OF_VALIDATION), seed=1, dtype=np.float64)
    models = []
    for form in (lambda x: array(x, OF_VALIDATION), lambda x: x):
        given = [None if x is None else form(x) for x in (X_val, y_val, weight_val)]
        names = ("X_val", "y_val", "sample_weight_val")
        model = make(**options).fit(array(X), array(y), **dict(zip(names, given, strict=True)))
        models.append(model)
    there, here = models
    for name in ("validation_scores", "validation_losses"):
        found, expected = (getattr(m.history_, name) for m in (there, here))
        assert len(found) == there.n_iter_
        np.testing.assert_allclose(found, expected, 1e-12, 1e-12)
    np.testing.assert_array_equal(there.network_.parameters, here.network_.parameters)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("labels", ["classes", "soft", "multilabel", "strings"])
def test_accuracy(labels, weighted, client):
    def make(seed, n):
        X, y = rows(n, seed=seed)
        if labels == "classes":
            return y
        if labels == "strings":
            return np.array(["a", "bb", "ccc"])[y]
        if labels == "soft":
            return 0.8 * np.eye(3)[y] + 0.2 / 3
        return (X[:, :3] > 0).astype(int)

    y_val = make(1, sum(OF_VALIDATION))
    weight = weights(len(y_val)) if weighted else None
    options = {} if labels in ("soft", "multilabel") else {"class_weight": "balanced"}
    assert_same_validation(
        lambda **o: classifier(client=client, **options, **o), make(0, N), y_val, weight
    )


def test_accuracy_with_label_smoothing(client):
    y, y_val = rows(N)[1], rows(sum(OF_VALIDATION), seed=1)[1]
    assert_same_validation(lambda **o: classifier(client=client, **o), y, y_val,
                           label_smoothing=0.2)  # fmt: skip


def targets(seed, n):
    X, _ = rows(n, seed=seed, dtype=np.float64)
    return np.abs(X[:, 0] - X[:, 1] + 0.3 * X[:, 2])


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("loss", ["squared_error", "poisson", "huber", "quantile"])
def test_scores_of_regressors(loss, weighted, client):
    y, y_val = targets(0, N), targets(1, sum(OF_VALIDATION))
    options = {"quantiles": (0.1, 0.5)} if loss == "quantile" else {}
    weight = weights(len(y_val)) if weighted else None
    assert_same_validation(lambda **o: regressor(loss, client=client, **o), y, y_val, weight,
                           **options)  # fmt: skip


@pytest.mark.parametrize("constant", [0.0, 7.0, 0.1])
def test_r2_of_a_constant_target(constant, client):
    """Its score is 0, as scikit-learn has it."""
    y, y_val = (
        np.column_stack([x, 100 * x, np.full(len(x), constant)])
        for x in (targets(0, N), targets(1, sum(OF_VALIDATION)))
    )
    assert_same_validation(lambda **o: regressor(client=client, **o), y, y_val)


@pytest.mark.parametrize("keep_rows", [True, False])
def test_a_validation_set_that_is_read_anew(keep_rows, client):
    X, y = rows()
    model = classifier(client=client, keep_rows=keep_rows)
    model.fit(array(X), array(y), X_val=delayed(X), y_val=delayed(y))
    assert len(model.history_.validation_losses) == model.n_iter_


def test_rows_are_kept_if_there_is_memory(client, monkeypatch, caplog):
    """By default; those for training and those for validation."""
    X, y = rows()
    logs = []
    for share in (0.5, 0.0):
        monkeypatch.setattr(_cluster, "MEMORY_SHARE", share)
        with caplog.at_level("INFO", "dnncore"):
            classifier(client=client, max_iter=1).fit(
                array(X), array(y), X_val=array(X), y_val=array(y)
            )
        logs.append([line for line in caplog.messages if "whose rows are" in line])
        caplog.clear()
    assert [line.endswith("kept") for line in logs[0]] == [True, True]
    assert [line.endswith("read anew in every round") for line in logs[1]] == [True, True]


def test_the_split(client):
    """Each row is for training or for validation, the same in all rounds, and by chance."""
    n = 4000
    X, y = rows(n)
    sizes = (1000, 0, 1, 2999)
    seen = []
    for seed in (0, 0, 1):
        model = classifier(client=client, early_stopping=True, validation_fraction=0.25,
                           random_state=seed, max_iter=2)  # fmt: skip
        model.fit(array(X, sizes), array(y, sizes))
        seen.append(model.history_.t / model.n_iter_)
    assert seen[0] == seen[1] != seen[2]
    for n_train in seen:
        assert abs(n_train - 0.75 * n) < 5 * np.sqrt(n * 0.25 * 0.75)


def test_rows_without_a_weight_are_not_for_validation(client):
    X, y = rows()
    weight = np.zeros(N)
    weight[:61] = 1.0
    model = classifier(client=client, early_stopping=True, validation_fraction=0.5, max_iter=1)
    model.fit(array(X), array(y), array(weight))
    n_held_out = N - model.history_.t
    assert 10 < n_held_out < 51


def test_early_stopping_keeps_the_best(client):
    X, y = rows(dtype=np.float64)
    X_val, y_val = rows(100, seed=1, dtype=np.float64)
    y_val = (y_val + 1) % 3  # training makes it worse, from some epoch on
    model = classifier(client=client, max_iter=40, n_iter_no_change=5, learning_rate_init=0.05)
    model.fit(array(X), array(y), X_val=array(X_val, (60, 40)), y_val=array(y_val, (60, 40)))
    losses = model.history_.validation_losses
    assert model.n_iter_ < 40 and losses[-1] > min(losses)
    with_best = -np.mean(np.log(model.predict_proba(X_val)[np.arange(100), y_val]))
    np.testing.assert_allclose(with_best, min(losses), 1e-12)


@pytest.mark.parametrize("make", [classifier, regressor])
def test_a_split_of_few_rows(make):
    """It has as many rows as a score needs, by any seed, or none that would do."""
    least = 1 if make is classifier else 2
    X, y = rows(12)
    sizes = (5, 0, 7)
    for seed in range(10):
        options = {"early_stopping": True, "max_iter": 2, "random_state": seed}
        model = make(**options).fit(array(X, sizes), array(y, sizes))
        n_train = model.history_.t // model.n_iter_
        assert n_train <= 12 - least
        whole = make(validation_fraction=1e-9, **options)
        if least == 1:
            assert whole.fit(array(X, sizes), array(y, sizes)).history_.t == 11 * 2
            continue
        with pytest.raises(ValueError, match="have at least 2 rows for the score, got 1 of 12,"):
            whole.fit(array(X, sizes), array(y, sizes))
        assert not hasattr(whole, "network_")


@pytest.mark.parametrize("fraction", [0.5, 0.99])
@pytest.mark.parametrize("n", [3, 4, 6])
@pytest.mark.parametrize("make", [classifier, regressor])
def test_a_split_of_a_handful_of_rows(make, n, fraction):
    """A row of each class with a weight, or one of a regressor, is for training by any seed."""
    X, _ = rows(n + 2)
    least, n_kept = (1, 2) if make is classifier else (2, 1)
    y = np.arange(n + 2) % 2
    weight = np.ones(n + 2)
    weight[n:] = 0.0
    y[n:] = 2  # a class without any weight
    sizes = (2, 0, n)
    for seed in range(12):
        model = make(early_stopping=True, validation_fraction=fraction, max_iter=1,
                     random_state=seed)  # fmt: skip
        model.fit(array(X, sizes), array(y, sizes), array(weight, sizes))
        assert n_kept <= model.history_.t - 2 <= n - least


def test_rows_of_which_none_can_be_spared():
    X, _ = rows(3)
    model = classifier(early_stopping=True)
    with pytest.raises(ValueError, match=r"got 0 of 3, of which at least 3 must be .*: pass X_val"):
        model.fit(array(X, (2, 1)), array(np.arange(3), (2, 1)))


def test_scoring_of_rows_in_memory(client):
    X, y = rows()
    model = classifier(client=client, scoring="accuracy")
    model.fit(array(X), array(y), X_val=X, y_val=y)
    assert len(model.history_.metrics["accuracy"]) == model.n_iter_
    with pytest.raises(ValueError, match="scoring needs X_val and y_val in memory"):
        model.set_params(early_stopping=True).fit(array(X), array(y))


def test_a_partition_of_one_row_is_as_good_as_another(client):
    X, y = rows(dtype=np.float64)
    found = [
        classifier(client=client, solver="lbfgs", norm=False)
        .fit(array(X), array(y), X_val=array(X, sizes), y_val=array(y, sizes))
        .history_.validation_losses
        for sizes in ((1,) * 30 + (N - 30,), (N,))
    ]
    np.testing.assert_allclose(*found, 1e-12)
    assert digest(classifier(client=client).fit(array(X), array(y)))


def test_few_rows_with_a_weight(client):
    """They are not split, as the local estimator does not split them."""
    X, y = rows(2000)
    y[:3], weight = [0, 1, 2], np.zeros(2000)
    weight[:3] = 1.0
    model = classifier(client=client)
    model.fit(*(array(x, (500,) * 4) for x in (X, y, weight)))
    assert not model.history_.validation_losses


def test_every_class_is_trained_on(client):
    """The only row of a class is not held out, as by the local estimator."""
    X, y = rows(2000)
    y[:200] = np.arange(3, 203)
    model = classifier(client=client).fit(array(X, (500,) * 4), array(y, (500,) * 4))
    assert model.history_.validation_losses
    assert (model.class_prior_ > 0.0).all()


def test_groups_drop_other_units(client, deep):
    """Two groups of the same rows are not trained alike with dropout."""
    X, y = rows(30)
    options = {"client": client, "early_stopping": False, "shuffle": False, "max_iter": 2}
    for dropout, same in ((0.0, True), (0.5, False)):
        one, two = (
            classifier(dropout=dropout, **options).fit(
                array(np.tile(X, (n, 1)), (30,) * n), array(np.tile(y, n), (30,) * n)
            )
            for n in (1, 2)
        )
        close = np.allclose(one.network_.parameters, two.network_.parameters, 1e-4, 1e-5)
        assert close is same


def read(folder, i):
    """Return rows and labels of a partition, and leave a file for each time."""
    (folder / f"{i}-{uuid4().hex}").touch()
    X, y = rows(60, seed=i)
    return X, y


READS = {
    "average": ({}, 5),
    "exact": ({"strategy": "exact", "batch_size": 1000}, 6),  # a gradient more than steps
    "lbfgs": ({"solver": "lbfgs"}, None),
}


@pytest.mark.parametrize("name", READS)
def test_how_often_a_partition_is_read(name, client, deep, tmp_path, monkeypatch):
    """Rows for training and those for validation are read at once, for each new parameters."""
    seen, gradient = set(), Rounds._gradient

    def noted(self, parameters):
        seen.add(parameters.tobytes())
        return gradient(self, parameters)

    monkeypatch.setattr(Rounds, "_gradient", noted)
    parts = [dask.delayed(read)(tmp_path, i) for i in range(4)]
    options, n_rounds = READS[name]
    model = classifier(
        client=client, keep_rows=False, early_stopping=True, max_iter=5, tol=0.0, **options
    )
    model.fit([part[0] for part in parts], [part[1] for part in parts])
    assert model.n_iter_ == 5 == len(model.history_.validation_losses)
    counts = Counter(path.name.split("-")[0] for path in tmp_path.iterdir())
    if n_rounds is None:
        n_rounds = len(seen)
    assert list(counts.values()) == [2 + n_rounds] * 4  # two passes before the first round
