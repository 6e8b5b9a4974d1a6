"""Training goes on after saving and loading as if it had never been interrupted."""

import json
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from modelfiles import (
    CODES,
    OTHERS,
    X,
    alter,
    assert_same_estimator,
    metadata_of,
    refusal,
    round_trip,
)

import dnncore
from dnncore import DNNClassifier, DNNRegressor, Network
from dnncore.training import LBFGS, SGD, Adam, Trainer

SOLVERS = {
    "sgd": {"solver": "sgd", "momentum": 0.0, "learning_rate_init": 0.1},
    "momentum": {"solver": "sgd", "nesterovs_momentum": False, "learning_rate_init": 0.05},
    "nesterov": {"solver": "sgd", "learning_rate_init": 0.05},
    "invscaling": {"solver": "sgd", "learning_rate": "invscaling", "learning_rate_init": 0.5},
    "adaptive": {"solver": "sgd", "learning_rate": "adaptive", "learning_rate_init": 0.3,
                 "n_iter_no_change": 1, "tol": 0.01},
    "newbob": {"learning_rate": "newbob", "learning_rate_init": 0.05},
    "adam": {"learning_rate_init": 0.01},
    "adamw": {"solver": "adamw", "learning_rate_init": 0.01, "weight_decay": 0.2},
    "cosine": {"solver": "adamw", "learning_rate": "cosine", "learning_rate_init": 0.01},
    "coslog4": {"solver": "sgd", "learning_rate": "coslog4", "learning_rate_init": 0.05},
    "lbfgs": {"solver": "lbfgs"},
}  # fmt: skip


