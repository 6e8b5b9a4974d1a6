"""Mean and scale of features: exact on hard data, the same bits in pieces of whole chunks."""

import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dnncore import network
from dnncore._core.moments import MOMENTS_ROWS, Moments

DTYPES = [np.float32, np.float64]
EPS = np.finfo(np.float64).eps


def moments_of(X, weight=None, *, missing=False, pieces=None):
    moments = Moments.empty(X.shape[1], missing=missing, ranges=True)
    start = 0
    for rows in [*(pieces or []), len(X)]:
        end = min(start + rows, len(X))
        moments.update(X[start:end], None if weight is None else weight[start:end])
        start = end
    return moments


def same_bits(a, b):
    return all(
        np.asarray(getattr(a, name)).tobytes() == np.asarray(getattr(b, name)).tobytes()
        for name in ("count", "mean", "variance", "low", "high")
    )


@settings(max_examples=40)
@given(
    rows=st.integers(0, 5 * MOMENTS_ROWS + 3),
    pieces=st.lists(st.integers(0, 2).map(lambda n: n * MOMENTS_ROWS), max_size=5),
    columns=st.sampled_from([1, 3, 255, 256, 257, 600]),
    dtype=st.sampled_from(DTYPES),
    weighted=st.booleans(),
    missing=st.booleans(),
)
def test_pieces_of_whole_chunks_give_the_same_bits(rows, pieces, columns, dtype, weighted, missing):
    rng = np.random.default_rng(rows)
    X = rng.normal(3, 2, (rows, columns)).astype(dtype)
    if missing:
        X[rng.random(X.shape) < 0.2] = np.nan
    weight = rng.integers(0, 3, rows).astype(dtype) if weighted else None
    whole = moments_of(X, weight, missing=missing)
    assert same_bits(whole, moments_of(X, weight, missing=missing, pieces=pieces))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("weighted", [False, True])
def test_hard_data(dtype, weighted):
    """A mean that is far larger than the spread, against two passes over all rows."""
    rng = np.random.default_rng(0)
    n = 20 * MOMENTS_ROWS + 17
    spread = np.array([1e-3, 1.0, 30.0, 1e-6, 1e3])
    at = np.array([1e3, 1e5, -1e7, 1.0, 0.0])
    X = (rng.standard_normal((n, 5)) * spread + at).astype(dtype)
    weight = rng.uniform(0, 2, n).astype(dtype) if weighted else None
    found = moments_of(X, weight)
    w = np.ones(n) if weight is None else weight.astype(float)
    wide = X.astype(np.longdouble)
    mean = w @ wide / w.sum(dtype=np.longdouble)
    variance = w @ (wide - mean) ** 2 / w.sum(dtype=np.longdouble)
    # A rounding for each merge of a chunk; what it does to the variance is of second order.
    merges = n / MOMENTS_ROWS + 4
    assert (np.abs(found.mean - mean) <= merges * EPS * np.abs(mean) + 1e-13 * spread).all()
    np.testing.assert_allclose(found.variance, variance.astype(float), rtol=1e-11)


def test_the_first_row_may_be_an_outlier_of_no_weight():
    X = np.random.default_rng(0).normal(size=(600, 3))
    weight = np.ones(600)
    expected = moments_of(X[1:], weight[1:])
    X[0], weight[0] = 1e300, 0.0
    found = moments_of(X, weight)
    np.testing.assert_allclose(found.mean, expected.mean, rtol=0, atol=1e-15)
    np.testing.assert_allclose(found.variance, expected.variance, rtol=1e-14)


@pytest.mark.parametrize("missing", [False, True])
@pytest.mark.parametrize("factor", [2.0**-60, 1.0, 2.0**60])
def test_only_the_ratios_of_weights_matter(factor, missing):
    X = np.random.default_rng(0).normal(size=(600, 3))
    X[:, 2] = 0.1
    weight = np.random.default_rng(1).uniform(1, 2, 600)
    found = moments_of(X, weight * factor, missing=missing)
    expected = moments_of(X, weight, missing=missing)
    assert found.n_rows == 600
    np.testing.assert_allclose(found.scale(np.float64), expected.scale(np.float64), rtol=1e-12)
    assert found.scale(np.float64)[2] == 1.0


@pytest.mark.parametrize("dtype", DTYPES)
def test_missing_values_do_not_count(dtype):
    rng = np.random.default_rng(1)
    X = rng.normal(5, 3, (3 * MOMENTS_ROWS, 4)).astype(dtype)
    X[rng.random(X.shape) < 0.3] = np.nan
    X[:, 2] = np.nan
    X[:MOMENTS_ROWS, 3] = np.nan
    weight = rng.uniform(0, 2, len(X))
    found = moments_of(X, weight, missing=True)
    for c in (0, 1, 3):
        there = ~np.isnan(X[:, c])
        alone = moments_of(X[there, c : c + 1], weight[there])
        np.testing.assert_allclose(found.count[c], alone.count, rtol=1e-13)
        np.testing.assert_allclose(found.mean[c], alone.mean[0], rtol=1e-13)
        np.testing.assert_allclose(found.variance[c], alone.variance[0], rtol=1e-13)
    assert (found.count[2], found.mean[2], found.scale(dtype)[2]) == (0.0, 0.0, 1.0)
    X = np.nan_to_num(X)
    exact = moments_of(X, weight)
    full = moments_of(X, weight, missing=True)
    assert np.array_equal(full.mean, exact.mean)
    assert np.array_equal(full.variance, exact.variance)
    assert np.array_equal(full.scale(dtype), exact.scale(dtype))


