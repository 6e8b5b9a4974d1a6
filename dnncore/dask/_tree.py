"""Sums over partitions, in a binary tree of their indices.

The tree depends on the indices alone: neither on the workers, nor on which partitions are read
together. It is that of :func:`dnncore._training.gradients.tree_sum`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ._cluster import Graph, Key, value_of


def group(sizes: Sequence[int], limit: float) -> list[range]:
    """Group consecutive partitions, so that small ones are read together.

    Parameters
    ----------
    sizes : sequence of int
        Number of rows of each partition.
    limit : float
        Largest number of rows of a group of several partitions.

    Returns
    -------
    list of range
        Indices of the partitions of each group: whole subtrees of the tree. Groups without rows
        are left out.
    """
    groups: list[range] = []
    starts = [0]
    for size in sizes:
        starts.append(starts[-1] + size)

    def divide(first: int, size: int) -> None:
        last = min(first + size, len(sizes))
        n_rows = starts[last] - starts[first] if first < last else 0
        if n_rows == 0:
            return
        if size == 1 or n_rows <= limit:
            groups.append(range(first, last))
            return
        divide(first, size // 2)
        divide(first + size // 2, size // 2)

    divide(0, tree_size(len(sizes)))
    return groups


def tree_size(n: int) -> int:
    """Return the number of leaves of the whole tree over n partitions."""
    return 1 << max(0, n - 1).bit_length()


def sum_graph(name: str, leaves: Mapping[int, Key], n: int, levels: int) -> tuple[Graph, Key]:
    """Return the tasks that add values in the tree.

    Parameters
    ----------
    name : str
        First part of the new keys.
    leaves : mapping of int to key
        Key of each group's value, by the index of its first partition.
    n : int
        Number of partitions.
    levels : int
        Number of levels of the tree in a task.

    Returns
    -------
    graph : dict
        The tasks.
    key : str or tuple
        Key of the sum.
    """
    graph: Graph = {}
    firsts = sorted(leaves)

    def node(first: int, size: int, depth: int, lo: int, hi: int) -> Any:
        """Return the sum of the leaves lo to hi, as a key or a nested list of keys."""
        if hi - lo == 1:
            return leaves[firsts[lo]]
        half = first + size // 2
        middle = lo
        while middle < hi and firsts[middle] < half:
            middle += 1
        if middle in (lo, hi):  # only one child has rows
            start = half if middle == lo else first
            return node(start, size // 2, depth, lo, hi)
        children = [
            node(first, size // 2, depth + 1, lo, middle),
            node(half, size // 2, depth + 1, middle, hi),
        ]
        if depth % levels:
            return children
        key = (name, first, size)
        graph[key] = (add, children)
        return key

    return graph, node(0, tree_size(n), 0, 0, len(firsts))


def add(node: Any) -> Any:
    """Return the sum of nested pairs; None stands for no rows."""
    return plus(*map(add, node)) if isinstance(node, list) else value_of(node)


def plus(left: Any, right: Any) -> Any:
    """Return the sum of two values; None stands for no rows."""
    if left is None or right is None:
        return right if left is None else left
    return left + right
