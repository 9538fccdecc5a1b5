"""Accepted events, and labels, as streams in order of user and time.

The expressions here are written in Ibis; any of the `engines` evaluates them. `UserStream` then
hands the rows out by whole users, so that what is computed for a user needs no more memory than a
block of users.
"""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from components.settings.engine import EngineConfig
from components.tables import data_files, engines
from phoenix.data.histories import Log
from phoenix.data.states import LabelRows
from schemas.columns import Table
from schemas.events import EVENTS, LABELS

Arrays = tuple[np.ndarray, ...]

BLOCK_ROWS = 1 << 17  # of the state and of the day each; some 10 MB
# The columns of a log in its order, then the weight and the id.
_WEIGHT = "weight"
_COLUMNS = [*(name for name in EVENTS.names if name != "event_id"), _WEIGHT, "event_id"]
_EVENTS = EVENTS.with_optional({_WEIGHT})


class UserStream:
    """Rows sorted by user that come in parts of any size and leave by whole users.

    >>> parts = [(np.array([1, 1, 2]), np.array([5, 6, 7])), (np.array([2]), np.array([8]))]
    >>> stream = UserStream(parts, empty=(np.empty(0, int), np.empty(0, int)))
    >>> stream.fill(num_rows=2)
    >>> [array.tolist() for array in stream.take_before(user=2)]
    [[1, 1], [5, 6]]
    """

    def __init__(self, parts: Iterable[Arrays], *, empty: Arrays) -> None:
        """Takes the parts, the user ids first in each, and arrays of the same types without rows.

        Args:
          parts: Tuples of arrays of one length, in order of users over all parts.
          empty: The answer where there are no rows.
        """
        self._parts = iter(parts)
        self._rows = empty  # read, and not handed out yet
        self._is_over = False

    def fill(self, num_rows: int) -> None:
        """Reads on until it holds this many rows and more than one user, or all there are.

        More than one user, because the last one may go on in the next part.
        """
        parts = [self._rows]
        while not self._is_over and not self._is_enough(parts, num_rows):
            part = next(self._parts, None)
            self._is_over = part is None
            parts += [] if part is None else [part]
        if len(parts) > 1:
            self._rows = tuple(np.concatenate(arrays) for arrays in zip(*parts, strict=True))

    def end_of_block(self, num_rows: int) -> int | None:
        """The first user that is not in a block of this many rows, or of one user with more.

        None if the block takes all that is left.
        """
        users = self._rows[0]
        if self._is_over and len(users) <= num_rows:
            return None
        place = min(num_rows, len(users) - 1)  # of the last user more rows may come
        if users[place] == users[0]:
            place = int(np.searchsorted(users, users[0], "right"))
        return int(users[place]) if place < len(users) else None

    def take_before(self, user: int | None) -> Arrays:
        """Hands out the rows of all users below `user`; all rows if it is None."""
        users = self._rows[0]
        end = len(users) if user is None else int(np.searchsorted(users, user))
        rows = tuple(array[:end] for array in self._rows)
        self._rows = tuple(array[end:] for array in self._rows)
        return rows

    @staticmethod
    def _is_enough(parts: Sequence[Arrays], num_rows: int) -> bool:
        users = [part[0] for part in parts if len(part[0])]
        return sum(map(len, users)) >= num_rows and users[0][0] != users[-1][-1]


def side_by_side(*streams: UserStream, block_rows: int) -> Iterator[tuple[Arrays, ...]]:
    """Goes through streams together: every block holds all rows of its users in all of them.

    A block ends where the stream with most rows per user has enough, so no side of it grows far
    beyond `block_rows`.

    Args:
      *streams: At least one, of any arrays.
      block_rows: Rows of each side of a block; more only where a single user has more.

    Yields:
      The rows of some users in each stream; at least one block.
    """
    while True:
        for stream in streams:
            stream.fill(block_rows)
        ends = [stream.end_of_block(block_rows) for stream in streams]
        user = min((end for end in ends if end is not None), default=None)
        yield tuple(stream.take_before(user) for stream in streams)
        if user is None:
            return


def in_order(files: Sequence[Path], engine: EngineConfig) -> Iterator[Arrays]:
    """Streams events sorted by user, time and event.

    Args:
      files: Parquet files of accepted events, at least one.
      engine: What reads and sorts them.

    Yields:
      The arrays of a `Log` up to `dwell_seconds`, the weights, and the ids of the events.

    Raises:
      BadConfigurationError: If the engine is not there.
    """
    # The id decides between impressions of one moment, so that every engine gives one order.
    return _sorted_rows(files, engine, _EVENTS, _COLUMNS, ("user_id", "shown_at", "event_id"))


def labels_in_order(files: Sequence[Path], engine: EngineConfig) -> Iterator[Arrays]:
    """Streams labels sorted by user, time, post and arrival.

    Args:
      files: Parquet files of labels; maybe none.
      engine: What reads and sorts them.

    Yields:
      The arrays of `LabelRows`.

    Raises:
      BadConfigurationError: If the engine is not there.
    """
    order = ("user_id", "shown_at", "post_id", "ingested_at")
    return _sorted_rows(files, engine, LABELS, LABELS.names, order)


def _sorted_rows(
    files: Sequence[Path],
    engine: EngineConfig,
    table: Table,
    names: Sequence[str],
    order: Sequence[str],
) -> Iterator[Arrays]:
    # Of empty days nobody need ask an engine, whose start takes longer than all else of the day.
    files = [file for file in files if pq.read_metadata(file).num_rows]
    if not files:
        return
    reader = engines.open_engine(engine)
    events = reader.files(files)
    # An optional column is in the files of sources that say it alone.
    present = [name for name in names if name in events.columns]
    rows = events.select(*present).order_by(*order)
    # Engines have their own resolution of time; the contract has its own.
    schema = pa.schema([table[name].field().with_nullable(True) for name in present])
    for batch in reader.batches(rows):
        part = pa.Table.from_batches([batch]).cast(schema)
        columns = data_files.columns(part)
        if _WEIGHT in names:
            weights = columns.get(_WEIGHT, np.full(len(part), np.nan))
            # A day whose source says none may stand beside one whose source does.
            columns[_WEIGHT] = np.where(np.isnan(weights), 1, weights).astype(np.float32)
        yield tuple(columns[name] for name in names)


def _no_rows(table: Table, names: Sequence[str]) -> Arrays:
    kinds = [
        "int64" if pa.types.is_timestamp(table[name].type) else table[name].type.to_pandas_dtype()
        for name in names
    ]
    return tuple(np.empty(0, kind) for kind in kinds)


NO_EVENTS: Arrays = _no_rows(_EVENTS, _COLUMNS)
NO_LABELS = LabelRows(*_no_rows(LABELS, LABELS.names))


def no_log(width: int) -> Log:
    """Returns a log without impressions, whose attributes have `width` numbers."""
    return Log(
        *NO_EVENTS[:-2],
        created_at=np.empty(0, np.int64),
        attributes=np.empty((0, width), np.float32),
        weights=np.empty(0, np.float32),
    )
