"""Rows divided into those to train on, to validate by, and held out."""

import numpy as np
import pytest

from dnncore import DNNClassifier
from dnncore.cli._division import Fingerprint, PartsInBlocks, Shares
from dnncore.cli.tables import matrix_data

N = 3000
X = np.random.default_rng(0).normal(size=(N, 4)).astype(np.float32)
LABELS = np.where(X[:, 0] * X[:, 1] > 0, "same", "other")


def dataset(labels=LABELS):
    return matrix_data("data", X, labels, names="abcd", dtype=np.dtype(np.float32))


def test_the_division_does_not_depend_on_the_blocks(set_block_sizes):
    parts = {}
    for values in (40, 4000, 10**6):
        set_block_sizes(csv_bytes=1, parquet_rows=1, feature_bytes=4 * values)
        divided = PartsInBlocks(dataset(), Shares(0.25, 0.2, 7), labels=True)
        train, validation, test = divided.sizes
        assert train + validation + test == N
        assert test == pytest.approx(0.25 * N, rel=0.1)
        assert validation == pytest.approx(0.2 * 0.75 * N, rel=0.1)
        assert divided.n_classes == 2
        parts[values] = [
            np.concatenate([block.X[:, 0] for block in blocks])
            for blocks in (divided.held_out(), divided._part(0))
        ] + [divided._X_val[:, 0]]
        assert [len(part) for part in parts[values]] == [test, train, validation]
        # Each row is in one part.
        np.testing.assert_array_equal(np.sort(np.concatenate(parts[values])), np.sort(X[:, 0]))
    for values in (40, 4000):
        for part, same in zip(parts[values], parts[10**6], strict=True):
            np.testing.assert_array_equal(part, same)
    other = PartsInBlocks(dataset(), Shares(0.25, 0.2, 8), labels=True)
    assert other.sizes != divided.sizes


def test_the_model_is_that_of_its_training_rows(set_block_sizes):
    set_block_sizes(csv_bytes=1, parquet_rows=1, feature_bytes=20_000)
    divided = PartsInBlocks(dataset(), Shares(0.2, 0.1, 0), labels=True)
    options = {"shuffle": False, "max_iter": 3, "random_state": 0, "hidden_layer_sizes": (9,)}
    model, expected = DNNClassifier(**options), DNNClassifier(**options)
    blocks = list(divided._part(0))
    assert len(blocks) > 2
    rows, labels, _ = (np.concatenate(arrays) for arrays in zip(*blocks, strict=True))
    with pytest.warns(UserWarning, match="max_iter=3"):
        divided.fit(model)
        expected.fit(rows, labels, X_val=divided._X_val, y_val=divided._y_val)
    np.testing.assert_array_equal(model.network_.parameters, expected.network_.parameters)
    assert model.validation_scores_ == expected.validation_scores_


@pytest.mark.parametrize("dtype", ["U2", "O", "int64", "uint8", "float32"])
def test_the_fingerprint_tells_rows_and_targets_wherever_blocks_begin(dtype):
    def fingerprint(X, y, *, size=N):
        found = Fingerprint(Shares(0.25, 0.2, 7), in_blocks=True)
        for first in range(0, N, size):
            found.add(X[first : first + size], y[first : first + size])
        return str(found)

    y = (np.arange(N) % 50).astype(dtype)
    known = fingerprint(X, y)
    assert known == fingerprint(X, y, size=7)
    other_X, other_y = X.copy(), y.copy()
    other_X[-1, -1] += 1
    other_y[-1] = y[0]
    assert len({known, fingerprint(other_X, y), fingerprint(X, other_y)}) == 3
