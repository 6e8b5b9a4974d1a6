"""Every backward function against central differences of its forward function, in float64."""

from collections.abc import Callable
from types import ModuleType

import numpy as np
import pytest
from differences import (
    EPS,
    ERROR,
    STEP,
    assert_close,
    jacobian,
    normals,
)
from kernelcases import FROM_INPUT

from dnncore import reference

# Astride the width of a vector (4 or 8 numbers) and the lanes of a sum (8).
COLUMNS = (1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 33, 65)

each_columns = pytest.mark.parametrize("m", COLUMNS)
each_kind_of_labels = pytest.mark.parametrize("labels", ["classes", "rows"])
each_kind_of_weights = pytest.mark.parametrize("weighted", [False, True])


def make_labels(labels: str, weighted: bool, n: int, m: int) -> dict[str, np.ndarray]:
    rng = np.random.default_rng([n, m])
    L = rng.integers(0, m, n) if labels == "classes" else rng.dirichlet(np.ones(m), n)
    return {"L": L} | ({"sample_weight": rng.uniform(0.5, 2, n)} if weighted else {})


def make_weights(weighted: bool, n: int) -> dict[str, np.ndarray]:
    return {"sample_weight": np.random.default_rng(n).uniform(0.5, 2, n)} if weighted else {}


@each_columns
def test_norm(m, module):
    x, mean, scale, dy = normals((3, m), (m,), (m,), (3, m))
    scale = np.exp(scale)
    J = jacobian(lambda x: module.norm(x, mean, scale), x, step=1.0)
    # The function is linear, so that a step of 1 does not truncate; what it rounds is about
    # as large as the step or as y.
    size = EPS / ERROR * 4 * np.abs(dy) * (1 + np.abs(x - mean)) / scale
    assert_close(module.norm_backward(dy, scale), np.tensordot(dy, J, axes=2), size)


