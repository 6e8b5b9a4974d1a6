"""The frozen predictor: the network's probabilities, many threads, no surprises."""

import pickle
import threading

import numpy as np
import pytest
from samples import random_rows
from sklearn.datasets import load_iris

from dnncore import DNNClassifier, DNNRegressor, Network
from dnncore._core import csrc
from dnncore.predictor import Predictor

DTYPES = [np.float32, np.float64]
ACTIVATIONS = ["logistic", "tanh", "relu", "identity", "selu", "silu", "gelu", "mish"]
OUTPUTS = ["softmax", "logistic", "identity"]
# From one layer up; widths astride a vector, a panel and four panels; and one too wide for
# activations on the stack.
SIZES = [(3, 2), (1, 1), (5, 7, 3), (16, 17, 33, 4), (64, 100, 10), (8, 129, 65), (4, 5000, 3)]


def frozen(sizes, dtype, norm=True, **functions):
    network = Network(sizes, dtype=dtype, seed=0, **functions)
    if norm:
        rng = np.random.default_rng(1)
        network.set_norm(rng.normal(size=sizes[0]), rng.uniform(0.5, 2, sizes[0]))
    return network, network.freeze()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize("n", [0, 1, 2, 7, 191, 192, 193, 400])
def test_probabilities_are_the_networks(sizes, dtype, n):
    network, predictor = frozen(sizes, dtype)
    X = random_rows(sizes, n, dtype)
    p = predictor(X)
    assert p.dtype == dtype
    assert p.shape == (n, sizes[-1])
    # Folding norm changes each of the first layer's products by a few roundings.
    tolerance = 8 * np.sqrt(max(sizes)) * np.finfo(dtype).eps * 10
    np.testing.assert_allclose(p, network.predict_proba(X), rtol=0, atol=tolerance)
    assert np.array_equal(predictor.predict_proba(X), p)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("sizes", SIZES)
def test_one_row_and_many_give_the_same_bits(sizes, dtype):
    _, predictor = frozen(sizes, dtype)
    X = random_rows(sizes, 9, dtype)
    p = predictor(X)
    for i, x in enumerate(X):
        assert predictor(x).shape == (sizes[-1],)
        assert np.array_equal(predictor(x), p[i])
        assert np.array_equal(predictor(X[i : i + 1])[0], p[i])


def assert_the_same_bits_of_every_isa(select_isa, sizes, dtype, **functions):
    X = random_rows(sizes, 20, dtype)
    results = set()
    for name in csrc.available():
        select_isa(name)
        _, predictor = frozen(sizes, dtype, **functions)
        results.add(predictor(X).tobytes() + predictor(X[0]).tobytes())
    assert len(results) == 1


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("sizes", SIZES)
def test_instruction_sets_give_the_same_bits(sizes, dtype, select_isa):
    assert_the_same_bits_of_every_isa(select_isa, sizes, dtype)


def test_without_norm_it_has_the_networks_weights():
    network, predictor = frozen((6, 5, 4), np.float64, norm=False)
    assert np.array_equal(pickle.loads(pickle.dumps(predictor))(np.ones(6)), predictor(np.ones(6)))
    X = random_rows((6,), 50, np.float64)
    np.testing.assert_allclose(predictor(X), network.predict_proba(X), rtol=1e-14)


each_function = [
    pytest.mark.parametrize("activation", ACTIVATIONS),
    pytest.mark.parametrize("output", OUTPUTS),
]


def for_each_function(test):
    for mark in each_function:
        test = mark(test)
    return test


