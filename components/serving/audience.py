"""Users for whom feeds are made, and what tells what they have seen: events and earlier feeds."""

import datetime
import itertools
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from components import contract
from components.release import releases
from components.run.context import Context
from components.serving import feed_files
from components.serving.seen import SeenPosts
from components.store.artifacts import Artifact, Ref, Store
from components.tables import bucket_files
from components.tables.bucket_files import BucketFiles
from components.tables.data_files import ACCEPTED_FILE
from schemas.buckets import NUM_SLOTS

logger = logging.getLogger(__name__)

_PAIR = ["user_id", "post_id"]
PART_USERS = 1 << 12  # of whom a part has a multiple: two blocks of the server


def event_partitions(context: Context, days: int) -> list[Ref]:
    """Returns the accepted events of the newest `days` days up to the day that are there.

    A missing day is no error: feeds are made of what is known, and a deployment begins with fewer
    days than it looks back.
    """
    window = [context.day - datetime.timedelta(days=back) for back in reversed(range(days))]
    kind = contract.VALIDATE_EVENTS.name
    refs = [context.head(kind, day) for day in window if day >= context.config.first_day]
    return [ref for ref in refs if ref is not None]


def parts_of(user_ids: np.ndarray) -> Iterator[np.ndarray]:
    """Cuts users into parts whose rows lie next to each other, however many files they lie in.

    So a part is served with the rows of its slots alone, and gives the same feeds in any number of
    files.

    Args:
      user_ids: `[N]` int64, sorted, each once.

    Yields:
      Sorted users, at least one part; together they are in order of slots.
    """
    slots = bucket_files.slots_of(user_ids)
    order = np.argsort(slots, kind="stable")
    # Of whole slots at least: the rows of no slot are read for more than two parts.
    largest = int(np.bincount(slots, minlength=1).max())
    size = PART_USERS * max(1, -(-largest // PART_USERS))
    for start in range(0, max(len(order), 1), size):
        yield np.sort(user_ids[order[start : start + size]])


class SeenFiles:
    """The posts that users were shown in some partitions of validate_events."""

    def __init__(self, partitions: Sequence[Artifact]) -> None:
        """Opens the files of accepted rows."""
        self._tables = [BucketFiles(each.paths(ACCEPTED_FILE)) for each in partitions]

    def of_slots(self, slots: range) -> SeenPosts:
        """Returns what users in some slots were shown."""
        if not self._tables or not slots:
            return SeenPosts.none()
        sizes = sum((table.slot_sizes() for table in self._tables), np.zeros(NUM_SLOTS, np.int64))
        parts = list[tuple[np.ndarray, ...]]()
        # A user often sees a post again within the days: of all rows those of a run are held.
        for run in bucket_files.runs(sizes[slots.start : slots.stop], bucket_files.GROUP_ROWS):
            some = slots[run.start : run.stop]
            rows = pa.concat_tables(table.of_slots(some, _PAIR) for table in self._tables)
            pairs = rows.group_by(_PAIR).aggregate([])
            parts.append(tuple(pairs[name].to_numpy() for name in _PAIR))
        users, posts = (np.concatenate(each) for each in zip(*parts, strict=True))
        order = np.lexsort((posts, users))
        return SeenPosts(users[order], posts[order])


def earlier_feeds(context: Context) -> Ref | None:
    """Returns the newest feeds of an earlier day that may be kept, or None.

    Where newer ones were removed, older ones are kept, and a warning names both.
    """
    store, num_days = context.store, context.config.materialize_feeds.keep_feed_days
    days = [context.day - datetime.timedelta(days=back) for back in range(1, num_days + 1)]
    newest = [ref for day in days if (ref := store.newest(releases.FEEDS, str(day))) is not None]
    gone = list(itertools.takewhile(lambda ref: not store.holds(ref), newest))
    kept = newest[len(gone)] if len(gone) < len(newest) else None
    for ref in gone:
        logger.warning(
            "%s was removed: users who are not ranked anew keep %s.",
            ref,
            "no feed" if kept is None else f"their feeds of {kept.partition}",
        )
    return kept


@dataclass(frozen=True, kw_only=True)
class EarlierFeeds:
    """Published feeds of an earlier day."""

    files: BucketFiles
    day: str  # YYYY-MM-DD

    def of_slots(self, slots: range) -> pa.Table:
        """Returns the rows of users in some slots, with their origin."""
        return feed_files.with_origin(self.files.of_slots(slots), self.day)

    def posts(self, slots: range) -> SeenPosts:
        """Returns what stands in the feeds of users in some slots."""
        rows = self.files.of_slots(slots, ["user_id", "post_id"])
        return SeenPosts(*(rows[name].to_numpy() for name in rows.column_names))


def open_earlier(store: Store, feeds: Ref | None) -> EarlierFeeds | None:
    """Opens feeds that were published, verified."""
    if feeds is None:
        return None
    paths = store.read_files(feeds, feed_files.FEEDS_FILE)
    return EarlierFeeds(files=BucketFiles(paths), day=feeds.partition)
