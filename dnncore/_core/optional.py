"""Packages that are not installed with dnncore."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def scikit_learn_for(module: str) -> Iterator[None]:
    """Tell how to install scikit-learn if it cannot be imported in this context.

    Raises
    ------
    ImportError
        If scikit-learn is not installed, which `module` needs.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "sklearn":
            raise
        raise ImportError(f"{module} needs scikit-learn: pip install 'dnncore[sklearn]'") from error
