"""Clusters for the tests of dnncore.dask; they live in this process unless said otherwise."""

from contextlib import contextmanager

import pytest


@contextmanager
def cluster(n_workers, **options):
    """Give the client of a cluster."""
    from distributed import Client, LocalCluster

    options = {"threads_per_worker": 1, "processes": False, **options}
    # A free port instead of the usual one, and no dashboard there.
    options |= {"dashboard_address": ":0", "scheduler_kwargs": {"dashboard": False}}
    with (
        LocalCluster(n_workers=n_workers, **options) as found,
        Client(found, set_as_default=False) as client,
    ):
        yield client


@pytest.fixture(scope="session")
def start_cluster():
    return cluster


@pytest.fixture(scope="session")
def client():
    """The client of two workers, which most tests share."""
    with cluster(2) as found:
        yield found


@pytest.fixture
def deep(monkeypatch):
    """Groups so small that the tree of their sums has several levels."""
    from dnncore.dask import _base

    monkeypatch.setattr(_base, "rows_of_a_group", lambda *of_network: 30)
