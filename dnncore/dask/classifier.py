"""DaskDNNClassifier: the classifier on Dask collections."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from ..classifier import DNNClassifier
from ._base import DaskEstimator, with_parameters_of
from ._partitions import is_collection


@with_parameters_of(DNNClassifier)
class DaskDNNClassifier(DaskEstimator, DNNClassifier):
    """Dense neural network classifier, trained on Dask collections.

    The model does not depend on the cluster: any number of workers, threads or processes gives the
    same bits, also after a worker was lost. It depends on the partitions of the collections.

    Parameters
    ----------
    hidden_layer_sizes, activation, **params
        Parameters of :class:`dnncore.DNNClassifier`, with its defaults. `n_threads` is the number
        of threads of a task, 1 by default, as Dask runs a task on each thread of a worker. With
        `engine`, 'auto' is 'builtin'. `max_time` ends training after a round.
    client : distributed.Client, default=None
        Client of the cluster. Default: the current one or, where there is none, the threads of
        this process.
    strategy : {'auto', 'exact', 'average'}, default='auto'
        'exact': a step takes the gradient of all rows or, if `batch_size` is a number, of as many
        partitions as have that many rows. 'average': in an epoch, each group of partitions is
        trained on from the same parameters; these and the solver's state are then averaged by the
        weight of the rows. 'auto': 'exact' for the solver 'lbfgs' and, without `dropout`, if
        `batch_size` is at least the number of rows; otherwise 'average'. The attribute
        ``strategy_`` tells which. 'exact' needs ``dropout=0``.
    keep_rows : bool or 'auto', default='auto'
        Whether the workers keep the prepared rows during the fit. Otherwise, every round reads the
        collections again. 'auto' keeps them if the processes of the workers then use at most half
        of their memory.

    Attributes
    ----------
    strategy_ : {'exact', 'average'}
        Strategy of the fit.

    All others are those of :class:`dnncore.DNNClassifier`.

    Notes
    -----
    Rows are checked as by the local estimator; an error names their partition. Without `X_val`,
    early stopping splits off rows of each partition, at random.

    Examples
    --------
    >>> import dask.array as da
    >>> from dnncore.dask import DaskDNNClassifier
    >>> X = da.random.default_rng(0).normal(size=(1000, 4), chunks=(250, 4))
    >>> y = (X[:, 0] > X[:, 1]).astype(int)
    >>> model = DaskDNNClassifier(random_state=0, max_iter=20, n_iter_no_change=100).fit(X, y)
    >>> bool(float(model.score(X, y)) > 0.9)
    True
    """

    local_class: ClassVar[Any] = DNNClassifier

    def __init__(
        self,
        hidden_layer_sizes: int | Sequence[int] = (100,),
        activation: str = "relu",
        *,
        client: Any = None,
        strategy: str = "auto",
        keep_rows: bool | str = "auto",
        **params: Any,
    ) -> None:
        DNNClassifier.__init__(self, hidden_layer_sizes, activation, **params)
        self._set_own_params(client, strategy, keep_rows)

    def predict(self, X: Any) -> Any:
        """Predict the class of each row, or the labels of multi-label rows.

        Parameters
        ----------
        X : Dask collection or array of shape (n_samples, n_features)
            Rows to predict.

        Returns
        -------
        array or dask.array.Array
            As :meth:`dnncore.DNNClassifier.predict`; of a collection, a lazy array.
        """
        if not is_collection(X):
            return super().predict(X)
        _, learnt = self._network_and_learnt()
        several = learnt.kind == "multilabel"
        shape = (len(learnt.classes),) if several else ()
        return self._lazily("predict", X, shape, int if several else learnt.classes.dtype)

    def predict_proba(self, X: Any) -> Any:
        """Predict the probability of each class.

        Parameters
        ----------
        X : Dask collection or array of shape (n_samples, n_features)
            Rows to predict.

        Returns
        -------
        array or dask.array.Array of shape (n_samples, n_classes)
            As :meth:`dnncore.DNNClassifier.predict_proba`; of a collection, a lazy array.
        """
        if not is_collection(X):
            return super().predict_proba(X)
        network, learnt = self._network_and_learnt()
        return self._lazily("predict_proba", X, (len(learnt.classes),), network.dtype)
