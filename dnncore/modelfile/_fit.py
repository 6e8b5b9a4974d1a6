"""The state of a fit that is not finished, of a checkpoint."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from numpy.typing import NDArray

from .._estimators.unfinished import UnfinishedFit
from .._training.fit_state import FitState, Snapshot
from .._training.schedules import SCHEDULES
from .._training.solvers import MAX_STATES
from . import _generator
from ._header import require

BEST = "fit.best"
COUNTS = ("epoch", "kept_steps", "n_evaluations")
KEYS = {*COUNTS, "early_stopping", "schedule", "n_kept", "split"}
PARTITIONS = "partitions"  # only of fits on Dask collections


def describe(unfinished: UnfinishedFit) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Return the description that :func:`build` reads, and the tensors."""
    state, split = unfinished.state, unfinished.split
    kept, kept_steps = ([], 0) if state.kept is None else state.kept
    arrays = {kept_name(i): array for i, array in enumerate(kept)}
    if state.best is not None:
        arrays[BEST] = state.best
    description = {
        "epoch": state.epoch,
        "early_stopping": state.early_stopping,
        "schedule": {name: _not_nan(value) for name, value in state.schedule.items()},
        "n_kept": len(kept),
        "kept_steps": kept_steps,
        "n_evaluations": state.n_evaluations,
        "split": None if split is None else _generator.describe(split),
    }
    if unfinished.partitions is not None:
        description[PARTITIONS] = unfinished.partitions
    return description, arrays


def kept_name(index: int) -> str:
    """Return the name of one of the tensors that the schedule may go back to."""
    return f"fit.kept.{index}"


def _not_nan(value: float) -> float | None:
    return None if math.isnan(value) else value


def check(description: object) -> None:
    """Check the form of a description; its other values are checked by :func:`build`."""
    require(
        isinstance(description, dict) and set(description) - {PARTITIONS} == KEYS,
        f"fit must be an object with {', '.join(sorted(KEYS))}",
    )
    assert isinstance(description, dict)
    count, stops = description["n_kept"], description["early_stopping"]
    require(
        type(count) is int and 0 <= count <= MAX_STATES + 1,
        f"n_kept of the fit must be an integer from 0 to {MAX_STATES + 1}, got {count!r:.80}",
    )
    require(
        isinstance(stops, bool) or stops == "loss",
        f"early_stopping of the fit must be true, false or 'loss', got {stops!r:.80}",
    )
    partitions = description.get(PARTITIONS, "")
    require(
        isinstance(partitions, str), f"partitions of the fit must be a text, got {partitions!r:.80}"
    )


def tensors(description: Mapping[str, Any]) -> Iterator[str]:
    """Yield the names of the tensors, each of shape (n_parameters,)."""
    yield from map(kept_name, range(description["n_kept"]))
    if description["early_stopping"]:
        yield BEST


def build(
    description: Mapping[str, Any],
    arrays: Mapping[str, NDArray[Any]],
    schedule: str,
    vectors: Sequence[NDArray[Any]],
) -> UnfinishedFit:
    """Return the fit; `schedule` and `vectors` are those of the solver."""
    for name in COUNTS:
        value = description[name]
        require(
            type(value) is int and 0 <= value < 2**63,
            f"{name} of the fit must be a non-negative integer, got {value!r:.80}",
        )
    numbers, remembers = description["schedule"], SCHEDULES[schedule].remembers
    require(
        isinstance(numbers, dict) and set(numbers) == set(remembers),
        f"schedule of the fit must be an object with {', '.join(remembers) or 'nothing'}",
    )
    n_kept = 1 + len(vectors) if remembers else 0
    require(
        description["n_kept"] == n_kept,
        f"n_kept of the fit must be {n_kept} for {schedule!r}, got {description['n_kept']}",
    )
    kept = [arrays[kept_name(i)].copy() for i in range(n_kept)]
    state = FitState(
        description["epoch"],
        description["early_stopping"],
        arrays.get(BEST),
        {name: _number(name, value) for name, value in numbers.items()},
        Snapshot(kept, description["kept_steps"]) if kept else None,
        description["n_evaluations"],
    )
    split = description["split"]
    generator = None if split is None else _generator.build("the split", split)
    return UnfinishedFit(state, generator, description.get(PARTITIONS))


def _number(name: str, value: object) -> float:
    require(
        value is None or type(value) in (int, float),
        f"{name} of the fit must be a number or null, got {value!r:.80}",
    )
    return math.nan if value is None else value  # type: ignore[return-value]