def fit(model, X, y, epochs=2, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return model.set_params(max_iter=epochs, warm_start=True).fit(X, y, **options)


def assert_same_state(a, b):
    a, b = a._trainer.state_dict(), b._trainer.state_dict()
    for x, y in zip(a.pop("vectors"), b.pop("vectors"), strict=True):
        assert x.dtype == y.dtype
        np.testing.assert_array_equal(x, y)
    assert a == b


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("dropout", [0.0, 0.3])
@pytest.mark.parametrize("solver", SOLVERS)
def test_two_epochs_and_two_more(tmp_path, solver, dropout, dtype):
    if solver == "lbfgs":
        dropout = 0.0
    model = DNNClassifier((6,), batch_size=7, dropout=dropout, random_state=1, **SOLVERS[solver])
    rows = X.astype(dtype)
    fit(model, rows, CODES)
    loaded = round_trip(model, tmp_path / "model.safetensors", solver_state=True)
    assert_same_state(model, loaded)
    for each in (model, loaded):
        fit(each, rows, CODES)
    assert_same_estimator(model, loaded, dtype)
    assert_same_state(model, loaded)
    # A model that lost its state would end elsewhere.
    if solver not in ("sgd", "lbfgs"):
        other = fit(round_trip(model, tmp_path / "model.safetensors"), rows, CODES)
        fit(loaded, rows, CODES)
        assert (other.network_.parameters != loaded.network_.parameters).any()


def test_four_epochs_in_one_go(tmp_path):
    """The interrupted model is the one that was trained at once."""
    settings = {"batch_size": 7, "dropout": 0.3, "random_state": 1, "tol": 0.0}
    whole = fit(DNNClassifier((6,), **settings), X, CODES, epochs=4)
    half = fit(DNNClassifier((6,), **settings), X, CODES)
    half = fit(round_trip(half, tmp_path / "model", solver_state=True), X, CODES)
    np.testing.assert_array_equal(whole.network_.parameters, half.network_.parameters)
    assert whole.loss_curve_ == half.loss_curve_


@pytest.mark.parametrize("name", OTHERS)
def test_partial_fit(tmp_path, name):
    estimator, y = OTHERS[name]
    model = estimator(hidden_layer_sizes=(5,), batch_size=7, dropout=0.2, random_state=3)
    model.partial_fit(X[:30], y[:30])
    loaded = round_trip(model, tmp_path / "model.safetensors", solver_state=True)
    for each in (model, loaded):
        each.partial_fit(X[30:], y[30:])
    assert_same_estimator(model, loaded)
    assert_same_state(model, loaded)


@pytest.mark.parametrize("dropout", [0.0, 0.3])
@pytest.mark.parametrize("solver", sorted(set(SOLVERS) - {"lbfgs"}))
@pytest.mark.parametrize("make", [DNNClassifier, DNNRegressor])
def test_partial_fit_goes_on_from_the_file_of_any_call(tmp_path, make, solver, dropout):
    """Parts of several sizes, as they are and as lists; with the moments of the standardisation."""
    options = SOLVERS[solver] | {"learning_rate_init": 0.01, "dropout": dropout, "random_state": 1}
    model = make(hidden_layer_sizes=(6,), batch_size=7, **options)
    first = {"classes": [0, 1, 2]} if make is DNNClassifier else {}
    parts = [(X[i:j], CODES[i:j]) for i, j in ((0, 20), (20, 21), (21, 45), (45, 60))]
    parts[2] = tuple(part.tolist() for part in parts[2])
    for number, part in enumerate(parts):
        model.partial_fit(*part, **first)
        model.save(tmp_path / str(number), solver_state=True)
    for number in range(len(parts) - 1):
        again = dnncore.load(tmp_path / str(number))
        for part in parts[number + 1 :]:
            again.partial_fit(*part)
        assert_same_estimator(model, again)
        assert_same_state(model, again)
        assert again.history_ == model.history_


def test_patience_and_the_best_score_are_remembered(tmp_path):
    """Early stopping ends in the same epoch with the same parameters."""
    path = tmp_path / "model.safetensors"
    model = DNNClassifier((6,), early_stopping=True, n_iter_no_change=4, random_state=0)
    validation = {"X_val": X[:20], "y_val": CODES[:20]}
    fit(model, X, CODES, epochs=3, **validation)
    loaded = round_trip(model, path, solver_state=True)
    assert loaded.history_ == model.history_
    assert loaded.history_.no_improvement > 0
    for each in (model, loaded):
        fit(each, X, CODES, epochs=50, **validation)
    assert model.n_iter_ < 53
    assert_same_estimator(model, loaded)


def test_settings_changed_before_saving(tmp_path):
    """The state is that of the last training, whatever the parameters say by now."""
    model = fit(DNNRegressor(hidden_layer_sizes=(4,), random_state=0), X, X[:, 0])
    model.set_params(learning_rate_init=0.05, beta_1=0.8)
    loaded = round_trip(model, tmp_path / "model.safetensors", solver_state=True)
    assert loaded._trainer.learning_rate == model._trainer.learning_rate == 0.002
    for each in (model, loaded):
        fit(each, X, X[:, 0])
        assert each._trainer.learning_rate == 0.05
    assert_same_estimator(model, loaded)


def test_saved_again(tmp_path):
    """Loading and saving changes no byte, and leaves the state out unless it is asked for."""
    model = fit(DNNClassifier((4,), random_state=0), X, CODES)
    first, second = tmp_path / "first", tmp_path / "second"
    loaded = round_trip(model, first, solver_state=True)
    loaded.save(second, solver_state=True)
    assert second.read_bytes() == first.read_bytes()
    loaded.save(second)
    assert "solver" not in metadata_of(second)


# ------------------------------------------------------------------ states that are refused


@pytest.fixture
def path(write):
    return write("with state")


def random(**changes):
    return {"random": {"state": "1", "inc": "3", "has_uint32": 0, "uinteger": 0} | changes}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kind": "RMSProp"}, "kind of the solver must be one of SGD, Adam, AdamW, LBFGS"),
        ({"kind": ["Adam"]}, "kind of the solver must be one of SGD, Adam, AdamW, LBFGS"),
        ({"kind": "AdamW"}, "settings of AdamW must be beta_1"),
        ({"kind": "SGD"}, "settings of SGD must be learning_rate_init, momentum, nesterov"),
        ({"settings": []}, "settings of Adam must be beta_1"),
        ({"settings": {"beta_1": 0.5}}, "settings of Adam must be beta_1"),
        ({"kind": "LBFGS", "settings": {"max_fun": 0}}, "solver: max_fun must lie in"),
        ({"kind": "LBFGS", "settings": {"max_fun": "5"}}, "solver: max_fun must be an integer"),
        ({"n_vectors": 1}, "unknown tensor ['solver.state.1']"),
        ({"n_vectors": 21}, "n_vectors of the solver must be an integer from 0 to 20, got 21"),
        ({"n_vectors": 10**9}, "n_vectors of the solver must be an integer from 0 to 20"),
        ({"n_vectors": -1}, "n_vectors of the solver must be an integer from 0 to 20"),
        ({"n_vectors": True}, "n_vectors of the solver must be an integer from 0 to 20"),
        ({"steps": -1}, "solver: steps must lie in"),
        ({"steps": 1.0}, "solver: steps must be an integer"),
        ({"steps": 2**64}, "solver: steps must lie in"),
        ({"learning_rate": -0.1}, "solver: learning_rate must lie in"),
        ({"learning_rate": {"float": "inf"}}, "solver: learning_rate must lie in"),
        ({"learning_rate": "0.1"}, "solver: learning_rate must be a number"),
        (
            {"no_improvement": -1},
            "of the solver must be a non-negative integer, got -1",
        ),
        (
            {"no_improvement": 0.5},
            "of the solver must be a non-negative integer, got 0.5",
        ),
        ({"best_loss": None}, "best_loss of the solver must be a float, got None"),
        ({"best_validation_score": "1"}, "best_validation_score of the solver must be a float"),
        ({"dropout_seed": 5}, "must be a string of decimal digits, got 5"),
        ({"dropout_seed": "-5"}, "must be a string of decimal digits, got '-5'"),
        ({"dropout_seed": "٥"}, "must be a string of decimal digits, got '٥'"),
        ({"dropout_seed": str(2**63)}, "solver: dropout_seed must lie in"),
        (
            {"random": None},
            "random of the solver must be an object with state, inc, has_uint32",
        ),
        ({"random": {}}, "random of the solver must be an object with state, inc"),
        (random(state="9" * 40), "must be a string of decimal digits, got '999"),
        (random(state="9" * 39), "solver: "),
        (random(has_uint32=2), "has_uint32 of the solver must be an integer in [0, 2)"),
        (random(has_uint32="a"), "has_uint32 of the solver must be an integer in [0, 2)"),
        (random(uinteger=-1), "uinteger of the solver must be an integer in [0, 4294967296)"),
        (random(uinteger=2**32), "uinteger of the solver must be an integer in [0, 4294967296)"),
        (random(uinteger=None), "uinteger of the solver must be an integer in [0, 4294967296)"),
        (random(more=1), "random of the solver must be an object with state, inc"),
        (random(inc=None), "must be a string of decimal digits, got None"),
        ({"more": 1}, "solver must be an object with best_loss"),
    ],
)
def test_states_that_are_wrong(path, changes, message):
    description = json.loads(metadata_of(path)["solver"]) | changes
    alter(path, metadata={"solver": json.dumps(description)})
    assert message in refusal(path)


