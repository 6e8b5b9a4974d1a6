"""newbob: halve the learning rate when the loss stalls, and go back to the best parameters."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..training import Trainer

logger = logging.getLogger("dnncore")

MOST_HALVINGS = 20  # in a row, by which a diverging training may look for a rate
LEAST_STEPS = 10  # between two looks at the loss: that of one or two steps says little


class Newbob:
    """The rate control of one fit.

    Parameters
    ----------
    trainer : Trainer
        Its learning rate, parameters and solver's state are changed.
    loss : float
        Of the parameters at the start.
    """

    def __init__(self, trainer: Trainer, loss: float) -> None:
        self._trainer = trainer
        self._start = self._lowest = loss
        self._good = trainer.snapshot()
        self._stalls = self._halvings = self._steps = 0

    def is_due(self, steps: int) -> bool:
        """Whether, after an epoch of so many steps, enough of them have been made to judge."""
        self._steps += steps
        return self._steps >= LEAST_STEPS

    def should_end(self, loss: float, tol: float) -> bool:
        """Whether training should end after steps that led to `loss`."""
        self._steps = 0
        if loss < self._lowest - tol:
            self._lowest, self._good = loss, self._trainer.snapshot()
            self._stalls = self._halvings = 0
            return False
        self._go_back()
        # Worse than before the first epoch: the rate is far too large, and says nothing more.
        self._stalls += loss <= self._start
        return self._stalls >= 2 or self._halvings >= MOST_HALVINGS

    def recover(self) -> bool:
        """Go back after an epoch that diverged, unless that has been tried often enough."""
        if self._halvings >= MOST_HALVINGS:
            return False
        self._go_back()
        return True

    def _go_back(self) -> None:
        self._trainer.restore(self._good)
        self._steps = 0
        self._trainer.learning_rate /= 2.0
        self._halvings += 1
        logger.info("no improvement, learning rate %g", self._trainer.learning_rate)
