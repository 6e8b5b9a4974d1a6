"""Sparse rows: the same bits as from the dense matrix, without making it."""

import pickle
import tracemalloc

import numpy as np
import pandas as pd
import pytest
from differences import assert_close, jacobian
from hypothesis import given, settings
from hypothesis import strategies as st
from perceptrons import each_estimator
from samples import targets
from scipy import sparse
from sklearn.metrics import log_loss

from dnncore import DNNClassifier, Network
from dnncore._core import csrc
from dnncore._core.moments import MOMENTS_ROWS, Moments
from dnncore.training import LBFGS, SGD, Adam, AdamW, Trainer

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

N, FEATURES = 130, 23


def matrix(n=N, dtype=np.float64, seed=0):
    """A CSR matrix with empty rows, an empty column, explicit zeros and unsorted indices."""
    rng = np.random.default_rng(seed)
    dense = rng.normal(1, 1, (n, FEATURES)) * (rng.random((n, FEATURES)) < 0.2)
    dense[:, 3] = 0
    dense[:: n // 7 + 1] = 0
    X = sparse.csr_array(dense.astype(dtype))
    X.data[::9] = 0
    for r in range(n):
        row = slice(X.indptr[r], X.indptr[r + 1])
        X.indices[row], X.data[row] = X.indices[row][::-1].copy(), X.data[row][::-1].copy()
    X.has_sorted_indices = False
    return X


def state(model):
    return model.network_.parameters.tobytes(), model.loss_curve_, model.validation_losses_


# ------------------------------------------------------------------------------- training


@each_estimator
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"solver": "sgd", "shuffle": False, "batch_size": 17},
        {"norm": False, "shuffle": False},
        {"norm": False, "n_threads": 3, "batch_size": 64},
        {"solver": "lbfgs"},
        {"solver": "lbfgs", "norm": False, "engine": "builtin"},
        {"early_stopping": True, "scoring": "neg_mean_squared_error"},
        {"learning_rate": "newbob", "batch_size": 10},
        {"engine": "blas", "dropout": 0.3, "hidden_layer_sizes": (9, 7)},
    ],
)
def test_the_same_bits_as_dense(make, dtype, options):
    X, y = matrix(dtype=dtype), targets(N)
    weight = np.random.default_rng(2).uniform(0, 2, N)
    settings = {"hidden_layer_sizes": (8,), "max_iter": 6, "random_state": 0, **options}
    dense = make(**settings).fit(X.toarray(), y, weight)
    model = make(**settings).fit(X, y, weight)
    assert model.network_.dtype == dtype
    assert state(model) == state(dense)
    assert model.n_features_in_ == FEATURES
    if dense.network_.moments_ is not None:
        for name in ("mean", "variance"):
            found, expected = (getattr(m.network_.moments_, name) for m in (model, dense))
            assert found.tobytes() == expected.tobytes()
    rows = matrix(301, dtype, seed=3)
    assert model.predict(rows).tobytes() == dense.predict(rows.toarray()).tobytes()
    assert model.score(X, y, weight) == dense.score(X.toarray(), y, weight)
    if make is DNNClassifier:
        for name in ("predict_proba", "predict_log_proba", "decision_function"):
            found, expected = (
                getattr(model, name)(rows), getattr(dense, name)(rows.toarray())
            )  # fmt: skip
            assert found.tobytes() == expected.tobytes()


@settings(max_examples=30)
@given(
    n=st.integers(1, 70),
    density=st.sampled_from([0.0, 0.05, 0.5, 1.0]),
    batch_size=st.integers(1, 40),
    threads=st.integers(1, 3),
    dtype=st.sampled_from([np.float32, np.float64]),
    norm=st.booleans(),
    shuffle=st.booleans(),
    index=st.sampled_from([np.int32, np.int64]),
)
def test_an_epoch_of_any_matrix(n, density, batch_size, threads, dtype, norm, shuffle, index):
    X = sparse.random_array((n, 5), density=density, rng=n, format="csr", dtype=dtype)
    X.indices, X.indptr = X.indices.astype(index), X.indptr.astype(index)
    y = np.arange(n) % 2
    networks = []
    for rows in (X, X.toarray()):
        network = Network((5, 4, 2), dtype=dtype, seed=0)
        if norm:
            network.update_norm(rows)
        trainer = Trainer(
            network, SGD(0.1), batch_size=batch_size, shuffle=shuffle, seed=1, n_threads=threads
        )
        losses = [trainer.run_epoch(rows, y) for _ in range(2)]
        networks.append((losses, network.parameters.tobytes(), network.logits(rows).tobytes()))
    assert networks[0] == networks[1]


