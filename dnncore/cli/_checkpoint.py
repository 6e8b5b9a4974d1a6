"""The checkpoints of the command line, which have the table and the division of the rows."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from contextlib import contextmanager
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


@contextmanager
def checkpoints(
    model: Any, arguments: argparse.Namespace, save: Callable[[Any], None]
) -> Iterator[None]:
    """Let `fit` write checkpoints by `save`, and complete a fit with --resume.

    The parameters of the model, also in the files, are those of before.
    """
    warm_start = model.warm_start

    def save_as_given(trained: Any) -> None:
        save(trained.set_params(warm_start=warm_start))

    checkpoint = None
    if arguments.checkpoint is not None:
        checkpoint = ModelCheckpoint(arguments.output, arguments.checkpoint, save_as_given)
    model.set_params(checkpoint=checkpoint, warm_start=arguments.resume is not None)
    try:
        yield
    finally:
        model.set_params(checkpoint=None, warm_start=warm_start)
