"""What fit takes: all kinds of collections, partitions and rows."""

import dask
import dask.array as da
import numpy as np
import pytest
import scipy.sparse as sp

pytest.importorskip("distributed")

import partitioned as part
from partitioned import SIZES, array, classifier, cut, delayed, digest, regressor, rows

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.fixture(scope="module")
def expected(client):
    """The digest for lists of delayed partitions; others have the same rows."""
    X, y = rows()
    return digest(classifier(client=client).fit(delayed(X), delayed(y)))


def csr(x):
    parts = [
        da.from_delayed(p, (size, x.shape[1]), x.dtype, meta=sp.csr_matrix((0, x.shape[1])))
        for p, size in zip([dask.delayed(sp.csr_matrix)(p) for p in cut(x)], SIZES, strict=True)
    ]
    return da.concatenate(parts)


def columns(x):
    return da.from_array(x, chunks=(SIZES, 2))


FORMS = {"array": array, "unknown": part.unknown, "columns": columns}


@pytest.mark.parametrize("form", FORMS)
def test_arrays(form, client, expected):
    X, y = rows()
    assert digest(classifier(client=client).fit(FORMS[form](X), array(y))) == expected


def test_csr_chunks(client):
    """Partitions of CSR rows train as the local estimator does on CSR rows."""
    X, y = rows(dtype=np.float64)
    X[np.abs(X) < 0.7] = 0.0
    options = {"solver": "lbfgs", "early_stopping": False, "max_iter": 3}
    model = classifier(client=client, **options).fit(csr(X), array(y))
    local = model.to_local().fit(sp.csr_matrix(X), y)
    np.testing.assert_allclose(model.network_.parameters, local.network_.parameters, 1e-9, 1e-9)
    np.testing.assert_allclose(
        model.predict_proba(csr(X)).compute(), local.predict_proba(X), 1e-7, 1e-9
    )


def test_futures_and_persisted_collections(client, expected):
    X, y = rows()
    futures = [client.scatter(p, hash=False) for p in cut(X)]
    assert digest(classifier(client=client).fit(futures, delayed(y))) == expected
    with client.as_current():
        kept = client.persist(array(X)), client.persist(array(y))
    assert digest(classifier(client=client).fit(*kept)) == expected


@pytest.mark.parametrize("nullable", [False, True])
def test_data_frames(nullable, client, expected):
    pd = pytest.importorskip("pandas")
    dd = pytest.importorskip("dask.dataframe")
    X, y = rows()
    frame = pd.DataFrame(X, columns=list("abcde"))
    labels = pd.Series(y, name="y")
    if nullable:
        frame, labels = frame.astype("Float32"), labels.astype("Int64")
    frames, series = (
        dd.from_delayed([p for p, n in zip(delayed(x), SIZES, strict=True) if n], meta=x[:0])
        for x in (frame, labels)
    )
    model = classifier(client=client).fit(frames, series)
    assert model.feature_names_in_.tolist() == list("abcde")
    full = [n for n in SIZES if n]
    values = X.astype(model.network_.dtype)  # float64 of nullable columns
    same = classifier(client=client).fit(delayed(values, full), delayed(y, full))
    assert digest(model) == digest(same)
    np.testing.assert_array_equal(model.predict(frames).compute(), same.predict(values))


def test_a_data_frame_and_an_array_of_its_values(client):
    pd = pytest.importorskip("pandas")
    dd = pytest.importorskip("dask.dataframe")
    X, y = rows()
    frame = dd.from_pandas(pd.DataFrame({"a": X[:, 0], "b": X[:, 1], "y": y}), npartitions=4)
    model = classifier(client=client).fit(frame[["a", "b"]].values, frame["y"])
    assert model.n_features_in_ == 2


@pytest.mark.parametrize("strategy", ["exact", "average"])
def test_uneven_partitions(strategy, client):
    """Sorted by label, so that each has one class; empty ones; 1 row and 10,000 rows."""
    sizes = (1, 10_000, 0, 0, 3, 500)
    X, y = rows(sum(sizes))
    order = y.argsort(kind="stable")
    X, y = X[order], y[order]
    assert len(set(y[-500:])) == 1
    model = classifier(client=client, strategy=strategy, batch_size=200, max_iter=5)
    model.fit(array(X, sizes), array(y, sizes))
    assert model.classes_.tolist() == [0, 1, 2]
    assert np.isfinite(model.loss_curve_).all()


@pytest.mark.parametrize("dtypes", [("f", "d"), ("d", "f"), ("f", "i")])
def test_partitions_of_two_dtypes(dtypes, client):
    """The network has the type that holds both."""
    X, y = rows(dtype=np.float64)
    X = X.round(1).astype(np.float32).astype(np.float64)
    parts = [p.astype(dtypes[i % 2]) for i, p in enumerate(cut(X.round()))]
    model = classifier(client=client).fit([dask.delayed(p) for p in parts], delayed(y))
    assert model.network_.dtype == np.float64
    same = classifier(client=client).fit(delayed(np.concatenate(parts)), delayed(y))
    assert digest(model) == digest(same)


