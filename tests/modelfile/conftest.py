"""Files of models."""

import pytest
from modelfiles import bytes_of


@pytest.fixture(scope="session")
def contents(tmp_path_factory):
    """Gives the bytes of a file of a kind."""
    return lambda kind: bytes_of(kind, tmp_path_factory.getbasetemp())


@pytest.fixture
def write(contents, tmp_path):
    """Writes a file of a kind; gives its path."""

    def write(kind):
        path = tmp_path / "model.safetensors"
        path.write_bytes(contents(kind))
        return path

    return write


@pytest.fixture
def path(write):
    return write("single")
