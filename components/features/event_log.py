"""Accepted events, and labels, of the users of some slots, in order of user and time.

`UserStream` hands rows out by whole users, so that what is computed for a user needs no more memory
than a block of users.
"""

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa

from components.tables import data_files
from components.tables.bucket_files import BucketFiles
from phoenix.data.days import DAY_MS
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
        parts = [self._rows] if len(self._rows[0]) else []
        while not self._is_over and not self._is_enough(parts, num_rows):
            part = next(self._parts, None)
            self._is_over = part is None
            parts += [] if part is None else [part]
        if len(parts) == 1:  # as most often; to concatenate would copy it
            self._rows = parts[0]
        elif parts:
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


def in_order(tables: Sequence[BucketFiles], slots: range) -> Arrays:
    """Returns the events of the users of some slots, sorted by user, time and event.

    Args:
      tables: Of accepted events.
      slots: See `bucket_files`.

    Returns:
      The arrays of a `Log` up to `dwell_seconds`, the weights, and the ids of the events.
    """
    rows = _rows(tables, slots, _COLUMNS, NO_EVENTS)
    places = {name: place for place, name in enumerate(_COLUMNS)}
    # The id decides between impressions of one moment, so that there is one order.
    return _sorted_by(rows, [places[name] for name in ("user_id", "shown_at", "event_id")])


def labels_in_order(tables: Sequence[BucketFiles], slots: range) -> Arrays:
    """Returns the labels for users of some slots, sorted by user, time, post and arrival.

    Args:
      tables: Of labels; maybe none.
      slots: See `bucket_files`.

    Returns:
      The arrays of `LabelRows`.
    """
    return sorted_labels(_rows(tables, slots, LABELS.names, NO_LABELS))


def sorted_labels(rows: Arrays) -> Arrays:
    """Returns the arrays of `LabelRows` sorted by user, time, post and arrival."""
    names = ("user_id", "shown_at", "post_id", "ingested_at")
    return _sorted_by(rows, [LABELS.names.index(name) for name in names])


def sorted_by_user(log: Log) -> Log:
    """Returns a log whose rows are in order of time for each user, in order of users, too."""
    order = order_of_users(log.user_ids)
    return log if order is None else log.rows(order)


def order_of_users(user_ids: np.ndarray) -> np.ndarray | None:
    """`[L]` int64: the rows in order of users, and otherwise of their own; None if they are."""
    if np.all(user_ids[1:] >= user_ids[:-1]):
        return None
    return np.argsort(user_ids, kind="stable")


def _rows(
    tables: Sequence[BucketFiles], slots: range, names: Sequence[str], none: Arrays
) -> Arrays:
    parts = [none]
    for table in tables:
        # An optional column is in the files of sources that say it alone.
        rows = table.of_slots(slots, [name for name in names if name in table.schema.names])
        columns = data_files.columns(rows)
        if _WEIGHT in names:
            weights = columns.get(_WEIGHT, np.full(len(rows), np.nan))
            # A day whose source says none may stand beside one whose source does.
            columns[_WEIGHT] = np.where(np.isnan(weights), 1, weights).astype(np.float32)
        parts += [tuple(columns[name] for name in names)] if len(rows) else []
    return tuple(np.concatenate(arrays) for arrays in zip(*parts, strict=True))


def _sorted_by(rows: Arrays, keys: Sequence[int]) -> Arrays:
    """Returns rows sorted by some of their arrays, the first key first, of which is the user."""
    order = order_of_users(rows[keys[0]])
    rows = rows if order is None else tuple(array[order] for array in rows)
    # As validate_events writes them, the rows of a user are in order: it is looked at, not done.
    is_equal, is_wrong = np.ones(max(len(rows[0]) - 1, 0), bool), False
    for key in keys:
        before, after = rows[key][:-1], rows[key][1:]
        is_wrong = is_wrong or bool(np.any(is_equal & (after < before)))
        is_equal &= after == before
    if not is_wrong:
        return rows
    order = np.lexsort([rows[key] for key in reversed(keys)])
    return tuple(array[order] for array in rows)


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


class DayLabels(NamedTuple):
    """The labels of the impressions of a day, in a file that is mapped into memory."""

    parts: Sequence[tuple[range, pa.RecordBatch]] = ()  # slots, and the labels of their users

    def of_slots(self, slots: range) -> LabelRows:
        """Returns the labels of users in some slots, and of some others, sorted by user."""
        rows = [NO_LABELS]
        for own, batch in self.parts:
            if own.start < slots.stop and slots.start < own.stop:
                columns = data_files.columns(pa.Table.from_batches([batch]))
                rows.append(LabelRows(*columns.values()))
        labels = LabelRows(*(np.concatenate(arrays) for arrays in zip(*rows, strict=True)))
        return labels.rows(np.argsort(labels.user_ids, kind="stable"))


NO_LATER_LABELS = DayLabels()


def labels_by_day(
    parts: Iterable[tuple[range, LabelRows]], days: Iterable[int]
) -> dict[int, DayLabels]:
    """Sorts labels by the day of their impressions, on disk: some of them are in memory.

    Args:
      parts: Slots, and the labels of their users.
      days: Numbers of the days that are asked for.
    """
    days, places = list(days), list[tuple[int, range]]()
    with tempfile.TemporaryDirectory() as folder:
        path = f"{folder}/labels.arrow"
        with pa.ipc.new_file(path, LABELS.schema()) as file:
            for slots, labels in parts:
                numbers = labels.shown_at // DAY_MS
                for day in days:
                    rows = labels.rows(np.flatnonzero(numbers == day))
                    if len(rows.user_ids):
                        columns = dict(zip(LABELS.names, rows, strict=True))
                        file.write_table(data_files.arrow_table(LABELS, columns))
                        places.append((day, slots))
        # What is mapped is there until nobody reads it, also when its folder is gone.
        batches = pa.ipc.open_file(pa.memory_map(path))
    by_day = {day: list[tuple[range, pa.RecordBatch]]() for day in days}
    for number, (day, slots) in enumerate(places):
        by_day[day].append((slots, batches.get_batch(number)))
    return {day: DayLabels(own) for day, own in by_day.items()}
