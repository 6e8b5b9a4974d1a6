"""Central differences in float64, and how far they are from the derivative.

(f(x + h) - f(x - h)) / 2h differs from f'(x) by h^2 |f'''| / 6 through truncation and by up to
u |f| / h through rounding, if f is known to the relative accuracy u. The functions here are
linear or quadratic, piece by piece, or have |f'''| <= |f| (sigmoid, softmax and, but for a
constant, tanh and the cross-entropies from logits), and u is a few eps. So h = eps^(1/3) makes
both errors about eps^(2/3) |f|, and `assert_close` allows 8 of these: h^2 / 6 |f| is not even
one, and u = 8 eps leaves room for exp, a sum and a division. The bound follows |f|, so that the
derivatives of values next to 0 are compared as sharply as those of large ones.
"""

from collections.abc import Callable

import numpy as np

EPS = np.finfo(float).eps
STEP = EPS ** (1 / 3)
ERROR = 8 * EPS ** (2 / 3)


def jacobian(
    f: Callable[[np.ndarray], np.ndarray | float], x: np.ndarray, step: float | np.ndarray = STEP
) -> np.ndarray:
    """d f / d x by central differences, of shape ``f(x).shape + x.shape``."""
    step = np.broadcast_to(step, x.shape)
    columns = []
    for i in np.ndindex(x.shape):
        low, high = x.copy(), x.copy()
        low[i] -= step[i]
        high[i] += step[i]
        # Divided by the step that is left after rounding.
        columns.append((np.asarray(f(high)) - np.asarray(f(low))) / (high[i] - low[i]))
    return np.stack(columns, axis=-1).reshape(columns[0].shape + x.shape)


def assert_close(gradient: np.ndarray, numerical: np.ndarray, size: np.ndarray | float) -> None:
    """`size` stands for |f| in the bound above."""
    assert gradient.shape == numerical.shape
    bound = ERROR * np.broadcast_to(size, numerical.shape)
    error = np.abs(gradient - numerical)
    i = np.unravel_index(np.argmax(error - bound), error.shape)
    assert np.all(error <= bound), f"{gradient[i]} is not {numerical[i]} +- {bound[i]}"


def normals(*shapes: tuple[int, ...]) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.normal(size=shape) for shape in shapes]
