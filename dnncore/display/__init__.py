"""Pictures of a model, after the convention of scikit-learn's display objects.

``Display.from_estimator(model, ...)`` computes, draws and returns the display, which holds what it
shows as attributes and can be drawn again with ``plot(ax=...)``. Matplotlib is needed
(``pip install 'dnncore[plot]'``), and imported only when something is drawn.

A picture of several panels may be drawn into one Axes, which it then divides, or into as many as
it has panels. For confusion matrices, calibration, residuals and the like take scikit-learn's own
displays (``sklearn.metrics.ConfusionMatrixDisplay``, ``sklearn.calibration.CalibrationDisplay``,
``sklearn.metrics.PredictionErrorDisplay``), which work with dnncore's estimators.
"""

from ._layer_statistics import LayerStatisticsDisplay
from ._training_curve import TrainingCurveDisplay
from ._weights import WeightsDisplay

__all__ = ["LayerStatisticsDisplay", "TrainingCurveDisplay", "WeightsDisplay"]
