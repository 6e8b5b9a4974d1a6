"""Training on rows that come in blocks: the same as on all of them at once."""

import os
import signal
import threading
import tracemalloc

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from dnncore import DNNClassifier, DNNRegressor, Network
from dnncore._core.moments import MOMENTS_ROWS
from dnncore._data.blocks import read_ahead, rechunk
from dnncore._training.sources import InBlocks, InMemory
from dnncore.training import LBFGS, SGD, Trainer

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

N = 700  # more than two chunks of the moments
RNG = np.random.default_rng(0)
X = RNG.normal(size=(N, 5)) * [1, 1, 100, 1, 1e-3] + [0, 1e4, 0, 1, 0]
LABEL = RNG.integers(0, 3, N)
TARGET = X[:, 0] + np.sin(X[:, 3])
WEIGHT = RNG.random(N) * (RNG.random(N) > 0.2)
WEIGHT[:70] = 0  # no weight at all in some blocks
SIZES = [1, 130, 64, 5, 300]


def divided(sizes, *arrays):
    """Blocks of rows of these sizes, over and over."""
    blocks, start = [], 0
    while start < arrays[0].shape[0]:
        for size in sizes:
            block = tuple(array[start : start + size] for array in arrays)
            if block[0].shape[0]:
                blocks.append(block)
            start += size
    return blocks


def classifier(**parameters):
    defaults = {"batch_size": 64, "max_iter": 3, "random_state": 0, "shuffle": False}
    return DNNClassifier((7,), **{**defaults, "engine": "builtin", **parameters})


def regressor(**parameters):
    defaults = {"batch_size": 64, "max_iter": 3, "random_state": 0, "shuffle": False}
    return DNNRegressor(hidden_layer_sizes=(7,), **{**defaults, "engine": "builtin", **parameters})


def assert_same_model(one, other):
    a, b = one.network_, other.network_
    assert a.layer_sizes == b.layer_sizes and a.dtype == b.dtype
    np.testing.assert_array_equal(a.parameters, b.parameters)
    if a.mean_ is not None:
        np.testing.assert_array_equal(a.mean_, b.mean_)
        np.testing.assert_array_equal(a.scale_, b.scale_)
    assert one.loss_curve_ == other.loss_curve_
    assert one.validation_losses_ == other.validation_losses_
    assert one.t_ == other.t_ and one.n_features_in_ == other.n_features_in_
    if hasattr(one, "classes_"):
        np.testing.assert_array_equal(one.classes_, other.classes_)
    if hasattr(one, "target_mean_"):
        np.testing.assert_array_equal(one.target_mean_, other.target_mean_)
        np.testing.assert_array_equal(one.target_scale_, other.target_scale_)


# ------------------------------------------------------------------------- the same as fit


@settings(max_examples=60, deadline=None)
@given(
    n=st.integers(2, N),
    sizes=st.lists(st.integers(1, 400), min_size=1, max_size=5),
    batch_size=st.sampled_from([1, 32, 63, 64, 65, 1000]),
    dtype=st.sampled_from([np.float32, np.float64]),
    weighted=st.booleans(),
    n_threads=st.sampled_from([1, 2]),
    solver=st.sampled_from(["sgd", "adam"]),
    regression=st.booleans(),
)
def test_every_bit_is_that_of_fit(
    n, sizes, batch_size, dtype, weighted, n_threads, solver, regression
):
    make, y = (regressor, TARGET) if regression else (classifier, LABEL)
    weighted = weighted and bool(WEIGHT[:n].any())
    arrays = [X[:n].astype(dtype), y[:n], *([WEIGHT[:n]] if weighted else [])]
    model = make(batch_size=batch_size, n_threads=n_threads, solver=solver, max_iter=2)
    assert_same_model(clone(model).fit(*arrays), clone(model).fit_blocks(divided(sizes, *arrays)))


def indicator():
    return RNG.integers(0, 2, (N, 3))


def probabilities():
    rows = np.random.default_rng(1).dirichlet(np.ones(3), N)
    rows[:130] = np.eye(3)[LABEL[:130]]  # blocks that look like labels of several outputs
    return rows


