"""Predictions and scores of collections: lazy, and those of the local estimator."""

import dask
import dask.array as da
import numpy as np
import pytest
import scipy.sparse as sp

pytest.importorskip("distributed")

import partitioned as part
from partitioned import SIZES, array, classifier, cut, delayed, regressor, rows

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
METHODS = ("predict", "predict_proba")


def columns(x):
    return da.from_array(x, chunks=(SIZES, 2)) if x.ndim == 2 else array(x)


def csr(x):
    parts = [dask.delayed(sp.csr_matrix)(p) for p in cut(x)]
    return parts


FORMS = {
    "array": array, "unknown": part.unknown, "columns": columns, "delayed": delayed, "csr": csr,
}  # fmt: skip


def labels(kind, y, X):
    if kind == "strings":
        return np.array(["a", "bb", "ccc"])[y]
    if kind == "soft":
        return 0.8 * np.eye(3)[y] + 0.2 / 3
    if kind == "multilabel":
        return (X[:, :2] > 0).astype(int)
    return y.astype({"int8": np.int8, "bool": bool, "float": float}[kind])


@pytest.mark.usefixtures("builtin_engine")
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_classes(form, dtype, client):
    X, y = rows(dtype=dtype)
    model = classifier(client=client, max_iter=1).fit(array(X), array(y))
    for method in METHODS:
        found = getattr(model, method)(FORMS[form](X))
        assert isinstance(found, da.Array)
        expected = getattr(model, method)(X)
        computed = client.compute(found, sync=True)
        tolerance = 1e-6 if form == "csr" else 0.0  # products of stored elements
        np.testing.assert_allclose(computed, expected, tolerance, tolerance)
        assert found.dtype == computed.dtype == expected.dtype
        assert found.ndim == computed.ndim


@pytest.mark.usefixtures("builtin_engine")
@pytest.mark.parametrize("kind", ["int8", "bool", "float", "strings", "multilabel", "soft"])
def test_kinds_of_labels(kind, client):
    X, y = rows()
    y = labels(kind, y, X)
    weight = np.random.default_rng(0).uniform(0, 2, len(y))
    weight[:61] = 0.0
    model = classifier(client=client, max_iter=2).fit(array(X), array(y))
    for method in METHODS:
        expected = getattr(model, method)(X)
        found = getattr(model, method)(array(X))
        assert found.dtype == expected.dtype and found.shape == expected.shape
        np.testing.assert_array_equal(found.compute(), expected)
    if kind == "soft":
        return  # scikit-learn's accuracy takes no soft labels
    for given in ((), (weight,)):
        score = model.score(array(X), array(y), *map(array, given))
        assert isinstance(score, da.Array) and score.shape == ()
        np.testing.assert_allclose(float(score), model.score(X, y, *given), 1e-12)


