"""Invalid arguments and rows: what is said, and that the model is as before."""

import asyncio
import gc
import time

import dask
import dask.array as da
import numpy as np
import pytest
import scipy.sparse as sp

pytest.importorskip("distributed")

from partitioned import array, classifier, cut, delayed, digest, regressor, rows

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
X, y = rows()


def spoilt(i, change):
    """Partitions of X, of which one is changed."""
    parts = [p.copy() for p in cut(X)]
    parts[i] = change(parts[i])
    return [dask.delayed(p) for p in parts]


def nan_in(p):
    p[4, 2] = np.nan
    return p


def labels(i, change):
    parts = [p.copy() for p in cut(y)]
    parts[i] = change(parts[i])
    return [dask.delayed(p) for p in parts]


ROWS = {
    "NaN": (lambda: (spoilt(3, nan_in), delayed(y)), "nan in row 4 of partition 3 of X, column 2"),
    "fewer columns": (
        lambda: (spoilt(3, lambda p: p[:, 1:]), delayed(y)), "partition 3 of X.*5 features.*got 4",
    ),
    "no columns": (lambda: (spoilt(3, lambda p: p[:, 0]), delayed(y)), "partition 3 of X.*2D"),
    "no array": (
        lambda: (spoilt(3, lambda p: p.tolist()), delayed(y)),
        "partition 3 of X: X must be an array, data frame or CSR matrix, got list",
    ),
    "y longer": (
        lambda: (delayed(X), labels(2, lambda p: np.r_[p, 0])), "partition 2 of X: y must have 60",
    ),
    "y of rows without X": (
        lambda: (delayed(X), labels(0, lambda p: np.r_[p, 0])), "partition 0 of X: y must have 0",
    ),
    "NaN in y": (
        lambda: (delayed(X), labels(2, lambda p: np.where(p == 1, np.nan, p))), "partition 2.*NaN",
    ),
    "text in y": (lambda: (delayed(X), labels(5, lambda p: p.astype(str))), "labels of one type"),
    "negative weight": (
        lambda: (delayed(X), delayed(y), delayed(np.where(np.arange(200) == 65, -1.0, 1.0))),
        "partition 3 of X: sample_weight must be finite and non-negative",
    ),
    "no weight": (
        lambda: (delayed(X), delayed(y), delayed(np.zeros(200))), "sample_weight must not be all",
    ),
    "all empty": (
        lambda: (delayed(X[:0], (0, 0)), delayed(y[:0], (0, 0))), "at least 1 row, got 2",
    ),
    "fewer partitions": (
        lambda: (delayed(X), delayed(y)[1:]), "y must have 8 partitions, as X has, got 7",
    ),
    "fewer rows": (lambda: (array(X), da.from_array(y[1:], 50)), "y must have 200 rows, as X has"),
    "y in memory": (lambda: (array(X), y), "y must be a Dask array.*as X is, got ndarray"),
    "no y": (lambda: (array(X), None), "y must be a Dask array.*got NoneType"),
    "three dimensions": (
        lambda: (da.zeros((4, 3, 2)), array(y)), "X must have 1 or 2 dimensions, got 3",
    ),
}  # fmt: skip
ARGUMENTS = {
    "strategy": ({"strategy": "both"}, {}, "strategy must be.*got 'both'"),
    "keep_rows": ({"keep_rows": 1}, {}, "keep_rows must be True, False or 'auto', got 1"),
    "solver": ({"solver": "best"}, {}, "solver"),
    "only X_val": ({}, {"X_val": array(X)}, "X_val and y_val must be given together"),
    "only y_val": ({}, {"y_val": array(y)}, "X_val and y_val must be given together"),
    "y_val in memory": ({}, {"X_val": array(X), "y_val": y}, "y_val must be a Dask array"),
    "weights alone": (
        {}, {"sample_weight_val": array(y)}, "sample_weight_val needs X_val and y_val",
    ),
    "one row": ({}, {"X_val": array(X[:0], (0,)), "y_val": array(y[:0], (0,))}, "X_val must have"),
    "scoring": (
        {"scoring": "accuracy"}, {"X_val": array(X), "y_val": array(y)},
        "scoring needs X_val and y_val in memory",
    ),
    "NaN in X_val": (
        {}, {"X_val": spoilt(3, nan_in), "y_val": delayed(y)}, "row 4 of partition 3 of X_val",
    ),
    "weights of X_val": (
        {}, {"X_val": array(X), "y_val": array(y), "sample_weight_val": array(0.0 * y)},
        "sample_weight must not be all zero",
    ),
}  # fmt: skip


def state(model):
    return {k: id(v) for k, v in vars(model).items() if k not in ("_direct", "_checked_params")}


@pytest.fixture(scope="module")
def fitted(client):
    return classifier(client=client, early_stopping=False).fit(array(X), array(y))


@pytest.mark.parametrize("name", ROWS)
def test_rows(name, fitted):
    make, message = ROWS[name]
    before, bits = state(fitted), digest(fitted)
    with pytest.raises((TypeError, ValueError), match=f"(?s){message}"):
        fitted.fit(*make())
    assert (state(fitted), digest(fitted)) == (before, bits)


@pytest.mark.parametrize("name", ARGUMENTS)
def test_arguments(name, fitted):
    params, arguments, message = ARGUMENTS[name]
    old = {name: getattr(fitted, name) for name in params}
    fitted.set_params(**params)
    before, bits = state(fitted), digest(fitted)
    with pytest.raises((TypeError, ValueError), match=f"(?s){message}"):
        fitted.fit(array(X), array(y), **arguments)
    assert (state(fitted), digest(fitted)) == (before, bits)
    fitted.set_params(**old)


