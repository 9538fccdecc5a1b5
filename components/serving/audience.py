"""For whom feeds are made, what these users have seen, and which posts exist: sets of ids."""

import datetime
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from components.run.context import Context
from components.store.artifacts import Artifact, Ref
from components.tables.data_files import ACCEPTED_FILE
from phoenix.data import sorted_ids


@dataclass(frozen=True)
class SeenPosts:
    """Distinct pairs of user and post, sorted."""

    user_ids: np.ndarray  # [P] int64
    post_ids: np.ndarray  # [P] int64

    def of_users(self, user_ids: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The pairs of some users.

        Args:
          user_ids: `[N]` int64, distinct, sorted.

        Returns:
          Places in `user_ids` and post ids, `[Q]` int64 each.
        """
        places, is_asked = sorted_ids.find(user_ids, self.user_ids)
        return places[is_asked], self.post_ids[is_asked]


def event_partitions(context: Context, days: int) -> list[Ref]:
    """Returns the accepted events of the newest `days` days up to the day that are there."""
    reach = [context.day - datetime.timedelta(days=back) for back in reversed(range(days))]
    refs = [
        context.head("validate_events", day) for day in reach if day >= context.config.first_day
    ]
    return [ref for ref in refs if ref is not None]


def users_of(impressions: Path) -> np.ndarray:
    """`[N]` int64 sorted distinct users of a file of impressions."""
    return np.unique(pq.read_table(impressions, columns=["user_id"])["user_id"].to_numpy())


def seen_posts(partitions: Sequence[Artifact]) -> SeenPosts:
    """Returns who was shown what in some partitions."""
    tables = [
        pq.read_table(each.path(ACCEPTED_FILE), columns=["user_id", "post_id"])
        for each in partitions
    ]
    if not tables:
        return SeenPosts(np.empty(0, np.int64), np.empty(0, np.int64))
    pairs = pa.concat_tables(tables).group_by(["user_id", "post_id"]).aggregate([])
    users, posts = pairs["user_id"].to_numpy(), pairs["post_id"].to_numpy()
    order = np.lexsort((posts, users))
    return SeenPosts(users[order], posts[order])
