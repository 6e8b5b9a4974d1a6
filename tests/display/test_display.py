"""The displays show what they say: their data against the model, and where they draw."""

import sys
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.calibration import CalibrationDisplay
from sklearn.datasets import load_diabetes, load_digits
from sklearn.metrics import ConfusionMatrixDisplay, PredictionErrorDisplay

import dnncore
from dnncore import DNNClassifier, DNNRegressor, Network
from dnncore.display import LayerStatisticsDisplay, TrainingCurveDisplay, WeightsDisplay
from dnncore.training import SGD, Trainer

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")
from matplotlib import pyplot as plt  # noqa: E402
from matplotlib.figure import Figure  # noqa: E402

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
X, y = load_digits(return_X_y=True)
X, y = X[:400], y[:400]


@pytest.fixture(autouse=True)
def no_figure_is_left():
    yield
    plt.close("all")


@pytest.fixture(scope="module")
def classifier():
    model = DNNClassifier(
        16, max_iter=8, random_state=0, early_stopping=True, scoring=["accuracy", "neg_log_loss"]
    )
    return model.fit(X, y)


@pytest.fixture(scope="module")
def regressor():
    X, y = load_diabetes(return_X_y=True)
    return DNNRegressor(hidden_layer_sizes=(6, 5), max_iter=6, random_state=0).fit(
        X[:300], y[:300], X_val=X[300:], y_val=y[300:]
    )


def drawn(ax, label):
    """The points of the line of that label."""
    (line,) = [line for line in ax.lines if line.get_label() == label]
    return line.get_xdata(), line.get_ydata()


def axes(n):
    return Figure().subplots(n)


# ------------------------------------------------------------------------------ training curves


def test_training_curve_shows_the_history(classifier):
    display = TrainingCurveDisplay.from_estimator(classifier)
    history = classifier.history_
    epochs = range(1, history.n_iter + 1)
    loss, accuracy, log_loss = display.axes_
    assert display.ax_ is loss
    for ax, label, values in (
        (loss, "training", history.loss_curve),
        (loss, "held out", history.validation_losses),
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
    assert not display.best_is_kept
    assert display.ax_.get_ylabel() == "loss\n(squared error)"
    assert plt.get_fignums() == []


def test_training_curve_of_a_trainer():
    trainer = Trainer(Network((64, 10), seed=0), SGD(0.01), seed=0)
    with pytest.raises(ValueError, match="no history of a training"):
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
    assert list(drawn(display.axes_[0], "held out")[0]) == [4, 5]
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
    display = TrainingCurveDisplay([3, 2, 1], **curves)
    assert display.best_epoch == best
    dashed = [line for line in display.plot().ax_.lines if line.get_linestyle() == "--"]
    assert len(dashed) == (best is not None)


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
    with pytest.raises(TypeError, match=r"model must be a DNNClassifier.*, got Network"):
        TrainingCurveDisplay.from_estimator(Network((2, 2)))
    with pytest.raises(ValueError, match="DNNClassifier has not been trained: call fit first"):
        TrainingCurveDisplay.from_estimator(DNNClassifier())
    with pytest.raises(ValueError, match="ax must be one Axes or 3, one for each panel"):
        TrainingCurveDisplay.from_estimator(classifier, ax=axes(2))
    with pytest.raises(ValueError, match="validation_loss must have at most 1 epochs"):
        TrainingCurveDisplay([1.0], validation_loss=[1.0, 2.0])
    with pytest.raises(ValueError, match="loss must have at least one epoch"):
        TrainingCurveDisplay([])


@pytest.mark.parametrize(
    ("losses", "scores"), [([0.0], None), ([2.0, 1e-30], [0.1, 1.0]), ([1.0], [1.0])]
)
def test_learning_curve_of_the_command_line(losses, scores):
    from dnncore.cli._plot import learning_curve

    image = learning_curve(losses, scores, title="日本 $x_1^", subtitle="%$", best_is_kept=True)
    assert image.startswith(b"\x89PNG")
    assert plt.get_fignums() == []


# -------------------------------------------------------------------------------------- weights


@settings(max_examples=12)
@given(st.integers(1, 30), st.integers(1, 9), st.integers(1, 9), st.integers(0, 2**32 - 1))
def test_mosaic_holds_every_weight_once(n_units, height, width, seed):
    network = Network((height * width, n_units, 2), seed=seed)
    display = WeightsDisplay.from_estimator(network, image_shape=(height, width), ax=axes(1))
    assert np.array_equal(display.images, network.coefs_[0].T.reshape(n_units, height, width))
    shown = display.mosaic[~np.isnan(display.mosaic)]
    assert np.array_equal(np.sort(shown), np.sort(network.coefs_[0], axis=None))
    assert np.array_equal(display.mosaic[:height, :width], display.images[0])
    low, high = display.im_.get_clim()
    assert -low == high == np.abs(network.coefs_[0]).max()


def test_weights_of_an_estimator(classifier, regressor):
    figure = Figure()
    display = WeightsDisplay.from_estimator(classifier, ax=figure.subplots(), colorbar=False)
    assert display.images.shape == (16, 8, 8)
    assert display.colorbar_ is None
    assert len(figure.axes) == 1
    assert plt.get_fignums() == []
    assert WeightsDisplay.from_estimator(classifier, units=[3, 1]).units.tolist() == [3, 1]
    tall = WeightsDisplay.from_estimator(regressor, image_shape=(10, 1), im_kw={"vmax": 5})
    assert tall.images.shape == (6, 10, 1)
    assert tall.im_.get_clim()[1] == 5


def test_strongest_units_are_shown():
    network = Network((4, 150, 2), seed=0)
    network.coefs_[0][:, 7] = 9
    network.coefs_[0][:, 2] = 8
    assert WeightsDisplay.from_estimator(network, units=2).units.tolist() == [2, 7]
    assert len(WeightsDisplay.from_estimator(network).units) == 100
    assert len(WeightsDisplay.from_estimator(network, units=150).units) == 150


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"image_shape": (2, 3)}, ValueError, r"image_shape must have 4 pixels.*got \(2, 3\)"),
        ({"image_shape": 4}, TypeError, r"image_shape must be \(height, width\), got 4"),
        ({"image_shape": (0, 4)}, ValueError, "image_shape must lie in"),
        ({"units": 6}, ValueError, "units must lie in"),
        ({"units": [5]}, ValueError, r"units must lie in \[0, 5\), got \[5\]"),
        ({"units": []}, TypeError, "units must be an int or a sequence of ints"),
        ({"units": [0.5]}, TypeError, "units must be an int or a sequence of ints"),
    ],
)
def test_wrong_arguments_of_weights(options, error, message):
    with pytest.raises(error, match=message):
        WeightsDisplay.from_estimator(Network((4, 5, 2), seed=0), **options)