@for_each_function
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("sizes", [(3, 2), (1, 1), (5, 7, 3), (16, 17, 33, 4), (8, 129, 65)])
@pytest.mark.parametrize("n", [1, 2, 33])
def test_without_norm_it_has_the_networks_bits(builtin_engine, sizes, dtype, n, activation, output):
    network, predictor = frozen(sizes, dtype, norm=False, activation=activation, output=output)
    assert (predictor.activation, predictor.output) == (activation, output)
    X = random_rows(sizes, n, dtype)
    expected = network.predict_proba(X)
    assert np.array_equal(predictor(X), expected)
    for x, row in zip(X, expected, strict=True):
        assert np.array_equal(predictor(x), row)


@for_each_function
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("sizes", [(3, 2), (5, 7, 3), (16, 17, 33, 4)])
@pytest.mark.parametrize("n", [1, 2, 33])
def test_with_norm_it_has_the_networks_outputs(sizes, dtype, n, activation, output):
    network, predictor = frozen(sizes, dtype, activation=activation, output=output)
    X = random_rows(sizes, n, dtype)
    # Folding norm changes each of the first layer's products by a few roundings, of numbers as
    # large as these, which grow from layer to layer.
    size = (np.abs(X) + np.abs(network.mean_)) / network.scale_
    for W, b in zip(network.coefs_, network.intercepts_, strict=True):
        size = np.maximum(size, 1) @ np.abs(W) + np.abs(b)
    tolerance = 8 * np.sqrt(max(sizes)) * np.finfo(dtype).eps * 10 * max(1, size.max())
    np.testing.assert_allclose(predictor(X), network.predict_proba(X), rtol=0, atol=tolerance)


@for_each_function
@pytest.mark.parametrize("dtype", DTYPES)
def test_instruction_sets_give_the_same_bits_for_each_function(
    dtype, activation, output, select_isa
):
    functions = {"activation": activation, "output": output}
    assert_the_same_bits_of_every_isa(select_isa, (16, 17, 33, 5), dtype, **functions)


def test_what_is_predicted():
    X = random_rows((4,), 50, np.float64)
    classes = np.array(["a", "b", "c"])
    network = Network((4, 5, 3), seed=0)
    labels = network.freeze(classes).predict(X)
    assert np.array_equal(labels, classes[network.predict_proba(X).argmax(axis=1)])
    network = Network((4, 5, 3), seed=0, output="logistic")
    predictor = network.freeze()
    indicator = predictor.predict(X)
    assert indicator.dtype == np.intp
    assert np.array_equal(indicator, predictor(X) > 0.5)
    assert set(indicator.ravel()) == {0, 1}
    assert np.array_equal(predictor.predict(X[0]), indicator[0])
    predictor = Network((4, 5, 3), seed=0, output="identity").freeze()
    assert np.array_equal(predictor.predict(X), predictor(X))
    assert np.array_equal(predictor.predict(X[0]), predictor(X[0]))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("sizes", [(4, 1), (4, 3), (4, 9, 3)])
@pytest.mark.parametrize("norm", [False, True])
@pytest.mark.parametrize("given", [("mean",), ("scale",), ("mean", "scale")])
def test_target_mean_and_scale(sizes, dtype, norm, given):
    network, _ = frozen(sizes, dtype, norm, activation="tanh", output="identity")
    before = network.parameters.copy()
    mean = np.array([5.0, -70.0, 0.125])[: sizes[-1]]
    scale = np.array([3.0, 1e-3, 200.0])[: sizes[-1]]
    units = {"target_mean": mean, "target_scale": scale}
    units = {name: units[name] for name in units if name.removeprefix("target_") in given}
    predictor = network.freeze(**units)
    X = random_rows(sizes, 33, dtype)
    expected = network.predict_proba(X).astype(np.float64)
    expected = expected * units.get("target_scale", 1.0) + units.get("target_mean", 0.0)
    # Each term of the last sums is rounded once more, and so is the sum with the mean. What
    # enters a layer is below 10.
    size = np.abs(expected).max(axis=0) + np.abs(mean) + 10 * scale * np.abs(before).sum()
    tolerance = 32 * np.finfo(dtype).eps * size
    assert predictor(X).dtype == dtype
    assert (np.abs(predictor(X) - expected) <= tolerance).all()
    assert np.array_equal(network.parameters, before)


