"""The error bounds that csrc/ops.h states for operations on rows, against long double.

Bounds are in ULP (steps from the correctly rounded result), or in eps of the type, to first order:
they are checked with 1% for the terms of second order and for the error of long double.
"""

import exactactivations
import numpy as np
import pytest

from dnncore import kernels
from dnncore._core.moments import MOMENTS_ROWS, Moments

pytestmark = pytest.mark.skipif(
    np.finfo(np.longdouble).nmant < 63, reason="long double is no wider than double here"
)

each_dtype = pytest.mark.parametrize("dtype", [np.float32, np.float64])
# Astride the lanes, and beyond a block of 2048 elements.
each_width = pytest.mark.parametrize("cols", [1, 2, 7, 8, 9, 15, 16, 17, 100, 2049, 4200])

ROWS = 30
SLOPE_EPS = {"silu": 3, "gelu": 6, "mish": 4}
WIDE = np.longdouble
SELU = WIDE("1.05070098735548049342"), WIDE("1.75809934084737685994")  # s and t of ops.h


def wide(*arrays):
    return [x.astype(WIDE) for x in arrays]


def depth(cols, dtype):
    """As in ops.h: how many additions an element goes through in the sum of a row."""
    lanes = 64 // np.dtype(dtype).itemsize
    return cols if cols < lanes else cols / lanes + 5


def assert_within(actual, exact, bound):
    """An absolute bound; results below the normal numbers are off by a few subnormal ones."""
    info = np.finfo(actual.dtype)
    allowed = 1.01 * bound + 4 * WIDE(info.smallest_subnormal)
    ratio = (np.abs(actual - exact) / allowed).max()
    assert ratio <= 1, f"{float(ratio)} of the bound"


def assert_within_ulp(actual, exact, ulp):
    """From the correctly rounded result; where long double is next to a tie, from either."""
    slack = np.abs(exact) * np.finfo(WIDE).eps * 2
    low, high = (exact - slack).astype(actual.dtype), (exact + slack).astype(actual.dtype)
    for _ in range(ulp):
        low, high = np.nextafter(low, -np.inf), np.nextafter(high, np.inf)
    assert ((low <= actual) & (actual <= high)).all()


def logits(cols, dtype, seed=0):
    """Rows of small and large spread, of one winner, of equal numbers, and of whole numbers."""
    rng = np.random.default_rng(seed)
    z = rng.standard_normal((ROWS, cols)) * np.geomspace(1e-3, 30, ROWS)[:, np.newaxis]
    z[::7, 0] += 40
    z[3::7] = z[3::7, :1]
    z[5::7] = np.round(z[5::7])
    return z.astype(dtype)


def exact_softmax(z):
    s = z.astype(WIDE)
    s -= s.max(axis=1, keepdims=True)
    total = np.exp(s).sum(axis=1, keepdims=True)
    return s, np.exp(s) / total, s - np.log(total)


@each_dtype
@each_width
def test_softmax(dtype, cols):
    z, eps = logits(cols, dtype), WIDE(np.finfo(dtype).eps)
    s, p, _ = exact_softmax(z)
    bound = (-s + np.log(cols) + depth(cols, dtype) + 7) / 2 * eps * p
    assert_within(kernels.softmax(z), p, bound)


@each_dtype
@each_width
def test_log_softmax(dtype, cols):
    z, eps = logits(cols, dtype), WIDE(np.finfo(dtype).eps)
    _, _, log_p = exact_softmax(z)
    bound = (-log_p + (4 * np.log(cols) + depth(cols, dtype) + 3) / 2) * eps
    assert_within(kernels.log_softmax(z), log_p, bound)


@each_dtype
@each_width
def test_softmax_backward(dtype, cols):
    rng = np.random.default_rng(1)
    dp = rng.standard_normal((ROWS, cols)).astype(dtype)
    p = kernels.softmax(logits(cols, dtype))
    wide_dp, wide_p = wide(dp, p)
    exact = wide_p * (wide_dp - (wide_dp * wide_p).sum(axis=1, keepdims=True))
    terms = wide_p * (np.abs(wide_dp) + (np.abs(wide_dp) * wide_p).sum(axis=1, keepdims=True))
    bound = (depth(cols, dtype) + 4) / 2 * np.finfo(dtype).eps * terms
    assert_within(kernels.softmax_backward(dp, p), exact, bound)


