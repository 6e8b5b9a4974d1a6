"""The state of a fit that is not finished, of a checkpoint."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._estimators.unfinished import UnfinishedFit
from .._training.fit_state import FitState, Snapshot
from .._training.schedules import SCHEDULES
from .._training.solvers import MAX_STATES
from ._header import ModelFileError, require

BEST = "fit.best"
COUNTS = ("epoch", "kept_steps", "n_evaluations")
KEYS = {*COUNTS, "early_stopping", "schedule", "n_kept", "split"}
PARTITIONS = "partitions"  # only of fits on Dask collections
GENERATOR, KEY_BYTES, MAX_POSITION = "MT19937", 4 * 624, 624


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
        "split": None if split is None else _describe_split(split),
    }
    if unfinished.partitions is not None:
        description[PARTITIONS] = unfinished.partitions
    return description, arrays


def kept_name(index: int) -> str:
    """Return the name of one of the tensors that the schedule may go back to."""
    return f"fit.kept.{index}"


def _not_nan(value: float) -> float | None:
    return None if math.isnan(value) else value


def _describe_split(split: Mapping[str, Any]) -> dict[str, Any]:
    if split["bit_generator"] != GENERATOR:
        raise TypeError(
            f"random_state must be of {GENERATOR} to be saved, got {split['bit_generator']}"
        )
    key = np.asarray(split["state"]["key"]).astype("<u4")
    return {"key": key.tobytes().hex(), "position": int(split["state"]["pos"])}


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
    return UnfinishedFit(state, _build_split(description["split"]), description.get(PARTITIONS))


def _number(name: str, value: object) -> float:
    require(
        value is None or type(value) in (int, float),
        f"{name} of the fit must be a number or null, got {value!r:.80}",
    )
    return math.nan if value is None else value  # type: ignore[return-value]


def _build_split(description: object) -> dict[str, Any] | None:
    if description is None:
        return None
    if not isinstance(description, dict) or set(description) != {"key", "position"}:
        raise ModelFileError("split of the fit must be an object with key, position, or null")
    key, position = description["key"], description["position"]
    require(
        type(position) is int and 0 <= position <= MAX_POSITION,
        f"position of the split must be an integer from 0 to {MAX_POSITION}, got {position!r:.80}",
    )
    try:
        data = bytes.fromhex(key)
    except (TypeError, ValueError):
        data = b""
    require(len(data) == KEY_BYTES, f"key of the split must be {2 * KEY_BYTES} hexadecimal digits")
    return {
        "bit_generator": GENERATOR,
        "state": {"key": np.frombuffer(data, "<u4").astype(np.uint32), "pos": position},
        "has_gauss": 0,
        "gauss": 0.0,
    }
