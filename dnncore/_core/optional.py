"""Packages that are not installed with dnncore."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def scikit_learn_for(module: str) -> Iterator[None]:
    """Tell how to install scikit-learn, which `module` needs; see :func:`package_for`."""
    with package_for(module, "scikit-learn", name="sklearn", extra="sklearn"):
        yield


@contextmanager
def package_for(module: str, package: str, *, name: str, extra: str) -> Iterator[None]:
    """Tell how to install a package if it cannot be imported in this context.

    Raises
    ------
    ImportError
        If the package, which is imported as `name` and which `module` needs, is not installed.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != name:
            raise
        raise ImportError(f"{module} needs {package}: pip install 'dnncore[{extra}]'") from error
