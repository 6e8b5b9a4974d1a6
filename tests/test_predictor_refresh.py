"""A predictor that follows a network: the bits of a new one, old or new ones in other threads."""

import pickle
import threading
import tracemalloc

import numpy as np
import pytest

from dnncore import DNNClassifier, DNNRegressor, Network, PiecewiseLinear
from dnncore.convert import to_c
from dnncore.predictor import Predictor
from dnncore.tabular import TabularClassifier

DTYPES = [np.float32, np.float64]
ACTIVATIONS = ["logistic", "tanh", "relu", "identity", "selu", "silu", "gelu", "mish"]
OUTPUTS = ["softmax", "logistic", "identity"]
# From one layer up; widths astride a vector, a panel, and the columns that are folded together.
SIZES = [(3, 2), (1, 1), (5, 7, 3), (16, 17, 33, 4), (8, 129, 65), (6, 64, 2)]


def learn(network, seed):
    """Change the parameters and the input standardisation, as training does."""
    rng = np.random.default_rng(seed)
    network.parameters += rng.normal(scale=0.3, size=network.n_parameters)
    if network.mean_ is not None:
        n = network.n_features
        network.set_norm(rng.normal(size=n), rng.uniform(0.5, 2, n))


def rows(network, n=9):
    return np.random.default_rng(5).normal(size=(n, network.n_features)).astype(network.dtype)


def assert_refreshed_equals_frozen(network, X, **options):
    predictor = network.freeze(**options)
    for seed in range(3):
        learn(network, seed)
        assert predictor.refresh(network) is None
        new = network.freeze(**options)
        assert predictor.parameters.tobytes() == new.parameters.tobytes()
        np.testing.assert_array_equal(predictor.fill, new.fill)
        for score in (predictor, pickle.loads(pickle.dumps(predictor))):
            assert score(X).tobytes() == new(X).tobytes()
            assert score(X[0]).tobytes() == new(X[0]).tobytes()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("output", OUTPUTS)
@pytest.mark.parametrize("norm", [False, True])
def test_the_bits_of_a_new_predictor(dtype, activation, output, norm):
    for sizes in SIZES:
        network = Network(sizes, dtype=dtype, seed=0, activation=activation, output=output)
        if norm:
            network.set_norm(np.ones(sizes[0]), np.ones(sizes[0]))
        assert_refreshed_equals_frozen(network, rows(network))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("norm", [False, True])
@pytest.mark.parametrize("missing", [[], [0, 3]])
def test_the_bits_with_missing_values(dtype, norm, missing):
    network = Network((5 + len(missing), 7, 3), dtype=dtype, seed=0, missing=missing)
    if norm:
        network.set_norm(np.ones(5), np.ones(5))
    X = rows(network)
    X[::2, 0] = X[1, 3] = np.nan
    assert_refreshed_equals_frozen(network, X)


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_bits_with_an_embedding(dtype):
    X = np.random.default_rng(0).normal(size=(50, 5)).astype(dtype)
    embedding = PiecewiseLinear.from_rows(X, 4, 8, 3)
    network = Network((embedding.n_outputs, 9, 3), dtype=dtype, seed=0, embedding=embedding)
    assert_refreshed_equals_frozen(network, X)
    predictor = network.freeze()
    predictor.refresh(pickle.loads(pickle.dumps(network)))  # an equal embedding
    with pytest.raises(ValueError, match=r"network must have embedding\.lower"):
        other = PiecewiseLinear.from_rows(X + 1, 4, 8, 3)
        predictor.refresh(Network((embedding.n_outputs, 9, 3), dtype=dtype, embedding=other))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("norm", [False, True])
@pytest.mark.parametrize("sizes", [(4, 3), (4, 6, 3)])
@pytest.mark.parametrize(
    "given", [["target_mean"], ["target_scale"], ["target_mean", "target_scale"]]
)
def test_the_bits_with_units_of_targets(dtype, norm, sizes, given):
    network = Network(sizes, dtype=dtype, seed=0, activation="tanh", output="identity")
    if norm:
        network.set_norm(np.ones(4), np.ones(4))
    units = {"target_mean": [5.0, -70.0, 0.125], "target_scale": [3.0, 1e-3, 200.0]}
    assert_refreshed_equals_frozen(network, rows(network), **{name: units[name] for name in given})


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("missing", [None, [1]])
def test_the_standardisation_is_folded_exactly(dtype, missing):
    """Each weight is rounded once, each bias once and by the roundings of a double sum."""
    network = Network((7 + (missing is not None), 65, 3), dtype=dtype, seed=0, missing=missing)
    rng = np.random.default_rng(0)
    network.set_norm(rng.normal(size=7), rng.uniform(0.5, 2, 7))
    coefs, intercepts = network.views(network.freeze().parameters)
    mean, scale = network.mean_.astype(np.longdouble), network.scale_.astype(np.longdouble)
    W = network.coefs_[0].astype(np.longdouble)
    W[:7] /= scale[:, np.newaxis]
    eps = np.finfo(dtype).eps
    assert (np.abs(coefs[0] - W) <= eps * np.abs(W)).all()
    b = network.intercepts_[0].astype(np.longdouble)
    size = np.abs(b) + np.abs(mean) @ np.abs(W[:7])
    bound = eps * np.abs(b - mean @ W[:7]) + 10 * np.finfo(float).eps * size
    assert (np.abs(intercepts[0] - (b - mean @ W[:7])) <= bound).all()
    assert np.array_equal(coefs[1], network.coefs_[1])


