"""Model files that say what cannot be are refused, with a message."""

import json

import numpy as np
import pytest
from modelfiles import alter, refusal

from dnncore.modelfile import ModelFileError, load
from dnncore.predictor import Predictor


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        ({"format": "pt"}, "not a dnncore model file"),
        ({"format": None}, "not a dnncore model file"),
        ({"format_version": "3"}, "format version must be '1' or '2', got '3'"),
        ({"format_version": None}, "format version must be '1' or '2', got None"),
        ({"kind": "MLPClassifier"}, "kind must be"),
        ({"kind": "Network"}, "unknown metadata"),
        ({"kind": "DNNRegressor"}, "unknown metadata ['classes']"),
        (
            {"activation": "sigmoid"},
            "activation must be one of identity, logistic, tanh, relu, selu,",
        ),
        ({"activation": ""}, "activation must be one of"),
        ({"activation": None}, "missing metadata ['activation']"),
        ({"output": "linear"}, "output must be one of softmax, logistic, identity, exp"),
        ({"output": None}, "missing metadata ['output']"),
        ({"output": "logistic"}, "unknown tensor ['class_prior']"),
        ({"output": "identity"}, "unknown tensor ['class_prior']"),
        ({"label_kind": None}, "missing metadata ['label_kind']"),
        ({"label_kind": "many"}, "label_kind must match output 'softmax', got 'many'"),
        ({"label_kind": "multilabel"}, "label_kind must match output 'softmax', got 'multilabel'"),
        ({"target_ndim": "1"}, "unknown metadata ['target_ndim']"),
        ({"extra": "1"}, "unknown metadata ['extra']"),
        ({"dnncore_version": None}, "missing metadata ['dnncore_version']"),
        ({"t": None}, "missing metadata ['t']"),
        ({"dtype": "float16"}, "dtype must be one of float32, float64, got 'float16'"),
        ({"dtype": "float32"}, "must have dtype F32, got F64"),
        ({"layer_sizes": "4, 5, 3"}, "must be valid JSON"),
        ({"layer_sizes": "[" * 100_000}, "must be valid JSON"),
        ({"layer_sizes": "[4, " + "9" * 5000 + "]"}, "must be valid JSON"),
        ({"layer_sizes": "[4]"}, "at least 2 positive integers"),
        ({"layer_sizes": "[4, true, 3]"}, "at least 2 positive integers"),
        ({"layer_sizes": "[4, 5.0, 3]"}, "at least 2 positive integers"),
        ({"layer_sizes": "[4, 0, 3]"}, "at least 2 positive integers"),
        ({"layer_sizes": "[4, 5, 4]"}, "layers.1.weight must have shape (5, 4), got (5, 3)"),
        ({"layer_sizes": "[4, 3]"}, "unknown tensor ['layers.1.bias']"),
        ({"layer_sizes": "[4, 5, 3, 3]"}, "missing tensor ['layers.2.bias']"),
        ({"layer_sizes": "[1000000000000, 1000000000000]"}, "unknown tensor"),
        ({"n_iter": "-1"}, "n_iter must be a non-negative integer"),
        ({"t": "1e3"}, "t must be a non-negative integer"),
        ({"t": str(2**64)}, "t must be a non-negative integer"),
        ({"feature_names": '["a", "b", "c"]'}, "feature_names must be null or 4 strings"),
        ({"feature_names": '["a", "b", "c", 4]'}, "feature_names must be null or 4 strings"),
        ({"feature_names": '"abcd"'}, "feature_names must be null or 4 strings"),
        ({"params": "[]"}, "params must be a JSON object"),
        ({"params": '{"C": 1}'}, "unknown parameter ['C']"),
        ({"params": '{"callback": "os.system"}'}, "callback must be null"),
        ({"params": '{"alpha": -1}'}, "params: alpha"),
        ({"params": '{"alpha": NaN}'}, "the metadata params must be valid JSON: NaN is not JSON"),
        ({"params": '{"alpha": Infinity}'}, "params must be valid JSON: Infinity is not JSON"),
        ({"params": '{"alpha": 1e999}'}, "must be representable as a float, got 1e999"),
        (
            {"params": '{"alpha": 1, "alpha": 1}'},
            "must be unique, got 'alpha' twice",
        ),
        ({"params": '{"alpha": {"float": "-inf"}}'}, "params: alpha must lie in"),
        ({"params": '{"alpha": {"float": "nan"}}'}, "params: alpha must be a number"),
        ({"params": '{"alpha": {"float": 1}}'}, "params: alpha must be a number"),
        ({"metrics": "{}"}, "metrics must be unique strings"),
        ({"metrics": "[1]"}, "metrics must be unique strings"),
        ({"metrics": '["a", "a"]'}, "metrics must be unique strings"),
        ({"metrics": '["a"]'}, "missing tensor ['history.metrics.0']"),
        ({"checksum": None}, "missing metadata ['checksum']"),
        ({"checksum": ""}, "checksum does not match"),
        ({"checksum": "0" * 64}, "checksum does not match"),
        ({"solver": "{}"}, "solver must be an object with best_loss"),
        ({"table": "[]"}, "the table must give 4 features"),
        ({"table": "{}"}, "table must be a list"),
        ({"params": '{"alpha": 1' + 400 * "0" + "}"}, "params: alpha"),
        ({"params": '{"hidden_layer_sizes": "abc"}'}, "params: hidden_layer_sizes"),
        ({"params": '{"hidden_layer_sizes": {"a": [1]}}'}, "params: hidden_layer_sizes"),
        ({"params": '{"random_state": "a"}'}, "params: "),
        ({"params": '{"solver": ["adam"]}'}, "params: solver"),
        ({"params": '{"activation": "sigmoid"}'}, "params: activation"),
        ({"params": '{"dropout": 1}'}, "params: dropout"),
        ({"params": '{"label_smoothing": -0.1}'}, "params: label_smoothing"),
        ({"params": '{"max_time": 0}'}, "params: max_time"),
        ({"params": '{"loss": "huber"}'}, "unknown parameter ['loss']"),
        ({"params": '{"scoring": "beauty"}'}, "params: "),
        ({"params": '{"scoring": ["accuracy", "beauty"]}'}, "params: "),
        ({"params": '{"scoring": 1}'}, "params: "),
        ({"params": '{"scoring": [[]]}'}, "params: "),
        ({"params": '{"class_weight": "heavy"}'}, "params: class_weight"),
        ({"params": '{"class_weight": 1}'}, "params: class_weight"),
        ({"params": '{"class_weight": ["a", 1]}'}, "class_weight must be pairs"),
        ({"params": '{"class_weight": [["a"]]}'}, "class_weight must be pairs"),
        ({"params": '{"class_weight": [["a", 1, 2]]}'}, "class_weight must be pairs"),
        ({"params": '{"class_weight": [[["a"], 1]]}'}, "class_weight must be pairs"),
        ({"params": '{"class_weight": [[null, 1]]}'}, "class_weight must be pairs"),
    ],
)
def test_metadata_that_is_wrong(path, metadata, message):
    alter(path, metadata=metadata)
    assert message in refusal(path)


