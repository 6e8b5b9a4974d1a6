"""Where a class is public."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

C = TypeVar("C", bound=type)


def set_module(module: str) -> Callable[[C], C]:
    """Decorate a class that is public in `module`, wherever it is written, as numpy does.

    Pickles, files of skops, tracebacks and the documentation name it by `module`, and are not
    troubled when its file moves. It goes above ``@dataclass``, which has to know the class's own
    module.
    """

    def decorate(cls: C) -> C:
        cls.__module__ = module
        return cls

    return decorate
