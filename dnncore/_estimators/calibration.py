"""The temperature of class probabilities."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from .. import kernels

MAX_LOG_TEMPERATURE = 1.5


def temperature(
    logits: NDArray[Any], label: NDArray[np.intp], weight: NDArray[Any] | None
) -> float:
    """Return the T that minimises the cross-entropy of softmax(logits / T).

    T is 1 if the cross-entropy does not depend on it: without any weight, for a single class, or
    if the logits of each row are equal.

    Guo, Pleiss, Sun and Weinberger 2017, https://arxiv.org/abs/1706.04599.

    Parameters
    ----------
    logits : array of shape (n, n_classes)
        Logits of rows that the networks were not trained on.
    label : intp array of shape (n,)
        Their classes.
    weight : array of shape (n,) or None
        Their weights.
    """
    matters = np.ptp(logits, axis=1) > 0.0
    if not (matters if weight is None else matters & (weight > 0.0)).any():
        return 1.0
    z = np.ascontiguousarray(logits, np.float64)
    w = None if weight is None else np.ascontiguousarray(weight, np.float64)

    def loss(log_t: float) -> float:
        scaled = z / np.exp(log_t)
        value, _ = kernels.softmax_cross_entropy(scaled, label, sample_weight=w, out=scaled)
        return float(value)

    bounds = (-MAX_LOG_TEMPERATURE, MAX_LOG_TEMPERATURE)
    return float(np.exp(minimize_scalar(loss, bounds=bounds, method="bounded").x))
