"""The trainer of a fit: the previous one if training resumes, otherwise a new one."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._core import checks as check
from ..network import Network
from ..training import Trainer
from .interface import trainer_of
from .learning import RowsLearner
from .params import trainer_settings
from .targets import Targets


def prepare_trainer(
    estimator: Any,
    before: Network | None,
    targets: Targets,
    learner: RowsLearner,
    random: np.random.RandomState,
) -> Trainer:
    """Return a trainer with the parameters of the estimator.

    Parameters
    ----------
    estimator : Estimator
        Estimator to train.
    before : Network or None
        Network that training resumes from, if any.
    targets : Targets
        Encoding of the targets.
    learner : RowsLearner
        Learner that has read all rows.
    random : RandomState
        Source of the seeds of a new network and a new trainer.
    """
    settings = trainer_settings(estimator)
    if before is None:
        network = _new_network(estimator, targets, learner, random)
        return Trainer(network, seed=random.randint(2**31), **settings)
    check_network(estimator, before, targets, learner.n_features)
    trainer = trainer_of(estimator)
    if trainer is not None and trainer.network is before:
        trainer.configure(**settings)
        return trainer
    trainer = Trainer(before, seed=random.randint(2**31), **settings)
    if estimator.network_ is before:  # not fitted anew by the __array__ of its rows
        trainer.history = estimator.history_
    return trainer


def _new_network(
    estimator: Any, targets: Targets, learner: RowsLearner, random: np.random.RandomState
) -> Network:
    mode = estimator.missing_values
    missing: NDArray[np.intp] | None = None
    if mode != "error":
        missing = learner.features_with_nan if mode == "indicator" else np.zeros(0, np.intp)
    return Network(
        _layer_sizes(estimator, missing, targets, learner.n_features), dtype=learner.dtype,
        seed=random, activation=estimator.activation, output=targets.output()[1], missing=missing,
    )  # fmt: skip


def _layer_sizes(
    estimator: Any,
    missing: NDArray[np.intp] | None,
    targets: Targets,
    n_features: int,
) -> tuple[int, ...]:
    n_inputs = n_features + (0 if missing is None else len(missing))
    hidden = check.hidden_sizes("hidden_layer_sizes", estimator.hidden_layer_sizes)
    return (n_inputs, *hidden, targets.output()[0])


def check_network(estimator: Any, network: Network, targets: Targets, n_features: int) -> None:
    """Raise ValueError if the parameters require another network."""
    mode, missing = estimator.missing_values, network.missing
    if (missing is None) != (mode == "error") or (mode == "mean" and missing.size > 0):  # type: ignore[union-attr]
        raise ValueError(
            f"missing_values must be the same as in the first call to fit, got {mode!r}"
        )
    has = (network.layer_sizes, network.activation, network.output)
    sizes = _layer_sizes(estimator, missing, targets, n_features)
    wanted = (sizes, estimator.activation, targets.output()[1])
    if has != wanted:
        raise ValueError(
            "the model has layer sizes {}, activation {!r} and output {!r}, and cannot "
            "resume training with {}, {!r} and {!r}".format(*has, *wanted)
        )
