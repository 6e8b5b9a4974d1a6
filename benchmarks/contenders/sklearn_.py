"""scikit-learn: MLPClassifier.partial_fit, which trains for one epoch; predict_proba."""

from collections.abc import Callable
from typing import Any

import numpy as np
from _problems import BETA_1, BETA_2, EPSILON, MOMENTUM, Problem, Scoring, Training
from numpy.typing import NDArray
from sklearn.neural_network import MLPClassifier


def train(problem: Training) -> Callable[[], float]:
    X, y = problem.data()
    model = _model(
        problem,
        solver="sgd" if problem.solver == "momentum" else "adam",
        alpha=0.0,
        batch_size=problem.batch_size,
        learning_rate_init=problem.learning_rate,
        momentum=MOMENTUM,
        nesterovs_momentum=False,
        beta_1=BETA_1,
        beta_2=BETA_2,
        epsilon=EPSILON,
        shuffle=False,
    )

    def epoch() -> float:
        model.partial_fit(X, y)
        return float(model.loss_)

    return epoch


def score(problem: Scoring) -> Callable[[NDArray], NDArray]:
    return _model(problem).predict_proba


def _model(problem: Problem, **settings: Any) -> MLPClassifier:
    model = MLPClassifier(problem.layer_sizes[1:-1], activation="logistic", **settings)
    # A first call creates the arrays, which are then overwritten. The next call creates a new
    # optimizer.
    classes = np.arange(problem.layer_sizes[-1])
    n = max(len(classes), settings.get("batch_size", 1))
    model.partial_fit(problem.rows(n), np.resize(classes, n), classes=classes)
    for arrays, values in zip((model.coefs_, model.intercepts_), problem.weights(), strict=True):
        for array, value in zip(arrays, values, strict=True):
            array[...] = value
    del model._optimizer
    return model