def variants():
    """Networks that differ from the first one in one thing each."""
    yield "nothing", Network((4, 5, 3), seed=0)
    yield "layer_sizes", Network((4, 6, 3), seed=0)
    yield "layer_sizes", Network((4, 5, 5, 3), seed=0)
    yield "dtype", Network((4, 5, 3), seed=0, dtype=np.float32)
    yield "activation", Network((4, 5, 3), seed=0, activation="tanh")
    yield "output", Network((4, 5, 3), seed=0, output="logistic")
    yield "missing", Network((4, 5, 3), seed=0, missing=[])
    yield "missing", Network((4, 5, 3), seed=0, missing=[0])
    embedding = PiecewiseLinear.from_rows(np.random.default_rng(0).normal(size=(9, 1)), 1, 4, 3)
    yield "embedding", Network((4, 5, 3), seed=0, embedding=embedding)


@pytest.mark.parametrize(("differs", "other"), list(variants())[1:])
def test_another_architecture_is_refused(differs, other):
    network = Network((4, 5, 3), seed=0)
    predictor = network.freeze()
    before = predictor(np.ones(4))
    with pytest.raises(ValueError, match=f"network must have {differs} .*, got "):
        predictor.refresh(other)
    assert np.array_equal(predictor(np.ones(4)), before)
    with pytest.raises(ValueError, match=f"other must have {differs} .*, got "):
        network.blend(other, 0.5)
    with pytest.raises(ValueError, match=f"network must have {differs} .*, got "):
        other.freeze().refresh(network)


@pytest.mark.parametrize("other", [None, 3, "network", DNNClassifier(), TabularClassifier()])
def test_what_is_no_network_is_refused(other):
    with pytest.raises(TypeError, match=f"network must be a Network.*, got {type(other).__name__}"):
        Network((4, 5, 3), seed=0).freeze().refresh(other)


def test_a_predictor_is_no_network():
    predictor = Network((4, 5, 3), seed=0).freeze()
    with pytest.raises(TypeError, match="network must be a Network, got Predictor"):
        predictor.refresh(predictor)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("refreshed", [0, 1, 2])
def test_parameters_that_are_not_finite_change_nothing(bad, refreshed):
    network = Network((4, 5, 3), seed=0, missing=[])
    network.set_norm(np.zeros(4), np.ones(4))
    predictor = network.freeze()
    for seed in range(refreshed):
        learn(network, seed)
        predictor.refresh(network)
    expected, parameters = predictor(np.ones((2, 4))), predictor.parameters
    good = network.copy()
    network.parameters[-1] = bad
    for _ in range(3):
        with pytest.raises(ValueError, match="network must have finite parameters"):
            predictor.refresh(network)
        assert np.array_equal(predictor(np.ones((2, 4))), expected)
        assert np.array_equal(predictor.parameters, parameters)
    learn(good, 7)
    predictor.refresh(good)
    assert np.array_equal(predictor(np.ones((2, 4))), good.freeze()(np.ones((2, 4))))


def test_the_norm_can_come_and_go():
    network = Network((4, 5, 3), seed=0)
    predictor = network.freeze()
    for norm in ((np.ones(4), np.full(4, 2.0)), (None, None)):
        network.set_norm(*norm)
        predictor.refresh(network)
        assert np.array_equal(predictor(np.ones(4)), network.freeze()(np.ones(4)))


def test_parameters_and_fill_are_copies_of_one_version():
    network = Network((5, 3), seed=0, missing=[1])
    network.set_norm(np.arange(4.0), np.ones(4))
    predictor = network.freeze()
    parameters, fill = predictor.parameters, predictor.fill
    kept = parameters.copy(), fill.copy()
    for seed in range(2):
        learn(network, seed)
        predictor.refresh(network)
    assert np.array_equal(parameters, kept[0]) and np.array_equal(fill, kept[1])
    assert not parameters.flags.writeable and not fill.flags.writeable
    assert np.array_equal(predictor.fill, network.mean_)


