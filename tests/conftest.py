"""What all tests need."""

import signal

import pytest


@pytest.fixture(scope="session", autouse=True)
def ctrl_c():
    """Some tests send Ctrl-C, which a shell's background jobs ignore."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)
