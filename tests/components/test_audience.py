"""Who gets a feed, what they saw, and which posts may be shown."""

import datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import given
from hypothesis import strategies as st

from components import audience, eligible_posts
from components.audience import SeenPosts

DAY = datetime.date(2026, 1, 3)


@given(
    st.lists(st.integers(1, 2**63 - 1), unique=True, max_size=50).map(sorted), st.integers(1, 999)
)
def test_every_user_is_in_exactly_one_shard(users: list[int], num_shards: int) -> None:
    ids = np.array(users, np.int64)
    found = [audience.in_shard(ids, shard, num_shards) for shard in range(num_shards)]
    assert np.sum(found, axis=0).tolist() == [1] * len(users)


def test_shards_of_consecutive_ids_are_even() -> None:
    sizes = [audience.in_shard(np.arange(1, 10_001), shard, 4).sum() for shard in range(4)]
    assert min(sizes) > 2_300


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


def test_old_posts_leave_the_collection_by_the_configured_age(three_days, tmp_path: Path) -> None:
    config = three_days.config
    limit = config.export_corpus.model_copy(update={"max_age_days": 1})
    config = config.model_copy(update={"export_corpus": limit})
    midnight = datetime.datetime(2026, 1, 3, tzinfo=datetime.UTC)
    created = [midnight, midnight - datetime.timedelta(milliseconds=1), midnight]
    pq.write_table(
        pa.table(
            {
                "post_id": [30, 20, 10],
                "author_id": [3, 2, 1],
                "created_at": pa.array(created, pa.timestamp("ms", tz="UTC")),
                "eligible": [True, True, False],
            }
        ),
        tmp_path / "posts.parquet",
    )
    found = eligible_posts.collection_of(tmp_path / "posts.parquet", config, DAY)
    assert found.post_ids.tolist() == [10, 20, 30]
    assert found.author_ids.tolist() == [1, 2, 3]
    assert found.is_eligible.tolist() == [False, False, True]