def test_rows_to_judge_by_may_be_sparse_or_dense():
    X, y = matrix(), targets(N)
    X_val, y_val = matrix(60, seed=5), targets(60, seed=6)
    models = [
        DNNClassifier((6,), max_iter=4, random_state=0, scoring="neg_log_loss").fit(
            train, y, X_val=held_out, y_val=y_val
        )
        for train in (X, X.toarray())
        for held_out in (X_val, X_val.tocoo(), X_val.toarray())
    ]
    assert all(state(model) == state(models[0]) for model in models)
    last = models[0].history_.metrics["neg_log_loss"][-1]
    assert last == pytest.approx(-log_loss(y_val, models[0].predict_proba(X_val)), rel=1e-12)


def test_partial_fit():
    X, y = matrix(), targets(N)
    models = [DNNClassifier((6,), random_state=0) for _ in range(2)]
    for part in (slice(0, 50), slice(50, N)):
        models[0].partial_fit(X[part], y[part], classes=[0, 1, 2])
        models[1].partial_fit(X[part].toarray(), y[part], classes=[0, 1, 2])
    assert state(models[0]) == state(models[1])
    assert state(pickle.loads(pickle.dumps(models[0]))) == state(models[1])


def test_of_the_network():
    X, y = matrix(60), targets(60)
    networks = [Network((FEATURES, 5, 3), seed=0) for _ in range(2)]
    for network, rows in zip(networks, (X, X.toarray()), strict=True):
        network.update_norm(rows)
    sparse_one, dense_one = networks
    assert np.array_equal(sparse_one.mean_, dense_one.mean_)
    assert sparse_one.loss(X, y) == dense_one.loss(X.toarray(), y)
    found, expected = sparse_one.gradients(X, y), dense_one.gradients(X.toarray(), y)
    assert np.array_equal(found.flat, expected.flat)
    assert np.array_equal(found.dx, expected.dx)
    assert np.array_equal(sparse_one.forward(X).p, dense_one.forward(X.toarray()).p)
    probabilities = sparse_one.predict_proba(X)
    assert np.array_equal(probabilities, dense_one.predict_proba(X.toarray()))
    np.testing.assert_allclose(probabilities, sparse_one.forward(X).p, rtol=1e-13)
    assert Trainer(sparse_one, LBFGS()).fit(X, y, max_iter=3) == "max_iter"


# ------------------------------------------------- only the stored elements are multiplied

SOLVERS = [SGD(0.1, momentum=0.0), SGD(0.1), SGD(0.1, nesterov=False), Adam(0.01), AdamW(0.01)]


def canonical(dtype=np.float64, index=np.int32, **shape):
    """The rows of `matrix`, with indices in ascending order."""
    X = matrix(dtype=dtype, **shape)
    X.sort_indices()
    X.indices, X.indptr = X.indices.astype(index), X.indptr.astype(index)
    return X


def epochs(
    pieces, weight=None, sizes=(FEATURES, 9, 3), dtype=np.float64, activation="relu",
    n_threads=1, **settings,
):  # fmt: skip
    """Losses, parameters and logits of a network after an epoch on each of the matrices."""
    network = Network(sizes, dtype=dtype, seed=0, activation=activation)
    settings = {"engine": "builtin", "batch_size": 32, "seed": 1, "n_threads": n_threads} | settings
    trainer = Trainer(network, **settings)
    losses = [trainer.run_epoch(X, np.arange(X.shape[0]) % sizes[-1], weight) for X in pieces]
    logits = network.logits(pieces[0], n_threads=n_threads, engine="builtin")
    return losses, network.parameters.tobytes(), logits.tobytes()


