"""Nothing becomes visible that is incomplete, mixed or too bad."""

import shutil
from pathlib import Path

import pyarrow.parquet as pq

from components.contract import ExitCode

LAST, BEFORE = "2026-01-03", "2026-01-02"


def test_a_missing_shard_is_refused_by_name(world, capfd) -> None:
    shutil.rmtree(Path(world.config.store) / "materialize_feeds" / f"{LAST}-001-of-002")
    assert world.run("publish_feeds", LAST, num_shards=2) == ExitCode.BAD_DATA
    assert "missing 001-of-002" in capfd.readouterr().out


def test_shards_of_another_release_are_refused(world, capfd) -> None:
    world.edit("{name: click}", "{name: click, weight: 0.1}")
    assert world.run_day(LAST, ("evaluate_models", "export_corpus", "publish_release")) == [0] * 3
    assert world.run("publish_feeds", LAST, num_shards=2) == ExitCode.BAD_DATA
    assert "run materialize_feeds again" in capfd.readouterr().out


def test_feeds_of_forgotten_users_are_not_published(world, capfd) -> None:
    feeds = pq.read_table(world.artifact("publish_feeds", LAST).path("feeds.parquet"))
    user = feeds["user_id"][0].as_py()
    (world.path.parent / "forget.txt").write_text(str(user))
    world.edit("ingest_events:\n", "ingest_events:\n  erased_users: forget.txt\n")
    world.edit("min_coverage: 0.5", "min_coverage: 0.4")
    assert world.run("publish_feeds", LAST, num_shards=2) == ExitCode.BAD_DATA
    assert "rows of users who are to be forgotten: run" in capfd.readouterr().out
    codes = world.run_day(LAST, ("materialize_feeds", "publish_feeds"))
    assert codes == [0, 0, 0]
    feeds = pq.read_table(world.artifact("publish_feeds", LAST).path("feeds.parquet"))
    assert user not in feeds["user_id"].to_pylist()


def test_too_bad_feeds_stay_invisible_and_the_reasons_are_named(world, capfd) -> None:
    world.edit("min_coverage: 0.5", "min_coverage: 1.0").edit("feed_length: 5", "feed_length: 140")
    world.edit("num_retrieved: 30", "num_retrieved: 140")
    live = world.store.pointer("live").log()
    codes = world.run_day(LAST, ("materialize_feeds", "publish_feeds"))
    assert codes == [0, 0, ExitCode.BAD_DATA]
    message = capfd.readouterr().out
    assert "users have a full feed of 140 posts (materialize_feeds.feed_length)" in message
    assert "expected at least publish_feeds.min_coverage, 1.0" in message
    assert "What was live stays live." in message
    assert world.store.pointer("live").log() == live


def test_new_feeds_of_the_live_day_go_live(world) -> None:
    world.edit("feed_length: 5", "feed_length: 4")
    assert world.run_day(LAST, ("materialize_feeds", "publish_feeds")) == [0, 0, 0]
    head = world.store.head("publish_feeds", LAST)
    assert world.store.pointer("live").read().value["feeds"]["digest"] == head.digest


def test_what_stood_in_the_feed_before_is_counted_over_users_ranked_anew(three_days) -> None:
    before, after = (
        pq.read_table(three_days.artifact("publish_feeds", day).path("feeds.parquet")).to_pylist()
        for day in ("2026-01-02", "2026-01-03")
    )
    earlier = {(row["user_id"], row["post_id"]) for row in before}
    users = {user for user, _ in earlier}
    places = [
        (row["user_id"], row["post_id"])
        for row in after
        if row["kind"] == "fresh" and row["user_id"] in users
    ]
    again = [each for each in places if each in earlier]
    assert places
    facts = three_days.artifact("publish_feeds", "2026-01-03").facts
    assert facts["repeated_share"] == len(again) / len(places)
    facts = three_days.artifact("publish_feeds", "2026-01-01").facts
    assert facts["repeated_share"] is None
