"""Solvers: what their parameters may be."""

import numpy as np
import pytest

from dnncore.training import LBFGS, SGD, Adam


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: SGD(0), ValueError, "learning_rate_init must lie in"),
        (lambda: SGD(np.nan), ValueError, "learning_rate_init must lie in"),
        (lambda: SGD("a"), TypeError, "learning_rate_init must be a number"),
        (lambda: SGD(momentum=1.1), ValueError, "momentum must lie in"),
        (lambda: SGD(schedule="nonesuch"), ValueError, "learning_rate must be one of"),
        (lambda: SGD(power_t=-1), ValueError, "power_t must lie in"),
        (lambda: Adam(beta_1=1), ValueError, "beta_1 must lie in"),
        (lambda: Adam(beta_2=-0.1), ValueError, "beta_2 must lie in"),
        (lambda: Adam(epsilon=0), ValueError, "epsilon must lie in"),
        (lambda: LBFGS(max_fun=0), ValueError, "max_fun must lie in"),
    ],
)
def test_bad_settings(make, error, words):
    with pytest.raises(error, match=words):
        make()
