"""What an estimator has learnt of its targets: plain values, which the model file holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

SINGLE, MULTILABEL, SOFT = "single", "multilabel", "soft"  # kinds of labels


@dataclass(frozen=True)
class LearntLabels:
    """What a classifier has learnt.

    Attributes
    ----------
    kind : {'single', 'multilabel', 'soft'}
        One label a row, labels of several outputs, or rows of probabilities.
    classes : array (n_classes,)
        In order; of labels of several outputs 0, 1, ...
    prior : array (n_classes,) or None
        Shares of the classes; None for labels of several outputs.
    totals : array (n_classes,) or None
        Sums of the weights of the rows of each class, or of probabilities times weights; None
        for labels of several outputs.
    """

    kind: str
    classes: NDArray[Any]
    prior: NDArray[np.float64] | None = None
    totals: NDArray[np.float64] | None = None

    @property
    def freeze_options(self) -> dict[str, Any]:
        """Arguments of :meth:`dnncore.Network.freeze`."""
        return {"classes": self.classes}


@dataclass(frozen=True)
class LearntNumbers:
    """What a regressor has learnt.

    Attributes
    ----------
    ndim : int
        Of y: 1, or 2 if there are several outputs.
    mean, scale : array (n_outputs,)
        By which targets are standardised for training; 0 and 1 if they are not.
    """

    ndim: int
    mean: NDArray[np.float64]
    scale: NDArray[np.float64]

    @property
    def freeze_options(self) -> dict[str, Any]:
        """Arguments of :meth:`dnncore.Network.freeze`."""
        return {"target_mean": self.mean, "target_scale": self.scale}
