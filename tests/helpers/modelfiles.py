"""Models of every kind, their files, and how two models are compared."""

import contextlib
import functools
import hashlib
import json
import tempfile
import warnings
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file, save_file
from sklearn.exceptions import ConvergenceWarning

from dnncore import DNNClassifier, DNNRegressor, Network
from dnncore._data.columns import Column
from dnncore.checkpoints import Checkpoint
from dnncore.modelfile import ModelFileError, load, save
from dnncore.predictor import Predictor
from dnncore.tabular import TabularClassifier, TabularRegressor

RNG = np.random.default_rng(0)
X = RNG.normal(3.0, 2.0, (60, 4))
CODES = np.arange(60) % 3

# What there is beside one label a row: an estimator, and what it is trained on.
OTHERS = {
    "multilabel": (DNNClassifier, (X[:, :3] > 3).astype(int)),
    "soft": (DNNClassifier, RNG.dirichlet(np.ones(3), 60)),
    "numbers": (DNNRegressor, X[:, 0] ** 2),
    "rows of numbers": (DNNRegressor, X[:, :2] * [1.0, -100.0] + [0.0, 5.0]),
}
TABULAR = ["tabular classifier", "tabular regressor", "unfinished ensemble"]
KINDS = ["network", "single", *OTHERS, *TABULAR, "predictor", "with state"]
COLOURS = np.array(["red", "green", None], object)[CODES]
FRAME = [{"size": None if i % 7 == 3 else X[i, 0], "colour": COLOURS[i]} for i in range(60)]
LABELS = np.array(["no", "yes", "perhaps"])[CODES]
TABLE = (Column("length"), Column("colour", ("red", "green", "")))


def fit(model, X, y):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(X, y, X_val=X[:9], y_val=y[:9])


def fitted(labels=(-5, 0, 7), dtype=np.float64, **parameters):
    """A small classifier after a few epochs."""
    y = np.asarray(labels)[CODES % len(labels)]
    model = DNNClassifier((5,), **({"max_iter": 3, "random_state": 0} | parameters))
    return fit(model, X.astype(dtype), y)


def fitted_other(name, dtype=np.float64, **parameters):
    estimator, y = OTHERS[name]
    parameters = {"hidden_layer_sizes": (5,), "max_iter": 3, "random_state": 0} | parameters
    return fit(estimator(**parameters), X.astype(dtype), y)


def fitted_tabular(kind, **parameters):
    """A small ensemble after an epoch, on a table with categories and missing values."""
    classifier = kind == "tabular classifier"
    parameters = {"n_members": 2, "hidden_layer_sizes": (3,), "n_bins": 2, "embedding_size": 1,
                  "max_iter": 1, "random_state": 0} | parameters  # fmt: skip
    model = (TabularClassifier if classifier else TabularRegressor)(**parameters)
    return model.fit(FRAME, LABELS if classifier else X[:, 0])


def unfinished_ensemble(path, kind="tabular classifier", n_finished=2, **parameters):
    """A small ensemble from the checkpoint of a fit that was killed after so many networks."""

    def kill(member, info):
        if member >= n_finished:
            raise Killed

    parameters = {"n_members": 3, "n_threads": 1} | parameters
    with contextlib.suppress(Killed):
        fitted_tabular(kind, **parameters, callback=kill, checkpoint=Checkpoint(path, seconds=0))
    return load(path)


class Killed(BaseException):
    """The end of a process."""


@functools.cache
def model_of(kind):
    """One model of each kind; not to be changed."""
    network = Network((4, 5, 2), seed=0, activation="tanh", output="logistic")
    network.update_norm(X)
    if kind == "network":
        return network
    if kind == "predictor":
        return network.freeze(["yes", "no"])
    if kind == "unfinished ensemble":
        with tempfile.TemporaryDirectory() as folder:
            return unfinished_ensemble(Path(folder) / "model.safetensors")
    if kind in TABULAR:
        return fitted_tabular(kind)
    if kind == "with state":
        return fitted(["a", "b", "c"], scoring=("accuracy", "neg_log_loss"), dropout=0.25)
    return fitted(["a", "b", "c"]) if kind == "single" else fitted_other(kind)


@functools.cache
def bytes_of(kind, folder):
    """A file of each kind."""
    path = folder / "model.safetensors"
    options = {"solver_state": True} if kind in ("with state", "unfinished ensemble") else {}
    if kind == "with state":
        options["table"] = TABLE
    save(model_of(kind), path, **options)
    return path.read_bytes()


def round_trip(model, path, **options):
    save(model, path, **options)
    return load(path)


# ------------------------------------------------------------------------------- comparison


def assert_same_missing(a, b):
    assert (a is None) == (b is None)
    np.testing.assert_array_equal(a, b)


def assert_same_network(a, b):
    assert a.layer_sizes == b.layer_sizes
    assert (a.activation, a.output) == (b.activation, b.output)
    assert a.dtype == b.dtype == b.parameters.dtype
    np.testing.assert_array_equal(a.parameters, b.parameters)
    assert_same_missing(a.missing, b.missing)
    assert (a.mean_ is None) == (b.mean_ is None)
    if a.mean_ is not None:
        np.testing.assert_array_equal(a.mean_, b.mean_)
        np.testing.assert_array_equal(a.scale_, b.scale_)
    assert (a.moments_ is None) == (b.moments_ is None)
    if a.moments_ is not None:
        np.testing.assert_array_equal(a.moments_.count, b.moments_.count)
        assert type(a.moments_.count) is type(b.moments_.count)
        np.testing.assert_array_equal(a.moments_.mean, b.moments_.mean)
        np.testing.assert_array_equal(a.moments_.variance, b.moments_.variance)