@pytest.mark.parametrize(
    ("kind", "metadata", "message"),
    [
        ("network", {"activation": "Tanh"}, "activation must be one of"),
        ("network", {"output": None}, "missing metadata ['output']"),
        ("network", {"label_kind": "multilabel"}, "unknown metadata ['label_kind']"),
        ("network", {"params": "{}"}, "unknown metadata ['params']"),
        ("multilabel", {"label_kind": "single"}, "must match output 'logistic', got 'single'"),
        ("multilabel", {"label_kind": "soft"}, "must match output 'logistic', got 'soft'"),
        ("multilabel", {"output": "softmax"}, "missing tensor ['class_prior']"),
        ("multilabel", {"output": "identity"}, "must match output 'identity'"),
        ("soft", {"label_kind": "multilabel"}, "must match output 'softmax'"),
        ("predictor", {"label_kind": "single"}, "unknown metadata ['label_kind']"),
        ("predictor", {"classes": None}, "missing metadata ['classes']"),
        ("predictor", {"kind": "Network"}, "unknown metadata ['classes']"),
        ("numbers", {"kind": "DNNClassifier"}, "unknown metadata ['target_ndim']"),
        ("numbers", {"label_kind": "single"}, "unknown metadata ['label_kind']"),
        ("numbers", {"classes": "null"}, "unknown metadata ['classes']"),
        ("numbers", {"output": "softmax"}, "output of a DNNRegressor must be one of"),
        ("numbers", {"output": "logistic"}, "output of a DNNRegressor must be one of"),
        ("numbers", {"target_ndim": None}, "missing metadata ['target_ndim']"),
        ("numbers", {"target_ndim": "0"}, "target_ndim must match"),
        ("numbers", {"target_ndim": "3"}, "target_ndim must match"),
        ("numbers", {"target_ndim": "1.0"}, "target_ndim must match"),
        ("numbers", {"target_ndim": "true"}, "target_ndim must match"),
        ("numbers", {"target_ndim": "null"}, "target_ndim must match"),
        ("numbers", {"target_ndim": "[1]"}, "target_ndim must match"),
        ("numbers", {"target_ndim": '"1"'}, "target_ndim must match"),
        ("numbers", {"target_ndim": "one"}, "must be valid JSON"),
        (
            "rows of numbers",
            {"target_ndim": "1"},
            "must match the number of outputs, 2",
        ),
        ("numbers", {"params": '{"loss": "gamma"}'}, "params: loss"),
        ("numbers", {"params": '{"quantiles": [0.5, 0.1]}'}, "params: quantiles"),
        ("numbers", {"params": '{"loss": ["huber"]}'}, "params: loss"),
        ("numbers", {"params": '{"huber_delta": 0}'}, "params: huber_delta"),
        ("numbers", {"params": '{"class_weight": null}'}, "unknown parameter ['class_weight']"),
    ],
)
def test_metadata_of_a_kind_that_is_wrong(write, kind, metadata, message):
    path = write(kind)
    alter(path, metadata=metadata)
    assert message in refusal(path)


