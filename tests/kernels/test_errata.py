"""Errata of the derivation notes.

Each formula as it stands in the notes, the derivative that it should have been, by central
differences, and ours.
"""

import numpy as np
from differences import STEP, assert_close, jacobian, normals


def assert_wrong(formula: np.ndarray, numerical: np.ndarray) -> None:
    assert formula.shape == numerical.shape
    assert np.abs(formula - numerical).max() > 0.1


P = np.array([[0.2, 0.3, 0.5], [0.7, 0.2, 0.1]])
ROWS = np.array([[0.6, 0.3, 0.1], [0.2, 0.7, 0.1]])


def test_erratum_cross_entropy_is_minus_L_log_p(module):
    """The notes: the loss is z log L, its derivative -L / z (here p for z)."""
    derivative_in_the_notes = -ROWS / P
    loss_in_the_notes = jacobian(lambda p: float(np.sum(p * np.log(ROWS))), P)
    without_minus = jacobian(lambda p: float(np.sum(ROWS * np.log(p))), P)
    assert_wrong(derivative_in_the_notes, loss_in_the_notes)
    assert_wrong(derivative_in_the_notes, without_minus)
    # Ours is a mean over the rows.
    numerical = jacobian(lambda p: 2 * module.cross_entropy(p, ROWS), P, STEP * P)
    assert_close(derivative_in_the_notes, numerical, 4 / P)
    assert_close(2 * module.cross_entropy_backward(P, ROWS), numerical, 4 / P)


def test_erratum_softmax_jacobian_is_not_diagonal(module):
    """The notes: dz = dp p (1 - p), which gives the wrong classes no gradient at all."""
    z, label = np.log(P), np.array([0, 1])
    p = module.softmax(z)
    dp = module.cross_entropy_backward(p, label)
    numerical = jacobian(lambda z: module.cross_entropy(module.softmax(z), label), z)

    diagonal_only = dp * p * (1 - p)
    wrong_classes = np.eye(3)[label] == 0
    assert np.all(diagonal_only[wrong_classes] == 0)
    assert np.all(numerical[wrong_classes] > 0.01)
    assert_wrong(diagonal_only, numerical)
    assert_close(module.softmax_backward(dp, p), numerical, 2)


def test_erratum_delta_goes_back_through_W2(module):
    """The notes: dz1 = dz2 a1 (1 - a1), without W2^T."""
    z1, W2, b2 = normals((2, 3), (3, 3), (3,))
    L = np.array([0, 2])

    def loss(z1):
        return module.softmax_cross_entropy(module.affine(module.sigmoid(z1), W2, b2), L)[0]

    a1 = module.sigmoid(z1)
    dz2 = module.softmax_cross_entropy(module.affine(a1, W2, b2), L)[1]
    numerical = jacobian(loss, z1)
    assert_wrong(module.sigmoid_backward(dz2, a1), numerical)
    da1 = module.affine_backward(dz2, a1, W2)[0]
    assert_close(module.sigmoid_backward(da1, a1), numerical, 1 + loss(z1))


def test_erratum_weight_gradient_is_a_transposed_times_delta(module):
    """The notes: dW = delta a^T; with rows as samples that even has another shape, unless there
    are as many rows as inputs and outputs."""
    a, W, b, dz = normals((3, 3), (3, 3), (3,), (3, 3))
    numerical = np.tensordot(dz, jacobian(lambda W: module.affine(a, W, b), W), axes=2)
    assert_wrong(dz @ a.T, numerical)
    size = np.sum(np.abs(dz) * (np.abs(a) @ np.abs(W) + np.abs(b)))
    assert_close(module.affine_backward(dz, a, W)[1], numerical, size)


def test_erratum_norm_has_a_derivative(module):
    """The notes leave it out, as if dx = da."""
    x, mean, da = normals((2, 3), (3,), (2, 3))
    scale = np.array([0.5, 2.0, 4.0])
    numerical = np.tensordot(da, jacobian(lambda x: module.norm(x, mean, scale), x), axes=2)
    assert_wrong(da, numerical)
    size = np.abs(da) * (1 + np.abs(x - mean)) / scale
    assert_close(module.norm_backward(da, scale), numerical, size)