@pytest.mark.parametrize("isa", csrc.available())
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("solver", SOLVERS, ids=repr)
def test_every_solver_and_instruction_set(solver, dtype, isa, select_isa):
    select_isa(isa)
    X = canonical(dtype)
    for threads in (1, 2, 3):
        options = {"solver": solver, "alpha": 0.1, "n_threads": threads, "dtype": dtype}
        assert epochs([X, X], **options) == epochs([X.toarray()] * 2, **options)


@pytest.mark.parametrize("index", [np.int32, np.int64])
@pytest.mark.parametrize(
    "options",
    [
        {"shuffle": False},
        {"batch_size": 1},
        {"batch_size": 1, "shuffle": False},
        {"batch_size": N},
        {"max_grad_norm": 0.05, "alpha": 1.0},
        {"dropout": 0.4},
        {"layer_factors": [(0.5, 2.0, 0.0), (1.0, 3.0, 1.0)], "solver": AdamW(0.01)},
        {"sizes": (FEATURES, 3)},
        {"sizes": (FEATURES, 5, 4, 3), "activation": "gelu"},
        {"sizes": (FEATURES, 65, 3), "activation": "tanh"},
        {"weight": np.random.default_rng(3).integers(0, 3, N).astype(float)},
    ],
)
def test_every_option(options, index):
    X = canonical(index=index)
    for threads in (1, 3):
        found = epochs([X, X], n_threads=threads, **options)
        assert found == epochs([X.toarray()] * 2, n_threads=threads, **options)


def test_pieces_in_any_order_of_indices():
    """An engine for rows in canonical order, one for others, and one for dense rows."""
    X, descending = canonical(), matrix()
    twice = X.copy()
    twice.indices[-1] = twice.indices[-2]
    twice.has_canonical_format = False
    pieces = [X, descending, twice, X.toarray(), X]
    dense = [x if isinstance(x, np.ndarray) else x.toarray() for x in pieces]
    assert epochs(pieces) == epochs(dense)


@pytest.mark.parametrize("n", [1, 40])
def test_rows_without_elements(n):
    empty = sparse.csr_array((n, FEATURES))
    for threads in (1, 2):
        assert epochs([empty], n_threads=threads) == epochs([empty.toarray()], n_threads=threads)


@given(
    n=st.integers(1, 40),
    k=st.integers(1, 70),
    m=st.integers(1, 40),
    density=st.sampled_from([0.0, 0.03, 0.3, 1.0]),
    batch_size=st.integers(1, 40),
    threads=st.integers(1, 3),
    dtype=st.sampled_from([np.float32, np.float64]),
    index=st.sampled_from([np.int32, np.int64]),
    shuffle=st.booleans(),
    solver=st.sampled_from(SOLVERS),
    zeros=st.booleans(),
)
def test_any_shape(n, k, m, density, batch_size, threads, dtype, index, shuffle, solver, zeros):
    X = sparse.random_array((n, k), density=density, rng=n, format="csr", dtype=dtype)
    X.indices, X.indptr = X.indices.astype(index), X.indptr.astype(index)
    if zeros:
        X.data[::2] = 0
    options = {
        "sizes": (k, m, 2), "dtype": dtype, "batch_size": batch_size, "n_threads": threads,
        "shuffle": shuffle, "solver": solver,
    }  # fmt: skip
    assert epochs([X, X], **options) == epochs([X.toarray()] * 2, **options)


def test_the_gradient_is_that_of_central_differences():
    """That of a step of gradient descent with the learning rate 1."""
    X, y = canonical(n=20), targets(20)
    network = Network((FEATURES, 4, 3), seed=0, activation="tanh")
    before = network.parameters.copy()

    def loss(parameters):
        network.parameters[:] = parameters
        return network.loss(X, y)

    numerical = jacobian(loss, before)
    size = loss(before)
    solver = SGD(1.0, momentum=0.0)
    Trainer(network, solver, alpha=0.0, batch_size=20, engine="builtin").run_epoch(X, y)
    assert_close(before - network.parameters, numerical, size)


