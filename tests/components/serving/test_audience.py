"""Who gets a feed, what they saw, and which posts may be shown."""

import datetime

import numpy as np
import pyarrow.parquet as pq

from components.serving import audience
from components.serving.audience import SeenPosts

DAY = datetime.date(2026, 1, 3)


def test_seen_posts_of_some_users_are_named_by_their_place() -> None:
    seen = SeenPosts(np.array([3, 3, 5, 9]), np.array([10, 11, 10, 12]))
    places, posts = seen.of_users(np.array([3, 9, 20]))
    assert (places.tolist(), posts.tolist()) == ([0, 0, 1], [10, 11, 12])
    assert len(seen.of_users(np.empty(0, np.int64))[0]) == 0


def test_users_and_seen_posts_come_from_the_accepted_events(three_days) -> None:
    partitions = [three_days.artifact("validate_events", f"2026-01-0{day}") for day in (1, 2)]
    rows = [
        row
        for partition in partitions
        for row in pq.read_table(partition.path("accepted.parquet")).to_pylist()
    ]
    pairs = sorted({(row["user_id"], row["post_id"]) for row in rows})
    seen = audience.seen_posts(partitions)
    assert list(zip(seen.user_ids.tolist(), seen.post_ids.tolist(), strict=True)) == pairs
    users = audience.users_of(partitions[1].path("accepted.parquet"))
    assert users.tolist() == sorted({row["user_id"] for row in rows if row["shown_at"].day == 2})
