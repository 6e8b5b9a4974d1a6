"""Dense networks: parameters in one flat vector, forward pass, loss and gradients."""

from __future__ import annotations

import copy
import os
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from ._core import checks as check
from ._core.architecture import check_same_architecture
from ._core.engine import SCORING_ROWS, Engine, multiplies_stored
from ._core.labels import Labels, labels, targets
from ._core.memory import aligned_zeros
from ._core.moments import Moments as Moments  # public here: an attribute of networks
from ._core.names import (
    ACTIVATIONS,
    OUTPUTS,
    TARGET_INTERVALS,
)
from ._core.parameters import ParameterLayout
from ._core.piecewise_linear import EmbeddingParameters as EmbeddingParameters  # public here
from ._core.piecewise_linear import PiecewiseLinear as PiecewiseLinear
from ._core.piecewise_linear import check_embedding
from ._core.threads import blas_for, threads_for_scoring, use_builtin
from ._network import arguments, back_propagation
from ._network.back_propagation import Forward as Forward  # public here
from ._network.back_propagation import Gradients as Gradients  # public here
from ._network.losses import loss_and_delta
from ._network.trace import Quantity as Quantity  # public here
from ._network.trace import Trace as Trace  # public here
from ._network.trace import trace_of
from .predictor import Predictor, frozen

# Largest number of inputs (rows times columns) that a thread scores together. It limits the memory
# where rows with very many features are made dense.
MAX_GATHERED = 2**23
# Largest number of outputs of units, and of packed weights, for which a network keeps memory
# between calls.
MAX_KEPT = 2**18