@pytest.mark.parametrize(
    ("kind", "dtype", "values", "message"),
    [
        ("str", "U1", ["a", "b"], "must be 3 values of kind str"),
        ("str", "U1", ["a", "b", 3], "must be 3 values of kind str"),
        ("str", "U1", "abc", "must be 3 values of kind str"),
        ("str", "U1", ["a", "c", "b"], "unique and sorted"),
        ("str", "U1", ["a", "b", "b"], "unique and sorted"),
        ("str", "U2", ["a", "a\0", "b"], "unique and sorted"),  # NumPy strips the zero
        ("str", "U1", ["a", "b", "cc"], "cannot have dtype 'U1'"),
        ("str", "U900000000", ["a", "b", "c"], "cannot have dtype 'U900000000'"),
        ("str", "U" + "9" * 5000, ["a", "b", "c"], "cannot have dtype 'U999"),
        ("str", "U١", ["a", "b", "c"], "cannot have dtype"),
        ("str", "S1", ["a", "b", "c"], "cannot have dtype 'S1'"),
        ("str", "U1,i8", ["a", "b", "c"], "cannot have dtype 'U1,i8'"),
        ("str", None, ["a", "b", "c"], "cannot have dtype None"),
        ("int", "int64", [1, 2, True], "must be 3 values of kind int"),
        ("int", "int64", [1.0, 2.0, 3.0], "must be 3 values of kind int"),
        ("int", "float64", [1, 2, 3], "cannot have dtype 'float64'"),
        ("int", "object", [1, 2, 3], "cannot have dtype 'object'"),
        ("int", "int8", [1, 2, 128], "must fit into int8"),
        ("int", "uint8", [-1, 2, 3], "must fit into uint8"),
        ("int", "int64", [1, 3, 2], "unique and sorted"),
        ("float", "float64", [1.0, 2.0, float("nan")], "NaN is not JSON"),
        ("float", "float64", [1.0, 2.0, {"float": "inf"}], "must be finite"),
        ("float", "float16", [1.0, 2.0, 1e6], "must be finite"),
        ("float", "float16", [1.0, 2.0, 2.0001], "unique and sorted"),
        ("bool", "bool", [False, True, True], "unique and sorted"),
        ("bytes", "S1", ["a", "b", "c"], "must be one of bool, int, float, str, got 'bytes'"),
        (["int"], "int64", [1, 2, 3], "must be one of bool, int, float, str"),
    ],
)
def test_classes_that_are_wrong(path, kind, dtype, values, message):
    classes = {"kind": kind, "dtype": dtype, "values": values}
    alter(path, metadata={"classes": json.dumps(classes)})
    assert message in refusal(path)


