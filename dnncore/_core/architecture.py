"""Comparison of the architectures of networks and predictors."""

from __future__ import annotations

from operator import attrgetter
from typing import Any

import numpy as np

ATTRIBUTES = ("layer_sizes", "dtype", "activation", "output", "missing", "embedding")
OF_EMBEDDING = tuple(
    f"embedding.{name}"
    for name in ("n_inputs", "n_numeric", "n_bins", "size", "lower", "inverse_width")
)


def check_same_architecture(name: str, network: Any, expected: Any) -> None:
    """Raise an error unless a network has the architecture of another network or predictor.

    The parameters and the input standardisation may differ.

    Parameters
    ----------
    name : str
        Name of `network` in errors.
    network : Network
    expected : Network or Predictor

    Raises
    ------
    TypeError
        If `network` is something else.
    ValueError
        If they differ; it names the first attribute that does.
    """
    if not all(hasattr(network, attribute) for attribute in (*ATTRIBUTES, "mean_")):
        raise TypeError(f"{name} must be a Network, got {type(network).__name__}")
    attributes: tuple[str, ...] = ATTRIBUTES
    if network.embedding is expected.embedding:  # a constant, which copies share
        attributes = ATTRIBUTES[:-1]
    elif None not in (network.embedding, expected.embedding):
        attributes = (*ATTRIBUTES[:-1], *OF_EMBEDDING)
    for attribute in attributes:
        got, wanted = (_value(attrgetter(attribute)(x)) for x in (network, expected))
        if got != wanted:
            raise ValueError(f"{name} must have {attribute} {wanted!s:.80}, got {got!s:.80}")


def _value(x: Any) -> Any:
    return x.tolist() if isinstance(x, np.ndarray) else x
