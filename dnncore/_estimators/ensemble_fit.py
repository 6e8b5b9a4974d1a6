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
from .unfinished import OtherRowsError, UnfinishedEnsemble

ROWS = "rows"
# The parameters of an estimator that define these settings of its recipe.
PARAMETERS = {"learning_rate": "learning_rate_init"}


def conditions_of(
    recipe: Recipe, n_members: int, max_iter: int, X: NDArray[Any], labels: Labels
) -> dict[str, str]:
    """Return all that the members depend on beside the random numbers, as texts by name.

    Parameters
    ----------
    recipe : Recipe
    n_members, max_iter : int
        Parameters of the estimator.
    X : array of shape (n, n_features)
        Encoded rows.
    labels : Labels
        Their encoded labels and weights.
    """
    settings = {PARAMETERS.get(name, name): value for name, value in asdict(recipe).items()}
    settings |= {"n_members": n_members, "max_iter": max_iter}
    return {ROWS: _digest(X, *labels.arrays)} | {k: _text(x) for k, x in settings.items()}


def _text(value: object) -> str:
    """Return the text of a value, which must be that of the same value from a file."""
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
    if before.get(ROWS) != now[ROWS]:
        raise OtherRowsError(
            "X, y and sample_weight must be those of the fit that is to be completed, in the "
            "same order and encoded in the same way"
        )
    for name, value in now.items():
        if before.get(name) != value:
            raise ValueError(
                f"{name} must be {before.get(name)} as in the fit that is to be completed, "
                f"got {value}"
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
