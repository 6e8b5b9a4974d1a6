"""How many threads are used, and the CPU quota of a control group."""

import os
from types import SimpleNamespace

import pytest

from dnncore._core import threads


def group(tmp_path, lines, files):
    own = tmp_path / "own"
    own.write_text(lines)
    for name, text in files.items():
        path = tmp_path / "root" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return threads.cgroup_quota(tmp_path / "root", own)


@pytest.mark.parametrize(
    ("lines", "files", "cpus"),
    [
        ("0::/\n", {"cpu.max": "150000 100000\n"}, 2),
        ("0::/\n", {"cpu.max": "max 100000\n"}, threads.MAX_THREADS),
        ("0::/\n", {}, threads.MAX_THREADS),
        ("0::/a/b\n", {"a/b/cpu.max": "max 100000", "a/cpu.max": "50000 100000"}, 1),
        ("0::/a\n", {"a/cpu.max": "400000 100000", "cpu.max": "300000 100000"}, 3),
        (
            "3:cpu,cpuacct:/d\n1:memory:/d\n",
            {"cpu/d/cpu.cfs_quota_us": "200000", "cpu/d/cpu.cfs_period_us": "100000"},
            2,
        ),
        (
            "3:cpu:/gone\n",
            {"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"},
            threads.MAX_THREADS,
        ),
    ],
)
def test_cgroup_quota(tmp_path, lines, files, cpus):
    assert group(tmp_path, lines, files) == cpus


def test_without_control_groups(tmp_path):
    assert threads.cgroup_quota(tmp_path, tmp_path / "none") == threads.MAX_THREADS


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="needs CPU affinity")
def test_affinity_is_respected():
    before = os.sched_getaffinity(0)
    try:
        os.sched_setaffinity(0, {min(before)})
        assert threads.available_cpus() == 1
        assert threads.threads_for_scoring(None, 10**12) == 1
    finally:
        os.sched_setaffinity(0, before)


@pytest.mark.parametrize(
    ("value", "cpus"), [("1", 1), ("1,4", 1), ("", None), ("0", None), ("many", None), ("²", None)]
)
def test_number_of_threads_in_the_environment(monkeypatch, value, cpus):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    unlimited = threads.available_cpus()
    monkeypatch.setenv("OMP_NUM_THREADS", value)
    assert threads.available_cpus() == (cpus or unlimited)


def test_small_work_gets_one_thread():
    assert threads.threads_for_scoring(None, 10**4) == 1
    assert threads.threads_for_scoring(5, 10**4) == 5
    assert threads.threads_for_scoring(None, 10**12) == threads.available_cpus()


def test_small_batches_get_one_thread():
    assert threads.threads_for_training(None, 16, 10**6) == 1
    assert threads.threads_for_training(None, 64, 100) == 1
    assert threads.threads_for_training(5, 16, 100) == 5
    assert threads.threads_for_training(None, 10**5, 10**6) == threads.available_cpus()


# ------------------------------------------------------------- the restriction of BLAS


class Library:
    """A BLAS whose calls may be interrupted, before or after they have done their work."""

    calls, interrupted = 0, None

    def __init__(self, n_threads):
        self.n_threads = n_threads

    def _call(self, when):
        if when == "before":
            Library.calls += 1
        if (Library.calls, when) == Library.interrupted:
            raise KeyboardInterrupt

    def get_num_threads(self):
        self._call("before")
        self._call("after")
        return self.n_threads

    def set_num_threads(self, n_threads):
        self._call("before")
        self.n_threads = n_threads
        self._call("after")


@pytest.fixture
def blas():
    """A restriction of two libraries."""
    limit = threads._BlasLimit()
    limit.libraries = [Library(4), Library(3)]
    limit._controller = SimpleNamespace(lib_controllers=limit.libraries)
    yield limit
    Library.calls, Library.interrupted = 0, None


def numbers(limit):
    return [library.n_threads for library in limit.libraries]


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("call", range(1, 7))
def test_ctrl_c_anywhere_restores_the_threads_of_blas(blas, call, when):
    Library.interrupted = call, when
    with pytest.raises(KeyboardInterrupt), blas():
        pass
    assert Library.calls >= call
    assert numbers(blas) == [4, 3] and not blas._callers
    Library.interrupted = None
    with blas():
        assert numbers(blas) == [1, 1]
    assert numbers(blas) == [4, 3]


def test_callers_that_overlap(blas):
    first, second = blas(), blas()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert numbers(blas) == [1, 1]
    second.__exit__(None, None, None)
    assert numbers(blas) == [4, 3]


def test_a_child_forgets_the_callers_of_its_parent(blas):
    parent = blas()
    parent.__enter__()
    blas.after_fork()  # as in the child
    with blas():
        assert numbers(blas) == [1, 1]
    assert numbers(blas) == [4, 3]