def with_gaps():
    gappy = X.copy()
    gappy[RNG.random(X.shape) < 0.2] = np.nan
    gappy[:, 1], gappy[:600, 4] = X[:, 1], X[:600, 4]
    return gappy


@pytest.mark.parametrize(
    ("model", "rows", "y"),
    [
        (classifier(solver="sgd", learning_rate="newbob", max_iter=15), X, LABEL),
        (classifier(dropout=0.3, alpha=1.0), X, LABEL),
        (classifier(label_smoothing=0.2, norm=False), X / 1e4, LABEL),
        (classifier(class_weight="balanced"), X, LABEL),
        (classifier(class_weight={0: 3.0, 1: 0.5, 2: 1.0}), X, LABEL),
        (classifier(), X, np.array(["no", "perhaps", "yes"])[LABEL]),
        (classifier(), X, indicator()),
        (classifier(class_weight="balanced"), X, indicator()),
        (classifier(), X, probabilities()),
        (classifier(), sp.csr_array(np.where(np.abs(X - X.mean(0)) > X.std(0), X, 0)), LABEL),
        (classifier(missing_values="mean"), with_gaps(), LABEL),
        (classifier(missing_values="indicator"), with_gaps(), LABEL),
        (regressor(loss="huber", solver="sgd", learning_rate="invscaling"), X, TARGET),
        (regressor(norm_target=False), X, TARGET),
        (regressor(), X, np.stack([TARGET, 100 + TARGET**2], axis=1)),
        (regressor(), X, TARGET[:, None]),
    ],
    ids=lambda value: "" if hasattr(value, "shape") else str(value)[:60],
)
@pytest.mark.parametrize("weighted", [False, True])
def test_options(model, rows, y, weighted):
    arrays = [rows, y, *([WEIGHT] if weighted else [])]
    one = clone(model).fit(*arrays)
    other = clone(model).fit_blocks(divided(SIZES, *arrays))
    assert_same_model(one, other)
    if hasattr(one, "class_prior_"):
        np.testing.assert_allclose(one.class_prior_, other.class_prior_, rtol=1e-12)


@pytest.mark.parametrize("make", [classifier, regressor])
def test_validation_and_early_stopping(make):
    y = LABEL if make is classifier else TARGET
    model = make(early_stopping=True, n_iter_no_change=2, max_iter=30, tol=0.01)
    validation = {"X_val": X[:90], "y_val": y[:90], "sample_weight_val": WEIGHT[:90] + 1}
    one = clone(model).fit(X, y, **validation)
    assert one.n_iter_ < 30
    assert_same_model(one, clone(model).fit_blocks(divided(SIZES, X, y), **validation))


def test_warm_start_goes_on():
    one, other = classifier(warm_start=True), classifier(warm_start=True)
    for _ in range(2):
        one.fit(X, LABEL)
        other.fit_blocks(divided(SIZES, X, LABEL))
    assert_same_model(one, other)
    assert other.n_iter_ == 6
    with pytest.raises(ValueError, match=r"classes \[7\] that are not among"):
        other.fit_blocks([(X[:9], np.full(9, 7))])
    with pytest.raises(ValueError, match="the same classes as in the previous fit"):
        other.fit_blocks([(X[:9], np.zeros(9, int))])
    other.fit_blocks([(X[:9], np.zeros(9, int))], classes=[0, 1, 2])
    with pytest.raises(ValueError, match="features"):
        other.fit_blocks([(X[:, :3], LABEL)])
    with pytest.raises(ValueError, match="multilabel labels, but single ones came before"):
        other.fit_blocks([(X, indicator())])


def test_warm_start_on_labels_of_several_outputs():
    model = classifier(warm_start=True).fit(X, probabilities())
    model.fit_blocks([(X[:130], probabilities()[:130])])  # 0 and 1 only: probabilities all the same
    assert model.predict_proba(X).sum(axis=1) == pytest.approx(1.0)
    model = classifier(warm_start=True).fit_blocks([(X, indicator())])
    with pytest.raises(ValueError, match=r"trained on multilabel labels of 3 classes, got .* of 2"):
        model.fit_blocks([(X, indicator()[:, :2])])
    with pytest.raises(ValueError, match="multilabel labels of 3 classes, got soft ones of 3"):
        model.fit_blocks([(X, probabilities())])


