"""The checkpoints of the command line, which have the table and the division of the rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ..checkpoints import Checkpoint


@dataclass(frozen=True)
class ModelCheckpoint(Checkpoint):
    """A checkpoint that is written by a function.

    Attributes
    ----------
    save : callable
        Function that saves a model, a copy of its own, with the state of the solver.
    """

    save: Callable[[Any], None] = lambda model: None

    def write(self, model: Any) -> None:
        self.save(model)
