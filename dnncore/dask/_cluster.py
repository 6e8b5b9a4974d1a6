"""Where tasks run: on the workers of a client or, without one, on the threads of this process.

Graphs are dictionaries in Dask's form: a tuple of a function and its arguments, which may be keys
and nested lists of keys, is a task; any other value is itself.
"""

from __future__ import annotations

import asyncio
import sys
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from threading import Lock
from typing import Any, Protocol
from uuid import uuid4

import dask
import dask.threaded
from dask.utils import format_bytes

from .._core.threads import available_cpus
from .._training.loop import level_of_caller

Key = str | tuple[Any, ...]
Graph = dict[Key, Any]

MAX_GRAPH = "4 GiB"  # above which Dask warns: a graph contains the parameters
MEMORY_SHARE = 0.5  # of the memory of a worker that it may use with the rows that a fit keeps
PATIENCE = 30.0  # seconds without a worker that runs tasks, after which a fit says so


class Cluster(Protocol):
    """Interface of what runs tasks."""

    def get(self, graph: Graph, keys: Sequence[Key]) -> list[Any]:
        """Run the tasks that lead to keys, and return their values."""
        ...

    def keep(self, graph: Graph, keys: Sequence[Key]) -> list[Any]:
        """Run the tasks that lead to keys; return nodes of their values for later graphs.

        The values are kept until `release`.
        """
        ...

    def release(self) -> None:
        """Drop the values that are kept."""
        ...

    def memory(self) -> float:
        """Return the number of bytes that rows kept by a fit may take."""
        ...


class Value:
    """A value as a node of a graph, which Dask does not look into."""

    def __init__(self, value: Any) -> None:
        self.value, self._token = value, uuid4().hex

    def __dask_tokenize__(self) -> str:
        """Return what stands for the value in hashes of graphs: it may have many megabytes."""
        return self._token


class Threads:
    """The threads of this process or, if Dask is configured so, another of its local schedulers."""

    def get(self, graph: Graph, keys: Sequence[Key]) -> list[Any]:
        get = dask.base.get_scheduler() or dask.threaded.get
        return list(get(graph, list(keys)))

    def keep(self, graph: Graph, keys: Sequence[Key]) -> list[Any]:
        get = dask.base.get_scheduler() or dask.threaded.get
        values = get(graph, list(keys))
        return [value if isinstance(value, Value) else Value(value) for value in values]

    def release(self) -> None:
        """Nothing is kept but the nodes."""

    def memory(self) -> float:
        import psutil  # of distributed, which the extra installs

        return MEMORY_SHARE * float(psutil.virtual_memory().available)


class LargeGraphs:
    """Context in which Dask does not warn of large graphs.

    The configuration of Dask is that of all threads, which may fit at the same time: the first one
    that enters changes it, and the last one that leaves restores it.
    """

    def __init__(self) -> None:
        self._lock, self._n_inside, self._changed = Lock(), 0, ExitStack()

    def __enter__(self) -> None:
        with self._lock:
            if self._n_inside == 0:
                setting = {"distributed.admin.large-graph-warning-threshold": MAX_GRAPH}
                self._changed.enter_context(dask.config.set(setting))
            self._n_inside += 1

    def __exit__(self, *error: object) -> None:
        with self._lock:
            self._n_inside -= 1
            if self._n_inside == 0:
                self._changed.close()


LARGE_GRAPHS = LargeGraphs()


class Standstill(Exception):
    """Tasks are on workers that do not run them, while others could."""


