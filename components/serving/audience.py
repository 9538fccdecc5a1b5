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
from components.tables.data_files import ACCEPTED_FILE


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
    tables = [
        pq.read_table(each.paths(ACCEPTED_FILE), columns=["user_id", "post_id"])
        for each in partitions
    ]
    if not tables:
        return SeenPosts.none()
    # Grouped by Arrow before NumPy sorts: a user often sees a post again within the days.
    pairs = pa.concat_tables(tables).group_by(["user_id", "post_id"]).aggregate([])
    users, posts = pairs["user_id"].to_numpy(), pairs["post_id"].to_numpy()
    order = np.lexsort((posts, users))
    return SeenPosts(users[order], posts[order])