def test_the_first_block_says_which_precision():
    rows = X.astype(np.float32)
    model = classifier().fit_blocks([(rows[:300], LABEL[:300]), (X[300:], LABEL[300:])])
    assert_same_model(model, classifier().fit(rows, LABEL))


def test_data_frames_have_names():
    names = list("abcde")
    frame = pd.DataFrame(X, columns=names)
    blocks = [(frame[:300], pd.Series(LABEL[:300])), (frame[300:], pd.Series(LABEL[300:]))]
    model = classifier().fit_blocks(blocks)
    assert model.feature_names_in_.tolist() == names
    assert_same_model(model, classifier().fit(frame, LABEL))
    with pytest.raises(ValueError, match=r"block at row 300 \(block 1\).*feature names"):
        classifier().fit_blocks([blocks[0], (frame[300:][names[::-1]], LABEL[300:])])


def test_classes_that_do_not_come():
    model = classifier(class_weight="balanced").fit_blocks(
        divided(SIZES, X, LABEL), classes=[5, 0, 1, 2]
    )
    assert model.classes_.tolist() == [0, 1, 2, 5]
    assert model.class_prior_[3] == 0.0
    np.testing.assert_allclose(model.class_prior_[:3], 1 / 3)  # balanced
    with pytest.raises(ValueError, match=r"block at row 1 .*classes \[2\].*not among \[0 1\]"):
        classifier().fit_blocks([(X[:1], [0]), (X[1:9], [2] * 8)], classes=[0, 1])
    with pytest.raises(ValueError, match="classes goes with one label a row, got multilabel"):
        classifier().fit_blocks([(X, indicator())], classes=[0, 1, 2])


# -------------------------------------------------------------------------------- shuffling


def test_one_shuffled_block_is_as_fit():
    model = classifier(shuffle=True)
    assert_same_model(clone(model).fit(X, LABEL), clone(model).fit_blocks([(X, LABEL)]))


def test_shuffling_stays_within_blocks():
    """Every block's rows come once an epoch, in a new order, before those of the next."""
    seen = []

    class Spy(Trainer):
        def _train_on(self, engine, piece, *rest):
            seen.extend(piece.X[:, 0] if piece.order is None else piece.X[piece.order, 0])
            return super()._train_on(engine, piece, *rest)

    rows = np.arange(500.0)[:, None]
    blocks = divided([130, 7, 200], rows, np.zeros(500, int))
    Spy(Network((1, 2), seed=0), SGD(0.1), batch_size=32, seed=0).fit_blocks(blocks, max_iter=2)
    first, second = np.split(np.array(seen), 2)
    assert (first != second).any() and (first != rows[:, 0]).any()
    for epoch in (first, second):
        for block, _ in blocks:
            start = int(block[0, 0])
            mine = epoch[start : start + len(block)]
            np.testing.assert_array_equal(np.sort(mine), block[:, 0])


def test_shuffling_is_repeatable_and_of_the_seed():
    blocks = divided(SIZES, X, LABEL)
    model = classifier(shuffle=True).fit_blocks(blocks)
    assert_same_model(model, classifier(shuffle=True).fit_blocks(tuple(blocks)))
    other = classifier(shuffle=True, random_state=1).fit_blocks(blocks)
    assert (model.network_.parameters != other.network_.parameters).any()


# ----------------------------------------------------------------------------- what is refused


class Changing:
    """Other blocks in every iteration."""

    def __init__(self, *iterations):
        self._iterations = iter(iterations)

    def __iter__(self):
        return iter(next(self._iterations))


def nan_at(row, column):
    rows = X.copy()
    rows[row, column] = np.nan
    return rows


