"""The direct way of partial_fit, for plain arrays and parameters that have not changed.

Nothing is checked or made anew that a previous call has checked or made. All other calls, and all
errors, take the way of the first call; both have the same results.
"""

from __future__ import annotations

from typing import Any

from numpy.typing import ArrayLike

from .._core.csrc import all_finite, sum_squares
from .._core.labels import Labels, weights
from .._training.settings import StopSettings
from .._training.sources import ArraySource
from .._training.trainer import fit_source
from .params import ParamValues, are_unchanged
from .plain import is_taken_as_it_is
from .targets import Targets

SMALL = 1e12  # a sum of squares; the moments of such numbers and weights do not overflow


class DirectTraining:
    """What a call to partial_fit leaves for those that follow.

    Parameters
    ----------
    estimator : Estimator
        Estimator with a trainer that is configured by its parameters.
    params : tuple
        The values of its parameters.
    targets : Targets
        Encoding of the targets.
    settings : StopSettings
        Settings of an epoch.
    """

    def __init__(
        self, estimator: Any, params: ParamValues, targets: Targets, settings: StopSettings
    ) -> None:
        self._trainer = estimator._trainer
        self._norm = bool(estimator.norm)
        self._params, self._targets, self._settings = params, targets, settings

    def learn(self, estimator: Any, X: Any, y: Any, sample_weight: ArrayLike | None) -> bool:
        """Train for one epoch on plain arrays.

        Returns
        -------
        bool
            False, without any change, if an argument or the estimator needs to be checked.
        """
        network = self._trainer.network
        moments, dtype = network.moments_, network.dtype
        if (
            estimator._trainer is not self._trainer
            or estimator.network_ is not network
            or (self._norm and moments is None)
            or not are_unchanged(estimator, self._params)
            or not is_taken_as_it_is(estimator, X, dtype, network.n_features)
        ):
            return False
        read = self._targets.read(y, dtype)
        if read is None or len(y) != len(X):
            return False
        labels, indices = read
        if labels.dtype.kind == "f" and not all_finite(labels):
            return False
        weight = None if sample_weight is None else weights(sample_weight, len(X), dtype)
        if estimator._trainer is not self._trainer:  # its __array__ has fitted the estimator
            return False
        if not all(sum_squares(x) < SMALL for x in (X, weight) if x is not None):
            return False  # the moments or the outputs may overflow
        if indices is not None:
            estimator._adopt_learnt(estimator._learnt().with_rows(indices, weight))
        if self._norm:
            moments.update(X, weight)
            network.adopt_moments(moments)
        fit_source(self._trainer, ArraySource(X, Labels.of(labels, weight)), self._settings)
        return True
