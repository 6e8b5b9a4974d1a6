"""The losses by name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

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
