"""A forward and backward pass as the sequence of the quantities of the derivation."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from .. import kernels
from .._core import checks as check
from .._core.labels import Labels
from .._core.names import check_loss, loss_parameters
from .._core.public import set_module
from .._core.text_table import text_table
from . import formulas
from .back_propagation import BACKWARD, FUNCTIONS, Forward, Gradients, Layers
from .losses import KERNELS, outputs_backward, weight_column


@set_module("dnncore.network")
@dataclass(frozen=True)
class Quantity:
    """A quantity of the derivation of back-propagation, with its value in a pass.

    Attributes
    ----------
    name : str
        Name in the derivation, such as ``z_1`` or ``dW_2``.
    value : array or float
        Value in this pass.
    layer : int or None
        Number of the layer, from 1 on; 0 for the input.
    formula : str
        The definition in NumPy, in terms of other quantities, such as ``z_1 = a_0 @ W_1 + b_1``;
        the name alone if the quantity is given. Besides functions of NumPy and of
        :mod:`dnncore.reference`, there are ``softplus(z) = log(1 + exp(z))``, the normal
        distribution function ``Phi``, its density ``phi``, and ``xlogy(x, y) = x * log(y)``, 0 for
        ``x = 0``.
    kernel : str
        Name of the function of :mod:`dnncore.kernels` that computed it; empty if none did.
    shape : tuple of int
        Shape of the value; ``()`` for a number.
    """

    name: str
    value: Any
    layer: int | None
    formula: str
    kernel: str

    @property
    def shape(self) -> tuple[int, ...]:
        return np.shape(self.value)

    def __str__(self) -> str:
        layer = [] if self.layer is None else [f"layer {self.layer}"]
        shape = [f"shape {self.shape}"] if self.shape else []
        value = self.value if self.shape else f"{self.value:.6g}"
        about = ", ".join([*layer, *shape, *filter(None, [self.kernel])])
        return f"{self.formula}" + (f"    [{about}]" if about else "") + f"\n{value}"


@set_module("dnncore.network")
class Trace:
    """Every quantity of a forward and backward pass, by its name in the derivation.

    The result of :meth:`dnncore.Network.trace`. Layers l count from 1 to n, and a_0 is the input
    of the first one::

        x, mean, scale, a_0                 W_l, b_l, z_l, a_l (of the hidden layers), p
        L or Y, w, penalty, loss            dp, dz_l, da_l, dW_l, db_l, dx

    `L` are the labels of 'softmax' as rows of probabilities, `Y` the targets of other outputs, and
    `w` the weights of the rows, of shape (n, 1), which sum to 1. There is `penalty`, and `decay`,
    which is alpha divided by the sum of the sample weights, if there is an L2 penalty; `delta` or
    `q` (quantiles) if the loss has them; and `lower`, `inverse_width`, `s`, `V`, `c`, `ds`, `dV`
    and `dc` with an embedding. The loss of the output 'sorted' is a function of the logits, so
    that there is no `dp`.

    ``trace.z_1`` is the value of a quantity, and ``trace["z_1"]`` the :class:`Quantity`. A trace
    is a sequence of quantities in the order in which they are computed, ``print(trace)`` a table
    of them, and ``print(trace["z_1"])`` one of them with its values. Notebooks show the table with
    the arrays as small images.

    Examples
    --------
    >>> import numpy as np
    >>> from dnncore import Network
    >>> trace = Network((2, 3, 2), seed=0).trace(np.ones((1, 2)), np.array([0]))
    >>> trace.dz_2.shape
    (1, 2)
    >>> trace["dz_1"].formula
    'dz_1 = da_1 * a_1 * (1 - a_1)'
    >>> [step.name for step in trace if step.kernel == "affine"]
    ['z_1', 'z_2']
    """

    def __init__(self, quantities: Iterator[Quantity]) -> None:
        self._quantities = {quantity.name: quantity for quantity in quantities}

    @property
    def names(self) -> list[str]:
        """Names of the quantities, in the order in which they are computed."""
        return list(self._quantities)

    @property
    def gradients(self) -> list[str]:
        """Names of the derivatives of the loss, in the order in which they are computed."""
        return [name for name in self._quantities if name[0] == "d" and name[1:] in self.names]

    def __iter__(self) -> Iterator[Quantity]:
        return iter(self._quantities.values())

    def __len__(self) -> int:
        return len(self._quantities)

    def __contains__(self, name: object) -> bool:
        return name in self._quantities

    def __getitem__(self, name: str) -> Quantity:
        try:
            return self._quantities[name]
        except KeyError:
            raise KeyError(self._unknown(name)) from None

    def __getattr__(self, name: str) -> Any:
        quantities: dict[str, Quantity] = self.__dict__.get("_quantities", {})
        if name not in quantities:
            raise AttributeError(self._unknown(name) if quantities else name)
        return quantities[name].value

    def __dir__(self) -> list[str]:
        return sorted([*super().__dir__(), *self._quantities])

    def _unknown(self, name: str) -> str:
        return f"a trace has {', '.join(self._quantities)}, got {name!r}"

    def __repr__(self) -> str:
        n = len(self.x)
        rows = f"{n} row{'s' if n != 1 else ''}"
        return f"<Trace of {rows}, loss {self.loss:.6g}: {', '.join(self.names)}>"

    def __str__(self) -> str:
        rows = [
            (
                q.name,
                "" if q.layer is None else str(q.layer),
                str(q.shape) if q.shape else "",
                _range(q.value),
                q.kernel,
                q.formula if q.formula != q.name else "",
            )
            for q in self
        ]
        return text_table(("name", "layer", "shape", "values", "kernel", "formula"), rows)

    def _repr_html_(self) -> str:
        from .._html import trace_html

        return trace_html(self)


def _range(value: Any) -> str:
    """Return a number, or the smallest and the largest element of an array."""
    value = np.asarray(value)
    known = value[~np.isnan(value)]
    if known.size == 0:
        return ""
    low, high = known.min() + 0.0, known.max() + 0.0  # not -0
    return f"{low:.4g}" if value.ndim == 0 or low == high else f"{low:.4g} to {high:.4g}"


class TracedNetwork(Layers, Protocol):
    """What a trace needs of a :class:`dnncore.Network`."""

    def penalty(self, decay: float) -> float: ...


def trace_of(
    network: TracedNetwork,
    forward: Forward,
    gradients: Gradients,
    labels: Labels,
    *,
    decay: float,
    loss: str | None,
    huber_delta: float,
    quantiles: Any,
) -> Trace:
    """Name the quantities of a pass over validated rows and labels.

    `decay` is that of the weights in the gradients; the other arguments are those of the loss.
    """
    loss = check_loss(loss, network.output)
    parameters = loss_parameters(loss, network.layer_sizes[-1], huber_delta, quantiles)

    def all_quantities() -> Iterator[Quantity]:
        yield from _inputs(network, forward)
        yield from _layers(network, forward)
        yield from _loss(network, forward, gradients, labels, loss, parameters, decay)
        yield from _gradients(network, forward, gradients, decay)
        yield from _input_gradients(network, gradients)

    return Trace(all_quantities())


def _given(name: str, value: Any, layer: int | None = None) -> Quantity:
    return Quantity(name, value, layer, name, "")


def _computed(
    name: str, value: Any, layer: int | None, formula: str, kernel: Callable[..., Any] | None
) -> Quantity:
    """Return a quantity that a kernel computed, which the identity and other functions are not."""
    made_by = "" if kernel is None or kernel.__name__.startswith("_") else kernel.__name__
    return Quantity(name, value, layer, f"{name} = {formula}", made_by)


def _inputs(network: Layers, forward: Forward) -> Iterator[Quantity]:
    """Yield x, the constants and parameters before the first layer, and a_0."""
    X, a_0 = forward.X, forward.a[0]
    yield _given("x", X.toarray() if check.is_sparse(X) else X, 0)
    if network.embedding is not None:
        assert network.embedding_ is not None
        yield _given("lower", network.embedding.lower, 0)
        yield _given("inverse_width", network.embedding.inverse_width, 0)
        for name, value in network.embedding_._asdict().items():
            yield _given(name, value.copy(), 0)
        formula = "piecewise_linear(x, lower, inverse_width, s, V, c)"
        yield _computed("a_0", a_0, 0, formula, kernels.piecewise_linear)
        return
    formula, kernel = "x", None
    if network.mean_ is not None and network.scale_ is not None:
        yield _given("mean", network.mean_.copy(), 0)
        yield _given("scale", network.scale_.copy(), 0)
        formula, kernel = "(x - mean) / scale", kernels.norm
    if network.missing is not None:
        formula = f"where(isnan(x), 0, {formula})"
        if network.missing.size:
            yield _given("missing", network.missing, 0)
            formula = f"hstack([{formula}, isnan(x[:, missing])])"
    yield _computed("a_0", a_0, 0, formula, kernel)


def _layers(network: Layers, forward: Forward) -> Iterator[Quantity]:
    """Yield W_l, b_l, z_l and a_l or p of every layer."""
    n_layers = len(forward.z)
    for layer, z in enumerate(forward.z, 1):
        yield _given(f"W_{layer}", network.coefs_[layer - 1].copy(), layer)
        yield _given(f"b_{layer}", network.intercepts_[layer - 1].copy(), layer)
        formula = f"a_{layer - 1} @ W_{layer} + b_{layer}"
        yield _computed(f"z_{layer}", z, layer, formula, kernels.affine)
        if layer < n_layers:
            formula = formulas.ACTIVATIONS[network.activation][0].format(z=f"z_{layer}")
            kernel = FUNCTIONS[network.activation]
            yield _computed(f"a_{layer}", forward.a[layer], layer, formula, kernel)
    formula = formulas.OUTPUTS[network.output][0].format(z=f"z_{n_layers}")
    yield _computed("p", forward.p, n_layers, formula, FUNCTIONS[network.output])


def _loss(
    network: TracedNetwork,
    forward: Forward,
    gradients: Gradients,
    labels: Labels,
    loss: str,
    parameters: list[float],
    decay: float,
) -> Iterator[Quantity]:
    """Yield labels, weights and parameters of the loss, the loss, dp, and dz of the last layer."""
    n_layers, p = len(forward.z), forward.p
    yield _given("L" if network.output == "softmax" else "Y", _label_rows(labels, p))
    yield _given("w", weight_column(labels, p.dtype))
    if loss == "huber":
        yield _given("delta", parameters[0])
    elif loss == "quantile":
        yield _given("q", np.array(parameters, p.dtype))
    of_loss, of_dp, of_dz = (f.format(z=f"z_{n_layers}") for f in formulas.LOSSES[loss])
    if decay:
        yield _given("decay", decay)
        squares = " + ".join(f"sum(W_{layer}**2)" for layer in range(1, n_layers + 1))
        penalty = network.penalty(decay)
        yield _computed("penalty", penalty, None, f"decay / 2 * ({squares})", None)
        of_loss += " + penalty"
    yield _computed("loss", gradients.loss, None, of_loss, KERNELS[loss])
    dz = gradients.deltas[-1]
    dp = outputs_backward(loss, p, labels, dz)
    if dp is not None:
        kernel = kernels.cross_entropy_backward if loss == "cross_entropy" else None
        yield _computed("dp", dp, n_layers, of_dp, kernel)
    yield _computed(f"dz_{n_layers}", dz, n_layers, of_dz, KERNELS[loss])


def _gradients(
    network: Layers, forward: Forward, gradients: Gradients, decay: float
) -> Iterator[Quantity]:
    """Yield da_{l-1}, dW_l, db_l and dz_{l-1} of every layer, from the last to the first."""
    penalty, kernel = " + decay * W_{}" if decay else "", kernels.affine_backward
    for layer in range(len(forward.z), 0, -1):
        i = layer - 1  # the layer before this one, and the index of this one in lists
        dW, db = gradients.coefs[i], gradients.intercepts[i]
        of_dW = f"a_{i}.T @ dz_{layer}" + penalty.format(layer)
        yield _computed(f"da_{i}", gradients.da[i], i, f"dz_{layer} @ W_{layer}.T", kernel)
        yield _computed(f"dW_{layer}", dW, layer, of_dW, kernel)
        yield _computed(f"db_{layer}", db, layer, f"sum(dz_{layer}, axis=0)", kernel)
        if i > 0:
            names = {name: f"{name}_{i}" for name in ("z", "a", "da")}
            of_dz = formulas.ACTIVATIONS[network.activation][1].format(**names)
            dz = gradients.deltas[i - 1]
            yield _computed(f"dz_{i}", dz, i, of_dz, BACKWARD[network.activation])


def _input_gradients(network: Layers, gradients: Gradients) -> Iterator[Quantity]:
    """Yield dx, and the gradients of an embedding."""
    if gradients.embedding is not None:
        call = "piecewise_linear_backward(da_0, x, lower, inverse_width, s, V, c)"
        values = gradients.dx, *gradients.embedding
        for i, (name, value) in enumerate(zip(("dx", "ds", "dV", "dc"), values, strict=True)):
            yield _computed(name, value, 0, f"{call}[{i}]", kernels.piecewise_linear_backward)
        return
    formula, kernel = "da_0", None
    if network.n_features < network.layer_sizes[0]:
        formula = f"da_0[:, :{network.n_features}]"  # without the indicators of missing values
    if network.scale_ is not None:
        formula, kernel = f"{formula} / scale", kernels.norm_backward
    if network.missing is not None:
        formula = f"where(isnan(x), 0, {formula})"
    yield _computed("dx", gradients.dx, 0, formula, kernel)


def _label_rows(labels: Labels, p: NDArray[Any]) -> NDArray[Any]:
    """Return class indices as one-hot rows, and other labels as they are."""
    if labels.L is not None:
        return labels.L
    return np.asarray(np.eye(p.shape[1], dtype=p.dtype)[labels.label])