@each_dtype
@each_width
@pytest.mark.parametrize("classes", [True, False])
def test_cross_entropy(dtype, cols, classes):
    rng = np.random.default_rng(2)
    p = kernels.softmax(logits(cols, dtype))
    label, L = rng.integers(0, cols, len(p)), rng.random(p.shape).astype(dtype)
    log_p = np.log(np.maximum(p, np.finfo(dtype).tiny).astype(WIDE))
    rows = np.arange(len(p))
    exact = -log_p[rows, label] if classes else -(L.astype(WIDE) * log_p).sum(axis=1)
    targets = label if classes else L
    found = np.array([kernels.cross_entropy(p[[r]], targets[[r]]) for r in rows])
    assert_within(found, exact, (depth(cols, dtype) + 4) / 2 * np.finfo(dtype).eps * exact)


@each_dtype
@pytest.mark.parametrize("cols", [1, 9, 100])
def test_cross_entropy_backward(dtype, cols):
    rng = np.random.default_rng(3)
    p, L = (rng.uniform(0.01, 1, (1, cols)).astype(dtype) for _ in range(2))
    exact = -L.astype(WIDE) / p
    assert_within_ulp(kernels.cross_entropy_backward(p, L), exact, 2)


@each_dtype
@each_width
@pytest.mark.parametrize("classes", [True, False])
def test_softmax_cross_entropy(dtype, cols, classes):
    rng = np.random.default_rng(4)
    z, eps, deep = logits(cols, dtype), np.finfo(dtype).eps, depth(cols, dtype)
    label, L = rng.integers(0, cols, len(z)), rng.random(z.shape).astype(dtype)
    _, p, log_p = exact_softmax(z)
    L_of = np.eye(cols, dtype=dtype)[label] if classes else L
    mass = L_of.astype(WIDE).sum(axis=1, keepdims=True)
    exact = -(L_of.astype(WIDE) * log_p).sum(axis=1)
    targets = label if classes else L
    rows = range(len(z))
    found = [kernels.softmax_cross_entropy(z[[r]], targets[[r]]) for r in rows]
    loss, dz = np.array([loss for loss, _ in found]), np.concatenate([dz for _, dz in found])
    bound = (deep + 4) / 2 * eps * (exact + mass[:, 0] * (1 + np.log(cols)))
    assert_within(loss, exact, bound)
    assert_within(dz, p * mass - L_of, (np.log(cols) + 2 * deep + 13) / 2 * eps * mass)


def exact_binary_cross_entropy(z, Y):
    e = np.exp(-np.abs(z))
    p = np.where(z < 0, e, 1) / (1 + e)
    return np.maximum(z, 0) - Y * z + np.log1p(e), p - Y


def exact_squared_error(z, Y):
    return (z - Y) ** 2 / 2, z - Y


def exact_huber_error(z, Y):
    inside = np.clip(z - Y, -1, 1)
    return np.abs(inside) * (np.abs(z - Y) - np.abs(inside) / 2), inside


def exact_absolute_error(z, Y):
    return np.abs(z - Y), np.sign(z - Y)


@each_dtype
@each_width
def test_poisson_deviance(dtype, cols):
    rng = np.random.default_rng(6)
    z, eps = logits(cols, dtype), np.finfo(dtype).eps
    z = np.minimum(z, dtype(80))
    Y = (rng.poisson(3, z.shape) * rng.random(z.shape)).astype(dtype)
    wide_z, wide_Y = wide(z, Y)
    m, log_Y = np.exp(wide_z), np.log(np.where(Y > 0, wide_Y, 1))
    exact, terms = (
        wide_Y * (log_Y - wide_z) - wide_Y + m,
        m + wide_Y * (1 + np.abs(log_Y) + np.abs(wide_z)),
    )
    found = [kernels.poisson_deviance(z[[r]], Y[[r]]) for r in range(len(z))]
    loss, dz = np.array([loss for loss, _ in found]), np.concatenate([dz for _, dz in found])
    in_sum = (cols / 16 + 5) * np.finfo(np.float64).eps
    assert_within(loss, exact.sum(axis=1), (2 * eps + in_sum) * terms.sum(axis=1))
    assert_within(dz, m - wide_Y, 2 * eps * (m + wide_Y))


