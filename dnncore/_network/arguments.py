"""Validation of what :class:`dnncore.Network` takes besides rows and labels."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._core import checks as check
from .._core.names import REGRESSION_OUTPUTS
from .back_propagation import Forward, Layers


def check_forward(network: Layers, forward: Forward) -> None:
    """Raise an error unless `forward` fits the network."""
    if not isinstance(forward, Forward):
        raise TypeError(f"forward must be a Forward, got {type(forward).__name__}")
    columns = (forward.a[0].shape[1], *(z.shape[1] for z in forward.z))
    if columns != network.layer_sizes or forward.p.dtype != network.dtype:
        raise ValueError(
            f"forward must be of a network with layer_sizes {network.layer_sizes} and dtype "
            f"{network.dtype}, got {columns} and {forward.p.dtype}"
        )


def like_outputs(network: Layers, name: str, x: Any, forward: Forward) -> NDArray[Any]:
    """Return `x`, checked to be a finite array with the shape and dtype of the outputs."""
    checked = check.finite_matrix(name, x, network.layer_sizes[-1], network.dtype)
    if checked.shape != forward.p.shape:
        raise ValueError(
            f"{name} must have shape {forward.p.shape}, like forward.p, got {checked.shape}"
        )
    return checked


def weights_of_outputs(network: Layers, output: Any, forward: Forward) -> NDArray[Any]:
    """Return the index or the weights of outputs as an array of weights (n, n_outputs)."""
    shape = forward.p.shape
    if np.ndim(output) == 0:
        i = check.integer("output", output, low=0, high=shape[1] - 1)
        return np.broadcast_to(np.eye(shape[1], dtype=network.dtype)[i], shape)
    weights = np.asarray(output, network.dtype)
    if weights.shape not in (shape, shape[1:]):
        raise ValueError(
            f"output must be an int or have shape {shape[1:]} or {shape}, got {weights.shape}"
        )
    if not np.isfinite(weights).all():
        raise ValueError("output must be finite")
    return np.broadcast_to(weights, shape)


def units_of_targets(
    network: Layers, mean: ArrayLike | None, scale: ArrayLike | None
) -> NDArray[np.float64]:
    """Return mean (by default 0) and scale (by default 1) of the targets as (2, n_outputs)."""
    if network.output not in REGRESSION_OUTPUTS:
        raise ValueError(
            f"target_mean and target_scale require one of the outputs {REGRESSION_OUTPUTS}, got "
            f"{network.output!r}"
        )
    n = network.layer_sizes[-1]
    units = np.array([np.zeros(n), np.ones(n)])
    if mean is not None:
        units[0] = _of_outputs("target_mean", mean, n)
    if scale is not None:
        units[1] = _of_outputs("target_scale", scale, n)
    if not (units[1] > 0).all():
        raise ValueError(f"target_scale must be positive, got {units[1].min()}")
    return units


def _of_outputs(name: str, x: ArrayLike, n: int) -> NDArray[np.float64]:
    array = np.asarray(x, np.float64)
    if array.shape != (n,) or not np.isfinite(array).all():
        raise ValueError(f"{name} must contain {n} finite numbers, got {x!r:.80}")
    return array
