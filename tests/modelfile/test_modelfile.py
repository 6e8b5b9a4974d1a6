"""The model file: what is saved comes back."""

import copy

import numpy as np
import pandas as pd
import pytest
from modelfiles import (
    CODES,
    FRAME,
    KINDS,
    OTHERS,
    TABULAR,
    X,
    assert_same,
    assert_same_estimator,
    assert_same_network,
    assert_same_predictor,
    fitted,
    fitted_other,
    model_of,
    round_trip,
)
from processes import run_python

import dnncore
from dnncore import DNNClassifier, Network
from dnncore.predictor import Predictor

ACTIVATIONS = ["identity", "logistic", "tanh", "relu", "selu", "silu", "gelu", "mish"]
OUTPUTS = ["softmax", "logistic", "identity"]

CLASSES = {
    "int64": np.array([-5, 0, 7]),
    "uint8": np.array([0, 200, 255], np.uint8),
    "big": np.array([0, 1, 2**64 - 1], np.uint64),
    "wide strings": np.array(["a", "b\n", "ü,\"'"], "U9"),
    "object strings": np.array(["", "cat", "\U0001f600"], object),
    "float32": np.array([-0.5, 0.1, 1e30], np.float32),
    "bool": np.array([False, True]),
}

# ------------------------------------------------------------------------------ round trips


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("norm", ["none", "given", "learnt"])
@pytest.mark.parametrize("sizes", [(4, 3), (4, 6, 5, 2)])
def test_network_comes_back(tmp_path, dtype, norm, sizes):
    network = Network(sizes, dtype=dtype, seed=1)
    if norm == "given":
        network.set_norm(np.arange(4.0), np.full(4, 0.1))
    elif norm == "learnt":
        network.update_norm(X.astype(dtype))
    loaded = round_trip(network, tmp_path / "model.safetensors")
    assert type(loaded) is Network
    assert_same_network(network, loaded)
    np.testing.assert_array_equal(
        network.predict_proba(X.astype(dtype)), loaded.predict_proba(X.astype(dtype))
    )


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("output", OUTPUTS)
def test_network_keeps_activation_and_output(tmp_path, activation, output):
    network = Network((4, 6, 2), seed=1, activation=activation, output=output)
    loaded = round_trip(network, tmp_path / "model.safetensors")
    assert_same_network(network, loaded)
    np.testing.assert_array_equal(network.predict_proba(X), loaded.predict_proba(X))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("labels", CLASSES.values(), ids=CLASSES)
def test_classifier_comes_back(tmp_path, dtype, labels):
    if labels.dtype.kind == "f":  # scikit-learn takes only whole floats for classes
        labels = np.array([-1, 0, 3], labels.dtype)
    model = fitted(labels, dtype)
    assert_same_estimator(model, round_trip(model, tmp_path / "model.safetensors"), dtype)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", OTHERS)
def test_other_estimators_come_back(tmp_path, dtype, name):
    model = fitted_other(name, dtype, activation="tanh")
    path = tmp_path / "model.safetensors"
    loaded = round_trip(model, path)
    assert_same_estimator(model, loaded, dtype)
    for predictor in (loaded.freeze(), Predictor.load(path)):
        x = X.astype(dtype)
        np.testing.assert_array_equal(predictor(x), model.freeze()(x))
        np.testing.assert_array_equal(predictor.predict(x), model.freeze().predict(x))


def test_regressor_without_norm_of_the_target(tmp_path):
    model = fitted_other("rows of numbers", norm_target=False, loss="huber", huber_delta=0.5)
    loaded = round_trip(model, tmp_path / "model.safetensors")
    assert_same_estimator(model, loaded, np.float64)
    assert loaded.target_scale_.tolist() == [1.0, 1.0]


@pytest.mark.parametrize("values", CLASSES.values(), ids=CLASSES)
def test_classes_keep_dtype_and_values(tmp_path, values):
    model = fitted(np.arange(len(values)))
    model.classes_ = values
    loaded = round_trip(model, tmp_path / "model.safetensors")
    assert loaded.classes_.dtype == values.dtype
    assert loaded.classes_.tolist() == values.tolist()


def test_methods_and_package_function_use_the_file(tmp_path):
    path = tmp_path / "model.safetensors"
    model = fitted()
    model.save(path)
    np.testing.assert_array_equal(dnncore.load(path).predict(X), model.predict(X))
    model.network_.save(str(path))
    assert type(dnncore.load(str(path))) is Network


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_comes_back(tmp_path, kind):
    path = tmp_path / "model.safetensors"
    model = model_of(kind)
    model.save(path)
    assert_same(model, dnncore.load(str(path)))
    predictor = Predictor.load(path)
    if kind in TABULAR:
        np.testing.assert_array_equal(predictor(FRAME), model.freeze()(FRAME))
        assert predictor.classes_.tolist() == model.freeze().classes_.tolist()
        return
    assert_same_predictor(predictor, model if kind == "predictor" else model.freeze())
    assert_same_predictor(predictor, round_trip(predictor, path))
    assert_same_predictor(predictor, Predictor.load(path))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("output", OUTPUTS)
