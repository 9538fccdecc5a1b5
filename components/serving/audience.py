"""Users for whom feeds are made, and the events that tell what they have seen."""

import datetime
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from components import contract
from components.run.context import Context
from components.serving.seen import SeenPosts
from components.store.artifacts import Artifact, Ref
from components.tables import bucket_files
from components.tables.bucket_files import BucketFiles
from components.tables.data_files import ACCEPTED_FILE

_PAIR = ["user_id", "post_id"]
_NUM_PARTS = 16  # of the users, in which their rows are read


def event_partitions(context: Context, days: int) -> list[Ref]:
    """Returns the accepted events of the newest `days` days up to the day that are there.

    A missing day is no error: feeds are made of what is known, and a deployment begins with fewer
    days than it looks back.
    """
    window = [context.day - datetime.timedelta(days=back) for back in reversed(range(days))]
    kind = contract.VALIDATE_EVENTS.name
    refs = [context.head(kind, day) for day in window if day >= context.config.first_day]
    return [ref for ref in refs if ref is not None]


def users_of(impressions: Sequence[Path]) -> np.ndarray:
    """`[N]` int64 sorted distinct users in the files of a table of impressions."""
    return np.unique(pq.read_table(impressions, columns=["user_id"])["user_id"].to_numpy())


def seen_posts(partitions: Sequence[Artifact]) -> SeenPosts:
    """Returns the posts that users were shown in some partitions of validate_events."""
    if not partitions:
        return SeenPosts.none()
    tables = [BucketFiles(each.paths(ACCEPTED_FILE)) for each in partitions]
    parts = []
    # A user often sees a post again within the days: of all rows those of a part are held.
    for part in range(_NUM_PARTS):
        slots = bucket_files.slots_of_bucket(part, _NUM_PARTS)
        rows = pa.concat_tables(table.of_slots(slots, _PAIR) for table in tables)
        parts.append(rows.group_by(_PAIR).aggregate([]))
    pairs = pa.concat_tables(parts)
    users, posts = (pairs[name].to_numpy() for name in _PAIR)
    order = np.lexsort((posts, users))
    return SeenPosts(users[order], posts[order])
