"""Statistics of the activations and gradients of each layer."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._estimators.interface import Estimator, network_inputs
from ..network import Forward, Gradients, Network
from ..reference import SELU_NEGATIVE
from ._axes import BLUE, GREEN, ORANGE, finish, panels, require_matplotlib

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
NEAR = 0.01  # an activation within this fraction of its range from a limit is saturated
TINY = np.finfo(np.float64).tiny


class LayerStatisticsDisplay:
    """Distribution of activations, saturation and size of gradients, by layer.

    Three patterns indicate problems. A layer that is almost entirely saturated passes on no
    gradient. A dead unit, which is saturated for every row, no longer learns. Gradients that
    shrink or grow by a large factor from layer to layer make training slow or unstable.

    Parameters
    ----------
    names : sequence of n_layers + 1 str
        Names of the input, the hidden layers and the output.
    activation_quantiles : array (n_layers + 1, 5)
        The 5%, 25%, 50%, 75% and 95% quantiles of the outputs of each layer, over all rows and
        units. The input is taken after standardisation; the outputs of the last layer are
        probabilities or predicted targets.
    activation_mean, activation_std : array (n_layers + 1,)
        Mean and standard deviation of the same values.
    flat : array (n_layers + 1,)
        Fraction of outputs that are saturated, that is, at a limit of the activation function,
        where its derivative is close to 0: equal to 0 for relu, within 1% of the range from a
        limit for logistic and tanh, within 1% of the lower limit for selu. For silu, gelu and
        mish, the limit is 0 for z to minus infinity: z < -1 and output above -0.01. NaN for the
        input, the output and layers with activation 'identity'.
    dead : array (n_layers + 1,)
        Fraction of units that are saturated for every row; NaN as in `flat`.
    gradient_norm, delta_rms : array (n_layers,), optional
        For each weight layer, the Euclidean norm of the gradient of the mean loss with respect to
        the weights, and the root mean square of the derivatives of the loss of each row with
        respect to the outputs z of the layer. Both or neither must be given.

    Attributes
    ----------
    names, activation_quantiles, activation_mean, activation_std, flat, dead, gradient_norm,
    delta_rms
        See parameters.
    ax_ : matplotlib Axes
        The first panel.
    axes_ : array of matplotlib Axes (2 or 3,)
        The panels: activations, saturation and, if given, gradients.
    figure_ : matplotlib Figure
        The figure that contains the panels.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from dnncore import DNNClassifier
    >>> from dnncore.display import LayerStatisticsDisplay
    >>> from sklearn.datasets import load_digits
    >>> X, y = load_digits(return_X_y=True)
    >>> model = DNNClassifier((50, 50, 50), random_state=0).fit(X, y)
    >>> display = LayerStatisticsDisplay.from_estimator(model, X, y)
    >>> plt.show()  # doctest: +SKIP
    """

    ax_: Any
    axes_: NDArray[Any]
    figure_: Any

    def __init__(
        self,
        *,
        names: list[str],
        activation_quantiles: NDArray[np.float64],
        activation_mean: NDArray[np.float64],
        activation_std: NDArray[np.float64],
        flat: NDArray[np.float64],
        dead: NDArray[np.float64],
        gradient_norm: NDArray[np.float64] | None = None,
        delta_rms: NDArray[np.float64] | None = None,
    ) -> None:
        if (gradient_norm is None) != (delta_rms is None):
            raise ValueError("gradient_norm and delta_rms must be given together")
        self.names = names
        self.activation_quantiles = activation_quantiles
        self.activation_mean = activation_mean
        self.activation_std = activation_std
        self.flat = flat
        self.dead = dead
        self.gradient_norm = gradient_norm
        self.delta_rms = delta_rms

    @classmethod
    def from_estimator(
        cls,
        model: Network | Estimator,
        X: Any,
        y: Any = None,
        *,
        sample_weight: ArrayLike | None = None,
        ax: Any = None,
    ) -> LayerStatisticsDisplay:
        """Pass rows through a model and plot the statistics of its layers.

        Parameters
        ----------
        model : Network, or fitted DNNClassifier or DNNRegressor
        X : array or data frame (n_samples, n_features)
            At least one row; for a Network, of its dtype. The activations of all rows are kept in
            memory; a few thousand rows suffice.
        y : array, optional
            Targets, as in `fit` of the estimator or :meth:`dnncore.Network.gradients`. If None,
            the gradients are omitted.
        sample_weight : array (n_samples,), optional
            Sample weights, used for the gradients.
        ax : matplotlib Axes or array of Axes, optional
            See :meth:`plot`.

        Returns
        -------
        LayerStatisticsDisplay

        Raises
        ------
        TypeError, ValueError
            If an argument is invalid, or the model is not fitted.
        ImportError
            If Matplotlib is not installed.
        """
        require_matplotlib(cls.__name__)
        if y is None and sample_weight is not None:
            raise ValueError("sample_weight needs y")
        network, X, y, loss = network_inputs(model, X, y)
        forward = network.forward(X)
        if len(forward.p) == 0:
            raise ValueError("X must have at least 1 row, got none")
        statistics = _activations(network, forward)
        if y is not None:
            gradients = network.gradients(X, y, sample_weight=sample_weight, **loss)
            statistics |= _gradients(gradients)
        return cls(**statistics).plot(ax=ax)

    def plot(self, *, ax: Any = None) -> LayerStatisticsDisplay:
        """Plot the statistics.

        Parameters
        ----------
        ax : matplotlib Axes or array of Axes, optional
            A single Axes, which is divided, or one Axes per panel. Default: a new pyplot figure.

        Returns
        -------
        LayerStatisticsDisplay
            The display itself.
        """
        require_matplotlib(type(self).__name__)
        n_panels, n = 2 + (self.gradient_norm is not None), len(self.names)
        size = 4.0 * n_panels, 1.6 + 0.45 * n
        self.figure_, self.axes_ = panels(ax, n_panels, size, across=True)
        self.ax_ = self.axes_[0]
        places = np.arange(n)
        self._plot_activations(self.axes_[0], places)
        self._plot_shares(self.axes_[1], places)
        if n_panels == 3:
            self._plot_gradients(self.axes_[2], places[1:])
        for panel in self.axes_:
            finish(panel)
            panel.grid(visible=False, axis="y")
            panel.set_ylim(n - 0.5, -0.5)
        self.ax_.set_yticks(places, self.names)
        return self

    def _plot_activations(self, ax: Any, places: NDArray[np.intp]) -> None:
        lowest, low, median, high, highest = self.activation_quantiles.T
        ax.hlines(places, lowest, highest, color=BLUE, linewidth=2, label="5% to 95%")
        ax.hlines(places, low, high, color=BLUE, linewidth=8, alpha=0.6, label="25% to 75%")
        ax.plot(median, places, "o", color=BLUE, markeredgecolor=ax.get_facecolor(), label="median")
        ax.plot(self.activation_mean, places, "|", color=ORANGE, markersize=14, label="mean")
        ax.set_title("activations")
        _legend(ax)

    def _plot_shares(self, ax: Any, places: NDArray[np.intp]) -> None:
        ax.barh(places - 0.17, 100 * self.flat, 0.3, color=BLUE, label="saturated outputs")
        ax.barh(places + 0.17, 100 * self.dead, 0.3, color=ORANGE, label="dead units")
        ax.set_xlim(0, 100)
        ax.set_title("saturation (%)")
        _legend(ax)

    def _plot_gradients(self, ax: Any, places: NDArray[np.intp]) -> None:
        shown = np.array([self.gradient_norm, self.delta_rms], np.float64)
        shown[shown <= TINY] = np.nan  # 0 cannot be shown on a logarithmic axis
        ax.plot(shown[0], places, marker="o", color=GREEN, label="norm (weights)")
        ax.plot(shown[1], places, marker="s", color=ORANGE, label="RMS (outputs z)")
        if not np.isnan(shown).all():
            # Full decades, so that the axis has labelled ticks.
            low, high = np.nanmin(shown), np.nanmax(shown) * (1 + 1e-9)
            ax.set_xscale("log")
            ax.set_xlim(10.0 ** np.floor(np.log10(low)), 10.0 ** np.ceil(np.log10(high)))
            ax.xaxis.set_minor_formatter("")
        ax.set_title("gradients")
        _legend(ax)


def _legend(ax: Any) -> None:
    ax.legend(
        frameon=False, fontsize="small", loc="upper left", bbox_to_anchor=(0, 0), borderpad=0,
        borderaxespad=2.5,
    )  # fmt: skip


def _activations(network: Network, forward: Forward) -> dict[str, Any]:
    n_hidden = len(forward.a) - 1
    outputs = [*forward.a, forward.p]
    names = ["input" if network.mean_ is None else "input (standardised)"]
    names += [f"hidden {i} ({network.activation})" for i in range(1, n_hidden + 1)]
    names.append(f"output ({network.output})")
    flat, dead = np.full((2, len(outputs)), np.nan)
    for i in range(1, n_hidden + 1):
        at_limit = _at_limit(network.activation, forward.z[i - 1], outputs[i])
        if at_limit is not None:
            flat[i], dead[i] = at_limit.mean(), at_limit.all(axis=0).mean()
    return {
        "names": names,
        "activation_quantiles": np.array([np.quantile(a, QUANTILES) for a in outputs], np.float64),
        "activation_mean": np.array([a.mean(dtype=np.float64) for a in outputs]),
        "activation_std": np.array([a.std(dtype=np.float64) for a in outputs]),
        "flat": flat,
        "dead": dead,
    }


def _at_limit(activation: str, z: NDArray[Any], a: NDArray[Any]) -> NDArray[np.bool_] | None:
    """Return a mask of the saturated outputs; None if the activation does not saturate."""
    if activation == "relu":
        return np.asarray(a == 0)
    if activation == "logistic":
        return np.asarray(np.minimum(a, 1 - a) < NEAR)
    if activation == "tanh":
        return np.asarray(1 - np.abs(a) < 2 * NEAR)
    if activation == "selu":
        return np.asarray(a < -(1 - NEAR) * SELU_NEGATIVE)
    if activation in ("silu", "gelu", "mish"):
        return np.asarray((z < -1) & (a > -NEAR))
    return None


def _gradients(gradients: Gradients) -> dict[str, Any]:
    def rms(x: NDArray[Any]) -> float:
        return float(np.sqrt(np.mean(np.square(x, dtype=np.float64))))

    return {
        "gradient_norm": np.array([rms(dW) * np.sqrt(dW.size) for dW in gradients.coefs]),
        # The deltas are derivatives of the mean loss; multiplied by n, of the loss of a row.
        "delta_rms": np.array([rms(dz) * len(dz) for dz in gradients.deltas]),
    }