def assert_same_predictor(a, b):
    assert a.layer_sizes == b.layer_sizes
    assert (a.activation, a.output, a.dtype) == (b.activation, b.output, b.dtype)
    assert a.classes_.dtype == b.classes_.dtype
    assert a.classes_.tolist() == b.classes_.tolist()
    np.testing.assert_array_equal(a.parameters, b.parameters)
    assert_same_missing(a.missing, b.missing)
    assert_same_missing(a.fill, b.fill)
    x = X[:, : a.n_features].astype(a.dtype)
    np.testing.assert_array_equal(a(x), b(x))


def assert_same_estimator(a, b, dtype=np.float64):
    assert type(a) is type(b)
    assert_same_network(a.network_, b.network_)
    assert a.get_params() == b.get_params()
    assert a.history_.metrics == b.history_.metrics
    for name in (
        "loss_curve_", "loss_", "best_loss_", "validation_scores_", "best_validation_score_",
        "n_iter_", "t_", "n_features_in_", "n_layers_", "n_outputs_", "out_activation_",
    ):  # fmt: skip
        assert getattr(a, name) == getattr(b, name), name
    methods = ["predict"]
    if isinstance(a, DNNClassifier):
        methods += ["predict_proba", "predict_log_proba", "decision_function"]
        assert a.classes_.dtype == b.classes_.dtype
        assert a.classes_.tolist() == b.classes_.tolist()
        assert hasattr(a, "class_prior_") == hasattr(b, "class_prior_")
        if hasattr(a, "class_prior_"):
            methods.append("predict_scaled_log_likelihood")
            np.testing.assert_array_equal(a.class_prior_, b.class_prior_)
    else:
        np.testing.assert_array_equal(a.target_mean_, b.target_mean_)
        np.testing.assert_array_equal(a.target_scale_, b.target_scale_)
    x = X[:, : a.n_features_in_].astype(dtype)
    for method in methods:
        expected, actual = getattr(a, method)(x), getattr(b, method)(x)
        assert actual.dtype == expected.dtype
        assert actual.shape == expected.shape
        np.testing.assert_array_equal(actual, expected)


def assert_same_tabular(a, b):
    assert a.get_params() == b.get_params()
    assert a.encoder_.to_json() == b.encoder_.to_json()
    assert hasattr(a, "feature_names_in_") == hasattr(b, "feature_names_in_")
    assert len(a.ensemble_.networks) == len(b.ensemble_.networks)
    for network, other in zip(a.ensemble_.networks, b.ensemble_.networks, strict=True):
        assert_same_network(network, other)
    for history, other in zip(a.histories_, b.histories_, strict=True):
        assert vars(history) == vars(other) | {"no_improvement": history.no_improvement}
    rows = FRAME if hasattr(a, "feature_names_in_") else [[*x[:3], "red"] for x in X.tolist()]
    expected, actual = a.predict(rows), b.predict(rows)
    assert actual.dtype == expected.dtype
    np.testing.assert_array_equal(actual, expected)
    if isinstance(a, TabularClassifier):
        assert (a.classes_.dtype, a.temperature_) == (b.classes_.dtype, b.temperature_)
        np.testing.assert_array_equal(a.class_prior_, b.class_prior_)
        np.testing.assert_array_equal(a.predict_proba(rows), b.predict_proba(rows))


def assert_same(a, b):
    """Two models of any kind are the same."""
    assert type(a) is type(b)
    if isinstance(a, Network):
        assert_same_network(a, b)
    elif isinstance(a, TabularClassifier | TabularRegressor):
        assert_same_tabular(a, b)
    elif isinstance(a, Predictor):
        assert_same_predictor(a, b)
    else:
        assert_same_estimator(a, b, a.network_.dtype)


# ------------------------------------------------------------------------------------ files


def metadata_of(path):
    with safe_open(path, framework="np") as file:
        return dict(file.metadata())


def refusal(path):
    """The message of the error that `load` raises: one line that begins with the path."""
    with pytest.raises(ModelFileError) as caught:
        load(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    assert len(message) < len(str(path)) + 400
    return message


NAMES = {"float64": "F64", "float32": "F32", "float16": "F16", "int64": "I64", "bool": "BOOL"}


def checksum(metadata, tensors):
    """As docs/reference/model_file.md has it."""
    strings = sorted([key, value] for key, value in metadata.items() if key != "checksum")
    entries = sorted([name, NAMES[x.dtype.name], list(x.shape)] for name, x in tensors.items())
    data = [tensors[name].tobytes() for name, *_ in entries]
    text = json.dumps([strings, entries], separators=(",", ":")).encode()
    return hashlib.sha256(b"".join([text, *data])).hexdigest()


def alter(path, tensors=(), metadata=()):
    """Write the file anew with some parts replaced, or dropped if None, and a right checksum."""
    new = [load_file(path) | dict(tensors), metadata_of(path) | dict(metadata)]
    new_tensors, new_metadata = ({k: x for k, x in part.items() if x is not None} for part in new)
    if "checksum" not in dict(metadata):
        new_metadata["checksum"] = checksum(new_metadata, new_tensors)
    save_file(new_tensors, path, metadata=new_metadata)
