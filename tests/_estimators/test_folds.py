"""Folds of an ensemble: every row is held out once, and every fold is like the whole."""

import numpy as np
import pytest

from dnncore._estimators.folds import MIN_FOLDS, folds


def drawn(n_rows, n_members, strata=None, seed=0):
    return folds(n_rows, n_members, strata, np.random.RandomState(seed))


@pytest.mark.parametrize("n_members", [5, 6, 8])
@pytest.mark.parametrize("n_rows", [8, 9, 100, 103])
@pytest.mark.parametrize("with_strata", [False, True])
def test_each_row_is_held_out_once(n_rows, n_members, with_strata):
    strata = np.arange(n_rows) % 3 if with_strata else None
    found = drawn(n_rows, n_members, strata)
    assert len(found) == n_members
    assert np.array_equal(np.sort(np.concatenate(found)), np.arange(n_rows))
    sizes = [len(fold) for fold in found]
    assert max(sizes) - min(sizes) <= 1
    assert all((np.diff(fold) > 0).all() for fold in found)


@pytest.mark.parametrize("sizes", [(50, 50), (90, 7, 3), (5, 5, 5), (1, 1, 98), (64, 33, 6)])
def test_strata_are_spread_within_one_row(sizes):
    strata = np.random.default_rng(0).permutation(np.repeat(np.arange(len(sizes)), sizes))
    for seed in range(5):
        found = drawn(len(strata), 8, strata, seed)
        counts = np.array([np.bincount(strata[fold], minlength=len(sizes)) for fold in found])
        assert (np.ptp(counts, axis=0) <= 1).all()


def test_one_row_a_class():
    found = drawn(12, 6, np.arange(12))
    assert [len(fold) for fold in found] == [2] * 6


@pytest.mark.parametrize("n_members", [1, 2, 4])
def test_few_members_hold_out_a_fifth(n_members):
    found = drawn(100, n_members)
    assert [len(fold) for fold in found] == [100 // MIN_FOLDS] * n_members
    assert len(np.unique(np.concatenate(found))) == 20 * n_members


@pytest.mark.parametrize("n_rows", [2, 3, 7])
def test_more_members_than_rows(n_rows):
    found = drawn(n_rows, 8)
    assert all(len(fold) == 1 for fold in found)
    assert np.array_equal(found[0], found[n_rows])  # from the first on again
    assert np.array_equal(np.sort(np.concatenate(found[:n_rows])), np.arange(n_rows))


def test_the_seed_draws():
    first, again, other = drawn(50, 5), drawn(50, 5), drawn(50, 5, seed=1)
    assert all(map(np.array_equal, first, again))
    assert not all(map(np.array_equal, first, other))