BLOCKS = divided([300, 400], X, LABEL)
REFUSED = [
    (iter(BLOCKS), TypeError, "blocks must be iterable again and again.*got list_iterator"),
    ((block for block in BLOCKS), TypeError, "got generator"),
    (5, TypeError, "got int"),
    ([], ValueError, "at least 1 row"),
    ([(X[:0], LABEL[:0])], ValueError, "at least 1 row"),
    ([X], TypeError, r"must be \(X, y\) or \(X, y, sample_weight\), got ndarray as block 0"),
    ([BLOCKS[0], (X, LABEL, WEIGHT, 1)], TypeError, "got tuple of length 4 as block 1"),
    ([(1, 2)], TypeError, "must hold arrays, got 1"),
    ([BLOCKS[0], (X, LABEL[:5])], ValueError, r"row 300 \(block 1\): y must have 700 rows"),
    ([(X, LABEL, WEIGHT[:5])], ValueError, r"sample_weight must have shape \(700,\)"),
    ([(X, LABEL, -WEIGHT)], ValueError, "block 0.*not negative"),
    ([(X, LABEL, 0 * WEIGHT)], ValueError, "must not be all zero"),
    ([(X, LABEL, WEIGHT * 1e-310)], ValueError, "must have a sum between 1e-300"),
    ([(X, LABEL, WEIGHT), BLOCKS[0]], ValueError, "only some blocks have sample_weight; block 1"),
    ([BLOCKS[0], (X[:, :3], LABEL)], ValueError, r"block at row 300 \(block 1\).*3 features"),
    (divided([300], nan_at(450, 2), LABEL), ValueError, r"nan in row 450 \(block 1\), column 2"),
    ([(np.full((9, 2), "a"), [1] * 9)], ValueError, r"block at row 0 \(block 0\)"),
    ([BLOCKS[0], (X, TARGET)], ValueError, "block at row 300.*continuous"),
    ([BLOCKS[0], (X, indicator())], ValueError, "multilabel labels, but single ones came"),
    ([BLOCKS[0], (X, np.full(N, "a"))], ValueError, "labels of one type, got <U1 after int64"),
    ([(X, indicator()), (X, indicator()[:, :2])], ValueError, "3 columns as before, got 2"),
    ([(X, indicator()), (X, probabilities())], ValueError, "soft labels, but multilabel"),
    (Changing(BLOCKS, BLOCKS[:1]), ValueError, "700 at first, now 300"),
    (Changing(BLOCKS[:1], BLOCKS), ValueError, "300 at first, now more than 300"),
    (Changing(BLOCKS, [(X, LABEL + 1)]), ValueError, r"classes \[3\] that are not among"),
    (Changing(BLOCKS, [(nan_at(3, 1), LABEL)]), ValueError, "nan in row 3"),
]


@pytest.mark.parametrize(("blocks", "error", "message"), REFUSED, ids=[x[2][:40] for x in REFUSED])
def test_refused_blocks(blocks, error, message):
    with pytest.raises(error, match=message):
        classifier().fit_blocks(blocks)


@pytest.mark.parametrize("where", ["row 450 of here", "row 300 of here"])
def test_blocks_may_say_where_a_row_is(where):
    class Placed(list):
        feature_names = ("v", "w", "x", "y", "z")

        def place(self, row):
            return f"row {row} of here"

    if "450" in where:
        blocks, where = Placed(divided([300], nan_at(450, 2), LABEL)), f"nan in {where}, column 'x'"
    else:
        blocks = Placed([BLOCKS[0], (X[:, :3], LABEL)])
    with pytest.raises(ValueError, match=where):
        classifier().fit_blocks(blocks)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (classifier(solver="lbfgs"), "solver='adam' or 'sgd', got solver='lbfgs'"),
        (classifier(early_stopping=True), "early_stopping and scoring need X_val"),
        (classifier(scoring="accuracy"), "early_stopping and scoring need X_val"),
        (classifier(alpha=-1), "alpha"),
    ],
)
def test_refused_before_anything_is_read(model, message):
    with pytest.raises(ValueError, match=message):
        model.fit_blocks(Changing())


