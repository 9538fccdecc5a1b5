"""Events in the types that all engines have, and back.

Spark has neither milliseconds nor unsigned numbers, so times in ms and sets of bits are int64.
Files are numbers, which are smaller than their names.
"""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from components.rows.account import NO_FILE
from schemas.columns import TEXT_CODES
from schemas.events import EVENTS


def to_engine(events: pa.Table) -> tuple[pa.Table, np.ndarray]:
    """Returns events as an engine takes them, and the names of their files.

    Args:
      events: In the schema `INGESTED`, in the order of the source.

    Returns:
      The columns of `EVENTS`, with the optional ones that are there, in the types of all engines,
      `file` as a number and `place`; and the names of the files by their numbers.
    """
    files = events["file"].cast(TEXT_CODES).fill_null(NO_FILE).combine_chunks()
    names = EVENTS.with_optional(events.column_names).names
    columns = {name: _as_int64(events[name]) for name in names}
    # There are two zeros, and which of them is the greater, engines do not agree on.
    zero = pa.scalar(0, pa.float32())
    columns["dwell_seconds"] = pc.call_function("add", [columns["dwell_seconds"], zero])
    columns |= {"file": files.indices, "place": pa.array(np.arange(len(events)))}
    return pa.table(columns), np.array(files.dictionary.to_pylist(), object)


def _as_int64(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Returns times and sets of bits as int64 of the same bits, other columns as they are."""
    if not pa.types.is_timestamp(column.type) and not pa.types.is_uint64(column.type):
        return column
    return pa.chunked_array([chunk.view(pa.int64()) for chunk in column.chunks], pa.int64())


def from_engine(rows: pa.Table) -> pa.Table:
    """Returns rows of an engine in the schema `EVENTS`, the inverse of `to_engine`."""
    table = EVENTS.with_optional(rows.column_names)
    arrays = [
        pa.chunked_array(
            [chunk.view(column.type) for chunk in rows[column.name].chunks], column.type
        )
        for column in table.columns
    ]
    return pa.Table.from_arrays(arrays, schema=table.schema()).combine_chunks()
