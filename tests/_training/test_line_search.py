"""The line search finds a step that fulfils the strong Wolfe conditions, on all kinds of curves."""

import math

import pytest

from dnncore._training.line_search import CURVATURE, DECREASE, search

CURVES = {
    "parabola": (lambda t: (t - 3.0) ** 2, lambda t: 2 * (t - 3.0)),
    "far": (lambda t: (t - 1e4) ** 2, lambda t: 2 * (t - 1e4)),
    "near": (lambda t: (t - 1e-4) ** 2, lambda t: 2 * (t - 1e-4)),
    "Moré and Thuente": (
        lambda t: -t / (t * t + 2.0), lambda t: (t * t - 2.0) / (t * t + 2.0) ** 2
    ),
    "overflow": (
        lambda t: math.exp(t) - 20 * t if t < 50 else math.nan,
        lambda t: math.exp(t) - 20 if t < 50 else math.nan,
    ),
}  # fmt: skip


@pytest.mark.parametrize("first", [1e-3, 1e-1, 1.0, 10.0, 1e3])
@pytest.mark.parametrize("curve", CURVES)
def test_strong_wolfe_conditions(curve, first):
    f, slope = CURVES[curve]
    assert slope(1.7) == pytest.approx((f(1.71) - f(1.69)) / 0.02, rel=1e-2)
    tried = []

    def at(t):
        tried.append(t)
        return f(t), slope(t)

    assert search(at, f(0.0), slope(0.0), first)
    t = tried[-1]
    assert t > 0.0 and len(tried) <= 20
    assert f(t) <= f(0.0) + DECREASE * t * slope(0.0)
    assert abs(slope(t)) <= -CURVATURE * slope(0.0)


def test_no_step_where_there_is_none():
    assert not search(lambda t: (math.nan, math.nan), 1.0, -1.0, 1.0)


def test_an_unbounded_curve_ends():
    assert search(lambda t: (-t, -1.0), 0.0, -1.0, 1.0)