def test_no_batch_is_made_dense():
    n, features, batch_size = 600, 100_000, 200
    X = sparse.random_array((n, features), density=1e-4, rng=0, format="csr")
    y = np.arange(n) % 2
    network = Network((features, 2, 2), seed=0)
    trainer = Trainer(network, SGD(0.1), batch_size=batch_size, n_threads=2, engine="builtin")
    tracemalloc.start()
    try:
        trainer.run_epoch(X, y)
        network.logits(X, n_threads=2, engine="builtin")
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < batch_size * features  # an eighth of a mini-batch


# ------------------------------------------------------------------------ kinds of matrices


@pytest.mark.parametrize("kind", [sparse.csr_array, sparse.csr_matrix])
@pytest.mark.parametrize("form", ["csr", "csc", "coo", "lil", "dok", "dia", "bsr"])
def test_every_format(kind, form):
    X, y = matrix(40), targets(40)
    settings = {"hidden_layer_sizes": (3,), "max_iter": 2, "random_state": 0}
    expected = DNNClassifier(**settings, early_stopping=True).fit(X, y)
    other = kind(X).asformat(form)
    assert state(DNNClassifier(**settings, early_stopping=True).fit(other, y)) == state(expected)
    assert np.array_equal(expected.predict_proba(other), expected.predict_proba(X))


def test_values_that_come_twice_are_added_up():
    X = sparse.csr_array(
        (np.array([0.1, 2.0, 0.2, 5.0, -0.3]), np.array([2, 0, 2, 1, 2]), np.array([0, 3, 3, 5])),
        shape=(3, 3),
    )
    before = X.data.copy(), X.indices.copy(), X.indptr.copy()
    network = Network((3, 2), seed=0)
    network.update_norm(X)
    dense = X.toarray()
    assert dense[0, 2] == 0.1 + 0.2
    moments = Moments.empty(3)
    moments.update(dense)
    assert np.array_equal(network.mean_, moments.mean)
    assert np.array_equal(network.predict_proba(X), network.predict_proba(dense))
    for array, copy in zip((X.data, X.indices, X.indptr), before, strict=True):
        assert np.array_equal(array, copy)


def test_read_only_arrays_and_spare_room():
    X, y = matrix(50), targets(50)
    expected = DNNClassifier((3,), max_iter=2, random_state=0).fit(X, y)
    X.data = np.append(X.data, [7.0, 7.0])  # past the end of the last row
    X.indices = np.append(X.indices, [-1, 10**6]).astype(np.int32)
    for array in (X.data, X.indices, X.indptr):
        array.flags.writeable = False
    assert state(DNNClassifier((3,), max_iter=2, random_state=0).fit(X, y)) == state(expected)
    probabilities = expected.network_.predict_proba(X)
    X.data = np.where(np.arange(X.data.size) < X.nnz, X.data, np.nan)
    assert np.array_equal(expected.network_.predict_proba(X), probabilities)


def test_mixed_index_types_and_byte_orders():
    X = matrix(50)
    network = Network((FEATURES, 3), seed=0)
    expected = network.predict_proba(X)
    X.indptr = X.indptr.astype(np.int64)
    assert np.array_equal(network.predict_proba(X), expected)
    X.indices = X.indices.astype(">i8")
    assert np.array_equal(network.predict_proba(X), expected)


def test_integers_and_booleans_become_float64():
    X, y = matrix(50), targets(50)
    X.data = np.ones_like(X.data)
    settings = {"hidden_layer_sizes": (3,), "max_iter": 2, "random_state": 0}
    expected = DNNClassifier(**settings).fit(X, y)
    for dtype in (np.int64, np.uint8, bool):
        assert state(DNNClassifier(**settings).fit(X.astype(dtype), y)) == state(expected)


def test_sparse_data_frame():
    X, y = matrix(50), targets(50)
    frame = pd.DataFrame.sparse.from_spmatrix(X, columns=[f"word {i}" for i in range(FEATURES)])
    settings = {"hidden_layer_sizes": (3,), "max_iter": 3, "random_state": 0}
    settings |= {"early_stopping": True, "scoring": "accuracy"}
    model = DNNClassifier(**settings).fit(frame, y)
    assert model.feature_names_in_[1] == "word 1"
    assert state(model) == state(DNNClassifier(**settings).fit(X, y))


