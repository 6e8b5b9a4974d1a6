"""The history of an ensemble."""

import pytest

from dnncore._training.history import History, mean_history


def test_mean_history():
    long = History([4.0, 2.0, 1.0], [0.5, 0.7, 0.9], [3.0, 2.0, 2.5], n_iter=3, t=30)
    short = History([2.0, 1.0], [0.3, 0.5], [1.0, 1.0], n_iter=2, t=18)
    long.best_loss, short.best_loss = 1.0, 1.5
    mean = mean_history([long, short])
    assert mean.loss_curve == [3.0, 1.5, 1.0]
    assert mean.validation_scores == pytest.approx([0.4, 0.6, 0.9])
    assert mean.validation_losses == [2.0, 1.5, 2.5]
    assert (mean.best_loss, mean.n_iter, mean.t) == (1.25, 3, 48)
