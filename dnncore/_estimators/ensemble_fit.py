"""How the fit of an ensemble is completed from a checkpoint."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._core.labels import Labels
from .._training.history import History
from .._training.members import Member
from .._training.recipe import Recipe
from ..network import Network
from .unfinished import CONDITIONS, ROWS, OtherRowsError, UnfinishedEnsemble

# The parameters of an estimator that define these settings of its recipe.
PARAMETERS = {"learning_rate": "learning_rate_init"}
MAX_SHOWN = 80  # characters of a value in a message


def conditions_of(
    parameters: Mapping[str, Any], recipe: Recipe, X: NDArray[Any], labels: Labels
) -> dict[str, str]:
    """Return all that the members depend on beside the random numbers, as texts by name.

    Parameters
    ----------
    parameters : mapping of str to object
        Parameters of the estimator.
    recipe : Recipe
        The recipe that they define.
    X : array of shape (n, n_features)
        Encoded rows.
    labels : Labels
        Their encoded labels and weights.
    """
    settings = {PARAMETERS.get(name, name): value for name, value in asdict(recipe).items()}
    # That of the recipe is limited to the number of rows.
    settings = {**parameters, **settings, "batch_size": parameters["batch_size"]}
    texts = {name: _text(settings.get(name)) for name in CONDITIONS if name != ROWS}
    return texts | {ROWS: _digest(X, *labels.arrays)}


def _text(value: object) -> str:
    """Return the text of a value, which must be that of the same value from a file."""
    if isinstance(value, Mapping):  # class weights
        weights = {_text(label): float(weight) for label, weight in value.items()}
        value = dict(sorted(weights.items()))
    return str(value.item() if isinstance(value, np.generic) else value)


def _digest(*arrays: NDArray[Any]) -> str:
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(f"{array.dtype.str}{array.shape}".encode())
        digest.update(np.ascontiguousarray(array).data)
    return digest.hexdigest()


def require_same_conditions(before: Mapping[str, str], now: Mapping[str, str]) -> None:
    """Raise ValueError if a fit is to be completed under other conditions.

    Raises
    ------
    OtherRowsError
        If the rows are others.
    ValueError
        If a parameter has another value.
    """
    for name in CONDITIONS:
        if before[name] != now[name] and name == ROWS:
            raise OtherRowsError(
                "X, y and sample_weight must be those of the fit that is to be completed, in the "
                "same order and encoded in the same way"
            )
        if before[name] != now[name]:
            raise ValueError(
                f"{name} must be {before[name]:.{MAX_SHOWN}} as in the fit that is to be "
                f"completed, got {now[name]:.{MAX_SHOWN}}"
            )


def with_finished(
    members: Sequence[Member],
    unfinished: UnfinishedEnsemble,
    networks: Sequence[Network],
    histories: Sequence[History],
) -> list[Member]:
    """Return the members of a fit, of which some have been trained before.

    Parameters
    ----------
    members : sequence of Member
        The members as they were when the fit began.
    unfinished : UnfinishedEnsemble
    networks, histories : sequences
        Of the finished members.
    """
    trained = iter(zip(networks, histories, strict=True))
    found = []
    for member, end in zip(members, unfinished.ends, strict=True):
        if end is not None:
            network, member.trainer.history = next(trained)
            _copy_parameters(network, member.trainer.network)
        found.append(replace(member, end=end))
    return found


def _copy_parameters(source: Network, destination: Network) -> None:
    if source.layer_sizes != destination.layer_sizes or source.n_parameters != (
        destination.n_parameters
    ):
        raise ValueError(
            f"the fit that is to be completed needs {destination}, but the model has {source}"
        )
    destination.parameters[...] = source.parameters