@pytest.mark.parametrize("output", ["softmax", "logistic"])
@pytest.mark.parametrize("units", [{"target_mean": [0.0, 0.0]}, {"target_scale": [1.0, 1.0]}])
def test_target_mean_and_scale_are_for_numbers(output, units):
    with pytest.raises(ValueError, match="target_mean and target_scale require one of the outputs"):
        Network((3, 2), seed=0, output=output).freeze(**units)


@pytest.mark.parametrize(
    ("units", "name"),
    [
        ({"target_mean": np.zeros(2)}, "target_mean"),
        ({"target_scale": np.ones((3, 3, 3))}, "target_scale"),
        ({"target_mean": np.zeros(3), "target_scale": np.ones(4)}, "target_scale"),
        ({"target_mean": np.array([0.0, np.nan, 0.0])}, "target_mean"),
        ({"target_scale": np.array([1.0, np.inf, 1.0])}, "target_scale"),
    ],
)
def test_bad_target_mean_and_scale(units, name):
    network = Network((4, 5, 3), seed=0, output="identity")
    with pytest.raises(ValueError, match=f"{name} must contain 3 finite numbers"):
        network.freeze(**units)


def test_it_is_a_copy():
    network, predictor = frozen((3, 4, 2), np.float64)
    x = np.ones(3)
    before = predictor(x)
    network.parameters[...] = 0
    assert np.array_equal(predictor(x), before)


def test_out():
    _, predictor = frozen((3, 4, 2), np.float32)
    X = random_rows((3,), 5, np.float32)
    for x, shape in ((X, (5, 2)), (X[0], (2,))):
        out = np.empty(shape, np.float32)
        assert predictor(x, out) is out
        assert np.array_equal(out, predictor(x))
        assert predictor(x, out=out) is out


@pytest.mark.parametrize(
    ("out", "error", "words"),
    [
        (np.empty((5, 2)), TypeError, "out must have dtype float32"),
        ([[0.0] * 2] * 5, TypeError, "out must be a NumPy array"),
        (np.empty((4, 2), np.float32), ValueError, r"out must have shape \(5, 2\)"),
        (np.empty((5, 3), np.float32), ValueError, r"out must have shape \(5, 2\)"),
        (np.empty(2, np.float32), ValueError, r"out must have shape \(5, 2\)"),
        (np.empty((5, 4), np.float32)[:, ::2], ValueError, "out must be C-contiguous"),
    ],
)
def test_bad_out(out, error, words):
    _, predictor = frozen((3, 4, 2), np.float32)
    with pytest.raises(error, match=words):
        predictor(random_rows((3,), 5, np.float32), out)


def test_out_must_not_overlap_the_rows():
    _, predictor = frozen((2, 4, 2), np.float64)
    X = random_rows((2,), 5, np.float64)
    with pytest.raises(ValueError, match="out must not overlap"):
        predictor(X, X)
    buffer = np.zeros(12)
    with pytest.raises(ValueError, match="out must not overlap"):
        predictor(buffer[:10].reshape(5, 2), buffer[2:].reshape(5, 2))


@pytest.mark.parametrize(
    ("x", "error", "words"),
    [
        (np.zeros(3), TypeError, "x must have dtype float32.*got float64"),
        (np.zeros(3, int), TypeError, "x must have dtype float32.*got int64"),
        (np.zeros(4, np.float32), ValueError, r"\(3,\) or \(n, 3\), got \(4,\)"),
        (np.zeros((2, 4), np.float32), ValueError, "x must have shape"),
        (np.zeros((1, 2, 3), np.float32), ValueError, "x must have shape"),
        (np.float32(1), ValueError, "x must have shape"),
        ("rows", TypeError, "x must have dtype float32"),
    ],
)
def test_bad_rows(x, error, words):
    _, predictor = frozen((3, 4, 2), np.float32)
    with pytest.raises(error, match=words):
        predictor(x)


