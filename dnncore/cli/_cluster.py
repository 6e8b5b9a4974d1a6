"""Training on a Dask cluster, whose workers read the row groups of Parquet files.

All that the client has of the rows is what was learned from them, and the test rows of a few row
groups at a time.
"""

from __future__ import annotations

import logging
from collections import Counter, deque
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import reduce
from hashlib import sha256
from operator import add
from typing import Any

import dask
import numpy as np
from distributed import CancelledError, Client, LocalCluster
from distributed.comm import get_address_host
from distributed.scheduler import KilledWorker
from numpy.typing import NDArray

from .._core.threads import available_cpus
from .._data.parquet_files import ParquetFiles, ParquetPart
from ..dask import DaskDNNClassifier, DaskDNNRegressor
from ._arguments import CommandError
from ._division import NO_TRAINING_ROWS, Fingerprint, Shares, at_least_two, some_rows
from ._signals import ctrl_c_held_back
from .tables import ColumnDataset, See, Seen, TableRows, see_all

LOCAL = "local"
SECONDS = 5  # in which a scheduler answers and has a worker
MERGED = 8  # results of tasks that a task merges


@contextmanager
def connected(address: str) -> Iterator[Any]:
    """Yield a client of a cluster, started here for the address 'local'.

    Raises
    ------
    CommandError
        If no scheduler answers at the address, it has no workers, or they are lost.
    """
    with _faults(address), _without_logs(), ExitStack() as stack:
        cluster: Any = address
        if address == LOCAL:
            with ctrl_c_held_back():
                cluster = LocalCluster(
                    n_workers=available_cpus(), threads_per_worker=1, dashboard_address=":0",
                    scheduler_kwargs={"dashboard": False}, silence_logs=logging.CRITICAL,
                )  # fmt: skip
            stack.enter_context(cluster)
        yield stack.enter_context(_client_of(cluster, address))


@contextmanager
def _without_logs() -> Iterator[None]:
    """Leave it to the command to report errors, which Dask and asyncio log with tracebacks."""
    before = logging.root.manager.disable
    logging.disable(logging.CRITICAL)
    try:
        yield
    finally:
        logging.disable(before)


def _client_of(cluster: Any, address: str) -> Any:
    try:
        if cluster is address:
            get_address_host(address)  # in whose place a client would end with a traceback
        client = Client(cluster, timeout=SECONDS, set_as_default=False)
    except (OSError, ValueError) as error:
        raise CommandError(f"--cluster: no scheduler answers at {address!r}: {error}") from error
    try:
        client.wait_for_workers(1, timeout=SECONDS)
    except TimeoutError as error:
        client.close()
        raise CommandError(f"--cluster: the scheduler at {address!r} has no workers") from error
    return client


@contextmanager
def _faults(address: str) -> Iterator[None]:
    """Tell what the errors of the scheduler mean."""
    try:
        yield
    except KilledWorker as error:
        raise CommandError(f"--cluster: workers ended while they read rows: {error}") from error
    except CancelledError as error:
        raise CommandError(f"--cluster: the scheduler at {address!r} was lost") from error


# ---- learning the encoding ------------------------------------------------------------------


def see_on(client: Any) -> See:
    """Return what lets the workers of a client see all rows; see `tables.see_all`."""

    def see(file: Any, seen: list[Seen]) -> list[Any]:
        of_parts = client.map(see_all, file.parts, seen=seen, pure=False)
        of_all: list[Any] = _merged(client, of_parts, _merge_seen)
        for each in of_all:
            each.file = file
        return of_all

    return see


def _merge_seen(of_parts: list[list[Any]]) -> list[Any]:
    first, *others = of_parts
    for other in others:
        for each, later in zip(first, other, strict=True):
            each.merge(later)
    return first


def _merged(client: Any, futures: list[Any], merge: Callable[[list[Any]], Any]) -> Any:
    """Return the merged results of tasks, in their order; a result may be changed by merging."""
    while len(futures) > 1:
        some = [futures[i : i + MERGED] for i in range(0, len(futures), MERGED)]
        futures = [client.submit(merge, each, pure=False) for each in some]
    return futures[0].result()


# ---- division -------------------------------------------------------------------------------


@dataclass(frozen=True)
class Survey:
    """What there is in parts of the files.

    Attributes
    ----------
    sizes : array of 3 ints
        Number of training, validation and test rows.
    classes : list of 3 Counters
        Number of these rows of each class; empty unless the target is one label per row.
    digests : list of str
        Fingerprint of each part of the files.
    """

    sizes: NDArray[np.intp]
    classes: list[Counter[Any]]
    digests: list[str]

    def __add__(self, other: Survey) -> Survey:
        classes = [a + b for a, b in zip(self.classes, other.classes, strict=True)]
        return Survey(self.sizes + other.sizes, classes, self.digests + other.digests)


