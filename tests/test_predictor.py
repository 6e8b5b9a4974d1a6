"""The frozen predictor: the network's probabilities, many threads, no surprises."""

import pickle
import threading

import numpy as np
import pytest
from sklearn.datasets import load_iris

from dnncore import DNNClassifier, Network, _csrc
from dnncore.predictor import Predictor

DTYPES = [np.float32, np.float64]
# From one layer up; widths astride a vector, a panel and four panels; and one too wide for
# activations on the stack.
SIZES = [(3, 2), (1, 1), (5, 7, 3), (16, 17, 33, 4), (64, 100, 10), (8, 129, 65), (4, 5000, 3)]


def frozen(sizes, dtype, norm=True):
    network = Network(sizes, dtype=dtype, seed=0)
    if norm:
        rng = np.random.default_rng(1)
        network.set_norm(rng.normal(size=sizes[0]), rng.uniform(0.5, 2, sizes[0]))
    return network, network.freeze()


def rows(sizes, n, dtype):
    return np.random.default_rng(0).normal(size=(n, sizes[0])).astype(dtype)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize("n", [0, 1, 2, 7, 191, 192, 193, 400])
def test_probabilities_are_the_networks(sizes, dtype, n):
    network, predictor = frozen(sizes, dtype)
    X = rows(sizes, n, dtype)
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
    X = rows(sizes, 9, dtype)
    p = predictor(X)
    for i, x in enumerate(X):
        assert predictor(x).shape == (sizes[-1],)
        assert np.array_equal(predictor(x), p[i])
        assert np.array_equal(predictor(X[i : i + 1])[0], p[i])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("sizes", SIZES)
def test_instruction_sets_give_the_same_bits(sizes, dtype):
    network, _ = frozen(sizes, dtype)
    X = rows(sizes, 20, dtype)
    selected = _csrc.selected()
    results = []
    try:
        for name in _csrc.available():
            _csrc.select(name)
            predictor = network.freeze()
            results.append(np.vstack([predictor(X), predictor(X[0])]))
    finally:
        _csrc.select(selected)
    assert all(np.array_equal(result, results[0]) for result in results)


def test_without_norm_it_has_the_networks_weights():
    network, predictor = frozen((6, 5, 4), np.float64, norm=False)
    assert np.array_equal(pickle.loads(pickle.dumps(predictor))(np.ones(6)), predictor(np.ones(6)))
    X = rows((6,), 50, np.float64)
    np.testing.assert_allclose(predictor(X), network.predict_proba(X), rtol=1e-14)


def test_it_is_a_copy():
    network, predictor = frozen((3, 4, 2), np.float64)
    x = np.ones(3)
    before = predictor(x)
    network.parameters[...] = 0
    assert np.array_equal(predictor(x), before)


def test_out():
    _, predictor = frozen((3, 4, 2), np.float32)
    X = rows((3,), 5, np.float32)
    for x, shape in ((X, (5, 2)), (X[0], (2,))):
        out = np.empty(shape, np.float32)
        assert predictor(x, out) is out
        assert np.array_equal(out, predictor(x))
        assert predictor(x, out=out) is out


@pytest.mark.parametrize(
    ("out", "error"),
    [
        (np.empty((5, 2)), TypeError),
        ([[0.0] * 2] * 5, TypeError),
        (np.empty((4, 2), np.float32), ValueError),
        (np.empty((5, 3), np.float32), ValueError),
        (np.empty(2, np.float32), ValueError),
        (np.empty((5, 4), np.float32)[:, ::2], ValueError),
    ],
)
def test_bad_out(out, error):
    _, predictor = frozen((3, 4, 2), np.float32)
    with pytest.raises(error, match="out"):
        predictor(rows((3,), 5, np.float32), out)


def test_out_must_not_overlap_the_rows():
    _, predictor = frozen((2, 4, 2), np.float64)
    X = rows((2,), 5, np.float64)
    with pytest.raises(ValueError, match="out"):
        predictor(X, X)
    buffer = np.zeros(12)
    with pytest.raises(ValueError, match="out"):
        predictor(buffer[:10].reshape(5, 2), buffer[2:].reshape(5, 2))


@pytest.mark.parametrize(
    ("x", "error", "words"),
    [
        (np.zeros(3), TypeError, "float32.*float64"),
        (np.zeros(3, int), TypeError, "int64"),
        (np.zeros(4, np.float32), ValueError, r"\(3,\) or \(n, 3\), got \(4,\)"),
        (np.zeros((2, 4), np.float32), ValueError, "shape"),
        (np.zeros((1, 2, 3), np.float32), ValueError, "shape"),
        (np.float32(1), ValueError, "shape"),
        ("rows", TypeError, "dtype"),
    ],
)
def test_bad_rows(x, error, words):
    _, predictor = frozen((3, 4, 2), np.float32)
    with pytest.raises(error, match=words):
        predictor(x)


def test_rows_of_any_layout():
    _, predictor = frozen((6, 5, 3), np.float64)
    X = rows((6,), 8, np.float64)
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
        (((3,), np.zeros(4)), ValueError, "layer_sizes"),
        (((3, 0), np.zeros(4)), ValueError, "layer_sizes"),
        (((3, 2), np.zeros(7)), ValueError, r"shape \(8,\)"),
        (((3, 2), np.full(8, np.nan)), ValueError, "finite"),
        (((3, 2), np.zeros(8, int)), TypeError, "int64"),
        (((3, 2), np.zeros(8), [1, 2, 3]), ValueError, "classes"),
    ],
)
def test_bad_construction(arguments, error, words):
    with pytest.raises(error, match=words):
        Predictor(*arguments)


def test_many_threads_at_once():
    _, predictor = frozen((30, 40, 5), np.float32)
    X = rows((30,), 500, np.float32)
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
    assert repr(predictor) == "Predictor((4, 100, 3), dtype=float64)"
