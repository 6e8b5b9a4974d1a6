"""Training: solvers, the loop over epochs, learning-rate schedules, stopping criteria."""

from ._training.history import EpochInfo, History, Validation
from ._training.loop import DivergenceWarning
from ._training.solvers import LBFGS, SGD, Adam, AdamW
from ._training.trainer import Trainer

__all__ = [
    "LBFGS",
    "SGD",
    "Adam",
    "AdamW",
    "DivergenceWarning",
    "EpochInfo",
    "History",
    "Trainer",
    "Validation",
]
