"""The partitions of collections, as nodes of a graph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import numpy as np
from dask.base import is_dask_collection
from dask.delayed import Delayed

from ._cluster import Graph, merged


@dataclass(frozen=True)
class Partitions:
    """Partitions of rows.

    Attributes
    ----------
    graph : dict
        Graph of the collections.
    X, y : list
        Key of each partition, or a future.
    weight : list or None
        Likewise for the sample weights.
    """

    graph: Graph
    X: list[Any]
    y: list[Any]
    weight: list[Any] | None

    @property
    def n(self) -> int:
        return len(self.X)

    @classmethod
    def of(cls, X: Any, y: Any, sample_weight: Any, names: Sequence[str]) -> Partitions:
        """Return the partitions of collections; `names` are those of the arguments, for errors.

        Raises
        ------
        TypeError
            If an argument is no collection.
        ValueError
            If they differ in their partitions.
        """
        parts = [X, y] if sample_weight is None else [X, y, sample_weight]
        for name, part in zip(names, parts, strict=False):
            if not is_collection(part):
                raise TypeError(
                    f"{name} must be a Dask array, a Dask DataFrame or a list of delayed "
                    f"partitions, as {names[0]} is, got {type(part).__name__}"
                )
        parts = _aligned(parts, names)
        graph: Graph = {}
        keys = [_keys(part, graph) for part in parts]
        for name, found in zip(names, keys, strict=False):
            if len(found) != len(keys[0]):
                raise ValueError(
                    f"{name} must have {len(keys[0])} partitions, as {names[0]} has, got "
                    f"{len(found)}"
                )
        return cls(graph, keys[0], keys[1], keys[2] if len(keys) > 2 else None)


def fingerprint_of(sizes: Sequence[int]) -> str:
    """Return a text by which partitions of other sizes are told apart."""
    digest = blake2b(np.array(sizes, "<i8").tobytes(), digest_size=8).hexdigest()
    return f"{len(sizes)} partitions of {sum(sizes)} rows (sizes {digest})"


def is_collection(x: Any) -> bool:
    """Return whether x is a Dask collection, or a list of delayed partitions or futures."""
    if isinstance(x, list | tuple) and x:
        return all(isinstance(part, Delayed) or _is_future(part) for part in x)
    return is_dask_collection(x) and not isinstance(x, Delayed)


def _is_future(x: Any) -> bool:
    return type(x).__name__ == "Future" and type(x).__module__.startswith("distributed.")


def _is_array(x: Any) -> bool:
    return hasattr(x, "chunks") and hasattr(x, "rechunk")


def _aligned(parts: list[Any], names: Sequence[str]) -> list[Any]:
    """Give the arrays one chunk of columns, and the chunks of rows that X has."""
    found = []
    for name, part in zip(names, parts, strict=False):
        if _is_array(part):
            if part.ndim not in (1, 2):
                raise ValueError(f"{name} must have 1 or 2 dimensions, got {part.ndim}")
            if part.ndim == 2 and len(part.chunks[1]) > 1:
                part = part.rechunk({1: -1})
        found.append(part)
    X = found[0]
    if not _is_array(X) or np.isnan(X.chunks[0]).any():
        return found
    for i, (name, part) in enumerate(zip(names, found, strict=False)):
        if not _is_array(part) or np.isnan(part.chunks[0]).any():
            continue
        if part.shape[0] != X.shape[0]:
            raise ValueError(
                f"{name} must have {X.shape[0]} rows, as {names[0]} has, got {part.shape[0]}"
            )
        if part.chunks[0] != X.chunks[0]:
            found[i] = part.rechunk({0: X.chunks[0]})
    return found


def _keys(collection: Any, graph: Graph) -> list[Any]:
    """Return the key of each partition, or a future; add the graph of the collection."""
    if isinstance(collection, list | tuple):
        delayed = [part for part in collection if isinstance(part, Delayed)]
        if delayed:
            # Those of one collection have the same graph.
            graphs = {id(full): full for full in (part.__dask_graph__() for part in delayed)}
            _add(graph, merged(*graphs.values()), [part.key for part in delayed], delayed[0])
        return [part if _is_future(part) else part.key for part in collection]
    if not _is_array(collection):  # a data frame
        # Optimisation would join partitions of Parquet files, more of y than of X.
        graph.update(collection.__dask_graph__())
    else:
        _add(graph, collection.__dask_graph__(), collection.__dask_keys__(), collection)
    return [key[0] if isinstance(key, list) else key for key in collection.__dask_keys__()]


def _add(graph: Graph, full: Mapping[Any, Any], keys: list[Any], collection: Any) -> None:
    """Add what leads to keys, as a collection optimises it."""
    # Futures of a persisted collection, which optimisation leaves out (seen in Dask 2026.8).
    graph.update({key: node for key, node in full.items() if _is_future(node)})
    graph.update(collection.__dask_optimize__(full, keys))
