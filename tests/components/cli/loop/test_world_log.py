"""The files of a world that answers show a part of the feeds of the day before, and its answers."""

import datetime

import numpy as np
import pyarrow.parquet as pq

from components.cli.loop.world_log import SHARE, WorldLog
from components.serving import published
from components.settings.source import SyntheticSource
from tests.components.conftest import DAYS

SECOND = datetime.date.fromisoformat(DAYS[1])


def log_of(three_days, folder) -> WorldLog:
    source = three_days.config.ingest_events.source
    assert isinstance(source, SyntheticSource)
    return WorldLog.of(three_days.config, source.model_dump(exclude={"layout"}), folder)


def test_a_day_names_the_feeds_that_were_published_on_the_day_before(three_days, tmp_path) -> None:
    log = log_of(three_days, tmp_path)
    log.write(SECOND)
    rows = pq.read_table(tmp_path / f"log/{SECOND}.parquet").to_pylist()
    feeds = three_days.artifact("publish_feeds", DAYS[0]).ref
    served = [row for row in rows if row["feed"] is not None]
    assert {row["feed"] for row in served} == {feeds.digest}
    assert 0.2 < len(served) / len(rows) < SHARE + 0.05, "a feed ends, and some users have none"
    users = sorted({row["user_id"] for row in served})
    items = {
        feed.user_id: [int(item.post_id) for item in feed.items]
        for feed in published.feeds_of(three_days.store, three_days.config, feeds, users)
    }
    for row in served:
        assert items[row["user_id"]][row["position"] - 1] == row["post_id"]
    assert all(row["position"] is None for row in rows if row["feed"] is None)


def test_a_first_day_has_no_feeds_and_a_day_written_again_is_the_same(three_days, tmp_path) -> None:
    log = log_of(three_days, tmp_path)
    for day in (log.world.config.first_day, SECOND):
        log.write(day)
    files = {path: path.read_bytes() for path in tmp_path.rglob("*.parquet")}
    first = pq.read_table(tmp_path / f"log/{log.world.config.first_day}.parquet")
    assert first["feed"].null_count == len(first)
    for day in (log.world.config.first_day, SECOND):
        log_of(three_days, tmp_path).write(day)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == files
    posts = [pq.read_table(path)["post_id"].to_numpy() for path in sorted(tmp_path.glob("posts/*"))]
    every = log.world.population.posts(SECOND).post_ids
    np.testing.assert_array_equal(np.concatenate(posts), every)


def test_days_that_have_not_come_are_not_there(three_days, tmp_path) -> None:
    log = log_of(three_days, tmp_path)
    first = log.world.config.first_day
    log.write(first)
    before = {path.name for path in tmp_path.glob("*/*")}
    log.write(SECOND)
    log.write(first)
    assert {path.name for path in tmp_path.glob("*/*")} == before == {f"{first}.parquet"}
