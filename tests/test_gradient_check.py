"""gradcheck: gradients against central differences, and the slips that it must find."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tracednetworks import ACTIVATIONS, KINDS, LOSSES, traced_network

from dnncore import DNNClassifier, DNNRegressor, Network, gradcheck, kernels, reference
from dnncore._gradient_check.differences import Candidate, most_accurate, noise, sizes
from dnncore._network import back_propagation
from dnncore.gradient_check import GradientCheck

WEIGHTS = np.array([1.0, 2.0, 0.5, 0.0, 1.0, 3.0])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("loss", LOSSES)
def test_the_kernels_are_right(loss, activation, dtype):
    network, rows, options = traced_network("norm", loss, activation, dtype=dtype)
    check = gradcheck(network, *rows, sample_weight=WEIGHTS, alpha=0.3, **options)
    assert check.ok, check
    names = [comparison.name for comparison in check]
    assert ("dp" in names) == (loss != "quantile")
    rest = ["da_1", "dW_2", "db_2", "dz_1", "da_0", "dW_1", "db_1", "dx"]
    assert names[-8:] == rest
    assert names[:-8] in (["dz_2"], ["dp", "dz_2"], ["dp", "dz_2", "dz_2 from dp"])


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("sizes", [(4, 3), (4, 9, 8, 17)])
def test_every_kind_of_network(kind, sizes, dtype):
    network, rows, options = traced_network(kind, activation="gelu", sizes=sizes, dtype=dtype)
    check = gradcheck(network, *rows, **options)
    assert check.ok, check
    if kind == "embedding":
        assert {"ds", "dV", "dc"} <= {comparison.name for comparison in check}


@settings(max_examples=60)
@given(
    st.sampled_from(KINDS),
    st.sampled_from(sorted(LOSSES)),
    st.sampled_from(ACTIVATIONS),
    st.sampled_from([np.float32, np.float64]),
    st.lists(st.integers(1, 8), min_size=1, max_size=4),
    st.integers(3, 30),
    st.integers(0, 100),
)
def test_no_right_gradient_is_called_wrong(kind, loss, activation, dtype, layers, n, seed):
    """Whatever the rounding errors: rows of other scales, saturated units, outputs near 0 and 1."""
    network, rows, options = traced_network(
        kind, loss, activation, sizes=(3, *layers), n=n, dtype=dtype
    )
    rng = np.random.default_rng(seed)
    network.parameters += rng.normal(scale=0.5, size=network.parameters.shape).astype(dtype)
    check = gradcheck(network, *rows, seed=seed, max_elements=10, **options)
    assert check.wrong == [], check


# The five mistakes of docs/explanation/errata.md, in the kernels that a network uses. The layers
# have as many units as there are rows, or two of the products would have no valid shape.


def planted(monkeypatch, slip):
    backward = kernels.affine_backward
    if slip == "cross-entropy":
        right = kernels.cross_entropy_backward
        monkeypatch.setattr(kernels, "cross_entropy_backward", lambda p, L: -right(p, L))
    elif slip == "softmax":
        monkeypatch.setitem(back_propagation.BACKWARD, "softmax", lambda dp, p: dp * p * (1 - p))
    elif slip == "delta":
        monkeypatch.setattr(
            kernels, "affine_backward", lambda dz, a, W: (dz, *backward(dz, a, W)[1:])
        )
    elif slip == "weights":
        monkeypatch.setattr(
            kernels,
            "affine_backward",
            lambda dz, a, W: (backward(dz, a, W)[0], dz @ a.T, dz.sum(axis=0)),
        )
    else:
        monkeypatch.setattr(kernels, "norm_backward", lambda da, scale: da)


@pytest.mark.parametrize(
    ("slip", "first", "also"),
    [
        ("cross-entropy", "dp", {"dz_2 from dp"}),
        ("softmax", "dz_2 from dp", set()),
        ("delta", "da_1", {"dz_1", "da_0", "dW_1", "db_1", "dx"}),
        ("weights", "dW_2", {"dW_1"}),
        ("norm", "dx", set()),
    ],
)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_a_slip_in_a_network_is_found(slip, first, also, dtype, monkeypatch):
    network, rows, _ = traced_network(sizes=(3, 3, 3), n=3, dtype=dtype)
    assert gradcheck(network, *rows)
    planted(monkeypatch, slip)
    check = gradcheck(network, *rows)
    assert not check.ok
    assert check.wrong[0] == first
    assert set(check.wrong[1:]) == also
    assert str(check).startswith(f"{first} is wrong: {check[first].element} is ")
    assert check.worst.name in check.wrong


# The same in functions of one's own.

P = np.array([[0.2, 0.3, 0.5], [0.7, 0.2, 0.1]])
LABELS = np.array([[0.6, 0.3, 0.1], [0.2, 0.7, 0.1]])
RNG = np.random.default_rng(0)
Z, A, W = RNG.normal(size=(2, 3)), RNG.normal(size=(3, 3)), RNG.normal(size=(3, 3))
B = np.zeros(3)
SCALE = np.array([0.5, 2.0, 4.0])
ONE_HOT = np.array([[1.0, 0.0, 0.0], [0.0, 0.0, 1.0]])


def cross_entropy(p):
    return -np.sum(LABELS * np.log(p)), -LABELS / p


def cross_entropy_of_the_notes(p):
    return np.sum(p * np.log(LABELS)), -LABELS / p


def cross_entropy_without_minus(p):
    return np.sum(LABELS * np.log(p)), -LABELS / p


def two_layers(z):
    """The loss as a function of the first z, with the right delta."""
    a = reference.sigmoid(z)
    loss, dz2 = reference.softmax_cross_entropy(reference.affine(a, W, B), ONE_HOT)
    return loss, reference.sigmoid_backward(dz2 @ W.T, a)


def two_layers_without_weights(z):
    a = reference.sigmoid(z)
    loss, dz2 = reference.softmax_cross_entropy(reference.affine(a, W, B), ONE_HOT)
    return loss, reference.sigmoid_backward(dz2, a)


def softmax_backward(dp, z):
    p = kernels.softmax(z)
    return kernels.softmax_backward(dp, p)


def softmax_backward_diagonal(dp, z):
    p = kernels.softmax(z)
    return dp * p * (1 - p)


def affine_backward(dz, a, W, b):
    return kernels.affine_backward(dz, a, W)


def affine_backward_of_columns(dz, a, W, b):
    return dz @ W.T, dz @ a.T, dz.sum(axis=0)


def norm(x):
    return kernels.norm(x, np.ones(3), SCALE)


@pytest.mark.parametrize(
    ("function", "arrays", "right", "wrong", "name"),
    [
        (None, (P,), cross_entropy, cross_entropy_of_the_notes, "dp"),
        (None, (P,), cross_entropy, cross_entropy_without_minus, "dp"),
        (kernels.softmax, (Z,), softmax_backward, softmax_backward_diagonal, "dz"),
        (None, (Z,), two_layers, two_layers_without_weights, "dz"),
        (kernels.affine, (A, W, B), affine_backward, affine_backward_of_columns, "dW"),
        (norm, (Z,), lambda da, x: kernels.norm_backward(da, SCALE), lambda da, x: da, "dx"),
    ],
)
def test_a_slip_in_a_function_is_found(function, arrays, right, wrong, name):
    def check(derivative):
        if function is None:
            return gradcheck(derivative, *arrays)
        return gradcheck(function, *arrays, backward=derivative)

    assert check(right).ok, check(right)
    assert ("random numbers" in str(check(right))) == (function is not None)
    found = check(wrong)
    assert not found
    assert found.wrong == [name]


def test_one_wrong_element_is_found():
    """A relative error that is small, but larger than the expected one."""
    for dtype, error in ((np.float64, 1e-7), (np.float32, 1e-4)):
        x = np.linspace(0.5, 2.0, 12).reshape(3, 4).astype(dtype)

        def cubes(x, error=error):
            gradient = 3 * x**2
            gradient[1, 2] *= 1 + error
            return np.sum(x**3), gradient

        assert gradcheck(lambda x: (np.sum(x**3), 3 * x**2), x)
        check = gradcheck(cubes, x)
        (comparison,) = check
        assert comparison.is_wrong
        assert comparison.index == (1, 2)
        assert comparison.element == "dx[1, 2]"
        assert comparison.derived == pytest.approx(3 * x[1, 2] ** 2, rel=2 * error)
        assert comparison.error == pytest.approx(abs(comparison.derived - comparison.measured))
        assert comparison.error > comparison.expected_error
        parts = comparison.truncation_error, comparison.rounding_error
        assert comparison.expected_error == sum(parts)
        assert min(parts) > 0
        assert comparison.n_checked == 12
        assert 0 < comparison.step < 1e-3


def test_no_more_elements_than_allowed_are_checked():
    calls = []

    def squares(x):
        calls.append(x)
        return np.sum(x**2), 2 * x

    (comparison,) = gradcheck(squares, np.ones((50, 50)), max_elements=7)
    assert comparison.ok
    assert comparison.n_checked == 7
    assert len(calls) < 7 * 12 + 40


FUNCTIONS = {
    "sin": (np.sin, np.cos),
    "exp": (np.exp, np.exp),
    "cube": (lambda x: x**3, lambda x: 3 * x**2),
    "log": (np.log, lambda x: 1 / x),
    "relu": (lambda x: np.maximum(x - 1, 0), lambda x: float(x > 1)),
}


@given(
    st.sampled_from(sorted(FUNCTIONS)),
    st.floats(1e-3, 30.0),
    st.sampled_from([1e-9, 1e-3, 1.0, 1e6]),
)
def test_the_error_is_at_most_the_expected_one(name, x, unit):
    f, derivative = FUNCTIONS[name]
    point = np.array([x * unit])

    def scaled(x):
        return float(f(x[0] / unit))

    candidate = Candidate("dx", np.zeros(1), np.zeros(1), scaled, point)
    rounding = noise(scaled, point, np.random.default_rng(0))
    found = most_accurate(candidate, (0,), float(sizes(point)[0]), rounding, scaled(point))
    exact = float(derivative(x)) / unit
    if name != "relu" or abs(x - 1) > 1e-12:
        assert abs(found.value - exact) <= found.expected
    else:  # at the kink, any number between the slopes is a derivative
        assert found.expected >= 0.5 / unit


@given(st.floats(-3.0, 3.0))
def test_a_kink_near_by_is_noticed(distance):
    """Wherever the kink is between x - 2h and x + 2h."""
    h = float(np.finfo(float).eps ** (1 / 3))
    x = np.array([1.0 + distance * h])
    (comparison,) = gradcheck(lambda x: (np.sum(np.maximum(x - 1, 0)), 1.0 * (x > 1)), x)
    assert not comparison.is_wrong


def test_too_many_kinks_are_unclear():
    check = gradcheck(lambda x: (np.sum(np.abs(x)), np.sign(x)), np.zeros(3))
    assert not check.ok
    assert check.wrong == []
    verdict = "Unclear: the loss has kinks, or is not finite, or not accurate: dx."
    assert str(check).startswith(f"{verdict}\n")
    assert repr(check) == f"<GradientCheck: {str(check).splitlines()[0]}>"


@pytest.mark.parametrize(
    "f",
    [
        lambda x, rng: np.sum(x * rng.uniform(0.5, 1.5, x.shape)),  # as with dropout
        lambda x, rng: np.nan,
        lambda x, rng: np.sum(x) if (x == 1).all() else np.inf,
    ],
)
def test_a_loss_that_is_not_accurate_proves_nothing(f):
    rng = np.random.default_rng(0)
    for gradient in (1.0, 7.0):
        check = gradcheck(lambda x, d=gradient: (f(x, rng), np.full(x.shape, d)), np.ones((2, 3)))
        assert not check.ok
        if gradient == 1:
            assert check.wrong == []


def test_a_loss_in_float32_is_compared_as_far_as_it_goes():
    def f(x, d=1.0):
        return np.float32(np.sum(x)), np.full(x.shape, d)

    (right,), (wrong,) = gradcheck(f, np.ones(6)), gradcheck(lambda x: f(x, 1.01), np.ones(6))
    assert right.ok
    assert wrong.is_wrong
    assert 1e-4 < right.expected_error < 1e-2


def test_gradients_of_saturated_outputs():
    """Probabilities next to 0 and 1, where a step as large as p would leave the interval."""
    for loss in ("cross_entropy", "binary_cross_entropy", "poisson"):
        network, (X, y), options = traced_network("norm", loss)
        network.coefs_[-1][...] *= 12
        if loss == "binary_cross_entropy":
            y = y.round()
        check = gradcheck(network, X, y, **options)
        assert check.ok, check


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_estimators():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(60, 4))
    classes = np.array(["a", "b", "c"])[rng.integers(0, 3, 60)]
    classifier = DNNClassifier((5,), max_iter=5, random_state=0).fit(X, classes)
    assert gradcheck(classifier, X, classes, max_elements=20), gradcheck(classifier, X, classes)
    quantiles = DNNRegressor("quantile", (5,), quantiles=(0.1, 0.9), max_iter=5, random_state=0)
    quantiles.fit(X, X[:, 0])
    check = gradcheck(quantiles, X, X[:, 0], max_elements=20)
    assert check.wrong == [], check
    with pytest.raises(TypeError, match="those of the estimator"):
        gradcheck(quantiles, X, X[:, 0], loss="quantile")


def test_the_result_is_readable():
    network, rows, _ = traced_network()
    check = gradcheck(network, *rows)
    assert isinstance(check, GradientCheck)
    table, legend = str(check).rsplit("\n\n", 1)
    verdict, blank, header, *lines = table.splitlines()
    assert legend.startswith("error: ")
    assert all(f"{column}: " in legend for column in ("measured", "truncation, rounding"))
    assert verdict == "11 gradients agree with central differences."
    assert blank == ""
    assert header.split()[:3] == ["gradient", "shape", "checked"]
    assert len(lines) == len(check.comparisons) == 11
    assert all(line.endswith("right") for line in lines)
    comparison = check["dW_1"]
    assert comparison.formula == "dW_1 = a_0.T @ dz_1"
    assert comparison.kernel == "affine_backward"
    assert str(comparison).startswith(f"{comparison.element}: derived {comparison.derived:.6g}, ")
    assert str(comparison).endswith(", right")
    assert comparison.derived == network.gradients(*rows).coefs[0][comparison.index]
    with pytest.raises(KeyError, match=r"the gradients are dp, .*, got 'dW_9'"):
        _ = check["dW_9"]


@pytest.mark.parametrize(
    ("arguments", "options", "error", "text"),
    [
        ((3, Z), {}, TypeError, "model must be a Network, DNNClassifier, .*, got int"),
        ((np.sum,), {}, TypeError, "at least 1 array, got none"),
        ((cross_entropy, P), {"alpha": 1.0}, TypeError, "require a network"),
        ((cross_entropy, P), {"quantiles": np.ones(2)}, TypeError, "require a network"),
        ((cross_entropy, P), {"max_elements": 0}, ValueError, "max_elements must"),
        ((cross_entropy, P.astype(int)), {}, TypeError, "p must be a float32 or float64 array"),
        ((np.tanh, Z), {}, TypeError, "must return a pair: .*, got ndarray.* needs backward"),
        ((lambda x: (1.0, x[0]), Z), {}, ValueError, r"dx must have shape \(2, 3\), like x, got"),
        ((lambda x: (1.0, (x, x)), Z), {}, ValueError, "gradients must be 1, .*, got 2"),
    ],
)
def test_bad_arguments(arguments, options, error, text):
    with pytest.raises(error, match=text):
        gradcheck(*arguments, **options)


def test_a_model_takes_rows_and_targets():
    network, (X, y), _ = traced_network()
    with pytest.raises(TypeError, match="takes X and y, got 1 arrays"):
        gradcheck(network, X)
    with pytest.raises(TypeError, match="takes X and y"):
        gradcheck(network, X, y, backward=softmax_backward)


@pytest.mark.parametrize("value", [np.inf, -np.inf, np.nan])
def test_a_gradient_that_is_not_finite_is_wrong(value):
    def loss(x):
        gradient = 2 * x
        gradient[1, 1] = value
        return (x**2).sum(), gradient

    check = gradcheck(loss, np.random.default_rng(0).normal(size=(4, 3)))
    assert check.wrong == ["dx"] and "is wrong" in str(check)


def test_nothing_to_check_is_no_success():
    for x, gradient in ((np.zeros((0, 3)), np.zeros((0, 3))), (np.ones(3), None)):
        with pytest.raises(ValueError, match="at least 1 gradient"):
            gradcheck(lambda x, g=gradient: (x.sum(), g), x)
    with pytest.raises(ValueError, match="at least 1 row"):
        gradcheck(Network((3, 2), seed=0), np.zeros((0, 3)), np.zeros(0, int))
