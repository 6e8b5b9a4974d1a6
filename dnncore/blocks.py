"""Files that are larger than memory, as blocks of rows for `fit_blocks`.

`fit_blocks` takes any object of which each iteration gives ``(X, y)`` or ``(X, y,
sample_weight)``, block by block, the same rows every time: a list of arrays, an object with
``__iter__``, or those that are here. If it has a method ``place(row)``, that says in words where a
row is, errors use it, and so they do ``feature_names``, a list of str.

A model scores in blocks as it does anything else::

    for X, y in NpyBlocks("X.npy", "y.npy"):
        probabilities = model.predict_proba(X)
"""

from ._npy_blocks import NpyBlocks
from ._parquet_blocks import ParquetBlocks

__all__ = ["NpyBlocks", "ParquetBlocks"]
