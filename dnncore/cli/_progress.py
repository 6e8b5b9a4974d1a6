"""Progress of training on standard error."""

from __future__ import annotations

import sys
from types import TracebackType
from typing import TYPE_CHECKING, Any

from ._output import console

if TYPE_CHECKING:
    from ..training import EpochInfo


class Progress:
    """Callback that shows the progress of training on standard error.

    On a terminal, it draws a progress bar with the time until the last epoch; elsewhere, it prints
    a line for every tenth of the epochs.

    Parameters
    ----------
    epochs : int
        Maximum number of epochs, of all networks together.
    score_name : str
        Name of the score on the validation set.
    quiet : bool
        Whether to show nothing.
    """

    def __init__(self, epochs: int, score_name: str, *, quiet: bool) -> None:
        self._epochs, self._every, self._done = epochs, max(1, epochs // 10), 0
        self._score_name = score_name
        self._quiet = quiet
        self._bar: Any = None
        if not quiet and sys.stderr.isatty():
            from rich.progress import (
                BarColumn,
                MofNCompleteColumn,
                TextColumn,
                TimeRemainingColumn,
            )
            from rich.progress import Progress as Bar

            self._bar = Bar(
                TextColumn("epoch"),
                MofNCompleteColumn(),
                BarColumn(),
                TextColumn("{task.description}"),
                TimeRemainingColumn(elapsed_when_finished=True),
                console=console(sys.stderr),
            )
            self._task = self._bar.add_task("", total=epochs)

    def __enter__(self) -> None:
        if self._bar is not None:
            self._bar.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._bar is not None:
            self._bar.stop()

    def __call__(self, info: EpochInfo) -> None:
        text = f"loss {info.loss:.4f}"
        if info.validation_score is not None:
            text += f"  validation {self._score_name} {info.validation_score:.4f}"
        self._show(info.epoch, text)

    def after_member_epoch(self, member: int, info: EpochInfo) -> None:
        """Count an epoch of a network of an ensemble."""
        self._done += 1
        text = f"network {member + 1}: loss {info.loss:.4f}"
        if info.validation_loss is not None:
            text += f"  validation loss {info.validation_loss:.4f}"
        self._show(self._done, text)

    def _show(self, epoch: int, text: str) -> None:
        if self._quiet:
            return
        if self._bar is not None:
            self._bar.update(self._task, completed=epoch, description=text)
        elif epoch == 1 or epoch % self._every == 0:
            print(f"epoch {epoch}/{self._epochs}  {text}", file=sys.stderr, flush=True)