def test_strings(client):
    X, y = rows()
    names = np.array(["a", "bb", "ccc"])[y]
    one_letter = np.array([len(p) > 0 and set(p) == {"a"} for p in cut(names)])
    parts = [
        p.astype("U1") if alone else p for p, alone in zip(cut(names), one_letter, strict=True)
    ]
    model = classifier(client=client).fit(array(X), [dask.delayed(p) for p in parts])
    assert model.classes_.tolist() == ["a", "bb", "ccc"]
    np.testing.assert_array_equal(model.predict(array(X)).compute(), model.predict(X))
    assert model.predict(array(X)).dtype == model.predict(X).dtype


def test_many_partitions():
    n = 2000
    X, y = rows(2 * n)
    sizes = (2,) * n
    lists = [x.to_delayed().ravel().tolist() for x in (array(X, sizes), array(y, sizes))]
    options = {"max_iter": 2, "batch_size": 2 * n, "early_stopping": False}
    model = classifier(**options)
    with dask.config.set(scheduler="synchronous"):
        model.fit(*lists)
    np.testing.assert_allclose(model.loss_curve_, model.to_local().fit(X, y).loss_curve_, 1e-5)


@pytest.mark.parametrize("strategy", ["exact", "average"])
def test_a_partition_without_weight(strategy, client):
    X, y = rows()
    weight = np.ones(len(y))
    weight[1:61] = 0.0
    found = []
    for other in (0.0, 5.0):  # what these rows are does not matter
        X[1:61] = other
        model = classifier(client=client, strategy=strategy, batch_size=10**6, shuffle=False,
                           early_stopping=False)  # fmt: skip
        found.append(digest(model.fit(array(X), array(y), array(weight))))
    assert found[0] == found[1]


@pytest.mark.parametrize("loss", ["squared_error", "poisson", "quantile"])
def test_regressors(loss, client):
    X, _ = rows()
    y = np.abs(X[:, 0] + 2 * X[:, 1])
    options = {"quantiles": (0.1, 0.9)} if loss == "quantile" else {}
    model = regressor(loss, client=client, max_iter=30, n_iter_no_change=50, **options)
    model.fit(array(X), array(y))
    assert model.score(X, y) > 0.3
    np.testing.assert_array_equal(model.predict(array(X)).compute(), model.predict(X))


def test_arrays_in_memory_train_the_local_estimator(client):
    X, y = rows()
    model = classifier(client=client).fit(X, y)
    assert digest(model) == digest(model.to_local().fit(X, y))
    assert model.fit(array(X), array(y)).strategy_ == "average"
    assert not hasattr(model.fit(X, y), "strategy_")


def test_parquet_files(client, tmp_path):
    """Dask would read several row groups at once, where only few of their columns are needed."""
    pd = pytest.importorskip("pandas")
    dd = pytest.importorskip("dask.dataframe")
    pytest.importorskip("pyarrow")
    X, y = rows()
    frame = pd.DataFrame(X, columns=list("abcde")).assign(y=y)
    for i in range(3):
        frame[i::3].to_parquet(tmp_path / f"{i}.parquet")
    table = dd.read_parquet(tmp_path)
    model = classifier(client=client).fit(table[list("abcde")], table["y"])
    few = classifier(client=client).fit(table[["a", "b"]], table["y"])
    assert (model.n_features_in_, few.n_features_in_) == (5, 2)


@pytest.mark.parametrize("first", [0, 1])
def test_dense_and_sparse_partitions(first, client):
    X, y = rows()
    parts = [dask.delayed(sp.csr_matrix(p) if i % 2 == first else p) for i, p in enumerate(cut(X))]
    model = classifier(client=client).fit(parts, delayed(y))
    same = classifier(client=client).fit([dask.delayed(sp.csr_matrix)(p) for p in cut(X)],
                                         delayed(y))  # fmt: skip
    np.testing.assert_allclose(model.network_.parameters, same.network_.parameters, 1e-5, 1e-6)


@pytest.mark.parametrize("keys", [["train", "held_out", "dev", "test"], [3, 2, 1, 0]])
def test_keys_of_the_user(keys, client):
    """Those of delayed partitions may be numbers or words."""
    X, y = rows()
    sizes = (50,) * 4
    parts = [dask.delayed(np.copy)(p, dask_key_name=k) for p, k in zip(cut(X, sizes), keys,
                                                                       strict=True)]  # fmt: skip
    options = {"client": client, "early_stopping": True, "keep_rows": False}
    model = classifier(**options).fit(parts, delayed(y, sizes))
    assert digest(model) == digest(classifier(**options).fit(delayed(X, sizes), delayed(y, sizes)))
    float(model.score(parts, delayed(y, sizes)))
