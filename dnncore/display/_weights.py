"""The weights of the first layer as images."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .._core import checks as check
from .._estimators.interface import Estimator
from ..network import Network
from ._axes import require_matplotlib

MAX_UNITS = 100  # shown by default


class WeightsDisplay:
    """The weights of each unit of the first layer as an image.

    If the network standardises its input, the weights apply to standardised features, so they
    are comparable across features.

    Parameters
    ----------
    images : array (n_units, height, width)
        Weights of the units; finite.
    units : sequence of n_units ints, optional
        Indices of the units. Default: 0, 1, ...

    Attributes
    ----------
    images, units
        See parameters, as arrays.
    mosaic : array
        The images in an approximately square grid, row by row, separated by lines of NaN.
    ax_ : matplotlib Axes
        The Axes of the plot.
    figure_ : matplotlib Figure
        The figure that contains it.
    im_ : matplotlib AxesImage
        The plotted mosaic.
    colorbar_ : matplotlib Colorbar or None
        The colour bar, if there is one.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from dnncore import DNNClassifier
    >>> from dnncore.display import WeightsDisplay
    >>> from sklearn.datasets import load_digits
    >>> X, y = load_digits(return_X_y=True)
    >>> model = DNNClassifier(25, alpha=1.0, random_state=0).fit(X, y)
    >>> display = WeightsDisplay.from_estimator(model)
    >>> display.images.shape
    (25, 8, 8)
    >>> plt.show()  # doctest: +SKIP
    """

    ax_: Any
    figure_: Any
    im_: Any
    colorbar_: Any

    def __init__(self, images: ArrayLike, *, units: Sequence[int] | None = None) -> None:
        self.images: NDArray[Any] = np.asarray(images)
        if self.images.ndim != 3 or 0 in self.images.shape:
            raise ValueError(
                f"images must have shape (n_units, height, width), got {self.images.shape}"
            )
        if not np.isfinite(self.images).all():
            raise ValueError("images must be finite")
        n_units = len(self.images)
        self.units = np.arange(n_units) if units is None else np.asarray(units)
        if self.units.shape != (n_units,):
            raise ValueError(f"units must have shape {(n_units,)}, got {self.units.shape}")
        self.mosaic = _mosaic(self.images)

    @classmethod
    def from_estimator(
        cls,
        model: Network | Estimator,
        *,
        image_shape: tuple[int, int] | None = None,
        units: int | Sequence[int] | None = None,
        ax: Any = None,
        **plot_options: Any,
    ) -> WeightsDisplay:
        """Plot the weights of the first layer.

        Parameters
        ----------
        model : Network, or fitted DNNClassifier or DNNRegressor
        image_shape : (height, width), optional
            Shape of a row of X as an image. Default: square.
        units : int or sequence of int, optional
            Indices of the units, or their number: those whose weights have the largest Euclidean
            norm, in order of their indices. Default: at most 100 units.
        ax : matplotlib Axes, optional
            See :meth:`plot`.
        **plot_options
            Other arguments of :meth:`plot`.

        Returns
        -------
        WeightsDisplay

        Raises
        ------
        TypeError
            If an argument has the wrong type.
        ValueError
            If the number of features does not match the shape, a unit does not exist, the model
            is not fitted, or it has an embedding.
        ImportError
            If Matplotlib is not installed.
        """
        require_matplotlib(cls.__name__)
        network, n_features = _network(model)
        if network.embedding is not None:
            raise ValueError(
                "model must have a weight for each feature and unit, got a network with an "
                "embedding"
            )
        height, width = image_shape_of(n_features, image_shape)
        # The inputs after the features, if any, are indicators of missing values.
        W = network.coefs_[0][:n_features]
        chosen = _choose(W, MAX_UNITS if units is None else units, limit=units is None)
        images = W[:, chosen].T.reshape(-1, height, width)
        return cls(images, units=chosen.tolist()).plot(ax=ax, **plot_options)

    def plot(
        self,
        *,
        ax: Any = None,
        cmap: Any = "RdBu_r",
        colorbar: bool = True,
        im_kw: Mapping[str, Any] | None = None,
    ) -> WeightsDisplay:
        """Plot the images.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Axes to plot into. Default: those of a new pyplot figure.
        cmap : str or matplotlib Colormap
            A diverging colour map; its centre corresponds to 0.
        colorbar : bool
            Whether to show a colour bar.
        im_kw : mapping, optional
            Additional arguments of ``Axes.imshow``, such as vmin and vmax.

        Returns
        -------
        WeightsDisplay
            The display itself.
        """
        require_matplotlib(type(self).__name__)
        if ax is None:
            import matplotlib.pyplot as plt

            _, ax = plt.subplots(figsize=(7, 6), layout="constrained")
        largest = float(np.abs(self.images).max()) or 1.0
        options = {"cmap": cmap, "vmin": -largest, "vmax": largest, "interpolation": "nearest"}
        self.ax_, self.figure_ = ax, ax.figure
        self.im_ = ax.imshow(self.mosaic, **(options | dict(im_kw or {})))
        self.colorbar_ = None
        if colorbar:
            self.colorbar_ = self.figure_.colorbar(self.im_, ax=ax, label="weight", shrink=0.8)
        ax.set(xticks=[], yticks=[])
        ax.spines[:].set_visible(False)
        return self


def image_shape_of(n_features: int, image_shape: tuple[int, int] | None) -> tuple[int, int]:
    """Return the shape of rows as images; square by default."""
    if image_shape is None:
        side = math.isqrt(n_features)
        if side * side != n_features:
            raise ValueError(
                f"image_shape must be given: {n_features} features do not form a square image"
            )
        return side, side
    try:
        height, width = image_shape
    except (TypeError, ValueError):
        raise TypeError(f"image_shape must be (height, width), got {image_shape!r}") from None
    height = check.integer("image_shape", height, low=1)
    width = check.integer("image_shape", width, low=1)
    if height * width != n_features:
        raise ValueError(
            f"image_shape must have {n_features} pixels, one per feature, got {image_shape}"
        )
    return height, width


def _network(model: Network | Estimator) -> tuple[Network, int]:
    """Return the network of a model, and the number of columns of X."""
    if isinstance(model, Network):
        return model, model.n_features
    network = getattr(model, "network_", None)
    if isinstance(network, Network):
        return network, int(model.n_features_in_)
    if hasattr(model, "fit"):
        raise ValueError(f"this {type(model).__name__} is not fitted: call fit first")
    raise TypeError(
        f"model must be a Network, DNNClassifier or DNNRegressor, got {type(model).__name__}"
    )


def _choose(W: NDArray[Any], units: int | Sequence[int], *, limit: bool) -> NDArray[np.intp]:
    n_units = W.shape[1]
    if isinstance(units, int | np.integer):
        count = check.integer("units", units, low=1, high=2**31 - 1 if limit else n_units)
        strength = np.linalg.norm(W, axis=0)
        return np.sort(np.argsort(-strength, kind="stable")[:count])
    chosen = np.asarray(units)
    if chosen.ndim != 1 or len(chosen) == 0 or chosen.dtype.kind not in "iu":
        raise TypeError(f"units must be an int or a sequence of ints, got {units!r:.80}")
    if chosen.min() < 0 or chosen.max() >= n_units:
        raise ValueError(f"units must lie in [0, {n_units}), got {units!r:.80}")
    return chosen.astype(np.intp)


def _mosaic(images: NDArray[Any]) -> NDArray[Any]:
    """Arrange the images in a grid, separated by lines of NaN."""
    n, height, width = images.shape
    columns = max(1, round(math.sqrt(n * height / width)))
    rows = -(-n // columns)
    line = max(1, min(height, width) // 8)
    shape = rows * (height + line) - line, columns * (width + line) - line
    mosaic = np.full(shape, np.nan, np.result_type(images, np.float32))
    for i, image in enumerate(images):
        top, left = (i // columns) * (height + line), (i % columns) * (width + line)
        mosaic[top : top + height, left : left + width] = image
    return mosaic
