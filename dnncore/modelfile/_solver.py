"""The state of an estimator's trainer, with which training goes on as if never interrupted."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..solvers import LBFGS, N_STATES, SGD, Adam
from ._header import ModelFileError, require

if TYPE_CHECKING:
    from ..network import Network
    from ..training import History, Trainer

SOLVERS: dict[str, Any] = {"SGD": SGD, "Adam": Adam, "LBFGS": LBFGS}
SCALARS = ("learning_rate", "steps")
BESTS = ("best_loss", "best_validation_score")
GENERATOR = "PCG64"
# Integers beyond 2^53 are strings: many programs read the numbers of JSON as floats.
LARGE = ("state", "inc")
KEYS = {
    "kind", "settings", "n_vectors", "random", "dropout_seed", "no_improvement", *SCALARS, *BESTS
}  # fmt: skip


def describe(trainer: Trainer) -> tuple[dict[str, Any], list[NDArray[Any]]]:
    """What :func:`build` makes the trainer from, and its vectors."""
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
        | {name: random[name] for name in ("has_uint32", "uinteger")},
        "dropout_seed": None if seed is None else str(seed),
        "no_improvement": trainer.history.no_improvement,
        **{name: state[name] for name in SCALARS},
        **{name: getattr(trainer.history, name) for name in BESTS},
    }, state["vectors"]


def check(description: object) -> None:
    """Refuse a description of another form; the rest is checked when the trainer is built."""
    require(
        isinstance(description, dict) and set(description) == KEYS,
        f"solver must be an object of {', '.join(sorted(KEYS))}",
    )
    assert isinstance(description, dict)
    count = description["n_vectors"]
    require(
        type(count) is int and 0 <= count <= max(N_STATES.values()),
        f"n_vectors of the solver must be a count of vectors, got {count!r:.80}",
    )


def build(
    network: Network,
    history: History,
    description: dict[str, Any],
    vectors: Sequence[NDArray[Any]],
) -> Trainer:
    """A trainer of the network in the state described, which goes on with the history."""
    from ..training import Trainer

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
        f"no_improvement of the solver must count epochs, got {count!r:.80}",
    )
    history.no_improvement = count
    try:
        solver = _build_solver(description["kind"], description["settings"])
        random, seed = description["random"], description["dropout_seed"]
        require(isinstance(random, dict), "random of the solver must be an object")
        trainer = Trainer(network, solver, seed=0)
        trainer.load_state_dict(
            {name: description[name] for name in SCALARS}
            | {
                "solver": solver,
                "vectors": vectors,
                "dropout_seed": None if seed is None else _large(seed),
                "random": {
                    "bit_generator": GENERATOR,
                    "state": {name: _large(random.get(name)) for name in LARGE},
                    "has_uint32": random.get("has_uint32"),
                    "uinteger": random.get("uinteger"),
                },
            }
        )
    except ModelFileError:
        raise
    except (TypeError, ValueError) as error:
        raise ModelFileError(f"solver: {error}") from error
    trainer.history = history
    return trainer


def _build_solver(kind: object, settings: object) -> SGD | Adam | LBFGS:
    if not isinstance(kind, str) or kind not in SOLVERS:
        raise ModelFileError(f"kind of the solver must be one of {', '.join(SOLVERS)}")
    names = {field.name for field in dataclasses.fields(SOLVERS[kind])}
    if not isinstance(settings, dict) or set(settings) != names:
        raise ModelFileError(f"settings of {kind} must be {', '.join(sorted(names))}")
    nesterov = settings.get("nesterov", False)
    require(isinstance(nesterov, bool), f"nesterov must be true or false, got {nesterov!r:.80}")
    solver: SGD | Adam | LBFGS = SOLVERS[kind](**settings)
    return solver


def _large(text: object) -> int:
    """The integer in a string of decimal digits."""
    if not isinstance(text, str) or not (text.isascii() and text.isdecimal()) or len(text) > 39:
        raise ModelFileError(f"an integer of the solver must be decimal digits, got {text!r:.80}")
    return int(text)
