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

    On a terminal, it draws a progress bar; elsewhere, it prints a line for every tenth of the
    epochs.

    Parameters
    ----------
    epochs : int
        Maximum number of epochs.
    score_name : str
        Name of the score on the validation set.
    quiet : bool
        Whether to show nothing.
    """

    def __init__(self, epochs: int, score_name: str, *, quiet: bool) -> None:
        self._every = max(1, epochs // 10)
        self._score_name = score_name
        self._quiet = quiet
        self._bar: Any = None
        if not quiet and sys.stderr.isatty():
            from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
            from rich.progress import Progress as Bar

            self._bar = Bar(
                TextColumn("epoch"),
                MofNCompleteColumn(),
                BarColumn(),
                TextColumn("{task.description}"),
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
        if self._quiet:
            return
        text = f"loss {info.loss:.4f}"
        if info.validation_score is not None:
            text += f"  validation {self._score_name} {info.validation_score:.4f}"
        if self._bar is not None:
            self._bar.update(self._task, completed=info.epoch, description=text)
        elif info.epoch == 1 or info.epoch % self._every == 0:
            print(f"epoch {info.epoch}/{info.max_iter}  {text}", file=sys.stderr, flush=True)
