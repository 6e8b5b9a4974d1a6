"""Several Parquet files with the same columns, as one table that is read in parts."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from .arrow import is_text_type
from .files import FileError
from .parquet import ParquetFile


@dataclass(frozen=True)
class ParquetPart:
    """A row group of one of several files, whose rows are numbered as those of all files.

    Attributes
    ----------
    file : ParquetFile
    group : int
        Index of the row group in its file.
    first_row : int
        Number of rows before it, in all files.
    types : mapping of str to pyarrow.DataType
        Type of each column, the same for all files.
    size : int
        Approximate size of all columns in memory, in bytes.
    """

    typed: ClassVar[bool] = True

    file: ParquetFile
    group: int
    first_row: int
    types: Mapping[str, Any]

    @property
    def path(self) -> str:
        return self.file.path

    @property
    def names(self) -> list[str]:
        return self.file.names

    @property
    def size(self) -> int:
        return self.file.size * self.file.group_sizes[self.group] // self.file.n_rows

    def columns(self, names: Sequence[str]) -> Iterator[list[Any]]:
        """Iterate over batches of rows; see :meth:`ParquetFile.columns`."""
        for cells in self.file.columns(names, self.group):
            yield [
                column if column.type == self.types[name] else column.cast(self.types[name])
                for name, column in zip(names, cells, strict=True)
            ]

    def place(self, row: int) -> str:
        """Describe the place of a row in its file, where rows are counted from 1."""
        return f"in row {row - self.first_row + self.file.start_of(self.group) + 1}"


class ParquetFiles:
    """Several Parquet files, one after another.

    Parameters
    ----------
    name : str
        Name of all files, for messages.
    paths : sequence of str
        Path of each file.

    Attributes
    ----------
    path : str
        The name.
    names : list of str
        Names of the columns.
    parts : list of ParquetPart
        The row groups that have rows, in order.
    n_rows, size
        As for :class:`ParquetFile`.

    Raises
    ------
    FileError
        If a file has other columns than the first one, or columns of other types; numbers of any
        types go together.
    ImportError, OSError
        As for :class:`ParquetFile`.
    """

    typed = True

    def __init__(self, name: str, paths: Sequence[str]) -> None:
        files = [ParquetFile(path) for path in paths]
        self.path, self.names = name, files[0].names
        types = _common_types(files)
        self.n_rows, self.parts = 0, []  # type: tuple[int, list[ParquetPart]]
        for file in files:
            for group, size in enumerate(file.group_sizes):
                if size:
                    self.parts.append(ParquetPart(file, group, self.n_rows, types))
                self.n_rows += size
        self.size = sum(file.size for file in files)

    def columns(self, names: Sequence[str]) -> Iterator[list[Any]]:
        """Iterate over batches of rows; see :meth:`ParquetFile.columns`."""
        for part in self.parts:
            yield from part.columns(names)

    def place(self, row: int) -> str:
        """Describe the place of a row."""
        part = self.parts[bisect_right([part.first_row for part in self.parts], row) - 1]
        return f"{part.place(row)} of {part.path}"


def _common_types(files: Sequence[ParquetFile]) -> dict[str, Any]:
    """Return a type for each column that has room for its values in all files."""
    first, *others = files
    types = _types(first)
    for file in others:
        own = _types(file)
        for name in [*types, *own]:
            if (name in own) != (name in types):
                has, lacks = (file, first) if name in own else (first, file)
                raise FileError(
                    f"{file.path}: all files must have the same columns, but {lacks.path} has no "
                    f"column {name!r}, which {has.path} has"
                )
        types = {name: _common(file, name, kind, own[name]) for name, kind in types.items()}
    return types


def _types(file: ParquetFile) -> dict[str, Any]:
    """Return the type of each column as :meth:`ParquetFile.columns` gives it."""
    import pyarrow as pa

    types = {}
    for field in file.schema:
        kind = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
        types[field.name] = pa.string() if is_text_type(kind) else kind
    return types


def _common(file: ParquetFile, name: str, known: Any, own: Any) -> Any:
    import pyarrow as pa

    if known == own:
        return known
    schemas = [pa.schema([(name, kind)]) for kind in (known, own)]
    try:
        return pa.unify_schemas(schemas, promote_options="permissive").field(name).type
    except pa.ArrowException:
        raise FileError(
            f"{file.path}: column {name!r} has the type {own}, but {known} in files before it"
        ) from None
