"""Users and what they saw are those of the accepted events."""

import datetime
import itertools
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from components import contract
from components.run.context import Context
from components.serving import audience
from components.tables import bucket_files
from components.tables.bucket_files import BucketFiles
from schemas.buckets import NUM_SLOTS

DAYS = ["2026-01-01", "2026-01-02", "2026-01-03"]
DAY = datetime.date(2026, 1, 3)


def test_users_and_seen_posts_come_from_the_accepted_events(three_days) -> None:
    partitions = [three_days.artifact("validate_events", f"2026-01-0{day}") for day in (1, 2)]
    rows = [
        row
        for partition in partitions
        for row in pq.read_table(partition.path("accepted.parquet")).to_pylist()
    ]
    pairs = sorted({(row["user_id"], row["post_id"]) for row in rows})
    seen = audience.SeenFiles(partitions).of_slots(range(NUM_SLOTS))
    assert list(zip(seen.user_ids.tolist(), seen.post_ids.tolist(), strict=True)) == pairs
    users = BucketFiles(partitions[1].paths("accepted.parquet")).users()
    assert users.tolist() == sorted({row["user_id"] for row in rows if row["shown_at"].day == 2})


def test_of_all_rows_those_of_a_part_of_the_users_are_read_at_a_time(
    three_days, monkeypatch: pytest.MonkeyPatch
) -> None:
    partitions = [three_days.artifact("validate_events", day) for day in DAYS]
    of_slots, sizes = BucketFiles.of_slots, list[int]()

    def counted(files: BucketFiles, *args: Any) -> pa.Table:
        rows = of_slots(files, *args)
        sizes.append(len(rows))
        return rows

    monkeypatch.setattr(BucketFiles, "of_slots", counted)
    monkeypatch.setattr(bucket_files, "GROUP_ROWS", 500)
    audience.SeenFiles(partitions).of_slots(range(NUM_SLOTS))
    assert sum(sizes) == sum(each.facts["accepted"] for each in partitions)
    assert max(sizes) * len(DAYS) < sum(sizes) / 4


def test_users_of_no_partition_have_seen_nothing() -> None:
    assert len(audience.SeenFiles([]).of_slots(range(NUM_SLOTS)).user_ids) == 0


def test_users_are_served_in_parts_that_lie_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(audience, "PART_USERS", 16)
    users = np.arange(1, 2001) * 7
    parts = list(audience.parts_of(users))
    assert np.sort(np.concatenate(parts)).tolist() == users.tolist()
    assert all(np.all(part[1:] > part[:-1]) for part in parts)
    spans = [bucket_files.span(part) for part in parts]
    # Whole slots fit in a part, so that no slot is read for more than two.
    assert max(len(part) for part in parts) == 48 >= np.bincount(bucket_files.slots_of(users)).max()
    assert all(below.start >= above.stop - 1 for above, below in itertools.pairwise(spans))
    assert [part.tolist() for part in audience.parts_of(users[:0])] == [[]]


@pytest.mark.parametrize(("days", "partitions"), [(1, DAYS[2:]), (2, DAYS[1:]), (9, DAYS)])
def test_event_partitions_end_with_the_day_and_begin_with_the_first(
    days: int, partitions: list[str], three_days
) -> None:
    context = Context(contract.MATERIALIZE_FEEDS, three_days.config, DAY, three_days.store)
    refs = audience.event_partitions(context, days)
    assert [ref.partition for ref in refs] == partitions
    assert {ref.kind for ref in refs} == {"validate_events"}


def test_feeds_that_were_removed_are_named_and_older_ones_are_kept(
    world, caplog: pytest.LogCaptureFixture
) -> None:
    context = Context(contract.MATERIALIZE_FEEDS, world.config, DAY, world.store)
    newest = world.store.head("publish_feeds", DAYS[1])
    assert (audience.earlier_feeds(context), caplog.text) == (newest, "")
    for kept, told in ((DAYS[0], f"their feeds of {DAYS[0]}"), (None, "no feed")):
        world.store.storage.remove(f"publish_feeds/{DAYS[1] if kept else DAYS[0]}")
        caplog.clear()
        ref = audience.earlier_feeds(context)
        assert (ref and ref.partition) == kept
        assert caplog.messages[0] == (
            f"{newest} was removed: users who are not ranked anew keep {told}."
        )
    assert len(caplog.messages) == 2, "one for each that is gone"
