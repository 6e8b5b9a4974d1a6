"""Rows from dicts, and running moments."""

import collections

import numpy as np
import pytest

from dnncore import Network
from dnncore._river.rows import no_moments, read_row, standardise, update_moments

NAN = np.nan
RNG = np.random.default_rng(0)
MATRICES = {
    "numbers": RNG.normal(3.0, 2.0, (50, 5)),
    "one row": RNG.normal(size=(1, 3)),
    "constant": np.full((9, 2), 0.1),
    "rare": (RNG.random((200, 4)) < 0.02).astype(float),
    "large offset": 1e9 + RNG.normal(size=(40, 3)),
    "missing": np.where(RNG.random((60, 4)) < 0.3, NAN, RNG.normal(size=(60, 4))),
    "always missing": np.array([[1.0, NAN], [2.0, NAN]]),
    "extremes of float32": np.array([[3.4e38], [-3.4e38], [1e-38]]),
}


def test_a_row_is_read():
    values = np.empty(3)
    assert read_row({"b": 2, "a": True}, {"a": 0, "b": 1, "c": 2}, values)
    np.testing.assert_array_equal(values, [1.0, 2.0, NAN])


@pytest.mark.parametrize(
    "x", [collections.Counter(a=2), collections.OrderedDict(a=2.0), {"a": np.float32(2)}]
)
def test_any_mapping_and_any_number_is_read(x):
    values = np.empty(1)
    assert read_row(x, {"a": 0}, values)
    assert values[0] == 2.0


def test_unknown_features_are_told():
    values = np.empty(1)
    assert not read_row({"a": 1.0, "new": 2.0}, {"a": 0}, values)
    assert values[0] == 1.0


@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        ("red", TypeError, "x['a'] must be a number, got 'red'"),
        (None, TypeError, "x['a'] must be a number, got None"),
        (np.inf, ValueError, "x['a'] must be finite in float32, got inf"),
        (-1e39, ValueError, "x['a'] must be finite in float32, got -1e+39"),
    ],
)
@pytest.mark.parametrize("columns", [{}, {"a": 0}], ids=["unknown", "known"])
def test_what_is_no_number_is_refused(columns, value, error, message):
    with pytest.raises(error) as info:
        read_row({"a": value}, columns, np.empty(1))
    assert str(info.value).replace("np.float64(inf)", "inf") == message


@pytest.mark.parametrize("X", MATRICES.values(), ids=MATRICES)
def test_the_scale_is_that_of_a_network(X):
    network = Network((X.shape[1], 1), output="identity", missing=())
    network.update_norm(X)
    moments = no_moments(X.shape[1])
    for row in X:
        update_moments(row.copy(), moments)
    eps = np.finfo(float).eps
    rounding = 2 * len(X) * eps * np.nan_to_num(np.abs(X)).max(axis=0)  # of sums, in either
    assert (np.abs(moments[:, 1] - network.mean_) <= rounding).all()
    relative = 8 * (len(X) * eps + rounding / network.scale_)
    assert (np.abs(moments[:, 5] * network.scale_ - 1.0) <= relative).all()


@pytest.mark.parametrize("X", MATRICES.values(), ids=MATRICES)
def test_rows_at_once_are_rows_one_by_one(X):
    one, many = no_moments(X.shape[1]), no_moments(X.shape[1])
    for row in X:
        update_moments(row.copy(), one)
    update_moments(X.ravel(), many)
    np.testing.assert_array_equal(one, many)
    out, rows = np.empty(X.size, "f4"), np.empty_like(X, "f4")
    standardise(X.ravel(), many, out)
    for row, values in zip(rows, X, strict=True):
        standardise(values.copy(), many, row)
    np.testing.assert_array_equal(out, rows.ravel())


@pytest.mark.parametrize("X", MATRICES.values(), ids=MATRICES)
def test_rows_are_standardised(X):
    moments = no_moments(X.shape[1])
    update_moments(X.ravel(), moments)
    out = np.empty(X.size, "f4")
    standardise(X.ravel(), moments, out)
    expected = np.nan_to_num((X - moments[:, 1]) * moments[:, 5])
    np.testing.assert_array_equal(out, expected.astype("f4").ravel())
    assert np.isfinite(out).all()
