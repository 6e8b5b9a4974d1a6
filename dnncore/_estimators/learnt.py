"""What an estimator has learned about its targets: plain values, stored in the model file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .._network.back_propagation import apply_output

MAX_RATIO = 1000  # of a mean to its scale: the error of float32 is then 1e-4 of the scale at most
SINGLE, MULTILABEL, SOFT = "single", "multilabel", "soft"  # kinds of labels


class LearntLabels(NamedTuple):  # made anew by every prediction
    """What a classifier has learned about its labels.

    Attributes
    ----------
    kind : {'single', 'multilabel', 'soft'}
        One label per row, multi-label indicators, or soft labels.
    classes : array of shape (n_classes,)
        Sorted classes; 0, 1, ... for multi-label targets.
    prior : array of shape (n_classes,) or None
        Class frequencies; None for multi-label targets.
    totals : array of shape (n_classes,) or None
        Sum of the row weights of each class, or of probabilities times weights; None for
        multi-label targets.
    """

    kind: str
    classes: NDArray[Any]
    prior: NDArray[np.float64] | None = None
    totals: NDArray[np.float64] | None = None

    @property
    def freeze_options(self) -> dict[str, Any]:
        """Arguments of :meth:`dnncore.Network.freeze`."""
        return {"classes": self.classes}

    def with_rows(self, indices: NDArray[np.intp], weight: NDArray[Any] | None) -> LearntLabels:
        """Return the labels with the totals, and their shares, of further rows.

        Parameters
        ----------
        indices : array of shape (n,)
            Class indices; only with one label per row.
        weight : array of shape (n,) or None
            Weights of the rows.
        """
        before = 0.0 if self.totals is None else self.totals
        totals = np.add(before, np.bincount(indices, weight, len(self.classes)))
        return LearntLabels(self.kind, self.classes, totals / totals.sum(), totals)


class LearntNumbers(NamedTuple):
    """What a regressor has learned about its targets.

    Attributes
    ----------
    ndim : int
        Number of dimensions of predictions: 1, or 2 for several outputs.
    mean, scale : array of shape (n_outputs,)
        ``z * scale + mean`` are the logits in the units of y. Mean and scale of the targets, which
        standardise them for training; with output 'exp', the logarithm of the mean, by which
        targets are divided, and 1; 0 and 1 if targets stay as they are.
    output : str
        Output function: 'identity', 'exp' or, for the quantiles of one target, 'sorted'.
    """

    ndim: int
    mean: NDArray[np.float64]
    scale: NDArray[np.float64]
    output: str = "identity"

    @property
    def freeze_options(self) -> dict[str, Any]:
        """Arguments of :meth:`dnncore.Network.freeze`."""
        return {"target_mean": self.mean, "target_scale": self.scale}

    @property
    def one_target(self) -> bool:
        """Whether there is one target, with a y of shape (n,)."""
        return self.output == "sorted" or self.ndim == 1

    @property
    def _fits_float32(self) -> bool:
        """Whether rounding to float32 changes predictions by little, compared with the scale."""
        return all(
            abs(mean) <= MAX_RATIO * scale and 1e-30 < scale < 1e30
            for mean, scale in zip(self.mean.tolist(), self.scale.tolist(), strict=True)
        )

    def predictions(self, logits: NDArray[Any]) -> NDArray[Any]:
        """Convert logits of shape (n, n_outputs), in place, to predictions in the units of y.

        Those in float32 become float64 if they would lose too many digits.
        """
        if logits.dtype == np.float32 and not self._fits_float32:
            logits = logits.astype(np.float64)
        logits *= self.scale.astype(logits.dtype)
        logits += self.mean.astype(logits.dtype)
        return apply_output(self.output, logits)


@dataclass(frozen=True)
class LearntTableLabels:
    """What a TabularClassifier has learned about its labels.

    Attributes
    ----------
    classes : array of shape (n_classes,)
        Sorted classes.
    prior : array of shape (n_classes,)
        Class frequencies.
    temperature : float
        Divisor of the logits, already folded into the networks.
    """

    classes: NDArray[Any]
    prior: NDArray[np.float64]
    temperature: float
    kind: ClassVar[str] = SINGLE

    @property
    def freeze_options(self) -> dict[str, Any]:
        """Arguments of :class:`dnncore.tabular.TablePredictor`."""
        return {"classes": self.classes}


@dataclass(frozen=True)
class LearntTableNumbers:
    """What a TabularRegressor has learned about its targets.

    Attributes
    ----------
    ndim : int
        Number of dimensions of y: 1, or 2 for several outputs.
    mean, scale : array of shape (n_outputs,)
        Mean and scale of the targets.
    low, high : array of shape (n_outputs,)
        Range of the targets, beyond which nothing is predicted.
    """

    ndim: int
    mean: NDArray[np.float64]
    scale: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    output: ClassVar[str] = "identity"

    @property
    def freeze_options(self) -> dict[str, Any]:
        """Arguments of :class:`dnncore.tabular.TablePredictor`."""
        return {
            "target_mean": self.mean,
            "target_scale": self.scale,
            "target_range": (self.low, self.high),
        }