def test_rows_of_any_layout():
    _, predictor = frozen((6, 5, 3), np.float64)
    X = random_rows((6,), 8, np.float64)
    expected = predictor(X)
    readonly = X.copy()
    readonly.flags.writeable = False
    for same in (np.asfortranarray(X), readonly, np.repeat(X, 2, axis=0)[::2], X.tolist()):
        assert np.array_equal(predictor(same), expected)


def test_nan_goes_through_and_is_refused_by_predict_proba():
    _, predictor = frozen((3, 4, 2), np.float64)
    x = np.array([[1.0, np.nan, 0.0]])
    assert np.isnan(predictor(x)).all()
    with pytest.raises(ValueError, match="nan in row 0"):
        predictor.predict_proba(x)


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        (((3,), np.zeros(4)), ValueError, "layer_sizes must be at least 2 positive ints"),
        (((3, 0), np.zeros(4)), ValueError, "layer_sizes must be at least 2 positive ints"),
        (((3, 2), np.zeros(7)), ValueError, r"parameters must have shape \(8,\)"),
        (((3, 2), np.full(8, np.nan)), ValueError, "parameters must be finite"),
        (((3, 2), np.zeros(8, int)), TypeError, "parameters must be float32 or float64"),
        (((3, 2), np.zeros(8), [1, 2, 3]), ValueError, r"classes must have shape \(2,\)"),
    ],
)
def test_bad_construction(arguments, error, words):
    with pytest.raises(error, match=words):
        Predictor(*arguments)


@pytest.mark.parametrize("name", ["activation", "output"])
@pytest.mark.parametrize("value", ["sigmoid", None, 1])
def test_bad_activation_and_output(name, value):
    with pytest.raises(ValueError, match=f"{name} must be one of .*'logistic'.*, got {value!r}"):
        Predictor((3, 2), np.zeros(8), **{name: value})


@for_each_function
def test_pickle_keeps_activation_and_output(activation, output):
    _, predictor = frozen((3, 4, 2), np.float64, activation=activation, output=output)
    copy = pickle.loads(pickle.dumps(predictor))
    assert repr(copy) == repr(predictor)
    assert f"activation={activation!r}, output={output!r})" in repr(copy)
    X = random_rows((3,), 5, np.float64)
    assert np.array_equal(copy(X), predictor(X))


def test_many_threads_at_once():
    _, predictor = frozen((30, 40, 5), np.float32)
    X = random_rows((30,), 500, np.float32)
    expected = predictor(X)
    wrong = []

    def work(seed):
        order = np.random.default_rng(seed).integers(0, 500, 2000)
        wrong.extend(i for i in order if not np.array_equal(predictor(X[i]), expected[i]))

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_of_a_classifier_and_from_its_file(tmp_path):
    X, y = load_iris(return_X_y=True)
    names = np.array(["setosa", "versicolor", "virginica"])
    model = DNNClassifier(random_state=0).fit(X, names[y])
    predictor = model.freeze()
    np.testing.assert_allclose(predictor(X), model.predict_proba(X), rtol=0, atol=1e-13)
    assert np.array_equal(predictor.predict(X), model.predict(X))
    assert predictor.predict(X[0]) == model.predict(X[:1])[0]
    model.save(tmp_path / "model.safetensors")
    loaded = Predictor.load(tmp_path / "model.safetensors")
    assert np.array_equal(loaded(X), predictor(X))
    assert np.array_equal(loaded.classes_, names)
    copy = pickle.loads(pickle.dumps(predictor))
    assert np.array_equal(copy(X), predictor(X))
    assert np.array_equal(copy.classes_, names)
    model.network_.save(tmp_path / "network.safetensors")
    assert Predictor.load(tmp_path / "network.safetensors").classes_.tolist() == [0, 1, 2]
    assert repr(predictor) == (
        "Predictor((4, 100, 3), dtype=float64, activation='relu', output='softmax')"
    )


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("n_outputs", [1, 2])
def test_of_a_regressor_and_from_its_file(tmp_path, dtype, n_outputs):
    X = load_iris().data.astype(dtype)
    y = X[:, :n_outputs] * [1.0, -1000.0][:n_outputs] + 70.0
    model = DNNRegressor(hidden_layer_sizes=(20,), activation="relu", random_state=0)
    for _ in range(5):
        model.partial_fit(X, y)
    predictor = model.freeze()
    expected = model.predict(X).reshape(150, n_outputs)
    # The folded norm rounds terms of up to 10 scales of a target anew; the mean is as large.
    tolerance = 64 * np.finfo(dtype).eps * np.abs(y).max(axis=0)
    assert (np.abs(predictor(X) - expected) <= tolerance).all()
    assert np.array_equal(predictor.predict(X), predictor(X))
    model.save(tmp_path / "model.safetensors")
    loaded = Predictor.load(tmp_path / "model.safetensors")
    assert np.array_equal(loaded(X), predictor(X))
    assert repr(loaded) == repr(predictor)
    assert np.array_equal(pickle.loads(pickle.dumps(predictor))(X), predictor(X))