def test_targets_of_another_form_are_refused():
    with pytest.raises(ValueError, match=r"block at row 300.*1 outputs as before.*\(700, 2\)"):
        regressor().fit_blocks([(X[:300], TARGET[:300]), (X, np.stack([TARGET] * 2, axis=1))])
    with pytest.raises(ValueError, match=r"block at row 0.*NaN"):
        regressor().fit_blocks([(X, np.full(N, np.nan))])
    with pytest.raises(ValueError, match="rows of probabilities"):
        classifier(class_weight="balanced").fit_blocks([(X, probabilities())])
    with pytest.raises(ValueError, match="must be 'balanced' for labels of several outputs"):
        classifier(class_weight={0: 1.0}).fit_blocks([(X, indicator())])


def test_after_an_error_the_model_is_as_before():
    model = classifier().fit(X[:, :3], LABEL)
    before = dict(model.__dict__)
    parameters = model.network_.parameters.copy()
    with pytest.raises(ValueError, match="nan in row 3"):
        model.fit_blocks([(X, LABEL), (nan_at(3, 1)[:300], LABEL[:300])][::-1])
    assert model.__dict__ == before
    np.testing.assert_array_equal(model.network_.parameters, parameters)


def test_blocks_that_change_in_training_leave_whole_epochs():
    blocks = Changing(BLOCKS, BLOCKS, BLOCKS, [BLOCKS[0], (nan_at(3, 1)[:400], LABEL[:400])])
    model = classifier(max_iter=9)
    with pytest.raises(ValueError, match=r"nan in row 303 \(block 1\)"):
        model.fit_blocks(blocks)
    assert_same_model(model, classifier(max_iter=2).fit(X, LABEL))


# ------------------------------------------------------------------------------ ends of training


def test_a_callback_ends_it():
    model = classifier(callback=lambda info: info.epoch == 2, max_iter=9)
    assert model.fit_blocks(BLOCKS).n_iter_ == 2


def test_max_time_ends_it_between_blocks():
    class Slow(list):
        n_read = 0

        def __iter__(self):
            for block in super().__iter__():
                self.n_read += 1
                threading.Event().wait(0.005)
                yield block

    blocks = Slow(divided([10], X, LABEL))
    model = classifier(max_time=0.05)
    with pytest.warns(ConvergenceWarning, match="max_time=0.05 seconds are over") as caught:
        model.fit_blocks(blocks)
    assert caught[0].filename == __file__
    assert 0 < model.t_ < N
    assert blocks.n_read < 2 * len(blocks)


def test_ctrl_c_ends_it_while_a_block_is_awaited():
    class Interrupting(list):
        passes = 0

        def __iter__(self):
            self.passes += 1
            for number, block in enumerate(super().__iter__()):
                if self.passes == 3 and number == 5:
                    os.kill(os.getpid(), signal.SIGINT)
                yield block

    model = classifier(max_iter=9)
    threads = threading.active_count()
    with pytest.warns(UserWarning, match="interrupted by user"):
        model.fit_blocks(Interrupting(divided([20], X, LABEL)))
    assert threading.active_count() == threads
    assert model.n_iter_ == 1
    model.predict(X)


def test_no_thread_is_left():
    before = threading.active_count()
    classifier().fit_blocks(BLOCKS)
    with pytest.raises(ValueError, match="nan"):
        classifier().fit_blocks([*BLOCKS, (nan_at(0, 0), LABEL)])
    assert threading.active_count() == before


# --------------------------------------------------------------------------------- the trainer


def test_trainer():
    y = LABEL
    for engine in ("builtin", "blas"):
        one, other = (
            Trainer(Network((5, 7, 3), seed=1), SGD(1e-6), shuffle=False, engine=engine)
            for _ in range(2)
        )
        assert one.fit(X, y, WEIGHT, max_iter=3) == "max_iter"
        assert other.fit_blocks(divided(SIZES, X, y, WEIGHT), max_iter=3) == "max_iter"
        compare = (
            np.testing.assert_array_equal if engine == "builtin" else np.testing.assert_allclose
        )
        compare(one.network.parameters, other.network.parameters)
    with pytest.raises(TypeError, match="LBFGS takes all rows at once"):
        Trainer(Network((5, 3)), LBFGS()).fit_blocks(BLOCKS)
    before = other.network.parameters.copy()
    with pytest.raises(ValueError, match="nan in row 303"):
        other.fit_blocks([BLOCKS[0], (nan_at(3, 3), LABEL)])
    with pytest.raises(ValueError, match=r"block at row 300 \(block 1\): y must lie in \[0, 3\)"):
        other.fit_blocks([BLOCKS[0], (X, LABEL + 1)])
    np.testing.assert_array_equal(other.network.parameters, before)


