"""Write a model file of each kind, and what it must mean, into a folder.

    python tests/modelfile/data/make_golden.py FOLDER

The folder of a format version that has been released, such as v1, stays as it is for good: it shows
that today's dnncore reads what an earlier one wrote. A new version gets a folder of its own. What a
file must mean is written as JSON, with numbers from before saving.
"""

import contextlib
import json
import sys
import tempfile
import warnings
from pathlib import Path

import numpy as np

from dnncore import DNNClassifier, DNNRegressor, Network, PiecewiseLinear
from dnncore._data.columns import Column
from dnncore.checkpoints import Checkpoint
from dnncore.modelfile import load, save
from dnncore.predictor import Predictor
from dnncore.tabular import TabularClassifier, TabularRegressor

RNG = np.random.default_rng(20)
X = RNG.normal(2.0, 3.0, (24, 3)).round(2)
WITH_GAPS = np.where(np.random.default_rng(21).random(X.shape) < 0.2, np.nan, X)
LABELS = np.array(["no", "perhaps", "yes"])[np.arange(24) % 3]
COLOURS = np.array(["red", "green", "blue"], object)[np.arange(24) * 5 % 3]
SMALL = {"hidden_layer_sizes": (4,), "max_iter": 2, "batch_size": 10, "random_state": 0}
TABLE = (Column("size"), Column("colour", ("green", "red")), Column("answer", is_target=True))


def networks():
    plain = Network((3, 4, 2), seed=1, activation="logistic")
    given = Network((3, 2), seed=2, dtype=np.float32, output="logistic")
    given.set_norm([1.0, 2.0, 3.0], [0.5, 1.0, 2.0])
    learnt = Network((3, 4, 4, 1), seed=3, activation="tanh", output="identity")
    learnt.update_norm(X)
    yield "network", plain, {}
    yield "network-norm", given, {}
    yield "network-moments", learnt, {"table": TABLE}
    gaps = Network((4, 4, 2), seed=4, missing=[1])
    gaps.update_norm(WITH_GAPS)
    yield "network-missing", gaps, {"table": TABLE}
    embedding = PiecewiseLinear.from_rows(X, 2, n_bins=4, size=2)
    embedded = Network((7, 4, 2), seed=5, embedding=embedding)
    yield "network-embedding", embedded, {}
    yield "predictor-embedding", embedded.freeze(), {}
    yield "predictor-missing", gaps.freeze(), {}
    yield "predictor", given.freeze(["right", "left"]), {}
    yield "predictor-numbers", learnt.freeze(), {"table": TABLE}
    offset = Network((3, 2), seed=6, dtype=np.float32)
    offset.set_norm([1000.0, 2.0, 3.0], [0.5, 1.0, 2.0])
    yield "predictor-offset", offset.freeze(), {}


def classifiers():
    options = {"dropout": 0.25, "scoring": ["accuracy", "neg_log_loss"], "learning_rate_init": 0.05}
    labels = DNNClassifier(**SMALL, **options)
    labels.fit(X, LABELS, X_val=X[:6], y_val=LABELS[:6])
    yield "classifier", labels, {"table": TABLE}
    yield "classifier-adam", labels, {"solver_state": True, "division": "0a1b"}
    weighted = DNNClassifier(
        **SMALL, class_weight={0: 2.0, 1: 1.0}, solver="sgd", norm=False, tol=np.inf
    )
    yield "classifier-sgd", weighted.fit(X, np.arange(24) % 2), {"solver_state": True}
    several = DNNClassifier(**SMALL, activation="logistic")
    yield "classifier-multilabel", several.fit(X.astype(np.float32), (X > 2).astype(int)), {}
    yield "classifier-soft", DNNClassifier(**SMALL).fit(X, RNG.dirichlet(np.ones(3), 24)), {}


def unfinished():
    options = {"learning_rate": "newbob", "early_stopping": True, "validation_fraction": 0.5}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.safetensors"
        model = DNNClassifier(**SMALL | options, checkpoint=Checkpoint(path, seconds=0))
        model.fit(X, LABELS)
        yield "classifier-unfinished", load(path), {"solver_state": True}


def regressors():
    one = DNNRegressor(**SMALL, loss="huber", huber_delta=0.5)
    yield "regressor", one.fit(X, X[:, 0] ** 2), {}
    several = DNNRegressor(**SMALL, solver="lbfgs")
    yield "regressor-several", several.fit(X, X[:, :2] * 100.0), {"solver_state": True}
    counts = DNNRegressor(**SMALL, loss="poisson", max_grad_norm=0.5)
    yield "regressor-poisson", counts.fit(X, np.abs(X[:, 0]).round()), {"solver_state": True}
    levels = DNNRegressor(**SMALL, loss="quantile", quantiles=(0.25, 0.5, 0.9))
    yield "regressor-quantile", levels.fit(X, X[:, 0]), {}
    yield "predictor-exp", counts.freeze(), {}
    yield "predictor-sorted", levels.freeze(), {}