@dataclass(frozen=True)
class PartReader:
    """Reads a part of the files in a task, and divides its rows.

    Attributes
    ----------
    data : ColumnDataset
        Encoding of the columns.
    shares : Shares
    labels : bool
        Whether the target is one label per row.
    train_only : tuple
        Classes all of whose rows are training rows.
    """

    data: ColumnDataset
    shares: Shares
    labels: bool
    train_only: tuple[Any, ...] = ()

    def rows(self, index: int, part: ParquetPart) -> tuple[TableRows, NDArray[np.intp]]:
        """Return the rows of a part, and whether each is one for training, validation or test."""
        blocks = list(self.data.of(part))
        X = np.concatenate([block.X for block in blocks])
        y = np.concatenate([block.y for block in blocks if block.y is not None])
        division = self.shares.draw(np.random.default_rng([self.shares.seed, index]), len(y))
        if self.train_only:
            division[np.isin(y, self.train_only)] = 0
        return TableRows(X, y, part.first_row + 1 + np.arange(len(y))), division

    def select(self, index: int, part: ParquetPart, which: int) -> TableRows:
        """Return the training, validation or test rows (0, 1 or 2) of a part."""
        rows, division = self.rows(index, part)
        return some_rows(rows, division == which)

    def survey(self, index: int, part: ParquetPart) -> Survey:
        rows, division = self.rows(index, part)
        assert rows.y is not None
        fingerprint = Fingerprint(self.shares, in_blocks=True)
        fingerprint.add(rows.X, rows.y)
        classes = [
            Counter(rows.y[division == i].tolist()) if self.labels else Counter() for i in range(3)
        ]
        return Survey(np.bincount(division, minlength=3), classes, [str(fingerprint)])


class PartsOnCluster:
    """A random split of the rows of every part of the files, whatever the cluster is.

    A class that would have no training rows has no others. See `_division.Parts`.

    Parameters
    ----------
    data : ColumnDataset
        Rows of :class:`ParquetFiles`.
    shares : Shares
    client : distributed.Client
    labels : bool
        Whether the target is one label per row.
    """

    def __init__(self, data: ColumnDataset, shares: Shares, client: Any, *, labels: bool) -> None:
        assert isinstance(data.file, ParquetFiles)
        self._parts, self._client = data.file.parts, client
        self._reader = PartReader(data.of(self._parts[0]), shares, labels)
        surveys = client.map(
            self._reader.survey, range(len(self._parts)), self._parts, pure=False
        )  # fmt: skip
        survey: Survey = _merged(client, surveys, _sum)
        sizes = survey.sizes.copy()
        self.n_classes, self.classes_are_integers = None, False  # type: tuple[int | None, bool]
        if labels:
            classes = np.array(sorted(reduce(add, survey.classes)))
            self.n_classes = at_least_two(classes)
            self.classes_are_integers = classes.dtype.kind in "iu"
            trained, *held_out = survey.classes
            moved = tuple(label for label in classes.tolist() if label not in trained)
            for label in moved:
                counts = [counter[label] for counter in held_out]
                sizes += [sum(counts), *(-n for n in counts)]
            self._reader = replace(self._reader, train_only=moved)
        if not sizes[0]:
            raise CommandError(NO_TRAINING_ROWS)
        self.sizes = int(sizes[0]), int(sizes[1]), int(sizes[2])
        self.fingerprint = sha256(" ".join(survey.digests).encode()).hexdigest()

    def fit(self, model: Any) -> None:
        from sklearn.base import is_classifier

        kind = DaskDNNClassifier if is_classifier(model) else DaskDNNRegressor
        remote = kind.from_local(model, client=self._client)
        if model.checkpoint is not None:
            save = model.checkpoint.save
            remote.checkpoint = replace(model.checkpoint, save=lambda it: save(it.to_local()))
        X, y = self._collections(0)
        validation = dict(zip(("X_val", "y_val"), self._collections(1), strict=True))
        try:
            remote.fit(X, y, **(validation if self.sizes[1] else {}))
        except (ConnectionError, RuntimeError) as error:
            raise CommandError(f"--cluster: {error}") from error
        trained = vars(remote.to_local()) | {"checkpoint": model.checkpoint}
        vars(model).clear()
        vars(model).update(trained)

    def _collections(self, which: int) -> tuple[list[Any], list[Any]]:
        """Return X and y of the training or validation rows as delayed partitions."""
        reader = dask.delayed(self._reader, pure=False)
        rows = [
            dask.delayed(_arrays, nout=2, pure=False)(reader, index, part, which)
            for index, part in enumerate(self._parts)
        ]
        return [both[0] for both in rows], [both[1] for both in rows]

    def held_out(self) -> Iterator[TableRows]:
        if not self.sizes[2]:
            return
        waiting: deque[Any] = deque()
        ahead = sum(self._client.nthreads().values())
        for index, part in enumerate(self._parts):
            waiting.append(self._client.submit(self._reader.select, index, part, 2, pure=False))
            if len(waiting) > ahead:
                yield from _not_empty(waiting.popleft().result())
        while waiting:
            yield from _not_empty(waiting.popleft().result())


def _sum(surveys: list[Survey]) -> Survey:
    return reduce(add, surveys)


def _arrays(reader: PartReader, index: int, part: ParquetPart, which: int) -> tuple[Any, Any]:
    rows = reader.select(index, part, which)
    return rows.X, rows.y


def _not_empty(rows: TableRows) -> Iterator[TableRows]:
    if len(rows.X):
        yield rows
