"""Small estimators that learn the flowers and the diabetes in a moment."""

from dnncore import DNNClassifier, DNNRegressor

NAMES = ["sepal length", "sepal width", "petal length", "petal width"]


def classifier(**parameters):
    options = {"hidden_layer_sizes": (8,), "max_iter": 40, "learning_rate_init": 0.05}
    return DNNClassifier(**{**options, "random_state": 0, **parameters})


def regressor(**parameters):
    options = {"hidden_layer_sizes": (8,), "max_iter": 40, "learning_rate_init": 0.02}
    return DNNRegressor(**{**options, "random_state": 0, **parameters})
