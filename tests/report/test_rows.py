"""Rows that are reported on."""

import numpy as np
import pytest
from pages import Page
from scipy.sparse import csr_array

from dnncore import DNNClassifier
from dnncore.report._html import number
from dnncore.report._rows import Rows
from dnncore.report._sections import _features

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def test_rows_that_are_sparse_or_missing():
    rng = np.random.default_rng(0)
    X = rng.normal(size=(20, 5)) * (rng.random((20, 5)) < 0.5)
    model = DNNClassifier(4, max_iter=2, random_state=0).fit(X, np.arange(20) % 2)
    dense = Rows.of(model, X, None, None, None)
    sparse = Rows.of(model, csr_array(X), None, None, None)
    assert np.array_equal(sparse.dense(), X)
    assert np.array_equal(sparse.dense([3], slice(2)), X[[3], :2])
    for row in range(20):
        assert sparse.describe(row, "") == dense.describe(row, "")
    X[3, 1] = X[4, 1] = np.nan
    page = Page(_features(Rows.of(model, X, None, None, None)))
    assert page.row("x1")[1] == number(np.nanmin(X[:, 1]))
    assert [page.row(name)[-1] for name in ("x0", "x1")] == ["0", "2"]
    assert "x1" not in Rows.of(model, X, None, None, None).describe(3, "")
    names = ["a-b", *"cdef"]
    assert "a-b" in "".join(Rows.of(model, X, None, names, None).describe(i, "") for i in range(9))


@pytest.mark.parametrize(
    ("n_features", "names", "shape"),
    [
        (64, None, (8, 8)),
        (64, [f"pixel{i}" for i in range(64)], (8, 8)),
        (64, [f"gene{i}" for i in range(64)], None),
        (16, None, None),
        (63, None, None),
    ],
)
def test_squares_of_features_are_images(n_features, names, shape):
    X = np.random.default_rng(0).random((6, n_features))
    model = DNNClassifier((), max_iter=1).fit(X, np.arange(6) % 2)
    assert Rows.of(model, X, None, names, None).image_shape == shape
