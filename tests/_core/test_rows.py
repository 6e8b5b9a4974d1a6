"""Rows as the first layer takes them: norm, missing values and sparse rows, by one mechanism."""

import itertools

import numpy as np
import pytest
from scipy.sparse import csr_array

from dnncore._core.engine import input_rows


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