@pytest.mark.parametrize("k", [1, 3, 8, 17])
@each_columns
def test_affine(m, k, module):
    a, W, b, dz = normals((3, k), (k, m), (m,), (3, m))
    da, dW, db = module.affine_backward(dz, a, W)
    # Linear, too. z and da, dW, db are sums of k + 1, m and 3 terms.
    size = EPS / ERROR * (k + m + 4) * np.abs(dz) * (np.abs(a) @ np.abs(W) + np.abs(b) + 1)

    def numerical(f, x):
        return np.tensordot(dz, jacobian(f, x, step=1.0), axes=2)

    assert_close(da, numerical(lambda a: module.affine(a, W, b), a), size.sum())
    assert_close(dW, numerical(lambda W: module.affine(a, W, b), W), size.sum())
    assert_close(db, numerical(lambda b: module.affine(a, W, b), b), size.sum())


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("n_bins", [1, 7, 8, 15, 16, 17])
@pytest.mark.parametrize(("numbers", "rest"), [(0, 3), (1, 0), (2, 1), (17, 2)])
def test_piecewise_linear(numbers, rest, n_bins, size, module):
    n, m = 3, numbers * (1 + size) + rest
    x, V, c, s, dout = normals(
        (n, numbers + rest), (numbers, size, n_bins), (numbers, size), (m,), (n, m)
    )
    # Every third number lies below all bins, every third one above them; one bin is not used.
    lower = np.linspace(-2, 2, n_bins, endpoint=False) * np.ones((numbers, 1)) - 0.01
    inverse_width = np.full(lower.shape, n_bins / 4)
    inverse_width[:, n_bins // 2 :: n_bins] = 0
    x[:, ::3] -= 10
    x[:, 1::3] += 10
    arguments = (x, lower, inverse_width, s, V, c)
    gradients = module.piecewise_linear_backward(dout, *arguments)
    for i, gradient in zip((0, 3, 4, 5), gradients, strict=True):
        if gradient.size == 0:
            assert gradient.shape == arguments[i].shape
            continue

        def forward(y, i=i):
            return module.piecewise_linear(*arguments[:i], y, *arguments[i + 1 :])

        # Linear in every argument, piece by piece; a step in x does not cross an edge.
        step = 1e-4 if i == 0 else 1.0
        numerical = np.tensordot(dout, jacobian(forward, arguments[i], step=step), axes=2)
        size_of = np.abs(dout) @ np.abs(module.piecewise_linear(*arguments)).T
        bound = EPS / ERROR * 32 * (n_bins + n) * (1 + size_of.sum()) / step
        assert_close(gradient, numerical, bound * (1 + np.abs(x).max()))


@each_columns
def test_sigmoid(m, module):
    z, da = normals((3, m), (3, m))
    z *= 3
    a = module.sigmoid(z)
    J = jacobian(module.sigmoid, z)
    assert_close(module.sigmoid_backward(da, a), np.tensordot(da, J, axes=2), np.abs(da) * a)


def test_sigmoid_saturated(module):
    z = np.array([-700.0, -300, -40, -20, 20, 40, 300, 700, -1e4, 1e4, -1e30, 1e30, -1e300, 1e300])
    # Where z does not feel the usual step, sigmoid is constant over a larger one.
    step = STEP * np.where(np.abs(z) > 1000, np.abs(z), 1)
    a = module.sigmoid(z)
    J = jacobian(module.sigmoid, z, step)
    dz = module.sigmoid_backward(np.ones_like(z), a)
    assert np.all(dz[z > 40] == 0)
    assert np.all(dz[(z < 0) & (z > -1000)] > 0)
    assert_close(dz, J.sum(axis=0), a)


@each_columns
def test_tanh(m, module):
    z, da = normals((3, m), (3, m))
    a = module.tanh(z)
    J = jacobian(module.tanh, z)
    # tanh''' is 2 at 0, where tanh is 0.
    assert_close(module.tanh_backward(da, a), np.tensordot(da, J, axes=2), np.abs(da))


def test_tanh_saturated(module):
    z = np.array([1e-320, 1e-300, 1e-20, 20, 40, 300, 1e4, 1e30, 1e300])
    z = np.concatenate([z, -z])
    step = STEP * np.where(np.abs(z) > 1000, np.abs(z), 1)
    a = module.tanh(z)
    dz = module.tanh_backward(np.ones_like(z), a)
    assert np.all(dz[np.abs(z) >= 20] == 0)
    assert np.all(dz[np.abs(z) < 1] == 1)
    assert_close(dz, jacobian(module.tanh, z, step).sum(axis=0), 1)


@each_columns
def test_relu(m, module):
    z, da = normals((3, m), (3, m))
    z += np.copysign(0.1, z)  # away from the kink
    a = module.relu(z)
    J = jacobian(module.relu, z)
    # A difference of steps from the same number, divided by itself, or of zeros.
    assert set(np.unique(J)) <= {0.0, 1.0}
    np.testing.assert_array_equal(module.relu_backward(da, a), np.tensordot(da, J, axes=2))
    # At the kink 0 is one of the derivatives.
    assert np.all(module.relu_backward(da, module.relu(np.zeros_like(z))) == 0)


@each_columns
def test_selu(m, module):
    z, da = normals((3, m), (3, m))
    z += np.copysign(0.1, z)  # away from the kink
    a = module.selu(z)
    J = jacobian(module.selu, z)
    assert_close(module.selu_backward(da, a), np.tensordot(da, J, axes=2), 2 * np.abs(da))
    # At the kink, the derivative is that from below.
    zero = np.zeros_like(z)
    below = (module.selu(zero) - module.selu(zero - STEP)) / STEP
    np.testing.assert_allclose(module.selu_backward(zero + 1, zero), below, rtol=2 * STEP)


@pytest.mark.parametrize("name", FROM_INPUT)
@each_columns
def test_activations_with_a_slope(m, name, module):
    forward, backward = getattr(module, name), getattr(module, f"{name}_backward")
    z, da = normals((3, m), (3, m))
    z *= 3
    J = jacobian(forward, z)
    # The third derivatives are below 1.
    size = np.abs(da) * (1 + np.abs(z))
    assert_close(backward(da, z), np.tensordot(da, J, axes=2), size)


@pytest.mark.parametrize("name", FROM_INPUT)
def test_activations_with_a_slope_saturated(name, module):
    z = np.array([1e-320, 1e-300, 1e-20, 20, 40, 300, 700, 1e4, 1e30, 1e300])
    z = np.concatenate([z, -z])
    step = STEP * np.where(np.abs(z) > 1000, np.abs(z), 1)
    slope = getattr(module, f"{name}_backward")(np.ones_like(z), z)
    J = jacobian(getattr(module, name), z, step)
    assert_close(slope, J.sum(axis=0), 1 + np.where(np.abs(z) > 1000, 0, np.abs(z)))


def check_softmax_jacobian(module: ModuleType, z: np.ndarray, step: float) -> None:
    """Row i of the Jacobian is the gradient of p_i alone."""
    m = z.size
    p = module.softmax(z[np.newaxis])
    J = jacobian(lambda z: module.softmax(z[np.newaxis])[0], z, step)
    # z - max(z) is rounded, which changes its exponential by eps |z - max(z)|; where p is not 0
    # this distance is below 746.
    size = p.T * (1 + min(np.ptp(z), 746))
    assert_close(module.softmax_backward(np.eye(m), np.repeat(p, m, axis=0)), J, size)


@each_columns
def test_softmax_whole_jacobian(m, module):
    check_softmax_jacobian(module, 2 * normals((m,))[0], STEP)


@each_columns
def test_softmax_saturated(m, module):
    # All p are normal numbers or 0.
    check_softmax_jacobian(module, np.resize([0.0, 600, -30, 30, -600, 0], m), STEP)
    # A step that such logits feel; they lie apart by much more, so that p is constant over it.
    check_softmax_jacobian(module, np.linspace(-1e30, 1e30, m), 1e30 * STEP)
    check_softmax_jacobian(module, np.linspace(-1e300, 1e300, m), 1e300 * STEP)


@each_kind_of_weights
@each_kind_of_labels
@each_columns
def test_cross_entropy(m, labels, weighted, module):
    p = reference.softmax(2 * normals((3, m))[0])
    p[0, 0] = 1e-300
    p[1, -1] = 1 - EPS
    others = make_labels(labels, weighted, *p.shape)
    # log p is smooth on the scale of p.
    numerical = jacobian(lambda p: module.cross_entropy(p, **others), p, STEP * p)
    loss = module.cross_entropy(p, **others)
    assert_close(module.cross_entropy_backward(p, **others), numerical, (1 + loss) / p)


@each_kind_of_weights
@each_kind_of_labels
@each_columns
def test_softmax_cross_entropy(m, labels, weighted, module):
    z = 2 * normals((3, m))[0]
    others = make_labels(labels, weighted, *z.shape)
    numerical = jacobian(lambda z: module.softmax_cross_entropy(z, **others)[0], z)
    loss, dz = module.softmax_cross_entropy(z, **others)
    assert_close(dz, numerical, 1 + loss)


@each_kind_of_labels
@pytest.mark.parametrize("largest", [600.0, 1e5, 1e30, 1e300])
@each_columns
def test_softmax_cross_entropy_saturated(m, largest, labels, module):
    z = np.linspace(-largest, largest, m)[np.newaxis]
    # The step that the loss feels; the logits lie apart by much more.
    step = STEP * largest
    for label in {0, m // 2, m - 1}:
        L = np.array([label])
        if labels == "rows":
            L = 0.75 * np.eye(m)[L] + 0.25 / m
        numerical = jacobian(lambda z, L=L: module.softmax_cross_entropy(z, L)[0], z, step)
        loss, dz = module.softmax_cross_entropy(z, L)
        assert_close(dz, numerical, (1 + loss) / largest)


@each_kind_of_weights
@each_kind_of_labels
@each_columns
def test_fused_and_separate_gradients_agree(m, labels, weighted, module):
    z = 2 * normals((17, m))[0]
    others = make_labels(labels, weighted, *z.shape)
    p = module.softmax(z)
    loss, dz = module.softmax_cross_entropy(z, **others)
    separate = module.softmax_backward(module.cross_entropy_backward(p, **others), p)
    # Of |dz| <= w / sum w <= 4 / 17, with a sum of m terms on both ways.
    np.testing.assert_allclose(separate, dz, rtol=0, atol=(16 + m) * EPS * 4 / 17)
    assert loss == pytest.approx(module.cross_entropy(p, **others), rel=(16 + m) * EPS)


@each_kind_of_weights
@each_columns
def test_sigmoid_cross_entropy(m, weighted, module):
    z = 2 * normals((3, m))[0]
    Y = np.random.default_rng(m).uniform(-0.5, 1.5, z.shape).clip(0, 1)  # some are 0 or 1
    others = make_weights(weighted, 3)
    numerical = jacobian(lambda z: module.sigmoid_cross_entropy(z, Y, **others)[0], z)
    loss, dz = module.sigmoid_cross_entropy(z, Y, **others)
    # What is added up is max(z, 0) and Y z, which cancel in part, and log(1 + exp(-|z|)).
    size = (1 + 2 * np.abs(z)).sum(axis=1).max()
    assert loss <= size
    assert_close(dz, numerical, size)
    np.testing.assert_allclose(
        dz, module.squared_error(module.sigmoid(z), Y, **others)[1], rtol=0, atol=16 * EPS
    )


@pytest.mark.parametrize("largest", [600.0, 1e5, 1e30, 1e300])
@each_columns
def test_sigmoid_cross_entropy_saturated(m, largest, module):
    z = np.resize(np.array([1, -1, 0.5, -0.25]) * largest, m)[np.newaxis]
    for y in (0.0, 0.25, 1.0):
        Y = np.full_like(z, y)
        # The step that the loss feels; no logit comes near to 0 by it.
        step = STEP * largest
        numerical = jacobian(lambda z, Y=Y: module.sigmoid_cross_entropy(z, Y)[0], z, step)
        dz = module.sigmoid_cross_entropy(z, Y)[1]
        assert_close(dz, numerical, np.sum(1 + 2 * np.abs(z)) / largest)


def check_error_gradient(
    loss: Callable[[np.ndarray, np.ndarray], tuple[float, np.ndarray]],
    z: np.ndarray,
    Y: np.ndarray,
    step: float,
) -> None:
    """For a loss that is linear or quadratic over the step, so that nothing is truncated.

    What is left is the rounding of the loss, of m terms in a row, and that of z +- step and of
    z - Y, which the loss of |z| + |Y| + step stands for.
    """
    numerical = jacobian(lambda z: loss(z, Y)[0], z, step)
    largest, _ = loss(np.abs(z) + np.abs(Y) + step, np.zeros_like(Y))
    size = EPS / ERROR * (16 + z.shape[1]) * largest / step
    assert_close(loss(z, Y)[1], numerical, size)


@each_kind_of_weights
@each_columns
def test_squared_error(m, weighted, module):
    z, Y = normals((3, m), (3, m))
    others = make_weights(weighted, 3)
    check_error_gradient(lambda z, Y: module.squared_error(z, Y, **others), z, Y, 1.0)


@pytest.mark.parametrize("delta", [0.25, 1.0, 3.0])
@each_kind_of_weights
@each_columns
def test_huber_error(m, weighted, delta, module):
    Y, d = normals((3, m), (3, m))
    d *= 2 * delta
    d *= np.where(np.abs(np.abs(d) - delta) < 0.1 * delta, 1.25, 1)  # away from where pieces meet
    others = make_weights(weighted, 3)
    check_error_gradient(
        lambda z, Y: module.huber_error(z, Y, delta=delta, **others), Y + d, Y, delta / 20
    )


@each_columns
def test_sort_rows(m, module):
    dout, z = normals((3, m), (3, m))
    dz = module.sort_rows_backward(dout, z)
    assert np.array_equal(np.sort(dz, axis=1), np.sort(dout, axis=1))
    assert np.array_equal(module.sort_rows_backward(module.sort_rows(z), z), z)
    # Equal elements keep their order.
    assert np.array_equal(module.sort_rows_backward(dout, np.zeros((3, m))), dout)


@each_kind_of_weights
@each_columns
def test_losses_with_a_kink(m, weighted, module):
    Y, d = normals((3, m), (3, m))
    d += np.where(d < 0, -0.1, 0.1)  # no difference steps over the kink
    others = make_weights(weighted, 3)
    levels = np.arange(1, m + 1) / (m + 1)
    for loss in (
        lambda z, Y: module.absolute_error(z, Y, **others),
        lambda z, Y: module.quantile_error(z, Y, levels, **others),
    ):
        check_error_gradient(loss, Y + d, Y, 1 / 20)
        assert not loss(Y, Y)[1].any()


@each_kind_of_weights
@each_columns
def test_poisson_deviance(m, weighted, module):
    z, Y = normals((3, m), (3, m))
    Y = Y.clip(0)
    others = make_weights(weighted, 3)
    numerical = jacobian(lambda z: module.poisson_deviance(z, Y, **others)[0], z)
    _, dz = module.poisson_deviance(z, Y, **others)
    terms = np.exp(z) + Y * (1 + np.abs(z) + np.abs(np.log(np.where(Y > 0, Y, 1))))
    assert_close(dz, numerical, terms.sum())
    np.testing.assert_allclose(
        dz, module.squared_error(np.exp(z), Y, **others)[1], rtol=0, atol=16 * EPS * terms.max()
    )


@pytest.mark.parametrize("largest", [1e5, 1e30, 1e100])
@each_columns
def test_errors_saturated(m, largest, module):
    d = np.resize(np.array([1, -1, 0.5, -0.25]) * largest, m)[np.newaxis]
    check_error_gradient(module.squared_error, d, np.zeros_like(d), largest)
    check_error_gradient(module.huber_error, d, np.ones_like(d), largest / 20)
    check_error_gradient(module.absolute_error, d, np.ones_like(d), largest / 20)
    levels = np.arange(1, m + 1) / (m + 1)
    check_error_gradient(
        lambda z, Y: module.quantile_error(z, Y, levels), d, np.ones_like(d), largest / 20
    )


def network(
    module: ModuleType, L: np.ndarray, scale: np.ndarray, values: dict[str, np.ndarray]
) -> tuple[float, dict[str, np.ndarray]]:
    """Loss and gradients of norm, affine, sigmoid, affine, softmax and cross-entropy."""
    x, W1, b1, W2, b2 = values.values()
    x0 = module.norm(x, np.zeros_like(scale), scale)
    a1 = module.sigmoid(module.affine(x0, W1, b1))
    loss, dz2 = module.softmax_cross_entropy(module.affine(a1, W2, b2), L)
    da1, dW2, db2 = module.affine_backward(dz2, a1, W2)
    dx0, dW1, db1 = module.affine_backward(module.sigmoid_backward(da1, a1), x0, W1)
    dx = module.norm_backward(dx0, scale)
    return loss, {"x": dx, "W1": dW1, "b1": db1, "W2": dW2, "b2": db2}


@pytest.mark.parametrize("name", ["x", "W1", "b1", "W2", "b2"])
def test_whole_network(name, module):
    shapes = {"x": (5, 3), "W1": (3, 4), "b1": (4,), "W2": (4, 3), "b2": (3,)}
    values = dict(zip(shapes, normals(*shapes.values()), strict=True))
    L, scale = np.array([0, 2, 1, 1, 0]), np.array([1.0, 2.0, 4.0])

    loss, gradients = network(module, L, scale, values)
    numerical = jacobian(lambda x: network(module, L, scale, values | {name: x})[0], values[name])
    # No third derivative is far above the loss: weights, features and 1 / scale are about 1.
    assert_close(gradients[name], numerical, 1 + loss)