class Workers:
    """The workers of a client of ``dask.distributed``.

    Parameters
    ----------
    client : distributed.Client
        Synchronous client.
    """

    def __init__(self, client: Any) -> None:
        if client.asynchronous:
            raise TypeError(
                "client must be synchronous, got an asynchronous one: fit in another thread, with "
                "Client(address)"
            )
        self._client = client
        self._has_warned = False
        self._kept: list[Any] = []
        self._graph_of_kept: Graph = {}

    def get(self, graph: Graph, keys: Sequence[Key]) -> list[Any]:
        with self._faults(), _left_to_others():
            while True:
                futures = self._client.get(graph, list(keys), sync=False)
                try:
                    return [self._result(future) for future in futures]
                except Standstill:
                    self._give_up(futures)  # Dask leaves tasks on a worker that it pauses
                finally:
                    _release(futures)

    def _give_up(self, futures: Sequence[Any]) -> None:
        """Give up futures; ask anew for the values to be kept that are not there yet.

        The scheduler chooses a worker anew for a task that it has forgotten, which it does as soon
        as nobody wants its value, or one that depends on it.
        """
        waiting = {future.key: future for future in self._kept if not future.done()}
        _release([*futures, *waiting.values()])
        self._client.sync(asyncio.sleep, 0)  # the loop of the client now has sent the releases
        if waiting:
            anew = self._client.get(self._graph_of_kept, list(waiting), sync=False)
            self._kept = [future for future in self._kept if future.key not in waiting] + anew

    def _result(self, future: Any) -> Any:
        """Wait for a value; warn once if no task runs for a long time.

        Raises
        ------
        Standstill
            If others than the workers that should run the tasks could do so.
        """
        stood_still = False
        while not future.done():
            try:
                return future.result(timeout=PATIENCE / 2)
            except TimeoutError:
                if future.done():
                    break
            if self._client.status != "running":  # the future tells if the scheduler is lost
                continue
            try:
                workers = self._workers()
                stands_still = self._stands_still(workers)
            except (OSError, RuntimeError):  # lost since
                continue
            if stands_still and stood_still:
                self._warn(workers)
                if any(worker["status"] != "paused" for worker in workers.values()):
                    raise Standstill
            stood_still = stands_still
        return future.result()

    def _stands_still(self, workers: Mapping[str, Any]) -> bool:
        """Return whether all tasks wait on workers that Dask has paused, or for a worker."""
        from distributed.worker import thread_state

        own = {getattr(thread_state, "key", None)}  # the task that the fit itself runs in, if any
        tasks = self._client.processing()
        paused = [name for name, worker in workers.items() if worker["status"] == "paused"]
        runs = any(set(found) - own for name, found in tasks.items() if name not in paused)
        return not workers or bool(paused and not runs)

    def _warn(self, workers: Mapping[str, Any]) -> None:
        """Warn once of what no task runs for."""
        if self._has_warned:
            return
        self._has_warned = True
        paused = [worker for worker in workers.values() if worker["status"] == "paused"]
        memory = ", ".join(
            f"{format_bytes(worker['metrics']['memory'])} of {format_bytes(worker['memory_limit'])}"
            for worker in paused[:4]
        )
        reason = (
            f"Dask has paused {len(paused)} of {len(workers)} workers, as their memory is nearly "
            f"full ({memory}). Restart them, give them more memory, or use smaller partitions"
        )
        warnings.warn(
            f"the fit waits: {reason if workers else 'there is no worker'}",
            stacklevel=level_of_caller(),
        )

    def _workers(self) -> dict[str, Any]:
        return dict(self._client.scheduler_info(n_workers=-1).get("workers", {}))

    def keep(self, graph: Graph, keys: Sequence[Key]) -> list[Any]:
        with self._faults():
            futures: list[Any] = self._client.get(graph, list(keys), sync=False)
        self._kept += futures
        self._graph_of_kept = merged(self._graph_of_kept, graph)
        return futures

    def release(self) -> None:
        # An error has a traceback, whose frames would keep the futures, until it is collected.
        _release(self._kept)
        self._kept.clear()
        self._graph_of_kept.clear()

    def memory(self) -> float:
        with self._faults():
            return sum(map(_room, self._workers().values()))

    @contextmanager
    def _faults(self) -> Iterator[None]:
        """Tell what the errors of the scheduler mean."""
        from distributed import CancelledError
        from distributed.comm import CommClosedError
        from distributed.scheduler import KilledWorker

        if self._client.status == "closed":
            raise ConnectionError("client must be connected to a scheduler, got a closed client")
        try:
            with LARGE_GRAPHS:
                yield
        except KilledWorker as error:
            raise RuntimeError(
                f"workers ended while they ran {error.task}: is there memory for the partition? "
                f"{error}"
            ) from error
        except (CancelledError, CommClosedError) as error:
            address = self._client.scheduler.address if self._client.scheduler else "unknown"
            raise ConnectionError(
                f"the scheduler at {address} was lost, or has cancelled the tasks of this fit"
            ) from error


def _release(futures: Iterable[Any]) -> None:
    for future in futures:
        future.release()


def _room(worker: Mapping[str, Any]) -> float:
    """Return how many bytes of rows a worker may keep, beside what its process uses already."""
    limit = float(worker["memory_limit"] or "inf")
    return max(0.0, MEMORY_SHARE * limit - float(worker["metrics"].get("memory", 0)))


@contextmanager
def _left_to_others() -> Iterator[None]:
    """Leave the thread of the worker to other tasks, if a task is what waits."""
    from distributed import rejoin, secede

    try:
        secede()
    except ValueError:  # not in a task
        yield
        return
    try:
        yield
    finally:
        rejoin()


def cluster_of(client: Any) -> Cluster:
    """Return what runs the tasks of a client; None stands for the current one, if there is one."""
    if client is None and "distributed" in sys.modules:
        from distributed import get_client

        with suppress(ValueError):  # there is none
            client = get_client()
    return Threads() if client is None else Workers(client)


def n_threads_of_a_task(n_threads: int | None) -> int:
    """Return the number of threads of a task: one, since Dask runs a task on each of its own."""
    return 1 if n_threads is None else min(n_threads, available_cpus())


def value_of(node: Any) -> Any:
    """Return the value of an argument of a task."""
    return node.value if isinstance(node, Value) else node


def merged(*graphs: Mapping[Key, Any]) -> Graph:
    """Return the union of graphs."""
    return {key: node for graph in graphs for key, node in graph.items()}