def trainer(solver=None):
    return Trainer(Network((4, 3, 2), seed=0), solver or Adam(), dropout=0.5, seed=0)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"vectors": []}, "vectors must have shapes"),
        ({"vectors": [np.zeros(23), np.zeros(22)]}, "vectors must have shapes"),
        ({"vectors": [np.full(23, np.nan)] * 2}, "vectors must be finite"),
        ({"solver": SGD()}, r"vectors must have shapes \[\(23,\)\] for SGD"),
        (
            {"solver": LBFGS(), "vectors": [np.zeros(23)]},
            r"vectors must have shapes \[\] for LBFGS",
        ),
        ({"solver": LBFGS(), "vectors": [np.zeros(23)] * 22}, r"vectors must have shapes \[\] for"),
        ({"steps": 0.5}, "steps must be an integer"),
        ({"learning_rate": np.nan}, "learning_rate must lie in"),
        ({"dropout_seed": -1}, "dropout_seed must lie in"),
        ({"random": {"bit_generator": "MT19937"}}, "state must be for a PCG64 RNG"),
        ({"random": {"bit_generator": "PCG64"}}, "random must be the state of a PCG64"),
        ({"random": None}, "state must be a dict"),
    ],
)
def test_a_trainer_that_refuses_a_state_is_as_before(changes, words):
    one = trainer()
    one.run_epoch(X, CODES % 2)
    before = one.state_dict()
    with pytest.raises((TypeError, ValueError), match=words):
        one.load_state_dict(trainer().state_dict() | changes)
    after = one.state_dict()
    for x, y in zip(before.pop("vectors"), after.pop("vectors"), strict=True):
        np.testing.assert_array_equal(x, y)
    assert before == after


@settings(max_examples=20)
@given(st.integers(0, 3), st.sampled_from([Adam(0.01), SGD(0.01), SGD(0.01, 0.0)]))
def test_a_trainer_goes_on_from_a_state(epochs, solver):
    one, other = trainer(solver), trainer(Adam(0.5))
    for _ in range(epochs):
        one.run_epoch(X, CODES % 2)
    state = one.state_dict()
    other.network.parameters[...] = one.network.parameters
    other.load_state_dict(state)
    for _ in range(2):
        assert one.run_epoch(X, CODES % 2) == other.run_epoch(X, CODES % 2)
    np.testing.assert_array_equal(one.network.parameters, other.network.parameters)
    for x in state["vectors"]:
        x[...] = np.nan  # a copy
    one.run_epoch(X, CODES % 2)
