"""The parameters of an estimator: their constraints, and the trainer settings they define."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from functools import cache, partial
from operator import is_
from typing import Any

import numpy as np
from sklearn.utils import check_random_state

from .._core import checks as check
from .._core.names import ACTIVATIONS, ENGINES, REGRESSION_LOSSES
from .._core.threads import MAX_THREADS
from .._training.optimizer import DEFAULT_BATCH_SIZE
from .._training.schedules import SCHEDULES, schedules_of
from .._training.settings import check_patience
from ..checkpoints import Checkpoint
from ..training import LBFGS, SGD, Adam, AdamW
from .interface import AUTO, loss_options_of
from .progress import check_progress_bar
from .validation import scorers_of

Constraint = Callable[[str, Any], object]  # takes name and value; raises TypeError or ValueError

SOLVERS = ("adam", "adamw", "sgd", "lbfgs")
MISSING_VALUES = ("error", "mean", "indicator")


def _integer(**interval: int) -> Constraint:
    return partial(check.integer, **interval)  # type: ignore[arg-type]


def _number(**interval: Any) -> Constraint:
    return partial(check.number, **interval)


def _choice(*options: str) -> Constraint:
    return partial(check.choice, options=options)


def _or_none(constraint: Constraint) -> Constraint:
    return lambda name, value: None if value is None else constraint(name, value)


def batch_size(name: str, rows: Any) -> int:
    """Return the number of rows per mini-batch."""
    return check.integer(name, DEFAULT_BATCH_SIZE if rows == "auto" else rows, low=1)


def _callback(name: str, value: Any) -> None:
    if value is not None and not callable(value):
        raise TypeError(f"{name} must be callable or None, got {value!r}")


def _checkpoint(name: str, value: Any) -> None:
    if value is None:
        return
    if not isinstance(value, Checkpoint):
        raise TypeError(f"{name} must be a Checkpoint or None, got {value!r}")
    folder = os.path.dirname(os.path.realpath(value.path))
    if not os.path.isdir(folder):
        raise ValueError(f"{name} must be in a folder that exists, got {folder!r}")
    if os.path.isdir(value.path):
        raise ValueError(f"{name} must be a file, got the folder {os.fspath(value.path)!r}")


def _early_stopping(name: str, value: Any) -> None:
    if isinstance(value, str) and value != AUTO:
        raise ValueError(f"{name} must be True, False or {AUTO!r}, got {value!r}")


def _class_weight(name: str, value: Any) -> None:
    if isinstance(value, Mapping):
        for label, weight in value.items():
            check.number(f"{name}[{label!r}]", weight, low=0.0)
    elif value is not None:
        check.choice(name, value, ("balanced",))


# The solver checks its own parameters: only those that it uses must be valid.
CONSTRAINTS: dict[str, Constraint] = {
    "hidden_layer_sizes": check.hidden_sizes,
    "solver": _choice(*SOLVERS),
    "learning_rate": _choice(*SCHEDULES),
    "max_fun": _integer(low=1),
    "activation": _choice(*ACTIVATIONS),
    "missing_values": _choice(*MISSING_VALUES),
    "alpha": _number(low=0.0),
    "batch_size": batch_size,
    "max_iter": _integer(low=1),
    "tol": _number(low=0.0, may_be_infinite=True),
    "n_iter_no_change": lambda name, value: check_patience(value),
    "early_stopping": _early_stopping,
    "dropout": _number(low=0.0, high=1.0, high_open=True),
    "max_grad_norm": _or_none(_number(low=0.0, low_open=True, may_be_infinite=True)),
    "validation_fraction": _number(low=0.0, high=1.0, low_open=True, high_open=True),
    "verbose": lambda name, value: check_progress_bar() if value else None,
    "max_time": _or_none(_number(low=0.0, low_open=True, may_be_infinite=True)),
    "random_state": lambda name, value: check_random_state(value),
    "n_threads": _or_none(_integer(low=1, high=MAX_THREADS)),
    "engine": _choice(*ENGINES),
    "callback": _callback,
    "checkpoint": _checkpoint,
    # parameters of only one of the two estimators
    "label_smoothing": _number(low=0.0, high=1.0, high_open=True),
    "class_weight": _class_weight,
    "loss": _choice(*REGRESSION_LOSSES),
    "huber_delta": _number(low=0.0, low_open=True),
    "quantiles": check.quantile_levels,
}


# Parameters of the estimators of tables that the others do not have, or have with another meaning.
TABLE_CONSTRAINTS: dict[str, Constraint] = {
    "n_members": _integer(low=1),
    "n_bins": _integer(low=0),
    "embedding_size": _integer(low=1),
    "max_categories": _integer(low=1),
    "batch_size": _integer(low=1),
    "learning_rate_init": _or_none(_number(low=0.0, low_open=True)),
    "weight_decay": _number(low=0.0),
}


def validate_table_params(estimator: Any) -> None:
    """Check all parameters of an estimator of tables.

    Raises
    ------
    TypeError, ValueError
        If a parameter is invalid.
    """
    params = vars(estimator)
    for name, constraint in (CONSTRAINTS | TABLE_CONSTRAINTS).items():
        if name in params:
            constraint(name, params[name])


def validate_params(estimator: Any) -> None:
    """Check all parameters, even those that this fit does not use.

    Raises
    ------
    TypeError, ValueError
        If a parameter is invalid, or does not go with the others.
    """
    params = vars(estimator)
    for name, constraint in CONSTRAINTS.items():
        if name in params:
            constraint(name, params[name])
    solver_of(estimator)
    scorers_of(estimator)
    if estimator.missing_values != "error" and not estimator.norm:
        raise ValueError(
            f"missing_values must be 'error' with norm=False, got {estimator.missing_values!r}"
        )


ParamValues = tuple[Any, ...]

# Values that cannot change in place, and parameters whose content is not checked.
IMMUTABLE = (type(None), bool, int, float, str, tuple, np.generic)
OPAQUE = ("random_state", "callback", "checkpoint")


@cache
def _names_of(estimator_class: Any) -> tuple[str, ...]:
    return tuple(estimator_class._get_param_names())


def _names(estimator: Any) -> tuple[str, ...]:
    kind: Any = type(estimator)
    return _names_of(kind)


def param_values(estimator: Any) -> ParamValues | None:
    """Return the values of all parameters, or None if one of them can change in place."""
    params = vars(estimator)
    for name in _names(estimator):
        if name not in OPAQUE and not isinstance(params.get(name), IMMUTABLE):
            return None
    return tuple(map(params.get, _names(estimator)))


def are_unchanged(estimator: Any, before: ParamValues | None) -> bool:
    """Return whether the parameters are the objects that `param_values` has returned."""
    if before is None:
        return False
    return all(map(is_, map(vars(estimator).get, _names(estimator)), before))


def solver_of(estimator: Any) -> SGD | Adam | LBFGS:
    """Return the solver that the parameters describe."""
    if estimator.solver == "lbfgs":
        return LBFGS(estimator.max_fun)
    schedule = estimator.learning_rate
    if estimator.solver == "sgd":
        return SGD(
            estimator.learning_rate_init,
            estimator.momentum,
            bool(estimator.nesterovs_momentum),
            schedule,
            estimator.power_t,
        )
    # As in scikit-learn, 'adam' ignores the schedules that apply to 'sgd' only.
    constants = (
        estimator.learning_rate_init,
        estimator.beta_1,
        estimator.beta_2,
        estimator.epsilon,
        schedule if schedule in schedules_of("Adam") else "constant",
    )
    if estimator.solver == "adamw":
        return AdamW(*constants, estimator.weight_decay)
    return Adam(*constants)


def trainer_settings(estimator: Any) -> dict[str, Any]:
    """Return the arguments of :class:`dnncore.training.Trainer` that may change between fits."""
    return {
        "solver": solver_of(estimator),
        "alpha": estimator.alpha,
        "batch_size": batch_size("batch_size", estimator.batch_size),
        "shuffle": bool(estimator.shuffle),
        "n_threads": estimator.n_threads,
        "engine": estimator.engine,
        "dropout": estimator.dropout,
        "max_grad_norm": estimator.max_grad_norm,
        **loss_options_of(estimator),
    }