@pytest.mark.parametrize("classes", ["null", "[]", "{}", '{"kind": "int", "values": [1, 2, 3]}'])
def test_classes_of_another_form(path, classes):
    alter(path, metadata={"classes": classes})
    assert "classes must be an object with kind, dtype and values" in refusal(path)


@pytest.mark.parametrize(
    ("tensors", "message"),
    [
        ({"extra": np.zeros(1)}, "unknown tensor ['extra']"),
        ({"layers.2.bias": np.zeros(3)}, "unknown tensor ['layers.2.bias']"),
        ({"layers.0.bias": None}, "missing tensor ['layers.0.bias']"),
        ({"norm.mean": None}, "missing tensor ['norm.mean']"),
        ({"norm.scale": None}, "missing tensor ['norm.scale']"),
        ({"norm.mean": None, "norm.scale": None}, "missing tensor ['norm.mean']"),
        ({"norm.moments.count": None}, "missing tensor ['norm.moments.count']"),
        ({"history.loss": None}, "missing tensor ['history.loss']"),
        ({"history.loss": np.zeros((3, 1))}, "history.loss must have 1 dimension, got (3, 1)"),
        (
            {"history.loss": np.array(1.0)},
            "'history.loss' must have a shape of 1 or 2 sizes, got []",
        ),
        ({"history.loss": np.zeros((1, 1, 1))}, "must have a shape of 1 or 2 sizes"),
        ({"history.loss": np.zeros(3, np.float32)}, "must have dtype F64, got F32"),
        ({"history.validation_score": np.zeros((1, 1))}, "must have 1 dimension, got (1, 1)"),
        ({"layers.0.weight": np.zeros((5, 4))}, "must have shape (4, 5), got (5, 4)"),
        ({"layers.0.weight": np.zeros((4, 5), np.int64)}, "must have dtype F32 or F64, got 'I64'"),
        (
            {"layers.0.weight": np.zeros((4, 5), np.float16)},
            "must have dtype F32 or F64, got 'F16'",
        ),
        ({"layers.1.bias": np.array([0.0, np.nan, 0.0])}, "layers.1.bias must be finite"),
        ({"history.loss": np.array([1.0, np.inf])}, "history.loss must be finite"),
        ({"norm.mean": np.full(4, -np.inf)}, "norm.mean must be finite"),
        ({"norm.scale": np.array([1.0, 1.0, 0.0, 1.0])}, "norm.scale must be positive"),
        ({"norm.scale": np.array([1.0, 1.0, -1.0, 1.0])}, "norm.scale must be positive"),
        ({"norm.moments.count": np.zeros(1)}, "norm.moments.count must be positive"),
        ({"norm.moments.variance": np.full(4, -1.0)}, "must be non-negative"),
        ({"class_prior": None}, "missing tensor ['class_prior']"),
        ({"class_total": None}, "missing tensor ['class_total']"),
        ({"class_prior": np.full(2, 0.5)}, "class_prior must have shape (3,), got (2,)"),
        ({"class_total": np.ones((3, 1))}, "class_total must have shape (3,), got (3, 1)"),
        ({"class_prior": np.ones(3, np.float32)}, "class_prior must have dtype F64, got F32"),
        ({"class_prior": np.array([0.5, 0.75, -0.25])}, "class_prior must be non-negative"),
        ({"class_prior": np.array([0.5, 0.5, np.nan])}, "class_prior must be finite"),
        ({"class_total": np.array([1.0, -1.0, 1.0])}, "class_total must be non-negative"),
        ({"class_total": np.array([1.0, np.inf, 1.0])}, "class_total must be finite"),
        ({"class_total": np.zeros(3)}, "class_total must not be all zero"),
        ({"target.mean": np.zeros(3)}, "unknown tensor ['target.mean']"),
    ],
)
def test_tensors_that_are_wrong(path, tensors, message):
    alter(path, tensors=tensors)
    assert message in refusal(path)