def test_wrong_models_of_weights():
    with pytest.raises(ValueError, match="image_shape must be given: 10 features are not a square"):
        WeightsDisplay.from_estimator(Network((10, 5, 2), seed=0))
    with pytest.raises(ValueError, match="DNNClassifier is not fitted"):
        WeightsDisplay.from_estimator(DNNClassifier())
    with pytest.raises(TypeError, match=r"model must be a Network.*got int"):
        WeightsDisplay.from_estimator(3)
    with pytest.raises(ValueError, match="images must have shape"):
        WeightsDisplay(np.ones((2, 2)))
    with pytest.raises(ValueError, match="images must be finite"):
        WeightsDisplay(np.full((1, 2, 2), np.nan))


# ----------------------------------------------------------------------------- layer statistics


@pytest.mark.parametrize("activation", ["relu", "logistic", "tanh", "identity"])
def test_layer_statistics_against_the_network(activation):
    network = Network((64, 12, 9, 10), seed=1, activation=activation)
    network.coefs_[0][:, 0], network.intercepts_[0][0] = 0, -100  # dead, if it can be
    network.coefs_[1][...] *= 20
    weight = np.linspace(0.5, 2, len(y))
    display = LayerStatisticsDisplay.from_estimator(network, X, y, sample_weight=weight)
    forward = network.forward(X)
    outputs = [X, *forward.a[1:], forward.p]
    assert len(display.names) == 4
    for i, a in enumerate(outputs):
        assert display.activation_mean[i] == pytest.approx(a.mean())
        assert display.activation_std[i] == pytest.approx(a.std())
        expected = np.quantile(a, (0.05, 0.25, 0.5, 0.75, 0.95))
        assert display.activation_quantiles[i] == pytest.approx(expected)
    if activation == "identity":
        assert np.isnan(display.flat).all()
    else:
        flat = {
            "relu": lambda a: a <= 0,
            "logistic": lambda a: (a < 0.01) | (a > 0.99),
            "tanh": lambda a: np.abs(a) > 0.98,
        }[activation]
        hidden = [flat(a) for a in outputs[1:3]]
        assert display.flat[1:3] == pytest.approx([at.mean() for at in hidden])
        assert display.dead[1:3] == pytest.approx([at.all(axis=0).mean() for at in hidden])
        assert display.dead[1] >= 1 / 12
        assert 0 < display.flat[2] < 1
        assert np.isnan(display.flat[[0, 3]]).all()
    gradients = network.gradients(X, y, sample_weight=weight)
    norms = [np.linalg.norm(dW) for dW in gradients.coefs]
    assert display.gradient_norm == pytest.approx(norms)
    rms = [len(X) * np.sqrt((dz**2).mean()) for dz in gradients.deltas]
    assert display.delta_rms == pytest.approx(rms)