def test_the_range_is_that_of_values_with_a_weight():
    X = np.array([[-9.0, 1.0], [np.nan, 2.0], [5.0, np.nan], [np.inf, 3.0]])
    weight = np.array([1.0, 0.5, 2.0, 0.0])
    found = moments_of(X, weight, missing=True)
    assert (found.low.tolist(), found.high.tolist()) == ([-9.0, 1.0], [5.0, 2.0])
    nothing = moments_of(X[:0], missing=True)
    assert (nothing.low.tolist(), nothing.high.tolist()) == ([np.inf] * 2, [-np.inf] * 2)
    assert nothing.scale(np.float64).tolist() == [1.0, 1.0]


@settings(max_examples=100)
@given(
    values=st.lists(st.floats(-1e30, 1e30), min_size=1, max_size=30),
    dtype=st.sampled_from(DTYPES),
)
def test_the_scale_lies_between_standard_deviation_and_half_the_range(values, dtype):
    X = np.array(values, dtype)[:, None]
    found = moments_of(X)
    plain = Moments(found.count, found.mean, found.variance).scale(np.float64)
    scale, half = found.scale(np.float64), (found.high - found.low) / 2
    assert (scale >= plain).all()
    if plain != 1.0:
        assert (scale <= np.maximum(half, plain) * (1 + 1e-6)).all()


@pytest.mark.parametrize("n", [2, 10, 10_000])
def test_two_values_have_half_their_distance_as_scale(n):
    X = np.zeros((n, 1))
    X[0] = 3.0
    assert moments_of(X).scale(np.float64) == pytest.approx(1.5, rel=1e-12)


def test_a_symmetric_feature_has_its_standard_deviation_as_scale():
    x = np.random.default_rng(0).normal(size=200)
    found = moments_of(np.concatenate((x, -x))[:, None])
    assert found.scale(np.float64) == pytest.approx(found.variance**0.5, rel=1e-12)


@pytest.mark.parametrize("value", [0.0, 0.1, -3.3e30, 1e-30])
@pytest.mark.parametrize("n", [1, 100, 10 * MOMENTS_ROWS + 1])
def test_a_constant_feature_has_scale_1(value, n):
    for weight in (None, np.random.default_rng(0).uniform(0, 1, n)):
        found = moments_of(np.full((n, 2), value), weight)
        np.testing.assert_allclose(found.mean, value, rtol=1e-13)
        assert found.scale(np.float64).tolist() == [1.0, 1.0]


@pytest.mark.parametrize("value", [1e155, 1e200, 1e250, 1e300, 1e307])
def test_a_variance_beyond_float64_is_infinite(value):
    for n_rows in (2, 20, 4 * MOMENTS_ROWS):
        X = np.resize([0.0, value], (n_rows, 1))
        assert moments_of(X).variance.tolist() == [np.inf]


def test_rows_in_any_layout():
    X = np.random.default_rng(0).normal(size=(300, 6))
    expected = moments_of(X)
    for same in (np.asfortranarray(X), np.repeat(X, 2, axis=1)[:, ::2]):
        same.flags.writeable = False
        assert same_bits(moments_of(same), expected)


def test_they_are_pickled_where_they_are_public():
    assert b"_core" not in pickle.dumps(Moments)
    assert pickle.loads(pickle.dumps(Moments)) is network.Moments


@settings(max_examples=40)
@given(
    sizes=st.lists(st.integers(0, 40), min_size=1, max_size=6),
    weighted=st.booleans(),
    missing=st.booleans(),
)
def test_merged_moments_are_those_of_all_rows(sizes, weighted, missing):
    rng = np.random.default_rng(sum(sizes))
    X = rng.normal([1e6, -3.0, 0.0], [1.0, 2.0, 0.0], (sum(sizes), 3))
    if missing:
        X[rng.random(X.shape) < 0.3] = np.nan
    weight = rng.integers(0, 3, len(X)).astype(float) if weighted else None
    ends = np.cumsum(sizes)
    parts = [
        moments_of(X[end - n : end], None if weight is None else weight[end - n : end],
                   missing=missing)
        for n, end in zip(sizes, ends, strict=True)
    ]  # fmt: skip
    merged = parts[0]
    for part in parts[1:]:
        before = [x.copy() for x in (merged.mean, merged.variance)]
        together = merged.merged(part)
        np.testing.assert_array_equal(before, [merged.mean, merged.variance])
        merged = together
    whole = moments_of(X, weight, missing=missing)
    np.testing.assert_array_equal(merged.count, whole.count)
    assert type(merged.count) is type(whole.count)
    np.testing.assert_allclose(merged.mean, whole.mean, rtol=4 * EPS * len(sizes), atol=1e-15)
    # The error of the variance is relative to the square of the mean.
    np.testing.assert_allclose(merged.variance, whole.variance, rtol=1e-9, atol=1e-15)
    np.testing.assert_array_equal([merged.low, merged.high], [whole.low, whole.high])
    assert merged.n_rows == len(X)
    empty = moments_of(X[:0], missing=missing)
    assert same_bits(merged.merged(empty), merged) and same_bits(empty.merged(merged), merged)
