"""What the layers of a network do on given rows: activations and gradients."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._estimators.interface import Estimator, checked_rows, encoded_targets, loss_options_of
from ..network import Forward, Gradients, Network
from ._axes import BLUE, GREEN, ORANGE, finish, panels, require_matplotlib

QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
NEAR = 0.01  # of the range of an activation, within which it counts as at its limit
TINY = np.finfo(np.float64).tiny


class LayerStatisticsDisplay:
    """How activations are spread, how many are flat, and how large the gradients are, by layer.

    What to look for: activations of a layer that are nearly all at a limit pass no gradient on;
    a dead unit, which is at a limit for every row, learns nothing any more; and gradients that
    shrink or grow by a large factor from layer to layer make for slow or unstable training.

    Parameters
    ----------
    names : sequence of n_layers + 1 str
        The input, the hidden layers and the output.
    activation_quantiles : array (n_layers + 1, 5)
        The 5%, 25%, 50%, 75% and 95% quantiles of what each puts out (the input: after norm;
        the output: probabilities or numbers), over all rows and units.
    activation_mean, activation_std : array (n_layers + 1,)
    flat : array (n_layers + 1,)
        Share of these outputs where the activation is at a limit, and its slope next to 0: 0 for
        relu, within 1% of its range for logistic and tanh. NaN for the input, the output and
        layers with activation 'identity'.
    dead : array (n_layers + 1,)
        Share of the units for which that is so on every row; NaN likewise.
    gradient_norm, delta_rms : array (n_layers,), optional
        For each layer of weights the Euclidean norm of the derivative of the mean loss with
        respect to the weights, and the root mean square of the derivatives of the losses of the
        rows with respect to its outputs z. Both, or neither.

    Attributes
    ----------
    names, activation_quantiles, activation_mean, activation_std, flat, dead, gradient_norm,
    delta_rms
        As above.
    ax_ : matplotlib Axes
        The first panel.
    axes_ : array of matplotlib Axes (2 or 3,)
        Activations, shares that are flat and dead and, with gradients, these.
    figure_ : matplotlib Figure

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
        """Pass rows through a model, and draw what its layers do.

        Parameters
        ----------
        model : Network, or fitted DNNClassifier or DNNRegressor
        X : array or data frame (n_samples, n_features)
            At least one row. A Network takes its own dtype only. All activations of all rows are
            held in memory: some thousand rows are enough.
        y : array, optional
            As in `fit` of the estimator or :meth:`dnncore.Network.gradients`. Without it there
            are no gradients.
        sample_weight : array (n_samples,), optional
            Counts in the gradients.
        ax : matplotlib Axes or array of Axes, optional

        Returns
        -------
        LayerStatisticsDisplay

        Raises
        ------
        TypeError, ValueError
            If an argument does not fit, or the model is not fitted.
        ImportError
            If Matplotlib is not installed.
        """
        require_matplotlib(cls.__name__)
        if y is None and sample_weight is not None:
            raise ValueError("sample_weight needs y")
        network, X, y, loss = _inputs(model, X, y)
        forward = network.forward(X)
        if len(forward.p) == 0:
            raise ValueError("X must have at least 1 row, got none")
        statistics = _activations(network, forward)
        if y is not None:
            gradients = network.gradients(X, y, sample_weight=sample_weight, **loss)
            statistics |= _gradients(gradients)
        return cls(**statistics).plot(ax=ax)

    def plot(self, *, ax: Any = None) -> LayerStatisticsDisplay:
        """Draw.

        Parameters
        ----------
        ax : matplotlib Axes or array of Axes, optional
            One, which is divided, or one for each panel. By default a new pyplot figure.

        Returns
        -------
        LayerStatisticsDisplay
            Itself.
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
        ax.barh(places - 0.17, 100 * self.flat, 0.3, color=BLUE, label="outputs at a limit")
        ax.barh(places + 0.17, 100 * self.dead, 0.3, color=ORANGE, label="dead units")
        ax.set_xlim(0, 100)
        ax.set_title("at a limit (%)")
        _legend(ax)

    def _plot_gradients(self, ax: Any, places: NDArray[np.intp]) -> None:
        shown = np.array([self.gradient_norm, self.delta_rms], np.float64)
        shown[shown <= TINY] = np.nan  # 0 has no logarithm
        ax.plot(shown[0], places, marker="o", color=GREEN, label="norm, of the weights")
        ax.plot(shown[1], places, marker="s", color=ORANGE, label="RMS, of the outputs z")
        if not np.isnan(shown).all():
            # Whole decades, so that the axis has ticks to be read.
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


def _inputs(
    model: Network | Estimator, X: Any, y: Any
) -> tuple[Network, NDArray[Any], Any, dict[str, Any]]:
    """The network of a model, X and y as it takes them, and the loss that goes with them."""
    if isinstance(model, Network):
        return model, X, y, {}
    if not isinstance(model, Estimator):
        raise TypeError(
            f"model must be a Network, DNNClassifier or DNNRegressor, got {type(model).__name__}"
        )
    from sklearn.utils.validation import check_consistent_length, check_is_fitted

    check_is_fitted(model)
    network = model.network_
    X = checked_rows(model, X)
    if y is not None:
        check_consistent_length(X, y)
        y = y.toarray() if hasattr(y, "toarray") else np.asarray(y)
        y = encoded_targets(model, "y", y, network.dtype)
    return network, X, y, loss_options_of(model)


def _activations(network: Network, forward: Forward) -> dict[str, Any]:
    n_hidden = len(forward.a) - 1
    outputs = [*forward.a, forward.p]
    names = ["input" if network.mean_ is None else "input (norm)"]
    names += [f"hidden {i} ({network.activation})" for i in range(1, n_hidden + 1)]
    names.append(f"output ({network.output})")
    flat, dead = np.full((2, len(outputs)), np.nan)
    for i in range(1, n_hidden + 1):
        at_limit = _at_limit(network.activation, outputs[i])
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


def _at_limit(activation: str, a: NDArray[Any]) -> NDArray[np.bool_] | None:
    """Where outputs of a layer are at a limit of its activation; None if it has none."""
    if activation == "relu":
        return np.asarray(a == 0)
    if activation == "logistic":
        return np.asarray(np.minimum(a, 1 - a) < NEAR)
    if activation == "tanh":
        return np.asarray(1 - np.abs(a) < 2 * NEAR)
    return None


def _gradients(gradients: Gradients) -> dict[str, Any]:
    def rms(x: NDArray[Any]) -> float:
        return float(np.sqrt(np.mean(np.square(x, dtype=np.float64))))

    return {
        "gradient_norm": np.array([rms(dW) * np.sqrt(dW.size) for dW in gradients.coefs]),
        # The deltas are of the mean loss; n times that is of the loss of a row.
        "delta_rms": np.array([rms(dz) * len(dz) for dz in gradients.deltas]),
    }
