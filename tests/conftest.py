"""What all tests need."""

import signal

import hypothesis
import pytest
from sklearn import datasets

from dnncore._core import csrc

# The same examples in every run; `pytest --hypothesis-profile default` tries others.
hypothesis.settings.register_profile("repeatable", derandomize=True, deadline=None)
hypothesis.settings.load_profile("repeatable")


@pytest.fixture(scope="session", autouse=True)
def ctrl_c():
    """Some tests send Ctrl-C, which a shell's background jobs ignore."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def pytest_collection_modifyitems(items):
    """Keep pytest-run-parallel from selecting instruction sets, which all threads share."""
    for item in items:
        if "select_isa" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.thread_unsafe(reason="selects an instruction set"))


@pytest.fixture
def select_isa():
    """The function that selects an instruction set; after the test it is that of before."""
    before = csrc.selected()
    yield csrc.select
    csrc.select(before)


@pytest.fixture
def builtin_engine(monkeypatch):
    """engine="auto" is dnncore's own products, whose bits are compared, on any instruction set."""
    for module in ("_core.threads", "_training.optimizer", "_training.steps", "network"):
        monkeypatch.setattr(f"dnncore.{module}.use_builtin", lambda engine: engine != "blas")


def read_only(*arrays):
    """The arrays, which tests share."""
    for array in arrays:
        array.flags.writeable = False
    return arrays


@pytest.fixture(scope="session")
def iris():
    return read_only(*datasets.load_iris(return_X_y=True))


@pytest.fixture(scope="session")
def diabetes():
    return read_only(*datasets.load_diabetes(return_X_y=True))


@pytest.fixture(scope="session")
def several():
    """Rows with three labels that may each be true."""
    return read_only(
        *datasets.make_multilabel_classification(n_samples=120, n_classes=3, random_state=0)
    )
