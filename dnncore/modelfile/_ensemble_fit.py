"""The state of a fit of an ensemble that is not finished, of a checkpoint."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .._estimators.unfinished import CONDITIONS, UnfinishedEnsemble
from .._training.fit_state import FINISHED
from .._training.history import History
from . import _generator
from ._header import require

KEYS = {"members", "random", "conditions"}
MEMBER_KEYS = {"end", "no_improvement"}


def describe(unfinished: UnfinishedEnsemble, histories: Sequence[History]) -> dict[str, Any]:
    """Return the description that :func:`build` reads; the histories are of finished members."""
    finished = iter(histories)
    return {
        "members": [
            None if end is None else {"end": end, "no_improvement": next(finished).no_improvement}
            for end in unfinished.ends
        ],
        "random": _generator.describe(unfinished.random),
        "conditions": dict(unfinished.conditions),
    }


def check(description: object, n_iters: Sequence[int]) -> None:
    """Check a description of a fit with finished members of so many epochs."""
    require(
        isinstance(description, dict) and set(description) == KEYS,
        f"fit must be an object with {', '.join(sorted(KEYS))}",
    )
    assert isinstance(description, dict)
    members, conditions = description["members"], description["conditions"]
    require(
        isinstance(members, list) and all(x is None or _is_finished(x) for x in members),
        "members of the fit must be null or objects with an end (converged or diverged) and a "
        "count no_improvement",
    )
    n_finished = sum(x is not None for x in members)
    require(
        n_finished == len(n_iters),
        f"members of the fit must have an end for each of {len(n_iters)} networks, "
        f"got {n_finished}",
    )
    require(
        all(n_iter > 0 for n_iter in n_iters),
        f"finished members of the fit must have at least one epoch, got {min(n_iters, default=0)}",
    )
    require(
        isinstance(conditions, dict)
        and set(conditions) == set(CONDITIONS)
        and all(isinstance(x, str) and x.isprintable() for x in conditions.values()),
        f"conditions of the fit must be an object of printable strings {', '.join(CONDITIONS)}",
    )
    require(
        conditions["n_members"] == str(len(members)),
        f"members of the fit must be as many as its condition n_members, "
        f"{conditions['n_members']:.80}, got {len(members)}",
    )
    _generator.build("random of the fit", description["random"])


def _is_finished(member: object) -> bool:
    if not isinstance(member, dict) or set(member) != MEMBER_KEYS:
        return False
    count = member["no_improvement"]
    return member["end"] in FINISHED and type(count) is int and 0 <= count < 2**63


def build(description: Mapping[str, Any], histories: Sequence[History]) -> UnfinishedEnsemble:
    """Return the fit, and complete the histories of the finished members."""
    members = description["members"]
    finished = (member for member in members if member is not None)
    for history, member in zip(histories, finished, strict=True):
        history.no_improvement = member["no_improvement"]
    return UnfinishedEnsemble(
        tuple(None if member is None else member["end"] for member in members),
        _generator.build("random of the fit", description["random"]),
        description["conditions"],
    )
