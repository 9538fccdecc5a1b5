"""The Parquet files of the data steps: their names, and how they are written.

Steps meet in these files, so the names live outside the steps. Equal rows give equal bytes.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from components.errors import BadDataError
from schemas.columns import TEXT_CODES, Column, Table

EVENTS_FILE = "events.parquet"  # of ingest_events
REJECTED_FILE = "rejected.parquet"  # of ingest_events
LATE_FILE = "late.parquet"  # of ingest_events
POSTS_FILE = "posts.parquet"  # of ingest_events as described, of validate_events as known
SHOWN_POSTS_FILE = "shown_posts.parquet"  # of validate_events, where rows tell of posts
ACCEPTED_FILE = "accepted.parquet"  # of validate_events
LABELS_FILE = "labels.parquet"  # of validate_events
QUARANTINED_FILE = "quarantined.parquet"  # of validate_events
SOURCE_IDS_FILE = "source_ids.parquet"  # of validate_events, where events have ids
EXPECTATIONS_FILE = "expectations.json"  # of validate_events
WINDOWS_FILE = "windows.parquet"  # of build_features
IMPRESSIONS_FILE = "impressions.parquet"  # of build_features; the state of the day, too
# Of build_features: what was shown and followed as of the end of the day, and before it.
COUNTS_FILE, USER_COUNTS_FILE = "counts.parquet", "user_counts.parquet"
COUNTS_BEFORE_FILE = "counts_before.parquet"
USER_COUNTS_BEFORE_FILE = "user_counts_before.parquet"

_GROUP_ROWS = 1 << 17  # of a file that is written in parts


def arrow_table(table: Table, columns: Mapping[str, np.ndarray], **metadata: str) -> pa.Table:
    """Returns NumPy columns as an Arrow table of the contract.

    Args:
      table: The contract; its timestamps are int64 milliseconds in `columns`.
      columns: `[L]` each, `[L, W]` of lists; optional ones of the contract if they are there. NaN
        of a float and None of an object are null where null is allowed.
      **metadata: More entries for the metadata of the file.
    """
    table = table.with_optional(columns)
    arrays = [arrow_array(column, columns[column.name]) for column in table.columns]
    return pa.Table.from_arrays(arrays, schema=table.schema(**metadata))


def arrow_array(column: Column, values: np.ndarray) -> pa.Array:
    """Returns the NumPy values of one column, as `arrow_table` does with all of them."""
    if pa.types.is_fixed_size_list(column.type):
        return pa.FixedSizeListArray.from_arrays(pa.array(values.reshape(-1)), type=column.type)
    array = pa.array(values, from_pandas=column.is_nullable)
    if pa.types.is_timestamp(column.type):
        # A view, not a cast: the milliseconds are already those of the type.
        return array.cast(pa.int64()).view(column.type)
    return array.cast(column.type)


def write(path: Path, table: pa.Table) -> None:
    """Writes a table as Parquet, compressed with zstd."""
    pq.write_table(table, path, compression="zstd")


class TableWriter:
    """Writer of a table, some rows after the others; a context manager.

    Equal rows give equal bytes, however they are handed in.
    """

    def __init__(self, path: Path, table: Table) -> None:
        """Opens the file, which is compressed with zstd.

        Args:
          path: The file.
          table: The contract of its columns.
        """
        self._table = table
        self._file = pq.ParquetWriter(path, table.schema(), compression="zstd")
        self._waiting = table.schema().empty_table()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None and len(self._waiting):
            self._write_group(self._waiting)
        self._file.close()

    def write(self, rows: pa.Table) -> None:
        """Appends rows; an optional column that they have not gets its default."""
        rows = _with_columns(rows, self._table).cast(self._waiting.schema)
        self._waiting = pa.concat_tables([self._waiting, rows])
        while len(self._waiting) >= _GROUP_ROWS:
            self._write_group(self._waiting.slice(0, _GROUP_ROWS))
            self._waiting = self._waiting.slice(_GROUP_ROWS)

    def _write_group(self, rows: pa.Table) -> None:
        self._file.write_table(rows.combine_chunks(), row_group_size=_GROUP_ROWS)


def read(path: Path, table: Table) -> pa.Table:
    """Reads a Parquet file whose columns must be those of the contract; optional ones may be there.

    Raises:
      BadDataError: If a column is missing or of another type.
    """
    content = pq.read_table(path)
    problems = table.problems(content.schema)
    if problems:
        raise BadDataError(f"{path}: {'; '.join(problems)}.")
    return content.select(table.with_optional(content.column_names).names)


def concatenate(table: Table, parts: Sequence[pa.Table]) -> pa.Table:
    """Returns the rows of all parts in order.

    Args:
      table: The contract.
      parts: Tables of it. An optional column of one of them is in all rows that come out: those of
        a part without it have its default. What is codes of a dictionary in one is so in all.

    >>> weight = Column(name="weight", type=pa.float32(), description="Of a row.", default=1.0)
    >>> contract = Table("rows", "Rows.", (), (weight,))
    >>> parts = [pa.table({"weight": pa.array([2.0], pa.float32())}), pa.table({"place": [7]})]
    >>> concatenate(contract, parts)["weight"].to_pylist()
    [2.0, 1.0]
    """
    whole = table.with_optional({name for part in parts for name in part.column_names})
    schema = whole.schema()
    fields = (field for part in parts for field in part.schema)
    for name in {field.name for field in fields if pa.types.is_dictionary(field.type)}:
        place = schema.get_field_index(name)
        schema = schema.set(place, schema.field(place).with_type(TEXT_CODES))
    return pa.concat_tables([_with_columns(part, whole).cast(schema) for part in parts])


def _with_columns(part: pa.Table, table: Table) -> pa.Table:
    """Returns rows with the columns of a table, of which those that are not there are defaults."""
    arrays = [
        part[column.name]
        if column.name in part.column_names
        else pa.repeat(pa.scalar(column.default, column.type), len(part))
        for column in table.columns
    ]
    return pa.table(arrays, names=table.names)


def columns(table: pa.Table) -> dict[str, np.ndarray]:
    """Returns a table's columns as NumPy arrays: times as int64 milliseconds, lists as `[L, W]`."""
    arrays = {}
    for name, column in zip(table.column_names, table.columns, strict=True):
        if pa.types.is_fixed_size_list(column.type):
            flat = column.combine_chunks().flatten().to_numpy()
            arrays[name] = flat.reshape(-1, column.type.list_size)
            continue
        values = column.cast(pa.int64()) if pa.types.is_timestamp(column.type) else column
        arrays[name] = values.to_numpy()
    return arrays
