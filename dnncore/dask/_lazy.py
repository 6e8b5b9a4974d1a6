"""Predictions and scores, block by block, when they are needed."""

from __future__ import annotations

from typing import Any
from uuid import uuid4

import dask
import dask.array as da
import numpy as np
from dask.delayed import Delayed
from numpy.typing import NDArray
from sklearn.utils.validation import check_consistent_length

from .._core.labels import weights
from .._data.blocks import Block
from ._cluster import Graph, Key, Value, merged, value_of
from ._fit import parts_of
from ._partitions import Partitions
from ._reader import Place
from ._scores import Score
from ._sizes import LEVELS
from ._tree import sum_graph


def lazy_method(
    model: Any, method: str, X: Any, shape: tuple[int, ...], dtype: np.dtype[Any]
) -> Any:
    """Return a Dask array of what a method of a model gives for rows.

    Parameters
    ----------
    model : Estimator
        Fitted local estimator.
    method : str
        Name of the method.
    X : collection
        Rows.
    shape : tuple of int
        Shape of the result for a row.
    dtype : numpy.dtype
        Dtype of the result.
    """
    held = dask.delayed(model, pure=False)
    if isinstance(X, da.Array):
        X = X.rechunk({1: -1})
        return X.map_blocks(
            _apply, held, method, shape, dtype, dtype=dtype,
            chunks=(X.chunks[0], *((n,) for n in shape)),
            drop_axis=[] if shape else [1], meta=np.empty((0,) * (1 + len(shape)), dtype),
        )  # fmt: skip
    parts = X if isinstance(X, list | tuple) else X.to_delayed()
    blocks = [
        da.from_delayed(
            dask.delayed(_apply, pure=False)(part, held, method, shape, dtype),
            (np.nan, *shape), dtype,
        )
        for part in parts
    ]  # fmt: skip
    return da.concatenate(blocks, allow_unknown_chunksizes=True)


def _apply(
    X: Any, model: Any, method: str, shape: tuple[int, ...], dtype: np.dtype[Any]
) -> NDArray[Any]:
    if X.shape[0] == 0:
        return np.empty((0, *shape), dtype)
    found: NDArray[Any] = getattr(model, method)(X)
    return found


def lazy_score(model: Any, partitions: Partitions, score: Score) -> Any:
    """Return the score of a model on collections, as a Dask array of shape ()."""
    name = f"dnncore-score-{uuid4().hex}"
    shared: Graph = {f"{name}-model": Value(model), f"{name}-score": Value(score)}
    keys: dict[int, Key] = {i: (name, i) for i in range(partitions.n)}
    tasks: Graph = {
        key: (_score, f"{name}-model", f"{name}-score", *parts_of(partitions, range(i, i + 1))[0])
        for i, key in keys.items()
    }
    sums, root = sum_graph(f"{name}-sum", keys, partitions.n, LEVELS)
    graph = merged(partitions.graph, shared, tasks, sums, {name: (_finish, f"{name}-score", root)})
    return da.from_delayed(Delayed(name, graph), (), np.float64)


def _score(model: Any, score: Any, index: Any, X: Any, y: Any, weight: Any) -> Any:
    """Return the sums over the rows of a partition; None without any."""
    if X.shape[0] == 0 and np.shape(y)[0] == 0:
        return None
    index = value_of(index)
    block = Block(X, y, weight, X.shape[0], 0, index, Place(index, "X"))
    with block.faults():
        check_consistent_length(X, y, weight)
        if weight is not None:
            weight = weights(weight, X.shape[0], np.float64, may_be_zero=True)
        return value_of(score).of_predictions(y, value_of(model).predict(X), weight)


def _finish(score: Any, sums: Any) -> NDArray[np.float64]:
    if sums is None:
        raise ValueError("X must have at least 1 row, got none")
    return np.array(value_of(score).of(sums))
