"""Fits that go on: warm_start, checkpoints, copies of estimators."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone

pytest.importorskip("distributed")

from partitioned import PARAMETERS, array, classifier, digest, regressor, rows

from dnncore import DNNClassifier, load
from dnncore.checkpoints import Checkpoint
from dnncore.dask import DaskDNNClassifier, DaskDNNRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
MODELS = {
    "adam": {"early_stopping": True, "dropout": 0.2},
    "newbob": {"solver": "sgd", "learning_rate": "newbob", "strategy": "exact"},
    "cosine": {"solver": "adamw", "learning_rate": "cosine"},
    "lbfgs": {"solver": "lbfgs", "early_stopping": True},
}


class Stopped(Exception):
    pass


def stop_after(n):
    def callback(info):
        if info.epoch == n + 1:
            raise Stopped

    return callback


@pytest.mark.parametrize("name", MODELS)
def test_a_checkpoint_goes_on_to_the_same_bits(name, client, tmp_path):
    X, y = map(array, rows())
    options = {"client": client, "max_iter": 6, **MODELS[name]}
    whole = classifier(**options).fit(X, y)
    path = tmp_path / "model.safetensors"
    stopped = classifier(checkpoint=Checkpoint(path, seconds=0), callback=stop_after(3), **options)
    with pytest.raises(Stopped):
        stopped.fit(X, y)
    strategy = options.get("strategy", "auto")
    model = DaskDNNClassifier.from_local(load(path), client=client, strategy=strategy)
    assert model.n_iter_ == 3
    model.set_params(warm_start=True).fit(X, y)
    assert digest(model) == digest(whole)


@pytest.mark.parametrize("sizes", [(1, 0, 60, 44, 0, 30, 62, 3), (100, 100), (200,)])
def test_a_checkpoint_does_not_go_on_with_other_partitions(sizes, client, tmp_path):
    """Groups and validation rows would be others; the model is as before."""
    X, y = rows()
    path = tmp_path / "model.safetensors"
    options = {"client": client, "max_iter": 6}
    stopped = classifier(checkpoint=Checkpoint(path, seconds=0), callback=stop_after(3), **options)
    with pytest.raises(Stopped):
        stopped.fit(array(X), array(y))
    model = DaskDNNClassifier.from_local(load(path), client=client).set_params(warm_start=True)
    begun, found = (f"a Dask collection in {n} partitions of 200 rows" for n in (8, len(sizes)))
    with pytest.raises(ValueError, match=f"(?s)begun, {begun} .*got {found} "):
        model.fit(array(X, sizes), array(y, sizes))
    assert model.n_iter_ == 3
    model.fit(array(X), array(y))
    assert model.n_iter_ == 6


def checkpoints_of_both(client, tmp_path, **options):
    """Return estimators that go on with a fit: local from partitions, and on Dask from memory."""
    X, y = rows()
    path = tmp_path / "model.safetensors"
    options |= PARAMETERS | {"max_iter": 6, "callback": stop_after(3)}
    found = []
    options["checkpoint"] = Checkpoint(path, seconds=0)
    there, here = DaskDNNClassifier(**options, client=client), DNNClassifier(**options)
    for model, form in ((there, array), (here, np.asarray)):
        with pytest.raises(Stopped):
            model.fit(form(X), form(y))
        found.append(load(path).set_params(warm_start=True))
    return found[0], DaskDNNClassifier.from_local(found[1], client=client)


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_a_checkpoint_without_a_split_goes_on_in_memory_and_back(solver, client, tmp_path):
    X, y = rows()
    options = {"solver": solver, "early_stopping": False}
    local, there = checkpoints_of_both(client, tmp_path, **options)
    assert local.fit(X, y).n_iter_ == there.fit(array(X), array(y)).n_iter_ == 6


def test_a_checkpoint_with_a_split_does_not_go_on_in_memory_or_back(client, tmp_path):
    """Rows that were split off for validation would be trained on."""
    X, y = rows()
    local, there = checkpoints_of_both(client, tmp_path, early_stopping=True)
    text = r"begun, a Dask collection in 8 partitions of 200 rows .*got rows in memory"
    with pytest.raises(ValueError, match=text):
        local.fit(X, y)
    with pytest.raises(ValueError, match=text):
        local.fit_blocks([(X, y)], X_val=X, y_val=y)
    with pytest.raises(ValueError, match=r"begun, rows in memory, got a Dask collection in 8 part"):
        there.fit(array(X), array(y))
    assert local.n_iter_ == there.n_iter_ == 3


def test_warm_start(client):
    X, y = map(array, rows())
    model = classifier(client=client, warm_start=True, solver="sgd", learning_rate_init=0.05)
    losses = [model.fit(X, y).loss_ for _ in range(4)]
    assert model.n_iter_ == 12
    assert losses == sorted(losses, reverse=True)
    again = classifier(client=client, max_iter=12, solver="sgd", learning_rate_init=0.05,
                       early_stopping=False).fit(X, y)  # fmt: skip
    np.testing.assert_array_equal(model.network_.parameters, again.network_.parameters)


def test_from_a_local_model_and_back(client, tmp_path):
    X, y = rows()
    local = DNNClassifier(**PARAMETERS, warm_start=True).fit(X, y)
    model = DaskDNNClassifier.from_local(local, client=client, strategy="exact", keep_rows=False)
    assert (model.client, model.strategy, model.keep_rows) == (client, "exact", False)
    before = model.network_.parameters.copy()
    model.fit(array(X), array(y))
    assert model.n_iter_ == 6 and (model.network_.parameters != before).any()
    back = model.to_local()
    assert type(back) is DNNClassifier and back.network_ is model.network_
    np.testing.assert_array_equal(back.predict_proba(X), model.predict_proba(X))
    model.save(tmp_path / "model.safetensors")
    read = load(tmp_path / "model.safetensors")
    assert type(read) is DNNClassifier
    np.testing.assert_array_equal(read.predict_proba(X), model.predict_proba(X))


def test_a_pickle_has_no_client(client):
    X, y = rows()
    model = classifier(client=client).fit(array(X), array(y))
    copy = pickle.loads(pickle.dumps(model))
    assert copy.client is None and model.client is client
    np.testing.assert_array_equal(copy.predict(X), model.predict(X))


def test_clone_and_parameters(client):
    model = classifier(client=client, strategy="exact", class_weight={0: 2.0})
    copy = clone(model)
    assert copy.client is client
    assert copy.get_params() == model.get_params()
    assert copy.class_weight is not model.class_weight
    names = set(DNNClassifier().get_params())
    assert set(model.get_params()) == names | {"client", "strategy", "keep_rows"}
    assert copy.set_params(strategy="average", alpha=0.5).strategy == "average"
    with pytest.raises(ValueError, match="Invalid parameter 'partitions'"):
        copy.set_params(partitions=3)
    assert "strategy='exact'" in repr(classifier(strategy="exact"))
    assert regressor().get_params()["loss"] == "squared_error"


def test_the_defaults_are_those_of_the_local_estimators():
    for cls in (DaskDNNClassifier, DaskDNNRegressor):
        params = cls().get_params()
        local = cls.local_class().get_params()
        assert {name: params[name] for name in local} == local


def test_partial_fit_of_rows_in_memory(client):
    X, y = rows()
    model = classifier(client=client).partial_fit(X, y, classes=[0, 1, 2])
    local = DNNClassifier(**PARAMETERS).partial_fit(X, y, classes=[0, 1, 2])
    np.testing.assert_array_equal(model.network_.parameters, local.network_.parameters)


def test_the_table_of_a_loaded_model(client, tmp_path):
    """A new fit forgets the columns of the command line; one that goes on encodes by them."""
    pd = pytest.importorskip("pandas")
    dd = pytest.importorskip("dask.dataframe")
    from dnncore.cli import main

    X, _ = rows()
    frame = pd.DataFrame(X[:, :3], columns=list("abc"))
    names = np.array(["no", "yes"])[(X[:, 0] > 0).astype(int)]
    frame.assign(t=names).to_csv(tmp_path / "x.csv", index=False)
    options = ["--target", "t", "--model", "network", "--epochs", "2", "--quiet", "--no-plot"]
    path = str(tmp_path / "m.safetensors")
    main(["train", str(tmp_path / "x.csv"), *options, "--output", path])
    series = dd.from_pandas(pd.Series(names), npartitions=2)
    moved = frame[list("cba")]
    model = DaskDNNClassifier.from_local(load(path), client=client)
    model.set_params(max_iter=20, learning_rate_init=0.05)
    model.fit(dd.from_pandas(moved, npartitions=2), series)
    assert not hasattr(model, "table_")
    assert model.feature_names_in_.tolist() == list("cba")
    assert model.score(moved, names) > 0.9
    again = DaskDNNClassifier.from_local(load(path), client=client).set_params(warm_start=True)
    again.fit(dd.from_pandas(moved, npartitions=2), series)  # in any order
    assert hasattr(again, "table_")
    np.testing.assert_array_equal(again.predict(moved), again.predict(frame))
