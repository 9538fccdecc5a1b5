"""Rows as the readers of files hand them on: nothing of them is interpreted yet."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from components.tables.cells import Parsed
from components.tables.text_collector import IdReader


@dataclass(frozen=True)
class RawRows:
    """Consecutive rows of one file."""

    file: str  # its name
    lines: np.ndarray  # [n] int64: line of a text file, row of a Parquet file
    cells: dict[str, pa.Array]  # source column -> n cells
    malformed: Sequence[tuple[int, str]] = ()  # line and text of rows with other columns

    _ids: dict[tuple[str, str | None], Parsed] = field(default_factory=dict, repr=False)

    def ids(
        self, column: str, text_end: str | None, null_words: Sequence[str], read: IdReader
    ) -> Parsed:
        """Returns the ids of a column, not to be changed, read once; see `cells.parse_id`."""
        # Asked for twice: of rows as events, and of the posts that they show.
        if (column, text_end) not in self._ids:
            self._ids[column, text_end] = read(self.cells[column], text_end, null_words)
        return self._ids[column, text_end]

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
class FileFormat:
    """The way from the text of a file to columns; of Parquet, only `max_expansion` counts."""

    delimiter: str | None = None  # None: a tab for .tsv, a comma else
    names: tuple[str, ...] = ()  # of the columns, where there is no header
    encoding: str = "utf-8"
    pace: Pace | None = None  # lines are sequences: a user and items
    max_expansion: int = 200  # bytes in a compressed file per byte of it


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