@each_dtype
@each_width
def test_quantile_error(dtype, cols):
    rng = np.random.default_rng(7)
    z, eps = logits(cols, dtype), np.finfo(dtype).eps
    Y, levels = rng.random(z.shape).astype(dtype), np.sort(rng.random(cols))
    (q,), (wide_z, wide_Y) = wide(levels.astype(dtype)), wide(z, Y)
    d = np.where(wide_z > wide_Y, 1 - q, -q)
    exact = (d * (wide_z - wide_Y)).sum(axis=1)
    found = [kernels.quantile_error(z[[r]], Y[[r]], levels) for r in range(len(z))]
    loss, dz = np.array([loss for loss, _ in found]), np.concatenate([dz for _, dz in found])
    in_sum = (cols / 16 + 5) * np.finfo(np.float64).eps
    assert_within(loss, exact, (eps + in_sum) * exact)
    assert_within_ulp(dz, d, 2)


@each_dtype
@each_width
@pytest.mark.parametrize(
    ("name", "exact_of", "loss_eps", "dz_eps"),
    [
        ("sigmoid_cross_entropy", exact_binary_cross_entropy, 4, 4),
        ("squared_error", exact_squared_error, 1, None),
        ("huber_error", exact_huber_error, 1, None),
        ("absolute_error", exact_absolute_error, 1, None),
    ],
)
def test_losses_of_outputs(name, exact_of, loss_eps, dz_eps, dtype, cols):
    rng = np.random.default_rng(5)
    z, Y, eps = logits(cols, dtype), rng.random((ROWS, cols)).astype(dtype), np.finfo(dtype).eps
    Y[::2] = np.round(Y[::2])
    losses, d = exact_of(*wide(z, Y))
    found = [getattr(kernels, name)(z[[r]], Y[[r]]) for r in range(len(z))]
    loss, dz = np.array([loss for loss, _ in found]), np.concatenate([dz for _, dz in found])
    exact = losses.sum(axis=1)
    in_sum = (cols / 16 + 5) * np.finfo(np.float64).eps
    assert_within(loss, exact, (loss_eps * eps + in_sum) * exact)
    if dz_eps is None:
        assert_within_ulp(dz, d, 2)
    else:
        assert_within(dz, d, dz_eps * eps)


@each_dtype
def test_norm(dtype):
    rng = np.random.default_rng(6)
    x, mean = (rng.standard_normal(s).astype(dtype) for s in ((2000, 33), 33))
    scale = rng.uniform(0.1, 9, 33).astype(dtype)
    wide_x, wide_mean, wide_scale = wide(x, mean, scale)
    assert_within_ulp(kernels.norm(x, mean, scale), (wide_x - wide_mean) / wide_scale, 1)
    np.testing.assert_array_equal(kernels.norm_backward(x, scale), x / scale)


@each_dtype
@pytest.mark.parametrize(
    ("name", "slope", "ulp"),
    [
        ("sigmoid_backward", lambda a: a * (1 - a), 2),
        ("tanh_backward", lambda a: (1 - a) * (1 + a), 1),
        ("relu_backward", lambda a: a > 0, 0),
        ("selu_backward", lambda a: np.where(a > 0, SELU[0], a + SELU[1]), 1),
    ],
)
def test_slopes(name, slope, ulp, dtype):
    rng = np.random.default_rng(7)
    da, a = rng.standard_normal((200, 500)).astype(dtype), rng.random((200, 500)).astype(dtype)
    wide_da, wide_a = wide(da, a)
    assert_within_ulp(getattr(kernels, name)(da, a), wide_da * slope(wide_a), ulp)


@each_dtype
@pytest.mark.parametrize(("name", "eps"), SLOPE_EPS.items())
def test_slopes_from_the_input(name, eps, dtype):
    rng = np.random.default_rng(7)
    ends = 110 if dtype is np.float32 else 750
    z = np.concatenate([rng.uniform(-6, 6, 200_000), rng.uniform(-ends, ends, 50_000)])
    z = z.astype(dtype)
    gate, bend = exactactivations.TERMS[name](*wide(z))
    slope = getattr(kernels, f"{name}_backward")(np.ones_like(z), z)
    assert_within(slope, gate + bend, eps * np.finfo(dtype).eps * (gate + np.abs(bend)))


@each_dtype
@pytest.mark.parametrize("rows", [1, 100, 3000])
@pytest.mark.parametrize("cols", [1, 21, 64, 150])  # up to 64 are summed at a time
def test_column_sums(dtype, rows, cols):
    dz = np.random.default_rng(8).standard_normal((rows, cols)).astype(dtype)
    _, _, db = kernels.affine_backward(dz, np.ones((rows, 2), dtype), np.ones((2, cols), dtype))
    (x,) = wide(dz)
    assert_within(db, x.sum(axis=0), rows / 2 * np.finfo(dtype).eps * np.abs(x).sum(axis=0))


