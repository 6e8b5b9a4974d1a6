"""Rows for training or scoring from CSV, Parquet, NPZ and NPY files, block by block.

Every iteration over a :class:`Dataset` reads the file again, one block of rows at a time, so a
file may be larger than memory. The encoding of columns as features is learned once, from the
training data, and stored in the model file (`dnncore._data.columns`). `dnncore._data` reads the
files; this package checks what the command line requires of them, and its messages name the
command-line options.
"""

from ._columns import PARQUET, ColumnDataset
from ._common import Dataset, FileList, Source, TableError, TableRows, class_indices
from ._frames import ColumnKind
from ._learning import See, Seen, see_all
from ._open import (
    KeptCells,
    has_named_columns,
    is_npz,
    kept_cells,
    matrix_data,
    scoring_data,
    scoring_frame,
    size_of,
    training_data,
    training_frame,
)

__all__ = [
    "PARQUET",
    "ColumnDataset",
    "ColumnKind",
    "Dataset",
    "FileList",
    "KeptCells",
    "See",
    "Seen",
    "Source",
    "TableError",
    "TableRows",
    "class_indices",
    "has_named_columns",
    "is_npz",
    "kept_cells",
    "matrix_data",
    "scoring_data",
    "scoring_frame",
    "see_all",
    "size_of",
    "training_data",
    "training_frame",
]
