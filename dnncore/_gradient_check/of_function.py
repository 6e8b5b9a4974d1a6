"""The gradients of a function of the user's own."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .._core import checks as check
from .differences import SAMPLES, Candidate, one_rounding_away, spread

Arrays = Sequence[NDArray[Any]]
LOSS_OF_PAIR = "the output times random numbers, summed"


def candidates(
    function: Callable[..., Any],
    backward: Callable[..., Any] | None,
    arguments: Sequence[Any],
    rng: np.random.Generator,
) -> Iterator[Candidate]:
    """Yield the gradients of a function with respect to its arguments.

    Without `backward`, it returns the loss and the gradients. Otherwise it returns an array, and
    the loss is the sum of its elements, multiplied by random numbers.
    """
    names = _names(function, len(arguments))
    arrays = [check.real_array(name, array) for name, array in zip(names, arguments, strict=True)]
    if backward is None:
        loss, gradients = _of_loss(function)
    else:
        loss, gradients = _of_pair(function, backward, arrays, rng)
    found = _checked(gradients(arrays), names, arrays)
    others = [
        _checked(gradients([one_rounding_away(x, rng) for x in arrays]), names, arrays)
        for _ in range(SAMPLES)
    ]
    points = [x.astype(np.float64) for x in arrays]
    for i, (name, gradient) in enumerate(zip(names, found, strict=True)):
        if gradient is None or gradient.size == 0:
            continue

        def f(x: NDArray[np.float64], i: int = i) -> float:
            return loss([*points[:i], x, *points[i + 1 :]])

        rounding = spread([gradient, *(other[i] for other in others)])
        yield Candidate(f"d{name}", gradient, rounding, f, points[i])


def _of_loss(
    function: Callable[..., Any],
) -> tuple[Callable[[Arrays], float], Callable[[Arrays], Any]]:
    """Return the loss and the gradients of a function that returns both."""

    def both(arrays: Arrays) -> tuple[Any, Any]:
        result = function(*(x.copy() for x in arrays))
        if not isinstance(result, tuple) or len(result) != 2 or np.ndim(result[0]) != 0:
            raise TypeError(
                "the function must return a pair: the loss, a number, and the gradients, got "
                f"{_described(result)}; a function that returns an array needs backward"
            )
        return result

    return lambda arrays: float(both(arrays)[0]), lambda arrays: both(arrays)[1]


def _of_pair(
    forward: Callable[..., Any],
    backward: Callable[..., Any],
    arrays: Arrays,
    rng: np.random.Generator,
) -> tuple[Callable[[Arrays], float], Callable[[Arrays], Any]]:
    """Return the loss and the gradients of a forward function with its backward function."""
    output = np.asarray(forward(*(x.copy() for x in arrays)))
    d_output = rng.normal(size=output.shape).astype(output.dtype)

    def loss(points: Arrays) -> float:
        values = np.asarray(forward(*(x.copy() for x in points)), np.float64)
        return float(np.vdot(d_output.astype(np.float64), values))

    def gradients(points: Arrays) -> Any:
        return backward(d_output.copy(), *(x.copy() for x in points))

    return loss, gradients


def _names(function: Callable[..., Any], n: int) -> list[str]:
    """Return the names of the first n parameters of a function, or numbers."""
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):  # a compiled function may have no signature
        parameters = []
    names = [parameter.name for parameter in parameters if parameter.kind in kinds][:n]
    return [*names, *(f"x{i}" for i in range(len(names), n))]


def _checked(gradients: Any, names: Sequence[str], arrays: Arrays) -> list[NDArray[Any] | None]:
    """Return gradients as a list, with the shapes of the arguments; None for those not given."""
    if not isinstance(gradients, tuple | list):
        gradients = (gradients,)
    if len(gradients) != len(arrays):
        raise ValueError(
            f"the gradients must be {len(arrays)}, one for each argument (None to leave one out), "
            f"got {len(gradients)}"
        )
    checked: list[NDArray[Any] | None] = []
    for name, gradient, x in zip(names, gradients, arrays, strict=True):
        if gradient is None:
            checked.append(None)
            continue
        gradient = np.array(gradient, np.result_type(gradient, np.float32))
        if gradient.shape != x.shape:
            raise ValueError(
                f"d{name} must have shape {x.shape}, like {name}, got {gradient.shape}"
            )
        checked.append(gradient)
    return checked


def _described(result: Any) -> str:
    if isinstance(result, tuple):
        return f"a tuple of {len(result)}"
    return type(result).__name__
