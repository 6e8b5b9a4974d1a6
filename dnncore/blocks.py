"""Files that are larger than memory, as blocks of rows for `fit_blocks`.

`fit_blocks` takes any object of which each iteration gives ``(X, y)`` or ``(X, y,
sample_weight)``, block by block, the same rows every time: a list of arrays, an object with
``__iter__``, or one of those that are here. Errors say where a row is by its method
``place(row)`` and name columns by its ``feature_names``, if it has them.

A model scores in blocks as it does anything else::

    for X, y in NpyBlocks("X.npy", "y.npy"):
        probabilities = model.predict_proba(X)
"""

from ._data.npy import NpyBlocks
from ._data.parquet import ParquetBlocks

__all__ = ["NpyBlocks", "ParquetBlocks"]