def test_of_a_classifier_of_several_labels_and_from_its_file(tmp_path):
    X = load_iris().data
    y = (X[:, :3] > X[:, :3].mean(axis=0)).astype(int)
    model = DNNClassifier((20,), random_state=0)
    for _ in range(20):
        model.partial_fit(X, y)
    predictor = model.freeze()
    np.testing.assert_allclose(predictor(X), model.predict_proba(X), rtol=0, atol=1e-13)
    assert np.array_equal(predictor.predict(X), model.predict(X))
    model.save(tmp_path / "model.safetensors")
    assert np.array_equal(Predictor.load(tmp_path / "model.safetensors")(X), predictor(X))


# ------------------------------------------------------------------- rows that are not finite


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("output", ["softmax", "logistic", "identity"])
@pytest.mark.parametrize("activation", ["logistic", "relu"])
def test_predict_refuses_rows_that_are_not_finite(activation, output, dtype):
    network = Network((4, 5, 3), seed=0, dtype=dtype, activation=activation, output=output)
    predictor = network.freeze()
    rows = np.zeros((6, 4), dtype)
    predictor.predict(rows)
    for value in (np.nan, np.inf, -np.inf):
        rows[4, 2] = value
        with pytest.raises(ValueError, match=f"x must be finite, got {value} in row 4, column 2"):
            predictor.predict(rows)
        with pytest.raises(ValueError, match=f"x must be finite, got {value} in row 0, column 2"):
            predictor.predict(rows[4])
        with pytest.raises(ValueError, match=f"x must be finite, got {value} in row 4, column 2"):
            predictor.predict(np.asfortranarray(rows))


def test_predict_takes_missing_values_where_they_are_part_of_the_model():
    network = Network((4, 5, 3), seed=0, missing=[])
    predictor = network.freeze()
    rows = np.ones((6, 4))
    rows[4, 2] = np.nan
    assert predictor.predict(rows).tolist() == network.predict_proba(rows).argmax(axis=1).tolist()
    rows[5, 1] = np.inf
    with pytest.raises(ValueError, match=r"x must be finite or missing \(NaN\), got inf in row 5"):
        predictor.predict(rows)


def test_predict_refuses_outputs_that_are_not_finite():
    network = Network((2, 2), seed=0, dtype=np.float32)
    network.parameters[...] = [3e38, 3e38, 3e38, 3e38, 0, 0]
    with pytest.raises(ValueError, match="x must give finite outputs"):
        network.freeze().predict(np.full(2, 3e38, np.float32))
