"""Statistics of layers against the network."""

import numpy as np
import pytest
from drawing import X, drawn, y
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from dnncore import DNNClassifier, Network
from dnncore.display import LayerStatisticsDisplay

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.mark.parametrize("activation", ["relu", "logistic", "tanh", "identity", "selu", "gelu"])
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
            "relu": lambda a, z: a <= 0,
            "logistic": lambda a, z: (a < 0.01) | (a > 0.99),
            "tanh": lambda a, z: np.abs(a) > 0.98,
            "selu": lambda a, z: a < -0.99 * 1.7580993408473768,
            "gelu": lambda a, z: (a > -0.01) & (z < -1),
        }[activation]
        hidden = [flat(a, z) for a, z in zip(outputs[1:3], forward.z[:2], strict=True)]
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
    assert labels == ["input (standardised)", "hidden 1 (relu)", "output (softmax)"]
    assert list(drawn(activations, "median")[0]) == list(display.activation_quantiles[:, 2])
    widths = [bar.get_width() for bar in shares.containers[0]]
    assert widths[1] == pytest.approx(100 * display.flat[1])
    assert list(drawn(gradients, "norm (weights)")[0]) == list(display.gradient_norm)
    low, high = gradients.get_xlim()
    assert low <= display.gradient_norm.min() <= display.gradient_norm.max() <= high
    assert plt.get_fignums() == []


def test_layer_statistics_of_estimators(classifier, regressor, diabetes):
    without = LayerStatisticsDisplay.from_estimator(classifier, X)
    assert len(without.axes_) == 2
    assert without.gradient_norm is None
    X_diabetes, y_diabetes = diabetes
    display = LayerStatisticsDisplay.from_estimator(regressor, X_diabetes, y_diabetes)
    network = regressor.network_
    scaled = (y_diabetes - regressor.target_mean_) / regressor.target_scale_
    norms = [np.linalg.norm(dW) for dW in network.gradients(X_diabetes, scaled).coefs]
    assert display.gradient_norm == pytest.approx(norms)
    labels = np.array(list("abcdefghij"))[y]
    named = DNNClassifier((), max_iter=2, random_state=0).fit(X, labels)
    linear = LayerStatisticsDisplay.from_estimator(named, X, labels)
    assert linear.names == ["input (standardised)", "output (softmax)"]
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
