"""Files with named columns as Arrow tables, for models that encode the columns themselves."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from ..._data.arrow import factorize, is_text_type, numbers, texts
from ..._data.categories import Categories
from ..._data.cells import TextCells
from ..._data.columns import Column, Table
from ..._data.encoding import (
    CellError,
    ColumnError,
    TargetReader,
    add_unknown,
    category_indices,
    naming_the_column,
)
from ._columns import ColumnFile, notes, place, read_columns
from ._common import TableError, TableRows

ColumnKind = Literal["number", "category", "date", "as it is"]


class FrameDataset:
    """Rows of a file with named columns as Arrow tables, block by block.

    Parameters
    ----------
    file : ColumnFile
    columns : mapping of str to ColumnKind
        The columns of the features, and what they contain; text is converted accordingly.
    target : str or None
        Name of the target, None if it is not known.
    read_target : callable or None
        Reader of the target; None if the target is not read.
    categories : mapping of str to Categories, optional
        The known values of columns of which unknown ones are to be counted.
    """

    def __init__(
        self,
        file: ColumnFile,
        columns: Mapping[str, ColumnKind],
        target: str | None,
        read_target: TargetReader | None,
        categories: Mapping[str, Categories] | None = None,
    ) -> None:
        self.path, self.n_features = file.path, len(columns)
        self.table: Table | None = (Column(target, is_target=True),) if target else None
        self.unknown: dict[str, Counter[str]] = {}
        self.notes = notes(file)
        self._categories = categories or {}
        self._file, self._columns = file, columns
        self._target, self._read_target = target, read_target

    @property
    def size(self) -> int:
        return self._file.size

    def __iter__(self) -> Iterator[TableRows]:
        self.unknown.clear()
        read = [self._target] if self._target and self._read_target else []
        for first, cells in read_columns(self._file, [*read, *self._columns]):
            try:
                y = None
                if self._target and self._read_target:
                    y = self._read_target(self._target, cells[0])
                yield TableRows(self._frame(cells[len(read) :]), y)
            except CellError as error:
                where = place(self._file, first + error.row)
                raise TableError(f"{self.path}: {error.at(where)}") from None
            except ColumnError as error:
                raise TableError(f"{self.path}: {error}") from None

    def _frame(self, cells: list[Any]) -> Any:
        import pyarrow as pa

        columns = zip(self._columns.items(), cells, strict=True)
        table = pa.table({name: typed(name, column, kind) for (name, kind), column in columns})
        for name, categories in self._categories.items():
            with naming_the_column(name):
                known = TextCells("category", *factorize(table.column(name)))
            add_unknown(self.unknown, name, category_indices(categories, known)[1])
        return table


def typed(name: str, column: Any, kind: ColumnKind) -> Any:
    """Convert an Arrow array to the type of its kind.

    Raises
    ------
    CellError
        If it is text that is not numeric, and should be.
    ColumnError
        If its type cannot be converted.
    """
    import pyarrow as pa

    with naming_the_column(name):
        if kind == "category":
            return texts(column)
        if not is_text_type(column.type):
            return column
        if kind == "date":
            return column.cast(pa.timestamp("us"))
        if kind == "number":
            return pa.array(numbers(column))
    return column