@pytest.mark.parametrize(
    ("kind", "tensors", "message"),
    [
        ("network", {"class_prior": np.full(2, 0.5)}, "unknown tensor ['class_prior']"),
        ("network", {"target.mean": np.zeros(2)}, "unknown tensor ['target.mean']"),
        ("network", {"history.loss": np.zeros(2)}, "unknown tensor ['history.loss']"),
        ("predictor", {"norm.mean": np.zeros(4)}, "missing tensor ['norm.scale']"),
        ("predictor", {"norm.moments.mean": np.zeros(4)}, "unknown tensor ['norm.moments.mean']"),
        ("predictor", {"solver.state.0": np.zeros(37)}, "unknown tensor ['solver.state.0']"),
        ("predictor", {"layers.1.bias": np.array([0.0, np.nan])}, "must be finite"),
        ("single", {"solver.state.0": np.zeros(43)}, "unknown tensor ['solver.state.0']"),
        ("with state", {"solver.state.1": None}, "missing tensor ['solver.state.1']"),
        ("with state", {"solver.state.2": np.zeros(43)}, "unknown tensor ['solver.state.2']"),
        ("with state", {"solver.state.1": np.zeros(42)}, "must have shape (43,), got (42,)"),
        ("with state", {"solver.state.0": np.full(43, np.inf)}, "must be finite"),
        ("with state", {"solver.state.0": np.zeros(43, np.float32)}, "dtype F64, got F32"),
        ("with state", {"history.metrics.1": None}, "missing tensor ['history.metrics.1']"),
        ("multilabel", {"class_prior": np.full(3, 0.5)}, "unknown tensor ['class_prior']"),
        ("soft", {"class_total": None}, "missing tensor ['class_total']"),
        ("numbers", {"class_total": np.ones(1)}, "unknown tensor ['class_total']"),
        ("numbers", {"target.mean": None}, "missing tensor ['target.mean']"),
        ("numbers", {"target.scale": None}, "missing tensor ['target.scale']"),
        ("numbers", {"target.scale": np.zeros(1)}, "target.scale must be positive"),
        ("rows of numbers", {"target.scale": np.array([1.0, -1.0])}, "scale must be positive"),
        ("rows of numbers", {"target.scale": np.array([1.0, np.inf])}, "scale must be finite"),
        ("rows of numbers", {"target.mean": np.array([np.nan, 0.0])}, "mean must be finite"),
        ("rows of numbers", {"target.mean": np.zeros(1)}, "must have shape (2,), got (1,)"),
        ("rows of numbers", {"target.mean": np.zeros((1, 2))}, "shape (2,), got (1, 2)"),
        ("rows of numbers", {"target.scale": np.ones(2, np.float32)}, "dtype F64, got F32"),
    ],
)
def test_tensors_of_a_kind_that_are_wrong(write, kind, tensors, message):
    path = write(kind)
    alter(path, tensors=tensors)
    assert message in refusal(path)
    with pytest.raises(ModelFileError):
        Predictor.load(path)


ENCODER = {"named": True, "columns": []}
NUMBER = {"name": "a", "kind": "number", "median": 0.0, "scale": 1.0, "missing": False}


