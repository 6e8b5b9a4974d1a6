"""The folds of an ensemble: which rows each member is trained without."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

MIN_FOLDS = 5  # a member alone holds out a fifth of the rows


def folds(
    n_rows: int, n_members: int, strata: NDArray[np.intp] | None, random: np.random.RandomState
) -> list[NDArray[np.intp]]:
    """Return the rows that each member holds out, in ascending order.

    With at least `MIN_FOLDS` members, each row is held out by exactly one member. The folds have
    equal sizes within one row and, with `strata` (n_rows,), equal numbers of each stratum within
    one row.
    """
    n_folds = min(max(n_members, MIN_FOLDS), n_rows)
    order = random.permutation(n_rows)
    if strata is not None:
        order = order[np.argsort(strata[order], kind="stable")]
    fold = np.empty(n_rows, np.intp)
    fold[order] = np.arange(n_rows) % n_folds
    return [np.flatnonzero(fold == member % n_folds) for member in range(n_members)]