class Network:
    """A dense network: input standardisation or embedding, hidden layers, and an output layer.

    A hidden layer is an affine transformation followed by the activation function, the output
    layer an affine transformation followed by the output function.

    Parameters
    ----------
    layer_sizes : sequence of int
        (n_inputs, hidden layer sizes ..., n_outputs); at least two entries. There is one input
        for each feature, and one for each feature in `missing`; with an embedding, the inputs are
        its outputs.
    dtype : {numpy.float64, numpy.float32}, default=numpy.float64
        Data type of the parameters and of all array arguments and results. The two are never
        mixed.
    seed : int, RandomState instance or None, default=None
        Seed of the initial weights. If None, they differ from network to network.
    activation : str, default='logistic'
        Activation function of the hidden layers: 'logistic', 'tanh', 'relu', 'selu', 'silu'
        (also called swish), 'gelu' (the exact one, with erf), 'mish' or 'identity'.
    output : {'softmax', 'logistic', 'identity', 'exp', 'sorted'}, default='softmax'
        Output function, which also determines the loss: 'softmax' for the probabilities of
        mutually exclusive classes (cross-entropy), 'logistic' for an independent probability per
        output (binary cross-entropy). For regression: 'identity' (squared error, Huber loss or
        absolute error), 'exp' for the mean of counts and other non-negative targets (Poisson
        deviance), 'sorted' for quantiles of one target (quantile loss), where sorting the outputs
        of a row ensures that no quantile is above a higher one.
    missing : sequence of int, optional
        Features with a missing indicator: an additional input, after the features, that is 1 if
        the value is missing and 0 otherwise. If given (it may be empty), NaN denotes a missing
        value, which is replaced by 0 after standardisation, that is, by the mean of the feature.
        By default, rows with NaN raise an error.
    embedding : PiecewiseLinear, optional
        Embedding of numbers, as a first layer with layer_sizes[0] outputs. It replaces the input
        standardisation, and cannot be combined with `missing`.

    Attributes
    ----------
    layer_sizes : tuple of int
        Numbers of inputs, hidden units of each layer, and outputs.
    dtype : numpy.dtype
        Data type of the parameters.
    activation, output : str
        Activation function of the hidden layers, and output function.
    missing : intp array or None
        Features with a missing indicator; None if NaN is not allowed.
    embedding : PiecewiseLinear or None
        Embedding of numbers, converted to `dtype`.
    parameters : array (n_parameters,)
        All parameters: those of the embedding if there is one (``s``, ``V``, ``c``), ``W_1``
        (row-major), ``b_1``, ``W_2``, ...; aligned to 64 bytes.
    coefs_, intercepts_ : list of arrays (n_in, n_out) and (n_out,)
        Weights and biases of each dense layer, as views of `parameters`.
    embedding_ : EmbeddingParameters or None
        What the embedding has learnt, as views of `parameters`.
    mean_, scale_ : array (n_features,) or None
        Input standardisation; None if there is none.
    moments_ : Moments or None
        The moments that `mean_` and `scale_` were computed from; None unless computed by
        :meth:`update_norm`.

    Notes
    -----
    Rows can be arrays or sparse matrices of scipy.sparse, which are converted to CSR. Sparse rows
    give the same bits as dense ones. Without standardisation, missing values and embedding, the
    first layer of dnncore's own engine multiplies only their stored elements, if the indices of
    every row increase; else they are made dense one mini-batch or block of rows at a time.

    The initial weights and biases of a layer are uniform in +-sqrt(6 / (n_in + n_out)), or
    +-sqrt(2 / (n_in + n_out)) for the logistic function (Glorot and Bengio 2010). They are drawn
    from ``numpy.random.RandomState(seed)`` in the same order as in scikit-learn's
    ``MLPClassifier``, so that both start from the same weights. NumPy guarantees that this
    stream does not change. For the activations that scikit-learn does not have, the initial weights
    are uniform with variance 1 / n_in ('selu'; LeCun et al. 1998) or 2 / n_in ('silu', 'gelu',
    'mish'; He et al. 2015), and the initial biases are 0. After them, the ``V`` of an embedding is
    drawn, uniform in +-1 / sqrt(n_bins); its ``s`` is 1 and its ``c`` is 0.

    Examples
    --------
    >>> import numpy as np
    >>> from dnncore import Network
    >>> network = Network((4, 8, 3), seed=0)
    >>> network.predict_proba(np.zeros((1, 4))).shape
    (1, 3)
    """

    layer_sizes: tuple[int, ...]
    dtype: np.dtype[Any]
    activation: str
    output: str
    missing: NDArray[np.intp] | None
    embedding: PiecewiseLinear | None
    parameters: NDArray[Any]
    coefs_: list[NDArray[Any]]
    intercepts_: list[NDArray[Any]]
    embedding_: EmbeddingParameters | None
    layout: ParameterLayout  # internal
    mean_: NDArray[Any] | None
    scale_: NDArray[Any] | None
    moments_: Moments | None

    def __init__(
        self,
        layer_sizes: Sequence[int],
        *,
        dtype: DTypeLike = np.float64,
        seed: int | np.random.RandomState | None = None,
        activation: str = "logistic",
        output: str = "softmax",
        missing: ArrayLike | None = None,
        embedding: PiecewiseLinear | None = None,
    ) -> None:
        sizes = tuple(check.integer("layer_sizes", size, low=1) for size in layer_sizes)
        if len(sizes) < 2:
            raise ValueError(f"layer_sizes must have at least 2 entries, got {layer_sizes!r}")
        if np.dtype(dtype) not in (np.float32, np.float64):
            raise TypeError(f"dtype must be float32 or float64, got {np.dtype(dtype)}")
        self.activation = check.choice("activation", activation, ACTIVATIONS)
        self.output = check.choice("output", output, OUTPUTS)
        self.layer_sizes = sizes
        self.missing = None if missing is None else check.indicators(missing, sizes[0])
        self.dtype = np.dtype(dtype)
        self.embedding = None
        if embedding is not None:
            if missing is not None:
                raise ValueError("missing must be None with an embedding")
            self.embedding = check_embedding(embedding, sizes[0], self.dtype)
        self.mean_ = self.scale_ = self.moments_ = None
        self.layout = ParameterLayout(sizes, self.embedding)
        self._adopt(aligned_zeros(self.layout.size, self.dtype))
        if not isinstance(seed, np.random.RandomState):
            seed = np.random.RandomState(seed)
        self.layout.initialise(self.parameters, activation, seed)

    def _adopt(self, parameters: NDArray[Any]) -> None:
        """Store `parameters`, and create its views."""
        self.parameters = parameters
        self.coefs_, self.intercepts_ = self.layout.views(parameters)
        self.embedding_ = self.layout.embedding_views(parameters)

    @property
    def n_features(self) -> int:
        """Number of columns of the input rows."""
        if self.embedding is not None:
            return self.embedding.n_inputs
        return self.layer_sizes[0] - (0 if self.missing is None else self.missing.size)

    @property
    def n_parameters(self) -> int:
        """Number of parameters."""
        return int(self.parameters.size)

    def __repr__(self) -> str:
        norm = "" if self.mean_ is None else ", with norm"
        if self.missing is not None:
            norm += f", {self.missing.size} inputs for missing values"
        if self.embedding is not None:
            norm += f", embedding={self.embedding}"
        return (
            f"Network({self.layer_sizes}, dtype={self.dtype}, activation={self.activation!r}, "
            f"output={self.output!r}{norm})"
        )

    def _repr_html_(self) -> str:
        from ._html import network_html

        return network_html(self)

    def __getstate__(self) -> dict[str, Any]:
        # The dtype is restored from the parameters: skops does not trust the type numpy.dtype.
        names = ("layer_sizes", "activation", "output", "missing", "embedding", "parameters")
        return {name: getattr(self, name) for name in (*names, "mean_", "scale_", "moments_")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update({"embedding": None, **state})  # version 0.1 had no embedding
        self.dtype = state["parameters"].dtype
        self.layout = ParameterLayout(self.layer_sizes, self.embedding)
        parameters = aligned_zeros(state["parameters"].size, self.dtype)
        parameters[...] = state["parameters"]
        self._adopt(parameters)
        if self.mean_ is not None and self.scale_ is not None:  # may be of a file that is mapped
            self.mean_, self.scale_ = np.array(self.mean_), np.array(self.scale_)

    # ---------------------------------------------------------------------------- copies

    def copy(self) -> Network:
        """Return a copy with its own parameters and input standardisation."""
        return copy.deepcopy(self, {id(self.embedding): self.embedding})  # that is a constant

    def blend(self, other: Network, tau: float) -> None:
        """Move the parameters towards those of another network, in place.

        ``parameters = (1 - tau) parameters + tau other.parameters``

        This keeps a target network of reinforcement learning, or an average of the parameters of
        several steps (Polyak and Juditsky 1992). The input standardisation stays as it is.

        Parameters
        ----------
        other : Network
            Network with the same architecture, for example a :meth:`copy` of this one.
        tau : float
            Share of `other`, in [0, 1]; with 1, its parameters are copied.

        Raises
        ------
        TypeError, ValueError
            If `other` is not a network, or the layer sizes, the dtype, the functions, the missing
            indicators or the embedding differ, or `tau` is invalid.
        """
        tau = check.number("tau", tau, low=0.0, high=1.0)
        if not isinstance(other, Network):
            raise TypeError(f"other must be a Network, got {type(other).__name__}")
        check_same_architecture("other", other, self)
        if tau == 1.0:  # a copy, even if the parameters that it replaces are not finite
            self.parameters[...] = other.parameters
            return
        share = tau * other.parameters  # computed first: `other` may be this network
        self.parameters *= 1.0 - tau
        self.parameters += share

    # ------------------------------------------------------------------------------ norm

    def set_norm(self, mean: ArrayLike | None, scale: ArrayLike | None) -> None:
        """Set the mean and scale of the input standardisation, or remove it.

        Parameters
        ----------
        mean, scale : array (n_features,) or None
            Finite mean and positive, finite scale of each feature, converted to the dtype of the
            network. If both are None, the standardisation is removed.

        Raises
        ------
        ValueError
            If only one of them is None, a shape or value is invalid, or the network has an
            embedding.
        """
        if mean is None or scale is None:
            if mean is not scale:
                raise ValueError("mean and scale must both be arrays or both be None")
            self.mean_ = self.scale_ = self.moments_ = None
            return
        self._check_norm()
        shape = (self.n_features,)
        mean, scale = np.array(mean, self.dtype), np.array(scale, self.dtype)
        for name, x in (("mean", mean), ("scale", scale)):
            if x.shape != shape:
                raise ValueError(f"{name} must have shape {shape}, got {x.shape}")
            if not np.isfinite(x).all():
                raise ValueError(f"{name} must be finite")
        if not (scale > 0).all():
            raise ValueError(f"scale must be positive, got {scale.min()}")
        self.mean_, self.scale_, self.moments_ = mean, scale, None

    def update_norm(self, X: Any, sample_weight: NDArray[Any] | None = None) -> None:
        """Update the mean and scale of the input standardisation with the rows of X.

        Mean and scale are computed from the rows of all calls. The scale is the standard deviation
        s for a feature whose smallest and largest value, a and b, are equally far from the mean m,
        in general ``s (b - a) / (2 sqrt((m - a) (b - m)))``. It lies between s and half the range,
        and is that for a feature with two values, so that a rare one is not blown up. Missing
        values are ignored; a feature without values has mean 0 and scale 1.

        Parameters
        ----------
        X : array or sparse matrix (n, n_features), of the dtype of the network
            Input rows.
        sample_weight : array (n,), optional
            Weights of the rows. A row of weight w counts as w rows.

        Raises
        ------
        ValueError
            If a feature is too large to be standardised; the network is unchanged.

        Notes
        -----
        Constant features have scale 1. A mean and scale set by :meth:`set_norm` are discarded,
        because the number of rows that they represent is unknown.
        """
        self._check_norm()
        X = self.check_rows(X)
        missing = self.missing is not None
        if self.moments_ is None:
            moments = Moments.empty(self.n_features, missing=missing, ranges=True)
        else:
            moments = self.moments_.copy()
        moments.update(X, sample_weight)
        moments.check(self.dtype)
        self.adopt_moments(moments)

    def _check_norm(self) -> None:
        if self.embedding is not None:
            raise ValueError("a network with an embedding has no input standardisation")

    # --------------------------------------------------------------------------- scoring

    def predict_proba(self, X: Any, *, n_threads: int | None = None) -> NDArray[Any]:
        """Compute the outputs for the rows of X: probabilities, or numbers of a regression.

        Parameters
        ----------
        X : array or sparse matrix (n, n_features), of the dtype of the network
            Input rows.
        n_threads : int, optional
            Number of threads. By default, it depends on the amount of work.

        Returns
        -------
        array (n, n_outputs)

        Raises
        ------
        TypeError, ValueError
            If X has the wrong dtype or number of columns, or is not finite.
        """
        return self._score(self.check_rows(X), False, n_threads)

    def decision_function(self, X: Any, *, n_threads: int | None = None) -> NDArray[Any]:
        """Compute the logits (n, n_outputs) for the rows of X; see :meth:`predict_proba`."""
        return self._score(self.check_rows(X), True, n_threads)

    def _score(
        self, X: check.Matrix, as_logits: bool, n_threads: int | None, engine: str = "auto"
    ) -> NDArray[Any]:
        n = X.shape[0]
        out = np.empty((n, self.layer_sizes[-1]), self.dtype)
        csr = multiplies_stored(X, self.mean_, self.missing, self.embedding, use_builtin(engine))
        gathered = 0 if csr else self.layer_sizes[0]  # elements of a row in the engine's memory
        work = n * self.n_parameters
        if csr:
            work += (X.nnz - n * self.layer_sizes[0]) * self.layer_sizes[1]
        threads = threads_for_scoring(n_threads, work)
        rows = max(1, min(n, SCORING_ROWS, MAX_GATHERED // max(1, gathered)))
        # The engine keeps the arrays alive.
        arrays = id(self.parameters), id(self.mean_), id(self.scale_)
        key = *arrays, threads, use_builtin(engine), csr
        # While it scores, the engine is out of reach of other threads.
        kept, scorer = self.__dict__.pop("_scorer", None) or (None, None)
        if scorer is None or kept != key or scorer.batch_size < rows:
            scorer = self._new_scorer(rows, threads, engine, csr)
        with blas_for(engine):
            scorer.score(X, out, as_logits)
        n_kept = scorer.batch_size * (gathered + sum(self.layer_sizes[1:])) + self.n_parameters
        if n_kept * threads <= MAX_KEPT:
            self._scorer = key, scorer
        return out

    def _new_scorer(self, rows: int, n_threads: int, engine: str, csr: bool) -> Engine:
        return Engine(
            self.layer_sizes, self.parameters, self.mean_, self.scale_, rows, n_threads,
            training=False, builtin=use_builtin(engine), activation=self.activation,
            output=self.output, missing=self.missing, embedding=self.embedding, csr=csr,
        )  # fmt: skip

    def freeze(
        self,
        classes: ArrayLike | None = None,
        *,
        target_mean: ArrayLike | None = None,
        target_scale: ArrayLike | None = None,
    ) -> Predictor:
        """Create a predictor: a copy for scoring, with the standardisation folded in.

        After further training, :meth:`dnncore.predictor.Predictor.refresh` updates the copy.

        Parameters
        ----------
        classes : array (n_outputs,), optional
            Labels of the outputs. By default, 0, 1, ...
        target_mean, target_scale : array (n_outputs,), optional
            Mean and scale of the targets: the logits become ``z * target_scale + target_mean``.
            They are folded into the last layer, before the output function. Only allowed for a
            regression.

        Returns
        -------
        Predictor

        Raises
        ------
        ValueError
            If a parameter is not finite, or an argument is invalid.
        """
        units = None
        if target_mean is not None or target_scale is not None:
            units = arguments.units_of_targets(self, target_mean, target_scale)
        return frozen(self, classes, units)

    # -------------------------------------------------------------- forward and backward

    def forward(self, X: Any) -> Forward:
        """Compute all quantities of the forward pass, layer by layer.

        Parameters
        ----------
        X : array or sparse matrix (n, n_features), of the dtype of the network
            Input rows.

        Returns
        -------
        Forward
        """
        return back_propagation.forward(self, self.check_rows(X))

    def loss(
        self,
        X: Any,
        y: ArrayLike,
        *,
        sample_weight: ArrayLike | None = None,
        alpha: float = 0.0,
        loss: str | None = None,
        huber_delta: float = 1.0,
        quantiles: Sequence[float] | None = None,
    ) -> float:
        """Compute the mean loss of the rows, plus the L2 penalty.

        ``(1 / sum w) sum_rows w loss(row) + alpha / (2 sum w) sum W^2``

        where the loss of a row is ``-sum_i L_i log p_i`` for output 'softmax',
        ``-sum_i (Y_i log p_i + (1 - Y_i) log(1 - p_i))`` for 'logistic';
        ``sum_i (z_i - Y_i)^2 / 2``, the Huber loss or ``sum_i |z_i - Y_i|`` for 'identity';
        half the Poisson deviance, ``sum_i (Y_i log(Y_i / p_i) - Y_i + p_i)``, for 'exp'; and the
        quantile loss of the logits, ``sum_i max(q_i (Y_i - z_i), (1 - q_i) (z_i - Y_i))``, for
        'sorted'.

        Parameters
        ----------
        X : array or sparse matrix (n, n_features), of the dtype of the network
            Input rows.
        y : integer array (n,) or array (n, n_outputs) of the dtype of the network
            For output 'softmax', class indices or soft labels (class probabilities of each row).
            Otherwise, the targets Y, of shape (n, n_outputs) or, for one output, (n,): in [0, 1]
            for 'logistic', non-negative for 'exp'. For 'sorted', (n,) is one target for all
            outputs.
        sample_weight : array (n,), optional
            Weights w of the rows, non-negative and not all zero. By default, all are 1.
        alpha : float, default=0.0
            L2 penalty of the weights (not of the biases).
        loss : str, optional
            Loss function: 'cross_entropy' for output 'softmax', 'binary_cross_entropy' for
            'logistic', 'squared_error' (the default), 'huber' or 'absolute_error' for 'identity',
            'poisson' for 'exp', 'quantile' for 'sorted'.
        huber_delta : float, default=1.0
            Residual at which the Huber loss becomes linear.
        quantiles : sequence of n_outputs floats, optional
            Levels q of the quantiles that 'quantile' requires, within (0, 1), in ascending order.

        Returns
        -------
        float
        """
        logits = self.decision_function(X)
        labels = self.check_labels(y, sample_weight, logits.shape[0])
        alpha = check.number("alpha", alpha, low=0.0)
        return self.mean_loss(
            logits, labels, alpha=alpha, loss=loss, huber_delta=huber_delta, quantiles=quantiles
        )

    def gradients(
        self,
        X: Any,
        y: ArrayLike,
        *,
        sample_weight: ArrayLike | None = None,
        alpha: float = 0.0,
        loss: str | None = None,
        huber_delta: float = 1.0,
        quantiles: Sequence[float] | None = None,
    ) -> Gradients:
        """Compute the loss and its gradients by back-propagation, layer by layer.

        Parameters
        ----------
        X, y, sample_weight, alpha, loss, huber_delta, quantiles
            As in :meth:`loss`.

        Returns
        -------
        Gradients
        """
        X = self.check_rows(X)
        labels = self.check_labels(y, sample_weight, X.shape[0])
        alpha = check.number("alpha", alpha, low=0.0)
        return self.back_propagate(
            X, labels, alpha=alpha, loss=loss, huber_delta=huber_delta, quantiles=quantiles
        )

    def trace(
        self,
        X: Any,
        y: ArrayLike,
        *,
        sample_weight: ArrayLike | None = None,
        alpha: float = 0.0,
        loss: str | None = None,
        huber_delta: float = 1.0,
        quantiles: Sequence[float] | None = None,
    ) -> Trace:
        """Compute :meth:`forward` and :meth:`gradients`, with the names of the derivation.

        Parameters
        ----------
        X, y, sample_weight, alpha, loss, huber_delta, quantiles
            As in :meth:`loss`.

        Returns
        -------
        Trace
            Every quantity with its value, shape, layer, formula and kernel. Later changes of the
            network or of `X` do not affect it.

        Examples
        --------
        >>> import numpy as np
        >>> from dnncore import Network
        >>> trace = Network((2, 3, 2), seed=0).trace(np.ones((1, 2)), np.array([0]))
        >>> print(trace)  # doctest: +ELLIPSIS
        name  layer  shape   values ...
        x     0      (1, 2)  1 ...
        """
        X = self.check_rows(X).copy()
        labels = self.check_labels(y, sample_weight, X.shape[0])
        alpha = check.number("alpha", alpha, low=0.0)
        options: dict[str, Any] = {
            "loss": loss, "huber_delta": huber_delta, "quantiles": quantiles
        }  # fmt: skip
        forward, gradients = self._passes(X, labels, alpha=alpha, **options)
        decay = alpha * labels.inverse_total
        return trace_of(self, forward, gradients, labels, decay=decay, **options)

    def backward(
        self,
        forward: Forward,
        dz: ArrayLike | None = None,
        *,
        d_outputs: ArrayLike | None = None,
    ) -> Gradients:
        """Compute the gradients of a loss of your own by back-propagation.

        With the gradient dz_n of the loss with respect to the logits, for each layer l from the
        last to the first::

            dW_l = a_{l-1}^T dz_l      db_l = sum_rows dz_l      da_{l-1} = dz_l W_l^T
            dz_{l-1} = da_{l-1} * activation'(z_{l-1})

        There is no dropout and no L2 penalty.

        Parameters
        ----------
        forward : Forward
            Result of :meth:`forward`, computed with the present parameters.
        dz : array (n, n_outputs), of the dtype of the network
            Gradient with respect to the logits ``forward.z[-1]``.
        d_outputs : array (n, n_outputs), of the dtype of the network
            Instead of `dz`, the gradient with respect to the outputs ``forward.p``. For output
            'softmax', ``dz = p * (d_outputs - sum_j d_outputs_j p_j)``; for 'logistic',
            ``dz = d_outputs * p * (1 - p)``; for 'exp', ``dz = d_outputs * p``; for 'sorted', the
            order of the logits is restored.

        Returns
        -------
        Gradients
            Its `loss` is NaN.

        Raises
        ------
        TypeError, ValueError
            If not exactly one of `dz` and `d_outputs` is given, it has the wrong dtype or shape or
            is not finite, or `forward` does not fit the network.

        Examples
        --------
        >>> import numpy as np
        >>> from dnncore import Network
        >>> network = Network((4, 8, 1), output="identity", seed=0)
        >>> X, y = np.ones((5, 4)), np.zeros((5, 1))
        >>> forward = network.forward(X)
        >>> loss = np.log(np.cosh(forward.p - y)).mean()
        >>> gradients = network.backward(forward, d_outputs=np.tanh(forward.p - y) / 5)
        >>> network.parameters -= 0.1 * gradients.flat
        >>> bool(np.log(np.cosh(network.forward(X).p - y)).mean() < loss)
        True
        """
        arguments.check_forward(self, forward)
        if (dz is None) == (d_outputs is None):
            raise TypeError("exactly one of dz and d_outputs must be given")
        if dz is not None:
            dz = arguments.like_outputs(self, "dz", dz, forward)
        else:
            d_outputs = arguments.like_outputs(self, "d_outputs", d_outputs, forward)
            dz = back_propagation.output_backward(self, d_outputs, forward)
        return back_propagation.backward(self, forward, dz)

    def input_gradient(
        self,
        X: Any,
        y: ArrayLike | None = None,
        *,
        output: int | ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
        loss: str | None = None,
        huber_delta: float = 1.0,
        quantiles: Sequence[float] | None = None,
    ) -> NDArray[Any]:
        """Compute the gradient of the loss, or of outputs, with respect to the input rows.

        Either of the mean loss, given targets `y`::

            d (1 / sum w) sum_rows w loss(row) / d X[r, f]

        or, given `output`, of a weighted sum of the outputs p of each row::

            d sum_i c_i p[r, i] / d X[r, f]

        Parameters
        ----------
        X : array or sparse matrix (n, n_features), of the dtype of the network
            Input rows.
        y : array, optional
            Targets, as in :meth:`loss`.
        output : int, or array (n_outputs,) or (n, n_outputs), optional
            Index of an output, or the weights c of the outputs, for all rows or for each row.
        sample_weight, loss, huber_delta, quantiles
            As in :meth:`loss`; only with `y`.

        Returns
        -------
        array (n, n_features)
            Gradient with respect to X, before standardisation or embedding; 0 where a value is
            missing.

        Raises
        ------
        TypeError, ValueError
            If not exactly one of `y` and `output` is given, or an argument is invalid.

        Examples
        --------
        >>> import numpy as np
        >>> from dnncore import Network
        >>> network = Network((4, 8, 3), seed=0)
        >>> network.input_gradient(np.ones((2, 4)), output=1).shape
        (2, 4)
        """
        if (y is None) == (output is None):
            raise TypeError("exactly one of y and output must be given")
        if y is not None:
            options: dict[str, Any] = {
                "loss": loss, "huber_delta": huber_delta, "quantiles": quantiles
            }  # fmt: skip
            return self.gradients(X, y, sample_weight=sample_weight, **options).dx
        of_loss = (sample_weight, loss, quantiles)
        if huber_delta != 1.0 or any(option is not None for option in of_loss):
            raise TypeError("sample_weight, loss, huber_delta and quantiles require y")
        forward = self.forward(X)
        weights = arguments.weights_of_outputs(self, output, forward)
        return self.backward(forward, d_outputs=weights).dx

    # ---------------------------------------------------------------------------- saving

    def save(self, path: str | os.PathLike[str]) -> None:
        """Save the network as a safetensors file, which :func:`dnncore.load` reads."""
        from .modelfile import save

        save(self, path)

    # ------------------------------------------------------------------ internal interface
    #
    # For the other modules of the package, in addition to the public methods. They validate rows
    # and labels once, with check_rows and check_labels. The other methods do not validate their
    # arguments again.

    def check_rows(self, X: Any) -> check.Matrix:
        """Return validated rows in the form required by the compiled code.

        Raises
        ------
        TypeError, ValueError
            If they have the wrong dtype or number of columns, or contain infinity, or NaN where
            it does not denote a missing value.
        """
        missing = self.missing is not None
        return check.input_matrix("X", X, self.n_features, self.dtype, missing=missing)

    def check_labels(self, y: ArrayLike, sample_weight: ArrayLike | None, n: int) -> Labels:
        """Return validated labels or targets of n rows in the form required by the compiled code.

        Raises
        ------
        TypeError, ValueError
            If they do not match the output of the network, or the weights are invalid.
        """
        arguments = (y, sample_weight, (n, self.layer_sizes[-1]), "X and the network", self.dtype)
        if self.output == "softmax":
            return labels("y", *arguments)
        interval = TARGET_INTERVALS.get(self.output)
        return targets("y", *arguments, interval=interval, shared=self.output == "sorted")

    def adopt_moments(self, moments: Moments) -> None:
        """Set the mean and scale of the input standardisation to those of `moments`."""
        mean, scale = moments.mean.astype(self.dtype), moments.scale(self.dtype)
        if self.mean_ is None or self.scale_ is None:
            self.mean_, self.scale_ = mean, scale
        else:  # in place, so that engines remain valid
            self.mean_[...], self.scale_[...] = mean, scale
        self.moments_ = moments

    def views(self, flat: NDArray[Any]) -> tuple[list[NDArray[Any]], list[NDArray[Any]]]:
        """Return the weights and biases as views of a vector with the layout of `parameters`."""
        return self.layout.views(flat)

    def penalty(self, decay: float) -> float:
        """Return ``decay / 2`` times the sum of the squared weights."""
        return 0.5 * decay * sum(float(np.vdot(W, W)) for W in self.coefs_)

    def logits(
        self, X: check.Matrix, *, n_threads: int | None = None, engine: str = "auto"
    ) -> NDArray[Any]:
        """Compute the logits as :meth:`decision_function` does, for validated rows.

        With the engine 'builtin', they have the same bits on every instruction set.
        """
        return self._score(X, True, n_threads, engine)

    def mean_loss(
        self,
        logits: NDArray[Any],
        labels: Labels,
        *,
        alpha: float = 0.0,
        **loss_options: Any,
    ) -> float:
        """Compute the loss as :meth:`loss` does, from validated labels and logits.

        The logits are overwritten. The options of the loss are those of :meth:`loss`.
        """
        value, _ = loss_and_delta(self.output, logits, labels, out=logits, **loss_options)
        return value + self.penalty(alpha * labels.inverse_total)

    def back_propagate(
        self,
        X: check.Matrix,
        labels: Labels,
        *,
        alpha: float,
        **loss_options: Any,
    ) -> Gradients:
        """Compute the gradients as :meth:`gradients` does, for validated rows and labels."""
        return self._passes(X, labels, alpha=alpha, **loss_options)[1]

    def _passes(
        self, X: check.Matrix, labels: Labels, *, alpha: float, **loss_options: Any
    ) -> tuple[Forward, Gradients]:
        forward = back_propagation.forward(self, X)
        decay = alpha * labels.inverse_total
        value, dz = loss_and_delta(self.output, forward.z[-1], labels, **loss_options)
        value += self.penalty(decay)
        return forward, back_propagation.backward(self, forward, dz, loss=value, decay=decay)