# --------------------------------------------------------------------------------- errors


def broken(**arrays):
    X = matrix(20)
    for name, change in arrays.items():
        array = getattr(X, name).copy()
        setattr(X, name, change(array))
    return X


def put(at, value):
    def change(array):
        array[at] = value
        return array

    return change


@pytest.mark.parametrize(
    ("X", "words"),
    [
        (broken(indices=put(5, FEATURES)), r"indices in \[0, 23\)"),
        (broken(indices=put(5, -1)), r"indices in \[0, 23\)"),
        (broken(indptr=put(0, 1)), "starts at 0"),
        (broken(indptr=put(4, 10**6)), "starts at 0"),
        (broken(indptr=put(-1, 10**6)), "1000000 indices and values"),
        (broken(indptr=lambda x: x[:-1]), "one entry more than rows"),
        (broken(data=lambda x: x[:-4]), "indices and values"),
        (broken(data=put(0, np.inf)), "X must be finite"),
        (broken(data=put(-1, np.nan)), "X must be finite"),
    ],
)
def test_a_broken_matrix_is_refused(X, words):
    network = Network((FEATURES, 3), seed=0)
    with pytest.raises(ValueError, match=words):
        network.predict_proba(X)
    if X.indptr.shape == (21,) and X.data.size == X.indices.size:
        before = network.parameters.copy()
        with pytest.raises(ValueError, match=words):
            Trainer(network, Adam()).run_epoch(X, targets(20))
        assert np.array_equal(network.parameters, before)


def test_an_error_names_row_and_column():
    X = sparse.csr_array(([1.0, 2.0, np.inf], ([0, 3, 3], [1, 0, 2])), shape=(5, 4))
    with pytest.raises(ValueError, match="X must be finite, got inf in row 3, column 2"):
        Network((4, 2)).predict_proba(X)


def test_wrong_type_or_shape():
    network = Network((FEATURES, 3))
    with pytest.raises(TypeError, match="X must have dtype float64"):
        network.predict_proba(matrix(dtype=np.float32))
    with pytest.raises(TypeError, match="X must be of float32 or float64, got int64"):
        network.predict_proba(matrix().astype(np.int64))
    with pytest.raises(ValueError, match="X must have 23 columns"):
        network.predict_proba(matrix()[:, :5])
    model = DNNClassifier((2,), max_iter=1).fit(matrix(), targets(N))
    with pytest.raises(ValueError, match="23 features"):
        model.predict(matrix()[:, :5])


def test_a_frozen_predictor_takes_dense_rows():
    X = matrix()
    predictor = Network((FEATURES, 3), seed=0).freeze()
    for call in (predictor, predictor.predict_proba, predictor.predict):
        with pytest.raises(TypeError, match="must be dense, got a sparse matrix"):
            call(X)


# --------------------------------------------------------------------------------- memory


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_the_matrix_is_never_made_dense(solver):
    n, features = 20_000, 1000
    X = sparse.random_array((n, features), density=0.002, rng=0, format="csr")
    y = np.arange(n) % 2
    model = DNNClassifier(
        (2,), solver=solver, batch_size=50, max_iter=1, early_stopping=True, random_state=0,
        n_threads=1,
    )  # fmt: skip
    tracemalloc.start()
    try:
        model.fit(X, y).predict_proba(X)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < n * features * 8 / 3


def test_moments_of_very_many_features():
    """More than are made dense together; and the same bits in pieces of whole chunks."""
    X = sparse.random_array((2 * MOMENTS_ROWS + 5, 20_000), density=0.002, rng=0, format="csr")
    weight = np.random.default_rng(0).uniform(0, 1, X.shape[0])
    found, dense, pieces = (Moments.empty(X.shape[1]) for _ in range(3))
    found.update(X, weight)
    dense.update(X.toarray(), weight)
    pieces.update(X[:MOMENTS_ROWS], weight[:MOMENTS_ROWS])
    pieces.update(X[MOMENTS_ROWS:], weight[MOMENTS_ROWS:])
    for other in (dense, pieces):
        assert found.count == other.count
        assert np.array_equal(found.mean, other.mean)
        assert np.array_equal(found.variance, other.variance)
