"""Line search for the strong Wolfe conditions (Moré and Thuente 1994), as in MINPACK-2.

Along a direction, f is a function of the step, with slope d. A step is taken if f is lower than
``f(0) + DECREASE step d(0)``, and its slope at most CURVATURE times that at 0 in size.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

DECREASE, CURVATURE = 1e-3, 0.9
MAX_STEP = 1e10
MAX_EVALUATIONS = 20
WIDTH = 0.1  # of the interval that contains the minimum, relative to its end: narrow enough


class Point(NamedTuple):
    """A step, and the function and its slope there."""

    step: float
    f: float
    d: float


def search(at: Callable[[float], tuple[float, float]], f: float, d: float, step: float) -> bool:
    """Find a step along a direction of descent.

    Parameters
    ----------
    at : callable
        Function of the step that returns f and its slope. The step that it was last called with
        is the one that is found.
    f, d : float
        Function and slope, which is negative, of step 0.
    step : float
        First step to try.

    Returns
    -------
    bool
        Whether a step was found.
    """
    start = Point(0.0, f, d)
    best, other = start, start  # ends of the interval; `best` has the lower function
    low, high, width, width_before = 0.0, 5.0 * step, MAX_STEP, 2.0 * MAX_STEP
    bracketed, first_stage = False, True
    for _ in range(MAX_EVALUATIONS):
        trial = Point(step, *at(step))
        if not (math.isfinite(trial.f) and math.isfinite(trial.d)):
            step = high = best.step + 0.1 * (step - best.step)
            continue
        limit = f + step * DECREASE * d
        if trial.f <= limit and abs(trial.d) <= -CURVATURE * d:
            return True
        stuck = bracketed and (not low < step < high or high - low <= WIDTH * high)
        if stuck or (step == MAX_STEP and trial.f <= limit):
            return True
        first_stage = first_stage and not (trial.f <= limit and trial.d >= 0.0)
        if first_stage and limit < trial.f <= best.f:
            # Until f has been low enough once, of f - DECREASE step d.
            shift = DECREASE * d
            low_end, high_end, tried = (
                Point(p.step, p.f - p.step * shift, p.d - shift) for p in (best, other, trial)
            )
            best, other, step, bracketed = _next(low_end, high_end, tried, bracketed, low, high)
            best, other = (Point(p.step, p.f + p.step * shift, p.d + shift) for p in (best, other))
        else:
            best, other, step, bracketed = _next(best, other, trial, bracketed, low, high)
        if bracketed:
            distance = abs(other.step - best.step)
            if distance >= 0.66 * width_before:
                step = best.step + 0.5 * (other.step - best.step)
            width_before, width = width, distance
            low, high = sorted((best.step, other.step))
        else:
            low, high = step + 1.1 * (step - best.step), step + 4.0 * (step - best.step)
        step = min(max(step, 0.0), MAX_STEP)
        if bracketed and (not low < step < high or high - low <= WIDTH * high):
            step = best.step
    return False


def _next(
    best: Point, other: Point, trial: Point, bracketed: bool, low: float, high: float
) -> tuple[Point, Point, float, bool]:
    """Return the ends of the next interval, the next step, and whether a minimum is between.

    The step is that of the minimum of a cubic or a quadratic through two of the points, whichever
    is safer.
    """
    opposite = trial.d * math.copysign(1.0, best.d) < 0.0
    if trial.f > best.f:
        cubic, quadratic = _cubic(best, trial), _quadratic(best, trial)
        step = cubic
        if abs(cubic - best.step) >= abs(quadratic - best.step):
            step = cubic + 0.5 * (quadratic - cubic)
        return best, trial, step, True
    if opposite:
        cubic, secant = _cubic(trial, best), _secant(best, trial)
        step = cubic if abs(cubic - trial.step) > abs(secant - trial.step) else secant
        return trial, best, step, True
    if abs(trial.d) < abs(best.d):
        cubic, secant = _cubic(trial, best, low, high), _secant(best, trial)
        nearer = abs(cubic - trial.step) < abs(secant - trial.step)
        step = cubic if nearer == bracketed else secant
        if bracketed:
            end = trial.step + 0.66 * (other.step - trial.step)
            step = min(end, step) if trial.step > best.step else max(end, step)
        else:
            step = min(max(step, low), high)
    elif bracketed:
        step = _cubic(trial, other)
    else:
        step = high if trial.step > best.step else low
    return trial, other, step, bracketed


def _cubic(a: Point, b: Point, low: float | None = None, high: float | None = None) -> float:
    """Return the step of the minimum of the cubic through two points with their slopes.

    With limits, the one in the direction away from b, where the cubic falls if it has no minimum.
    """
    theta = 3.0 * (a.f - b.f) / (b.step - a.step) + a.d + b.d
    s = max(abs(theta), abs(a.d), abs(b.d)) or 1.0
    gamma = s * math.sqrt(max(0.0, (theta / s) ** 2 - (a.d / s) * (b.d / s)))
    if b.step < a.step:
        gamma = -gamma
    r = ((gamma - a.d) + theta) / (((gamma - a.d) + gamma) + b.d)
    if low is not None and high is not None and not (r < 0.0 and gamma != 0.0):
        return high if a.step > b.step else low
    return a.step + r * (b.step - a.step)


def _quadratic(a: Point, b: Point) -> float:
    """Return the step of the minimum of the quadratic through a, its slope, and b."""
    distance = b.step - a.step
    return a.step + (a.d / ((a.f - b.f) / distance + a.d)) / 2.0 * distance


def _secant(a: Point, b: Point) -> float:
    """Return the step where a slope that is linear between two points is zero."""
    return b.step + (b.d / (b.d - a.d)) * (a.step - b.step)
