"""The scaler that does what norm does, as a transformer."""

import warnings

import numpy as np
from sklearn.preprocessing import StandardScaler


class NormScaler(StandardScaler):
    """scikit-learn's scaler with the scale of norm."""

    def fit(self, X, y=None, sample_weight=None):
        super().fit(X, y, sample_weight)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # of columns without values
            below, above = self.mean_ - np.nanmin(X, axis=0), np.nanmax(X, axis=0) - self.mean_
            factor = (below + above) / (2 * np.sqrt(below * above))
        self.scale_ = self.scale_ * np.where(np.isfinite(factor), factor, 1.0)
        return self
