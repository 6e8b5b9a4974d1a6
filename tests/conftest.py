"""What all tests need."""

import signal

import pytest

from dnncore._core import csrc


@pytest.fixture(scope="session", autouse=True)
def ctrl_c():
    """Some tests send Ctrl-C, which a shell's background jobs ignore."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def select_isa():
    """The function that selects an instruction set; after the test it is that of before."""
    before = csrc.selected()
    yield csrc.select
    csrc.select(before)
