"""The kernels, and their oracle."""

from types import ModuleType

import pytest

from dnncore import kernels, reference


@pytest.fixture(params=[kernels, reference], ids=lambda module: module.__name__)
def module(request: pytest.FixtureRequest) -> ModuleType:
    return request.param
