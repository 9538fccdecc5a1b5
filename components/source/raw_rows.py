"""Rows as the readers of files hand them on: nothing of them is interpreted yet."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

_UUID_BYTES = 16


@dataclass(frozen=True)
class RawRows:
    """Consecutive rows of one file."""

    file: str  # its name
    lines: np.ndarray  # [n] int64: line of a text file, row of a Parquet file
    cells: dict[str, pa.Array]  # source column -> n cells
    malformed: Sequence[tuple[int, str]] = ()  # line and text of rows with other columns
    entries: np.ndarray | None = None  # [n] int64: place in the list of the line, from 1
    entry_faults: Mapping[int, str] = field(default_factory=dict)  # row -> what was expected

    @property
    def columns_with_values(self) -> set[str]:
        """The columns that are not null in all of the rows."""
        return {name for name, cell in self.cells.items() if cell.null_count < len(cell)}

    def take(self, index: np.ndarray) -> "RawRows":
        """Returns some of the rows, without the malformed ones."""
        where = pa.array(index)
        cells = {name: cell.take(where) for name, cell in self.cells.items()}
        return RawRows(self.file, self.lines[index], cells)

    @classmethod
    def concatenate(cls, parts: Sequence["RawRows"]) -> "RawRows":
        """Returns the rows of some parts of one file, without the malformed ones."""
        names = parts[0].cells
        cells = {name: pa.concat_arrays([part.cells[name] for part in parts]) for name in names}
        return cls(parts[0].file, np.concatenate([part.lines for part in parts]), cells)


@dataclass(frozen=True, kw_only=True)
class Pace:
    """The times at which items of a sequence are shown, of which a file has the order alone."""

    starts_at: int  # ms since 1970: the first item of every user
    step: int  # ms from item to item


@dataclass(frozen=True, kw_only=True)
class Slates:
    """The lists in rows of which each holds several posts.

    Of a list `a` the entry itself is the column `a`, and its member or part `b` the column `a.b`.
    """

    lists: tuple[str, ...]  # columns that hold lists, of one length in each row
    separator: str | None = None  # between entries, where lists are text; None: JSON
    parts: tuple[str, ...] = ()  # of an entry that is text; (): it is one
    part_separator: str = "-"

    def list_of(self, column: str) -> str | None:
        """Returns the list that a column is of, None for a column of the row itself.

        >>> slates = Slates(lists=("items",))
        >>> slates.list_of("items.id"), slates.list_of("items_id")
        ('items', None)
        """
        owners = [n for n in self.lists if column == n or column.startswith(f"{n}.")]
        return max(owners, key=len, default=None)


@dataclass(frozen=True, kw_only=True)
class FileFormat:
    """The way from the text of a file to columns; of Parquet, only `max_expansion` counts."""

    delimiter: str | None = None  # None: a tab for .tsv, a comma else
    names: tuple[str, ...] = ()  # of the columns, where there is no header
    has_quotes: bool = True  # False: a double quote is a character as any other
    encoding: str = "utf-8"
    pace: Pace | None = None  # lines are sequences: a user and items
    max_expansion: int = 200  # bytes in a compressed file per byte of it


def plain_cells(cells: pa.Array) -> pa.Array:
    """Returns cells of Parquet as values: no dictionary, and text as Arrow's `string`."""
    if pa.types.is_dictionary(cells.type):
        cells = cells.dictionary_decode()
    if isinstance(cells, pa.ExtensionArray):
        cells = cells.storage
    if pa.types.is_fixed_size_binary(cells.type) and cells.type.byte_width == _UUID_BYTES:
        return _uuid_text(cells)
    if pa.types.is_binary(cells.type) or pa.types.is_large_binary(cells.type):
        return as_text(cells)
    if pa.types.is_large_string(cells.type) or pa.types.is_string_view(cells.type):
        return cells.cast(pa.string())
    return cells


def _uuid_text(cells: pa.Array) -> pa.Array:
    """Returns binary(16) as the text of UUIDs, so that one has one id in every kind of file."""
    texts = [None if value is None else str(uuid.UUID(bytes=value)) for value in cells.to_pylist()]
    return pa.array(texts, pa.string())


def as_text(values: pa.Array) -> pa.Array:
    """Returns bytes as text; what is no UTF-8 keeps its place with replacement characters."""
    try:
        return values.cast(pa.string())
    except pa.ArrowInvalid:  # one of them is no UTF-8: one by one
        texts = [
            None if value is None else value.decode("utf-8", errors="replace")
            for value in values.to_pylist()
        ]
        return pa.array(texts, pa.string())
