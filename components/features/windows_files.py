"""The files of a day's features: written and read in blocks of users, so that memory stays flat.

See `schemas.features` for what is in them. Nothing in them is hashed: a reader says which hash
functions its model has.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import NamedTuple, Self

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from components.errors import BadDataError
from components.tables import data_files
from components.tables.data_files import IMPRESSIONS_FILE, WINDOWS_FILE
from phoenix.data.hashing import HashSpec
from phoenix.data.histories import Log
from phoenix.data.window_log import WindowLog, WindowRefs, candidate_rows
from phoenix.data.windows import Windows, concatenate
from schemas.attributes import VALUES, values_column
from schemas.columns import Table
from schemas.features import IMPRESSIONS, WINDOWS

# Ids and times hardly repeat, but their high bytes do; numbers of few values have a dictionary.
_SPLIT = ("post_id", "author_id", "shown_at", "ingested_at", "dwell_seconds", "created_at")
_REPEATING = ["user_id", "surface", "actions", "window"]

_USER_WIDTH, _POST_WIDTH = "user_width", "post_width"  # in the metadata of the files


class Block(NamedTuple):
    """The windows of some users, and all their impressions."""

    window_ids: np.ndarray  # [N] int64
    refs: WindowRefs
    log: Log
    window_of_row: np.ndarray  # [L] int32, -1 for history


class FeaturesWriter:
    """Writer of both files of a day, block by block in order of users; a context manager."""

    def __init__(self, folder: Path, metadata: Mapping[str, str]) -> None:
        """Opens both files.

        Args:
          folder: Must exist; the files in it must not.
          metadata: What `shapes.shape_metadata` returns: readers take their sizes from it.
        """
        self._windows = pq.ParquetWriter(
            folder / WINDOWS_FILE,
            _with_values(WINDOWS, metadata, _USER_WIDTH).schema(**metadata),
            compression="zstd",
        )
        self._impressions = pq.ParquetWriter(
            folder / IMPRESSIONS_FILE,
            _with_values(IMPRESSIONS, metadata, _POST_WIDTH).schema(**metadata),
            compression="lz4",
            use_dictionary=_REPEATING,  # pyright: ignore[reportArgumentType] - its stub is wrong
            column_encoding=dict.fromkeys(_SPLIT, "BYTE_STREAM_SPLIT"),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._windows.close()
        self._impressions.close()

    def write(self, block: Block) -> None:
        """Appends a block as one row group of each file."""
        # Both groups have one number, by which a reader finds the impressions of its windows.
        # An empty block is a group, too: a row group needs a size of at least 1.
        windows = _to_arrow((block.window_ids, *block.refs), self._windows.schema)
        self._windows.write_table(windows, row_group_size=max(len(windows), 1))
        *log, values = block.log
        rows = _to_arrow((*log, block.window_of_row, values), self._impressions.schema)
        self._impressions.write_table(rows, row_group_size=max(len(rows), 1))


class WindowsFiles:
    """The windows of a day, read in chunks of some users, as a `WindowSource`."""

    def __init__(self, folder: Path, *, spec: HashSpec) -> None:
        """Opens both files of a folder.

        Args:
          folder: With the features of a day.
          spec: The hash functions of the model that will read the windows.

        Raises:
          BadDataError: If a file is not there or has other columns than the contract.
        """
        self._spec = spec
        self._windows = _open_table(folder / WINDOWS_FILE, WINDOWS)
        self._impressions = _open_table(folder / IMPRESSIONS_FILE, IMPRESSIONS)

    @property
    def chunk_sizes(self) -> list[int]:
        """The number of windows of each chunk."""
        data = self._windows.metadata
        return [data.row_group(number).num_rows for number in range(data.num_row_groups)]

    def read(self, chunk: int) -> Windows:
        """Returns the windows of one chunk, in order of users and time."""
        return self._join(
            self._windows.read_row_group(chunk), self._impressions.read_row_group(chunk)
        )

    def none(self) -> Windows:
        """Returns windows of the right shapes, of which there are none."""
        files = self._windows, self._impressions
        return self._join(*(file.schema_arrow.empty_table() for file in files))

    def _join(self, windows: pa.Table, impressions: pa.Table) -> Windows:
        refs = _to_arrays(windows)[1:]  # without the ids of the windows
        log, window_of_row = _to_log(impressions)
        num_windows, shape = len(refs[0]), self._windows.schema_arrow.metadata
        window_log = WindowLog(
            log,
            WindowRefs(*refs),
            candidates=candidate_rows(
                window_of_row, num_windows=num_windows, length=int(shape[b"num_candidates"])
            ),
            spec=self._spec,
            history_length=int(shape[b"history_length"]),
        )
        return window_log.take(np.arange(num_windows))


def read_windows(folder: Path, *, spec: HashSpec) -> Windows:
    """Reads all windows of a day's features at once; see `WindowsFiles` for less at a time."""
    files = WindowsFiles(folder, spec=spec)
    chunks = [files.read(chunk) for chunk in range(len(files.chunk_sizes))]
    return concatenate(chunks or [files.none()])


def read_logs(path: Path) -> Iterator[Log]:
    """Reads the impressions of a day's features group by group, as state: without the windows."""
    file = _open_table(path, IMPRESSIONS)
    for number in range(file.num_row_groups):
        yield _to_log(file.read_row_group(number))[0]


def read_candidates(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Reads the posts `[E]` and the actions `[E]` of all impressions that are in a window."""
    file = _open_table(path, IMPRESSIONS)
    table = file.read(["post_id", "actions", "window"])
    posts, actions, window = data_files.columns(table).values()
    return posts[window >= 0], actions[window >= 0]


def _open_table(path: Path, table: Table) -> pq.ParquetFile:
    if not path.is_file():
        raise BadDataError(f"{path}: expected the {table.name} of a day, found no file.")
    file = pq.ParquetFile(path)
    problems = table.problems(file.schema_arrow)
    if problems:
        raise BadDataError(f"{path}: {'; '.join(problems)}: build these features again.")
    return file


def _with_values(table: Table, metadata: Mapping[str, str], width: str) -> Table:
    """Returns the table with the column of attributes, if there are any."""
    size = int(metadata.get(width, 0))
    return replace(table, columns=(*table.columns, values_column(size))) if size else table


def _to_arrow(arrays: tuple[np.ndarray, ...], schema: pa.Schema) -> pa.Table:
    columns = []
    for field, values in zip(schema, arrays[: len(schema)], strict=True):
        if values.ndim == 2:
            flat = pa.array(values.reshape(-1))
            columns.append(pa.FixedSizeListArray.from_arrays(flat, type=field.type))
        else:
            array = pa.array(values)
            # Times are int64 in NumPy; a view gives them their type without a copy.
            columns.append(array if array.type == field.type else array.view(field.type))
    return pa.Table.from_arrays(columns, schema=schema)


def _to_arrays(content: pa.Table) -> list[np.ndarray]:
    """Returns the columns, the attributes last, of which there may be none."""
    columns = data_files.columns(content)
    values = columns.pop(VALUES, np.empty((len(content), 0), np.float32))
    return [*columns.values(), values]


def _to_log(content: pa.Table) -> tuple[Log, np.ndarray]:
    """Returns impressions and the window of each."""
    *columns, window_of_row, values = _to_arrays(content)
    return Log(*columns, attributes=values), window_of_row