def test_layer_statistics_are_drawn(classifier):
    figure = Figure()
    display = LayerStatisticsDisplay.from_estimator(classifier, X, y, ax=figure.subplots())
    activations, shares, gradients = display.axes_
    figure.canvas.draw()
    labels = [tick.get_text() for tick in activations.get_yticklabels()]
    assert labels == ["input (norm)", "hidden 1 (relu)", "output (softmax)"]
    assert list(drawn(activations, "median")[0]) == list(display.activation_quantiles[:, 2])
    widths = [bar.get_width() for bar in shares.containers[0]]
    assert widths[1] == pytest.approx(100 * display.flat[1])
    assert list(drawn(gradients, "norm, of the weights")[0]) == list(display.gradient_norm)
    low, high = gradients.get_xlim()
    assert low <= display.gradient_norm.min() <= display.gradient_norm.max() <= high
    assert plt.get_fignums() == []


def test_layer_statistics_of_estimators(classifier, regressor):
    without = LayerStatisticsDisplay.from_estimator(classifier, X)
    assert len(without.axes_) == 2
    assert without.gradient_norm is None
    X_diabetes, y_diabetes = load_diabetes(return_X_y=True)
    display = LayerStatisticsDisplay.from_estimator(regressor, X_diabetes, y_diabetes)
    network = regressor.network_
    scaled = (y_diabetes - regressor.target_mean_) / regressor.target_scale_
    norms = [np.linalg.norm(dW) for dW in network.gradients(X_diabetes, scaled).coefs]
    assert display.gradient_norm == pytest.approx(norms)
    labels = np.array(list("abcdefghij"))[y]
    named = DNNClassifier((), max_iter=2, random_state=0).fit(X, labels)
    linear = LayerStatisticsDisplay.from_estimator(named, X, labels)
    assert linear.names == ["input (norm)", "output (softmax)"]
    assert len(linear.gradient_norm) == 1


def test_gradients_that_are_zero_can_be_drawn():
    network = Network((1, 1, 1), seed=0, activation="relu", output="identity")
    network.parameters[...] = 0
    display = LayerStatisticsDisplay.from_estimator(network, np.ones((2, 1)), np.zeros(2))
    assert display.gradient_norm.tolist() == [0, 0]
    display.figure_.canvas.draw()


def test_wrong_arguments_of_layer_statistics(classifier):
    draw = LayerStatisticsDisplay.from_estimator
    with pytest.raises(ValueError, match="sample_weight needs y"):
        draw(classifier, X, sample_weight=np.ones(len(X)))
    with pytest.raises(ValueError, match="at least 1 row"):
        draw(Network((64, 10)), X[:0])
    with pytest.raises(TypeError, match=r"model must be a Network.*got int"):
        draw(3, X)
    with pytest.raises(ValueError, match="not fitted"):
        draw(DNNClassifier(), X)
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        draw(classifier, X, y[1:])
    with pytest.raises(TypeError, match="X must have dtype float64"):
        draw(Network((64, 10)), X.astype("f"))
    assert plt.get_fignums() == []


# ---------------------------------------------------------------------------------- Matplotlib


def test_scikit_learns_displays_take_our_models(classifier, regressor):
    display = ConfusionMatrixDisplay.from_estimator(classifier, X, y, ax=axes(1))
    assert display.confusion_matrix.sum() == len(y)
    two = DNNClassifier(4, max_iter=3, random_state=0).fit(X, y > 4)
    assert CalibrationDisplay.from_estimator(two, X, y > 4, ax=axes(1)).y_prob.shape == y.shape
    residuals = PredictionErrorDisplay.from_estimator(regressor, *load_diabetes(return_X_y=True))
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
    import subprocess

    code = (
        "import sys, dnncore.display; print('matplotlib' in sys.modules, 'sklearn' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == ["False", "False"]
