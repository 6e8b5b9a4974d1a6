"""Parameters and arguments that are refused leave the model as it was."""

import numpy as np
import pytest
from perceptrons import each_estimator
from sklearn.exceptions import NotFittedError

from dnncore import DNNClassifier, DNNRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def assert_refused(make, data, error, words, parameters, **arguments):
    """Fitted, then given what is wrong: it says so, and is the model of before."""
    X, y = data
    model = make(max_iter=2, random_state=0).fit(X, y)
    before = model.predict(X)
    parameters_before = {name: model.get_params()[name] for name in parameters}
    model.set_params(**parameters)
    with pytest.raises(error, match=words):
        model.fit(**{"X": X, "y": y} | arguments)
    assert model.n_features_in_ == 4
    model.set_params(**parameters_before)
    assert np.array_equal(model.predict(X), before)


@pytest.mark.parametrize(
    ("parameters", "error", "words"),
    [
        ({"activation": "softmax"}, ValueError, "activation must be one of"),
        ({"activation": "swish"}, ValueError, "activation must be one of"),
        ({"alpha": -1}, ValueError, "alpha must lie in"),
        ({"alpha": -np.inf}, ValueError, "alpha must lie in"),
        ({"alpha": np.inf}, ValueError, "alpha must be finite, got inf"),
        ({"alpha": np.nan}, ValueError, "alpha must lie in"),
        ({"batch_size": "all"}, TypeError, "batch_size must be an integer"),
        ({"batch_size": 0}, ValueError, "batch_size must lie in"),
        ({"beta_1": 1.0}, ValueError, "beta_1 must lie in"),
        ({"beta_2": -1.0}, ValueError, "beta_2 must lie in"),
        ({"callback": 3}, TypeError, "callback must be callable"),
        ({"dropout": -0.1}, ValueError, "dropout must lie in"),
        ({"dropout": 0.1, "solver": "lbfgs"}, ValueError, "dropout must be 0 and .* with LBFGS"),
        ({"max_grad_norm": 1.0, "solver": "lbfgs"}, ValueError, "max_grad_norm None with LBFGS"),
        ({"max_grad_norm": 0.0}, ValueError, "max_grad_norm must lie in"),
        ({"dropout": 1.0}, ValueError, "dropout must lie in"),
        ({"engine": "steam"}, ValueError, "engine must be one of"),
        ({"epsilon": 0}, ValueError, "epsilon must lie in"),
        ({"hidden_layer_sizes": "a"}, TypeError, "hidden_layer_sizes must be an int or a seq"),
        ({"hidden_layer_sizes": (0,)}, ValueError, "hidden_layer_sizes must lie in"),
        ({"hidden_layer_sizes": 2.5}, TypeError, "hidden_layer_sizes must be an int or a seq"),
        ({"learning_rate": "fast", "solver": "sgd"}, ValueError, "learning_rate must be one of"),
        ({"learning_rate_init": 0}, ValueError, "learning_rate_init must lie in"),
        ({"max_fun": 0, "solver": "lbfgs"}, ValueError, "max_fun must lie in"),
        ({"max_iter": 0}, ValueError, "max_iter must lie in"),
        ({"max_time": "1 s"}, TypeError, "max_time must be a number"),
        ({"max_time": 0}, ValueError, "max_time must lie in"),
        ({"missing_values": "mean", "norm": False}, ValueError, "must be 'error' with norm=False"),
        (
            {"missing_values": "indicator", "norm": False},
            ValueError,
            "missing_values must be 'error' with norm=False, got 'indicator'",
        ),
        ({"missing_values": "median"}, ValueError, "missing_values must be one of"),
        ({"momentum": 2, "solver": "sgd"}, ValueError, "momentum must lie in"),
        ({"n_iter_no_change": -np.inf}, TypeError, "n_iter_no_change must be an integer"),
        ({"n_iter_no_change": 0}, ValueError, "n_iter_no_change must lie in"),
        ({"n_threads": 0}, ValueError, "n_threads must lie in"),
        ({"power_t": -1, "solver": "sgd"}, ValueError, "power_t must lie in"),
        ({"random_state": "x"}, ValueError, "'x' cannot be used to seed"),
        ({"scoring": "accuracy"}, ValueError, "scoring needs a validation set"),
        ({"scoring": "nonsense"}, ValueError, "'nonsense' is not a valid scoring value"),
        ({"scoring": ["accuracy", "nonsense"]}, ValueError, "'nonsense' is not a valid scoring"),
        ({"scoring": 3}, TypeError, "scoring must be a scorer"),
        ({"scoring": {"own": 3}}, TypeError, r"scoring\['own'\] must be a scorer or the name"),
        ({"scoring": {"own": "nonsense"}}, ValueError, "'nonsense' is not a valid scoring"),
        ({"solver": "lion"}, ValueError, "solver must be one of"),
        ({"solver": None}, ValueError, "solver must be one of"),
        ({"tol": -1}, ValueError, "tol must lie in"),
        ({"weight_decay": -0.1, "solver": "adamw"}, ValueError, "weight_decay must lie in"),
        ({"weight_decay": np.inf, "solver": "adamw"}, ValueError, "weight_decay must be finite"),
        ({"weight_decay": np.nan, "solver": "adamw"}, ValueError, "weight_decay must lie in"),
        ({"validation_fraction": 1.0}, ValueError, "validation_fraction must lie in"),
    ],
)
@each_estimator
def test_bad_parameters(iris, make, parameters, error, words):
    X, y = iris
    assert_refused(make, iris, error, words, parameters, X=X[:, :2], y=y)


