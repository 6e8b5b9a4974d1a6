"""Check gradients against central differences."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ._core import checks as check
from ._estimators.interface import Estimator, network_inputs
from ._gradient_check import of_function, of_network
from ._gradient_check.comparing import compared
from ._gradient_check.differences import Candidate
from ._gradient_check.result import Comparison as Comparison  # public here
from ._gradient_check.result import GradientCheck as GradientCheck  # public here
from .network import Network

__all__ = ["Comparison", "GradientCheck", "gradcheck"]


def gradcheck(
    model: Any,
    *arrays: Any,
    backward: Callable[..., Any] | None = None,
    sample_weight: ArrayLike | None = None,
    alpha: float = 0.0,
    loss: str | None = None,
    huber_delta: float = 1.0,
    quantiles: Sequence[float] | None = None,
    max_elements: int = 50,
    seed: int = 0,
) -> GradientCheck:
    """Compare gradients with central differences in float64.

    There are three forms::

        gradcheck(network, X, y)
        gradcheck(function, x1, x2, ...)
        gradcheck(forward, x1, x2, ..., backward=backward)

    The first checks every derivative that :meth:`dnncore.Network.trace` names, as the kernels
    compute it: of the loss with respect to the parameters, the inputs, and every quantity in
    between. An error propagates to all derivatives after it; the first one that is wrong tells
    where it was made. The dz of the last layer is checked twice: as training computes it, from the
    logits, and as :meth:`dnncore.Network.backward` does from dp. A few rows suffice.

    In the second, ``function(x1, x2, ...)`` returns the loss, a number, and its gradients: a tuple
    with an array, or None, for each argument, or an array if there is only one.

    In the third, ``forward(x1, x2, ...)`` returns an array, and ``backward(d_output, x1, x2,
    ...)`` the gradients of the loss, in the same form, given that with respect to this array. The
    loss is the sum of its elements, multiplied by random numbers.

    Parameters
    ----------
    model : Network, fitted DNNClassifier or DNNRegressor, or callable
        What is to be checked.
    *arrays
        X and y, as in :meth:`dnncore.Network.loss` or in `fit` of the estimator; or the arguments
        of the function, float32 or float64 arrays. Gradients are computed in their dtype, central
        differences in float64, which the function must take, too.
    backward : callable, optional
        The backward function of the third form.
    sample_weight, alpha, loss, huber_delta, quantiles
        As in :meth:`dnncore.Network.loss`; only in the first form. Those of the loss are not
        allowed for an estimator, which has its own.
    max_elements : int, default=50
        Number of elements of each gradient that are checked, at random if it has more. Each takes
        at least four evaluations of the loss.
    seed : int, default=0
        Seed of the random numbers.

    Returns
    -------
    GradientCheck
        True if all gradients agree. ``print`` shows the verdict, and the worst element of each
        gradient.

    Raises
    ------
    TypeError, ValueError
        If an argument is invalid, or a gradient has the wrong shape.

    Notes
    -----
    An element is wrong if it differs from its central difference by more than the expected error:
    the truncation error, found from two steps, h and 2h, and the rounding errors of the loss,
    divided by h, and of the gradient, both found from repeated computations at points that differ
    by a rounding. So a gradient in float32 is compared as sharply as float32 permits. Elements at
    a kink of the loss (such as that of relu) have a large expected error and decide nothing.

    Examples
    --------
    >>> import numpy as np
    >>> from dnncore import Network, gradcheck, kernels
    >>> X = np.random.default_rng(0).normal(size=(5, 4))
    >>> check = gradcheck(Network((4, 6, 3), seed=0), X, np.array([0, 2, 1, 0, 2]))
    >>> check.ok
    True

    A slip: the derivative of tanh is not 1 - a.

    >>> def backward(da, z):
    ...     return da * (1 - kernels.tanh(z))
    >>> gradcheck(kernels.tanh, X, backward=backward).wrong
    ['dz']
    """
    max_elements = check.integer("max_elements", max_elements, low=1)
    rng = np.random.default_rng(check.integer("seed", seed, low=0))
    given = loss is not None or huber_delta != 1.0 or quantiles is not None
    if not isinstance(model, Network | Estimator):
        if not callable(model):
            raise TypeError(
                "model must be a Network, DNNClassifier, DNNRegressor or function, got "
                f"{type(model).__name__}"
            )
        if sample_weight is not None or alpha != 0.0 or given:
            raise TypeError("sample_weight, alpha and the options of the loss require a network")
        if not arrays:
            raise TypeError("gradcheck of a function needs at least 1 array, got none")
        found = of_function.candidates(model, backward, arrays, rng)
        made = "" if backward is None else of_function.LOSS_OF_PAIR
        return _checked(found, rng, max_elements, made)
    if backward is not None or len(arrays) != 2:
        raise TypeError(f"gradcheck of a model takes X and y, got {len(arrays)} arrays")
    network, X, y, own = network_inputs(model, *arrays)
    if np.shape(X)[:1] == (0,):
        raise ValueError("X must have at least 1 row, got none")
    if isinstance(model, Estimator) and given:
        raise TypeError("loss, huber_delta and quantiles are those of the estimator")
    options: dict[str, Any] = {"loss": loss, "huber_delta": huber_delta, "quantiles": quantiles}
    found = of_network.candidates(
        network, X, y, rng, sample_weight=sample_weight, alpha=alpha, options=options | own
    )
    return _checked(found, rng, max_elements)


def _checked(
    candidates: Iterator[Candidate], rng: np.random.Generator, max_elements: int, loss: str = ""
) -> GradientCheck:
    with np.errstate(over="ignore", invalid="ignore"):  # the loss need not be finite everywhere
        comparisons = [compared(candidate, rng, max_elements) for candidate in candidates]
    if not comparisons:
        raise ValueError("there must be at least 1 gradient with an element, got none to check")
    return GradientCheck(comparisons, loss)
