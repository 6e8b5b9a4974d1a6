"""The source of random numbers of a fit."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from sklearn.utils import check_random_state


class _Spare(threading.local):
    """A RandomState of the thread that no fit uses at the moment, or None.

    To make one takes 100 microseconds, to seed it again one.
    """

    random: np.random.RandomState | None = None


_spare = _Spare()


@contextmanager
def random_of(random_state: Any) -> Iterator[np.random.RandomState]:
    """Return the numbers of scikit-learn's ``check_random_state``, for the block only."""
    if not isinstance(random_state, (int, np.integer)):
        yield check_random_state(random_state)
        return
    random, _spare.random = _spare.random, None
    if random is None:
        random = check_random_state(random_state)
    else:
        random.seed(random_state)  # type: ignore[arg-type]
    yield random
    _spare.random = random
