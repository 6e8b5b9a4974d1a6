"""Blocks that are refused, and what ends training on blocks."""

import os
import signal
import threading

import numpy as np
import pytest
from inblocks import (
    BLOCKS,
    LABEL,
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
from sklearn.exceptions import ConvergenceWarning

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


class Changing:
    """Other blocks in every iteration."""

    def __init__(self, *iterations):
        self._iterations = iter(iterations)

    def __iter__(self):
        return iter(next(self._iterations))


REFUSED = [
    (iter(BLOCKS), TypeError, "blocks must be iterable more than once.*got list_iterator"),
    (
        (block for block in BLOCKS),
        TypeError,
        "blocks must be iterable more than once.*got generator",
    ),
    (5, TypeError, "blocks must be iterable more than once.*got int"),
    ([], ValueError, "at least 1 row"),
    ([(X[:0], LABEL[:0])], ValueError, "at least 1 row"),
    ([X], TypeError, r"must be \(X, y\) or \(X, y, sample_weight\), got ndarray as block 0"),
    ([BLOCKS[0], (X, LABEL, WEIGHT, 1)], TypeError, "got tuple of length 4 as block 1"),
    ([(1, 2)], TypeError, "must contain arrays, got 1"),
    ([BLOCKS[0], (X, LABEL[:5])], ValueError, r"row 300 \(block 1\): y must have 700 rows"),
    ([(X, LABEL, WEIGHT[:5])], ValueError, r"sample_weight must have shape \(700,\)"),
    ([(X, LABEL, -WEIGHT)], ValueError, "block 0.*non-negative"),
    ([(X, LABEL, 0 * WEIGHT)], ValueError, "must not be all zero"),
    ([(X, LABEL, WEIGHT * 1e-310)], ValueError, "must have a sum between 1e-300"),
    ([(X, LABEL, WEIGHT), BLOCKS[0]], ValueError, "only some blocks have sample_weight; block 1"),
    ([BLOCKS[0], (X[:, :3], LABEL)], ValueError, r"block at row 300 \(block 1\).*3 features"),
    (divided([300], nan_at(450, 2), LABEL), ValueError, r"nan in row 450 \(block 1\), column 2"),
    ([(np.full((9, 2), "a"), [1] * 9)], ValueError, r"block at row 0 \(block 0\)"),
    ([BLOCKS[0], (X, TARGET)], ValueError, "block at row 300.*continuous"),
    (
        [BLOCKS[0], (X, indicator())],
        ValueError,
        "y must have single labels as before, got multilabel",
    ),
    ([BLOCKS[0], (X, np.full(N, "a"))], ValueError, "labels of one type, got <U1 after int64"),
    ([(X, indicator()), (X, indicator()[:, :2])], ValueError, "3 columns as before, got 2"),
    (
        [(X, indicator()), (X, probabilities())],
        ValueError,
        "y must have multilabel labels as before, got soft",
    ),
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
        (classifier(solver="lbfgs"), "solver='adam', 'adamw' or 'sgd', got solver='lbfgs'"),
        (classifier(early_stopping=True), "early_stopping and scoring need X_val"),
        (classifier(scoring="accuracy"), "early_stopping and scoring need X_val"),
        (classifier(alpha=-1), "alpha must lie in"),
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
    with pytest.raises(ValueError, match="class_weight needs class labels, got soft labels"):
        classifier(class_weight="balanced").fit_blocks([(X, probabilities())])
    with pytest.raises(ValueError, match="must be 'balanced' for multi-label targets"):
        classifier(class_weight={0: 1.0}).fit_blocks([(X, indicator())])


def test_after_an_error_the_model_is_as_before():
    model = classifier().fit(X[:, :3], LABEL)
    before = {**model.__dict__}
    before.pop("_direct", None)  # of partial_fit, which begins anew
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
    with pytest.warns(ConvergenceWarning, match="max_time=0.05 seconds have passed") as caught:
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
    with pytest.raises(ValueError, match="X must be finite, got nan"):
        classifier().fit_blocks([*BLOCKS, (nan_at(0, 0), LABEL)])
    assert threading.active_count() == before


@pytest.mark.parametrize(
    "labels",
    [np.full(N, np.nan), np.zeros((N, 1, 1), int), LABEL[:, None] + [0.5, 0.25]],
    ids=["nan", "three dimensions", "no labels"],
)
def test_that_X_is_not_finite_is_reported_first(labels):
    with pytest.raises(ValueError, match=r"^X must be finite, got nan in row 40 \(block 0\), col"):
        classifier().fit_blocks([(nan_at(40, 2), labels)])


@pytest.mark.filterwarnings("ignore:overflow encountered in cast")
def test_targets_that_are_too_large_for_float32_have_a_place():
    blocks = divided([300, 400], X.astype(np.float32), TARGET * 1e300)
    with pytest.raises(ValueError, match=r"^in the block at row 0 \(block 0\): y must be finite$"):
        regressor(norm_target=False).fit_blocks(blocks)


def test_class_weights_that_leave_no_weight():
    with pytest.raises(ValueError, match=r"^sample_weight must not be all zero$"):
        classifier(class_weight={0: 0, 1: 0, 2: 0}).fit_blocks(BLOCKS)
