"""The losses by name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import kernels
from .._core.labels import Labels
from .._core.names import check_loss, loss_parameters

KERNELS: dict[str, Callable[..., tuple[float, NDArray[Any]]]] = {
    "cross_entropy": kernels.softmax_cross_entropy,
    "binary_cross_entropy": kernels.sigmoid_cross_entropy,
    "squared_error": kernels.squared_error,
    "huber": kernels.huber_error,
    "absolute_error": kernels.absolute_error,
    "poisson": kernels.poisson_deviance,
    "quantile": kernels.quantile_error,
}


def loss_and_delta(
    output: str,
    logits: NDArray[Any],
    labels: Labels,
    *,
    out: NDArray[Any] | None = None,
    loss: str | None = None,
    huber_delta: float = 1.0,
    quantiles: Sequence[float] | None = None,
) -> tuple[float, NDArray[Any]]:
    """Return the mean loss and its gradient with respect to the logits, which `out` may be.

    Parameters
    ----------
    output : str
        Output function of the network.
    logits : array of shape (n, n_outputs)
    labels : Labels
        Validated labels or targets of the rows.
    out : array of shape (n, n_outputs), default=None
        Array to store the gradient in.
    loss, huber_delta, quantiles
        As in :meth:`dnncore.Network.loss`.
    """
    options: dict[str, Any] = {"out": out}
    loss = check_loss(loss, output)
    parameters = loss_parameters(loss, logits.shape[1], huber_delta, quantiles)
    if loss == "huber":
        options["delta"] = parameters[0]
    elif loss == "quantile":
        options["quantiles"] = parameters
    return KERNELS[loss](logits, labels, **options)


def weight_column(labels: Labels, dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return the weights of the rows (n, 1) in the mean loss: ``w / sum w``, else ``1 / n``."""
    y = labels.label if labels.L is None else labels.L
    assert y is not None
    weight = np.ones(len(y), dtype) if labels.weight is None else labels.weight
    return np.asarray(weight * dtype.type(labels.inverse_total))[:, np.newaxis]


def outputs_backward(
    loss: str, p: NDArray[Any], labels: Labels, dz: NDArray[Any]
) -> NDArray[Any] | None:
    """Return the gradient of a loss with respect to the outputs p, which training does not need.

    `dz` is that with respect to the logits. None for the quantile loss, which compares the logits,
    not the sorted outputs, with the targets. As in :func:`dnncore.kernels.cross_entropy`,
    probabilities that have underflowed count as the smallest normal number.
    """
    if loss == "cross_entropy":
        return kernels.cross_entropy_backward(p, labels)  # type: ignore[arg-type]
    if loss == "quantile":
        return None
    if loss not in ("binary_cross_entropy", "poisson"):
        return dz.copy()  # p = z
    w, Y, tiny = weight_column(labels, p.dtype), labels.L, np.finfo(p.dtype).tiny
    assert Y is not None
    if loss == "poisson":
        return np.asarray(w * (1 - Y / p.clip(min=tiny)))
    return np.asarray(w * ((1 - Y) / (1 - p).clip(min=tiny) - Y / p.clip(min=tiny)))
