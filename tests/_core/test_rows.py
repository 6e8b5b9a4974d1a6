"""Rows as the first layer takes them: norm, missing values and sparse rows, by one mechanism."""

import itertools

import numpy as np
import pytest
from scipy.sparse import csr_array

from dnncore._core.engine import input_rows, multiplies_stored


@pytest.mark.parametrize(
    ("dtype", "sparse", "norm", "indicators"),
    [
        *itertools.product(
            (np.float32, np.float64), (False, True), (False, True), (None, [], [4], [3, 0])
        )
    ],
)
def test_input_rows(dtype, sparse, norm, indicators):
    rng = np.random.default_rng(5)
    X = rng.standard_normal((7, 5)).astype(dtype)
    X[rng.random(X.shape) < 0.4] = 0.0
    missing = None if indicators is None else np.array(indicators, np.intp)
    if missing is not None:
        X[rng.random(X.shape) < 0.3] = np.nan
    mean, scale = rng.standard_normal(5).astype(dtype), rng.uniform(1, 2, 5).astype(dtype)
    expected = (X - mean) / scale if norm else X
    if missing is not None:
        expected = np.where(np.isnan(X), dtype(0), expected)
        expected = np.concatenate([expected, np.isnan(X)[:, missing]], axis=1, dtype=dtype)
    given = csr_array(X) if sparse else X
    found = input_rows(given, mean if norm else None, scale if norm else None, missing)
    assert found.dtype == dtype
    np.testing.assert_array_equal(found, expected)


def test_rows_that_need_nothing_are_not_copied():
    X = np.zeros((3, 2))
    assert input_rows(X, None, None, None) is X


@pytest.mark.parametrize("index", [np.int32, np.int64])
@pytest.mark.parametrize(
    ("indices", "indptr", "canonical"),
    [
        ([0, 2, 1, 3], [0, 2, 4], True),
        ([0, 2, 1, 3, 0], [0, 0, 2, 2, 2, 4, 4, 4], True),  # empty rows, and an element after them
        ([], [0, 0, 0], True),
        ([], [0], True),
        ([0, 2, 3, 1], [0, 2, 4], False),
        ([2, 2, 1, 3], [0, 2, 4], False),
    ],
)
def test_stored_elements_are_multiplied_if_in_canonical_order(index, indices, indptr, canonical):
    X = csr_array((len(indptr) - 1, 4))
    X.data = np.ones(len(indices))
    X.indices, X.indptr = np.array(indices, index), np.array(indptr, index)
    assert multiplies_stored(X, None, None, None, True) is canonical
    assert not multiplies_stored(X, None, None, None, False)
    assert not multiplies_stored(X, np.zeros(4), None, None, True)
    assert not multiplies_stored(X, None, np.array([], np.intp), None, True)
    assert not multiplies_stored(X.toarray(), None, None, None, True)