def test_names_of_columns(client):
    pd = pytest.importorskip("pandas")
    dd = pytest.importorskip("dask.dataframe")
    frames = [pd.DataFrame(p, columns=list("abcde")) for p in cut(X) if len(p)]
    frames[2].columns = list("abcdf")
    parts = [dask.delayed(frame) for frame in frames]
    labels = [dask.delayed(p) for p in cut(y) if len(p)]
    with pytest.raises(ValueError, match=r"partition 3 of X.*\['a', 'b', 'c', 'd', 'f'\]"):
        classifier(client=client).fit(parts, labels)
    model = classifier(client=client).fit(parts[:2], labels[:2])
    with pytest.raises(ValueError, match="feature names"):
        model.predict(dd.from_pandas(frames[2], npartitions=2)).compute(scheduler="synchronous")


def test_an_error_while_a_partition_is_read(client):
    def read():
        raise FileNotFoundError("part-7.parquet")

    parts = [dask.delayed(read)(), *delayed(X)[1:]]
    model = classifier(client=client)
    with pytest.raises(FileNotFoundError, match="part-7"):
        model.fit(parts, delayed(y))
    assert not hasattr(model, "network_")


def test_a_class_that_is_not_in_a_resumed_fit(client):
    model = classifier(client=client, warm_start=True).fit(array(X), array(y))
    bits = digest(model)
    with pytest.raises(ValueError, match=r"of X: y has classes \[7\]"):
        model.fit(array(X), array(np.where(y == 1, 7, y)))
    with pytest.raises(ValueError, match="warm_start needs y to have the same classes"):
        model.fit(array(X), array(np.where(y == 1, 0, y)))
    assert digest(model) == bits


def test_an_asynchronous_client(client):
    from distributed import Client

    async def fit():
        async with Client(client.scheduler.address, asynchronous=True) as found:
            classifier(client=found).fit(array(X), array(y))

    with pytest.raises(TypeError, match="client must be synchronous"):
        asyncio.run(fit())


def test_a_closed_client(start_cluster):
    with start_cluster(1) as client:
        pass
    with pytest.raises(ConnectionError, match="got a closed client"):
        classifier(client=client).fit(array(X), array(y))


def test_the_parameters_of_a_poisson_regressor(client):
    with pytest.raises(ValueError, match="partition 2 of X: y must not be negative"):
        regressor("poisson", client=client).fit(array(X), labels(2, lambda p: p - 1.0))


def test_from_local_of_another_class(fitted):
    with pytest.raises(TypeError, match="model must be a DNNRegressor, got DNNClassifier"):
        type(regressor()).from_local(fitted.to_local())


def test_clone_keeps_requests_of_metadata(client):
    import sklearn
    from sklearn.base import clone

    with sklearn.config_context(enable_metadata_routing=True):
        model = clone(classifier(client=client).set_fit_request(sample_weight=True))
        assert model.get_metadata_routing().fit.requests["sample_weight"] is True
    assert model.client is client


@pytest.mark.parametrize("sparse", [False, True])
@pytest.mark.parametrize("keep_rows", [False, True])
def test_numbers_that_are_too_large_without_norm(keep_rows, sparse, client):
    """The error is that of the local estimator, and names the partition."""
    pd = pytest.importorskip("pandas")

    huge = X.copy()
    huge[127], huge[127, 3] = 3e38, 3.2e38

    def table(rows):
        return sp.csr_matrix(rows) if sparse else pd.DataFrame(rows, columns=list("abcde"))

    parts = [table(p) for p in cut(huge, (60, 60, 80))]
    model = classifier(client=client, norm=False, keep_rows=keep_rows)
    feature = "3" if sparse else "3 \\('d'\\)"
    expected = f"X must be smaller with norm=False.* up to 3.2e\\+38 in feature {feature}"
    with pytest.raises(ValueError, match=f"partition 2 of X: {expected}"):
        model.fit([dask.delayed(p) for p in parts], delayed(y, (60, 60, 80)))
    assert not hasattr(model, "network_")
    with pytest.raises(ValueError, match=expected):
        model.to_local().fit(table(huge), y)


def test_large_numbers_of_a_fit_that_goes_on(client):
    """It has learned from such numbers before."""
    model = classifier(client=client, norm=False, warm_start=True).fit(array(X), array(y))
    assert model.fit(array(X * np.float32(1e7)), array(y)).n_iter_ == 6


def fails_in_the_second_pass(part, seen):
    if seen.exists():
        time.sleep(0.5)  # rows of other partitions are kept by now
        raise FileNotFoundError("part-7.parquet")
    seen.touch()
    return part


@pytest.mark.parametrize("fails", ["reading", "callback"])
def test_rows_are_released_with_an_error(fails, start_cluster, tmp_path):
    """Even while the traceback is held, whose frames know all nodes."""

    def stop(info):
        raise FileNotFoundError("part-7.parquet")

    parts = delayed(X)
    if fails == "reading":
        parts[3] = dask.delayed(fails_in_the_second_pass)(cut(X)[3], tmp_path / "seen")
    with start_cluster(1) as client:
        model = classifier(client=client, keep_rows=True,
                           callback=stop if fails == "callback" else None)  # fmt: skip
        gc.disable()
        try:
            with pytest.raises(FileNotFoundError, match="part-7") as held:
                model.fit(parts, delayed(y))
            end = time.monotonic() + 10.0
            while client.run_on_scheduler(lambda dask_scheduler: len(dask_scheduler.tasks)):
                assert time.monotonic() < end, client.who_has()
                time.sleep(0.01)
            assert held.traceback
        finally:
            gc.enable()
