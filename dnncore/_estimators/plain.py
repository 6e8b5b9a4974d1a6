"""Arrays that need no conversion: scikit-learn's checks would return them as they are.

The functions never raise. What they refuse may be valid nonetheless, and takes those checks, which
convert it or raise the errors.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .._core.csrc import all_finite

FLOATS = (np.dtype(np.float64), np.dtype(np.float32))


def is_plain_matrix(
    X: Any, dtypes: tuple[np.dtype[Any], ...] = FLOATS, n_features: int | None = None
) -> bool:
    """Return whether X is a C-contiguous array of finite floats of shape (n, n_features)."""
    return (
        type(X) is np.ndarray
        and X.ndim == 2
        and X.dtype in dtypes
        and (n_features is None or X.shape[1] == n_features)
        and X.size > 0
        and X.flags.c_contiguous
        and X.flags.aligned
        and all_finite(X)
    )


def is_taken_as_it_is(model: Any, X: Any, dtype: np.dtype[Any], n_features: int | None) -> bool:
    """Return whether X is plain, and a fitted model expects no names of its columns."""
    attributes = vars(model)
    named = "feature_names_in_" in attributes or "table_" in attributes
    return not named and is_plain_matrix(X, (dtype,), n_features)


def are_plain_labels(y: Any) -> bool:
    """Return whether y is a contiguous array of integers, Booleans or strings of shape (n,)."""
    return (
        type(y) is np.ndarray
        and y.ndim == 1
        and y.dtype.kind in "iubU"
        and y.size > 0
        and y.flags.c_contiguous
        and y.flags.aligned
    )


def are_plain_numbers(y: Any) -> bool:
    """Return whether y is a contiguous array of finite floats of shape (n,) or (n, n_outputs)."""
    return (
        type(y) is np.ndarray
        and y.ndim in (1, 2)
        and y.dtype in FLOATS
        and y.size > 0
        and y.flags.c_contiguous
        and y.flags.aligned
        and all_finite(y)
    )