@pytest.mark.parametrize(
    ("make", "parameters", "words"),
    [
        (DNNClassifier, {"class_weight": "even"}, "class_weight must be one of"),
        (DNNClassifier, {"class_weight": {7: 1.0}}, r"\[0, 1, 2\], are not in class_weight"),
        (DNNClassifier, {"label_smoothing": 1.0}, "label_smoothing must lie in"),
        (DNNRegressor, {"huber_delta": 0.0}, "huber_delta must lie in"),
        (DNNRegressor, {"loss": "gamma"}, "loss must be one of"),
        (DNNRegressor, {"quantiles": (0.5, 0.1)}, "quantiles must be at least 1 number, in asc"),
        (DNNRegressor, {"quantiles": ()}, "quantiles must be at least 1 number"),
        (DNNRegressor, {"quantiles": (0.5, 1.0)}, "quantiles must lie in"),
        (DNNRegressor, {"loss": None}, "loss must be one of"),
    ],
)
def test_bad_parameters_of_one_estimator(iris, make, parameters, words):
    X, y = iris
    assert_refused(make, iris, ValueError, words, parameters, X=X[:, :2], y=y)


TWO_ROWS = {"X_val": np.zeros((2, 4)), "y_val": [0, 1]}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"X": np.full((150, 4), np.nan)}, "X contains NaN"),
        ({"X_val": np.full((2, 4), np.inf), "y_val": [0, 1]}, "X contains infinity"),
        ({"X_val": np.zeros((0, 4)), "y_val": np.zeros(0, int)}, r"0 sample\(s\)"),
        ({"X_val": np.zeros((2, 3)), "y_val": [0, 1]}, "X has 3 features, .* expecting 4"),
        ({"X_val": np.zeros((2, 4))}, "X_val and y_val must be given together"),
        ({"y_val": np.zeros(150)}, "X_val and y_val must be given together"),
        ({"X_val": np.zeros((2, 4)), "y_val": [0]}, "inconsistent numbers of samples"),
        ({"sample_weight": -np.ones(150)}, "sample_weight must be finite and non-negative"),
        ({"sample_weight": np.ones(3)}, r"sample_weight must have shape \(150,\)"),
        ({"sample_weight": np.zeros(150)}, "sample_weight must not be all zero"),
        ({"sample_weight_val": np.ones(150)}, "sample_weight_val needs X_val"),
        (TWO_ROWS | {"sample_weight_val": np.ones(3)}, r"weight.* must have shape \(2,\)"),
        ({"y": None}, "requires y to be passed"),
        ({"y": np.full(150, np.nan)}, "y contains NaN"),
        ({"y": np.full(150, np.inf)}, "y contains infinity"),
        ({"y": np.zeros((150, 2, 2))}, "dim 3"),
        ({"y": np.zeros(7)}, "inconsistent numbers of samples"),
    ],
)
@each_estimator
def test_bad_arguments(iris, make, arguments, words):
    assert_refused(make, iris, ValueError, words, {}, **arguments)


@pytest.mark.parametrize(
    ("make", "arguments", "words"),
    [
        (DNNClassifier, TWO_ROWS | {"y_val": [0, 9]}, r"y_val has classes \[9\]"),
        (DNNClassifier, TWO_ROWS | {"y_val": np.eye(3)[:2]}, "y should be a 1d array"),
        (DNNClassifier, {"y": np.full((150, 2), 3)}, r"y .* 0 and 1, got \[3\]"),
        (DNNClassifier, {"y": np.full((150, 3), 0.5)}, "probabilities that sum to 1"),
        (DNNClassifier, {"y": np.full(150, 0.5)}, "Unknown label type: continuous"),
        (DNNClassifier, {"y": np.linspace(0, 1, 150)}, "Unknown label type: continuous"),
        (DNNClassifier, {"y": np.tile([-1, 1], (150, 1))}, r"y .* 0 and 1, got \[-1  1\]"),
        (DNNClassifier, {"y": np.tile([0, 1, 2], (150, 1))}, "y should be a 1d array"),
        (DNNClassifier, {"y": np.tile([1, 2], (150, 1))}, r"y .* 0 and 1, got \[1 2\]"),
        (DNNClassifier, {"y": np.tile([1.5, -0.5], (150, 1))}, "probabilities that sum to 1"),
        (DNNRegressor, TWO_ROWS | {"y_val": np.eye(3)[:2]}, "y_val must have 1 outputs"),
        (DNNRegressor, {"y": np.full(150, "a")}, "could not convert string to float"),
    ],
)
def test_bad_targets_of_one_estimator(iris, make, arguments, words):
    assert_refused(make, iris, ValueError, words, {}, **arguments)


@each_estimator
def test_a_refused_first_fit_leaves_the_model_unfitted(iris, make):
    X, y = iris
    model = make(max_iter=2)
    with pytest.raises(ValueError, match="y contains NaN"):
        model.fit(X, np.where(y == 0, np.nan, y))
    with pytest.raises(NotFittedError):
        model.predict(X)


@each_estimator
def test_not_fitted(iris, make):
    model = make()
    methods = {"predict", "predict_proba", "decision_function"} & set(dir(model))
    assert "predict" in methods
    for method in methods:
        with pytest.raises(NotFittedError):
            getattr(model, method)(iris[0])
    assert not hasattr(model, "coefs_")