def test_the_loss_that_newbob_goes_by_is_the_same_number(monkeypatch):
    monkeypatch.setattr("dnncore.training.LOSS_ROWS", 100)
    trainer = Trainer(Network((5, 7, 3), seed=1), n_threads=2)
    arrays = X, LABEL, WEIGHT
    loop = trainer._loop(1, 0.0, 1, None, False, None, None)
    whole = trainer._loss_now(InMemory(*trainer._check(*arrays)), loop)
    parts = trainer._loss_now(InBlocks(divided(SIZES, *arrays), trainer._check_block), loop)
    assert parts == whole
    assert whole == pytest.approx(
        trainer.network.loss(X, LABEL, sample_weight=WEIGHT, alpha=trainer.alpha), rel=1e-12
    )


# ------------------------------------------------------------------------------------ the parts


@settings(max_examples=200, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 20), max_size=12),
    multiple=st.integers(1, 25),
    shuffle=st.booleans(),
)
def test_rechunk(sizes, multiple, shuffle):
    ends = np.cumsum(sizes, dtype=int)
    blocks = [(np.arange(end - n, end), None) for n, end in zip(sizes, ends, strict=True)]
    rng = np.random.default_rng(0) if shuffle else None
    pieces = [x if order is None else x[order] for (x, _), order in rechunk(blocks, multiple, rng)]
    assert all(len(piece) % multiple == 0 for piece in pieces[:-1])
    assert all(len(piece) for piece in pieces)
    rows = np.concatenate(pieces) if pieces else np.zeros(0)
    if not shuffle:
        np.testing.assert_array_equal(rows, np.arange(sum(sizes)))
    for (block, _), end in zip(blocks, ends, strict=True):
        np.testing.assert_array_equal(np.sort(rows[end - len(block) : end]), block)


def test_rechunk_leaves_rows_where_they_are_and_copies_what_it_carries():
    buffer = np.zeros(10)

    def reused():
        for block in range(3):
            buffer[:] = block
            yield (buffer,)

    pieces = [(x.copy(), np.shares_memory(x, buffer)) for (x,), _ in rechunk(reused(), 4)]
    assert [shared for _, shared in pieces] == [True, False, True, True, False]
    np.testing.assert_array_equal(
        np.concatenate([x for x, _ in pieces]), np.repeat([0.0, 1.0, 2.0], 10)
    )


def test_read_ahead_gets_one_item_more():
    taken, closed = [], threading.Event()

    def items():
        try:
            for item in range(5):
                taken.append(item)
                yield item
        finally:
            closed.set()

    reader = read_ahead(items())
    assert [next(reader), next(reader)] == [0, 1]
    reader.close()
    assert taken == [0, 1, 2]
    assert closed.is_set()
    assert list(read_ahead(range(4))) == [0, 1, 2, 3]

    def broken():
        yield 1
        raise OSError("gone")

    reader = read_ahead(broken())
    assert next(reader) == 1
    with pytest.raises(OSError, match="gone"):
        next(reader)


def test_memory_does_not_grow_with_the_number_of_blocks():
    class Made:
        def __init__(self, n_blocks):
            self.n_blocks = n_blocks

        def __iter__(self):
            for seed in range(self.n_blocks):
                rows = np.random.default_rng(seed).normal(size=(10 * MOMENTS_ROWS, 20))
                yield rows, (rows[:, 0] > 0).astype(int)

    block = 10 * MOMENTS_ROWS * 20 * 8
    tracemalloc.start()
    classifier(max_iter=1, shuffle=True).fit_blocks(Made(60))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 8 * block
