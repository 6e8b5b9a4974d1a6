"""skorch: NeuralNetClassifier.partial_fit over the PyTorch network."""

from collections.abc import Callable

import torch
from _problems import Training
from skorch import NeuralNetClassifier

from .torch_ import network, optimizer_class_and_settings


def train(problem: Training) -> Callable[[], float]:
    X, y = problem.data()
    optimizer_class, settings = optimizer_class_and_settings(problem)
    model = NeuralNetClassifier(
        network(problem),
        criterion=torch.nn.CrossEntropyLoss,
        optimizer=optimizer_class,
        **{f"optimizer__{name}": value for name, value in settings.items()},
        max_epochs=1,
        batch_size=problem.batch_size,
        iterator_train__shuffle=False,
        train_split=None,
        callbacks__valid_acc=None,
        verbose=0,
    ).initialize()

    def epoch() -> float:
        model.partial_fit(X, y)
        return float(model.history[-1, "train_loss"])

    return epoch
