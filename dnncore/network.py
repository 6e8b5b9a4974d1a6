"""A dense network: its parameters in one flat vector, forward, loss and gradients."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from . import kernels
from ._core import checks as check
from ._core.engine import SCORING_ROWS, Engine, input_rows
from ._core.labels import Labels, labels, targets
from ._core.memory import aligned_zeros
from ._core.moments import Moments
from ._core.names import ACTIVATIONS, OUTPUTS, check_loss
from ._core.parameters import ParameterLayout
from ._core.threads import blas_for, threads_for_scoring, use_builtin
from .predictor import Predictor

# Inputs of the rows that a thread scores together: with very many features, the rows of a
# sparse matrix take less memory as they are than when they are made dense.
MAX_GATHERED = 2**23


@dataclass(frozen=True)
class Forward:
    """Every quantity of a forward pass over n rows.

    Attributes
    ----------
    a : list of arrays
        ``a[0]`` is the normalised input (n, n_features), ``a[l]`` the output of hidden
        layer l, ``activation(z[l - 1])``.
    z : list of arrays
        ``z[l] = a[l] W[l] + b[l]``; the last are the logits.
    p : array (n, n_outputs)
        ``output(z[-1])``.
    """

    a: list[NDArray[Any]]
    z: list[NDArray[Any]]
    p: NDArray[Any]


@dataclass(frozen=True)
class Gradients:
    """The loss over n rows, and its derivatives.

    Attributes
    ----------
    loss : float
    flat : array (n_parameters,)
        Derivatives with respect to ``Network.parameters``, in the same order.
    coefs, intercepts : list of arrays
        Views of `flat`, shaped like ``Network.coefs_`` and ``Network.intercepts_``.
    deltas : list of arrays
        ``deltas[l]``: derivative with respect to ``Forward.z[l]``.
    dx : array (n, n_features)
        Derivative with respect to the input rows, through norm.
    """

    loss: float
    flat: NDArray[Any]
    coefs: list[NDArray[Any]]
    intercepts: list[NDArray[Any]]
    deltas: list[NDArray[Any]]
    dx: NDArray[Any]


class Network:
    """Norm, then (Affine, Sigmoid) for every hidden layer, then Affine, Softmax.

    Parameters
    ----------
    layer_sizes : sequence of int
        (n_features, hidden sizes ..., n_outputs); at least two entries.
    dtype : {numpy.float64, numpy.float32}
        Of the parameters and of all arrays given and returned. The two are never mixed.
    seed : int, optional
        Of the initial weights. Without it they differ from one network to the next.
    activation : {'logistic', 'tanh', 'relu', 'identity'}
        Of the hidden layers.
    output : {'softmax', 'logistic', 'identity'}
        What the last layer ends in, and with it the loss: one class out of several
        (cross-entropy), a probability for each output by itself (binary cross-entropy), or
        numbers (squared error, or Huber's).
    missing : sequence of int, optional
        Without it NaN in a row is an error. With it NaN stands for a missing value, which norm
        turns into 0, as it does the feature's mean. Each feature named has one more input, after
        those of the features, that is 1 where its value is missing, and else 0.

    Attributes
    ----------
    layer_sizes : tuple of int
    dtype : numpy.dtype
    activation, output : str
    missing : intp array or None
    parameters : array (n_parameters,)
        All parameters, ``W_1`` (row by row), ``b_1``, ``W_2``, ...; 64-byte aligned.
    coefs_, intercepts_ : list of arrays (n_in, n_out) and (n_out,)
        Views of `parameters`.
    mean_, scale_ : array (n_features,) or None
        Of norm; None where the network has no norm.
    moments_ : Moments or None
        What `mean_` and `scale_` come from, if :meth:`update_norm` made them.

    Notes
    -----
    Rows come as arrays or as sparse matrices of scipy.sparse, which are taken as CSR. They are
    made dense a mini-batch, or a block of rows, at a time, and give the same bits.

    Weights and biases of a layer start uniform in +-sqrt(6 / (n_in + n_out)), or
    +-sqrt(2 / (n_in + n_out)) for the logistic function (Glorot and Bengio 2010), drawn from
    ``numpy.random.RandomState(seed)`` in the order in which scikit-learn's ``MLPClassifier``
    draws them, so that both start from the same weights. That stream is frozen in NumPy.

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
    parameters: NDArray[Any]
    coefs_: list[NDArray[Any]]
    intercepts_: list[NDArray[Any]]
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
        self.mean_ = self.scale_ = self.moments_ = None
        self._layout = ParameterLayout(sizes)
        self._adopt(aligned_zeros(self._layout.size, self.dtype))
        if not isinstance(seed, np.random.RandomState):
            seed = np.random.RandomState(seed)
        self._layout.initialise(self.parameters, activation, seed)

    def _adopt(self, parameters: NDArray[Any]) -> None:
        """Make `parameters` the vector that the views show."""
        self.parameters = parameters
        self.coefs_, self.intercepts_ = self._layout.views(parameters)

    @property
    def n_features(self) -> int:
        """Number of columns of the rows that come in."""
        return self.layer_sizes[0] - (0 if self.missing is None else self.missing.size)

    @property
    def n_parameters(self) -> int:
        """Number of weights and biases."""
        return int(self.parameters.size)

    def __repr__(self) -> str:
        norm = "" if self.mean_ is None else ", with norm"
        if self.missing is not None:
            norm += f", {self.missing.size} inputs for missing values"
        return (
            f"Network({self.layer_sizes}, dtype={self.dtype}, activation={self.activation!r}, "
            f"output={self.output!r}{norm})"
        )

    def _repr_html_(self) -> str:
        from ._html import network_html

        return network_html(self)

    def __getstate__(self) -> dict[str, Any]:
        # Without the dtype, which the parameters have: skops does not know it as a harmless type.
        names = ("layer_sizes", "activation", "output", "missing", "parameters")
        return {name: getattr(self, name) for name in (*names, "mean_", "scale_", "moments_")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.dtype = state["parameters"].dtype
        self._layout = ParameterLayout(self.layer_sizes)
        parameters = aligned_zeros(state["parameters"].size, self.dtype)
        parameters[...] = state["parameters"]
        self._adopt(parameters)

    # ------------------------------------------------------------------------------ norm

    def set_norm(self, mean: ArrayLike | None, scale: ArrayLike | None) -> None:
        """Give norm its mean and scale, or take norm away (None, None).

        Parameters
        ----------
        mean, scale : array (n_features,) or None
            Converted to the dtype of the network. Finite; `scale` positive.

        Raises
        ------
        ValueError
            If only one is None, a shape is wrong or a value is not allowed.
        """
        if mean is None or scale is None:
            if mean is not scale:
                raise ValueError("mean and scale must both be arrays or both be None")
            self.mean_ = self.scale_ = self.moments_ = None
            return
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
        """Let norm standardise the rows of X together with those of earlier calls.

        Missing values do not count; a feature without any value has mean 0 and scale 1.

        Parameters
        ----------
        X : array or sparse matrix (n, n_features), of the dtype of the network
        sample_weight : array (n,), optional
            A weight counts as so many repetitions of the row.

        Notes
        -----
        A constant feature gets scale 1. Mean and scale that :meth:`set_norm` gave are
        forgotten: it does not say how many rows they stand for.
        """
        X = self.check_rows("X", X)
        missing = self.missing is not None
        moments = self.moments_ or Moments.empty(self.n_features, missing=missing)
        moments.update(X, sample_weight)
        self.adopt_moments(moments)

    # --------------------------------------------------------------------------- scoring

    def predict_proba(self, X: Any, *, n_threads: int | None = None) -> NDArray[Any]:
        """Outputs of the rows of X: probabilities, unless the output is 'identity'.

        Parameters
        ----------
        X : array or sparse matrix (n, n_features), of the dtype of the network
        n_threads : int, optional
            Default: as many as the work occupies.

        Returns
        -------
        array (n, n_outputs)

        Raises
        ------
        TypeError, ValueError
            If X has another dtype or number of columns, or is not finite.
        """
        return self._score(self.check_rows("X", X), False, n_threads)

    def decision_function(self, X: Any, *, n_threads: int | None = None) -> NDArray[Any]:
        """Logits (n, n_outputs) of the rows of X; otherwise as :meth:`predict_proba`."""
        return self._score(self.check_rows("X", X), True, n_threads)

    def _score(self, X: check.Matrix, as_logits: bool, n_threads: int | None) -> NDArray[Any]:
        n = X.shape[0]
        threads = threads_for_scoring(n_threads, n, self.n_parameters)
        out = np.empty((n, self.layer_sizes[-1]), self.dtype)
        rows = min(n, SCORING_ROWS, MAX_GATHERED // self.layer_sizes[0])
        engine = Engine(
            self.layer_sizes, self.parameters, self.mean_, self.scale_, max(1, rows), threads,
            training=False, builtin=use_builtin("auto"), activation=self.activation,
            output=self.output, missing=self.missing,
        )  # fmt: skip
        with blas_for("auto"):
            engine.score(X, out, as_logits)
        return out

    def freeze(
        self,
        classes: ArrayLike | None = None,
        *,
        target_mean: ArrayLike | None = None,
        target_scale: ArrayLike | None = None,
    ) -> Predictor:
        """A copy for scoring, with norm folded into the first layer.

        Parameters
        ----------
        classes : array (n_outputs,), optional
            Labels of the outputs; default: 0, 1, ...
        target_mean, target_scale : array (n_outputs,), optional
            Outputs are multiplied by the scale and added to the mean, by the last layer; only
            where the output is 'identity'.

        Returns
        -------
        Predictor

        Raises
        ------
        ValueError
            If a parameter is not finite, or an argument does not fit.
        """
        parameters = self.parameters.copy()
        n = self.n_features
        if self.mean_ is not None and self.scale_ is not None:
            coefs, intercepts = self.views(parameters)
            W = self.coefs_[0][:n].astype(np.float64) / self.scale_.astype(np.float64)[:, None]
            b = self.intercepts_[0].astype(np.float64) - self.mean_.astype(np.float64) @ W
            coefs[0][:n], intercepts[0][...] = W, b
        if target_mean is not None or target_scale is not None:
            if self.output != "identity":
                raise ValueError("target_mean and target_scale need output='identity'")
            coefs, intercepts = self.views(parameters)
            mean = self._of_outputs("target_mean", target_mean, 0.0)
            scale = self._of_outputs("target_scale", target_scale, 1.0)
            if not (scale > 0).all():
                raise ValueError(f"target_scale must be positive, got {scale.min()}")
            coefs[-1][...] = coefs[-1] * scale
            intercepts[-1][...] = intercepts[-1] * scale + mean
        fill = None
        if self.missing is not None:
            fill = np.zeros(n, self.dtype) if self.mean_ is None else self.mean_
        return Predictor(
            self.layer_sizes, parameters, classes, activation=self.activation, output=self.output,
            fill=fill, missing=self.missing,
        )  # fmt: skip

    def _of_outputs(self, name: str, x: ArrayLike | None, default: float) -> NDArray[np.float64]:
        shape = (self.layer_sizes[-1],)
        array = np.full(shape, default) if x is None else np.asarray(x, np.float64)
        if array.shape != shape or not np.isfinite(array).all():
            raise ValueError(f"{name} must be {shape[0]} finite numbers, got {x!r:.80}")
        return array

    # -------------------------------------------------------------- forward and backward

    def forward(self, X: Any) -> Forward:
        """Every quantity of the forward pass, layer by layer.

        Parameters
        ----------
        X : array or sparse matrix (n, n_features), of the dtype of the network

        Returns
        -------
        Forward
        """
        return self._forward(self.check_rows("X", X))

    def loss(
        self,
        X: Any,
        y: ArrayLike,
        *,
        sample_weight: ArrayLike | None = None,
        alpha: float = 0.0,
        loss: str | None = None,
        huber_delta: float = 1.0,
    ) -> float:
        """Mean loss of the rows, and L2 penalty.

        ``(1 / sum w) sum_rows w loss(row) + alpha / (2 sum w) sum W^2``

        where the loss of a row is ``-sum_i L_i log p_i`` for softmax, ``-sum_i (Y_i log p_i +
        (1 - Y_i) log(1 - p_i))`` for logistic outputs, and ``sum_i (z_i - Y_i)^2 / 2``, or
        Huber's, for numbers.

        Parameters
        ----------
        X : array or sparse matrix (n, n_features), of the dtype of the network
        y : integer array (n,) or array (n, n_outputs) of the dtype of the network
            For softmax class indices, or a row of label probabilities for each sample; else the
            targets Y, which may be (n,) for one output.
        sample_weight : array (n,), optional
            Weights w, not negative and not all zero.
        alpha : float
            L2 penalty of the weights (not of the biases).
        loss : str, optional
            'cross_entropy' with softmax, 'binary_cross_entropy' with logistic outputs,
            'squared_error' (the default) or 'huber' with numbers.
        huber_delta : float
            Residual from which Huber's loss is linear.

        Returns
        -------
        float
        """
        logits = self.decision_function(X)
        labels = self.check_labels(y, sample_weight, logits.shape[0])
        alpha = check.number("alpha", alpha, low=0.0)
        return self.mean_loss(logits, labels, alpha=alpha, loss=loss, huber_delta=huber_delta)

    def gradients(
        self,
        X: Any,
        y: ArrayLike,
        *,
        sample_weight: ArrayLike | None = None,
        alpha: float = 0.0,
        loss: str | None = None,
        huber_delta: float = 1.0,
    ) -> Gradients:
        """Loss and its derivatives by back-propagation, layer by layer.

        Parameters
        ----------
        X, y, sample_weight, alpha, loss, huber_delta
            As in :meth:`loss`.

        Returns
        -------
        Gradients
        """
        X = self.check_rows("X", X)
        labels = self.check_labels(y, sample_weight, X.shape[0])
        alpha = check.number("alpha", alpha, low=0.0)
        return self.back_propagate(X, labels, alpha=alpha, loss=loss, huber_delta=huber_delta)

    # ---------------------------------------------------------------------------- saving

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the network to a safetensors file; :func:`dnncore.load` reads it."""
        from .modelfile import save

        save(self, path)

    # ------------------------------------------------------------------ internal interface
    #
    # What the other modules of the package use beside the public methods: they check rows and
    # labels once, by check_rows and check_labels, and hand them on to the others, which check
    # nothing again.

    def check_rows(self, name: str, X: Any) -> check.Matrix:
        """Rows in the form that the compiled code takes.

        Raises
        ------
        TypeError, ValueError
            If they have another dtype or number of columns, are not finite, or have NaN where
            it does not stand for a missing value.
        """
        missing = self.missing is not None
        return check.input_matrix(name, X, self.n_features, self.dtype, missing=missing)

    def check_labels(self, y: ArrayLike, sample_weight: ArrayLike | None, n: int) -> Labels:
        """Labels or targets of n rows in the form that the compiled code takes.

        Raises
        ------
        TypeError, ValueError
            If they do not fit the output of the network, or the weights are not allowed.
        """
        arguments = (y, sample_weight, (n, self.layer_sizes[-1]), "X and the network", self.dtype)
        if self.output == "softmax":
            return labels("y", *arguments)
        return targets("y", *arguments, probabilities=self.output == "logistic")

    def adopt_moments(self, moments: Moments) -> None:
        """Let norm standardise by the mean and scale of the rows in `moments`."""
        self.mean_ = moments.mean.astype(self.dtype)
        self.scale_ = moments.scale(self.dtype)
        self.moments_ = moments

    def views(self, flat: NDArray[Any]) -> tuple[list[NDArray[Any]], list[NDArray[Any]]]:
        """Weights and biases as views of a vector that is laid out like `parameters`."""
        return self._layout.views(flat)

    def penalty(self, decay: float) -> float:
        """``decay / 2`` times the sum of the squared weights."""
        return 0.5 * decay * sum(float(np.vdot(W, W)) for W in self.coefs_)

    def logits(self, X: check.Matrix, *, n_threads: int | None = None) -> NDArray[Any]:
        """As :meth:`decision_function`, from rows that have been checked."""
        return self._score(X, True, n_threads)

    def mean_loss(
        self,
        logits: NDArray[Any],
        labels: Labels,
        *,
        alpha: float = 0.0,
        loss: str | None = None,
        huber_delta: float = 1.0,
    ) -> float:
        """As :meth:`loss`, from labels that have been checked and logits, which are overwritten."""
        value, _ = self._loss_and_delta(logits, labels, loss, huber_delta, out=logits)
        return value + self.penalty(alpha * labels.inverse_total)

    def back_propagate(
        self,
        X: check.Matrix,
        labels: Labels,
        *,
        alpha: float,
        loss: str | None,
        huber_delta: float,
    ) -> Gradients:
        """As :meth:`gradients`, from rows and labels that have been checked."""
        forward = self._forward(X)
        logits = forward.z[-1]
        decay = alpha * labels.inverse_total
        value, dz = self._loss_and_delta(logits, labels, loss, huber_delta)
        flat = np.empty_like(self.parameters)
        coefs, intercepts = self.views(flat)
        deltas = [dz]
        for layer in reversed(range(len(self.coefs_))):
            W, a = self.coefs_[layer], forward.a[layer]
            da, dW, db = kernels.affine_backward(deltas[0], a, W)
            coefs[layer][...] = dW + self.dtype.type(decay) * W
            intercepts[layer][...] = db
            if layer > 0:
                deltas.insert(0, _BACKWARD[self.activation](da, a))
        dx = self._inputs_backward(da, X)
        return Gradients(value + self.penalty(decay), flat, coefs, intercepts, deltas, dx)

    # ----------------------------------------------------------------- layer after layer

    def _forward(self, X: check.Matrix) -> Forward:
        a: list[NDArray[Any]] = [input_rows(X, self.mean_, self.scale_, self.missing)]
        z: list[NDArray[Any]] = []
        for W, b in zip(self.coefs_, self.intercepts_, strict=True):
            if z:
                a.append(_FUNCTIONS[self.activation](z[-1]))
            z.append(kernels.affine(a[-1], W, b))
        return Forward(a, z, _FUNCTIONS[self.output](z[-1]))

    def _loss_and_delta(
        self,
        logits: NDArray[Any],
        labels: Labels,
        loss: str | None,
        huber_delta: float,
        out: NDArray[Any] | None = None,
    ) -> tuple[float, NDArray[Any]]:
        """The mean loss, and its derivative with respect to the logits."""
        options: dict[str, Any] = {"sample_weight": labels.weight, "out": out}
        loss = check_loss(loss, self.output)
        huber_delta = check.number("huber_delta", huber_delta, low=0.0, low_open=True)
        if loss == "huber":
            options["delta"] = huber_delta
        targets = labels.L if labels.label is None else labels.label
        return _LOSS_KERNELS[loss](logits, targets, **options)

    def _inputs_backward(self, da: NDArray[Any], X: check.Matrix) -> NDArray[Any]:
        dx = np.ascontiguousarray(da[:, : self.n_features])
        if self.scale_ is not None:
            dx = kernels.norm_backward(dx, self.scale_)
        if self.missing is not None:
            dx[np.isnan(X.toarray() if check.is_sparse(X) else X)] = 0.0
        return dx


def _identity(z: NDArray[Any]) -> NDArray[Any]:
    return z


def _identity_backward(da: NDArray[Any], a: NDArray[Any]) -> NDArray[Any]:
    return da


_FUNCTIONS: dict[str, Callable[..., NDArray[Any]]] = {
    "logistic": kernels.sigmoid,
    "tanh": kernels.tanh,
    "relu": kernels.relu,
    "identity": _identity,
    "softmax": kernels.softmax,
}
_BACKWARD: dict[str, Callable[..., NDArray[Any]]] = {
    "logistic": kernels.sigmoid_backward,
    "tanh": kernels.tanh_backward,
    "relu": kernels.relu_backward,
    "identity": _identity_backward,
}
_LOSS_KERNELS: dict[str, Callable[..., tuple[float, NDArray[Any]]]] = {
    "cross_entropy": kernels.softmax_cross_entropy,
    "binary_cross_entropy": kernels.sigmoid_cross_entropy,
    "squared_error": kernels.squared_error,
    "huber": kernels.huber_error,
}
