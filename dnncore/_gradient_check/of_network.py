"""The gradients of a network, and its loss in float64 as a function of each quantity."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

from .. import kernels
from .._core.labels import Labels
from .._network import back_propagation, formulas
from .._network.formulas import evaluate
from .._network.losses import loss_and_delta
from .._network.trace import trace_of
from ..network import Forward, Network, Trace
from .differences import SAMPLES, Candidate, one_rounding_away, sizes, spread

Loss = Callable[[NDArray[np.float64]], float]
# Outputs this close to the ends of their interval have lost the digits, or the range, that a
# function of them would need. It is the reason why training computes dz from the logits.
NEAR = 1e-7
# The logits z of the outputs p.
_LOGITS: dict[str, Callable[..., Any]] = {
    "logistic": special.logit,
    "exp": np.log,
    "identity": np.copy,
}


class Losses:
    """The loss of a network in float64, as a function of each quantity of its trace.

    Parameters
    ----------
    network : Network
        Network; what is computed is that of a copy in float64.
    trace : Trace
        A pass of the network. The losses are functions of its quantities, near their values.
    labels : Labels
        Validated labels.
    alpha : float
        L2 penalty.
    options : dict
        Loss and its parameters, as in :meth:`dnncore.Network.loss`.
    """

    def __init__(
        self,
        network: Network,
        trace: Trace,
        labels: Labels,
        alpha: float,
        options: dict[str, Any],
    ) -> None:
        self.network = in_float64(network)
        self.dtype = network.dtype
        self.values = {q.name: np.array(q.value, np.float64) for q in trace}
        self.X = self.values["x"]
        self.labels = Labels(
            labels.label,
            None if labels.L is None else labels.L.astype(np.float64),
            None if labels.weight is None else labels.weight.astype(np.float64),
            labels.inverse_total,
        )
        self.decay, self.options = alpha * labels.inverse_total, options

    def of(self, name: str) -> tuple[NDArray[np.float64], Loss]:
        """Return the value of a quantity, and the loss as a function of it, but for a constant."""
        kind, _, number = name.partition("_")
        layer = int(number or 0)
        value = self.values[name]
        if kind == "p":
            low, high = np.finfo(self.dtype).tiny, np.nextafter(1, 0, dtype=self.dtype)
            if self.network.output != "identity":  # as in kernels.cross_entropy
                value = value.clip(min=low)
            if self.network.output == "logistic":  # the logit of 1 is infinite
                value = value.clip(max=high)
        losses: dict[str, Loss] = {
            "x": self.of_inputs,
            "a": lambda a: self.of_activation(a, layer),
            "z": lambda z: self.of_affine(z, layer),
            "p": self.of_outputs,
            "W": lambda W: self.of_weights(W, layer),
            "b": lambda b: self.of_biases(b, layer),
        }
        return value, losses.get(kind, lambda value: self.of_embedding(kind, value))

    def of_inputs(self, X: NDArray[np.float64]) -> float:
        return self._of_logits(back_propagation.forward(self.network, X).z[-1])

    def of_activation(self, a: NDArray[np.float64], layer: int) -> float:
        """Return the loss as a function of a_l, for l = `layer`."""
        W, b = self.network.coefs_[layer], self.network.intercepts_[layer]
        return self.of_affine(kernels.affine(a, W, b), layer + 1)

    def of_affine(self, z: NDArray[np.float64], layer: int) -> float:
        """Return the loss as a function of z_l, for l = `layer`."""
        if layer == len(self.network.coefs_):
            return self._of_logits(z)
        return self.of_activation(back_propagation.FUNCTIONS[self.network.activation](z), layer)

    def of_outputs(self, p: NDArray[np.float64]) -> float:
        if self.network.output == "softmax":
            return float(kernels.cross_entropy(p, self.labels))  # type: ignore[arg-type]
        with np.errstate(invalid="ignore", divide="ignore"):
            return self._of_logits(_LOGITS[self.network.output](p))

    def of_weights(self, W: NDArray[np.float64], layer: int) -> float:
        """Return the loss as a function of W_l, with its part of the penalty."""
        a, b = self.values[f"a_{layer - 1}"], self.network.intercepts_[layer - 1]
        penalty = self.decay / 2 * float(np.vdot(W, W))
        return self.of_affine(kernels.affine(a, W, b), layer) + penalty

    def of_biases(self, b: NDArray[np.float64], layer: int) -> float:
        a, W = self.values[f"a_{layer - 1}"], self.network.coefs_[layer - 1]
        return self.of_affine(kernels.affine(a, W, b), layer)

    def of_embedding(self, kind: str, value: NDArray[np.float64]) -> float:
        """Return the loss as a function of s, V or c."""
        embedding, parameters = self.network.embedding, self.network.embedding_
        assert embedding is not None and parameters is not None
        constants = self.X, embedding.lower, embedding.inverse_width
        parameters = parameters._replace(**{kind: value})
        return self.of_activation(kernels.piecewise_linear(*constants, *parameters), 0)

    def _of_logits(self, z: NDArray[np.float64]) -> float:
        return float(loss_and_delta(self.network.output, z, self.labels, **self.options)[0])


def in_float64(network: Network) -> Network:
    """Return a copy of a network in float64."""
    copy = Network(
        network.layer_sizes, seed=0, activation=network.activation, output=network.output,
        missing=network.missing, embedding=network.embedding,
    )  # fmt: skip
    copy.parameters[...] = network.parameters
    copy.set_norm(network.mean_, network.scale_)
    return copy


def candidates(
    network: Network,
    X: Any,
    y: Any,
    rng: np.random.Generator,
    *,
    sample_weight: Any,
    alpha: float,
    options: dict[str, Any],
) -> Iterator[Candidate]:
    """Yield the gradients of a network, in the order of back-propagation."""
    trace = network.trace(X, y, sample_weight=sample_weight, alpha=alpha, **options)
    labels = network.check_labels(y, sample_weight, len(trace.x))
    losses = Losses(network, trace, labels, alpha, options)
    others = [
        _with_other_roundings(network, trace, labels, alpha * labels.inverse_total, options, rng)
        for _ in range(SAMPLES)
    ]
    for name in trace.gradients:
        gradient = getattr(trace, name)
        if gradient.size == 0:
            continue
        x, loss = losses.of(name[1:])
        rounding = spread([gradient, *(getattr(other, name) for other in others)])
        scale = _scale_of_outputs(network.output, x) if name == "dp" else None
        if scale is not None and np.isnan(scale).all():
            continue
        of = trace[name]
        yield Candidate(name, gradient, rounding, loss, x, of.formula, of.kernel, scale)
        if name == f"dz_{len(network.coefs_)}" and "dp" in trace.names:
            yield from _through_outputs(network, trace, others, loss, x, name)


def _with_other_roundings(
    network: Network,
    trace: Trace,
    labels: Labels,
    decay: float,
    options: dict[str, Any],
    rng: np.random.Generator,
) -> Trace:
    """Return the trace of a pass in which rows, parameters, z, a and p are all one rounding off.

    So is dz of the last layer, which is computed from that p by its formula: a small difference of
    p and the labels has the rounding error of p.
    """
    network = network.copy()
    network.parameters[...] = one_rounding_away(network.parameters, rng)
    forward = back_propagation.forward(network, one_rounding_away(trace.x, rng))
    a, z = ([one_rounding_away(x, rng) for x in arrays] for arrays in (forward.a, forward.z))
    forward = Forward(a, z, one_rounding_away(forward.p, rng), forward.X)
    last = f"{len(z)}"
    changed = {"p": forward.p, f"z_{last}": z[-1]}
    values = {quantity.name: quantity.value for quantity in trace} | changed
    dz = one_rounding_away(evaluate(trace[f"dz_{last}"].formula, values).astype(network.dtype), rng)
    gradients = back_propagation.backward(network, forward, dz, loss=trace.loss, decay=decay)
    return trace_of(network, forward, gradients, labels, decay=decay, **options)


def _through_outputs(
    network: Network,
    trace: Trace,
    others: list[Trace],
    loss: Loss,
    x: NDArray[np.float64],
    name: str,
) -> Iterator[Candidate]:
    """Yield dz of the last layer, computed from dp as for a loss of the user's own."""
    kernel = back_propagation.BACKWARD[network.output]
    if network.output == "identity":
        return  # the same array
    gradient = kernel(trace.dp, trace.p)
    rounding = spread([gradient, *(kernel(other.dp, other.p) for other in others)])
    near = np.isnan(_scale_of_outputs(network.output, trace.p))
    scale = sizes(x)
    scale[near.any(axis=1) if network.output == "softmax" else near] = np.nan
    if np.isnan(scale).all():
        return
    formula = f"{name} = {formulas.OUTPUTS[network.output][1]}"
    yield Candidate(f"{name} from dp", gradient, rounding, loss, x, formula, kernel.__name__, scale)


def _scale_of_outputs(output: str, p: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the distance of the outputs from the ends of their interval; NaN if they are there."""
    if output == "identity":
        return sizes(p)
    distance = p * (1 - p) if output == "logistic" else p
    return np.asarray(np.where(distance > NEAR, distance, np.nan))
