"""Ensembles: networks whose outputs are averaged."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ._core import checks as check
from ._network.back_propagation import apply_output
from .network import Network


class Ensemble:
    """Networks whose outputs are averaged: probabilities, or numbers.

    Parameters
    ----------
    networks : sequence of Network
        Networks with the same inputs, outputs and dtype.

    Attributes
    ----------
    networks : tuple of Network

    Examples
    --------
    >>> import numpy as np
    >>> from dnncore import Network
    >>> from dnncore.ensemble import Ensemble
    >>> ensemble = Ensemble([Network((4, 8, 3), seed=seed) for seed in range(5)])
    >>> ensemble.predict_proba(np.zeros((1, 4))).shape
    (1, 3)
    """

    def __init__(self, networks: Sequence[Network]) -> None:
        self.networks = tuple(networks)
        if not self.networks:
            raise ValueError("networks must not be empty")
        forms = {
            (n.n_features, n.layer_sizes[-1], n.output, n.dtype.name, n.missing is None)
            for n in self.networks
        }
        if len(forms) > 1:
            raise ValueError(
                "networks must have the same numbers of features and outputs, the same output "
                f"function and dtype, got {sorted(forms)}"
            )

    @property
    def dtype(self) -> np.dtype[Any]:
        """Data type of the networks."""
        return self.networks[0].dtype

    @property
    def n_features(self) -> int:
        """Number of columns of the input rows."""
        return self.networks[0].n_features

    @property
    def output(self) -> str:
        """Output function of the networks."""
        return self.networks[0].output

    @property
    def n_outputs(self) -> int:
        """Number of outputs."""
        return self.networks[0].layer_sizes[-1]

    @property
    def n_parameters(self) -> int:
        """Number of weights and biases of all networks."""
        return sum(network.n_parameters for network in self.networks)

    def __repr__(self) -> str:
        return f"Ensemble of {len(self.networks)} networks, {self.networks[0]!r}"

    def predict_proba(self, X: Any, *, n_threads: int | None = None) -> NDArray[Any]:
        """Compute the mean outputs for the rows of X; see :meth:`dnncore.Network.predict_proba`.

        Parameters
        ----------
        X : array or sparse matrix of shape (n, n_features), of the dtype of the networks
            Input rows.
        n_threads : int, optional
            Number of threads. By default, it depends on the amount of work.

        Returns
        -------
        array of shape (n, n_outputs)
        """
        return self.mean(self.networks[0].check_rows(X), n_threads=n_threads)

    # ------------------------------------------------------------------ internal interface

    def mean(self, X: check.Matrix, *, n_threads: int | None = None) -> NDArray[Any]:
        """Compute the mean outputs for checked rows."""
        total: NDArray[Any] | None = None
        for network in self.networks:
            z = network.logits(X, n_threads=n_threads, engine="builtin")
            outputs = apply_output(network.output, z)
            total = outputs if total is None else np.add(total, outputs, out=total)
        assert total is not None
        total /= total.dtype.type(len(self.networks))
        return total


def scale_logits(network: Network, factor: float) -> None:
    """Multiply the logits of a network by a factor, which is folded into its last layer."""
    for array in (network.coefs_[-1], network.intercepts_[-1]):
        array *= array.dtype.type(factor)
