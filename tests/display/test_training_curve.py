"""Training curves against the history that they show."""

from itertools import pairwise

import numpy as np
import pytest
from drawing import X, axes, drawn, y
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

import dnncore
from dnncore import DNNClassifier, Network
from dnncore.display import TrainingCurveDisplay
from dnncore.training import SGD, Trainer

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def test_training_curve_shows_the_history(classifier):
    display = TrainingCurveDisplay.from_estimator(classifier)
    history = classifier.history_
    epochs = range(1, history.n_iter + 1)
    loss, accuracy, log_loss = display.axes_
    assert display.ax_ is loss
    for ax, label, values in (
        (loss, "training", history.loss_curve),
        (loss, "validation", history.validation_losses),
        (accuracy, "accuracy", history.metrics["accuracy"]),
        (log_loss, "neg_log_loss", history.metrics["neg_log_loss"]),
    ):
        xs, ys = drawn(ax, label)
        assert list(xs) == list(epochs)
        assert list(ys) == values
    assert display.best_epoch == np.argmax(history.validation_scores) + 1
    assert f"best epoch {display.best_epoch}" in accuracy.texts[0].get_text()
    assert f"{max(history.validation_scores):.1%} (kept)" in accuracy.texts[0].get_text()
    assert loss.get_ylabel() == "loss\n(cross-entropy)"
    assert plt.get_fignums() == [display.figure_.number]


def test_training_curve_of_a_loaded_model(classifier, tmp_path):
    classifier.save(tmp_path / "model")
    loaded = dnncore.load(tmp_path / "model")
    display = TrainingCurveDisplay.from_estimator(loaded)
    assert display.loss == classifier.loss_curve_
    assert display.scores == classifier.history_.metrics
    assert list(display.scores) == ["accuracy", "neg_log_loss"]
    assert display.best_is_kept


def test_training_curve_of_a_regressor(regressor):
    display = TrainingCurveDisplay.from_estimator(regressor, ax=axes(2))
    assert display.scores == {"R²": regressor.validation_scores_}
    assert display.best_is_kept
    losses = regressor.validation_losses_
    assert display.best_epoch == losses.index(min(losses)) + 1
    assert display.ax_.get_ylabel() == "loss\n(squared error)"
    assert plt.get_fignums() == []


def test_training_curve_of_a_trainer():
    trainer = Trainer(Network((64, 10), seed=0), SGD(0.01), seed=0)
    with pytest.raises(ValueError, match="has no training history"):
        TrainingCurveDisplay.from_estimator(trainer)
    for _ in range(3):
        trainer.fit(X, y, max_iter=1)
    display = TrainingCurveDisplay.from_estimator(trainer, ax=axes(1))
    assert display.loss == trainer.history.loss_curve
    assert len(display.loss) == 3
    assert display.best_epoch is None
    assert display.ax_.get_ylabel() == "training loss\n(cross-entropy)"


def test_short_curves_belong_to_the_last_epochs():
    display = TrainingCurveDisplay(
        [5, 4, 3, 2, 1], validation_loss=[4.0, 3.0], scores={"s": [0.1, 0.9, 0.9]}
    ).plot(ax=axes(2))
    assert list(drawn(display.axes_[0], "validation")[0]) == [4, 5]
    assert list(drawn(display.axes_[1], "s")[0]) == [3, 4, 5]
    assert display.best_epoch == 4  # the first of equals


@pytest.mark.parametrize(
    ("curves", "best"),
    [
        ({"validation_loss": [3.0, 1.0, 2.0]}, 2),
        ({"validation_loss": [1.0, 2.0, 3.0], "scores": {"s": [1.0, 2.0, 3.0]}}, 3),
        ({"scores": {"s": [np.nan, 1.0, 0.0]}}, 2),
        ({"scores": {"s": [np.nan] * 3}}, None),
        ({}, None),
    ],
)
def test_best_epoch(curves, best):
    for kept in (True, False):
        display = TrainingCurveDisplay([3, 2, 1], **curves, best_is_kept=kept)
        assert display.best_epoch == best
        axes_ = display.plot().axes_
        dashed = [line for line in display.ax_.lines if line.get_linestyle() == "--"]
        labels = [text.get_text() for ax in axes_ for text in ax.texts]
        assert len(dashed) == len(labels) == (kept and best is not None)


def test_scores_can_be_chosen(classifier):
    display = TrainingCurveDisplay.from_estimator(classifier, scores=["neg_log_loss"], ax=axes(2))
    assert list(display.scores) == ["neg_log_loss"]
    with pytest.raises(ValueError, match=r"scores must be among .*accuracy.*, got 'f1'"):
        TrainingCurveDisplay.from_estimator(classifier, scores=["f1"])


def test_one_axes_is_divided(classifier):
    figure = Figure()
    ax = figure.subplots()
    display = TrainingCurveDisplay.from_estimator(classifier, ax=ax)
    figure.canvas.draw()
    boxes = [panel.get_position() for panel in display.axes_]
    outer = ax.get_position()
    assert len(boxes) == 3
    for above, below in pairwise(boxes):
        assert above.y0 > below.y1
    assert boxes[0].y1 == pytest.approx(outer.y1)
    assert boxes[-1].y0 == pytest.approx(outer.y0)
    assert display.figure_ is figure
    assert plt.get_fignums() == []


def test_wrong_arguments_of_training_curves(classifier):
    with pytest.raises(TypeError, match=r"model must have a training history .*, got Network"):
        TrainingCurveDisplay.from_estimator(Network((2, 2)))
    with pytest.raises(ValueError, match="DNNClassifier has not been trained: call fit first"):
        TrainingCurveDisplay.from_estimator(DNNClassifier())
    with pytest.raises(ValueError, match="ax must be one Axes or 3, one per panel"):
        TrainingCurveDisplay.from_estimator(classifier, ax=axes(2))
    with pytest.raises(ValueError, match="validation_loss must have at most 1 epochs"):
        TrainingCurveDisplay([1.0], validation_loss=[1.0, 2.0])
    with pytest.raises(ValueError, match="loss must have at least one epoch"):
        TrainingCurveDisplay([])
