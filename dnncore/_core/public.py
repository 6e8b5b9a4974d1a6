"""The public module of a class."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

C = TypeVar("C", bound=type)


def set_module(module: str) -> Callable[[C], C]:
    """Set the ``__module__`` of the decorated class to its public module, as NumPy does.

    Pickles, skops files, tracebacks and the documentation then refer to `module`, and remain
    valid if the class moves to another file. Place it above ``@dataclass``, which needs the
    original ``__module__``.
    """

    def decorate(cls: C) -> C:
        cls.__module__ = module
        return cls

    return decorate
