"""Permutation importances of the columns of a table."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._core.labels import Labels
from ..network import Network


def permutation_importances(
    networks: Sequence[Network],
    rows: NDArray[Any],
    labels: Labels,
    held_out: Sequence[NDArray[np.intp]],
    features: Sequence[Iterable[int]],
    random: np.random.RandomState,
    **loss_options: Any,
) -> NDArray[np.float64]:
    """Return how much the mean loss of held-out rows grows when a column is permuted.

    Breiman 2001, "Random forests"; on rows that a network was trained without.

    Parameters
    ----------
    networks : sequence of Network
    rows : array of shape (n, n_features)
        Encoded rows.
    labels : Labels
        Their labels.
    held_out : sequence of intp arrays
        Rows that each network was trained without.
    features : sequence of iterables of int
        Features of each column.
    random : RandomState
        Source of the permutations.
    **loss_options
        Options of the loss, as in `Network.loss`.

    Returns
    -------
    array of shape (n_columns,)
        Means over the networks whose held-out rows have a weight; 0 if there are none.
    """
    growth, n_networks = np.zeros(len(features)), 0
    for network, part in zip(networks, held_out, strict=True):
        X, of_part = rows[part], labels.take(part)
        if of_part.total == 0.0:
            continue
        n_networks += 1
        before = _loss(network, X, of_part, loss_options)
        for column, of_column in enumerate(features):
            permuted, chosen = X.copy(), list(of_column)
            permuted[:, chosen] = X[random.permutation(len(X))][:, chosen]
            growth[column] += _loss(network, permuted, of_part, loss_options) - before
    return growth / max(n_networks, 1)


def _loss(network: Network, X: NDArray[Any], labels: Labels, loss_options: dict[str, Any]) -> float:
    return network.mean_loss(network.logits(X, engine="builtin"), labels, **loss_options)
