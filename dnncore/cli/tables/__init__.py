"""Rows to train on, or to score, out of CSV, Parquet, NPZ and NPY files, block by block.

A :class:`Dataset` is read as often as it is iterated over, a block of rows at a time, so that a
file may be larger than memory. How the columns of a table become features is learnt once, from
the rows to train on, and kept in the model file (`dnncore._data.columns`). The files themselves
are read by `dnncore._data`; what is here asks of them what the command line needs, and speaks of
its options.
"""

from ._common import Dataset, TableError, TableRows
from ._open import matrix_data, scoring_data, training_data

__all__ = ["Dataset", "TableError", "TableRows", "matrix_data", "scoring_data", "training_data"]
