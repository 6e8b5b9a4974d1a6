"""Training on rows that come in blocks: the same as on all of them at once."""

import tracemalloc

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from inblocks import (
    BLOCKS,
    LABEL,
    SIZES,
    TARGET,
    WEIGHT,
    N,
    X,
    assert_same_model,
    classifier,
    divided,
    indicator,
    nan_at,
    probabilities,
    regressor,
)
from sklearn.base import clone

from dnncore import Network
from dnncore._core.moments import MOMENTS_ROWS
from dnncore._training.checks import CheckedBlocks, check_rows
from dnncore._training.sources import ArraySource, BlockSource
from dnncore.training import LBFGS, SGD, Trainer

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@settings(max_examples=60)
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


def with_gaps():
    gappy = X.copy()
    gappy[np.random.default_rng(3).random(X.shape) < 0.2] = np.nan
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
        if np.ndim(y) == 1:  # sums in the order of the rows
            np.testing.assert_array_equal(one.class_prior_, other.class_prior_)


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
    with pytest.raises(
        ValueError, match=r"block at row 0 \(block 0\): X has 3 features, but .* is expecting 5"
    ):
        other.fit_blocks([(X[:, :3], LABEL)])
    with pytest.raises(ValueError, match="trained on single labels, got multilabel labels"):
        other.fit_blocks([(X, indicator())])


def test_warm_start_on_labels_of_several_outputs():
    model = classifier(warm_start=True).fit(X, probabilities())
    model.fit_blocks([(X[:130], probabilities()[:130])])  # 0 and 1 only: probabilities all the same
    assert model.predict_proba(X).sum(axis=1) == pytest.approx(1.0)
    model = classifier(warm_start=True).fit_blocks([(X, indicator())])
    with pytest.raises(ValueError, match="y must have 3 columns as before, got 2"):
        model.fit_blocks([(X, indicator()[:, :2])])
    with pytest.raises(ValueError, match="trained on multilabel labels, got soft labels"):
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
    with pytest.raises(ValueError, match="classes needs one label per row, got multilabel"):
        classifier().fit_blocks([(X, indicator())], classes=[0, 1, 2])


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
        Trainer(Network((5, 3)), LBFGS()).fit_blocks(None, max_iter=0)  # found before the others
    before = other.network.parameters.copy()
    with pytest.raises(ValueError, match="nan in row 303"):
        other.fit_blocks([BLOCKS[0], (nan_at(3, 3), LABEL)])
    with pytest.raises(ValueError, match=r"block at row 300 \(block 1\): y must lie in \[0, 3\)"):
        other.fit_blocks([BLOCKS[0], (X, LABEL + 1)])
    np.testing.assert_array_equal(other.network.parameters, before)


def test_the_loss_that_newbob_goes_by_is_the_same_number(monkeypatch):
    monkeypatch.setattr("dnncore._training.optimizer.LOSS_ROWS", 100)
    trainer = Trainer(Network((5, 7, 3), seed=1), n_threads=2)
    arrays = X, LABEL, WEIGHT
    whole = trainer._loss_of(ArraySource(*check_rows(trainer.network, *arrays)))
    blocks = CheckedBlocks(trainer.network, divided(SIZES, *arrays))
    parts = trainer._loss_of(BlockSource(blocks))
    assert parts == whole
    assert whole == pytest.approx(
        trainer.network.loss(X, LABEL, sample_weight=WEIGHT, alpha=trainer.alpha), rel=1e-12
    )


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


@pytest.mark.parametrize(
    ("labels", "classes", "dtype"),
    [
        (np.array(["a", "b"], object), ["a", "b", "c"], object),
        (np.array(["a", "b"]), np.array(["a", "b"], "U9"), "U1"),
        (np.array([0.0, 1.0]), [0, 1, 2], float),
        (np.array([0, 1]), [0.0, 1.0], int),
        (np.array([0, 1]), [0.0, 1.0, 2.0], float),
    ],
)
def test_classes_have_the_dtype_of_the_labels(labels, classes, dtype):
    """Together with that of the classes given, if one of them does not occur."""
    y = labels[np.arange(N) % 2]
    model = classifier(max_iter=1).fit_blocks(divided([300], X, y), classes=classes)
    assert model.classes_.dtype == dtype
    assert model.classes_.tolist() == list(classes)