@pytest.mark.parametrize(
    ("kind", "metadata", "message"),
    [
        ("tabular classifier", {"encoder": None}, "missing metadata ['encoder']"),
        ("tabular classifier", {"encoder": "{}"}, "encoder: an encoding must have the keys"),
        ("tabular classifier", {"encoder": json.dumps(ENCODER)}, "encoder: an encoding must have"),
        (
            "tabular classifier",
            {"encoder": json.dumps(ENCODER | {"columns": [NUMBER]})},
            "encoder must give 5 features, like the networks, got 1",
        ),
        ("tabular classifier", {"members": "[]"}, "members must be objects, one for each"),
        ("tabular classifier", {"members": '[{"n_iter": 1}]'}, "members must be objects"),
        ("tabular classifier", {"members": '[{"n_iter": 1, "t": -1}]'}, "members must be objects"),
        ("tabular classifier", {"members": '[{"n_iter": 1, "t": 9}]'}, "unknown tensor"),
        (
            "tabular classifier",
            {"members": json.dumps([{"n_iter": 1, "t": 9}] * 3)},
            "missing tensor ['members.2.",
        ),
        ("tabular classifier", {"output": "logistic"}, "output of a TabularClassifier must be"),
        ("tabular classifier", {"feature_names": "null"}, "unknown metadata ['feature_names']"),
        ("tabular classifier", {"missing": "[]"}, "unknown metadata ['missing']"),
        ("tabular classifier", {"params": '{"max_iter": 0}'}, "params: max_iter must lie"),
        ("tabular classifier", {"params": '{"alpha": 0}'}, "unknown parameter ['alpha']"),
        (
            "tabular classifier",
            {"table": '[{"name": "a", "kind": "number"}]'},
            "the table must give 0 features",
        ),
        ("tabular regressor", {"target_ndim": "2"}, "target_ndim must match the number of"),
        ("tabular regressor", {"output": "softmax"}, "output of a TabularRegressor must be"),
        ("single", {"encoder": json.dumps(ENCODER)}, "unknown metadata ['encoder']"),
        ("single", {"members": "[]"}, "unknown metadata ['members']"),
    ],
)
def test_metadata_of_ensembles(write, kind, metadata, message):
    path = write(kind)
    alter(path, metadata=metadata)
    assert message in refusal(path)
    if "params" not in metadata:
        with pytest.raises(ModelFileError):
            Predictor.load(path)


@pytest.mark.parametrize(
    ("kind", "tensors", "message"),
    [
        ("tabular classifier", {"temperature": None}, "missing tensor ['temperature']"),
        ("tabular classifier", {"temperature": np.zeros(1)}, "temperature must be positive"),
        ("tabular classifier", {"temperature": np.ones(2)}, "temperature must have shape (1,)"),
        ("tabular classifier", {"class_prior": np.full(3, 0.5)}, "class_prior must sum to 1"),
        ("tabular classifier", {"members.0.layers.0.bias": None}, "missing tensor ['members.0"),
        ("tabular classifier", {"members.1.history.loss": None}, "missing tensor ['members.1"),
        ("tabular classifier", {"members.2.layers.0.bias": np.zeros(3)}, "unknown tensor"),
        ("tabular classifier", {"members.01.layers.0.bias": np.zeros(3)}, "unknown tensor"),
        ("tabular classifier", {"layers.0.bias": np.zeros(3)}, "unknown tensor ['layers.0.bias']"),
        ("tabular classifier", {"members": np.zeros(3)}, "unknown tensor ['members']"),
        ("tabular classifier", {"feature_importances": np.zeros(3)}, "must have shape (2,)"),
        ("tabular regressor", {"target.low": np.full(1, np.inf)}, "target.low must be finite"),
        ("tabular regressor", {"target.low": np.full(1, 1e9)}, "target.low must not be higher"),
    ],
)
def test_tensors_of_ensembles(write, kind, tensors, message):
    path = write(kind)
    alter(path, tensors=tensors)
    assert message in refusal(path)
    with pytest.raises(ModelFileError):
        Predictor.load(path)


def test_history_of_any_length(path):
    alter(path, tensors={"history.loss": np.zeros(0), "history.validation_score": None})
    assert load(path).loss_curve_ == []
