"""A progress bar over epochs, on a terminal or in a notebook, drawn by tqdm."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from .._training.history import EpochInfo


def _tqdm() -> Any:
    try:
        from tqdm.auto import tqdm
    except ModuleNotFoundError as error:
        raise ImportError("verbose needs tqdm: pip install 'dnncore[sklearn]'") from error
    return tqdm


def check_progress_bar() -> None:
    """Raise ImportError if tqdm is not installed."""
    _tqdm()


@contextmanager
def progress_bar(title: str, epochs: int) -> Iterator[Callable[[EpochInfo], None]]:
    """Give a function that updates the progress bar after an epoch.

    Raises
    ------
    ImportError
        If tqdm is not installed.
    """
    with _tqdm()(total=epochs, desc=title, unit="epoch") as bar:

        def show(info: EpochInfo) -> None:
            numbers = {"loss": info.loss}
            if info.validation_loss is not None:
                numbers["validation loss"] = info.validation_loss
            if info.validation_score is not None:
                numbers["score"] = info.validation_score
            bar.set_postfix(
                {name: f"{value:.4g}" for name, value in numbers.items()}, refresh=False
            )
            bar.update()

        yield show
