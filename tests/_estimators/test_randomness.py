"""The source of random numbers of a fit: that of scikit-learn, though it is used again."""

import threading

import numpy as np
import pytest
from sklearn.utils import check_random_state

from dnncore._estimators.randomness import random_of


def drawn(random):
    """Return numbers of each kind; the last leaves half of a pair of normal numbers behind."""
    return [*random.permutation(9), random.randint(2**31), *random.uniform(size=3), random.normal()]


@pytest.fixture(autouse=True)
def used():
    """A generator that has been used before, so that there is a spare one."""
    with random_of(1) as random:
        drawn(random)


@pytest.mark.parametrize("seed", [0, 7, 2**32 - 1, True, np.int64(7), np.uint8(7)])
def test_numbers_of_a_seed(seed):
    for _ in range(2):
        with random_of(seed) as random:
            assert drawn(random) == drawn(check_random_state(seed))


def test_generators_of_the_user_go_on():
    ours, theirs = np.random.RandomState(3), np.random.RandomState(3)
    for _ in range(2):
        with random_of(ours) as random:
            assert random is ours
            assert drawn(random) == drawn(theirs)
    with random_of(None) as random:
        assert random is check_random_state(None)
    with random_of(0) as random:
        assert random is not ours and random is not check_random_state(None)


def test_fits_within_a_fit():
    expected = check_random_state(0)
    with random_of(0) as outer:
        assert drawn(outer) == drawn(expected)
        for seed in (1, 2):
            with random_of(seed) as inner:
                assert drawn(inner) == drawn(check_random_state(seed))
                assert drawn(outer) == drawn(expected)
        assert drawn(outer) == drawn(expected)


def test_after_an_error():
    with pytest.raises(ZeroDivisionError), random_of(0) as random:
        drawn(random)
        raise ZeroDivisionError
    with pytest.raises(ValueError, match="between 0 and"), random_of(-1):
        pass
    with random_of(0) as random:
        assert drawn(random) == drawn(check_random_state(0))


def test_threads_do_not_share_a_generator():
    both_begin, found = threading.Barrier(2), {}

    def draw(seed):
        for _ in range(2):  # the second time, from a spare one
            with random_of(seed) as random:
                both_begin.wait(timeout=60)
                found[seed] = drawn(random)

    threads = [threading.Thread(target=draw, args=(seed,)) for seed in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {seed: drawn(check_random_state(seed)) for seed in (0, 1)}


def test_a_generator_is_used_again():
    with random_of(0) as first:
        pass
    with random_of(1) as second:
        assert second is first
