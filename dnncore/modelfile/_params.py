"""The parameters of an estimator in JSON."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from .._estimators.interface import Estimator, TabularModel
from ._header import ModelFileError, require

NOT_STORED = "checkpoint"


def describe(model: Estimator | TabularModel) -> dict[str, Any]:
    """Return the parameters by name; None replaces those that cannot be stored."""
    params: dict[str, Any] = model.get_params(deep=False) | {"callback": None}
    params.pop(NOT_STORED, None)
    if not isinstance(params["random_state"], int | np.integer):
        params["random_state"] = None
    scoring = params.get("scoring")
    named = isinstance(scoring, list | tuple) and all(isinstance(x, str) for x in scoring)
    if "scoring" in params and not (isinstance(scoring, str) or named):
        params["scoring"] = None
    if isinstance(params.get("class_weight"), Mapping):
        # In JSON, keys must be strings.
        params["class_weight"] = [[key, value] for key, value in params["class_weight"].items()]
    return params


def build(params: object, known: set[str]) -> dict[str, Any]:
    """Return the parameters, whose values are checked later."""
    if not isinstance(params, dict):
        raise ModelFileError("params must be a JSON object")
    unknown = sorted(set(params) - (known - {NOT_STORED}))
    require(not unknown, f"unknown parameter {unknown[:1]!r:.80}")
    require(params.get("callback") is None, "the parameter callback must be null")
    weight = params.get("class_weight")
    if isinstance(weight, list):
        pairs = all(isinstance(x, list) and len(x) == 2 and _is_label(x[0]) for x in weight)
        require(pairs, "the parameter class_weight must be pairs of a class and a weight")
        params = params | {"class_weight": {key: value for key, value in weight}}
    return {name: tuple(x) if isinstance(x, list) else x for name, x in params.items()}


def _is_label(value: object) -> bool:
    return isinstance(value, bool | int | float | str)