@each_dtype
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("order", ["random", "sorted", "outliers first"])
def test_moments(dtype, weighted, order):
    rng = np.random.default_rng(9)
    n = 40 * MOMENTS_ROWS + 17
    spread, at = np.array([1e-3, 1.0, 30.0, 1e3, 1.0]), np.array([1e2, 1e5, -1e7, 0.0, 0.0])
    X = rng.standard_normal((n, 5)) * spread + at
    X[:, 4] = np.exp(3 * rng.standard_normal(n))
    if order == "sorted":
        X.sort(axis=0)
    elif order == "outliers first":
        X[:3] += 1e3 * spread
    X = X.astype(dtype)
    weight = rng.uniform(0, 2, n).astype(dtype) if weighted else None
    found = Moments.empty(5, missing=False)
    found.update(X, weight)
    w = np.ones(n, WIDE) if weight is None else weight.astype(WIDE)
    (x,) = wide(X)
    mean = w @ x / w.sum()
    variance = w @ (x - mean) ** 2 / w.sum()
    size = np.abs(x).max(axis=0) / np.sqrt(variance)
    bound = ((n / MOMENTS_ROWS + 5) * size + 600) * np.finfo(np.float64).eps
    assert_within(found.mean, mean, bound * np.sqrt(variance))
    assert_within(found.variance, variance, bound * variance)


@each_dtype
@pytest.mark.parametrize(("n_bins", "size"), [(1, 1), (16, 3), (33, 5)])
def test_piecewise_linear(dtype, n_bins, size):
    rng, eps, n, numbers = np.random.default_rng(n_bins), WIDE(np.finfo(dtype).eps), 130, 4
    arrays = [
        rng.standard_normal(shape).astype(dtype)
        for shape in ((n, 6), (numbers, n_bins), (numbers, size, n_bins), (numbers, size))
    ]
    x, lower, V, c = arrays
    inverse_width = rng.uniform(0.5, 4, lower.shape).astype(dtype)
    s = rng.standard_normal(numbers * size + 6).astype(dtype)
    dout = rng.standard_normal((n, s.size)).astype(dtype)
    # The bounds are for q as it is in the given type.
    q = np.clip((x[:, :numbers, np.newaxis] - lower) * inverse_width, 0, 1)
    inside = ((q > 0) & (q < 1)).astype(WIDE)
    q, wide_x, wide_V, wide_c, wide_s, wide_dout = wide(q, x, V, c, s, dout)

    def embedded(x, V, c):
        e = c + np.einsum("rft,fdt->rfd", q, V)
        return np.hstack([x[:, :numbers], e.reshape(n, -1), x[:, numbers:]])

    sizes = [np.abs(a) for a in (wide_x, wide_V, wide_c)]
    out = kernels.piecewise_linear(x, lower, inverse_width, s, V, c)
    bound = (n_bins + 4) / 2 * eps * np.abs(wide_s) * embedded(*sizes)
    assert_within(out, wide_s * embedded(wide_x, wide_V, wide_c), bound)

    def gradients(x, V, c, s, dout):
        du = s * dout
        du_e = du[:, numbers : numbers * (1 + size)].reshape(n, numbers, size)
        slopes = np.einsum("rfd,fdt,rft,ft->rf", du_e, V, inside, inverse_width.astype(WIDE))
        dx = np.hstack([du[:, :numbers] + slopes, du[:, numbers * (1 + size) :]])
        ds = (dout * embedded(x, V, c)).sum(axis=0)
        return dx, ds, np.einsum("rft,rfd->fdt", q, du_e), du_e.sum(axis=0)

    found = kernels.piecewise_linear_backward(dout, x, lower, inverse_width, s, V, c)
    exact = gradients(wide_x, wide_V, wide_c, wide_s, wide_dout)
    magnitudes = gradients(*sizes, np.abs(wide_s), np.abs(wide_dout))
    terms = (size * n_bins + 4, *[n + n_bins + 4] * 3)
    for a, b, magnitude, k in zip(found, exact, magnitudes, terms, strict=True):
        assert_within(a, b, k / 2 * eps * magnitude)
