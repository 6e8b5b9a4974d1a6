"""Tables: the encoder that turns a table with columns of any kind into a matrix of floats."""

from ._data.table_encoder import TableEncoder

__all__ = ["TableEncoder"]