def test_predictor_comes_back(tmp_path, dtype, activation, output):
    network = Network((4, 3, 5, 2), dtype=dtype, seed=2, activation=activation, output=output)
    network.set_norm(np.arange(4.0), np.full(4, 0.1))
    predictor = network.freeze()
    assert_same_predictor(predictor, round_trip(predictor, tmp_path / "model"))


@pytest.mark.parametrize(
    "classes",
    [["yes", "no"], ["same", "same"], [7, -7], np.array([0.5, -0.0], np.float32), [True, False]],
)
def test_predictor_keeps_labels_in_any_order(tmp_path, classes):
    predictor = Network((4, 2), seed=2).freeze(classes)
    loaded = round_trip(predictor, tmp_path / "model")
    assert_same_predictor(predictor, loaded)
    np.testing.assert_array_equal(predictor.predict(X), loaded.predict(X))


def test_parameters_of_a_predictor_cannot_be_changed(tmp_path):
    loaded = round_trip(Network((4, 2), seed=2).freeze(), tmp_path / "model")
    with pytest.raises(ValueError, match="read-only"):
        loaded.parameters[0] = 1.0


def test_metrics_come_back(tmp_path):
    model = fitted(scoring=("neg_log_loss", "accuracy"))
    loaded = round_trip(model, tmp_path / "model.safetensors")
    assert list(loaded.history_.metrics) == ["neg_log_loss", "accuracy"]
    assert loaded.history_.metrics == model.history_.metrics
    assert len(loaded.history_.metrics["accuracy"]) == 3


def test_scores_that_are_not_finite_come_back(tmp_path):
    """A scorer may give NaN, which must not make the model impossible to save."""
    scores = iter([np.nan, -np.inf, 0.5])
    model = fitted(scoring=lambda model, X, y: next(scores))
    loaded = round_trip(model, tmp_path / "model.safetensors")
    np.testing.assert_array_equal(loaded.validation_scores_, [np.nan, -np.inf, 0.5])
    assert loaded.best_validation_score_ == model.best_validation_score_ == 0.5


def test_without_norm_and_validation_rows(tmp_path):
    model = DNNClassifier((), norm=False).partial_fit(X, CODES, classes=[0, 1, 2])
    loaded = round_trip(model, tmp_path / "model.safetensors")
    assert loaded.network_.mean_ is None
    assert loaded.validation_scores_ is None
    assert loaded.hidden_layer_sizes == ()
    np.testing.assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))


def test_feature_names_come_back(tmp_path):
    frame = pd.DataFrame(X, columns=["a", "b b", "ü", "prediction"])
    model = DNNClassifier((3,)).partial_fit(frame, CODES, classes=[0, 1, 2])
    loaded = round_trip(model, tmp_path / "model.safetensors")
    assert loaded.feature_names_in_.tolist() == list(frame)
    assert loaded.feature_names_in_.dtype == object
    np.testing.assert_array_equal(loaded.predict(frame), model.predict(frame))
    with pytest.raises(ValueError, match="feature names"):
        loaded.predict(frame.rename(columns={"a": "z"}))


# Without momentum there is no solver's state, which the file does not hold unless asked to.
STATELESS = {"solver": "sgd", "momentum": 0.0, "shuffle": False, "random_state": 0}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_partial_fit_goes_on_as_if_never_saved(tmp_path, dtype):
    model = DNNClassifier((5,), **STATELESS)
    first, second = X[:30].astype(dtype), X[30:].astype(dtype)
    model.partial_fit(first, CODES[:30], classes=[0, 1, 2])
    loaded = round_trip(model, tmp_path / "model.safetensors")
    for each in (model, loaded):
        each.partial_fit(second[:20], CODES[30:50])
    assert_same_estimator(model, loaded, dtype)
    assert (loaded.n_iter_, loaded.t_) == (2, 50)
    # Classes 0 and 1 have a row more than the last.
    np.testing.assert_allclose(loaded.class_prior_, np.array([17, 17, 16]) / 50, rtol=1e-15)


@pytest.mark.parametrize("name", OTHERS)
def test_partial_fit_of_the_others_goes_on_as_if_never_saved(tmp_path, name):
    estimator, y = OTHERS[name]
    model = estimator(hidden_layer_sizes=(5,), **STATELESS).partial_fit(X[:30], y[:30])
    loaded = round_trip(model, tmp_path / "model.safetensors")
    for each in (model, loaded):
        each.partial_fit(X[30:], y[30:])
    assert_same_estimator(model, loaded, np.float64)
    assert (loaded.n_iter_, loaded.t_) == (2, 60)


