"""DaskDNNRegressor: the regressor on Dask collections."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np

from ..regressor import DNNRegressor
from ._base import DaskEstimator, with_parameters_of
from ._partitions import is_collection


@with_parameters_of(DNNRegressor)
class DaskDNNRegressor(DaskEstimator, DNNRegressor):
    """Dense neural network regressor, trained on Dask collections.

    See :class:`DaskDNNClassifier` for what both have in common.

    Parameters
    ----------
    loss, hidden_layer_sizes, activation, **params
        Parameters of :class:`dnncore.DNNRegressor`, with its defaults.
    client, strategy, keep_rows
        As for :class:`DaskDNNClassifier`.

    Attributes
    ----------
    strategy_ : {'exact', 'average'}
        Strategy of the fit.

    All others are those of :class:`dnncore.DNNRegressor`.
    """

    local_class: ClassVar[Any] = DNNRegressor

    def __init__(
        self,
        loss: str = "squared_error",
        hidden_layer_sizes: int | Sequence[int] = (100,),
        activation: str = "relu",
        *,
        client: Any = None,
        strategy: str = "auto",
        keep_rows: bool | str = "auto",
        **params: Any,
    ) -> None:
        DNNRegressor.__init__(self, loss, hidden_layer_sizes, activation, **params)
        self._set_own_params(client, strategy, keep_rows)

    def predict(self, X: Any) -> Any:
        """Predict the targets, in the units of y.

        Parameters
        ----------
        X : Dask collection or array of shape (n_samples, n_features)
            Rows to predict.

        Returns
        -------
        array or dask.array.Array
            As :meth:`dnncore.DNNRegressor.predict`; of a collection, a lazy array.
        """
        if not is_collection(X):
            return super().predict(X)
        network, learnt = self._network_and_learnt()
        shape = (len(learnt.mean),) if learnt.ndim == 2 else ()
        dtype = learnt.predictions(np.zeros((1, len(learnt.mean)), network.dtype)).dtype
        return self._lazily("predict", X, shape, dtype)
