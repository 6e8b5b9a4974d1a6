"""Blocks taken apart, divided anew, read ahead."""

import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dnncore._data.blocks import read_ahead, rechunk


@settings(max_examples=200)
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
