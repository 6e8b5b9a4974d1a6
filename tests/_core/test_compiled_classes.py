"""Compiled classes do not exist without their buffers, and C code gets aligned arrays only."""

import numpy as np
import pytest

from dnncore import DNNClassifier, Network
from dnncore._core.engine import Engine
from dnncore._core.labels import labels
from dnncore._data.blocks import Block
from dnncore._estimators import rows
from dnncore._estimators.plain import are_plain_labels
from dnncore._training.sources import ArraySource
from dnncore.predictor import Predictor
from dnncore.stepper import Stepper
from dnncore.table_predictor import TablePredictor
from dnncore.training import Trainer

X, LABELS = np.random.default_rng(0).normal(size=(30, 4)), np.arange(30) % 3


@pytest.mark.parametrize("kind", [Engine, Predictor, Stepper, TablePredictor])
def test_no_instance_without_arguments(kind):
    for make in (kind, lambda: kind.__new__(kind), lambda: object.__new__(kind)):
        with pytest.raises(TypeError):
            make()


def misaligned(array):
    data = np.frombuffer(bytes(1) + array.tobytes(), np.uint8)[1:]
    copy = data.view(array.dtype).reshape(array.shape)
    assert not copy.flags.aligned
    return copy


@pytest.mark.parametrize("dtype", [np.int64, np.int32, np.float64])
def test_misaligned_labels_are_copied(dtype):
    y = misaligned(LABELS.astype(dtype))
    assert not are_plain_labels(y)
    if dtype != np.float64:
        checked = labels("y", y, None, (30, 3), "X", np.float64).label
        assert checked.flags.aligned
        np.testing.assert_array_equal(checked, LABELS)
    options = {"max_iter": 2, "random_state": 0, "early_stopping": False}
    one, two = DNNClassifier((3,), **options), DNNClassifier((3,), **options)
    for _ in range(2):
        one.partial_fit(X, y, classes=np.arange(3).astype(dtype))
        two.partial_fit(misaligned(X), LABELS.astype(dtype), classes=np.arange(3).astype(dtype))
    np.testing.assert_array_equal(one.network_.parameters, two.network_.parameters)


@pytest.mark.filterwarnings("ignore:.*has not converged")
@pytest.mark.parametrize("y", [LABELS, np.eye(3)[LABELS], np.full((30, 3), 1 / 3)])
def test_misaligned_rows_and_label_rows_are_copied(y, monkeypatch):
    used = []

    class Recorder(ArraySource):
        def __init__(self, X, labels):
            used.extend([X, labels.L if labels.label is None else labels.label])
            super().__init__(X, labels)

    monkeypatch.setattr(rows, "ArraySource", Recorder)
    options = {"max_iter": 1, "early_stopping": False}
    model = DNNClassifier((3,), **options).fit(misaligned(X), misaligned(y))
    model.set_params(warm_start=True).fit(misaligned(X), misaligned(y))
    if y.ndim == 1:
        model.partial_fit(misaligned(X), misaligned(y))
    assert len(used) >= 4
    assert all(x.flags.aligned and x.flags.c_contiguous for x in used)
    checked = Block(misaligned(X), y, None, len(X), 0, 0, None)
    checked.check_finite()


def test_misaligned_arrays_in_steps():
    one, two = (Trainer(Network((4, 3, 3), seed=0), seed=0) for _ in range(2))
    for _ in range(2):
        losses = one.step(X, LABELS), two.step(misaligned(X), misaligned(LABELS))
        assert losses[0] == losses[1]
