"""What all displays have in common: Matplotlib, imported only when they draw."""

import sys

import pytest
from drawing import X, axes, y
from processes import run_python
from sklearn.calibration import CalibrationDisplay
from sklearn.metrics import ConfusionMatrixDisplay, PredictionErrorDisplay

from dnncore import DNNClassifier
from dnncore.display import LayerStatisticsDisplay, TrainingCurveDisplay, WeightsDisplay

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def test_scikit_learns_displays_take_our_models(classifier, regressor, diabetes):
    display = ConfusionMatrixDisplay.from_estimator(classifier, X, y, ax=axes(1))
    assert display.confusion_matrix.sum() == len(y)
    two = DNNClassifier(4, max_iter=3, random_state=0).fit(X, y > 4)
    assert CalibrationDisplay.from_estimator(two, X, y > 4, ax=axes(1)).y_prob.shape == y.shape
    residuals = PredictionErrorDisplay.from_estimator(regressor, *diabetes)
    assert residuals.y_pred.shape == residuals.y_true.shape


@pytest.mark.parametrize(
    "draw",
    [
        lambda model: TrainingCurveDisplay.from_estimator(model),
        lambda model: WeightsDisplay.from_estimator(model),
        lambda model: LayerStatisticsDisplay.from_estimator(model, X),
        lambda model: TrainingCurveDisplay([1.0]).plot(),
    ],
)
def test_without_matplotlib(draw, classifier, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r"needs Matplotlib: pip install 'dnncore\[plot\]'"):
        draw(classifier)


def test_import_takes_no_matplotlib():
    out, _ = run_python(
        """
        import sys, dnncore.display
        print("matplotlib" in sys.modules, "sklearn" in sys.modules)
        """
    )
    assert out.split() == ["False", "False"]