def test_files_and_exports_contain_the_present_weights(tmp_path):
    network = Network((4, 5, 3), seed=0, dtype=np.float32)
    predictor = network.freeze()
    learn(network, 0)
    predictor.refresh(network)
    predictor.save(tmp_path / "model.safetensors")
    loaded = Predictor.load(tmp_path / "model.safetensors")
    assert np.array_equal(loaded(rows(network)), predictor(rows(network)))
    learn(network, 1)
    loaded.refresh(network)
    assert np.array_equal(loaded(rows(network)), network.freeze()(rows(network)))
    to_c(loaded, tmp_path / "refreshed.c")
    to_c(network.freeze(), tmp_path / "new.c")
    assert (tmp_path / "refreshed.c").read_text().replace("refreshed", "new") == (
        tmp_path / "new.c"
    ).read_text()


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_estimators():
    rng = np.random.default_rng(0)
    X, y = rng.normal(size=(60, 4)), rng.integers(0, 3, 60)
    model = DNNClassifier((8,), random_state=0, max_iter=2).fit(X, y)
    predictor = model.freeze()
    model.partial_fit(X, y)
    predictor.refresh(model)
    assert np.array_equal(predictor(X), model.freeze()(X))
    with pytest.raises(ValueError, match=r"network must have classes \[0 1 2\], got \['0' '1'"):
        predictor.refresh(model.fit(X, y.astype(str)))
    model = DNNRegressor(hidden_layer_sizes=(8,), random_state=0, max_iter=2).fit(X, 100.0 * y)
    predictor = pickle.loads(pickle.dumps(model.freeze()))
    model.partial_fit(X, 100.0 * y)
    predictor.refresh(model)
    assert np.array_equal(predictor(X), model.freeze()(X))
    with pytest.raises(ValueError, match=r"network must have target_mean .*; call freeze instead"):
        predictor.refresh(model.fit(X, 7.0 * y))


def test_it_is_initialised_once():
    predictor = Network((4, 3), seed=0).freeze()
    before = predictor(np.ones(4))
    predictor.__init__((2, 2), np.zeros(6))
    np.testing.assert_array_equal(predictor(np.ones(4)), before)


@pytest.mark.parametrize("n", [1, 40, 700])
@pytest.mark.parametrize("n_writers", [1, 2])
def test_readers_see_old_or_new_weights(n, n_writers):
    """While others refresh it, every call has the outputs of one of the versions for all rows."""
    versions = []
    for seed in range(8):
        network = Network((30, 40, 5), dtype=np.float32, seed=seed, missing=[2, 3])
        network.set_norm(np.full(28, 0.1 * seed), np.full(28, 1.0 + seed))
        versions.append(network)
    X = rows(versions[0], n)
    X[0, 2] = np.nan
    expected = {network.freeze()(X).tobytes() for network in versions}
    assert len(expected) == 8
    states = {network.freeze().parameters.tobytes() for network in versions}
    predictor = versions[0].freeze()
    seen, seen_states = set(), set()
    begun, ended = threading.Barrier(4 + n_writers), threading.Event()

    def read():
        out = np.empty((n, 5), np.float32)
        seen.add(predictor(X, out).tobytes())
        begun.wait()
        last = False
        while not last:
            last = ended.is_set()
            for _ in range(50):
                seen.add(predictor(X, out).tobytes())
            seen_states.add(predictor.parameters.tobytes())

    def refresh():
        begun.wait()
        for _ in range(300):
            for network in versions:
                predictor.refresh(network)

    readers = [threading.Thread(target=read) for _ in range(4)]
    writers = [threading.Thread(target=refresh) for _ in range(n_writers)]
    for thread in (*readers, *writers):
        thread.start()
    for thread in writers:
        thread.join()
    ended.set()
    for thread in readers:
        thread.join()
    assert len(seen) > 1  # at least the first and the last
    assert seen <= expected
    assert seen_states <= states


def test_nothing_is_allocated():
    network = Network((64, 100, 10), dtype=np.float32, seed=0)
    network.set_norm(np.zeros(64), np.ones(64))
    predictor = network.freeze()
    growths, peaks = [], []
    tracemalloc.start()
    try:
        predictor.refresh(network)
        assert tracemalloc.get_traced_memory()[0] > network.parameters.nbytes  # second weights
        # All threads and the collector are traced: the smallest of several figures is refresh's.
        for _ in range(5):
            first = tracemalloc.get_traced_memory()[0]
            tracemalloc.reset_peak()
            for _ in range(100):
                predictor.refresh(network)
            now, peak = tracemalloc.get_traced_memory()
            growths.append(now - first)
            peaks.append(peak - first)
    finally:
        tracemalloc.stop()
    assert min(growths) < 1000 and min(peaks) < 4000
