"""Checks of arguments that need no kernel."""

import numpy as np
import pytest

from dnncore._core.checks import contiguous

X = np.arange(12.0).reshape(3, 4)


def misaligned(x):
    buffer = np.zeros(x.nbytes + 1, np.uint8)[1:]
    view = buffer.view(x.dtype).reshape(x.shape)
    view[...] = x
    return view


@pytest.mark.parametrize("dtype", [None, np.float64, np.float32])
@pytest.mark.parametrize(
    "x",
    [X, X.T, np.asfortranarray(X), X[:, ::2], X[::-1], misaligned(X), X[:0], X[0, 0], X.tolist(),
     X.astype(">f8"), np.ma.masked_array(X), np.broadcast_to(X, (2, 3, 4))],
)  # fmt: skip
def test_contiguous_is_require_of_numpy(x, dtype):
    found, expected = contiguous(x, dtype), np.require(x, dtype, ("C", "A"))
    assert type(found) is type(expected) and found.dtype == expected.dtype
    assert found.flags.c_contiguous and found.flags.aligned
    assert (found is x) == (expected is x)
    np.testing.assert_array_equal(found, expected, strict=True)