def test_parameters_that_json_has_no_word_for(tmp_path):
    model = fitted(
        alpha=np.float32(0.1),
        tol=np.inf,
        n_iter_no_change=np.int64(4),
        random_state=np.random.RandomState(0),
        callback=lambda info: None,
    )
    model.hidden_layer_sizes = np.array([5])
    loaded = round_trip(model, tmp_path / "model.safetensors")
    assert loaded.alpha == float(np.float32(0.1))
    assert loaded.tol == np.inf
    assert type(loaded.n_iter_no_change) is int
    assert loaded.random_state is None
    assert loaded.callback is None
    assert loaded.hidden_layer_sizes == (5,)
    model.random_state = np.uint8(3)
    assert round_trip(model, tmp_path / "model.safetensors").random_state == 3


@pytest.mark.parametrize(
    ("labels", "weight"),
    [
        ([-5, 0, 7], {-5: 2.0, 0: 1, 7: 0.5}),
        ([-5, 0, 7], {np.int64(-5): np.float64(2.0)}),
        (["a", "b", "c"], {"a": 2.0, "c": 0.5}),
        (["a", "b", "c"], {np.str_("a"): 2.0}),
        ([False, True], {True: 3.0}),
        ([-5, 0, 7], {}),
        ([-5, 0, 7], "balanced"),
    ],
)
def test_class_weight_comes_back(tmp_path, labels, weight):
    model = fitted(np.array(labels), class_weight=weight, **STATELESS)
    loaded = round_trip(model, tmp_path / "model.safetensors")
    assert loaded.class_weight == weight
    if isinstance(weight, dict):
        assert {type(key) for key in loaded.class_weight} <= {type(label) for label in labels}
    y = np.array(labels)[CODES % len(labels)]
    for each in (model, loaded):
        each.partial_fit(X, y)
    assert_same_estimator(model, loaded, np.float64)


@pytest.mark.parametrize(
    ("scoring", "stored"),
    [
        ("accuracy", "accuracy"),
        (("accuracy", "neg_log_loss"), ("accuracy", "neg_log_loss")),
        (["f1_macro"], ("f1_macro",)),
        (lambda model, X, y: 1.0, None),
        ({"a": "accuracy"}, None),
    ],
)
def test_scoring_comes_back_if_it_is_made_of_names(tmp_path, scoring, stored):
    model = fitted(scoring=scoring)
    loaded = round_trip(model, tmp_path / "model.safetensors")
    assert loaded.scoring == stored
    assert loaded.validation_scores_ == model.validation_scores_


def test_priors_come_back(tmp_path):
    model = fitted().set_priors([0.5, 0.25, 0.25])
    loaded = round_trip(model, tmp_path / "model.safetensors")
    assert loaded.class_prior_.tolist() == [0.5, 0.25, 0.25]
    assert_same_estimator(model, loaded, np.float64)
    for each in (model, loaded):
        each.set_priors([1, 1, 2])
    assert_same_estimator(model, loaded, np.float64)


def test_a_class_that_has_not_come_yet(tmp_path):
    model = DNNClassifier((5,), **STATELESS).partial_fit(X[:2], CODES[:2], classes=[0, 1, 2])
    loaded = round_trip(model, tmp_path / "model.safetensors")
    assert loaded.class_prior_.tolist() == [0.5, 0.5, 0.0]
    for each in (model, loaded):
        each.partial_fit(X, CODES)
    assert_same_estimator(model, loaded, np.float64)


def test_networks_and_predictors_need_no_scikit_learn(tmp_path):
    for kind in KINDS:
        model_of(kind).save(tmp_path / kind)
    run_python(
        """
        import os, sys
        sys.modules["sklearn"] = sys.modules["safetensors"] = None
        import dnncore
        from dnncore.predictor import Predictor
        for kind in os.listdir():
            Predictor.load(kind)
            try:
                model = dnncore.load(kind)
            except ImportError as error:
                assert kind not in ("network", "predictor")
                assert "dnncore[sklearn]" in str(error), error
            else:
                assert kind in ("network", "predictor")
        """,
        cwd=tmp_path,
    )


def test_a_copy_is_independent_of_the_file(tmp_path):
    path = tmp_path / "model.safetensors"
    loaded = round_trip(model_of("single"), path)
    before = copy.deepcopy(loaded.network_.parameters)
    path.write_bytes(bytes(path.stat().st_size))
    np.testing.assert_array_equal(loaded.network_.parameters, before)
    loaded.network_.parameters[...] = 0.0  # its own, writable memory
