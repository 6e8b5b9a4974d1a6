"""Plots of a model that follow scikit-learn's display API.

``Display.from_estimator(model, ...)`` computes, plots and returns a display, which stores the
plotted data as attributes and can be plotted again with ``plot(ax=...)``. Matplotlib is required
(``pip install 'dnncore[plot]'``); it is imported only when something is plotted.

A display with several panels can be plotted into a single Axes, which is then divided, or into
one Axes per panel. For confusion matrices, calibration curves, residuals and similar plots, use
scikit-learn's displays (``sklearn.metrics.ConfusionMatrixDisplay``,
``sklearn.calibration.CalibrationDisplay``, ``sklearn.metrics.PredictionErrorDisplay``), which work
with dnncore's estimators.
"""

from ._layer_statistics import LayerStatisticsDisplay
from ._training_curve import TrainingCurveDisplay
from ._weights import WeightsDisplay

__all__ = ["LayerStatisticsDisplay", "TrainingCurveDisplay", "WeightsDisplay"]
