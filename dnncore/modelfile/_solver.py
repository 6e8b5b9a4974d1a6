"""The state of an estimator's trainer, from which training resumes exactly where it stopped."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from .._training.solvers import LBFGS, MAX_STATES, SGD, Adam, AdamW
from ._header import ModelFileError, require

if TYPE_CHECKING:
    from ..network import Network
    from ..training import History, Trainer

SOLVERS: dict[str, Any] = {"SGD": SGD, "Adam": Adam, "AdamW": AdamW, "LBFGS": LBFGS}
SCALARS = ("learning_rate", "steps")
BESTS = ("best_loss", "best_validation_score")
GENERATOR = "PCG64"
# Integers beyond 2^53 are stored as strings, because many programs read JSON numbers as floats.
LARGE = ("state", "inc")
SMALL = {"has_uint32": 2, "uinteger": 2**32}  # exclusive upper bounds
KEYS = {
    "kind", "settings", "n_vectors", "random", "dropout_seed", "no_improvement", *SCALARS, *BESTS
}  # fmt: skip


def describe(trainer: Trainer) -> tuple[dict[str, Any], list[NDArray[Any]]]:
    """Return the description that :func:`build` reads, and the vectors of the solver."""
    state = trainer.state_dict()
    solver, random, seed = state["solver"], state["random"], state["dropout_seed"]
    if random["bit_generator"] != GENERATOR:
        raise TypeError(
            f"the trainer's random generator must be {GENERATOR} to be saved, "
            f"got {random['bit_generator']}"
        )
    return {
        "kind": type(solver).__name__,
        "settings": dataclasses.asdict(solver),
        "n_vectors": len(state["vectors"]),
        "random": {name: str(random["state"][name]) for name in LARGE}
        | {name: random[name] for name in SMALL},
        "dropout_seed": None if seed is None else str(seed),
        "no_improvement": trainer.history.no_improvement,
        **{name: state[name] for name in SCALARS},
        **{name: getattr(trainer.history, name) for name in BESTS},
    }, state["vectors"]


def check(description: object) -> None:
    """Check the form of a description; its values are checked when the trainer is built."""
    require(
        isinstance(description, dict) and set(description) == KEYS,
        f"solver must be an object with {', '.join(sorted(KEYS))}",
    )
    assert isinstance(description, dict)
    count = description["n_vectors"]
    require(
        type(count) is int and 0 <= count <= MAX_STATES,
        f"n_vectors of the solver must be an integer from 0 to {MAX_STATES}, got {count!r:.80}",
    )


def build(
    network: Network,
    history: History,
    description: dict[str, Any],
    vectors: Sequence[NDArray[Any]],
    loss_options: dict[str, Any],
) -> Trainer:
    """Return a trainer of the network in the described state, which continues the history.

    `loss_options` are the arguments of the trainer that select the loss.
    """
    from ..training import Trainer

    _restore_history(history, description)
    solver_type, settings = _check_solver(description["kind"], description["settings"])
    seed = description["dropout_seed"]
    state = {name: description[name] for name in SCALARS} | {
        "vectors": vectors,
        "dropout_seed": None if seed is None else _large(seed),
        "random": _build_random(description["random"]),
    }
    try:
        solver = solver_type(**settings)
        trainer = Trainer(network, solver, seed=0, **loss_options)
        trainer.load_state_dict(state | {"solver": solver})
    except (TypeError, ValueError) as error:
        raise ModelFileError(f"solver: {error}") from error
    trainer.history = history
    return trainer


def _restore_history(history: History, description: dict[str, Any]) -> None:
    for name in BESTS:
        best = description[name]
        require(
            isinstance(best, float) and not np.isnan(best),
            f"{name} of the solver must be a float, got {best!r:.80}",
        )
        setattr(history, name, best)
    count = description["no_improvement"]
    require(
        type(count) is int and 0 <= count < 2**63,
        f"no_improvement of the solver must be a non-negative integer, got {count!r:.80}",
    )
    history.no_improvement = count


def _check_solver(kind: object, settings: object) -> tuple[Any, dict[str, Any]]:
    """Return the class of the solver and its arguments; it checks all of them except nesterov."""
    if not isinstance(kind, str) or kind not in SOLVERS:
        raise ModelFileError(f"kind of the solver must be one of {', '.join(SOLVERS)}")
    names = {field.name for field in dataclasses.fields(SOLVERS[kind])}
    if not isinstance(settings, dict) or set(settings) != names:
        raise ModelFileError(f"settings of {kind} must be {', '.join(sorted(names))}")
    nesterov = settings.get("nesterov", False)
    require(isinstance(nesterov, bool), f"nesterov must be true or false, got {nesterov!r:.80}")
    return SOLVERS[kind], settings


def _build_random(description: object) -> dict[str, Any]:
    """Return the state of a generator in NumPy's format."""
    if not isinstance(description, dict) or set(description) != {*LARGE, *SMALL}:
        raise ModelFileError(
            f"random of the solver must be an object with {', '.join((*LARGE, *SMALL))}"
        )
    for name, end in SMALL.items():
        value = description[name]
        require(
            type(value) is int and 0 <= value < end,
            f"{name} of the solver must be an integer in [0, {end}), got {value!r:.80}",
        )
    return {
        "bit_generator": GENERATOR,
        "state": {name: _large(description[name]) for name in LARGE},
        **{name: description[name] for name in SMALL},
    }


def _large(text: object) -> int:
    """Parse an integer from a string of decimal digits."""
    if not isinstance(text, str) or not (text.isascii() and text.isdecimal()) or len(text) > 39:
        raise ModelFileError(
            f"an integer of the solver must be a string of decimal digits, got {text!r:.80}"
        )
    return int(text)