def tabular():
    rows = [[*row, colour] for row, colour in zip(WITH_GAPS.tolist(), COLOURS, strict=True)]
    small = {"n_members": 2, "hidden_layer_sizes": (4,), "n_bins": 3, "embedding_size": 2,
             "max_iter": 2, "random_state": 0, "importances": True}  # fmt: skip
    labels = TabularClassifier(**small, class_weight={"no": 1.0, "perhaps": 2.0, "yes": 1.0})
    yield "tabular-classifier", labels.fit(rows, LABELS), {"table": TABLE[-1:]}
    yield "tabular-regressor", TabularRegressor(**small).fit(rows, X[:, 0] ** 2), {}
    limited = TabularRegressor(**small, max_grad_norm=0.5)
    yield "tabular-max-grad-norm", limited.fit(rows, X[:, :2]), {}


def tabular_unfinished():
    """An ensemble from the checkpoint of a fit that was killed in its second network."""
    rows = [[*row, colour] for row, colour in zip(WITH_GAPS.tolist(), COLOURS, strict=True)]

    def kill(member, info):
        if member == 1:
            raise KeyError("the process has ended")

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.safetensors"
        model = TabularClassifier(
            n_members=2, hidden_layer_sizes=(4,), n_bins=3, embedding_size=2, max_iter=2,
            random_state=0, n_threads=1, callback=kill, checkpoint=Checkpoint(path, seconds=0),
        )  # fmt: skip
        with contextlib.suppress(KeyError):
            model.fit(rows, LABELS)
        yield "tabular-unfinished", load(path), {"solver_state": True}


def tabular_meaning(model, options):
    """What the file of an ensemble must say, in plain values."""
    rows = [[*row, colour] for row, colour in zip(WITH_GAPS.tolist(), COLOURS, strict=True)]
    rows = [[None if x != x else x for x in row] for row in rows]
    networks = model.ensemble_.networks
    predict = getattr(model, "predict_proba", model.predict)
    return {
        "kind": type(model).__name__,
        "params": {name: str(value) for name, value in model.get_params().items()},
        "encoder": model.encoder_.to_json(),
        "parameters": [network.parameters.tolist() for network in networks],
        "importances": getattr(model, "feature_importances_", np.zeros(0)).tolist(),
        "losses": [history.loss_curve for history in model.histories_],
        "rows": rows,
        "outputs": predict(rows).tolist(),
        "table": [
            [column.name, column.values, column.is_target] for column in options.get("table", ())
        ],
    }


def meaning(model, options):
    """What the file must say, in plain values."""
    network = getattr(model, "network_", model)
    rows = X.astype(network.dtype)
    found = {
        "kind": type(model).__name__,
        "dtype": network.dtype.name,
        "layer_sizes": network.layer_sizes,
        "activation": network.activation,
        "output": network.output,
        "parameters": network.parameters.tolist(),
        "X": X.tolist(),
        "outputs": network.predict_proba(rows).tolist(),
        "table": [
            [column.name, column.values, column.is_target] for column in options.get("table", ())
        ],
    }
    if isinstance(model, Network):
        return found
    found["predictions"] = model.predict(rows).tolist()
    if isinstance(model, Predictor) or hasattr(model, "classes_"):
        found["classes"] = model.classes_.tolist()
    if isinstance(model, Predictor):
        return found
    history = model.history_
    found |= {
        "params": {name: str(value) for name, value in model.get_params().items()},
        "history": {name: str(value) for name, value in sorted(vars(history).items())},
        "solver_state": "solver_state" in options,
    }
    if "solver_state" in options and model.solver != "lbfgs":
        found["after_partial_fit"] = after_partial_fit(model, found)
    return found


def after_partial_fit(model, found):
    """The parameters after one more epoch on the same rows."""
    from copy import deepcopy

    going_on = deepcopy(model).set_params(scoring=None, early_stopping="auto")
    going_on.partial_fit(X.astype(found["dtype"]), found["predictions"])
    return going_on.network_.parameters.tolist()


def write(folder):
    folder.mkdir(parents=True, exist_ok=True)
    meanings = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of training that stops early
        for name, model, options in (
            *networks(),
            *classifiers(),
            *unfinished(),
            *regressors(),
            *tabular(),
            *tabular_unfinished(),
        ):
            save(model, folder / f"{name}.safetensors", **options)
            describe = tabular_meaning if name.startswith("tabular") else meaning
            meanings[name] = describe(model, options)
    lines = [f"{json.dumps(name)}: {json.dumps(value)}" for name, value in meanings.items()]
    (folder / "meaning.json").write_text("{\n" + ",\n".join(lines) + "\n}\n", encoding="utf-8")


if __name__ == "__main__":
    write(Path(sys.argv[1]))
