"""Weights as images."""

import numpy as np
import pytest
from drawing import axes
from hypothesis import given, settings
from hypothesis import strategies as st
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

from dnncore import DNNClassifier, Network
from dnncore.display import WeightsDisplay

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


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
    with pytest.raises(ValueError, match="image_shape must be given: 10 features do not form"):
        WeightsDisplay.from_estimator(Network((10, 5, 2), seed=0))
    with pytest.raises(ValueError, match="DNNClassifier is not fitted"):
        WeightsDisplay.from_estimator(DNNClassifier())
    with pytest.raises(TypeError, match=r"model must be a Network.*got int"):
        WeightsDisplay.from_estimator(3)
    with pytest.raises(ValueError, match="images must have shape"):
        WeightsDisplay(np.ones((2, 2)))
    with pytest.raises(ValueError, match="images must be finite"):
        WeightsDisplay(np.full((1, 2, 2), np.nan))