@pytest.mark.parametrize("loss", ["squared_error", "poisson", "huber", "quantile"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_regressors(loss, dtype, client):
    X, _ = rows(dtype=dtype)
    y = 1000 * np.abs(X[:, 0] + X[:, 1]) + 5
    weight = np.random.default_rng(0).uniform(0, 2, len(y))
    options = {"quantiles": (0.1, 0.9)} if loss == "quantile" else {}
    model = regressor(loss, client=client, **options).fit(array(X), array(y))
    found, expected = model.predict(array(X)), model.predict(X)
    assert found.dtype == expected.dtype and found.shape == expected.shape
    np.testing.assert_array_equal(found.compute(), expected)
    rtol = 1e-5 if dtype == np.float32 else 1e-10
    for given in ((), (weight,)):
        score = float(model.score(array(X), array(y), *map(array, given)))
        np.testing.assert_allclose(score, model.score(X, y, *given), rtol, rtol)


def test_several_targets(client):
    X, _ = rows(dtype=np.float64)
    y = X[:, :2] * [1.0, 1000.0] + [0.0, 1e4]
    model = regressor(client=client).fit(array(X), array(y))
    found = model.predict(part.unknown(X))
    np.testing.assert_array_equal(found.compute(), model.predict(X))
    np.testing.assert_allclose(float(model.score(array(X), array(y))), model.score(X, y), 1e-10)


def test_labels_that_are_unknown_are_wrong(client):
    X, y = rows()
    model = classifier(client=client).fit(array(X), array(y))
    y = np.where(y == 1, 9, y)
    np.testing.assert_allclose(float(model.score(array(X), array(y))), model.score(X, y), 1e-12)


def test_data_frames(client):
    pd = pytest.importorskip("pandas")
    dd = pytest.importorskip("dask.dataframe")
    X, y = rows()
    frame = pd.DataFrame(X, columns=list("abcde"))
    lazy = dd.from_pandas(frame, npartitions=3)
    model = classifier(client=client).fit(lazy, dd.from_pandas(pd.Series(y), npartitions=3))
    np.testing.assert_array_equal(model.predict(lazy).compute(), model.predict(frame))
    score = model.score(lazy, dd.from_pandas(pd.Series(y), npartitions=3))
    np.testing.assert_allclose(float(score), model.score(frame, y), 1e-12)


def test_futures_and_persisted_rows(client):
    X, y = rows()
    model = classifier(client=client).fit(array(X), array(y))
    with client.as_current():
        kept, labels = client.persist(array(X)), client.persist(array(y))
        np.testing.assert_array_equal(model.predict(kept).compute(), model.predict(X))
        assert float(model.score(kept, labels)) == pytest.approx(model.score(X, y), rel=1e-12)
        futures = client.scatter(cut(X), hash=False)
        np.testing.assert_array_equal(model.predict(futures).compute(), model.predict(X))
        wanted = pytest.approx(model.score(X, y), rel=1e-12)
        assert float(model.score(futures, client.scatter(cut(y), hash=False))) == wanted


def test_nothing_is_computed_before(client):
    def read():
        raise AssertionError("read too early")

    X, y = rows()
    model = classifier(client=client).fit(array(X), array(y))
    X = da.from_delayed(dask.delayed(read)(), (10, 5), np.float32)
    lazy = [model.predict(X), model.predict_proba(X), model.score(X, da.zeros(10, int, chunks=10))]
    for found in lazy:
        with pytest.raises(AssertionError, match="too early"):
            found.compute(scheduler="synchronous")


def test_an_unfitted_model():
    from sklearn.exceptions import NotFittedError

    X, y = map(array, rows())
    for call in (lambda m: m.predict(X), lambda m: m.predict_proba(X), lambda m: m.score(X, y)):
        with pytest.raises(NotFittedError):
            call(classifier())


def test_the_model_of_a_prediction_stays_as_it_was(client):
    """A later fit does not change what was asked before."""
    X, y = rows()
    model = classifier(client=client, warm_start=True).fit(array(X), array(y))
    lazy, expected = model.predict_proba(array(X)), model.predict_proba(X)
    model.fit(array(X), array(y))
    np.testing.assert_array_equal(lazy.compute(), expected)
    assert (model.predict_proba(X) != expected).any()


@pytest.mark.parametrize("loss", ["squared_error", "quantile"])
def test_targets_that_no_score_has(loss, client):
    X, _ = rows(dtype=np.float64)
    options = {"quantiles": (0.1, 0.9)} if loss == "quantile" else {}
    model = regressor(loss, client=client, **options).fit(array(X), array(X[:, 0]))
    spoilt = np.where(np.arange(len(X)) == 70, np.nan, X[:, 0])
    for y, message in ((X[:, :3], "y must have 1 outputs"), (spoilt, "y must be finite")):
        with pytest.raises(ValueError, match=message):
            float(model.score(array(X), array(y)))
    with pytest.raises(ValueError, match="sample_weight must not be all zero"):
        float(model.score(array(X), array(X[:, 0]), array(0.0 * X[:, 0])))
